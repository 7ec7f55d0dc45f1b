#!/usr/bin/env bash
# Runs every fuzz target of the plugin and of the gate for FUZZTIME. go test -fuzz takes one target of one package at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-10s}

# fuzz DIRECTORY runs the targets of one module. -list prints the names of a package's targets, then a line with the
# package.
fuzz() {
  cd "$1"
  local listing targets=() names=() failed=0 word package name
  listing=$(go test -list '^Fuzz' ./...) || return 1 # one does not compile
  while read -r word package _; do
    case $word in
      Fuzz*) names+=("$word") ;;
      *)
        for name in "${names[@]}"; do targets+=("$package $name"); done
        names=()
        ;;
    esac
  done <<<"$listing"
  if ((${#targets[@]} == 0)); then
    echo "fuzz: found no targets in $1, and the parsers have some" >&2
    return 1
  fi
  for target in "${targets[@]}"; do
    read -r package name <<<"$target"
    echo "fuzz: $name in $package for $fuzztime"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" || failed=1
  done
  return $failed
}

failed=0
for module in . cmd/apikeys-gate; do
  (fuzz "$module") || failed=1
done
exit $failed
