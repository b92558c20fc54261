package pixel

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// pillowJob is an image and what Pillow and torchvision make of it; testdata/make.py writes them.
type pillowJob struct {
	File      string
	Rule      string
	To        []int
	Filter    string
	Alias     bool
	Orient    bool
	H, W      int
	Tolerance int
	Want      []byte
}

func (j pillowJob) geometry(t *testing.T) Geometry {
	f, err := ParseFilter(j.Filter)
	if err != nil {
		t.Fatal(err)
	}
	g := Geometry{Filter: f, Alias: j.Alias, H: j.H, W: j.W}
	switch j.Rule {
	case "shorter":
		g.Rule, g.Side = Shorter, j.To[0]
	case "exact":
		g.Rule = Exact
		if len(j.To) == 2 {
			g.ResizeH, g.ResizeW = j.To[0], j.To[1]
		}
	}
	if j.Alias {
		g.Rule, g.ResizeH, g.ResizeW = Exact, j.To[0], j.To[1]
	}
	return g
}

// The values that lie in testdata need no Python.
func TestGolden(t *testing.T) { comparePillow(t, "testdata/golden") }

// The whole set is made afresh with the Python at hand.
func TestPillow(t *testing.T) {
	python := reftest.Python(t, "PIL", "torch", "torchvision", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "testdata/make.py", dir, "full").CombinedOutput(); err != nil {
		t.Fatalf("testdata/make.py: %v\n%s", err, out)
	}
	comparePillow(t, dir)
}

func comparePillow(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "jobs.json"))
	if err != nil {
		t.Fatal(err)
	}
	var jobs []pillowJob
	if err := json.Unmarshal(text, &jobs); err != nil {
		t.Fatal(err)
	}
	if len(jobs) < 60 {
		t.Fatalf("only %d jobs", len(jobs))
	}
	worst := map[string]int{}
	for _, j := range jobs {
		file, err := os.Open(filepath.Join(dir, j.File))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(file, Options{IgnoreOrientation: !j.Orient})
		file.Close()
		if err != nil {
			t.Errorf("%s: %v", j.File, err)
			continue
		}
		got := make([]uint8, 3*j.H*j.W)
		if err := j.geometry(t).Render(p, got); err != nil {
			t.Errorf("%s: %v", j.File, err)
			continue
		}
		most, at := difference(got, j.Want)
		if most > j.Tolerance {
			t.Errorf("%s %s %v %s alias=%v to %dx%d: differs by %d at x %d, y %d, channel %d (%d values differ)", j.File, j.Rule, j.To, j.Filter, j.Alias, j.H, j.W,
				most, at/3%j.W, at/3/j.W, at%3, countDifferent(got, j.Want))
		}
		worst[filepath.Ext(j.File)] = max(worst[filepath.Ext(j.File)], most)
	}
	t.Logf("%d images, largest difference by format: %v", len(jobs), worst)
}

// difference returns the largest difference of two byte strings and where it is.
func difference(a, b []uint8) (most, at int) {
	if len(a) != len(b) {
		return 256, 0
	}
	for i := range a {
		if d := max(int(a[i])-int(b[i]), int(b[i])-int(a[i])); d > most {
			most, at = d, i
		}
	}
	return most, at
}

func countDifferent(a, b []uint8) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
