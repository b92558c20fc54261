package op

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// opCase is a row of an operator's test table.
type opCase struct {
	name    string
	node    *onnx.Node // see node
	opset   int        // 0 means MaxOpset
	in      []*onnx.Tensor
	want    []*onnx.Tensor // nil entries are not compared
	wantErr string         // part of the message; want is empty then
	tol     float64        // |a-b| <= tol*(1+10*|b|); 0 means 1e-5
}

// attrs are a node's attributes: int, float32, string, []int, []float32, []string or *onnx.Tensor.
type attrs map[string]any

// node makes a node with nIn inputs and nOut outputs.
func node(opType string, nIn, nOut int, a attrs) *onnx.Node {
	n := &onnx.Node{Name: "n", OpType: opType}
	for i := range nIn {
		n.Inputs = append(n.Inputs, fmt.Sprint("x", i))
	}
	for i := range nOut {
		n.Outputs = append(n.Outputs, fmt.Sprint("y", i))
	}
	for k, v := range a {
		at := &onnx.Attribute{Name: k}
		switch v := v.(type) {
		case int:
			at.Type, at.I = onnx.AttrInt, int64(v)
		case float32:
			at.Type, at.F = onnx.AttrFloat, v
		case float64:
			at.Type, at.F = onnx.AttrFloat, float32(v)
		case string:
			at.Type, at.S = onnx.AttrString, []byte(v)
		case []int:
			at.Type = onnx.AttrInts
			for _, x := range v {
				at.Ints = append(at.Ints, int64(x))
			}
		case []float32:
			at.Type, at.Floats = onnx.AttrFloats, v
		case []string:
			at.Type = onnx.AttrStrings
			for _, x := range v {
				at.Strings = append(at.Strings, []byte(x))
			}
		case *onnx.Tensor:
			at.Type, at.Tensor = onnx.AttrTensor, v
		default:
			panic(fmt.Sprintf("attribute %s: type %T", k, v))
		}
		n.Attrs = append(n.Attrs, at)
	}
	return n
}

// f32, f64, i64 and the others make tensors; shape nil means a scalar.
func f32(shape []int, v ...float32) *onnx.Tensor { return onnx.Of(shape, v) }
func f64(shape []int, v ...float64) *onnx.Tensor { return onnx.Of(shape, v) }
func i64(shape []int, v ...int64) *onnx.Tensor   { return onnx.Of(shape, v) }
func i32(shape []int, v ...int32) *onnx.Tensor   { return onnx.Of(shape, v) }
func u8(shape []int, v ...uint8) *onnx.Tensor    { return onnx.Of(shape, v) }
func i8(shape []int, v ...int8) *onnx.Tensor     { return onnx.Of(shape, v) }
func bools(shape []int, v ...bool) *onnx.Tensor  { return onnx.Of(shape, v) }

// seq returns lo, lo+1, ... hi as a tensor of that shape.
func seq(shape []int, lo, hi int) *onnx.Tensor {
	v := make([]float32, 0, hi-lo+1)
	for i := lo; i <= hi; i++ {
		v = append(v, float32(i))
	}
	return onnx.Of(shape, v)
}

// runNode runs one node as the graph does: Infer without and with values, and prepared with all inputs constant.
// The results must agree.
func runNode(n *onnx.Node, opset int, in []*onnx.Tensor) ([]*onnx.Tensor, error) {
	if opset == 0 {
		opset = MaxOpset
	}
	o, d, err := Make(n, opset, nil)
	if err != nil {
		return nil, err
	}
	for d.MaxIn < Variadic && len(in) < d.MaxIn {
		in = append(in, nil)
	}
	pool := par.New(2)
	defer pool.Close()
	out, err := runOp(o, n, in, pool)
	if err != nil {
		return nil, err
	}
	if p, ok := o.(Preparer); ok {
		prepared, err := p.Prepare(in)
		if err != nil {
			return nil, err
		}
		if prepared != nil {
			again, err := runOp(prepared, n, in, pool)
			if err != nil {
				return nil, fmt.Errorf("prepared: %w", err)
			}
			for i := range out {
				if diff := diffTensor(again[i], out[i], 1e-5); diff != "" {
					return nil, fmt.Errorf("prepared differs: output %d: %s", i, diff)
				}
			}
		}
	}
	return out, nil
}

func runOp(o Op, n *onnx.Node, in []*onnx.Tensor, pool *par.Pool) ([]*onnx.Tensor, error) {
	info := make([]Info, len(in))
	for i, t := range in {
		if t != nil {
			info[i] = Info{Type: t.Type, Shape: t.Shape}
		}
	}
	early, err := o.Infer(info)
	if err != nil {
		return nil, err
	}
	for i, t := range in {
		info[i].Value = t
	}
	late, err := o.Infer(info)
	if err != nil {
		return nil, err
	}
	out := make([]*onnx.Tensor, len(late))
	for i, l := range late {
		if i < len(early) && !early[i].Dynamic && !l.Dynamic && (early[i].Type != l.Type || !sameShape(early[i].Shape, l.Shape)) {
			return nil, fmt.Errorf("output %d: inferred %v%v without values, %v%v with them", i, early[i].Type, early[i].Shape, l.Type, l.Shape)
		}
		if i >= len(n.Outputs) || n.Outputs[i] == "" {
			continue
		}
		out[i] = &onnx.Tensor{}
		if !l.Dynamic {
			out[i] = onnx.New(l.Type, l.Shape...)
			for j := range out[i].Raw {
				out[i].Raw[j] = 0xA5 // memory from the arena is not cleared
			}
		}
	}
	keep := make([]*onnx.Tensor, len(in))
	for i, t := range in {
		if t != nil {
			keep[i] = t.Clone()
		}
	}
	rt := &Runtime{Context: context.Background(), Pool: pool}
	if err := o.Run(rt, in, out); err != nil {
		return nil, err
	}
	for i, t := range in {
		if t != nil && (string(t.Raw) != string(keep[i].Raw)) {
			return nil, fmt.Errorf("input %d was written to", i)
		}
	}
	if ip, ok := o.(InPlacer); ok && out[0] != nil {
		for _, i := range ip.InPlace() {
			if i >= len(in) || in[i] == nil || len(in[i].Raw) != len(out[0].Raw) || in[i].Type != out[0].Type || in[i].Type == onnx.String {
				continue
			}
			over := append([]*onnx.Tensor(nil), in...)
			over[i] = in[i].Clone()
			o2 := append([]*onnx.Tensor(nil), out...)
			o2[0] = &onnx.Tensor{Type: out[0].Type, Shape: out[0].Shape, Raw: over[i].Raw}
			rt.Reset()
			if err := o.Run(rt, over, o2); err != nil {
				return nil, err
			}
			if string(o2[0].Raw) != string(out[0].Raw) {
				return nil, fmt.Errorf("in place over input %d gives another result", i)
			}
		}
	}
	return out, nil
}

// checkThreads runs an operator with one float output of that shape: the bits are the same for any number of threads, and
// a context that is done ends it.
func checkThreads(t *testing.T, o Op, in []*onnx.Tensor, shape ...int) {
	t.Helper()
	var first string
	for _, threads := range []int{1, 2, 5} {
		pool := par.New(threads)
		y := onnx.New(onnx.Float, shape...)
		if err := o.Run(&Runtime{Context: context.Background(), Pool: pool}, in, []*onnx.Tensor{y}); err != nil {
			t.Fatal(err)
		}
		pool.Close()
		if first == "" {
			first = string(y.Raw)
		} else if first != string(y.Raw) {
			t.Fatalf("%d threads give other bits than 1", threads)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.Run(&Runtime{Context: ctx, Pool: par.Shared(1)}, in, []*onnx.Tensor{onnx.New(onnx.Float, shape...)}); err == nil {
		t.Fatal("runs on although its context is done")
	}
}

// runCases runs a table.
func runCases(t *testing.T, cases []opCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := runNode(c.node, c.opset, c.in)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("error %v, want one with %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range c.want {
				if w == nil {
					continue
				}
				if i >= len(got) || got[i] == nil {
					t.Fatalf("output %d is missing", i)
				}
				tol := c.tol
				if tol == 0 {
					tol = 1e-5
				}
				if diff := diffTensor(got[i], w, tol); diff != "" {
					t.Fatalf("output %d: %s", i, diff)
				}
			}
		})
	}
}

// diffTensor compares type, shape and elements; floats with |a-b| <= tol*(1+10*|b|). It returns "" where they agree.
func diffTensor(got, want *onnx.Tensor, tol float64) string {
	if (got == nil) != (want == nil) {
		return "one is absent"
	}
	if got == nil {
		return ""
	}
	if got.Type != want.Type || !sameShape(got.Shape, want.Shape) {
		return fmt.Sprintf("got %v%v, want %v%v", got.Type, got.Shape, want.Type, want.Shape)
	}
	a, b := floats(got), floats(want)
	if a == nil {
		if string(got.Raw) != string(want.Raw) || fmt.Sprint(got.Strings) != fmt.Sprint(want.Strings) {
			return fmt.Sprintf("got %v, want %v", show(got), show(want))
		}
		return ""
	}
	for i := range a {
		if math.IsNaN(a[i]) && math.IsNaN(b[i]) || a[i] == b[i] {
			continue
		}
		if d := math.Abs(a[i] - b[i]); !(d <= tol*(1+10*math.Abs(b[i]))) {
			return fmt.Sprintf("element %d: got %v, want %v (all: %v, want %v)", i, a[i], b[i], show(got), show(want))
		}
	}
	return ""
}

func floats(t *onnx.Tensor) []float64 {
	var out []float64
	switch t.Type {
	case onnx.Float:
		for _, v := range t.Float32s() {
			out = append(out, float64(v))
		}
	case onnx.Double:
		out = append(out, onnx.Data[float64](t)...)
	case onnx.Float16:
		for _, v := range onnx.Data[onnx.Float16Bits](t) {
			out = append(out, float64(v.Float32()))
		}
	case onnx.BFloat16:
		for _, v := range onnx.Data[onnx.BFloat16Bits](t) {
			out = append(out, float64(v.Float32()))
		}
	}
	return out
}

func show(t *onnx.Tensor) any {
	switch t.Type {
	case onnx.Float:
		return t.Float32s()
	case onnx.Double:
		return onnx.Data[float64](t)
	case onnx.Int64:
		return t.Int64s()
	case onnx.Int32:
		return onnx.Data[int32](t)
	case onnx.Bool:
		return onnx.Data[bool](t)
	case onnx.String:
		return t.Strings
	}
	return t.Raw
}
