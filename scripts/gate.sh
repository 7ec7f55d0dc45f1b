#!/usr/bin/env bash
# What make dev starts, a gate, and nginx in front of a small API, with the files that the README shows. A key passes, is
# revoked, and is refused. Everything is in memory or in one directory, and ends with Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

recipes=test/recipes
port=${DEV_PORT:-8200}
say() { echo "gate: $*"; }
fail() {
  echo "gate: $*" >&2
  exit 1
}

PATH=$PATH:/usr/sbin
for program in nginx curl; do
  type -P $program >/dev/null || fail "there is no $program here; install it with your distribution's packages (scripts/packages.sh does, as root)"
done
[[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port < 65531)) || fail "DEV_PORT=$port is no port from 1 to 65530"
site=127.0.0.1:$((port + 2)) api=127.0.0.1:$((port + 3)) telemetry=127.0.0.1:$((port + 4))
for taken in 127.0.0.1:"$port" 127.0.0.1:$((port + 1)) "$site" "$api" "$telemetry"; do
  if (exec 3<>"/dev/tcp/${taken/://}") 2>/dev/null; then
    fail "port ${taken#*:} is busy; try: make gate DEV_PORT=$((port + 100))"
  fi
done

say "building the gate"
scripts/build.sh gate
vault=$(scripts/vault.sh)

dir=$(mktemp -d)
started=()
cleanup() {
  trap - EXIT INT TERM HUP
  local pid
  for pid in "${started[@]}"; do { kill "$pid" && wait "$pid"; } 2>/dev/null || true; done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'echo; say "stopping"; exit 0' INT TERM HUP

# start NAME COMMAND… runs it until the end. The last one started is the first one stopped.
start() {
  "${@:2}" >"$dir/$1.log" 2>&1 &
  started=($! "${started[@]}")
}
# await NAME COMMAND… waits until the command works, which needs what was started last.
await() {
  local try
  for ((try = 0; ; try++)); do
    "${@:2}" >/dev/null 2>&1 && return
    if ! kill -0 "${started[0]}" 2>/dev/null || ((try == 900)); then
      tail -n 20 "$dir/$1.log" >&2
      fail "$1 did not start; the end of its log is above"
    fi
    sleep 0.2
  done
}

say "starting the server of make dev"
start dev scripts/dev.sh
await dev grep -q '^The server runs until Ctrl-C' "$dir/dev.log"
export VAULT_ADDR=http://127.0.0.1:$port VAULT_TOKEN=root
unset VAULT_NAMESPACE VAULT_CACERT VAULT_CLIENT_TIMEOUT VAULT_FORMAT VAULT_WRAP_TTL

say "starting a gate, which logs in by an AppRole that may do what $recipes/policies/gate.hcl says"
{
  "$vault" policy write gate $recipes/policies/gate.hcl
  "$vault" auth enable approle
  "$vault" write auth/approle/role/apikeys-gate token_policies=gate token_no_default_policy=true token_period=1h
} >/dev/null
"$vault" read -field=role_id auth/approle/role/apikeys-gate/role-id >"$dir/role-id"
"$vault" write -force -field=secret_id auth/approle/role/apikeys-gate/secret-id >"$dir/secret-id"
sed -e "s#https://vault.example.com:8200#$VAULT_ADDR#" -e "s#/etc/apikeys-gate#$dir#" -e "s#/run/apikeys-gate#$dir#" \
  $recipes/gateways/gate.hcl >"$dir/gate.hcl"
echo "telemetry { address = \"$telemetry\" }" >>"$dir/gate.hcl"
start gate env -u VAULT_TOKEN bin/apikeys-gate -config="$dir/gate.hcl"
await gate curl -fs "http://$telemetry/ready"

say "starting nginx, which asks the gate, at $site, and an API behind it"
cp $recipes/gateways/apikeys*.conf "$dir/"
sed -e "s#/run/apikeys-gate#$dir#" -e "s#listen 80;#listen $site;#" -e "s#127.0.0.1:8080#$api#" \
  $recipes/gateways/nginx.conf >"$dir/api.conf"
user=''
((EUID)) || user='user root;' # or its workers could not open the gate's socket
cat >"$dir/nginx.conf" <<CONF
daemon off; $user
pid $dir/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/fastcgi; uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;
  include api.conf;
  server {
    listen $api;
    return 200 "the orders of \$http_x_apikey_owner, asked with the key \$http_x_apikey_id\n";
  }
}
CONF
start nginx nginx -p "$dir" -c "$dir/nginx.conf"
await nginx curl -s "http://$site/"

# What a user types, and what it prints.
show() {
  echo
  echo "$ $1"
}
issue='KEY=$(vault write -field=key apikeys/issue/web owner=acme)'
call="curl -i -H \"X-API-Key: \$KEY\" http://$site/orders"
revoke='vault write -field=status apikeys/revoke key="$KEY"'

vault() { "$vault" "$@"; }
asked() { curl -sS -i -H "X-API-Key: $KEY" "http://$site/orders" | tr -d '\r' | sed -n '1p; $p'; }
show "$issue"
KEY=$(vault write -field=key apikeys/issue/web owner=acme)
show "$call"
asked
show "$revoke"
vault write -field=status apikeys/revoke key="$KEY"
echo
show "sleep 1 # within which a gate has heard of it"
sleep 1
show "$call"
asked

define_vault=""
[[ $(type -P vault) == "$vault" ]] || define_vault="  vault() { '$vault' \"\$@\"; }"$'\n'
cat <<TEXT

All of it runs until Ctrl-C. In another terminal:

  export VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN
$define_vault  $issue
  $call
  $revoke
  sleep 1
  $call

TEXT
wait "${started[0]}" || fail "nginx ended"
