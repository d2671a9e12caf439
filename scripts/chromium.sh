#!/usr/bin/env bash
# Sees to a Chromium for the tests in a real browser: takes one that is there, else installs Debian's by apt.
set -euo pipefail

[ -n "${TESSERA_CHROMIUM:-}" ] && [ -x "$TESSERA_CHROMIUM" ] && exit 0
for path in /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
  [ -x "$path" ] && exit 0
done

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root=(sudo -n)
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || [ "${#as_root[@]}" -gt 0 ]; }; then
  echo 'Installing Chromium for the tests in a browser (once)...'
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium >/dev/null
  exit 0
fi
printf 'tessera: %s\n' \
  'The tests in a browser need Chromium, and it cannot be installed here: install it, or name one in TESSERA_CHROMIUM' >&2
exit 1
