#!/usr/bin/env bash
# Finds the Traefik that tests use: TRAEFIK_BIN, else the one on PATH, else built from source once. Prints its path on
# stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

if traefik=$(type -P "${TRAEFIK_BIN:-traefik}"); then
  echo "$(cd "$(dirname "$traefik")" && pwd)/$(basename "$traefik")"
  exit
fi
[[ -z ${TRAEFIK_BIN:-} ]] || { echo "traefik: TRAEFIK_BIN=$TRAEFIK_BIN is no program" >&2 && exit 1; }
[[ -x test/.bin/traefik ]] || echo "traefik: there is none on PATH, so one is built from source, once: about four minutes on two cores" >&2

# Traefik takes in all of lego's DNS providers, which are the clients of two hundred services; some are on no module
# proxy. The copy of lego that is compiled instead (test/tools/traefik/go.mod) has none of them.
version=v5.4.1 lego=test/.bin/lego-v5.4.1
if [[ ! -d $lego ]]; then
  rm -rf "$lego.new"
  mkdir -p test/.bin
  cp -r "$(go mod download -C / -json "github.com/go-acme/lego/v5@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')" "$lego.new"
  chmod -R u+w "$lego.new"
  rm -r "$lego.new"/providers/dns/*
  cp test/tools/traefik/dns.go "$lego.new/providers/dns/"
  mv "$lego.new" "$lego"
fi
exec scripts/tool.sh traefik github.com/traefik/traefik/v3/cmd/traefik
