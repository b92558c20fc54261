package convert

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// flatNet has a layer that reads a flattened map.
func flatNet() *onnx.Model {
	return newNet(13).x(-1, 3, 6, 6).weight("conv.weight", 4, 3, 3, 3).weight("conv.bias", 4).
		positive("bn.weight", 4).weight("bn.bias", 4).weight("bn.mean", 4).positive("bn.var", 4).
		weight("second.weight", 5, 4, 3, 3).weight("fc6", 1, 20).weight("fc7", 1).weight("fc.weight", 5, 20).weight("fc.bias", 5).
		node("c = Conv(x, conv.weight, conv.bias)", op.Attr("strides", []int{2, 2}), op.Attr("pads", []int{1, 1, 1, 1})).
		node("n = BatchNormalization(c, bn.weight, bn.bias, bn.mean, bn.var)", op.Attr("epsilon", float32(0.1))).node("r = Relu(n)").
		node("p = AveragePool(r)", op.Attr("kernel_shape", []int{3, 3}), op.Attr("strides", []int{2, 2}), op.Attr("pads", []int{1, 1, 1, 1})).
		node("s = Conv(p, second.weight)", op.Attr("pads", []int{1, 1, 1, 1})).
		node("f = Flatten(s)").node("y = Gemm(f, fc.weight, fc.bias)", op.Attr("transB", 1)).out("y")
}

// nodeOf returns the node that computes a value.
func nodeOf(m *onnx.Model, value string) *onnx.Node {
	for _, n := range m.Graph.Nodes {
		if n.Outputs[0] == value {
			return n
		}
	}
	return nil
}

// referenceOf is what a model computes.
func referenceOf(t *testing.T, m *onnx.Model, in map[string]*onnx.Tensor, values ...string) *Reference {
	t.Helper()
	out := runOn(t, "native", valuesOf(m, values...), in)
	r := &Reference{Source: "ref", Inputs: in}
	for _, v := range values {
		c := *out[v]
		c.Name = v
		r.Values = append(r.Values, &c)
	}
	return r
}

// A model that was ported with a usual mistake: the first layer that diverges is named, with the cause.
func TestCompareFindsTheCause(t *testing.T) {
	all := []string{"c", "n", "r", "p", "s", "y"}
	round := func(typ onnx.DataType) func(*onnx.Model) {
		return func(m *onnx.Model) {
			for _, w := range m.Graph.Initializers {
				r, err := rounded(w, typ)
				if err != nil {
					t.Fatal(err)
				}
				w.Raw = r.Raw
			}
		}
	}
	swap := func(a, b int) func(*onnx.Model) {
		return func(m *onnx.Model) { n := nodeOf(m, "n"); n.Inputs[a], n.Inputs[b] = n.Inputs[b], n.Inputs[a] }
	}
	in := randomInputs(flatNet(), 2)
	change := func(value string, f func(n *onnx.Node)) func(*onnx.Model) {
		return func(m *onnx.Model) { f(nodeOf(m, value)) }
	}
	turnHWC := func(m *onnx.Model) {
		w := m.Graph.Initializer("fc.weight")
		c := w.Clone()
		for o := range 5 {
			for k := range 5 {
				for p := range 4 {
					c.Float32s()[o*20+p*5+k] = w.Float32s()[o*20+k*4+p]
				}
			}
		}
		w.Raw = c.Raw
	}
	for _, c := range []struct {
		name   string
		right  func(m *onnx.Model) // makes of flatNet the model that the reference is of
		wrong  func(m *onnx.Model) // makes of it the model that is compared
		values []string
		inputs map[string]*onnx.Tensor // of the model, where they are others than the reference's
		first  string
		cause  string
	}{
		{"right", nil, nil, all, nil, "", ""},
		{"epsilon", nil, change("n", func(n *onnx.Node) { n.Attrs = []*onnx.Attribute{op.Attr("epsilon", float32(0.3))} }), all, nil, "n", ""},
		{"epsilon of Keras", change("n", func(n *onnx.Node) { n.Attrs = []*onnx.Attribute{op.Attr("epsilon", float32(1e-3))} }), nil, all, nil, "n", `epsilon: the reference has 0.001 in node "n_n"`},
		{"epsilon, output only", change("n", func(n *onnx.Node) { n.Attrs = []*onnx.Attribute{op.Attr("epsilon", float32(1e-3))} }), nil, []string{"y"}, nil, "y", `epsilon: the reference has 0.001`},
		{"padding", change("c", func(n *onnx.Node) { setAttr(n, op.Attr("pads", []int{0, 0, 1, 1})) }), nil, all, nil, "c", `padding: the reference has SAME_UPPER in node "n_c" (Conv)`},
		{"padding, other sides", change("c", func(n *onnx.Node) { setAttr(n, op.Attr("pads", []int{0, 1, 1, 0})) }),
			change("c", func(n *onnx.Node) { setAttr(n, op.Attr("pads", []int{1, 0, 0, 1})) }), all, nil, "c", `padding: the reference has it on the other sides in node "n_c"`},
		{"average counts padding", change("p", func(n *onnx.Node) { setAttr(n, op.Attr("count_include_pad", 1)) }), nil, all, nil, "p", `counts it in the average otherwise, in node "n_p"`},
		{"missing ReLU", nil, change("r", func(n *onnx.Node) { n.OpType = "Identity" }), []string{"c", "n", "p", "y"}, nil, "p", `the reference has a ReLU before node "n_r"`},
		{"missing ReLU at the layer", func(m *onnx.Model) { nodeOf(m, "y").Outputs[0] = "z"; relu(m, "z", "y", "Relu") }, nil, []string{"y"}, nil, "y", `a ReLU behind "n_y" (Gemm)`},
		{"missing sigmoid", func(m *onnx.Model) { nodeOf(m, "y").Outputs[0] = "z"; relu(m, "z", "y", "Sigmoid") }, nil, []string{"y"}, nil, "y", `a sigmoid behind`},
		{"missing softmax", func(m *onnx.Model) { nodeOf(m, "y").Outputs[0] = "z"; relu(m, "z", "y", "Softmax") }, nil, []string{"y"}, nil, "y", `a softmax behind`},
		{"a ReLU too many", change("r", func(n *onnx.Node) { n.OpType = "Identity" }), nil, []string{"c", "p", "y"}, nil, "p", `no activation where the model has node "n_r" (Relu)`},
		{"order of flattening", nil, turnHWC, all, nil, "y", `the order of flattening: the weights of node "n_y" (Gemm) are for height, width, channels`},
		{"order of flattening, reversed", turnHWC, nil, all, nil, "y", `the order of flattening: the reference flattens height, width, channels before node "n_y"`},
		{"kernel turned", nil, func(m *onnx.Model) { w := m.Graph.Initializer("second.weight"); w.Raw = permuted(w, 0, 1, 3, 2).Raw }, all, nil, "s", `the weights of node "n_s" (Conv): height and width`},
		{"scale and shift", nil, swap(1, 2), all, nil, "n", `the arrays: scale and shift stand in each other's place in node "n_n"`},
		{"mean and variance", nil, swap(3, 4), []string{"y"}, nil, "y", `the arrays: mean and variance stand in each other's place`},
		{"weights of bfloat16", nil, round(onnx.BFloat16), all, nil, "c", `precision: the model's weights are numbers of bfloat16`},
		{"reference of bfloat16", round(onnx.BFloat16), nil, all, nil, "c", `precision: the reference has the weights in bfloat16`},
		{"other classes", func(m *onnx.Model) { nodeOf(m, "y").Inputs[1], nodeOf(m, "y").Inputs[2] = "fc6", "fc7" }, nil, all, nil, "y", `shape [2 5], the reference has [2 1]`},
		{"BGR in the weights", nil, func(m *onnx.Model) { w := m.Graph.Initializer("conv.weight"); w.Raw = reversed(w, 1).Raw }, all, nil, "c", "in the model's first weights"},
		{"BGR", nil, nil, all, map[string]*onnx.Tensor{"x": reversed(in["x"], 1)}, "c", "RGB and BGR swapped"},
		{"sides swapped", nil, nil, all, map[string]*onnx.Tensor{"x": permuted(in["x"], 0, 1, 3, 2)}, "c", "height and width of the input"},
		{"layout", nil, nil, all, map[string]*onnx.Tensor{"x": {Type: onnx.Float, Shape: in["x"].Shape, Raw: permuted(in["x"], 0, 2, 3, 1).Raw}}, "c", "those of NHWC in the shape of NCHW"},
		{"something else", nil, func(m *onnx.Model) { m.Graph.Initializer("second.weight").Float32s()[0] += 3 }, all, nil, "s", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			right, wrong := flatNet(), flatNet()
			if c.right != nil {
				c.right(right)
			}
			if c.wrong != nil {
				c.wrong(wrong)
			}
			r := referenceOf(t, right, in, c.values...)
			if c.inputs != nil {
				r.Inputs = c.inputs
			}
			got, err := Compare(context.Background(), wrong, r, CompareOptions{Diagnose: true, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			first := ""
			if !got.OK() {
				first = got.Layers[got.First].Value
			}
			if first != c.first || len(got.Layers) != len(c.values) {
				t.Errorf("the first of %d that diverges is %q, want %q", len(got.Layers), first, c.first)
			}
			if c.cause == "" && got.Cause != "" || !strings.Contains(got.Cause, c.cause) {
				t.Errorf("cause %q, want %q", got.Cause, c.cause)
			}
		})
	}
}

// relu appends an activation.
func relu(m *onnx.Model, from, to, opType string) {
	m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{Name: "n_" + to + "_act", OpType: opType, Inputs: []string{from}, Outputs: []string{to}})
}

func TestCompareTolerance(t *testing.T) {
	m := newNet(13).x(-1, 4).node("a = Relu(x)").node("i = ArgMax(a)", op.Attr("axis", 1)).out("a", "i")
	in := randomInputs(m, 2)
	off := func(by float32) *Reference {
		r := referenceOf(t, m, in, "a", "i")
		a := r.Values[0].Clone()
		a.Float32s()[0] += by
		r.Values[0] = a
		return r
	}
	for _, c := range []struct {
		by   float32
		o    CompareOptions
		want bool
	}{
		{0, CompareOptions{}, true}, {1e-4, CompareOptions{}, true}, {1e-2, CompareOptions{}, false}, {1e-2, CompareOptions{Tolerance: 0.1}, true}, {1e-4, CompareOptions{Tolerance: 1e-6}, false},
		{float32(math.NaN()), CompareOptions{}, false}, {float32(math.Inf(1)), CompareOptions{Tolerance: 10}, false},
	} {
		got, err := Compare(context.Background(), m, off(c.by), c.o)
		if err != nil || got.OK() != c.want {
			t.Errorf("%v off: %v, %v", c.by, got, err)
		}
	}
	r := off(0)
	r.Values[1] = onnx.Of([]int{2, 1}, []int64{r.Values[1].Int64s()[0] + 1, r.Values[1].Int64s()[1]})
	r.Values[1].Name = "i"
	if got, err := Compare(context.Background(), m, r, CompareOptions{Tolerance: 1}); err != nil || got.OK() {
		t.Errorf("a wrong integer: %v, %v", got, err)
	}
	r.Values[1] = onnx.Of([]int{3}, []int64{1, 2, 3})
	r.Values[1].Name = "i"
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || got.OK() || !strings.Contains(got.Layers[1].What, "the reference has [3]") {
		t.Errorf("another shape: %+v, %v", got, err)
	}
	r.Values[1] = &onnx.Tensor{Name: "i", Type: onnx.String, Shape: []int{2}, Strings: []string{"a", "b"}}
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || got.OK() || got.Layers[1].Difference != -1 {
		t.Errorf("text: %+v, %v", got, err)
	}
}

// PyTorch's activations in place leave their result under the name of what was before them.
func TestCompareInPlace(t *testing.T) {
	m := flatNet()
	in := randomInputs(m, 2)
	r := referenceOf(t, m, in, "n", "r", "y")
	n := *r.Values[1]
	n.Name = "n"
	r.Values[0] = &n
	got, err := Compare(context.Background(), m, r, CompareOptions{})
	if err != nil || !got.OK() || !strings.Contains(got.Layers[0].What, `"r", which is made from it, agrees`) {
		t.Errorf("%+v, %v", got, err)
	}
	r.Values = []*onnx.Tensor{r.Values[0], r.Values[2]}
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || !got.OK() {
		t.Errorf("the activation's own value is not there: %+v, %v", got, err)
	}
	r.Values = r.Values[:1]
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || got.OK() {
		t.Errorf("nothing agrees behind it: %+v, %v", got, err)
	}
}

// What is left of numbers that cancel out is held against these, whether the reference has them or not; half precision has
// a smallest number.
func TestCompareCancellation(t *testing.T) {
	ones := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(1 - i%2*2)
		}
		return v
	}
	wide := onnx.Of([]int{1, 64}, slices.Repeat([]float32{2}, 64))
	maps := onnx.Of([]int{1, 4, 4, 4}, slices.Repeat([]float32{2}, 64))
	vector := func(v ...float32) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }
	head := func() *net { return newNet(13).x(1, 64).add("w", onnx.Of([]int{64, 1}, ones(64))) }
	half := func(n *net) *net {
		for _, t := range n.m.Graph.Initializers {
			h, err := op.CastTensor(t, onnx.Float16)
			if err != nil {
				panic(err)
			}
			h.Name = t.Name
			*t = *h
		}
		n.m.Graph.Inputs[0].Type.Elem = onnx.Float16
		return n
	}
	for _, c := range []struct {
		name  string
		m     *net
		x     *onnx.Tensor
		by    float32 // off the reference
		scale float64 // that y has
		want  bool
	}{
		{"a mean", newNet(13).x(1, 4).node("a = Neg(x)").node("y = ReduceMean(a)", op.Attr("axes", []int{1})), onnx.Of([]int{1, 4}, []float32{1000, -1000, 5, -5}), 1e-4, 1000, true},
		{"too far from it", newNet(13).x(1, 4).node("a = Neg(x)").node("y = ReduceMean(a)", op.Attr("axes", []int{1})), onnx.Of([]int{1, 4}, []float32{1000, -1000, 5, -5}), 1, 1000, false},
		// 64 products of 2 and 1 or -1: the root of the sum of their squares is 16.
		{"MatMul", head().node("y = MatMul(x, w)"), wide, 16 * 4e-4, 16, true},
		{"too far from MatMul", head().node("y = MatMul(x, w)"), wide, 16 * 6e-4, 16, false},
		{"Einsum", head().node("y = Einsum(x, w)", op.Attr("equation", "ij,jk->ik")), wide, 16 * 4e-4, 16, true},
		{"the same matrix twice", newNet(13).x(1, 64).node("t = Transpose(x)", op.Attr("perm", []int{1, 0})).node("y = MatMul(x, t)"), wide, 1e-3, 256, true},
		{"Gemm with its factor", head().node("y = Gemm(x, w)", op.Attr("alpha", float32(0.5))), wide, 8 * 4e-4, 8, true},
		{"too far from Gemm", head().node("y = Gemm(x, w)", op.Attr("alpha", float32(0.5))), wide, 8 * 6e-4, 8, false},
		{"the added number", newNet(13).x(1, 1).add("w", onnx.Of([]int{1, 1}, []float32{-200})).add("b", vector(400)).node("y = Gemm(x, w, b)"), onnx.Of([]int{1, 1}, []float32{2}), 0.1, 400, true},
		{"the added number with its factor", newNet(13).x(1, 64).add("w", onnx.Of([]int{64, 1}, ones(64))).add("b", vector(0.001)).node("y = Gemm(x, w, b)", op.Attr("beta", float32(20))), wide, 16 * 4e-4, 16, true},
		{"Conv", newNet(13).x(1, 4, 4, 4).add("w", onnx.Of([]int{1, 4, 4, 4}, ones(64))).node("y = Conv(x, w)"), maps, 16 * 4e-4, 16, true},
		{"too far from Conv", newNet(13).x(1, 4, 4, 4).add("w", onnx.Of([]int{1, 4, 4, 4}, ones(64))).node("y = Conv(x, w)"), maps, 16 * 6e-4, 16, false},
		{"what moves it", head().node("a = MatMul(x, w)").node("f = Flatten(a)").node("y = Relu(f)"), wide, 16 * 4e-4, 16, true},
		{"a sum of them", head().add("b", vector(30)).node("a = MatMul(x, w)").node("s = Add(a, b)").node("y = Sub(s, b)"), wide, 30 * 4e-4, 30, true},
		{"what shrinks it", head().add("k", vector(0.001)).node("a = MatMul(x, w)").node("y = Mul(a, k)"), wide, 1e-6, 0, false},
		{"large numbers", newNet(13).x(1, 64).add("w", onnx.Of([]int{64, 1}, ones(64))).node("y = MatMul(x, w)"), onnx.Of([]int{1, 64}, slices.Repeat([]float32{1e30}, 64)), 3e27, 8e30, true},
		{"all zeros", newNet(13).x(1, 64).add("w", onnx.New(onnx.Float, 64, 1)).node("y = MatMul(x, w)"), wide, 1e-6, 0, false},
		{"half precision", half(head().node("y = MatMul(x, w)")), wide, 16 * 8e-3, 16, true},
		{"too far from half precision", half(head().node("y = MatMul(x, w)")), wide, 16 * 1.2e-2, 16, false},
		{"the smallest numbers of half precision", half(newNet(13).x(1, 1).add("w", vector(0)).node("y = Mul(x, w)")), onnx.Of([]int{1, 1}, []float32{2}), 2.0 / (1 << 24), 0, true},
		{"more than these", half(newNet(13).x(1, 1).add("w", vector(0)).node("y = Mul(x, w)")), onnx.Of([]int{1, 1}, []float32{2}), 3.0 / (1 << 24), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.m.out("y")
			x, err := op.CastTensor(c.x, m.Graph.Inputs[0].Type.Elem)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]*onnx.Tensor{"x": x}
			r := referenceOf(t, m, in, "y")
			v, err := op.CastTensor(r.Values[0], onnx.Float)
			if err != nil {
				t.Fatal(err)
			}
			off := onnx.Of(v.Shape, slices.Clone(v.Float32s()))
			off.Name, off.Float32s()[0] = "y", off.Float32s()[0]+c.by
			r.Values[0] = off
			got, err := Compare(context.Background(), m, r, CompareOptions{})
			if err != nil || got.OK() != c.want {
				t.Errorf("%+v, %v", got, err)
			}
			scale, err := Scale(context.Background(), m, "y", in, CompareOptions{})
			if err != nil || math.Abs(scale-c.scale) > 1e-3*c.scale {
				t.Errorf("the scale is %v, want %v (%v)", scale, c.scale, err)
			}
		})
	}
}

// Two models whose outputs cancel out differ by a share of what they are made of.
func TestDeviationOfCancelledOutput(t *testing.T) {
	of := func(first float32) *onnx.Model {
		w := onnx.Of([]int{4, 1}, []float32{first, -1, 1, -1})
		return newNet(13).x(1, 4).add("w", w).node("y = MatMul(x, w)").out("y")
	}
	in := map[string]*onnx.Tensor{"x": onnx.Of([]int{1, 4}, []float32{100, 100, 100, 100})}
	d, err := Deviation(context.Background(), of(1), of(1.001), in, CompareOptions{})
	if want := 0.1 / 200; err != nil || math.Abs(d-want) > 1e-6 {
		t.Errorf("%v, want %v (%v)", d, want, err)
	}
}

func TestCompareErrors(t *testing.T) {
	ctx := context.Background()
	m := smallNet(13)
	in := randomInputs(m, 1)
	two := []*onnx.Tensor{onnx.New(onnx.Float, 1), onnx.New(onnx.Float, 1)}
	for _, c := range []struct {
		m    *onnx.Model
		r    *Reference
		want string
	}{
		{&onnx.Model{}, &Reference{}, "no graph"},
		{m, &Reference{Source: "r"}, `r: input "x" is missing`},
		{m, &Reference{Source: "r", Inputs: in, Values: two}, "none of its arrays"},
		{m, &Reference{Inputs: map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 2, 9, 9)}, Values: two[:1]}, "want shape"},
	} {
		if _, err := Compare(ctx, c.m, c.r, CompareOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := CompareProviders(ctx, m, in, "nothing", CompareOptions{}); err == nil {
		t.Error("a provider that is not there")
	}
	if _, err := CompareProviders(ctx, &onnx.Model{}, in, "native", CompareOptions{}); err == nil {
		t.Error("a model without graph")
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Compare(stopped, m, referenceOf(t, m, in, "y"), CompareOptions{}); err == nil {
		t.Error("an interrupted run")
	}
}

// Every layer as ONNX Runtime computes it.
func TestCompareProviders(t *testing.T) {
	m := smallNet(13)
	got, err := CompareProviders(context.Background(), m, randomInputs(m, 2), "native", CompareOptions{})
	if err != nil || !got.OK() || len(got.Layers) != len(m.Graph.Nodes) || got.Layers[0].Difference > 1e-6 {
		t.Errorf("%+v, %v", got, err)
	}
	t.Run("ort", func(t *testing.T) {
		needORT(t)
		got, err := CompareProviders(context.Background(), m, randomInputs(m, 2), "ort", CompareOptions{})
		if err != nil || !got.OK() || len(got.Layers) != len(m.Graph.Nodes) {
			t.Errorf("%+v, %v", got, err)
		}
		// What a changed model computes is held against the source's values, by their names.
		r, err := ReferenceBy(context.Background(), m, randomInputs(m, 2), "ort", CompareOptions{})
		if err != nil {
			t.Fatal(err)
		}
		folded, _, err := Steps{FoldBN: true, Float16: true}.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Compare(context.Background(), folded, r, CompareOptions{}); err != nil || !got.OK() || len(got.Unmatched) == 0 {
			t.Errorf("folded: %+v, %v", got, err)
		}
		half, _, err := Float16(m)
		if err != nil {
			t.Fatal(err)
		}
		got16, err := CompareProviders(context.Background(), half, randomInputs(m, 2), "ort", CompareOptions{})
		if err != nil || !got16.OK() || len(got16.Layers) < len(m.Graph.Nodes) {
			t.Errorf("half precision: %+v, %v", got16, err)
		}
		if l := got.Layers[0]; l.Index != 0 || l.Op != "Conv" || l.Largest == 0 || l.Tolerance == 0 {
			t.Errorf("%+v", l)
		}
	})
}

// Test data that is written is read, and fits; other folders and files are understood or refused.
func TestTestData(t *testing.T) {
	m := smallNet(13)
	in := randomInputs(m, 1)
	out := runOn(t, "native", m, in)
	dir := t.TempDir()
	folder, err := WriteTestData(dir, m, in, out)
	if err != nil || folder != filepath.Join(dir, "test_data_set_0") {
		t.Fatal(folder, err)
	}
	if other, err := WriteTestData(filepath.Join(dir, "test_data_set_7"), m, in, out); err != nil || filepath.Base(other) != "test_data_set_7" {
		t.Error(other, err)
	}
	for _, path := range []string{dir, folder} {
		r, err := ReadReference(path, m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Compare(context.Background(), m, r, CompareOptions{})
		if err != nil || !got.OK() || len(got.Layers) != 1 || got.Source != folder {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := WriteTestData(dir, m, in, nil); err == nil || !strings.Contains(err.Error(), `output "y" is missing`) {
		t.Error(err)
	}
	two := newNet(13).x(-1, 3).in("z", onnx.Float, -1, 3).node("y = Add(x, z)").out("y")
	if _, err := ReadReference(folder, two); err == nil || !strings.Contains(err.Error(), "has 1 inputs, the model wants 2") {
		t.Error(err)
	}
	if _, err := ReadReference(t.TempDir(), m); err == nil || !strings.Contains(err.Error(), "no input_0.pb") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "output_1.pb"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadReference(folder, m); err == nil || !strings.Contains(err.Error(), "output_1.pb") {
		t.Error(err)
	}
	if _, err := ReadReference(filepath.Join(dir, "nothing"), m); err == nil {
		t.Error("a path that is not there")
	}
}

// Archives have any inner names; pictures in another layout are turned.
func TestReferenceNpz(t *testing.T) {
	m := flatNet()
	in := randomInputs(m, 2)
	out := runOn(t, "native", valuesOf(m, "p", "y"), in)
	save := func(tensors ...*onnx.Tensor) string {
		var b bytes.Buffer
		z := npz.NewWriter(&b)
		for _, x := range tensors {
			if err := z.Add(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return write(t, "ref.npz", b.Bytes())
	}
	named := func(x *onnx.Tensor, name string) *onnx.Tensor {
		c := *x
		c.Name = name
		return &c
	}
	// The one input may have another name, and what is there twice counts once.
	for _, name := range []string{"input", "inputs"} {
		r, err := ReadReference(save(named(in["x"], name), named(out["y"], "y"), named(out["y"], "n_y")), m)
		if err != nil || r.Inputs["x"] == nil || len(r.Values) != 2 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || !got.OK() || len(got.Layers) != 1 || len(got.Unmatched) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// "n_" begins the names of all nodes, and is none of them.
	r, err := ReadReference(save(named(in["x"], "x"), named(out["y"], "n_")), m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || !got.OK() || got.Layers[0].Value != "y" {
		t.Errorf("%+v, %v", got, err)
	}
	r, err = ReadReference(save(named(in["x"], "picture"), named(out["y"], "y")), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(context.Background(), m, r, CompareOptions{}); err == nil || !strings.Contains(err.Error(), `input "x" is missing among its arrays (["picture" "y"])`) {
		t.Error(err)
	}
	path := save(named(permuted(in["x"], 0, 2, 3, 1), "x"), named(permuted(out["p"], 0, 2, 3, 1), "n_p"), named(out["y"], "whatever"))
	r, err = ReadReference(path, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compare(context.Background(), m, r, CompareOptions{})
	if err != nil || !got.OK() || len(got.Layers) != 2 || !strings.Contains(got.Layers[0].What, "channels last") || len(got.Unmatched) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	r.Values = append(r.Values, named(out["y"], "another"))
	if got, err := Compare(context.Background(), m, r, CompareOptions{}); err != nil || len(got.Unmatched) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadReference(save(named(in["x"], "x")), m); err == nil || !strings.Contains(err.Error(), "no arrays beside") {
		t.Error(err)
	}
	if _, err := ReadReference(save(&onnx.Tensor{Name: "x", Type: onnx.String, Strings: []string{"a"}}), m); err == nil {
		t.Error("a picture of text")
	}
	if _, err := ReadReference(write(t, "r.npz", []byte("x")), m); err == nil {
		t.Error("no archive")
	}
}

func TestRandomInputs(t *testing.T) {
	m := newNet(13).x(-1, 3).in("b", onnx.Uint8, 4).in("i", onnx.Int64, 2).in("h", onnx.Float16, 2).m
	in, err := RandomInputs(m, 1, nil)
	if err != nil || len(in) != 4 || in["x"].Shape[0] != 1 || in["i"].Int64s()[0] != 0 || in["h"].Type != onnx.Float16 {
		t.Errorf("%v %v", in, err)
	}
	again, _ := RandomInputs(m, 1, nil)
	other, _ := RandomInputs(m, 2, nil)
	if !bytes.Equal(in["x"].Raw, again["x"].Raw) || bytes.Equal(in["x"].Raw, other["x"].Raw) {
		t.Error("the seed does not decide")
	}
	if in, err := RandomInputs(m, 1, map[string][]int{"x": {5, 3}}); err != nil || in["x"].Shape[0] != 5 {
		t.Error(err)
	}
	for _, c := range []struct {
		v    *onnx.Value
		want string
	}{
		{&onnx.Value{Name: "x"}, "declares no shape"}, {declared("x", onnx.Float, []int{1, -1}), "dimension 1 is free"},
		{declared("x", onnx.Float, []int{1, 1 << 40}), "too large"}, {declared("x", onnx.String, []int{1}), "is not possible"},
	} {
		if _, err := RandomInputs(&onnx.Model{Graph: &onnx.Graph{Inputs: []*onnx.Value{c.v}}}, 1, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TensorFlow's ":0" behind a value's name: in the model, in the reference, in both or in none.
func TestReferenceColon(t *testing.T) {
	for _, c := range [][2]string{{"a:0", "a:0"}, {"a:0", "a"}, {"a", "a:0"}, {"a", "a"}} {
		m := newNet(13).x(1, 2).node("r = Relu(x)").node("y = Neg(r)").out("y")
		m.Graph.Nodes[0].Outputs[0], m.Graph.Nodes[1].Inputs[0] = c[0], c[0]
		in := randomInputs(m, 1)
		r := referenceOf(t, m, in, c[0])
		r.Values[0].Name, r.byValue = c[1], true
		got, err := Compare(context.Background(), m, r, CompareOptions{})
		if err != nil || !got.OK() || len(got.Layers) != 1 || got.Layers[0].Value != c[0] {
			t.Errorf("%q compared with %q: %+v, %v", c[0], c[1], got, err)
		}
	}
}

// Products of 8-bit numbers that differ from ONNX Runtime's are no fault of the model where its processor adds them up in too
// few bits: the cause says so.
func TestCompareProductsOf8Bits(t *testing.T) {
	net := func(w ...int8) *onnx.Model {
		return newNet(17).x(-1, 2).add("w", onnx.Of([]int{2, 2}, w)).
			node("q, s, o = DynamicQuantizeLinear(x)").node("p = MatMulInteger(q, w)").node("y = Cast(p)", op.Attr("to", 1)).out("y")
	}
	wrong := net(1, 2, 3, 4)
	in := randomInputs(wrong, 2)
	for source, want := range map[string]string{"ort": "8-bit products: on processors without VNNI", "test_data_set_0": ""} {
		r := referenceOf(t, net(100, 2, 3, 4), in, "p", "y")
		r.Source, r.byValue = source, true
		got, err := Compare(context.Background(), wrong, r, CompareOptions{Diagnose: true, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got.First != 0 || want == "" && got.Cause != "" || !strings.HasPrefix(got.Cause, want) {
			t.Errorf("%s: first %d, cause %q, want %q", source, got.First, got.Cause, want)
		}
	}
}
