package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onnxcnn": main})
}

// TestScripts runs testdata/script. $MODELS is the folder of the repository's tiny models.
func TestScripts(t *testing.T) {
	models, err := filepath.Abs("../../testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("ONNXCNN_UPDATE_SCRIPTS") == "1",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MODELS", models)
			e.Setenv("ONNXCNN_HOME", filepath.Join(e.WorkDir, "home")) // not the user's cache
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"cut":      cut,
			"array":    array,
			"picture":  picture,
			"weights":  weights,
			"demodata": demoData,
		},
	})
}

// exits STATUS COMMAND... runs a command, which must end with that exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cut FROM TO copies the first half of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data[:len(data)/2], 0o666))
}

// array FILE SHAPE [TYPE] writes an npy file with the values -0.6, 0.1, 0.8, -0.5, ... (element i is (7i mod 13 - 6)/10).
func array(ts *testscript.TestScript, _ bool, args []string) {
	shape, err := parseShape(args[1])
	ts.Check(err)
	values := make([]float32, onnx.NumElements(shape))
	for i := range values {
		values[i] = float32(i*7%13-6) / 10
	}
	t := onnx.Of(shape, values)
	if len(args) > 2 && args[2] == "float64" {
		wide := make([]float64, len(values))
		for i, v := range values {
			wide[i] = float64(v)
		}
		t = onnx.Of(shape, wide)
	}
	ts.Check(atomicfile.Write(ts.MkAbs(args[0]), func(w io.Writer) error { return npz.WriteNPY(w, t) }))
}

// demodata DIR writes the network and the pictures of "onnxcnn demo -o DIR", without what it makes of them.
func demoData(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	pictures, err := demodata.Images()
	ts.Check(err)
	ts.Check(os.CopyFS(filepath.Join(dir, "images"), pictures))
	ts.Check(os.WriteFile(filepath.Join(dir, "backbone.onnx"), demodata.Backbone(), 0o666))
}

// weights ARCH CLASSES FILE writes an architecture's initial weights.
func weights(ts *testscript.TestScript, _ bool, args []string) {
	a, ok := zoo.Lookup(args[0])
	if !ok {
		ts.Fatalf("there is no architecture %q", args[0])
	}
	classes, err := strconv.Atoi(args[1])
	ts.Check(err)
	m, err := a.Build(zoo.BuildOptions{Classes: classes, Seed: 3})
	ts.Check(err)
	ts.Check(convert.SaveWeights(ts.MkAbs(args[2]), m))
}
