// Package near finds the names that are most probably meant by one that is not there.
package near

import "strings"

// maxLength bounds the names that are compared: comparing takes time in proportion to the product of the lengths.
const maxLength = 256

// minBeginning is how much of a name says which one is meant.
const minBeginning = 3

// Name returns the candidate that is most probably meant by a mistyped name, or else the shortest that begins with it; ""
// where none is close. Upper and lower case make no difference.
func Name(name string, candidates []string) string {
	best, bestDist := "", 1+max(1, len(name)/3)
	for _, c := range candidates {
		if max(len(c)-len(name), len(name)-len(c)) >= bestDist {
			continue // at least so many insertions
		}
		if d := Distance(strings.ToLower(name), strings.ToLower(c)); d < bestDist {
			best, bestDist = c, d
		}
	}
	if best == "" && len(name) >= minBeginning {
		for _, c := range candidates {
			if strings.HasPrefix(c, name) && (best == "" || len(c) < len(best)) {
				best = c
			}
		}
	}
	return best
}

// Distance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b (the optimal
// string alignment distance), for bytes. Of long names the first part counts.
func Distance(a, b string) int {
	a, b = a[:min(len(a), maxLength)], b[:min(len(b), maxLength)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
