package optim

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// rules are compared with PyTorch's classes of the same arguments.
var rules = []struct {
	name  string
	rule  Rule
	torch string // constructor after the parameters
	lr    float64
}{
	{"SGD", SGD{}, "SGD(p, lr=0.1)", 0.1},
	{"SGD, weight decay", SGD{WeightDecay: 0.02}, "SGD(p, lr=0.1, weight_decay=0.02)", 0.1},
	{"SGD, momentum", SGD{Momentum: 0.9}, "SGD(p, lr=0.1, momentum=0.9)", 0.1},
	{"SGD, momentum, dampening, weight decay", SGD{Momentum: 0.8, Dampening: 0.3, WeightDecay: 0.05}, "SGD(p, lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.05)", 0.05},
	{"SGD, Nesterov", SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.01}, "SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)", 0.1},
	{"Adam", NewAdam(), "Adam(p, lr=0.01)", 0.01},
	{"Adam, all", Adam{Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-3, WeightDecay: 0.1}, "Adam(p, lr=0.02, betas=(0.8,0.95), eps=1e-3, weight_decay=0.1)", 0.02},
	{"AdamW", Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1, Decoupled: true}, "AdamW(p, lr=0.02, weight_decay=0.1)", 0.02},
	{"RMSprop", NewRMSprop(), "RMSprop(p, lr=0.01)", 0.01},
	{"RMSprop, centred", RMSprop{Alpha: 0.9, Epsilon: 1e-4, Centered: true}, "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-4, centered=True)", 0.01},
	{"RMSprop, momentum", RMSprop{Alpha: 0.9, Epsilon: 1e-6, Momentum: 0.5, WeightDecay: 0.1}, "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6, momentum=0.5, weight_decay=0.1)", 0.01},
	{"RMSprop, all", RMSprop{Alpha: 0.9, Epsilon: 1e-2, Momentum: 0.5, Centered: true}, "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-2, momentum=0.5, centered=True)", 0.01},
	{"Adagrad", NewAdagrad(), "Adagrad(p, lr=0.1)", 0.1},
	{"Adagrad, all", Adagrad{LRDecay: 0.1, Epsilon: 1e-3, WeightDecay: 0.02, InitialSum: 0.5}, "Adagrad(p, lr=0.1, lr_decay=0.1, eps=1e-3, weight_decay=0.02, initial_accumulator_value=0.5)", 0.1},
}

const (
	testSteps   = 6
	testWeights = 37
)

// newState makes the state of a rule for n weights.
func newState(r Rule, n int) State {
	var s State
	for i := range r.States() {
		s[i] = make([]float32, n)
		for k := range s[i] {
			s[i][k] = r.Start(i)
		}
	}
	return s
}

func random(seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, testWeights)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func TestRulesEqualPyTorch(t *testing.T) {
	python := reftest.Python(t, "torch")
	type job struct {
		Torch   string
		Weights []float32
		Grads   [][]float32
	}
	var jobs []job
	for i, r := range rules {
		j := job{Torch: r.torch, Weights: random(uint64(100 + i))}
		for s := range testSteps {
			j.Grads = append(j.Grads, random(uint64(1000*i+s)))
		}
		jobs = append(jobs, j)
	}
	arg, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import json, sys, torch
torch.set_num_threads(1)
results = []
for job in json.loads(sys.argv[1]):
    w = torch.tensor(job["Weights"], requires_grad=True)
    o = eval("torch.optim." + job["Torch"], {"torch": torch, "p": [w]})
    steps = []
    for g in job["Grads"]:
        w.grad = torch.tensor(g)
        o.step()
        steps.append(w.tolist())
    results.append(steps)
print(json.dumps(results))
`, string(arg)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want [][][]float64
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, r := range rules {
		w, s := jobs[i].Weights, newState(r.rule, testWeights)
		for step, g := range jobs[i].Grads {
			r.rule.Step(r.lr, step+1, w, g, s)
			for k, x := range w {
				if d := math.Abs(float64(x) - want[i][step][k]); !(d <= 1e-6*max(1, math.Abs(want[i][step][k]))) {
					t.Errorf("%s: step %d, weight %d: %v, PyTorch has %v", r.name, step+1, k, x, want[i][step][k])
					break
				}
			}
		}
	}
}

// TestRules has a few steps by hand: one weight that starts at 0 or 1, and gradients 1.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name string
		rule Rule
		lr   float64
		from float32
		want []float64 // after each step
	}{
		{"case 27: SGD with momentum", SGD{Momentum: 0.9}, 0.1, 0, []float64{-0.1, -0.29, -0.561}},
		{"SGD without momentum", SGD{}, 0.1, 0, []float64{-0.1, -0.2}},
		{"SGD with decay", SGD{WeightDecay: 0.5}, 0.1, 1, []float64{0.85}},
		{"Nesterov", SGD{Momentum: 0.9, Nesterov: true}, 0.1, 0, []float64{-0.19, -0.461}},
		{"Adam: equal gradients make steps of lr", NewAdam(), 0.01, 0, []float64{-0.01, -0.02, -0.03}},
		{"AdamW decays first", Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1, Decoupled: true}, 0.01, 1, []float64{0.989}},
		{"RMSprop", RMSprop{Alpha: 0.75}, 0.1, 0, []float64{-0.2}},
		{"RMSprop, centred: no variance", RMSprop{Alpha: 0, Epsilon: 0.5, Centered: true}, 0.1, 0, []float64{-0.2, -0.4}},
		{"Adagrad", NewAdagrad(), 0.1, 0, []float64{-0.1, -0.1 - 0.1/math.Sqrt2}},
	} {
		w, s := []float32{c.from}, newState(c.rule, 1)
		for step, want := range c.want {
			c.rule.Step(c.lr, step+1, w, []float32{1}, s)
			if math.Abs(float64(w[0])-want) > 1e-6 {
				t.Errorf("%s: step %d: %v, want %v", c.name, step+1, w[0], want)
			}
		}
	}
}

// TestPieces shows that weights may be updated in pieces, without allocating.
func TestPieces(t *testing.T) {
	for _, r := range rules {
		whole, pieces := random(1), random(1)
		s, sp := newState(r.rule, testWeights), newState(r.rule, testWeights)
		for step := 1; step <= 3; step++ {
			g := random(uint64(step))
			r.rule.Step(r.lr, step, whole, g, s)
			for _, p := range [][2]int{{0, 5}, {5, 21}, {21, testWeights}} {
				r.rule.Step(r.lr, step, pieces[p[0]:p[1]], g[p[0]:p[1]], sp.Slice(p[0], p[1]))
			}
		}
		for i := range whole {
			if whole[i] != pieces[i] {
				t.Errorf("%s: weight %d: %v in pieces, %v at once", r.name, i, pieces[i], whole[i])
				break
			}
		}
		g := random(9)
		if n := testing.AllocsPerRun(10, func() { r.rule.Step(r.lr, 4, whole, g, s.Slice(0, testWeights)) }); n > 0 {
			t.Errorf("%s: %v allocations a step", r.name, n)
		}
	}
}

func BenchmarkAdam(b *testing.B) {
	const n = 1 << 20
	w, g, s := make([]float32, n), make([]float32, n), newState(NewAdam(), n)
	for i := range g {
		g[i] = float32(i%7) - 3
	}
	b.SetBytes(n * 4)
	for i := 0; b.Loop(); i++ {
		NewAdam().Step(1e-3, i+1, w, g, s)
	}
}

func BenchmarkSGD(b *testing.B) {
	const n = 1 << 20
	o := SGD{Momentum: 0.9}
	w, g, s := make([]float32, n), make([]float32, n), newState(o, n)
	b.SetBytes(n * 4)
	for i := 0; b.Loop(); i++ {
		o.Step(1e-3, i+1, w, g, s)
	}
}
