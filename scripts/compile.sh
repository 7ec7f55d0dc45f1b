#!/usr/bin/env bash
# Runs `go build` and shows that it moves, on stderr: scripts/compile.sh NAME OUTPUT PACKAGE [build flags].
# Compiling Vault, or the plugin on a machine that never did, takes minutes without a word from Go.
set -euo pipefail
name=$1 output=$2 package=$3
shift 3

every=10 # seconds between two lines
say() { echo "$name: $*" >&2; }

minutes() { (($1 < 90)) && echo "$1 s" || echo "$((($1 + 30) / 60)) min"; }

# watch TOTAL reads what Go says: a module that is fetched, a package that is compiled, or trouble, which is passed on.
watch() {
  local total=$1 fetched=0 compiled=0 before=0 begun=$SECONDS shown=$SECONDS line
  while :; do
    line=''
    # A read that timed out answers above 128, one at the end of all input below.
    IFS= read -r -t $every line || (($? > 128)) || break
    case $line in
      '') ;;
      'go: downloading '* | 'go: finding '*) fetched=$((fetched + 1)) ;;
      *' '*) echo "$line" >&2 ;;
      *) compiled=$((compiled + 1)) ;;
    esac
    ((SECONDS - shown >= every)) || continue
    shown=$SECONDS
    if ((total == 0)); then
      say "fetching sources, $fetched modules so far ($(minutes $((SECONDS - begun))))"
    elif ((compiled < 50)); then
      say "compiling, $compiled of at most $total packages ($(minutes $((SECONDS - begun))))"
    elif ((compiled > before)); then
      say "compiling, $compiled of at most $total packages, about $(minutes $(((SECONDS - begun) * (total - compiled) / compiled))) left"
    else # one large package, or the linker, which says nothing
      say "the last packages and the linker ($(minutes $((SECONDS - begun))))"
    fi
    before=$compiled
  done
}

packages=$(mktemp)
trap 'rm -f "$packages"' EXIT
go list -deps "$@" "$package" 2>&1 >"$packages" | watch 0
go build -v "$@" -o "$output" "$package" 2>&1 >/dev/null | watch "$(wc -l <"$packages")"
