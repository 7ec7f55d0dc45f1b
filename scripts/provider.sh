#!/usr/bin/env bash
# The Terraform provider for Vault that tests use: built from source once. Prints its path on stdout.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -x test/.bin/terraform-provider-vault ]] ||
  echo "terraform-provider-vault: is built from source, once: about three minutes on two cores" >&2
exec scripts/tool.sh terraform-provider-vault github.com/hashicorp/terraform-provider-vault
