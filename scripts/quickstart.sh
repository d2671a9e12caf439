#!/usr/bin/env bash
# Sets Tessera up, sends a recording through it at three bitrates, then serves on localhost. `--help` for the options.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
bash "$root/scripts/setup.sh"
exec node "$root/dist/scripts/quickstart.js" "$@"
