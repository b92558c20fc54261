package op_test

import (
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// values64 makes a float64 tensor of a list.
func values64(v ...float64) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }

// spread has numbers on both sides of 0 and of all kinks of the activations.
func spread() *onnx.Tensor {
	return values64(-25, -6.5, -3.5, -2.2, -1.3, -0.7, -0.4, -0.01, 0.02, 0.3, 0.6, 0.9, 1.7, 2.9, 3.2, 7.5, 25)
}

func TestActivationGradients(t *testing.T) {
	var cases []gradCase
	add := func(name string, opset int, n *onnx.Node) {
		cases = append(cases, gradCase{name: name, node: n, opset: opset, in: []*onnx.Tensor{spread()}})
	}
	for _, name := range []string{"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish",
		"Mish", "Gelu", "Swish", "Tanh", "Softplus", "Softsign", "Erf", "Shrink"} {
		add(name, 0, gradNode(name))
	}
	add("LeakyRelu, alpha", 0, gradNode("LeakyRelu", op.Attr("alpha", float32(0.3))))
	add("LeakyRelu, negative alpha", 0, gradNode("LeakyRelu", op.Attr("alpha", float32(-0.5))))
	add("Elu, alpha", 0, gradNode("Elu", op.Attr("alpha", float32(2.5))))
	add("Elu, negative alpha", 0, gradNode("Elu", op.Attr("alpha", float32(-1.5))))
	add("Selu, alpha and gamma", 0, gradNode("Selu", op.Attr("alpha", float32(0.5)), op.Attr("gamma", float32(3))))
	add("Selu, negative gamma", 0, gradNode("Selu", op.Attr("alpha", float32(0.5)), op.Attr("gamma", float32(-3))))
	add("Selu, opset 1", 1, gradNode("Selu"))
	add("Celu, alpha", 0, gradNode("Celu", op.Attr("alpha", float32(2))))
	add("Celu, negative alpha", 0, gradNode("Celu", op.Attr("alpha", float32(-20))))
	add("ThresholdedRelu, negative alpha", 0, gradNode("ThresholdedRelu", op.Attr("alpha", float32(-2))))
	add("HardSigmoid, alpha and beta", 0, gradNode("HardSigmoid", op.Attr("alpha", float32(0.5)), op.Attr("beta", float32(0.25))))
	add("Swish, alpha", 0, gradNode("Swish", op.Attr("alpha", float32(0.7))))
	add("Gelu, tanh", 0, gradNode("Gelu", op.Attr("approximate", "tanh")))
	add("Shrink, lambd and bias", 0, gradNode("Shrink", op.Attr("lambd", float32(1.5)), op.Attr("bias", float32(0.5))))
	add("Clip, attributes", 6, gradNode("Clip", op.Attr("min", float32(-1)), op.Attr("max", float32(2))))
	add("Clip, one attribute", 6, gradNode("Clip", op.Attr("max", float32(2))))
	for _, name := range []string{"Gelu", "QuickGelu"} {
		add("com.microsoft."+name, 0, &onnx.Node{Name: "n", Domain: "com.microsoft", OpType: name})
	}
	bound := func(v float64) *onnx.Tensor { return onnx.Of([]int{}, []float64{v}) }
	cases = append(cases,
		gradCase{name: "Clip, both bounds", node: gradNode("Clip"), in: []*onnx.Tensor{spread(), bound(0), bound(6)}, fixed: []int{1, 2}},
		gradCase{name: "Clip, upper bound", node: gradNode("Clip"), in: []*onnx.Tensor{spread(), nil, bound(1)}, fixed: []int{2}},
		gradCase{name: "Clip, lower bound", node: gradNode("Clip"), in: []*onnx.Tensor{spread(), bound(-1)}, fixed: []int{1}},
		gradCase{name: "Clip, bounds crossed", node: gradNode("Clip"), in: []*onnx.Tensor{spread(), bound(1), bound(-1)}, fixed: []int{1, 2}},
		gradCase{name: "PRelu", node: gradNode("PRelu"), in: []*onnx.Tensor{normal64(1, 2, 3, 4), normal64(2, 3, 1)}},
		gradCase{name: "PRelu, scalar slope", node: gradNode("PRelu"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2)}},
		gradCase{name: "PRelu, slope an element", node: gradNode("PRelu"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 2, 3)}},
		gradCase{name: "PRelu, slope a channel, opset 6", opset: 6, node: gradNode("PRelu"), in: []*onnx.Tensor{normal64(1, 2, 3, 4), normal64(2, 3)}},
		gradCase{name: "PRelu, slope only", node: gradNode("PRelu"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 3)}, fixed: []int{0}},
	)
	checkGradients(t, cases)
}

func TestUnaryMathGradients(t *testing.T) {
	inside, above, wide := values64(-0.9, -0.5, -0.1, 0.2, 0.7), values64(1.1, 1.5, 4), values64(-2.3, -0.6, 0.3, 1.2, 2.8)
	var cases []gradCase
	for _, c := range []struct {
		name string
		x    *onnx.Tensor
	}{
		{"Sqrt", above}, {"Exp", wide}, {"Log", above}, {"Abs", wide}, {"Neg", wide}, {"Reciprocal", wide}, {"Sin", wide}, {"Cos", wide},
		{"Tan", inside}, {"Asin", inside}, {"Acos", inside}, {"Atan", wide}, {"Sinh", wide}, {"Cosh", wide}, {"Asinh", wide}, {"Acosh", above},
		{"Atanh", inside}, {"Floor", wide}, {"Ceil", wide}, {"Round", wide}, {"Sign", wide}, {"Hardmax", wide},
	} {
		cases = append(cases, gradCase{name: c.name, node: gradNode(c.name), in: []*onnx.Tensor{c.x}})
	}
	cases = append(cases, gradCase{name: "EyeLike", node: gradNode("EyeLike"), in: []*onnx.Tensor{normal64(1, 2, 3)}})
	checkGradients(t, cases)
}

func TestBinaryGradients(t *testing.T) {
	exponent := func(v float64) *onnx.Tensor { return onnx.Of([]int{}, []float64{v}) }
	cases := []gradCase{
		{name: "Pow", node: gradNode("Pow"), in: []*onnx.Tensor{positive64(1, 2, 3), normal64(2, 2, 3)}},
		{name: "Pow, stretched", node: gradNode("Pow"), in: []*onnx.Tensor{positive64(1, 2, 1), normal64(2, 4, 1, 3)}},
		{name: "Pow, square", node: gradNode("Pow"), in: []*onnx.Tensor{normal64(1, 2, 3), exponent(2)}, fixed: []int{1}},
		{name: "Pow, cube", node: gradNode("Pow"), in: []*onnx.Tensor{normal64(1, 2, 3), exponent(3)}, fixed: []int{1}},
		{name: "Pow, first power", node: gradNode("Pow"), in: []*onnx.Tensor{values64(-1, 0, 2), exponent(1)}, fixed: []int{1}},
		{name: "Pow, power 0", node: gradNode("Pow"), in: []*onnx.Tensor{values64(-1, 0, 2), exponent(0)}, fixed: []int{1}},
		{name: "Pow, powers of 0", node: gradNode("Pow"), in: []*onnx.Tensor{values64(0, 0), values64(1.5, 2)}, fixed: []int{0}},
		{name: "Pow, integer exponent", node: gradNode("Pow"), in: []*onnx.Tensor{normal64(1, 2, 2), onnx.Of([]int{2}, []int64{3, 2})}},
		{name: "Pow, channel exponents, opset 6", opset: 6, node: gradNode("Pow", op.Attr("broadcast", 1), op.Attr("axis", 1)), in: []*onnx.Tensor{positive64(1, 2, 3, 2), normal64(2, 3)}},
		{name: "SwiGLU", node: gradNode("SwiGLU"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 2, 3)}},
		{name: "SwiGLU, alpha", node: gradNode("SwiGLU", op.Attr("alpha", float32(0.7))), in: []*onnx.Tensor{normal64(1, 5), normal64(2, 5)}},
		{name: "Mean", node: gradNode("Mean"), in: []*onnx.Tensor{normal64(1, 2, 2), normal64(2, 1, 2), normal64(3)}},
		{name: "Mod, signs of the divisor", node: gradNode("Mod"), in: []*onnx.Tensor{values64(-7.3, 5.2, 5.3, -1), values64(2, -3, 1.5, -0.3)}},
		{name: "Mod, signs of the dividend", node: gradNode("Mod", op.Attr("fmod", 1)), in: []*onnx.Tensor{values64(-7.3, 5.2, 5.3, -1), values64(2)}},
		{name: "Where", node: gradNode("Where"), in: []*onnx.Tensor{onnx.Of([]int{2, 2}, []bool{true, false, false, true}), normal64(1, 2, 2), normal64(2, 2, 2)}},
		{name: "Where, stretched", node: gradNode("Where"), in: []*onnx.Tensor{onnx.Of([]int{2, 1}, []bool{true, false}), normal64(1, 3), normal64(2, 4, 1, 1)}},
		{name: "Where, one side", node: gradNode("Where"), in: []*onnx.Tensor{onnx.Of([]int{2}, []bool{true, false}), normal64(1, 2), normal64(2)}, fixed: []int{1}},
		{name: "CastLike", node: gradNode("CastLike"), in: []*onnx.Tensor{normal64(1, 3), normal64(2, 2)}},
	}
	for _, name := range []string{"Max", "Min"} {
		cases = append(cases,
			gradCase{name: name, node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 2, 3)}},
			gradCase{name: name + ", one input", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2, 3)}},
			gradCase{name: name + ", four inputs, stretched", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 3), normal64(2, 2, 1), normal64(3), normal64(4, 1, 2, 3)}},
			gradCase{name: name + ", first fixed", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 3), normal64(2, 3)}, fixed: []int{0}},
			gradCase{name: name + ", second fixed", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 3), normal64(2, 3)}, fixed: []int{1}},
		)
	}
	checkGradients(t, cases)
}

// TestGradientStops shows what is not differentiated: what comes through values that are not floating-point numbers has
// the gradient 0.
func TestGradientStops(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []*onnx.Node
	}{
		{"comparison", []*onnx.Node{
			{OpType: "Less", Inputs: []string{"w", "x"}, Outputs: []string{"b"}},
			{OpType: "Cast", Inputs: []string{"b"}, Outputs: []string{"f"}, Attrs: []*onnx.Attribute{op.Attr("to", 1)}},
		}},
		{"ArgMax", []*onnx.Node{
			{OpType: "ArgMax", Inputs: []string{"w"}, Outputs: []string{"b"}},
			{OpType: "Cast", Inputs: []string{"b"}, Outputs: []string{"f"}, Attrs: []*onnx.Attribute{op.Attr("to", 1)}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := onnx.Of([]int{2}, []float32{1, 2})
			w.Name = "w"
			x := onnx.Of([]int{2}, []float32{3, 0})
			x.Name = "x"
			nodes := append(c.nodes, &onnx.Node{OpType: "ReduceSum", Inputs: []string{"f"}, Outputs: []string{"loss"}})
			m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.MaxOpset}}, Graph: &onnx.Graph{Nodes: nodes,
				Initializers: []*onnx.Tensor{w, x}, Outputs: []*onnx.Value{{Name: "loss"}}}}
			p, err := graph.CompileTraining(m, graph.TrainOptions{Train: []string{"w"}, Loss: "loss", Pool: gradPool})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.RunInto(t.Context(), []*onnx.Tensor{w}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range out[1].Float32s() {
				if g != 0 {
					t.Errorf("gradient %v, want 0", out[1].Float32s())
				}
			}
		})
	}
}

// TestHalfGradients goes through values of half precision: their gradients are of half precision, too.
func TestHalfGradients(t *testing.T) {
	for _, typ := range []onnx.DataType{onnx.Float16, onnx.BFloat16} {
		w := onnx.Of([]int{4}, []float32{1, 2, -3, 0.5})
		w.Name = "w"
		m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.MaxOpset}}, Graph: &onnx.Graph{Nodes: []*onnx.Node{
			{OpType: "Cast", Inputs: []string{"w"}, Outputs: []string{"h"}, Attrs: []*onnx.Attribute{op.Attr("to", int(typ))}},
			{OpType: "Relu", Inputs: []string{"h"}, Outputs: []string{"r"}},
			{OpType: "Mul", Inputs: []string{"r", "h"}, Outputs: []string{"q"}},
			{OpType: "ReduceMean", Inputs: []string{"q"}, Outputs: []string{"p"}},
			{OpType: "Cast", Inputs: []string{"p"}, Outputs: []string{"loss"}, Attrs: []*onnx.Attribute{op.Attr("to", int(onnx.Float))}},
		}, Initializers: []*onnx.Tensor{w}, Outputs: []*onnx.Value{{Name: "loss"}}}}
		p, err := graph.CompileTraining(m, graph.TrainOptions{Train: []string{"w"}, Loss: "loss", Pool: gradPool})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.RunInto(t.Context(), []*onnx.Tensor{w}, nil)
		if err != nil {
			t.Fatal(err)
		}
		compareGradient(t, typ.String(), onnx.Data[float64](widened(out[1])), []float64{0.5, 1, 0, 0.25}, 1e-6)
	}
}

// refused checks that training a node is refused.
func refused(t *testing.T, c gradCase, part string) {
	t.Helper()
	m, train := gradModel(c, c.in, true)
	m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{Domain: op.Internal, OpType: "Dot", Inputs: []string{"y0", "y0"}, Outputs: []string{"loss"}})
	m.Graph.Outputs = []*onnx.Value{{Name: "loss"}}
	_, err := graph.CompileTraining(m, graph.TrainOptions{Train: train, Loss: "loss", Pool: gradPool})
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("%s: error %v, want one with %q", c.name, err, part)
	}
}

// TestFusedConvGradients compares with the gradients of the nodes that FusedConv stands for: it has no double precision.
func TestFusedConvGradients(t *testing.T) {
	single := func(seed uint64, shape ...int) *onnx.Tensor {
		x := onnx.New(onnx.Float, shape...)
		for i, v := range onnx.Data[float64](normal64(seed, shape...)) {
			x.Float32s()[i] = float32(v)
		}
		return x
	}
	pads := op.Attr("pads", []int{1, 1, 1, 1})
	names := []string{"x", "w", "b", "z"}
	gradients := func(nodes ...*onnx.Node) ([]*onnx.Tensor, error) {
		r := single(9, 1, 3, 4, 4)
		r.Name = "r"
		g := &onnx.Graph{Nodes: append(nodes, &onnx.Node{Domain: op.Internal, OpType: "Dot", Inputs: []string{"y", "r"}, Outputs: []string{"loss"}}),
			Initializers: []*onnx.Tensor{r}, Outputs: []*onnx.Value{{Name: "loss"}}}
		var args []*onnx.Tensor
		for i, shape := range [][]int{{1, 2, 4, 4}, {3, 2, 3, 3}, {3}, {1, 3, 4, 4}} {
			x := single(uint64(1+i), shape...)
			x.Name = names[i]
			g.Initializers = append(g.Initializers, x)
			args = append(args, x)
		}
		m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.MaxOpset}, {Domain: "com.microsoft", Version: 1}, {Domain: op.Internal, Version: 1}}, Graph: g}
		p, err := graph.CompileTraining(m, graph.TrainOptions{Train: names, Loss: "loss", Pool: gradPool})
		if err != nil {
			return nil, err
		}
		return p.RunInto(t.Context(), args, nil)
	}
	fused := func(activation string, params []float32) *onnx.Node {
		n := &onnx.Node{Name: "n", Domain: "com.microsoft", OpType: "FusedConv", Inputs: names, Outputs: []string{"y"}, Attrs: []*onnx.Attribute{pads, op.Attr("activation", activation)}}
		if params != nil {
			n.Attrs = append(n.Attrs, op.Attr("activation_params", params))
		}
		return n
	}
	alpha := func(v float32) []*onnx.Attribute { return []*onnx.Attribute{op.Attr("alpha", v)} }
	for _, c := range []struct {
		name   string // of the activation
		params []float32
		attrs  []*onnx.Attribute
	}{
		{"Identity", nil, nil}, {"Relu", nil, nil}, {"Clip", []float32{-0.5, 0.5}, nil}, {"LeakyRelu", []float32{0.2}, alpha(0.2)},
		{"Elu", []float32{0.7}, alpha(0.7)}, {"Sigmoid", nil, nil}, {"Tanh", nil, nil}, {"HardSigmoid", []float32{0.25, 0.5}, alpha(0.25)},
	} {
		got, err := gradients(fused(c.name, c.params))
		if err != nil {
			t.Fatal(err)
		}
		act := &onnx.Node{OpType: c.name, Inputs: []string{"s"}, Outputs: []string{"y"}, Attrs: c.attrs}
		nodes := []*onnx.Node{
			{OpType: "Conv", Inputs: names[:3], Outputs: []string{"c"}, Attrs: []*onnx.Attribute{pads}},
			{OpType: "Add", Inputs: []string{"c", "z"}, Outputs: []string{"s"}}, act,
		}
		if c.name == "Clip" {
			act.Inputs = []string{"s", "lo", "hi"}
			for i, name := range act.Inputs[1:] {
				nodes = append(nodes, &onnx.Node{OpType: "Constant", Outputs: []string{name}, Attrs: []*onnx.Attribute{op.Attr("value_float", c.params[i])}})
			}
		}
		want, err := gradients(nodes...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			compareGradient(t, c.name, onnx.Data[float64](widened(got[i])), onnx.Data[float64](widened(want[i])), 1e-5)
		}
	}
	for _, c := range []struct{ name, part string }{{"Silu", "activation Silu"}, {"Rleu", "Rleu"}} {
		if _, err := gradients(fused(c.name, nil)); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.part)
		}
	}
}

// widened converts float32 to float64.
func widened(x *onnx.Tensor) *onnx.Tensor {
	y := onnx.New(onnx.Double, x.Shape...)
	for i, v := range x.Float32s() {
		onnx.Data[float64](y)[i] = float64(v)
	}
	return y
}

func TestRefusedGradients(t *testing.T) {
	refused(t, gradCase{name: "Clip", node: gradNode("Clip"), in: []*onnx.Tensor{spread(), onnx.Of([]int{}, []float64{1})}}, "bounds cannot be trained")
}
