#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for a while each.
#
#   scripts/fuzz.sh [DURATION]
set -euo pipefail

duration=${1:-20s}
go list -f '{{.Dir}}' ./... | while read -r dir; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | cut -d' ' -f2); do
		echo "$target in ${dir#"$PWD"/}"
		(cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 10x .)
	done
done
