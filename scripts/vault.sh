#!/usr/bin/env bash
# Finds the Vault to test against, builds one if there is none, and prints its path on stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=16 # of Vault 1.x: older ones were never tried with this plugin's SDK
built=test/.bin/vault
say() { echo "vault: $*" >&2; }

if [[ -n ${VAULT_BIN:-} ]]; then
  # By path, or by name on PATH.
  vault=$(type -P "$VAULT_BIN") || { say "VAULT_BIN=$VAULT_BIN is no program" && exit 1; }
elif vault=$(type -P vault); then
  :
else
  if [[ ! -x $built ]]; then
    say "there is none on PATH, so one is built from source, once: about ten minutes on two cores"
    say "if you have a Vault: stop this, and say where it is, like VAULT_BIN=/usr/local/bin/vault make dev"
  fi
  # 'minimal' leaves out the cloud plugins.
  vault=$(scripts/tool.sh vault github.com/hashicorp/vault -tags minimal)
fi

if ! version=$("$vault" version 2>/dev/null); then
  say "$vault does not run; set VAULT_BIN to a Vault binary"
  exit 1
fi
if ! [[ $version =~ ^Vault\ v([0-9]+)\.([0-9]+)\. ]]; then
  say "$vault says '$version': not a Vault; set VAULT_BIN to one"
  exit 1
fi
if ((BASH_REMATCH[1] == 1 && BASH_REMATCH[2] < oldest || BASH_REMATCH[1] < 1)); then
  say "$vault is ${version%% (*}: too old, 1.$oldest is the oldest that works; set VAULT_BIN to another"
  exit 1
fi
say "$version"
echo "$(cd "$(dirname "$vault")" && pwd)/$(basename "$vault")"
