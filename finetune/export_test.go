package finetune_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// finishedRun trains the last block of a network with normalisations for an epoch, statistics included.
func finishedRun(t *testing.T) (dir string, res *finetune.Result) {
	t.Helper()
	dir = t.TempDir()
	o := small()
	o.Epochs, o.UnfreezeFrom, o.BN, o.Head, o.BaseLRScale = 1, "10", "train", "8,relu,dropout=0.2", 1
	return dir, train(t, dataOf(t, pictures(4, "blue", "red")), dir, o)
}

func operators(m *onnx.Model) map[string]int {
	n := map[string]int{}
	for _, node := range m.Graph.Nodes {
		n[node.OpType]++
	}
	return n
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestExportRun writes a trained network in all forms (case 38).
func TestExportRun(t *testing.T) {
	dir, res := finishedRun(t)
	plain := open(t, res.Model)
	for _, c := range []struct {
		name  string
		o     finetune.ExportOptions
		check func(t *testing.T, file string, m *onnx.Model, e *finetune.Exported)
	}{
		{"plain: names, normalisations and metadata stay", finetune.ExportOptions{}, func(t *testing.T, file string, m *onnx.Model, _ *finetune.Exported) {
			base := backbone(t)
			for _, w := range base.Graph.Initializers {
				if !strings.HasPrefix(w.Name, "classifier.") && m.Graph.Initializer(w.Name) == nil {
					t.Errorf("weight %q is gone", w.Name)
				}
			}
			if got, want := operators(m)["BatchNormalization"], operators(base)["BatchNormalization"]; got != want || got == 0 {
				t.Errorf("%d normalisations, the base has %d", got, want)
			}
			for _, n := range m.Graph.Nodes {
				if a := n.Attr("training_mode"); a != nil && a.I != 0 {
					t.Errorf("%v is in training mode", n)
				}
			}
			if d := m.Graph.Inputs[0].Type.Shape[0]; d.Size >= 0 || d.Param == "" {
				t.Errorf("the batch dimension is fixed: %+v", d)
			}
			if labels, err := zoo.LabelsOf(m); err != nil || !slices.Equal(labels, []string{"blue", "red"}) {
				t.Errorf("labels %q, %v", labels, err)
			}
			if _, ok, err := zoo.RecipeOf(m); !ok || err != nil {
				t.Errorf("recipe: %v, %v", ok, err)
			}
			for _, key := range []string{finetune.BaseKey, finetune.RunKey} {
				if v, _ := m.Meta(key); v == "" {
					t.Errorf("no %s", key)
				}
			}
			if !bytes.Equal(read(t, file), read(t, res.Model)) {
				t.Error("the file is not that of the run")
			}
		}},
		{"folded", finetune.ExportOptions{FoldBN: true}, func(t *testing.T, _ string, m *onnx.Model, e *finetune.Exported) {
			if n := operators(m)["BatchNormalization"]; n != 0 || e.Folded != operators(plain)["BatchNormalization"] {
				t.Errorf("%d normalisations are left, %d folded", n, e.Folded)
			}
			if e.Check.Difference > 1e-5*max(1, e.Check.Largest) {
				t.Errorf("differs by %v at %v", e.Check.Difference, e.Check.Largest)
			}
			if m.Graph.Initializer("features.0.0.weight") == nil {
				t.Error("a folded weight has lost its name")
			}
		}},
		{"head", finetune.ExportOptions{HeadOnly: true}, func(t *testing.T, _ string, m *onnx.Model, _ *finetune.Exported) {
			if op := operators(m); op["Conv"] != 0 || op["Gemm"] != 2 {
				t.Errorf("operators %v", op)
			}
		}},
		{"opset 12", finetune.ExportOptions{Opset: 12}, isOpset(12)},
		{"opset 13", finetune.ExportOptions{Opset: 13}, isOpset(13)},
		{"opset 18, folded", finetune.ExportOptions{Opset: 18, FoldBN: true}, isOpset(18)},
		{"head of opset 21", finetune.ExportOptions{Opset: 21, HeadOnly: true}, isOpset(21)},
		{"half precision", finetune.ExportOptions{Float16: true, FoldBN: true}, func(t *testing.T, file string, m *onnx.Model, e *finetune.Exported) {
			if e.Half == nil || e.Half.Tensors == 0 || e.Check.Difference == 0 || len(read(t, file)) > len(read(t, res.Model))*6/10 {
				t.Errorf("%+v, %d bytes", e, len(read(t, file)))
			}
			if in, out := m.Graph.Inputs[0].Type.Elem, m.Graph.Outputs[0].Type.Elem; in != onnx.Float || out != onnx.Float {
				t.Errorf("input %v, output %v", in, out)
			}
		}},
		{"weights beside the file", finetune.ExportOptions{Save: onnx.SaveOptions{ExternalThreshold: 1 << 17}}, func(t *testing.T, file string, _ *onnx.Model, _ *finetune.Exported) {
			if small, data := len(read(t, file)), len(read(t, file+".data")); small > 1<<17 || data < 1<<17 {
				t.Errorf("%d bytes and %d beside", small, data)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "out.onnx")
			e, err := finetune.ExportRun(context.Background(), dir, file, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if e.Check.Images != 4 || e.Check.Agree != 4 {
				t.Errorf("%+v", e.Check)
			}
			m := open(t, file)
			for _, p := range backend.Check(m) {
				t.Errorf("%+v", p)
			}
			c.check(t, file, m, e)
		})
	}
}

func isOpset(want int) func(*testing.T, string, *onnx.Model, *finetune.Exported) {
	return func(t *testing.T, _ string, m *onnx.Model, e *finetune.Exported) {
		if got := m.OpsetVersion(""); got != want || e.Opset != want {
			t.Errorf("opset %d (%d)", got, e.Opset)
		}
		if e.Check.Difference > 1e-5*max(1, e.Check.Largest) {
			t.Errorf("differs by %v at %v", e.Check.Difference, e.Check.Largest)
		}
	}
}

// TestExportAgain exports what was read back, without any training in between: the same bytes (case 38).
func TestExportAgain(t *testing.T) {
	_, res := finishedRun(t)
	m := open(t, res.Model)
	n, err := finetune.Split(m, 2, finetune.NetOptions{Head: "keep", UnfreezeFrom: "all"})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := finetune.NewTrainer(n, finetune.TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	labels, err := zoo.LabelsOf(m)
	if err != nil {
		t.Fatal(err)
	}
	recipe, _, err := zoo.RecipeOf(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tr.Export(labels, &recipe)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := again.Write(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), read(t, res.Model)) {
		t.Error("other bytes, although nothing was trained")
	}
}

// TestTwoOutputs trains a base whose outputs are one tensor under two names, or an inner value besides (case 38).
func TestTwoOutputs(t *testing.T) {
	for _, inner := range []bool{false, true} {
		m := backbone(t)
		g := m.Graph
		out := g.Outputs[0]
		second := &onnx.Value{Name: "again", Type: out.Type}
		of := out.Name
		if inner {
			of = g.Nodes[len(g.Nodes)/2].Outputs[0]
			second.Type = nil
		}
		g.Nodes = append(g.Nodes, &onnx.Node{Name: "again", OpType: "Identity", Inputs: []string{of}, Outputs: []string{"again"}})
		g.Outputs = append(g.Outputs, second)
		o := small()
		o.Epochs, o.UnfreezeFrom = 1, "10"
		dir := t.TempDir()
		res, err := finetune.Run(context.Background(), m, dataOf(t, pictures(4, "blue", "red")), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		got := open(t, res.Model)
		if len(got.Graph.Outputs) != 1 || len(got.Check()) > 0 {
			t.Errorf("outputs %v, %v", got.Graph.Outputs, got.Check())
		}
		if _, err := finetune.ExportRun(context.Background(), dir, filepath.Join(dir, "folded.onnx"), finetune.ExportOptions{FoldBN: true}); err != nil {
			t.Error(err)
		}
	}
}

// TestExportRefused exports from folders that have no run, or a damaged one.
func TestExportRefused(t *testing.T) {
	dir, _ := finishedRun(t)
	saved := map[string][]byte{}
	for _, f := range []string{"run.json", "samples.safetensors", "model.onnx"} {
		saved[f] = read(t, filepath.Join(dir, f))
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte // nil removes the file
		message    string
		norun      bool
	}{
		{"no run.json", "run.json", nil, "no run.json", true},
		{"interrupted", "run.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"finished": true`), []byte(`"finished": false`), 1)
		}, "no start.onnx", true},
		{"damaged run.json", "run.json", cut(20), "run.json", false},
		{"no samples", "samples.safetensors", nil, "no samples.safetensors", true},
		{"half the samples", "samples.safetensors", cut(2000), "not a whole file", false},
		{"other names", "samples.safetensors", func(b []byte) []byte { return bytes.Replace(b, []byte(`"batch"`), []byte(`"botch"`), 1) }, `has no "batch"`, false},
		{"no model", "model.onnx", nil, "model.onnx", false},
		{"another model", "model.onnx", func(b []byte) []byte {
			m, err := onnx.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range m.Graph.Initializers {
				if w.Name == "head.3.bias" {
					m.Graph.Initializers[i] = w.Clone()
					m.Graph.Initializers[i].Float32s()[0] += 100
				}
			}
			var out bytes.Buffer
			if err := m.Write(&out); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}, "differs from the trained network by 100", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				if err := os.WriteFile(path, c.change(bytes.Clone(saved[c.file])), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			out := filepath.Join(t.TempDir(), "out.onnx")
			_, err := finetune.ExportRun(context.Background(), dir, out, finetune.ExportOptions{})
			if err == nil || !strings.Contains(err.Error(), c.message) || errors.Is(err, finetune.ErrNoRun) != c.norun {
				t.Errorf("%v", err)
			}
			if err := os.WriteFile(path, saved[c.file], 0o666); err != nil {
				t.Fatal(err)
			}
		})
	}
}
