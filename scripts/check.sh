#!/usr/bin/env bash
# Static checks of all modules. Runs all of them, then fails if any did.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
failed=()

# check DIRECTORY COMMAND...
check() {
  echo "check: in $1: ${*:2}"
  (cd "$1" && "${@:2}") || failed+=("in $1: ${*:2}")
}

# gofmt -l exits with 0 whatever it finds.
formatted() {
  local files
  files=$(gofmt -l .)
  [[ -z $files ]] || { echo "not formatted:" $files && return 1; }
}

check . formatted
for module in . cmd/apikeys-gate test; do
  check $module go vet ./...
  check $module go tool -modfile="$root/scripts/tools/go.mod" staticcheck ./...
  check $module go mod tidy -diff
done

if ((${#failed[@]})); then
  printf 'check: FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "check: ok"
