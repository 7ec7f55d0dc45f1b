#!/usr/bin/env bash
# Builds Vault's auth method for Kubernetes from source once: a Vault that is built here, without its plugins for clouds,
# has none. Prints its path on stdout and all else on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -x test/.bin/vault-plugin-auth-kubernetes ]] ||
  echo "vault-plugin-auth-kubernetes: is built from source, once: about a minute on two cores" >&2
exec scripts/tool.sh vault-plugin-auth-kubernetes github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes
