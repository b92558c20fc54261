// Package archtest holds the layout of the project: a package imports only packages of lower levels.
package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/onnxcnn/onnxcnn"

// levels places every package (and, with a trailing "/...", all packages under a folder that no other entry names).
// A new package must be placed here: as low as what it imports lets it be. ARCHITECTURE.md says what each is for.
var levels = map[string]int{
	"internal/cpu":        0,
	"internal/bigmem":     0,
	"internal/filemap":    0,
	"internal/near":       0,
	"internal/pickle":     0,
	"internal/par":        0,
	"internal/reftest":    0,
	"internal/atomicfile": 0,
	"internal/demodata":   0,
	"internal/optim":      0,
	"internal/sizes":      0,
	"internal/tfevents":   0,

	"onnx": 5,

	"internal/kernel":     10,
	"internal/kernel/ref": 10,
	"internal/pixel":      10,
	"internal/actcache":   10,
	"internal/npz":        10,
	"internal/hdf5":       10,
	"internal/sheet":      10,
	"internal/ziparchive": 10,
	"internal/heat":       10,
	"internal/chart":      10,
	"internal/walk":       10,

	"internal/conv": 20,

	"internal/op": 30,

	"internal/graph": 40,

	"backend/native": 50,
	"backend":        51, // opens the native engine by default
	"backend/ort":    52, // registers itself with backend
	"backend/onnxgo": 52,

	"internal/conformance": 55, // runs test cases through backend

	"convert":  60,
	"zoo":      70,
	"features": 80,

	"finetune/metrics": 85,
	"features/doctor":  85,
	"features/embed":   85,

	"gradcam":  90,
	"finetune": 90,

	"gradcam/htmlreport": 92,

	"internal/scenes": 95, // trains a network for tests and pictures

	"cmd/onnxcnn":  100,
	"examples/...": 100,
	"scripts/...":  100,

	"internal/archtest": 100,
}

// level returns the level of a package, given by its path inside the module.
func level(pkg string) (int, bool) {
	if l, ok := levels[pkg]; ok {
		return l, true
	}
	for dir := pkg; ; {
		i := strings.LastIndex(dir, "/")
		if i < 0 {
			return 0, false
		}
		dir = dir[:i]
		if l, ok := levels[dir+"/..."]; ok {
			return l, true
		}
	}
}

// violations returns what is wrong with the imports of a package.
func violations(pkg string, imports []string) []error {
	own, ok := level(pkg)
	if !ok {
		return []error{fmt.Errorf("%s is not in the table of levels: place it", pkg)}
	}
	var errs []error
	for _, imp := range imports {
		if imp == pkg {
			continue
		}
		if l, ok := level(imp); ok && l >= own {
			errs = append(errs, fmt.Errorf("%s (level %d) imports %s (level %d): only lower levels may be imported", pkg, own, imp, l))
		}
	}
	return errs
}

// listed is what "go list -json" says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
}

// inside returns the path inside the module, false for packages of other modules.
func inside(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestPackagesImportOnlyLowerLevels(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Module", module+"/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(out); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkg, ok := inside(p.ImportPath)
		if !ok {
			continue
		}
		seen++
		var imports []string
		for _, i := range p.Imports {
			if imp, ok := inside(i); ok {
				imports = append(imports, imp)
			}
		}
		for _, err := range violations(pkg, imports) {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	if seen == 0 {
		t.Error("go list shows no package of this module")
	}
}

func TestViolations(t *testing.T) {
	for _, c := range []struct {
		pkg     string
		imports []string
		want    int
	}{
		{"internal/op", []string{"onnx", "internal/par", "internal/conv"}, 0},
		{"onnx", []string{"internal/op"}, 1},
		{"internal/par", []string{"internal/cpu"}, 1}, // the same level
		{"backend/native", []string{"backend"}, 1},
		{"backend", []string{"backend/native"}, 0},
		{"examples/extract", []string{"features", "onnx"}, 0},
		{"no/such/package", nil, 1},
	} {
		if got := violations(c.pkg, c.imports); len(got) != c.want {
			t.Errorf("%s importing %v: %v, want %d violations", c.pkg, c.imports, got, c.want)
		}
	}
}
