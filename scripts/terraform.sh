#!/usr/bin/env bash
# Finds the Terraform that tests use: TERRAFORM_BIN, else the one on PATH, else built from source once. Prints its path
# on stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

if terraform=$(type -P "${TERRAFORM_BIN:-terraform}"); then
  echo "$(cd "$(dirname "$terraform")" && pwd)/$(basename "$terraform")"
  exit
fi
[[ -z ${TERRAFORM_BIN:-} ]] || { echo "terraform: TERRAFORM_BIN=$TERRAFORM_BIN is no program" >&2 && exit 1; }
[[ -x test/.bin/terraform ]] || echo "terraform: there is none on PATH, so one is built from source, once: about five minutes on two cores" >&2
# Without the flag it calls itself a development version.
exec scripts/tool.sh terraform github.com/hashicorp/terraform -ldflags "-X github.com/hashicorp/terraform/version.dev=no"
