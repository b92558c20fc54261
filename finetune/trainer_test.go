package finetune

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func testNetwork(t *testing.T, outputs int) *Network {
	t.Helper()
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		t.Fatal(err)
	}
	n, err := Split(m, outputs, NetOptions{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestGraphLoss compares the loss of the training graph with that of validation, in double precision, and the norm of
// its gradients with differences of that: they must be one and the same function.
func TestGraphLoss(t *testing.T) {
	for _, c := range []struct {
		name    string
		outputs int
		o       TrainerOptions
		targets []float32
	}{
		{"ce", 3, TrainerOptions{}, []float32{1, 0, 0, 0, 0, 1}},
		{"ce, weighted and smoothed", 3, TrainerOptions{ClassWeights: []float64{1, 2, 4}, LabelSmoothing: 0.1}, []float32{0, 1, 0, 0, 0, 1}},
		{"ce, mixed and weighted", 3, TrainerOptions{ClassWeights: []float64{1, 2, 4}}, []float32{0.25, 0.75, 0, 0.5, 0, 0.5}},
		{"bce", 1, TrainerOptions{Loss: "bce"}, []float32{1, 0}},
		{"bce, weighted", 1, TrainerOptions{Loss: "bce", PosWeight: []float64{3}, LabelSmoothing: 0.1}, []float32{1, 0}},
		{"bce of several", 3, TrainerOptions{Loss: "bce", PosWeight: []float64{1, 2, 0.5}}, []float32{1, 1, 0, 0, 0.3, 1}},
	} {
		trainer, err := NewTrainer(testNetwork(t, c.outputs), c.o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		x := onnx.New(onnx.Float, append([]int{2}, trainer.net.Shape...)...)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range x.Float32s() {
			x.Float32s()[i] = rng.Float32()
		}
		ctx := context.Background()
		cut, err := trainer.Cut(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		want := func() float64 {
			logits, err := trainer.Logits(ctx, cut)
			if err != nil {
				t.Fatal(err)
			}
			loss, weight := trainer.target.loss(logits.Float32s(), c.targets)
			if !(weight > 0) {
				t.Errorf("%s: weight %v", c.name, weight)
			}
			return loss
		}
		r, grads, err := trainer.Gradients(ctx, cut, c.targets)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if w := want(); math.Abs(r.Loss-w) > 1e-5*w {
			t.Errorf("%s: the graph's loss is %v, that of validation %v", c.name, r.Loss, w)
		}
		// Of the last parameter, the bias of the outputs.
		bias, g := trainer.net.Params[1].Value.Float32s(), grads[1]
		for k := range bias {
			const h = 0.01
			was := bias[k]
			bias[k] = was + h
			up := want()
			bias[k] = was - h
			down := want()
			bias[k] = was
			if d := (up - down) / (2 * h); math.Abs(d-float64(g[k])) > 1e-3*max(math.Abs(d), 0.01) {
				t.Errorf("%s: gradient %d is %v, by differences %v", c.name, k, g[k], d)
			}
		}
		trainer.Close()
	}
}

func TestTrainerRefuses(t *testing.T) {
	for _, c := range []struct {
		name, message string
		outputs       int
		o             TrainerOptions
	}{
		{"number of class weights", "2 class weights for 3 outputs", 3, TrainerOptions{ClassWeights: []float64{1, 2}}},
		{"class weights of bce", "want one an output, and loss ce", 1, TrainerOptions{Loss: "bce", ClassWeights: []float64{1}}},
		{"weights of what is there with ce", "and loss bce", 2, TrainerOptions{PosWeight: []float64{1, 1}}},
		{"negative weight", "class weights: -1", 2, TrainerOptions{ClassWeights: []float64{1, -1}}},
		{"loss", `loss "mse"`, 2, TrainerOptions{Loss: "mse"}},
	} {
		if _, err := NewTrainer(testNetwork(t, c.outputs), c.o); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
	trainer, err := NewTrainer(testNetwork(t, 2), TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	cut, err := trainer.Cut(context.Background(), onnx.New(onnx.Float, append([]int{2}, trainer.net.Shape...)...))
	if err != nil {
		t.Fatal(err)
	}
	for name, targets := range map[string][]float32{"too few": {1, 0}, "uneven": {1, 0, 1}, "out of range": {1, 0, 2, 0}, "none": {}} {
		if _, err := trainer.Step(context.Background(), cut, targets, 1); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := trainer.Targets([]int{0, 2}); err == nil {
		t.Error("label 2 of 2 classes is taken")
	}
}
