package op

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// nodeCase is a case of the ONNX project's test data whose model is a single node.
type nodeCase struct {
	name  string
	dir   string
	model *onnx.Model
}

var (
	nodeCasesOnce sync.Once
	nodeCasesByOp map[string][]nodeCase
	nodeCasesErr  error
)

func loadNodeCases(root string) {
	nodeCasesByOp = map[string][]nodeCase{}
	for _, kind := range []string{"node", "pytorch-operator", "pytorch-converted"} {
		files, err := filepath.Glob(filepath.Join(root, kind, "*", "model.onnx"))
		if err != nil || len(files) == 0 {
			nodeCasesErr = fmt.Errorf("no cases in %s: %w", filepath.Join(root, kind), err)
			return
		}
		sort.Strings(files)
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				nodeCasesErr = err
				return
			}
			m, err := onnx.Parse(data)
			if err != nil || m.Graph == nil || len(m.Graph.Nodes) != 1 {
				continue // cases of several nodes are for the whole engine, and what cannot be read fails there
			}
			op := m.Graph.Nodes[0].OpType
			dir := filepath.Dir(f)
			nodeCasesByOp[op] = append(nodeCasesByOp[op], nodeCase{filepath.Base(dir), dir, m})
		}
	}
}

// runNodeCases runs the cases of the ONNX project that are a single node of this operator, except those that skip names
// (with the reason).
func runNodeCases(t *testing.T, opType string, skip map[string]string) {
	t.Helper()
	root := reftest.OnnxData(t)
	nodeCasesOnce.Do(func() { loadNodeCases(root) })
	if nodeCasesErr != nil {
		t.Fatal(nodeCasesErr)
	}
	cases := nodeCasesByOp[opType]
	if len(cases) == 0 {
		t.Fatalf("no case of %s", opType)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if why := skip[c.name]; why != "" {
				t.Skip(why)
			}
			sets, err := filepath.Glob(filepath.Join(c.dir, "test_data_set_*"))
			if err != nil || len(sets) == 0 {
				t.Fatal("no data")
			}
			for _, set := range sets {
				c.run(t, set)
			}
		})
	}
}

func (c nodeCase) run(t *testing.T, set string) {
	t.Helper()
	g := c.model.Graph
	n := g.Nodes[0]
	values := map[string]*onnx.Tensor{}
	for _, init := range g.Initializers {
		values[init.Name] = init
	}
	next := 0
	for _, v := range g.Inputs {
		if g.Initializer(v.Name) == nil {
			values[v.Name] = asDeclared(v, readTensor(t, set, "input", next))
			next++
		}
	}
	d := Lookup(n.Domain, n.OpType)
	if d == nil {
		t.Fatalf("operator %s is not registered", n.OpType)
	}
	in := make([]*onnx.Tensor, len(n.Inputs))
	for i, name := range n.Inputs {
		in[i] = values[name]
		if !d.Half {
			in[i] = widenHalf(in[i])
		}
	}
	got, err := runNode(n, c.model.OpsetVersion(n.Domain), in)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range g.Outputs {
		want := asDeclared(v, readTensor(t, set, "output", i))
		for k, name := range n.Outputs {
			if name != v.Name {
				continue
			}
			tol := 1e-5
			if want.Type == onnx.Float16 || want.Type == onnx.BFloat16 {
				tol = 1e-3
				if !d.Half {
					want = widenHalf(want)
				}
			}
			if diff := diffTensor(got[k], want, tol); diff != "" {
				t.Fatalf("output %q: %s", name, diff)
			}
		}
	}
}

func readTensor(t *testing.T, set, kind string, i int) *onnx.Tensor {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(set, fmt.Sprintf("%s_%d.pb", kind, i)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := onnx.ParseTensor(data)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// asDeclared gives a tensor the type that the graph declares where the data only has its bits: numpy, which wrote them,
// has no bfloat16.
func asDeclared(v *onnx.Value, t *onnx.Tensor) *onnx.Tensor {
	if v.Type != nil && v.Type.Elem == onnx.BFloat16 && t.Type == onnx.Uint16 {
		t.Type = onnx.BFloat16
	}
	return t
}

// widenHalf does what the graph does for operators that do not take halves themselves.
func widenHalf(t *onnx.Tensor) *onnx.Tensor {
	if t == nil || t.Type != onnx.Float16 && t.Type != onnx.BFloat16 {
		return t
	}
	out := make([]float32, t.Len())
	for i, v := range floats(t) {
		out[i] = float32(v)
	}
	return onnx.Of(t.Shape, out)
}
