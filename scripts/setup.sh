#!/usr/bin/env bash
# Sets the checkout up: dependencies, then the build. Does again only what has changed. Needs Node >= 20.10 with npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'tessera: %s\n' "$1" >&2
  exit 1
}

command -v node >/dev/null || fail 'Node.js 20.10 or later is needed, and there is none: see https://nodejs.org/'
node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 20 || (major === 20 && minor >= 10) ? 0 : 1);' ||
  fail "Node.js 20.10 or later is needed; this is $(node --version): see https://nodejs.org/"
command -v npm >/dev/null || fail 'npm is needed, and there is none: it comes with Node.js, or as the package npm'

# A copy of the lock file inside node_modules says what was installed; an install that was cut off leaves none.
stamp=node_modules/.tessera-installed.json
if ! cmp -s package-lock.json "$stamp"; then
  echo 'Installing the dependencies (once, and after they change)...'
  npm ci --no-audit --no-fund
  cp package-lock.json "$stamp"
fi

echo 'Building...'
npm run --silent build
