package onnx

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// Every model of the ONNX project's cases is read, is sound, and is the same after writing; every tensor is read.
func TestCorpus(t *testing.T) {
	t.Run("libonnx-testdata", func(t *testing.T) { checkCorpus(t, reftest.OnnxData(t)) })
	t.Run("newest", func(t *testing.T) { checkCorpus(t, reftest.NewestOnnxData(t)) })
}

func checkCorpus(t *testing.T, root string) {
	models, err := filepath.Glob(root + "/*/*/model.onnx")
	if err != nil || len(models) < 1000 {
		t.Fatalf("%d models, %v", len(models), err)
	}
	for _, path := range models {
		name := filepath.Base(filepath.Dir(path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, err := range m.Check() {
			t.Errorf("%s: %v", name, err)
		}
		once := rewrite(t, m)
		again := parse(t, once)
		if !equal(m, again) {
			t.Errorf("%s is another model after writing", name)
		}
		if !bytes.Equal(once, rewrite(t, again)) {
			t.Errorf("%s: written twice gives different bytes", name)
		}
		// Sequences and optional values are not tensors.
		kinds := map[TypeKind]bool{}
		for _, v := range append(m.Graph.Inputs, m.Graph.Outputs...) {
			kinds[v.Type.Kind] = true
		}
		if len(kinds) > 1 || !kinds[KindTensor] {
			continue
		}
		tensors, _ := filepath.Glob(filepath.Dir(path) + "/test_data_set_*/*.pb")
		for _, path := range tensors {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseTensor(data); err != nil {
				t.Errorf("%s: %s: %v", name, filepath.Base(path), err)
			}
		}
	}
}

// What is written passes the checker of the onnx package for Python where the original does.
func TestPythonChecker(t *testing.T) {
	models, err := filepath.Glob(reftest.OnnxData(t) + "/*/*/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	python := reftest.Python(t, "onnx")
	dir := t.TempDir()
	var pairs []string
	for i := 0; i < len(models); i += 9 {
		m, err := Open(models[i])
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, filepath.Base(filepath.Dir(models[i]))+".onnx")
		if err := m.Save(out, SaveOptions{External: i%2 == 0, ExternalMinBytes: 16}); err != nil {
			t.Fatal(err)
		}
		m.Close()
		pairs = append(pairs, models[i], out)
	}
	const script = `
import sys, onnx
from onnx import checker, numpy_helper
names = sys.stdin.read().split()
passed = 0
for a, b in zip(names[::2], names[1::2]):
    try:
        checker.check_model(a)
    except Exception:
        continue
    checker.check_model(b)
    a, b = onnx.load(a), onnx.load(b)
    assert len(a.graph.node) == len(b.graph.node)
    for x, y in zip(a.graph.initializer, b.graph.initializer):
        assert x.name == y.name and numpy_helper.to_array(x).tobytes() == numpy_helper.to_array(y).tobytes(), x.name
    passed += 1
print(passed)
`
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = strings.NewReader(strings.Join(pairs, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if s := strings.TrimSpace(string(out)); len(s) < 3 {
		t.Errorf("only %s models were compared", s)
	}
}
