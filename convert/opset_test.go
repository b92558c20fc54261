package convert

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Every operator whose form changed, from the opset that it is written in to all others: the same results natively and on
// ONNX Runtime, and the checker of the ONNX project has no complaint.
func TestOpset(t *testing.T) {
	targets := []int{7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 20, 21, 23, 25, 28}
	// The newest versions that ONNX Runtime has of operators, where it does not have all up to opset 26.
	atORT := map[string]int{"Swish": 23, "RoiAlign": 21, "LSTM": 13} // LSTM: with the batch first
	check := newChecker(t)
	str := func(name, v string) *onnx.Attribute { return op.Attr(name, v) }
	for _, c := range []struct {
		name   string
		m      *onnx.Model
		lowest int    // version that the model can be expressed in
		why    string // what keeps it from an older one
	}{
		{"Cast to a newer type", newNet(28).x(-1, 3).node("t = Cast(x)", op.Attr("to", int(onnx.Float6E2M3))).node("y = Cast(t)", op.Attr("to", 1)).out("y"), 28, "the type float6e2m3 came with it"},
		{"weights of a newer type", newNet(21).x(-1, 3).add("w", &onnx.Tensor{Type: onnx.Uint4, Shape: []int{3}, Raw: []byte{0x21, 0x03}}).node("c = Cast(w)", op.Attr("to", 1)).node("y = Mul(x, c)").out("y"), 21, "uint4 came with it"},
		{"a constant of a newer type", newNet(21).x(-1, 3).node("w = Constant()", &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: &onnx.Tensor{Type: onnx.Uint4, Shape: []int{3}, Raw: []byte{0x21, 0x03}}}).
			node("c = Cast(w)", op.Attr("to", 1)).node("y = Mul(x, c)").out("y"), 21, "the type uint4 came with it"},
		{"Clip, attributes", newNet(7).x(-1, 3).node("y = Clip(x)", op.Attr("min", float32(-0.5)), op.Attr("max", float32(0.25))).out("y"), 7, ""},
		{"Clip, inputs", newNet(13).x(-1, 3).scalar("lo", -0.5).node("y = Clip(x, lo)").out("y"), 7, ""},
		{"Clip, upper bound", newNet(13).x(-1, 3).scalar("hi", 0.5).node("y = Clip(x, , hi)").out("y"), 7, ""},
		{"Clip, computed", newNet(13).x(-1, 3).ints("ax", 0, 1).node("lo = ReduceSum(x, ax)", op.Attr("keepdims", 0)).node("y = Clip(x, lo)").out("y"), 11, "a bound that is computed"},
		{"Pad", newNet(8).x(-1, 2, 3).node("y = Pad(x)", op.Attr("pads", []int{0, 0, 1, 0, 1, 2}), op.Attr("value", float32(2))).out("y"), 7, ""},
		{"Pad, some axes", newNet(18).x(-1, 2, 3).ints("p", 1, 2).ints("a", -1).scalar("v", 3).node("y = Pad(x, p, v, a)").out("y"), 7, ""},
		{"Pad, edge", newNet(13).x(-1, 2, 3).ints("p", 0, 0, 1, 0, 0, 1).node("y = Pad(x, p)", str("mode", "edge")).out("y"), 7, ""},
		{"Pad, wrap", newNet(19).x(-1, 2, 3).ints("p", 0, 0, 1, 0, 0, 1).node("y = Pad(x, p)", str("mode", "wrap")).out("y"), 19, `mode "wrap"`},
		{"Slice", newNet(9).x(-1, 4, 5).node("y = Slice(x)", op.Attr("axes", []int{1, 2}), op.Attr("starts", []int{1, -3}), op.Attr("ends", []int{3, 9})).out("y"), 7, ""},
		{"Slice, negative axis", newNet(13).x(-1, 4, 5).ints("s", 1).ints("e", 4).ints("a", -1).node("y = Slice(x, s, e, a)").out("y"), 7, ""},
		{"Slice, steps", newNet(13).x(-1, 4, 5).ints("s", 0).ints("e", 5).ints("a", 2).ints("st", 2).node("y = Slice(x, s, e, a, st)").out("y"), 10, "steps"},
		{"Dropout", newNet(7).x(-1, 4).node("y = Dropout(x)", op.Attr("ratio", float32(0.3))).out("y"), 7, ""},
		{"Dropout, inputs", newNet(13).x(-1, 4).scalar("r", 0.3).add("no", onnx.Of([]int{}, []bool{false})).node("y = Dropout(x, r, no)", op.Attr("seed", 1)).out("y"), 7, ""},
		{"Dropout, mask", newNet(13).x(-1, 4).node("z, m = Dropout(x)").node("f = Cast(m)", op.Attr("to", 1)).node("y = Mul(z, f)").out("y"), 12, "a mask"},
		{"TopK", newNet(9).x(-1, 6).node("y, i = TopK(x)", op.Attr("k", 3)).out("y"), 7, ""},
		{"TopK, smallest", newNet(13).x(-1, 6).ints("k", 2).node("y, i = TopK(x, k)", op.Attr("largest", 0)).out("y"), 11, `attribute "largest"`},
		{"TopK, axis", newNet(13).x(-1, 6).ints("k", 2).node("y, i = TopK(x, k)", op.Attr("axis", -1), op.Attr("sorted", 1)).out("y"), 7, ""},
		{"Gemm without bias", newNet(13).x(-1, 4).weight("w", 3, 4).node("y = Gemm(x, w)", op.Attr("transB", 1)).out("y"), 7, ""},
		{"Squeeze, Unsqueeze", newNet(11).x(-1, 1, 4).node("s = Squeeze(x)", op.Attr("axes", []int{-2})).node("y = Unsqueeze(s)", op.Attr("axes", []int{-1, 1})).out("y"), 7, ""},
		{"Squeeze, inputs", newNet(13).x(-1, 1, 4).ints("a", 1).node("s = Squeeze(x, a)").node("y = Unsqueeze(s, a)").out("y"), 7, ""},
		{"ReduceSum, computed", newNet(13).x(-1, 1, 4, 3).node("s = Shape(x)").ints("z", 0).node("a = Gather(s, z)").node("y = ReduceSum(x, a)").out("y"), 13, "axes that are computed"},
		{"Squeeze, computed of constants", newNet(13).x(-1, 1, 4).node("s = Shape(x)").ints("z", 1).node("a = Gather(s, z)").node("y = Squeeze(x, a)").out("y"), 7, ""},
		{"ReduceMean, as PyTorch writes it unoptimised", newNet(18).x(-1, 2, 4).add("n", onnx.Of([]int{1, 1}, []int64{-1})).ints("z", -1).node("a = Reshape(n, z)").node("y = ReduceMean(x, a)").out("y"), 7, ""},
		{"QuantizeLinear, 16 bits", newNet(21).x(-1, 4).scalar("s", 0.1).add("z", onnx.Of([]int{}, []uint16{100})).node("q = QuantizeLinear(x, s, z)").node("y = DequantizeLinear(q, s, z)").out("y"), 21, "quantised numbers of type uint16"},
		{"DequantizeLinear, 16 bits", newNet(21).x(-1, 4).scalar("s", 0.1).add("w", onnx.Of([]int{4}, []int16{100, 2, 3, 4})).node("d = DequantizeLinear(w, s)").node("y = Add(x, d)").out("y"), 21, "quantised numbers of type int16"},
		{"Split, equal", newNet(11).x(-1, 4).node("a, b = Split(x)", op.Attr("axis", 1)).node("y = Sub(a, b)").out("y"), 7, ""},
		{"Split, sizes", newNet(13).x(-1, 5).ints("s", 2, 3).node("y, z = Split(x, s)", op.Attr("axis", -1)).out("y", "z"), 7, ""},
		{"Split, number", newNet(18).x(-1, 5).node("y, z = Split(x)", op.Attr("axis", 1), op.Attr("num_outputs", 2)).out("y", "z"), 7, ""},
		{"Split, number that divides", newNet(18).x(-1, 6).node("y, z = Split(x)", op.Attr("axis", -1), op.Attr("num_outputs", 2)).out("y", "z"), 7, ""},
		{"ReduceSum, ReduceMean", newNet(11).x(-1, 3, 4).node("a = ReduceSum(x)", op.Attr("axes", []int{-1}), op.Attr("keepdims", 1)).
			node("b = ReduceMean(x)", op.Attr("axes", []int{1, 2})).node("y = Add(a, b)").out("y"), 7, ""},
		{"ReduceSum of nothing", newNet(13).x(-1, 3, 4).ints("none").node("y = ReduceSum(x, none)", op.Attr("noop_with_empty_axes", 1)).out("y"), 7, ""},
		{"ReduceMax of everything", newNet(18).x(-1, 3, 4).ints("none").node("y = ReduceMax(x, none)").out("y"), 7, ""},
		{"ReduceL2, inputs", newNet(18).x(-1, 3, 4).ints("a", -1).node("y = ReduceL2(x, a)").out("y"), 7, ""},
		{"negative axes", newNet(11).x(-1, 3, 4).node("a = Concat(x, x)", op.Attr("axis", -1)).node("b = Flatten(a)", op.Attr("axis", -2)).ints("i", 1, 0).
			node("y = Gather(b, i)", op.Attr("axis", -1)).out("y"), 7, ""},
		{"ArgMax", newNet(13).x(-1, 3, 4).node("i = ArgMax(x)", op.Attr("axis", -1), op.Attr("select_last_index", 0)).node("y = Cast(i)", op.Attr("to", 1)).out("y"), 7, ""},
		{"ArgMax, last", newNet(13).x(-1, 3, 4).node("i = ArgMax(x)", op.Attr("select_last_index", 1)).node("y = Cast(i)", op.Attr("to", 1)).out("y"), 12, "select_last_index"},
		{"Softmax, all axes", newNet(11).x(-1, 3, 4).node("y = Softmax(x)").out("y"), 7, ""},
		{"Softmax, last axis", newNet(13).x(-1, 3, 4).node("y = Softmax(x)").out("y"), 7, ""},
		{"LogSoftmax, an inner axis", newNet(13).x(-1, 3, 4).node("y = LogSoftmax(x)", op.Attr("axis", 1)).out("y"), 7, ""},
		{"Softmax, two-dimensional", newNet(7).x(-1, 3).node("y = Softmax(x)").out("y"), 7, ""},
		{"BatchNormalization", newNet(7).x(-1, 3, 2, 2).positive("s", 3).weight("b", 3).weight("m", 3).positive("v", 3).
			node("y = BatchNormalization(x, s, b, m, v)", op.Attr("spatial", 1), op.Attr("epsilon", float32(1e-3))).out("y"), 7, ""},
		{"BatchNormalization, training off", newNet(15).x(-1, 3, 2, 2).positive("s", 3).weight("b", 3).weight("m", 3).positive("v", 3).
			node("y = BatchNormalization(x, s, b, m, v)", op.Attr("training_mode", 0)).out("y"), 7, ""},
		{"MaxPool", newNet(12).x(-1, 2, 7, 7).node("y = MaxPool(x)", op.Attr("kernel_shape", []int{2, 2}), op.Attr("strides", []int{2, 2}), op.Attr("ceil_mode", 0), op.Attr("dilations", []int{1, 1})).out("y"), 7, ""},
		{"MaxPool, ceil", newNet(12).x(-1, 2, 7, 7).node("y = MaxPool(x)", op.Attr("kernel_shape", []int{2, 2}), op.Attr("strides", []int{2, 2}), op.Attr("ceil_mode", 1)).out("y"), 10, `attribute "ceil_mode"`},
		{"MaxPool, indices", newNet(12).x(-1, 2, 4, 4).node("z, i = MaxPool(x)", op.Attr("kernel_shape", []int{2, 2})).node("f = Cast(i)", op.Attr("to", 1)).node("y = Add(z, f)").out("y"), 8, "indices as an output"},
		{"AveragePool, dilated", newNet(19).x(-1, 2, 7, 7).node("y = AveragePool(x)", op.Attr("kernel_shape", []int{2, 2}), op.Attr("dilations", []int{2, 2})).out("y"), 19, `attribute "dilations"`},
		{"Upsample", newNet(7).x(-1, 2, 3, 3).node("y = Upsample(x)", op.Attr("scales", []float32{1, 1, 2, 2})).out("y"), 7, ""},
		{"Upsample, linear", newNet(9).x(-1, 2, 3, 3).add("s", onnx.Of([]int{4}, []float32{1, 1, 2, 2})).node("y = Upsample(x, s)", str("mode", "linear")).out("y"), 7, ""},
		{"Resize, old", newNet(10).x(-1, 2, 6, 6).add("s", onnx.Of([]int{4}, []float32{1, 1, 0.5, 0.5})).node("y = Resize(x, s)").out("y"), 10, "or below 1"},
		{"Resize, half pixel", newNet(13).x(-1, 2, 3, 3).add("s", onnx.Of([]int{4}, []float32{1, 1, 2, 2})).node("y = Resize(x, , s)", str("mode", "linear")).out("y"), 11, `"half_pixel"`},
		{"Resize, asymmetric", newNet(13).x(-1, 2, 3, 3).add("s", onnx.Of([]int{4}, []float32{1, 1, 2, 2})).
			node("y = Resize(x, , s)", str("mode", "nearest"), str("coordinate_transformation_mode", "asymmetric"), str("nearest_mode", "floor")).out("y"), 7, ""},
		{"Resize, sizes", newNet(18).x(2, 2, 3, 3).ints("z", 2, 2, 6, 5).node("y = Resize(x, , , z)", str("coordinate_transformation_mode", "asymmetric"), str("nearest_mode", "floor"), op.Attr("antialias", 0)).out("y"), 11, "sizes instead of scales"},
		{"Resize, antialias", newNet(18).x(2, 2, 6, 6).ints("z", 2, 2, 3, 3).node("y = Resize(x, , , z)", str("mode", "linear"), op.Attr("antialias", 1)).out("y"), 18, `attribute "antialias"`},
		{"Max, Sum", newNet(8).x(-1, 3).node("a = Max(x, x)").node("y = Sum(a, x)").out("y"), 7, ""},
		{"Max, broadcast", newNet(8).x(-1, 3).weight("w", 3).node("y = Max(x, w)").out("y"), 8, "inputs of different shapes"},
		{"Constant", newNet(13).x(-1, 3).node("c = Constant()", op.Attr("value_float", float32(2))).node("y = Mul(x, c)").out("y"), 7, ""},
		{"Shape, part", newNet(15).x(-1, 3, 4).node("s = Shape(x)", op.Attr("start", 1)).node("f = Cast(s)", op.Attr("to", 1)).node("t = ReduceSum(f)").node("y = Mul(x, t)").out("y"), 7, ""},
		{"Reshape", newNet(14).x(-1, 3, 4).ints("s", 0, -1).node("y = Reshape(x, s)", op.Attr("allowzero", 0)).out("y"), 7, ""},
		{"Conv, HardSwish", newNet(14).x(-1, 2, 5, 5).weight("w", 3, 2, 3, 3).node("c = Conv(x, w)").node("y = HardSwish(c)").out("y"), 7, ""},
		{"Mish", newNet(18).x(-1, 4).node("y = Mish(x)").out("y"), 7, ""},
		{"Gelu", newNet(20).x(-1, 4).node("y = Gelu(x)").out("y"), 9, "Erf"},
		{"Gelu, tanh", newNet(20).x(-1, 4).node("y = Gelu(x)", str("approximate", "tanh")).out("y"), 7, ""},
		{"LayerNormalization", newNet(17).x(-1, 3, 4).positive("s", 4).weight("b", 4).node("y = LayerNormalization(x, s, b)", op.Attr("epsilon", float32(1e-3))).out("y"), 7, ""},
		{"LayerNormalization, two axes, no bias", newNet(17).x(-1, 3, 4).positive("s", 3, 4).node("y = LayerNormalization(x, s)", op.Attr("axis", 1)).out("y"), 7, ""},
		{"GroupNormalization, groups", newNet(18).x(-1, 4, 3).positive("s", 2).weight("b", 2).node("y = GroupNormalization(x, s, b)", op.Attr("num_groups", 2)).out("y"), 7, ""},
		{"GroupNormalization, channels", newNet(21).x(-1, 4, 3, 2).positive("s", 4).weight("b", 4).node("y = GroupNormalization(x, s, b)", op.Attr("num_groups", 2), op.Attr("epsilon", float32(1e-3))).out("y"), 7, ""},
		{"GreaterOrEqual", newNet(13).x(-1, 4).scalar("z", 0).node("g = GreaterOrEqual(x, z)").node("y = Cast(g)", op.Attr("to", 1)).out("y"), 7, ""},
		{"LessOrEqual", newNet(13).x(-1, 4).scalar("z", 0).node("g = LessOrEqual(x, z)").node("y = Cast(g)", op.Attr("to", 1)).out("y"), 7, ""},
		{"Where", newNet(13).x(-1, 4).scalar("z", 0).node("g = Greater(x, z)").node("y = Where(g, x, z)").out("y"), 9, "came with opset 9"},
		{"QuantizeLinear", newNet(13).x(-1, 4).scalar("s", 0.1).add("z", onnx.Of([]int{}, []uint8{100})).node("q = QuantizeLinear(x, s, z)", op.Attr("axis", 1)).node("y = DequantizeLinear(q, s, z)").out("y"), 10, "came with opset 10"},
		{"QuantizeLinear, per channel", newNet(13).x(-1, 2).add("s", onnx.Of([]int{2}, []float32{0.1, 0.2})).add("z", onnx.Of([]int{2}, []uint8{100, 0})).node("q = QuantizeLinear(x, s, z)").node("y = DequantizeLinear(q, s, z)").out("y"), 13, "a scale for each channel"},
		{"DepthToSpace", newNet(13).x(-1, 8, 2, 2).node("y = DepthToSpace(x)", op.Attr("blocksize", 2), str("mode", "DCR")).out("y"), 7, ""},
		{"DepthToSpace, CRD", newNet(13).x(-1, 8, 2, 2).node("y = DepthToSpace(x)", op.Attr("blocksize", 2), str("mode", "CRD")).out("y"), 11, `attribute "mode"`},
		{"SpaceToDepth", newNet(13).x(-1, 2, 4, 2).node("y = SpaceToDepth(x)", op.Attr("blocksize", 2)).out("y"), 7, ""},
		{"SpaceToDepth, CRD", newNet(28).x(-1, 2, 4, 2).node("y = SpaceToDepth(x)", op.Attr("blocksize", 2), str("mode", "CRD")).out("y"), 28, `attribute "mode"`},
		{"RoiAlign", newNet(10).x(1, 2, 8, 8).add("r", onnx.Of([]int{1, 4}, []float32{1, 1, 6, 7})).ints("b", 0).node("y = RoiAlign(x, r, b)", op.Attr("output_height", 2), op.Attr("output_width", 3)).out("y"), 10, "came with opset 10"},
		{"RoiAlign, half pixel", newNet(16).x(1, 2, 8, 8).add("r", onnx.Of([]int{1, 4}, []float32{1, 1, 6, 7})).ints("b", 0).node("y = RoiAlign(x, r, b)", op.Attr("output_height", 2), op.Attr("output_width", 3)).out("y"), 16, `"half_pixel"`},
		{"GridSample", newNet(16).x(1, 2, 4, 4).add("g", onnx.Of([]int{1, 1, 2, 2}, []float32{-0.5, 0.3, 0.7, -0.9})).node("y = GridSample(x, g)", str("mode", "bicubic")).out("y"), 16, "came with opset 16"},
		{"GridSample, newer names", newNet(22).x(1, 2, 4, 4).add("g", onnx.Of([]int{1, 1, 2, 2}, []float32{-0.5, 0.3, 0.7, -0.9})).node("y = GridSample(x, g)", str("mode", "linear"), op.Attr("align_corners", 1)).out("y"), 16, "came with opset 16"},
		{"GridSample of volumes", newNet(20).x(1, 1, 2, 2, 2).add("g", onnx.Of([]int{1, 1, 1, 1, 3}, []float32{-0.5, 0.3, 0.7})).node("y = GridSample(x, g)").out("y"), 20, "rank 4"},
		{"GRU", newNet(14).x(3, 1, 2).weight("w", 1, 6, 2).weight("r", 1, 6, 2).node("y = GRU(x, w, r)", op.Attr("hidden_size", 2), op.Attr("layout", 0)).out("y"), 7, ""},
		{"LSTM, batch first", newNet(14).x(1, 3, 2).weight("w", 1, 8, 2).weight("r", 1, 8, 2).node("y = LSTM(x, w, r)", op.Attr("hidden_size", 2), op.Attr("layout", 1)).out("y"), 14, `attribute "layout"`},
		{"Attention", newNet(24).x(1, 2, 3, 4).node("y = Attention(x, x, x)").out("y"), 23, "came with opset 23"},
		{"SwiGLU", newNet(28).x(-1, 4).node("y = SwiGLU(x, x)").out("y"), 28, "came with opset 28"},
		{"ScatterElements", newNet(13).x(2, 3).add("i", onnx.Of([]int{1, 3}, []int64{1, 0, 1})).weight("u", 1, 3).node("y = ScatterElements(x, i, u)").out("y"), 9, "came with opset 9"},
		{"Swish", newNet(24).x(-1, 4).node("y = Swish(x)", op.Attr("alpha", float32(1.5))).out("y"), 7, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := bytesOf(t, c.m)
			in := randomInputs(c.m, 2)
			for _, to := range targets {
				got, err := Opset(c.m, to)
				if to < c.lowest {
					if err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), "node \"") && !strings.Contains(err.Error(), `initializer "`) {
						t.Errorf("opset %d: %v, want %q", to, err, c.why)
					}
					continue
				}
				if err != nil {
					t.Errorf("opset %d: %v", to, err)
					continue
				}
				t.Run(fmt.Sprint(to), func(t *testing.T) {
					if got.OpsetVersion("") != to {
						t.Errorf("says opset %d", got.OpsetVersion(""))
					}
					sameResultsOn(t, "native", c.m, got, in, 1e-5)
					if newest := atORT[c.m.Graph.Nodes[len(c.m.Graph.Nodes)-1].OpType]; to > 26 || newest > 0 && to > newest {
						return
					}
					t.Run("ort", func(t *testing.T) {
						needORT(t)
						sameResultsOn(t, "ort", c.m, got, in, 1e-5)
					})
					check.add(t, fmt.Sprintf("%s, opset %d", c.name, to), got)
				})
			}
			if !slices.Equal(bytesOf(t, c.m), before) {
				t.Error("the given model has changed")
			}
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
}

// A file that says spatial=0 with one statistic a channel means spatial; with others it is refused.
func TestOpsetSpatial(t *testing.T) {
	of := func(shape ...int) *onnx.Model {
		return newNet(7).x(-1, 3, 2).positive("s", shape...).weight("b", shape...).weight("m", shape...).positive("v", shape...).
			node("y = BatchNormalization(x, s, b, m, v)", op.Attr("spatial", 0)).out("y")
	}
	m := of(3)
	got, err := Opset(m, 13)
	if err != nil {
		t.Fatal(err)
	}
	sameResults(t, m, got, randomInputs(m, 2), 1e-6)
	if _, err := Opset(of(3, 2), 13); err == nil || !strings.Contains(err.Error(), "statistics of each pixel") {
		t.Error(err)
	}
}

func TestOpsetErrors(t *testing.T) {
	two := newNet(13).x(-1, 4).scalar("z", 0).node("g = Greater(x, z)").node("h = Where(g, x, z)").node("y = Where(g, h, z)").out("y")
	_, err := Opset(two, 8)
	if err == nil || strings.Count(err.Error(), "(Where)") != 2 {
		t.Errorf("all nodes at once: %v", err)
	}
	unknown := newNet(13).x(-1, 4).node("y = NoSuch(x)").out("y")
	for _, c := range []struct {
		m    *onnx.Model
		to   int
		want string
	}{
		{two, 6, "want 7 to"}, {two, MaxOpset + 1, "want 7 to"}, {newNet(6).x(1).out("x"), 13, "the model is of opset 6"},
		{unknown, 17, "the operator is not known here"},
		{&onnx.Model{Graph: &onnx.Graph{}}, 13, "does not say which version"},
		{&onnx.Model{Opsets: []onnx.Opset{{Version: 13}}}, 13, "no graph"},
	} {
		if _, err := Opset(c.m, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("to %d: %v, want %q", c.to, err, c.want)
		}
	}
}

// Nodes of sub-graphs are converted, too.
func TestOpsetSubgraph(t *testing.T) {
	branch := func(name string, nodes ...*onnx.Node) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttrGraph, Graph: &onnx.Graph{Name: name, Nodes: nodes, Outputs: []*onnx.Value{{Name: nodes[len(nodes)-1].Outputs[0], Type: &onnx.Type{Elem: onnx.Float}}}}}
	}
	clip := &onnx.Node{Name: "n_c", OpType: "Clip", Inputs: []string{"x"}, Outputs: []string{"c"}, Attrs: []*onnx.Attribute{op.Attr("min", float32(0))}}
	neg := &onnx.Node{Name: "n_d", OpType: "Neg", Inputs: []string{"x"}, Outputs: []string{"d"}}
	m := newNet(10).x(2, 3).node("s = Shape(x)").ints("i", 0).node("d0 = Gather(s, i)").ints("two", 2).node("e = Equal(d0, two)").ints("none").node("cond = Squeeze(e)").
		node("y = If(cond)", branch("then_branch", clip), branch("else_branch", neg)).out("y")
	got, err := Opset(m, 13)
	if err != nil {
		t.Fatal(err)
	}
	sameResults(t, m, got, randomInputs(m, 2), 0)
	again, err := Opset(got, 9)
	if err != nil {
		t.Fatal(err)
	}
	sameResults(t, m, again, randomInputs(m, 2), 0)
}
