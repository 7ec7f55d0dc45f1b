#!/usr/bin/env bash
# Builds the plugin and the gate into bin/, or one of them: scripts/build.sh [plugin|gate]. Static, because the machine that runs Vault or a gateway has its own libc, or none.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-plugin gate}

package=vault-plugin-secrets-apikeys/backend/version
semver='^v(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$'
ldflags=''

# Only a checkout of this very tree says what is built: an unpacked archive may lie inside another repository.
if [[ $(git rev-parse --show-toplevel 2>/dev/null) == "$(pwd -P)" ]]; then
  version=$(git describe --tags 2>/dev/null || true)
  commit=$(git rev-parse --short HEAD 2>/dev/null || true)
  # Vault refuses a plugin whose version is no semver, so any other tag leaves the version in the source.
  [[ $version =~ $semver ]] && ldflags+=" -X $package.number=$version"
  # Before the first commit, rev-parse echoes the word HEAD.
  [[ $commit =~ ^[0-9a-f]+$ ]] && ldflags+=" -X $package.commit=$commit"
fi

# The commit is handed over above; Go's own stamping fails where git distrusts the directory's owner.
flags=(-trimpath -buildvcs=false -ldflags "${ldflags# }")
if [[ " $what " == *" plugin "* ]]; then
  CGO_ENABLED=0 scripts/compile.sh plugin bin/vault-plugin-secrets-apikeys ./cmd/vault-plugin-secrets-apikeys "${flags[@]}"
fi
if [[ " $what " == *" gate "* ]]; then # a module of its own
  (cd cmd/apikeys-gate && CGO_ENABLED=0 ../../scripts/compile.sh gate ../../bin/apikeys-gate . "${flags[@]}")
fi
