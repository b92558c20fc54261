package finetune

import (
	"math"
	"slices"
	"testing"
)

// TestLoss has values of the formulas (case 28: scores that would overflow), and for class weights and smoothing of
// torch.nn.functional.cross_entropy.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name   string
		target target
		logits []float32
		labels []int
		soft   []float32 // targets in place of labels
		want   float64
	}{
		{"far apart, wrong", target{kind: "ce", outputs: 2}, []float32{1000, 0}, []int{1}, nil, 1000},
		{"far apart, right", target{kind: "ce", outputs: 2}, []float32{1000, 0}, []int{0}, nil, 0},
		{"three classes", target{kind: "ce", outputs: 3}, []float32{1000, 1001, 1002}, []int{2}, nil, -math.Log(0.66524094)},
		{"weighted mean", target{kind: "ce", outputs: 2, weights: []float64{1, 3}}, []float32{0, 0, 1, 0}, []int{0, 1}, nil,
			(math.Log(2) + 3*math.Log(1+math.E)) / 4},
		{"no class counts", target{kind: "ce", outputs: 2, weights: []float64{0, 1}}, []float32{1, 2}, []int{0}, nil, 0},
		{"smoothed", target{kind: "ce", outputs: 2, smoothing: 0.2}, []float32{2, 0}, []int{0}, nil, math.Log(1+math.Exp(-2)) + 0.1*2},
		{"bce", target{kind: "bce", outputs: 1}, []float32{0, 100, -100}, []int{1, 1, 1}, nil, (math.Log(2) + 100) / 3},
		{"bce, smoothed", target{kind: "bce", outputs: 1, smoothing: 0.2}, []float32{1}, []int{0}, nil, math.Log(1+math.E) - 0.1},
		{"mixed", target{kind: "ce", outputs: 2}, []float32{0, 0, 1, 0}, nil, []float32{0.25, 0.75, 1, 0},
			(math.Log(2) + math.Log(1+math.Exp(-1))) / 2},
		{"mixed, weighted", target{kind: "ce", outputs: 2, weights: []float64{1, 3}}, []float32{1, 0}, nil, []float32{0.5, 0.5},
			(0.5*math.Log(1+math.Exp(-1)) + 1.5*math.Log(1+math.E)) / 2},
		{"several classes", target{kind: "bce", outputs: 2}, []float32{1, -1}, nil, []float32{1, 1}, (math.Log(1+math.Exp(-1)) + math.Log(1+math.E)) / 2},
		{"several classes, weighted", target{kind: "bce", outputs: 2, pos: []float64{2, 5}}, []float32{1, -1}, nil, []float32{1, 0},
			(2*math.Log(1+math.Exp(-1)) + math.Log(1+math.Exp(-1))) / 2},
		{"bce, mixed and weighted", target{kind: "bce", outputs: 1, pos: []float64{3}}, []float32{2}, nil, []float32{0.25},
			3*0.25*math.Log(1+math.Exp(-2)) + 0.75*math.Log(1+math.Exp(2))},
	} {
		y := c.soft
		if y == nil {
			var err error
			if y, err = c.target.rows(c.labels); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := c.target.loss(c.logits, y)
		if math.Abs(got-c.want) > 1e-6*max(1, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	ce := target{kind: "ce", outputs: 2}
	for _, y := range []int{-1, 2} {
		if _, err := ce.rows([]int{0, y}); err == nil {
			t.Errorf("label %d is taken", y)
		}
	}
	for _, y := range [][]float32{{0.5, math.Float32frombits(0x7fc00000)}, {-0.1, 1}, {0, 1.1}, {1}, {}} {
		if ce.check(y) == nil {
			t.Errorf("targets %v are taken", y)
		}
	}
	if _, _, err := lossKind("bce", 3, false); err == nil {
		t.Error("bce of three classes is taken")
	}
	if _, _, err := lossKind("ce", 3, true); err == nil {
		t.Error("ce of images of several classes is taken")
	}
	if kind, n, err := lossKind("auto", 3, true); kind != "bce" || n != 3 || err != nil {
		t.Errorf("several classes: %s, %d outputs, %v", kind, n, err)
	}
	if w := balancedPos([]int{1, 4, 0}, 4); !slices.Equal(w, []float64{3, 0.25, 4}) {
		t.Errorf("balanced weights of what is there %v", w)
	}
	if w := balanced([]int{1, 3}); w[0] != 2 || math.Abs(w[1]-2.0/3) > 1e-12 {
		t.Errorf("balanced weights %v", w)
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"optimizer": func(o *Options) { o.Optimizer = "adm" }, "loss": func(o *Options) { o.Loss = "mse" },
		"rate": func(o *Options) { o.LR = -1 }, "rate that is no number": func(o *Options) { o.LR = math.NaN() },
		"momentum": func(o *Options) { o.Momentum = 1 }, "nesterov": func(o *Options) { o.Optimizer, o.Nesterov = "sgd", true }, "nesterov of adam": func(o *Options) { o.Momentum, o.Nesterov = 0.9, true },
		"layer decay": func(o *Options) { o.LayerDecay = 1.5 }, "negative layer decay": func(o *Options) { o.LayerDecay = -0.5 },
		"schedule": func(o *Options) { o.Schedule = "linear" }, "epochs": func(o *Options) { o.Epochs = -1 },
		"smoothing": func(o *Options) { o.LabelSmoothing = 1 }, "monitor": func(o *Options) { o.Monitor = "f1" },
		"ema": func(o *Options) { o.EMA = 1.5 }, "split": func(o *Options) { o.ValSplit = 1 }, "head": func(o *Options) { o.Head = "a" },
	} {
		var o Options
		change(&o)
		if o.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
}
