#!/usr/bin/env bash
# Installs the programs that tests run and that are not built here, from the distribution's packages, which only root
# can: all, or those that are named. It runs before the tests, not in them: an installation keeps disk and cores busy
# while others count seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each program, and the package that has it.
declare -A packages=(
  [age]=age
  [amtool]=prometheus-alertmanager
  [caddy]=caddy
  [haproxy]=haproxy
  [nginx]=nginx-light
  [prometheus]=prometheus
  [systemd-analyze]=systemd
)

missing=()
(($#)) || set -- "${!packages[@]}"
for program; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
if ((${#missing[@]})); then
  echo "packages: installing ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
