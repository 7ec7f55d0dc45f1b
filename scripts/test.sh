#!/usr/bin/env bash
# All tests: the plugin's and the gate's own, then those in test/, which run the built plugin in a real Vault. A part that fails ends
# no other part that can go on; the last screen says what all of them proved (test/proven).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

timed() {
  local start=$SECONDS status=0
  echo "test: $1"
  "${@:2}" || status=$?
  echo "test: $1 took $((SECONDS - start)) s"
  return $status
}

# The matrices break each storage call of each operation, in a mount of its own and one after the other: thousands of
# times, in which the race detector, three times as slow, has nothing to see. What happens at once is tried elsewhere.
# How long answers take is told without it, too.
matrices=$(go list ./trials/faults ./trials/limits)
others=$(go list ./... | grep -vxF "$matrices")
unit_tests() {
  local status=0
  {
    go test -json $race -timeout 30m $others || status=1
    go test -json -timeout 30m $matrices || status=1
    (cd cmd/apikeys-gate && go test -json $race -timeout 10m ./...) || status=1
    [[ -z $race ]] || go test -json -run 'TakesAsLong' ./trials/watch || status=1
    return $status
  } | "$work/proven" record "$work/unit"
}
resolve_vault() { VAULT_BIN=$(scripts/vault.sh); }
real_vault() { (cd test && go test -json -count=1 -timeout 30m -p 2 ./...) | "$work/proven" record "$work/vault"; }
vault_tests() {
  timed "build the plugin and the gate" scripts/build.sh &&
    timed "find or build Vault" resolve_vault &&
    export VAULT_BIN &&
    timed "tests against Vault" real_vault
}

(cd test && go build -o "$work/proven" ./proven)
race=$(scripts/race.sh 2>"$work/race")
cat "$work/race" >&2
failed=0
touch "$work/unit" "$work/vault"
timed "unit tests $race" unit_tests || failed=1
timed "install what tests run" scripts/packages.sh || failed=1
timed "find or build Terraform" scripts/terraform.sh || failed=1
timed "find or build its provider for Vault" scripts/provider.sh || failed=1
timed "find or build Caddy" scripts/caddy.sh || failed=1
timed "find or build Traefik" scripts/traefik.sh || failed=1
timed "find or build Vault's auth method for Kubernetes" scripts/kubernetes.sh || failed=1
vault_tests || failed=1
"$work/proven" show -took $SECONDS -race "${race:+race detector: on, for the unit tests but the matrices of faults}$(<"$work/race")" "$work/unit" "$work/vault" || failed=1
exit $failed
