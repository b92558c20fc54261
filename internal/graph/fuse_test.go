package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func floatAttr(name string, v float32) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

func stringAttr(name, v string) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrString, S: []byte(v)}
}

// Each pattern comes to so many steps, and computes what the nodes compute one by one.
func TestFusePatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	image := func(opset int64) *builder { return build(opset).in("x", onnx.Float, -1, 4, 6, 6) }
	weights := func(b *builder) *builder {
		return b.weight("w", random(r, 6, 4, 3, 3)).weight("b", random(r, 6)).
			weight("c", random(r, 6, 1, 1)).weight("s", f32(nil, 0.5)).weight("lo", f32(nil, 0)).weight("hi", f32(nil, 6)).
			weight("w2", random(r, 6, 4, 3, 3)).weight("row", random(r, 4)).weight("huge", f32(nil, 3e38)).
			weight("g", random(r, 6)).weight("h", random(r, 6)).weight("m", random(r, 6)).weight("v", f32([]int{6}, 1, 2, 3, 0.5, 1, 2)).
			weight("nan", f32(nil, float32(math.NaN())))
	}
	conv := func() *builder { return weights(image(17)).node("k = Conv(x, w, b)") }
	same := []*onnx.Attribute{intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1)}
	mixed := func(outputs int, pool ...*onnx.Attribute) *builder {
		return weights(image(17)).weight("few", random(r, outputs, 4, 1, 1)).weight("fb", random(r, outputs)).
			node("q = AveragePool(x)", pool...).node("k = Conv(q, few, fb)")
	}
	norm := "BatchNormalization(%s, g, h, m, v)"
	up := func(group int) *builder {
		return weights(image(17)).weight("wt", random(r, 4, 6/group, 3, 3)).node("k = ConvTranspose(x, wt, b)", intAttr("group", int64(group)))
	}
	dense := func() *builder {
		return weights(build(17).in("x", onnx.Float, -1, 4)).weight("d", random(r, 4, 6)).weight("dt", random(r, 6, 4)).
			weight("b1", random(r, 1, 6)).weight("col", random(r, 2, 1))
	}
	padded := func(opset int64, mode string, value float32, pads ...int64) *builder {
		return weights(image(opset)).weight("p", i64(pads...)).weight("pv", f32(nil, value)).
			node("q = Pad(x, p, pv)", stringAttr("mode", mode))
	}
	toLast, toFirst := intsAttr("perm", 0, 2, 3, 1), intsAttr("perm", 0, 3, 1, 2)
	for _, c := range []struct {
		name  string
		m     *onnx.Model
		steps int
	}{
		{"pooled later", mixed(2, same...).node("y = Relu(k)").out("y"), 4},
		{"pooled later, and what lies outside counted", mixed(2, append(same, intAttr("count_include_pad", 1))...).out("k"), 3},
		{"pooled later, without a bias", weights(image(17)).node("q = AveragePool(x)", same...).weight("few", random(r, 2, 4, 1, 1)).node("y = Conv(q, few)").out("y"), 2},
		{"another activation stays", mixed(2, same...).node("y = LeakyRelu(k)").out("y"), 2},
		{"as many outputs stay", mixed(3, same...).out("k"), 2},
		{"a pool that is read elsewhere stays", mixed(2, same...).out("k", "q"), 2},
		{"a pool that leaves less stays", mixed(2, same[0]).out("k"), 2},
		{"clip", conv().node("y = Clip(k, lo, hi)").out("y"), 1},
		{"clip with bounds the wrong way round stays", conv().node("y = Clip(k, hi, lo)").out("y"), 2},
		{"clip with a bound that is no number stays", conv().node("a = Clip(k, nan, hi)").node("n = IsNaN(a)").node("y = Cast(n)", intAttr("to", 1)).out("y"), 4},
		{"clip of opset 6", weights(image(6)).node("k = Conv(x, w, b)").node("y = Clip(k)", floatAttr("min", -1), floatAttr("max", 1)).out("y"), 1},
		{"leaky", conv().node("y = LeakyRelu(k)", floatAttr("alpha", 0.3)).out("y"), 1},
		{"hard sigmoid", conv().node("y = HardSigmoid(k)", floatAttr("alpha", 0.3), floatAttr("beta", 0.4)).out("y"), 1},
		{"channel term", conv().node("y = Add(c, k)").out("y"), 1},
		{"channel term taken off", conv().node("y = Sub(k, c)").out("y"), 1},
		{"taken off a channel term", conv().node("y = Sub(c, k)").out("y"), 1},
		{"channel factor", conv().node("y = Mul(k, c)").out("y"), 1},
		{"channel divisor", conv().node("y = Div(k, c)").out("y"), 1},
		{"divided by the result stays", conv().node("y = Div(c, k)").out("y"), 2},
		{"scalar factor", conv().node("y = Mul(s, k)").out("y"), 1},
		{"factor along width stays", conv().node("y = Mul(k, row)").out("y"), 2},
		{"factor that makes weights infinite stays", conv().node("a = Mul(k, huge)").node("y = Clip(a, lo, hi)").out("y"), 3},
		{"factor, term, activation", conv().node("m2 = Mul(k, c)").node("a = Add(m2, s)").node("y = Sigmoid(a)").out("y"), 1},
		{"normalisation, factor, term", conv().node("n = " + fmt.Sprintf(norm, "k")).node("m2 = Mul(n, c)").node("y = Add(m2, c)").out("y"), 1},
		{"normalisation that names empty outputs", conv().node("y, ,  = " + fmt.Sprintf(norm, "k")).out("y"), 1},
		{"normalisation of another value too stays", conv().node("y = "+fmt.Sprintf(norm, "k")).out("y", "k"), 2},
		{"weights of two convolutions", conv().node("k2 = Conv(x, w, b)").node("n = " + fmt.Sprintf(norm, "k")).node("y = Sub(n, k2)").out("y"), 3},
		{"two convolutions summed", conv().node("k2 = Conv(x, w2)").node("a = Add(k, k2)").node("y = Relu(a)").out("y"), 2},
		{"sum with itself stays", conv().node("y = Add(k, k)").out("y"), 2},
		{"read twice stays", conv().node("a = Relu(k)").node("y = Add(a, k)").out("y"), 3},
		{"activation after a sum is last", conv().node("k2 = Conv(x, w2)").node("a = Relu(k2)").node("y = Add(k, a)").out("y"), 2},
		{"sum after an activation stays apart", conv().node("a = Relu(k)").node("k2 = Conv(x, w2)").node("q = Relu(k2)").node("y = Add(a, q)").out("y"), 3},
		{"broadcast sum stays", conv().node("g2 = GlobalAveragePool(k)").node("k2 = Conv(x, w2)").node("y = Add(k2, g2)").out("y"), 4},
		{"constant of the whole shape stays", weights(build(17).in("x", onnx.Float, 2, 4, 6, 6)).weight("z", random(r, 2, 6, 4, 4)).node("k = Conv(x, w, b)").node("y = Add(k, z)").out("y"), 2},
		{"fused convolution of the model", weights(image(17)).node("k = com.microsoft.FusedConv(x, w, b)", stringAttr("activation", "Relu")).node("y = Tanh(k)").out("y"), 2},
		{"fused convolution without activation", weights(image(17)).node("k2 = Conv(x, w2)").node("k = com.microsoft.FusedConv(x, w, b, k2)").node("y = Relu(k)").out("y"), 2},
		{"dropout in between", conv().node("d, mask = Dropout(k)").node("y = Relu(d)").out("y"), 1},
		{"silu", conv().node("a = Sigmoid(k)").node("y = Mul(a, k)").out("y"), 1},
		{"hard swish", conv().node("a = HardSigmoid(k)", floatAttr("alpha", 1.0/6)).node("y = Mul(k, a)").out("y"), 1},
		{"hard sigmoid of another slope stays", conv().node("a = HardSigmoid(k)").node("y = Mul(k, a)").out("y"), 3},
		{"silu read elsewhere stays", conv().node("a = Sigmoid(k)").node("y = Mul(k, a)").out("y", "a"), 3},
		{"gate of another value stays", conv().node("k2 = Conv(x, w2)").node("a = Sigmoid(k2)").node("y = Mul(k, a)").out("y"), 3},

		{"transposed convolution, normalised", up(1).node("y = " + fmt.Sprintf(norm, "k")).out("y"), 1},
		{"grouped transposed convolution, scaled", up(2).node("m2 = Mul(k, c)").node("y = Add(m2, c)").out("y"), 1},

		{"matmul and row", dense().node("a = MatMul(x, d)").node("y = Add(a, b)").out("y"), 1},
		{"row and matmul", dense().node("a = MatMul(x, d)").node("y = Add(b1, a)").out("y"), 1},
		{"matmul and column stays", dense().node("a = MatMul(x, d)").node("y = Add(a, col)").out("y"), 2},
		{"matmul, row, normalisation", dense().node("a = MatMul(x, d)").node("k = Add(a, b)").node("y = " + fmt.Sprintf(norm, "k")).out("y"), 1},
		{"gemm, normalised", dense().node("k = Gemm(x, dt, b)", intAttr("transB", 1), floatAttr("alpha", 0.5), floatAttr("beta", 2)).node("y = " + fmt.Sprintf(norm, "k")).out("y"), 1},
		{"gemm without bias, scaled", dense().node("k = Gemm(x, d)").node("y = Mul(k, b)").out("y"), 1},
		{"gemm with a column stays", dense().node("k = Gemm(x, d, col)").node("y = Mul(k, b)").out("y"), 2},
		{"matmul of images and row stays", weights(image(17)).weight("d", random(r, 6, 6)).node("a = MatMul(x, d)").node("y = Add(a, b)").out("y"), 2},

		{"pad and convolution", padded(17, "constant", 0, 0, 0, 1, 0, 0, 0, 2, 1).node("y = Conv(q, w, b)", intsAttr("pads", 1, 0, 0, 1)).out("y"), 1},
		{"pad wider than the kernel", padded(17, "constant", 0, 0, 0, 4, 4, 0, 0, 3, 3).node("y = Conv(q, w, b)", stringAttr("auto_pad", "VALID")).out("y"), 1},
		{"pad of opset 2", weights(image(10)).node("q = Pad(x)", intsAttr("pads", 0, 0, 1, 1, 0, 0, 1, 1)).node("y = Conv(q, w, b)").out("y"), 1},
		{"pad along some axes", weights(image(18)).weight("p", i64(1, 2)).weight("ax", i64(-1)).node("q = Pad(x, p, , ax)").node("y = Conv(q, w, b)").out("y"), 1},
		{"pad with ones stays", padded(17, "constant", 1, 0, 0, 1, 0, 0, 0, 2, 1).node("y = Conv(q, w, b)").out("y"), 2},
		{"reflecting pad stays", padded(17, "reflect", 0, 0, 0, 1, 0, 0, 0, 2, 1).node("y = Conv(q, w, b)").out("y"), 2},
		{"pad of channels stays", padded(17, "constant", 0, 0, 1, 0, 0, 0, 1, 0, 0).weight("w6", random(r, 2, 6, 1, 1)).node("y = Conv(q, w6)").out("y"), 2},
		{"cutting pad stays", padded(17, "constant", 0, 0, 0, -1, 0, 0, 0, 0, 0).node("y = Conv(q, w, b)").out("y"), 2},
		{"pad before same padding stays", padded(17, "constant", 0, 0, 0, 1, 0, 0, 0, 0, 0).node("y = Conv(q, w, b)", stringAttr("auto_pad", "SAME_UPPER")).out("y"), 2},
		{"pad read twice stays", padded(17, "constant", 0, 0, 0, 1, 0, 0, 0, 0, 0).node("y = Conv(q, w, b)").out("y", "q"), 2},
		{"pad and average pool", padded(17, "constant", 0, 0, 0, 1, 1, 0, 0, 1, 1).node("y = AveragePool(q)", intsAttr("kernel_shape", 3, 3)).out("y"), 1},
		{"pad and average pool with its own stays", padded(17, "constant", 0, 0, 0, 1, 1, 0, 0, 1, 1).node("y = AveragePool(q)", intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1)).out("y"), 2},
		{"pad as wide as the pool stays", padded(17, "constant", 0, 0, 0, 3, 3, 0, 0, 1, 1).node("y = AveragePool(q)", intsAttr("kernel_shape", 3, 3)).out("y"), 2},
		{"pad and max pool stays", padded(17, "constant", 0, 0, 0, 1, 1, 0, 0, 1, 1).node("y = MaxPool(q)", intsAttr("kernel_shape", 3, 3)).out("y"), 2},

		{"there and back", conv().node("t = Transpose(k)", toLast).node("u = Transpose(t)", toFirst).node("y = Relu(u)").out("y"), 1},
		{"two turns", image(17).node("t = Transpose(x)", toLast).node("y = Transpose(t)", toLast).out("y"), 1},
		{"activation in channels-last", conv().node("t = Transpose(k)", toLast).node("a = Relu(t)").node("y = Transpose(a)", toFirst).out("y"), 1},
		{"term and clip in channels-last", conv().node("t = Transpose(k)", toLast).node("a = Add(t, g)").node("a2 = Clip(a, lo, hi)").node("y = Transpose(a2)", toFirst).out("y"), 1},
		{"taken off in channels-last", conv().node("t = Transpose(k)", toLast).node("a = Sub(g, t)").node("y = Transpose(a)", toFirst).out("y"), 1},
		{"plane in channels-last stays", conv().weight("plane", random(r, 4, 6)).node("t = Transpose(k)", toLast).node("a = Mul(t, plane)").node("y = Transpose(a)", toFirst).out("y"), 4},
		{"residual in channels-last", conv().node("k2 = Conv(x, w2)").node("t = Transpose(k)", toLast).node("t2 = Transpose(k2)", toLast).node("a = Add(t, t2)").node("a2 = Relu(a)").node("y = Transpose(a2)", toFirst).out("y"), 2},
		{"read between stays", conv().node("t = Transpose(k)", toLast).node("a = Relu(t)").node("y = Transpose(a)", toFirst).out("y", "t"), 4},
		{"other turns of a sum stay", image(17).node("t = Transpose(x)", toLast).node("u = Transpose(x)", intsAttr("perm", 0, 3, 2, 1)).node("t2 = ReduceMean(t)").node("y = Add(t2, u)").out("y"), 4},
		{"without perm stays", image(17).node("t = Transpose(x)").node("u = Neg(t)").node("y = Transpose(u)").out("y"), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := map[string]*onnx.Tensor{"x": random(r, 2, 4, 6, 6)}
			if len(c.m.Graph.Inputs[0].Type.Shape) == 2 {
				x["x"] = random(r, 2, 4)
			}
			p := mustCompile(t, c.m, Options{})
			if len(p.steps) != c.steps {
				for _, s := range p.steps {
					t.Log(s.node)
				}
				t.Errorf("%d steps, want %d", len(p.steps), c.steps)
			}
			plain := mustCompile(t, c.m, Options{NoFuse: true})
			got, want := mustRun(t, p, x), mustRun(t, plain, x)
			for _, o := range c.m.Graph.Outputs {
				if fmt.Sprint(got[o.Name].Shape) != fmt.Sprint(want[o.Name].Shape) {
					t.Fatalf("%s: shape %v, want %v", o.Name, got[o.Name].Shape, want[o.Name].Shape)
				}
				wantFloats(t, got[o.Name], want[o.Name].Float32s()...)
			}
		})
	}
}

// A free dimension of one input may be another than that of a second one: a sum of the two is no residual of one shape.
func TestFreeDimensionsMayDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	m := build(17).in("x", onnx.Float, -1, 2, -1, -1).in("z", onnx.Float, -1, 2, -1, -1).weight("w", random(r, 2, 2, 1, 1)).
		node("k = Conv(x, w)").node("y = Add(k, z)").out("y")
	for _, v := range m.Graph.Inputs { // no names: nothing says that they are the same
		for k := range v.Type.Shape {
			v.Type.Shape[k].Param = ""
		}
	}
	in := map[string]*onnx.Tensor{"x": random(r, 1, 2, 3, 3), "z": random(r, 1, 2, 1, 1)}
	want := mustRun(t, mustCompile(t, m, Options{NoFuse: true}), in)
	wantFloats(t, mustRun(t, mustCompile(t, m, Options{}), in)["y"], want["y"].Float32s()...)
}
