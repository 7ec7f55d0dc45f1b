#!/usr/bin/env bash
# Builds the newest Caddy, which tests put before a gate, from source once; the distribution's is years older. Prints its
# path on stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -x test/.bin/caddy ]] || echo "caddy: it is built from source, once: about three minutes on two cores" >&2
exec scripts/tool.sh caddy github.com/caddyserver/caddy/v2/cmd/caddy
