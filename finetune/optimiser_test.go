package finetune

import (
	"math"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestGroups has parameters of which each kind goes its own way: the base at a lower rate, biases and normalisations
// without decay where that is asked for, and layers at rates of their own.
func TestGroups(t *testing.T) {
	param := func(base, norm bool) *Param {
		return &Param{Value: onnx.Of([]int{1}, []float32{1}), Base: base, Norm: norm}
	}
	for _, c := range []struct {
		name string
		o    OptimOptions
		want []float64 // of a weight and a bias of the head, a weight and a bias of the base
	}{
		// w -= rate*(g + decay*w), with g = 1
		{"sgd", OptimOptions{Optimizer: "sgd", BaseLRScale: 0.1}, []float64{0.9, 0.9, 0.99, 0.99}},
		{"decay", OptimOptions{Optimizer: "sgd", BaseLRScale: 0.1, WeightDecay: 0.5}, []float64{0.85, 0.85, 0.985, 0.985}},
		{"decay of weights", OptimOptions{Optimizer: "sgd", BaseLRScale: 0.1, WeightDecay: 0.5, NoDecayBias: true}, []float64{0.85, 0.9, 0.985, 0.99}},
		// w *= 1 - rate*decay, w -= rate*g/(|g|+1e-8)
		{"adamw", OptimOptions{Optimizer: "adamw", BaseLRScale: 0.5, WeightDecay: 0.5, NoDecayBias: true}, []float64{0.85, 0.9, 0.925, 0.95}},
		// The base's weight lies two layers deeper, its bias one: at a quarter and a half of the base's rate.
		{"by layer", OptimOptions{Optimizer: "sgd", BaseLRScale: 0.4, LayerDecay: 0.5}, []float64{0.9, 0.9, 0.99, 0.98}},
	} {
		params := []*Param{param(false, false), param(false, true), param(true, false), param(true, true)}
		params[2].Depth, params[3].Depth = 2, 1
		if err := c.o.complete(); err != nil {
			t.Fatal(err)
		}
		op := newOptimiser(c.o, params, par.Shared(1))
		op.step(params, [][]float32{{1}, {1}, {1}, {1}}, 0.1)
		for i, p := range params {
			if got := float64(p.Value.Float32s()[0]); math.Abs(got-c.want[i]) > 1e-6 {
				t.Errorf("%s, parameter %d: %v, want %v", c.name, i, got, c.want[i])
			}
		}
	}
}

// TestClip scales gradients as torch.nn.utils.clip_grad_norm_ does: by limit/(norm+1e-6), where they are longer.
func TestClip(t *testing.T) {
	for _, c := range []struct{ limit, want float64 }{{0, 3}, {6, 3}, {2.5, 1.5}} {
		op := newOptimiser(OptimOptions{GradClip: c.limit}, nil, par.Shared(1))
		g := [][]float32{{3}, {0, 4}}
		norm := op.norm(g)
		if norm != 5 {
			t.Fatalf("norm %v", norm)
		}
		op.clip(g, norm)
		if math.Abs(float64(g[0][0])-c.want) > 1e-5 {
			t.Errorf("limit %v: %v, want %v", c.limit, g[0][0], c.want)
		}
	}
}

// TestAverage: a = d*a + (1-d)*w.
func TestAverage(t *testing.T) {
	a := [][]float32{{1, 2}}
	average(par.Shared(1), []*Param{{Value: onnx.Of([]int{2}, []float32{5, 10})}}, a, 0.75)
	if !slices.Equal(a[0], []float32{2, 4}) {
		t.Errorf("%v", a[0])
	}
}
