#!/usr/bin/env bash
# Runs every fuzz target of the plugin for FUZZTIME. go test -fuzz takes one target of one package at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-10s}

# -list prints the names of a package's targets, then a line with the package. The assignment stands alone
# so that a package that does not compile ends the script.
listing=$(go test -list '^Fuzz' ./...)
targets=() names=()
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
  echo "fuzz: found no targets, and the parsers have some" >&2
  exit 1
fi

failed=0
for target in "${targets[@]}"; do
  read -r package name <<<"$target"
  echo "fuzz: $name in $package for $fuzztime"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" || failed=1
done
exit $failed
