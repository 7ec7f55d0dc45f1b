#!/usr/bin/env bash
# Builds a program that tests use, from its module in test/tools, once: scripts/tool.sh NAME PACKAGE [build flags].
# Prints its path on stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1 package=$2
shift 2

built=$PWD/test/.bin/$name scripts=$PWD/scripts
if [[ ! -x $built || test/tools/$name/go.sum -nt $built ]]; then
  mkdir -p test/.bin
  # A half-written binary must not look like a built one, hence the rename.
  (cd "test/tools/$name" && CGO_ENABLED=0 "$scripts/compile.sh" "$name" "$built.new" "$package" -buildvcs=false "$@")
  mv "$built.new" "$built"
fi
echo "$built"
