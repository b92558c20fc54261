package pixel

import (
	"slices"
	"strings"
	"testing"
)

// The magnitudes are those of torchvision's tables, here for an image of 331x662 pixels.
func TestMagnitudes(t *testing.T) {
	usual, wide := scale{0.3, 150, 300, 30, 0.9, 4}, scale{0.99, 32, 32, 135, 0.99, 6}
	for _, c := range []struct {
		s    scale
		op   string
		bin  int
		want float64
	}{
		{usual, "shear-x", 10, 0.1},
		{usual, "shear-y", 30, 0.3},
		{usual, "translate-x", 15, 75},
		{usual, "translate-y", 15, 150},
		{usual, "rotate", 9, 9},
		{usual, "contrast", 20, 0.6},
		{usual, "posterize", 0, 8},
		{usual, "posterize", 9, 7},
		{usual, "posterize", 30, 4},
		{usual, "solarize", 30, 0},
		{usual, "solarize", 15, 127.5},
		{wide, "posterize", 30, 2},
		{wide, "rotate", 30, 135},
	} {
		if got := c.s.of(c.op, c.bin); got-c.want > 1e-9 || c.want-got > 1e-9 {
			t.Errorf("%s in bin %d: got %v, want %v", c.op, c.bin, got, c.want)
		}
	}
}

// Notes tell what was done, in its order; every operation comes up, signed ones in both directions.
func TestNotes(t *testing.T) {
	p := FromImage(picture(50, 40))
	notes := func(spec string, seed uint64) (all []string) {
		a, err := ParseAugment(spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Render(p, Geometry{H: 16, W: 16}, make([]uint8, 3*16*16), seed, func(s string) { all = append(all, s) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	got := strings.Join(notes("crop=0.5..1,hflip=1,vflip=1,rotate=9,shear=9,sheary=9,zoom=1.2..1.3,translate=0.5,perspective=1,jitter=0.3,sharpness=0.5,autocontrast=1,equalize=1,posterize=1,solarize=1,invert=1,gray=1,blur=1,erase=1", 3), "\n")
	at := 0
	for _, want := range []string{"crop ", "hflip", "vflip", "rotate ", "shear ", "shear-y ", "zoom 1.2", "shift ", "perspective", "sharpness ", "autocontrast", "equalize", "posterize", "solarize", "invert", "gray", "blur ", "erase "} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Errorf("no %q in its place in\n%s", want, got)
			continue
		}
		at += i
	}
	if n := notes("none", 3); n != nil {
		t.Errorf("nothing is done, and told as %q", n)
	}
	seen := map[string]bool{}
	for seed := range uint64(60) {
		for _, n := range slices.Concat(notes("randaugment=4", seed), notes("trivial=1", seed)) {
			name, v, _ := strings.Cut(n, " ")
			seen[name] = true
			seen[name+v[:min(len(v), 1)]] = true
		}
	}
	for _, op := range randOps {
		if !seen[op.name] || op.signed && !(seen[op.name+"+"] && seen[op.name+"-"]) {
			t.Errorf("%s did not come up", op.name)
		}
	}
}

func TestEdges(t *testing.T) {
	// Three corners on a line: there is no such view.
	square := [4][2]float64{{0, 0}, {9, 0}, {9, 9}, {0, 9}}
	if _, ok := perspectiveMap(square, [4][2]float64{{0, 0}, {4, 4}, {9, 9}, {0, 9}}); ok {
		t.Error("a flat quadrangle has a map")
	}
	for _, c := range []struct{ i, count, want int }{{-1, 3, 1}, {3, 3, 1}, {-5, 3, 1}, {7, 1, 0}, {2, 3, 2}, {-3, 2, 1}} {
		if got := reflect(c.i, c.count); got != c.want {
			t.Errorf("position %d of %d: got %d, want %d", c.i, c.count, got, c.want)
		}
	}
	// Tiny pictures survive everything.
	p := FromImage(picture(3, 2))
	for seed := range uint64(20) {
		for _, size := range [][2]int{{1, 1}, {1, 5}, {2, 2}} {
			augmented(t, "standard,perspective=1,distort=1,randaugment=4,magnitude=30,trivial=1,jitter=1,sharpness=1,blur=1,sigma=10,erase=1", p, size[0], size[1], seed)
		}
	}
	if help := AugmentHelp(); strings.Count(help, "\n") != len(augmentKeys)+2 || !strings.Contains(help, "magnitude=M      1..30 ") {
		t.Errorf("help:\n%s", help)
	}
}
