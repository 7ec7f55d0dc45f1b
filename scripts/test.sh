#!/usr/bin/env bash
# All tests: the plugin's own, then those in test/, which run the built plugin in a real Vault.
set -euo pipefail
cd "$(dirname "$0")/.."

timed() {
  local start=$SECONDS status=0
  echo "test: $1"
  "${@:2}" || status=$?
  echo "test: $1 took $((SECONDS - start)) s"
  return $status
}

resolve_vault() { VAULT_BIN=$(scripts/vault.sh); }
real_vault() { (cd test && go test -count=1 -timeout 30m -p 2 ./...); }

race=$(scripts/race.sh)
timed "unit tests $race" go test $race -timeout 30m ./...
timed "build the plugin" scripts/build.sh
timed "find or build Vault" resolve_vault
export VAULT_BIN
timed "tests against Vault" real_vault
