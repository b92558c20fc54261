#!/usr/bin/env bash
# Tests packages and fails if the tests of one reach fewer of its statements than they should.
#
#   scripts/coverage.sh PERCENT PACKAGE...
set -euo pipefail

least=$1
shift
go test -timeout 10m -cover "$@" | awk -v least="$least" '
	{ print }
	match($0, /coverage: [0-9.]+%/) {
		seen++
		if (substr($0, RSTART + 10, RLENGTH - 11) + 0 < least) {
			low = low " " $2
		}
	}
	END {
		if (!seen) { print "coverage.sh: no package has told its coverage"; exit 1 }
		if (low != "") { print "coverage.sh: under " least " %:" low; exit 1 }
	}'
