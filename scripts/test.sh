#!/usr/bin/env bash
# Sets the checkout up, a Chromium for the browser tests included, then checks everything: types, formatting, lint, all tests. Arguments go to jest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tests run from dist/: without a clean build, one that was deleted or renamed would go on running there.
rm -rf dist
bash scripts/setup.sh
bash scripts/chromium.sh

echo 'Checking formatting...'
npm run --silent format:check

echo 'Linting...'
npm run --silent lint

echo 'Testing...'
if [ $# -gt 0 ]; then
  npm run --silent jest -- "$@"
else
  npm run --silent jest -- --testPathIgnorePatterns '/test/browser/'
  # Sound in a browser runs in real time: these tests have the machine to themselves.
  npm run --silent jest -- --runInBand '/test/browser/'
fi
