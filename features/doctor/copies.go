package doctor

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	alias := x.aliases(members)
	slices.SortStableFunc(members, func(a, b int) int {
		return cmp.Or(cmp.Compare(alias[a], alias[b]),
			slices.Index(keepers, x.items[a].Split)-slices.Index(keepers, x.items[b].Split))
	})
	paths := make([]string, len(members))
	var others []string // those but the first that can be moved
	for k, i := range members {
		paths[k] = x.items[i].Name()
		if k > 0 && alias[i] != behindLink {
			others = append(others, paths[k])
		}
	}
	switch {
	case len(classes) > 1:
		x.add(Conflict, paths, "%s lie in classes %s", of, strings.Join(classes, ", "))
	case len(parts) > 1:
		f := x.add(Leak, paths, "%s lie in %s", of, strings.Join(parts, " and "))
		if exact {
			f.move = others
		} else { // those for validation may differ in what matters
			for k, i := range members {
				if x.items[i].Split == "train" && alias[i] != behindLink {
					f.move = append(f.move, paths[k])
				}
			}
		}
	case exact:
		x.add(Duplicate, paths, "%s", of).move = others
	default:
		x.add(NearDuplicate, paths, "%s", of).move = others
	}
}

// What a path may be to another one of the same image. The file itself must not go while such paths stay.
const (
	itself     = iota // not known to be the same file
	link              // a link to it
	behindLink        // it once more, in a folder that is reached by a link: what moves this moves the file
)

// aliases says of each of some items whether it is another one of them by a second way.
func (x *examination) aliases(members []int) map[int]int {
	alias, seen := map[int]int{}, map[string]int{}
	root, err := filepath.EvalSymlinks(x.dir)
	if err != nil {
		return alias
	}
	var ways []int
	real := map[int]string{}
	for _, i := range members {
		name := filepath.FromSlash(x.items[i].Name())
		if real[i], err = filepath.EvalSymlinks(filepath.Join(x.dir, name)); err != nil {
			continue
		}
		if real[i] == filepath.Join(root, name) {
			seen[real[i]] = i
		} else {
			ways = append(ways, i)
		}
	}
	for _, i := range ways {
		if _, ok := seen[real[i]]; !ok {
			seen[real[i]] = i // the file lies elsewhere: the first way to it counts for it
			continue
		}
		alias[i] = behindLink
		if info, err := os.Lstat(filepath.Join(x.dir, filepath.FromSlash(x.items[i].Name()))); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			alias[i] = link
		}
	}
	return alias
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
