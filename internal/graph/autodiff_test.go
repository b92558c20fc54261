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
