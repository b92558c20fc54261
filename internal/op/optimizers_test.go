package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func trainingNode(opType string, nIn, nOut int, a attrs) *onnx.Node {
	n := node(opType, nIn, nOut, a)
	n.Domain = TrainingDomain
	return n
}

// The conformance cases of ONNX cover the formulas; here are both types, two weights, outputs nobody wants, refusals, and
// the numbers of ONNX's case adam_multiple with the epsilon they were computed with, which its model does not name.
func TestOptimizers(t *testing.T) {
	r, r64, t0, t2 := f32(nil, 0.1), f64(nil, 0.1), i64(nil, 0), i64(nil, 2)
	v := []int{1}
	momentum := attrs{"alpha": 0.5, "beta": 2.0, "norm_coefficient": 0.0, "mode": "standard"}
	runCases(t, []opCase{
		{name: "Momentum, first update", node: trainingNode("Momentum", 5, 2, momentum),
			in: []*onnx.Tensor{r, t0, f32(v, 1), f32(v, 3), f32(v, 4)}, want: []*onnx.Tensor{f32(v, 0.5), f32(v, 5)}},
		{name: "Momentum, later", node: trainingNode("Momentum", 5, 2, momentum),
			in: []*onnx.Tensor{r, t2, f32(v, 1), f32(v, 3), f32(v, 4)}, want: []*onnx.Tensor{f32(v, 0.2), f32(v, 8)}},
		{name: "Momentum, double", node: trainingNode("Momentum", 5, 2, momentum),
			in: []*onnx.Tensor{r64, t2, f64(v, 1), f64(v, 3), f64(v, 4)}, want: []*onnx.Tensor{f64(v, 0.2), f64(v, 8)}},
		{name: "Momentum, two weights", node: trainingNode("Momentum", 8, 4, momentum),
			in:   []*onnx.Tensor{r, t2, f32(v, 1), f64([]int{2}, 1, 2), f32(v, 3), f64([]int{2}, 3, 0), f32(v, 4), f64([]int{2}, 4, 0)},
			want: []*onnx.Tensor{f32(v, 0.2), f64([]int{2}, 0.2, 2), f32(v, 8), f64([]int{2}, 8, 0)}},
		{name: "Momentum, weights only", node: trainingNode("Momentum", 5, 1, momentum),
			in: []*onnx.Tensor{r, t2, f32(v, 1), f32(v, 3), f32(v, 4)}, want: []*onnx.Tensor{f32(v, 0.2)}},
		{name: "Adagrad, double", node: trainingNode("Adagrad", 5, 2, attrs{"decay_factor": 0.5, "epsilon": 1.0}),
			in: []*onnx.Tensor{r64, t2, f64(v, 1), f64(v, 3), f64(v, 16)}, want: []*onnx.Tensor{f64(v, 1-0.05*3/6), f64(v, 25)}},
		{name: "Adagrad", node: trainingNode("Adagrad", 5, 2, attrs{"epsilon": 1.0}),
			in: []*onnx.Tensor{r, t0, f32(v, 1), f32(v, 3), f32(v, 16)}, want: []*onnx.Tensor{f32(v, 1-0.1*3/6), f32(v, 25)}},
		{name: "Adam, double, later", node: trainingNode("Adam", 6, 3, attrs{"alpha": 0.5, "beta": 0.75, "epsilon": 0.0, "norm_coefficient_post": 0.5}),
			in:   []*onnx.Tensor{r64, t2, f64(v, 1), f64(v, 2), f64(v, 0), f64(v, 0)},
			want: []*onnx.Tensor{f64(v, 0.5*(1-0.1*math.Sqrt(1-0.5625)/0.75)), f64(v, 1), f64(v, 1)}},
		{name: "Adam, ONNX's case of two weights", node: trainingNode("Adam", 10, 6, attrs{"alpha": 0.95, "beta": 0.85, "epsilon": 0.01, "norm_coefficient": 0.001}),
			in: []*onnx.Tensor{r, t0, f32(v, 1), f32([]int{2}, 1, 2), f32(v, -1), f32([]int{2}, -1, -3), f32(v, 2), f32([]int{2}, 4, 1), f32(v, 0.5), f32([]int{2}, 1, 10)},
			want: []*onnx.Tensor{f32(v, 0.75913626), f32([]int{2}, 0.6286528, 1.9745853), f32(v, 1.85005), f32([]int{2}, 3.75005, 0.80009997),
				f32(v, 0.5747002), f32([]int{2}, 0.9997002, 9.848201)}},
		{name: "mode", node: trainingNode("Momentum", 5, 2, attrs{"alpha": 0.5, "beta": 2.0, "norm_coefficient": 0.0, "mode": "fast"}), in: []*onnx.Tensor{}, wantErr: `"fast"`},
		{name: "no alpha", node: trainingNode("Momentum", 5, 2, attrs{"beta": 2.0, "norm_coefficient": 0.0, "mode": "standard"}), in: []*onnx.Tensor{}, wantErr: `"alpha" is missing`},
		{name: "inputs", node: trainingNode("Adam", 7, 2, nil), in: []*onnx.Tensor{}, wantErr: "has 7 inputs, wants 2 and 4 for each"},
		{name: "rate", node: trainingNode("Adagrad", 5, 2, nil), in: []*onnx.Tensor{t0, t0, f32(v, 1), f32(v, 3), f32(v, 4)}, wantErr: "learning rate"},
		{name: "count", node: trainingNode("Adagrad", 5, 2, nil), in: []*onnx.Tensor{r, r, f32(v, 1), f32(v, 3), f32(v, 4)}, wantErr: "learning rate and count"},
		{name: "state of another shape", node: trainingNode("Adagrad", 5, 2, nil), in: []*onnx.Tensor{r, t0, f32(v, 1), f32(v, 3), f32(nil, 4)}, wantErr: "input 4 is"},
		{name: "second weights left out", node: trainingNode("Adagrad", 8, 1, nil), in: []*onnx.Tensor{r, t0, f32(v, 1), nil, f32(v, 3), nil, f32(v, 4), nil}, wantErr: "weights 1 are left out"},
		{name: "integers", node: trainingNode("Adagrad", 5, 2, nil), in: []*onnx.Tensor{r, t0, i64(v, 1), i64(v, 3), i64(v, 4)}, wantErr: "weights 0"},
	})
}

// TestTrainDropout looks at the mask: its share, its scale, what it depends on, and that threads do not matter.
func TestTrainDropout(t *testing.T) {
	const n = 1<<17 + 1
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	x := f32([]int{n}, ones...)
	run := func(threads int, seed int64, a attrs) []float32 {
		t.Helper()
		nd := internalNode("TrainDropout", 2, 1, a)
		o, _, err := Make(nd, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		pool := par.New(threads)
		defer pool.Close()
		y := onnx.New(onnx.Float, n)
		if err := o.Run(&Runtime{Context: t.Context(), Pool: pool}, []*onnx.Tensor{x, i64(nil, seed)}, []*onnx.Tensor{y}); err != nil {
			t.Fatal(err)
		}
		return y.Float32s()
	}
	differ := func(a, b []float32) float64 {
		count := 0
		for i := range a {
			if a[i] != b[i] {
				count++
			}
		}
		return float64(count) / n
	}
	base := run(1, 5, attrs{"ratio": 0.25, "salt": 3})
	kept, pairs := 0, 0
	for i, v := range base {
		switch v {
		case float32(1 / 0.75):
			kept++
			if i > 0 && base[i-1] != 0 {
				pairs++
			}
		case 0:
		default:
			t.Fatalf("element %d is %v", i, v)
		}
	}
	// Five standard deviations.
	if share := float64(kept) / n; math.Abs(share-0.75) > 5*math.Sqrt(0.75*0.25/n) {
		t.Errorf("%v of the elements are kept, want 0.75", share)
	}
	if share := float64(pairs) / n; math.Abs(share-0.5625) > 0.01 {
		t.Errorf("%v of the elements are kept beside a kept one, want 0.5625: neighbours are not independent", share)
	}
	if d := differ(base, run(2, 5, attrs{"ratio": 0.25, "salt": 3})); d != 0 {
		t.Errorf("%v of the elements differ with another number of threads", d)
	}
	for _, c := range []struct {
		name string
		got  []float32
	}{
		{"seed", run(2, 6, attrs{"ratio": 0.25, "salt": 3})},
		{"salt", run(2, 5, attrs{"ratio": 0.25, "salt": 4})},
		{"seed and salt exchanged", run(2, 3, attrs{"ratio": 0.25, "salt": 5})},
	} {
		if d := differ(base, c.got); math.Abs(d-2*0.75*0.25) > 0.01 {
			t.Errorf("another %s: %v of the elements differ, want 0.375", c.name, d)
		}
	}
	runCases(t, []opCase{
		{name: "ratio", node: internalNode("TrainDropout", 2, 1, attrs{"ratio": 1.5}), in: []*onnx.Tensor{}, wantErr: "ratio is 1.5"},
		{name: "seed", node: internalNode("TrainDropout", 2, 1, nil), in: []*onnx.Tensor{f32(nil, 1), f32(nil, 1)}, wantErr: "seed"},
		{name: "integers", node: internalNode("TrainDropout", 2, 1, nil), in: []*onnx.Tensor{i64(nil, 1), i64(nil, 1)}, wantErr: "not supported"},
	})
}
