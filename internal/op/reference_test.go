package op

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// referenceTensor is a tensor as the reference scripts print it; numbers that JSON does not have are strings.
type referenceTensor struct {
	Type  string
	Shape []int
	Data  []any
}

func (r *referenceTensor) tensor() (*onnx.Tensor, error) {
	if r == nil {
		return nil, nil
	}
	v := make([]float64, len(r.Data))
	for i, d := range r.Data {
		switch d := d.(type) {
		case float64:
			v[i] = d
		case string:
			switch d {
			case "nan":
				v[i] = math.NaN()
			case "inf":
				v[i] = math.Inf(1)
			case "-inf":
				v[i] = math.Inf(-1)
			default:
				return nil, fmt.Errorf("number %q", d)
			}
		}
	}
	switch r.Type {
	case "float32":
		return onnx.Of(r.Shape, castAll[float32](v)), nil
	case "float64":
		return onnx.Of(r.Shape, v), nil
	case "int64":
		return onnx.Of(r.Shape, castAll[int64](v)), nil
	case "int32":
		return onnx.Of(r.Shape, castAll[int32](v)), nil
	}
	return nil, fmt.Errorf("type %q", r.Type)
}

func castAll[T float32 | int64 | int32](v []float64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

// attr turns an attribute's JSON into what node takes; whole numbers are integers except where the operator wants floats.
func referenceAttr(name string, v any) any {
	switch v := v.(type) {
	case float64:
		switch name {
		case "epsilon", "momentum", "alpha", "beta", "bias":
			return v
		}
		return int(v)
	case []any:
		list := make([]int, len(v))
		for i, x := range v {
			list[i] = int(x.(float64))
		}
		return list
	}
	return v
}

// torchSays runs a script that compares with PyTorch, and returns the lines that it prints.
func torchSays(t *testing.T, script string) *bufio.Scanner {
	t.Helper()
	python := reftest.Python(t, "numpy", "torch")
	var stderr bytes.Buffer
	cmd := exec.Command(python, filepath.Join("testdata", script))
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<24)
	return lines
}

// TestReduceReference compares pools, normalisations, reductions and transposed convolutions of random shapes with
// PyTorch and NumPy.
func TestReduceReference(t *testing.T) {
	lines := torchSays(t, "reduce_reference.py")
	count := 0
	for lines.Scan() {
		var c struct {
			Op      string
			Opset   int
			Attrs   map[string]any
			In, Out []*referenceTensor
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		count++
		a := attrs{}
		for k, v := range c.Attrs {
			a[k] = referenceAttr(k, v)
		}
		in, want := make([]*onnx.Tensor, len(c.In)), make([]*onnx.Tensor, len(c.Out))
		var err error
		for i := range in {
			if in[i], err = c.In[i].tensor(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range want {
			if want[i], err = c.Out[i].tensor(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := runNode(node(c.Op, len(in), len(want), a), c.Opset, in)
		if err != nil {
			t.Errorf("%s-%d %v: %v", c.Op, c.Opset, c.Attrs, err)
			continue
		}
		for i, w := range want {
			tol := 2e-6
			if w.Type == onnx.Double {
				tol = 1e-12
			}
			if diff := diffTensor(got[i], w, tol); diff != "" {
				t.Errorf("%s-%d %v on %v, output %d: %s", c.Op, c.Opset, c.Attrs, in[0].Shape, i, diff)
			}
		}
	}
	if count < 800 {
		t.Fatalf("the script printed %d cases", count)
	}
}
