#!/usr/bin/env bash
# Measures the engine in a real Vault beside a plugin that does nothing; test/bench/doc.go says how.
# BENCH_QUICK=1 for about two minutes, BENCH_KEYS=n for another number of keys, BENCH_PROFILE=DIR for profiles instead.
# BENCH_GATE=all, or the names of some of reach, memory, confirm, drain, doors, revoked, cold, held, flood, idle, for what gates cost and do instead.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -z ${BENCH_PROFILE:-} ]] || BENCH_PROFILE=$(realpath -m "$BENCH_PROFILE")
export BENCH_PROFILE=${BENCH_PROFILE:-}
scripts/build.sh plugin
VAULT_BIN=$(scripts/vault.sh)
export VAULT_BIN
programs=(floor plugin)
if [[ -n ${BENCH_GATE:-} ]]; then
  programs+=(mapgate)
  scripts/build.sh gate
  scripts/packages.sh nginx
fi
cd test
for program in "${programs[@]}"; do
  CGO_ENABLED=0 go build -trimpath -o ".bin/bench-$program" "./bench/$program"
done
CGO_ENABLED=0 go build -o .bin/bench ./bench
exec .bin/bench
