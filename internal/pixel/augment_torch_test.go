package pixel

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// torchOps are the operations of testdata/augment.py with the numbers that it gives them.
var torchOps = map[string]func(c *canvas, v []float64){
	"affine": func(c *canvas, v []float64) {
		affineMap(float64(c.w)/2, float64(c.h)/2, v[0], v[1], v[2], v[3], v[4], v[5]).apply(c)
	},
	"rotate":      func(c *canvas, v []float64) { randOpByName("rotate").do(c, v[0]) },
	"slant":       func(c *canvas, v []float64) { slant(c, v[0], v[1]) },
	"perspective": torchPerspective,
	"hflip":       func(c *canvas, _ []float64) { mirror(c.pix, c.w) },
	"vflip":       func(c *canvas, _ []float64) { upend(c.pix, c.w, c.h) },
	"brightness":  func(c *canvas, v []float64) { brighten(c.pix, float32(v[0])) },
	"contrast":    func(c *canvas, v []float64) { contrast(c.pix, float32(v[0])) },
	"saturation":  func(c *canvas, v []float64) { saturate(c.pix, float32(v[0])) },
	"hue":         func(c *canvas, v []float64) { turnHue(c.pix, v[0]) },
	"sharpness":   func(c *canvas, v []float64) { sharpen(c.pix, c.w, c.h, float32(v[0])) },
	"autocontrast": func(c *canvas, _ []float64) {
		autoContrast(c.pix)
	},
	"equalize":  func(c *canvas, _ []float64) { equalize(c.pix) },
	"posterize": func(c *canvas, v []float64) { posterize(c.pix, int(v[0])) },
	"solarize":  func(c *canvas, v []float64) { solarize(c.pix, v[0]) },
	"invert":    func(c *canvas, _ []float64) { solarize(c.pix, 0) },
	"gray":      func(c *canvas, _ []float64) { saturate(c.pix, 0) },
	"blur":      func(c *canvas, v []float64) { gauss(c.pix, c.w, c.h, int(v[0]), v[1]) },
}

func randOpByName(name string) randOp {
	for _, op := range randOps {
		if op.name == name {
			return op
		}
	}
	panic(name)
}

func torchPerspective(c *canvas, v []float64) {
	right, bottom := float64(c.w-1), float64(c.h-1)
	from := [4][2]float64{{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}
	to := from
	for i := range to {
		for k, side := range []int{c.w, c.h} {
			by := float64(int(v[2*i+k] * float64(side)))
			if from[i][k] > 0 {
				by = -by
			}
			to[i][k] += by
		}
	}
	m, ok := perspectiveMap(from, to)
	if !ok {
		panic("no map")
	}
	m.apply(c)
}

// mayDiffer is by how much a value may differ. Blurs round between rows and columns; matrices are computed in another
// order. torchvision solves for a perspective in single precision, which decides otherwise for the few points that lie
// on the picture's edge: whether they show it, or the black beyond.
var mayDiffer = map[string]int{"blur": 1, "affine": 1, "rotate": 1, "slant": 1, "perspective": 2}

// The values that lie in testdata need no Python.
func TestAugmentGolden(t *testing.T) { compareTorch(t, "testdata/golden") }

// The whole set is made afresh with the Python at hand.
func TestAugmentTorchvision(t *testing.T) {
	python := reftest.Python(t, "PIL", "torch", "torchvision", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "testdata/augment.py", dir, "full").CombinedOutput(); err != nil {
		t.Fatalf("testdata/augment.py: %v\n%s", err, out)
	}
	compareTorch(t, dir)
}

func compareTorch(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "augment.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Sources []struct {
			H, W int
			Pix  []byte
		}
		Jobs []struct {
			Op     string
			Args   []float64
			Source int
			Want   []byte
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, j := range all.Jobs {
		do := torchOps[j.Op]
		if do == nil {
			t.Fatalf("no operation %s", j.Op)
		}
		seen[j.Op] = true
		src := all.Sources[j.Source]
		c := &canvas{pix: bytes.Clone(src.Pix), w: src.W, h: src.H, black: true}
		do(c, j.Args)
		if most, at := difference(c.pix, j.Want); most > mayDiffer[j.Op] && !(j.Op == "perspective" && countDifferent(c.pix, j.Want)*100 < len(c.pix)) {
			t.Errorf("%s %v of source %d (%dx%d): differs by %d at x %d, y %d, channel %d (%d values differ)", j.Op, j.Args, j.Source, src.W, src.H,
				most, at/3%c.w, at/3/c.w, at%3, countDifferent(c.pix, j.Want))
		}
	}
	if len(seen) != len(torchOps) {
		t.Errorf("%d of %d operations were compared", len(seen), len(torchOps))
	}
}
