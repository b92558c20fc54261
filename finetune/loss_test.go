package finetune

import (
	"math"
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
		want   float64
	}{
		{"far apart, wrong", target{kind: "ce", outputs: 2}, []float32{1000, 0}, []int{1}, 1000},
		{"far apart, right", target{kind: "ce", outputs: 2}, []float32{1000, 0}, []int{0}, 0},
		{"three classes", target{kind: "ce", outputs: 3}, []float32{1000, 1001, 1002}, []int{2}, -math.Log(0.66524094)},
		{"weighted mean", target{kind: "ce", outputs: 2, weights: []float64{1, 3}}, []float32{0, 0, 1, 0}, []int{0, 1},
			(math.Log(2) + 3*math.Log(1+math.E)) / 4},
		{"no class counts", target{kind: "ce", outputs: 2, weights: []float64{0, 1}}, []float32{1, 2}, []int{0}, 0},
		{"smoothed", target{kind: "ce", outputs: 2, smoothing: 0.2}, []float32{2, 0}, []int{0}, math.Log(1+math.Exp(-2)) + 0.1*2},
		{"bce", target{kind: "bce", outputs: 1}, []float32{0, 100, -100}, []int{1, 1, 1}, (math.Log(2) + 100) / 3},
		{"bce, smoothed", target{kind: "bce", outputs: 1, smoothing: 0.2}, []float32{1}, []int{0}, math.Log(1+math.E) - 0.1},
	} {
		got, _ := c.target.loss(c.logits, c.labels)
		if math.Abs(got-c.want) > 1e-6*max(1, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	ce := target{kind: "ce", outputs: 2}
	for _, y := range []int{-1, 2} {
		if ce.check([]int{0, y}) == nil {
			t.Errorf("label %d is taken", y)
		}
	}
	if _, _, err := lossKind("bce", 3); err == nil {
		t.Error("bce of three classes is taken")
	}
	if w := balanced([]int{1, 3}); w[0] != 2 || math.Abs(w[1]-2.0/3) > 1e-12 {
		t.Errorf("balanced weights %v", w)
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"optimizer": func(o *Options) { o.Optimizer = "adm" }, "loss": func(o *Options) { o.Loss = "mse" },
		"rate": func(o *Options) { o.LR = -1 }, "rate that is no number": func(o *Options) { o.LR = math.NaN() },
		"momentum": func(o *Options) { o.Momentum = 1 }, "nesterov": func(o *Options) { o.Nesterov = true },
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
