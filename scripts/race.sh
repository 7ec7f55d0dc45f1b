#!/usr/bin/env bash
# Prints -race if the race detector works here, else says why not on stderr and prints nothing. Compiling
# runtime/cgo with it needs all that it needs: the platform, a C compiler, and the C library's headers.
set -euo pipefail
if go build -race runtime/cgo 2>/dev/null; then
  echo -race
else
  echo "race detector: not running, it needs a C compiler (\`go env CC\` names $(go env CC)) and CGO_ENABLED=1" >&2
fi
