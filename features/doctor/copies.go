package doctor

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
)

// copies reports images that are there more than once.
func (x *examination) copies(data *features.Dataset) {
	exact := newGroups(len(x.items))
	first := map[[sha256.Size]byte]int{}
	for i, l := range x.looks {
		if !l.ok {
			continue
		}
		if j, ok := first[l.digest]; ok {
			exact.join(j, i)
		} else {
			first[l.digest] = i
		}
	}
	for _, g := range exact.list() {
		x.group(g, data, true)
	}
	if x.o.Near < 0 {
		return
	}
	near := newGroups(len(x.items))
	pairsAlike(x.looks, x.o.Near, near.join)
	for _, g := range near.list() {
		// One of each set of equal files stands for it: those have been reported.
		var distinct []int
		for _, i := range g {
			if exact.find(i) == i {
				distinct = append(distinct, i)
			}
		}
		if len(distinct) > 1 {
			x.group(distinct, data, false)
		}
	}
}

// group reports one set of copies: the worst that can be said of it.
func (x *examination) group(members []int, data *features.Dataset, exact bool) {
	var classes, parts []string
	for _, i := range members {
		it := x.items[i]
		parts = append(parts, it.Split)
		if it.Label >= 0 {
			classes = append(classes, data.Classes[it.Label])
		}
	}
	classes, parts = unique(classes), unique(parts)
	how := "look the same"
	if exact {
		how = "are the same"
	}
	of := fmt.Sprintf("%d images that %s", len(members), how)
	// Where a split has copies on both sides, those for training go; validation keeps its figures comparable.
	keepers := []string{"test", "val", "", "train"}
	slices.SortStableFunc(members, func(a, b int) int {
		return slices.Index(keepers, x.items[a].Split) - slices.Index(keepers, x.items[b].Split)
	})
	paths := make([]string, len(members))
	for k, i := range members {
		paths[k] = x.items[i].Name()
	}
	switch {
	case len(classes) > 1:
		x.add(Conflict, paths, "%s lie in classes %s", of, strings.Join(classes, ", "))
	case len(parts) > 1:
		f := x.add(Leak, paths, "%s lie in %s", of, strings.Join(parts, " and "))
		if exact {
			f.move = paths[1:]
		} else { // those for validation may differ in what matters
			for k, i := range members {
				if x.items[i].Split == "train" {
					f.move = append(f.move, paths[k])
				}
			}
		}
	case exact:
		x.add(Duplicate, paths, "%s", of).move = paths[1:]
	default:
		x.add(NearDuplicate, paths, "%s", of).move = paths[1:]
	}
}

func unique(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// groups are disjoint sets of numbers (union-find). The smallest number of a set stands for it.
type groups struct{ parent []int }

func newGroups(n int) *groups {
	g := &groups{make([]int, n)}
	for i := range g.parent {
		g.parent[i] = i
	}
	return g
}

func (g *groups) find(i int) int {
	for g.parent[i] != i {
		g.parent[i] = g.parent[g.parent[i]]
		i = g.parent[i]
	}
	return i
}

func (g *groups) join(i, j int) {
	i, j = g.find(i), g.find(j)
	g.parent[max(i, j)] = min(i, j)
}

// list returns the sets of more than one number, each in order.
func (g *groups) list() [][]int {
	members := map[int][]int{}
	var order []int
	for i := range g.parent {
		r := g.find(i)
		if r == i {
			order = append(order, r)
		}
		members[r] = append(members[r], i)
	}
	var out [][]int
	for _, r := range order {
		if len(members[r]) > 1 {
			out = append(out, members[r])
		}
	}
	return out
}
