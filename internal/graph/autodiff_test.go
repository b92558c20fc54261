package graph

import (
	"errors"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// The loss mean((x*w)^2 + w) over 2 elements has the gradient (2*x*x*w + 1)/2 by w, and none by a weight it does not see.
func TestCompileTraining(t *testing.T) {
	model := func(square string) *onnx.Model {
		return build(13).in("x", onnx.Float, -1).weight("w", f32([]int{2}, 3, 4)).weight("unseen", f32([]int{1}, 5)).weight("ids", i64(1)).weight("halves", f32([]int{2}, 0.5, 0.5)).
			node("p = Mul(x, w)").node(square).node("s = Add(q, w)").node("loss = MatMul(s, halves)").out("loss")
	}
	o := TrainOptions{Shapes: map[string][]int{"x": {2}}, Train: []string{"w", "unseen"}, Loss: "loss", Outputs: []string{"p"}, Pool: testPool}
	p, err := CompileTraining(model("q = Mul(p, p)"), o)
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2), "w": f32([]int{2}, 3, 4), "unseen": f32([]int{1}, 5)})
	wantFloats(t, out["loss"], (9+3+64+4)/2.0)
	wantFloats(t, out["p"], 3, 8)
	wantFloats(t, out[GradName("w")], (2*3+1)/2.0, (2*4*4+1)/2.0)
	wantFloats(t, out[GradName("unseen")], 0)

	for _, c := range []struct {
		m    *onnx.Model
		edit func(o *TrainOptions)
		want string
	}{
		{&onnx.Model{}, func(*TrainOptions) {}, "no graph"},
		{model("q = Mul(p, p)"), func(o *TrainOptions) { o.Train = []string{"nope"} }, `no weight "nope"`},
		{model("q = Mul(p, p)"), func(o *TrainOptions) { o.Train = []string{"ids"} }, "cannot be trained"},
		{model("q = Mul(p, p)"), func(o *TrainOptions) { o.Loss = "p" }, `the loss "p" is float32[2]`},
		{model("q = Mul(p, p)"), func(o *TrainOptions) { o.Loss = "nope" }, `no value "nope"`},
	} {
		bad := o
		c.edit(&bad)
		if _, err := CompileTraining(c.m, bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	var stuck *NotDifferentiableError
	if _, err := CompileTraining(model("qz, q, zp = DynamicQuantizeLinear(p)"), o); !errors.As(err, &stuck) || !strings.Contains(err.Error(), "(DynamicQuantizeLinear)") {
		t.Errorf("error %v", err)
	}
}

// Gradients by an input, and guided ones: only positive gradients pass a rectifier backwards.
func TestCompileTrainingByInput(t *testing.T) {
	model := func(rectifier string) *onnx.Model {
		return build(13).in("x", onnx.Float, 4).in("ids", onnx.Int64, 1).weight("zero", f32(nil, 0)).weight("six", f32(nil, 6)).weight("one", f32(nil, 1)).
			weight("w", f32([]int{4}, 2, -3, 4, -5)).node(rectifier).node("s = Mul(r, w)").node("loss = ReduceSum(s)").out("loss")
	}
	x := f32([]int{4}, 1, 2, -1, -2)
	for _, c := range []struct {
		rectifier string
		guided    bool
		want      []float32
	}{
		{"r = Relu(x)", false, []float32{2, -3, 0, 0}},
		{"r = Relu(x)", true, []float32{2, 0, 0, 0}},
		{"r = Clip(x, zero, six)", false, []float32{2, -3, 0, 0}},
		{"r = Clip(x, zero, six)", true, []float32{2, 0, 0, 0}},
		{"r = Clip(x, one, six)", true, []float32{0, -3, 0, 0}}, // not from 0: no rectifier
		{"r = Abs(x)", true, []float32{2, -3, -4, 5}},
	} {
		p, err := CompileTraining(model(c.rectifier), TrainOptions{Shapes: map[string][]int{"x": {4}, "ids": {1}}, Train: []string{"x"}, Loss: "loss", Pool: testPool, Guided: c.guided})
		if err != nil {
			t.Fatal(err)
		}
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": x, "ids": i64(1)})
		wantFloats(t, out[GradName("x")], c.want...)
	}
	if _, err := CompileTraining(model("r = Relu(x)"), TrainOptions{Shapes: map[string][]int{"x": {4}, "ids": {1}}, Train: []string{"ids"}, Loss: "loss", Pool: testPool}); err == nil || !strings.Contains(err.Error(), `"ids" of type int64 has no gradient`) {
		t.Errorf("error %v", err)
	}
	old := build(10).in("x", onnx.Float, 2).weight("w", f32([]int{2}, -1, 2)).node("r = Clip(x)").node("s = Mul(r, w)").node("loss = ReduceSum(s)").out("loss")
	old.Graph.Nodes[0].Attrs = []*onnx.Attribute{{Name: "min", Type: onnx.AttrFloat}, {Name: "max", Type: onnx.AttrFloat, F: 6}}
	p, err := CompileTraining(old, TrainOptions{Shapes: map[string][]int{"x": {2}}, Train: []string{"x"}, Loss: "loss", Pool: testPool, Guided: true})
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 1)})[GradName("x")], 0, 2)
}
