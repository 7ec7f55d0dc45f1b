#!/usr/bin/env bash
# A Vault dev server with the engine mounted, a role, and a first key. Everything is in memory and ends with Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

plugin=vault-plugin-secrets-apikeys
port=${DEV_PORT:-8200}
say() { echo "dev: $*"; }
fail() {
  echo "dev: $*" >&2
  exit 1
}

[[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port < 65535)) || fail "DEV_PORT=$port is no port from 1 to 65534"
for taken in "$port" $((port + 1)); do
  # Opening the connection is the test: only a port that something listens on accepts it.
  if (exec 3<>"/dev/tcp/127.0.0.1/$taken") 2>/dev/null; then
    fail "port $taken is busy (a dev server uses two, $port and the next); try: make dev DEV_PORT=$((port + 100))"
  fi
done

say "building the plugin"
scripts/build.sh plugin
vault=$(scripts/vault.sh)

dir=$(mktemp -d)
server=''
cleanup() {
  trap - EXIT INT TERM HUP
  [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'echo; say "stopping"; exit 0' INT TERM HUP

# Vault registers every file in this directory as a plugin, so nothing else may lie there.
mkdir "$dir/plugins"
cp "bin/$plugin" "$dir/plugins/"

export VAULT_ADDR=http://127.0.0.1:$port VAULT_TOKEN=root
unset VAULT_NAMESPACE VAULT_CACERT VAULT_CLIENT_TIMEOUT VAULT_FORMAT VAULT_WRAP_TTL
"$vault" server -dev -dev-no-store-token -dev-root-token-id="$VAULT_TOKEN" -dev-listen-address="127.0.0.1:$port" \
  -dev-plugin-dir="$dir/plugins" >"$dir/vault.log" 2>&1 &
server=$!

with_log() {
  tail -n 20 "$dir/vault.log" >&2
  fail "$1; the end of its log is above"
}
# Registering the plugin comes after the server begins to answer, so wait for that.
for ((try = 0; ; try++)); do
  kill -0 "$server" 2>/dev/null || with_log "the Vault server ended while starting"
  [[ $("$vault" plugin list secret 2>/dev/null || true) == *"$plugin"* ]] && break
  ((try < 150)) || with_log "the Vault server did not register the plugin within half a minute"
  sleep 0.2
done

# The first words are what a user types; what they print is shown when it fails.
run() {
  local shown=() word
  for word in "$@"; do
    [[ $word == *[!A-Za-z0-9_./:,=-]* ]] && word="'$word'"
    shown+=("$word")
  done
  echo
  echo "$ vault ${shown[*]}"
  "$vault" "$@" || fail "that command failed"
}

run secrets enable -path=apikeys -passthrough-request-headers=X-API-Key \
  -passthrough-request-headers=X-Required-Scopes -passthrough-request-headers=X-Client-Ip \
  -allowed-response-headers=X-Apikey-Code -allowed-response-headers=X-Apikey-Id \
  -allowed-response-headers=X-Apikey-Owner -allowed-response-headers=X-Apikey-Scopes \
  -allowed-response-headers=X-Apikey-Scopes-Omitted -allowed-response-headers=Retry-After \
  -allowed-response-headers=Deprecation -allowed-response-headers=Sunset "$plugin"
run write apikeys/roles/web prefix=acme_live generate_lease=false ttl=720h \
  'allowed_scopes=read:*,write:orders' default_scopes=read:orders
issued=$(run write apikeys/issue/web owner=acme)
echo "$issued"
key=$(sed -n "s/^key  *//p" <<<"$issued")
run write apikeys/verify/web "key=$key"
run read "-header=X-API-Key=$key" apikeys/verify

# Whoever had no vault on PATH has none in the other terminal either.
define_vault=""
[[ $(type -P vault) == "$vault" ]] || define_vault="  vault() { '$vault' \"\$@\"; }"$'\n'

cat <<TEXT

The server runs until Ctrl-C. In another terminal:

  export VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN
$define_vault
Mint a key, keep it, and verify it:

  OLD=\$(vault write -field=key apikeys/issue/web owner=acme)
  vault write apikeys/verify/web key="\$OLD"

Rotate it. The new version waits for its first use, and until then nothing changes
for the old one. From then on the old one is superseded, and works for five seconds
more (give your users days):

  NEW=\$(vault write -field=key apikeys/rotate key="\$OLD" activation=first_use grace_period=5s)
  vault write apikeys/verify/web key="\$OLD"
  vault write apikeys/verify/web key="\$NEW" scopes=read:orders
  vault write apikeys/verify/web key="\$OLD"
  sleep 6
  vault write apikeys/verify/web key="\$OLD"

Rotate again, and take it back. The key is as it was before:

  ID=\$(vault write -field=key_id apikeys/verify/web key="\$NEW")
  NEXT=\$(vault write -field=key apikeys/rotate/"\$ID" activation=first_use)
  vault write apikeys/rotate/"\$ID"/rollback reason="the deployment failed"
  vault write apikeys/verify/web key="\$NEXT"

Revoke it. Both versions are refused from now on:

  vault write apikeys/revoke key="\$NEW" reason="tried it out"
  vault write apikeys/verify/web key="\$NEW"

TEXT
wait "$server" || with_log "the Vault server ended"
