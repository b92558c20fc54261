package convert

import (
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// smallNet has what convolutional networks are made of.
func smallNet(opset int) *onnx.Model {
	b := newNet(opset).x(-1, 3, 9, 9).weight("conv.weight", 4, 3, 3, 3).weight("conv.bias", 4).
		positive("bn.weight", 4).weight("bn.bias", 4).weight("bn.running_mean", 4).positive("bn.running_var", 4).
		weight("down.weight", 4, 4, 3, 3).weight("fc.weight", 5, 4).weight("fc.bias", 5)
	return b.node("c = Conv(x, conv.weight, conv.bias)", op.Attr("pads", []int{1, 1, 1, 1})).
		node("n = BatchNormalization(c, bn.weight, bn.bias, bn.running_mean, bn.running_var)").
		node("r = Relu(n)").node("p = MaxPool(r)", op.Attr("kernel_shape", []int{3, 3}), op.Attr("strides", []int{2, 2})).
		node("d = Conv(p, down.weight)", op.Attr("pads", []int{1, 1, 1, 1})).node("a = Add(d, p)").
		node("g = GlobalAveragePool(a)").node("f = Flatten(g)").
		node("l = Gemm(f, fc.weight, fc.bias)", op.Attr("transB", 1)).node("y = Softmax(l)", op.Attr("axis", 1)).out("y")
}

func TestFloat16(t *testing.T) {
	check := newChecker(t)
	for _, c := range []struct {
		name string
		m    *onnx.Model
		kept string // what stays in single precision
		want HalfReport
	}{
		{"network", smallNet(13), "", HalfReport{Tensors: 9}},
		{"older network", smallNet(9), "", HalfReport{Tensors: 9}},
		{"constants", newNet(13).x(-1, 4).node("c = Constant()", op.Attr("value_float", float32(0.5))).node("a = Mul(x, c)").node("y = Add(a, c)").out("y"), "", HalfReport{Tensors: 1}},
		{"out of range", newNet(13).x(-1, 2).add("big", onnx.Of([]int{2}, []float32{1e6, 1})).weight("w", 2).
			node("m = Mul(x, big)").node("d = Div(m, big)").node("e = Add(d, w)").node("y = Mul(e, w)").out("y"), "1e+06", HalfReport{Tensors: 1}},
		{"in both precisions", newNet(13).x(-1, 2).add("big", onnx.Of([]int{2}, []float32{1e6, 1})).weight("w", 2).
			node("s = Add(big, w)").node("d = Div(x, s)").node("e = Add(x, w)").node("y = Add(d, e)").out("y"), "1e+06", HalfReport{Tensors: 1}},
		{"half before single", newNet(13).x(-1, 2).add("big", onnx.Of([]int{2}, []float32{1e6, 1})).weight("w", 2).
			node("e = Add(x, w)").node("s = Add(big, w)").node("d = Div(x, s)").node("y = Add(d, e)").out("y"), "1e+06", HalfReport{Tensors: 1}},
		{"output of a kept node", newNet(13).x(-1, 2).add("big", onnx.Of([]int{2}, []float32{1e6, 1})).node("y = Div(x, big)").node("z = Neg(y)").out("y", "z"), "1e+06", HalfReport{}},
		{"too small", newNet(13).x(-1, 2).add("w", onnx.Of([]int{2}, []float32{1e-9, 1})).node("y = Mul(x, w)").out("y"), "", HalfReport{Tensors: 1, Zeroed: 1}},
		{"Clip", newNet(13).x(-1, 4).scalar("lo", 0).scalar("hi", 3.4e38).node("y = Clip(x, lo, hi)").out("y"), "", HalfReport{Tensors: 2}},
		{"Clip, attributes", newNet(9).x(-1, 4).node("y = Clip(x)", op.Attr("max", float32(3.4e38)), op.Attr("min", float32(0))).out("y"), "", HalfReport{}},
		{"Resize", newNet(13).x(-1, 2, 3, 3).add("s", onnx.Of([]int{4}, []float32{1, 1, 2, 2})).node("y = Resize(x, , s)").out("y"), "", HalfReport{}},
		{"Cast", newNet(13).x(-1, 3).node("s = Shape(x)").node("f = Cast(s)", op.Attr("to", 1)).node("t = ReduceSum(f)").node("y = Mul(x, t)").out("y"), "", HalfReport{}},
		{"Cast at the end", newNet(13).x(-1, 3).node("s = Shape(x)").node("y = Cast(s)", op.Attr("to", 1)).out("y"), "", HalfReport{}},
		{"ConstantOfShape", newNet(13).x(-1, 3).node("s = Shape(x)").node("o = ConstantOfShape(s)", &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: onnx.Of([]int{1}, []float32{2})}).
			node("z = ConstantOfShape(s)").node("a = Add(o, z)").node("y = Mul(x, a)").out("y"), "", HalfReport{}},
		{"EyeLike", newNet(13).x(3, 3).node("e = EyeLike(x)", op.Attr("dtype", 1)).node("y = MatMul(x, e)").out("y"), "", HalfReport{}},
		{"CumSum", newNet(13).x(-1, 3).add("ax", onnx.Of([]int{}, []int64{1})).node("c = CumSum(x, ax)").node("y = Relu(c)").out("y"), "no half precision", HalfReport{}},
		{"integers beside", newNet(13).x(-1, 6).ints("k", 2).node("v, i = TopK(x, k)").node("f = Cast(i)", op.Attr("to", 1)).node("y = Add(v, f)").out("y", "i"), "", HalfReport{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := bytesOf(t, c.m)
			got, report, err := Float16(c.m)
			if err != nil {
				t.Fatal(err)
			}
			if kept := strings.Join(report.Kept, "; "); c.kept == "" && kept != "" || !strings.Contains(kept, c.kept) {
				t.Errorf("kept %q, want %q", kept, c.kept)
			}
			if report.Tensors != c.want.Tensors || report.Zeroed != c.want.Zeroed {
				t.Errorf("%+v, want %+v", report, c.want)
			}
			for _, v := range append(slices.Clone(got.Graph.Inputs), got.Graph.Outputs...) {
				if v.Type.Elem == onnx.Float16 {
					t.Errorf("%s is float16", v.Name)
				}
			}
			sameResults(t, c.m, got, randomInputs(c.m, 2), 4e-3)
			check.add(t, c.name, got)
			if !slices.Equal(bytesOf(t, c.m), before) {
				t.Error("the given model has changed")
			}
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
	if got, _, err := Float16(smallNet(13)); err != nil || len(bytesOf(t, got)) > len(bytesOf(t, smallNet(13)))*3/4 {
		t.Errorf("the weights take as much room as before: %v", err)
	}
	sub := newNet(13).x(2).node("y = If(x)", &onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, Graph: &onnx.Graph{}}).out("y")
	if _, _, err := Float16(sub); err == nil || !strings.Contains(err.Error(), "sub-graphs") {
		t.Error(err)
	}
	if _, _, err := Float16(&onnx.Model{}); err == nil {
		t.Error("a model without graph")
	}
}
