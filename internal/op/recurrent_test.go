package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// recurrentCase is a layer with sigmoid and tanh that is computed by the formulas of the specification, unit by unit.
type recurrentCase struct {
	name                     string
	op                       string
	steps, batch, in, hidden int
	direction                string
	lengths                  []int32
	bias, states, peepholes  bool
	layout                   int
	coupled, linear          bool
	clip                     float64
	scale                    float64
}

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// compute returns the node's inputs and outputs.
func (c recurrentCase) compute(r *rand.Rand) (in, out tensors) {
	gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[c.op]
	dirs, reverse := 1, []bool{c.direction == "reverse"}
	if c.direction == "bidirectional" {
		dirs, reverse = 2, []bool{false, true}
	}
	h := c.hidden
	scale := c.scale
	if scale == 0 {
		scale = .7
	}
	random := func(shape ...int) *onnx.Tensor {
		t := onnx.New(onnx.Double, shape...)
		for i := range onnx.Data[float64](t) {
			onnx.Data[float64](t)[i] = scale * r.NormFloat64()
		}
		return t
	}
	state, xs, ys := []int{dirs, c.batch, h}, []int{c.steps, c.batch, c.in}, []int{c.steps, dirs, c.batch, h}
	if c.layout == 1 {
		state, xs, ys = []int{c.batch, dirs, h}, []int{c.batch, c.steps, c.in}, []int{c.batch, c.steps, dirs, h}
	}
	in = tensors{random(xs...), random(dirs, gates*h, c.in), random(dirs, gates*h, h), nil, nil, nil}
	if c.bias {
		in[3] = random(dirs, 2*gates*h)
	}
	if c.lengths != nil {
		in[4] = i32([]int{c.batch}, c.lengths...)
	}
	if c.states {
		in[5] = random(state...)
	}
	out = tensors{onnx.New(onnx.Double, ys...), onnx.New(onnx.Double, state...)}
	if c.op == "LSTM" {
		in = append(in, nil, nil)
		if c.states {
			in[6] = random(state...)
		}
		if c.peepholes {
			in[7] = random(dirs, 3*h)
		}
		out = append(out, onnx.New(onnx.Double, state...))
	}
	value := func(t *onnx.Tensor, i int) float64 {
		if t == nil {
			return 0
		}
		return onnx.Data[float64](t)[i]
	}
	clip := func(x float64) float64 {
		if c.clip > 0 {
			return min(max(x, -c.clip), c.clip)
		}
		return x
	}
	for d := range dirs {
		for b := range c.batch {
			at := (d*c.batch + b) * h
			if c.layout == 1 {
				at = (b*dirs + d) * h
			}
			hs, cs := make([]float64, h), make([]float64, h)
			for u := range h {
				hs[u] = value(in[5], at+u)
				if len(in) > 6 {
					cs[u] = value(in[6], at+u)
				}
			}
			n := c.steps
			if c.lengths != nil {
				n = int(c.lengths[b])
			}
			for step := range n {
				time := step
				if reverse[d] {
					time = n - 1 - step
				}
				row := time*c.batch + b
				if c.layout == 1 {
					row = b*c.steps + time
				}
				fromX := func(g, u int) float64 {
					k := d*gates*h + g*h + u
					sum := value(in[3], d*2*gates*h+g*h+u)
					for i := range c.in {
						sum += value(in[0], row*c.in+i) * value(in[1], k*c.in+i)
					}
					return sum
				}
				fromH := func(g, u int, state func(i int) float64) float64 {
					k := d*gates*h + g*h + u
					sum := value(in[3], d*2*gates*h+(gates+g)*h+u)
					for i := range h {
						sum += state(i) * value(in[2], k*h+i)
					}
					return sum
				}
				before := func(i int) float64 { return hs[i] }
				next := make([]float64, h)
				gate := func(g, u int) float64 { return fromX(g, u) + fromH(g, u, before) }
				hole := func(k, u int) float64 {
					if len(in) < 8 {
						return 0
					}
					return value(in[7], d*3*h+k*h+u)
				}
				reset := make([]float64, h)
				for u := 0; c.op == "GRU" && u < h; u++ {
					reset[u] = sigmoid64(clip(gate(1, u)))
				}
				for u := range h {
					switch c.op {
					case "RNN":
						next[u] = math.Tanh(clip(gate(0, u)))
					case "GRU":
						z := sigmoid64(clip(gate(0, u)))
						var s float64
						if c.linear {
							s = fromX(2, u) + reset[u]*fromH(2, u, before)
						} else {
							s = fromX(2, u) + fromH(2, u, func(i int) float64 { return reset[i] * hs[i] })
						}
						next[u] = (1-z)*math.Tanh(clip(s)) + z*hs[u]
					case "LSTM":
						i := sigmoid64(clip(gate(0, u) + hole(0, u)*cs[u]))
						f := sigmoid64(clip(gate(2, u) + hole(2, u)*cs[u]))
						if c.coupled {
							f = 1 - i
						}
						cell := f*cs[u] + i*math.Tanh(clip(gate(3, u)))
						o := sigmoid64(clip(gate(1, u) + hole(1, u)*cell))
						next[u] = o * math.Tanh(cell)
						cs[u] = cell
					}
				}
				copy(hs, next)
				to := ((time*dirs+d)*c.batch + b) * h
				if c.layout == 1 {
					to = ((b*c.steps+time)*dirs + d) * h
				}
				copy(onnx.Data[float64](out[0])[to:], hs)
			}
			if n > 0 {
				copy(onnx.Data[float64](out[1])[at:], hs)
				if len(out) > 2 {
					copy(onnx.Data[float64](out[2])[at:], cs)
				}
			}
		}
	}
	return in, out
}

func TestRecurrentEqualsItsFormulas(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var layers []recurrentCase
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		for _, d := range []string{"forward", "reverse", "bidirectional"} {
			layers = append(layers,
				recurrentCase{name: "plain", op: op, steps: 4, batch: 1, in: 3, hidden: 5, direction: d},
				recurrentCase{name: "all", op: op, steps: 5, batch: 4, in: 3, hidden: 5, direction: d, lengths: []int32{5, 2, 0, 3}, bias: true, states: true, peepholes: true},
				recurrentCase{name: "batch first", op: op, steps: 4, batch: 3, in: 2, hidden: 3, direction: d, lengths: []int32{1, 4, 2}, bias: true, states: true, layout: 1})
		}
		layers = append(layers,
			recurrentCase{name: "clipped", op: op, steps: 3, batch: 2, in: 3, hidden: 4, direction: "forward", bias: true, states: true, clip: .4},
			recurrentCase{name: "wide", op: op, steps: 2, batch: 11, in: 290, hidden: 270, direction: "bidirectional", bias: true, states: true, scale: .06},
			recurrentCase{name: "no steps", op: op, steps: 0, batch: 2, in: 3, hidden: 4, direction: "forward", states: true, lengths: []int32{0, 0}})
	}
	layers = append(layers,
		recurrentCase{name: "linear before reset", op: "GRU", steps: 4, batch: 3, in: 3, hidden: 5, direction: "bidirectional", bias: true, states: true, linear: true},
		recurrentCase{name: "linear before reset, no bias", op: "GRU", steps: 4, batch: 1, in: 3, hidden: 5, direction: "forward", linear: true},
		recurrentCase{name: "coupled", op: "LSTM", steps: 4, batch: 3, in: 3, hidden: 5, direction: "bidirectional", bias: true, states: true, peepholes: true, coupled: true})
	var cases []opCase
	for _, c := range layers {
		in, want := c.compute(r)
		a := attrs{"hidden_size": c.hidden, "direction": c.direction}
		if c.layout == 1 {
			a["layout"] = 1
		}
		if c.clip > 0 {
			a["clip"] = c.clip
		}
		if c.coupled {
			a["input_forget"] = 1
		}
		if c.linear {
			a["linear_before_reset"] = 1
		}
		n := node(c.op, len(in), len(want), a)
		name := fmt.Sprint(c.op, " ", c.direction, " ", c.name)
		single, wantSingle := make(tensors, len(in)), make(tensors, len(want))
		for i, x := range in {
			if single[i] = x; x != nil && x.Type == onnx.Double {
				single[i] = asFloat(x)
			}
		}
		for i, y := range want {
			wantSingle[i] = asFloat(y)
		}
		// clip is a float32, which the formula has not rounded.
		cases = append(cases, opCase{name: name, node: n, in: in, want: want, tol: 1e-8}, opCase{name: name + ", float", node: n, in: single, want: wantSingle, tol: 1e-5})
		if c.layout == 0 && c.steps > 0 {
			cases = append(cases, opCase{name: name + ", opset 7", node: n, opset: 7, in: single, want: wantSingle, tol: 1e-5})
		}
	}
	runCases(t, cases)
}

// Each activation, of an RNN whose weights leave the input as it is: one sequence of one step for each number.
func TestRecurrentActivations(t *testing.T) {
	x := []float64{-1.5, -.25, .5, 2}
	one := func(v float64) *onnx.Tensor { return f64([]int{1, 1, 1}, v) }
	zero := one(0)
	var cases []opCase
	for _, c := range []struct {
		name        string
		alpha, beta []float32
		f           func(x float64) float64
	}{
		{"Relu", nil, nil, func(x float64) float64 { return max(x, 0) }},
		{"tanh", nil, nil, math.Tanh},
		{"SIGMOID", nil, nil, sigmoid64},
		{"Affine", nil, nil, func(x float64) float64 { return x }},
		{"Affine", []float32{2}, []float32{.5}, func(x float64) float64 { return 2*x + .5 }},
		{"LeakyRelu", []float32{.25}, nil, func(x float64) float64 { return max(x, x/4) }},
		{"LeakyRelu", nil, nil, func(x float64) float64 { return max(x, x*float64(float32(.01))) }},
		{"ThresholdedRelu", []float32{.75}, nil, func(x float64) float64 { return map[bool]float64{true: x}[x >= .75] }},
		{"ThresholdedRelu", nil, nil, func(x float64) float64 { return map[bool]float64{true: x}[x >= 1] }},
		{"ScaledTanh", []float32{2}, []float32{.5}, func(x float64) float64 { return 2 * math.Tanh(x/2) }},
		{"HardSigmoid", []float32{.25}, []float32{.75}, func(x float64) float64 { return min(max(x/4+.75, 0), 1) }},
		{"HardSigmoid", nil, nil, func(x float64) float64 { return min(max(x*float64(float32(.2))+.5, 0), 1) }},
		{"Elu", []float32{2}, nil, func(x float64) float64 { return max(x, 0) + 2*math.Expm1(min(x, 0)) }},
		{"Elu", nil, nil, func(x float64) float64 { return max(x, 0) + math.Expm1(min(x, 0)) }},
		{"Softsign", nil, nil, func(x float64) float64 { return x / (1 + math.Abs(x)) }},
		{"Softplus", nil, nil, func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
	} {
		want := make([]float64, len(x))
		for i, v := range x {
			want[i] = c.f(v)
		}
		a := attrs{"hidden_size": 1, "activations": []string{c.name}}
		if c.alpha != nil {
			a["activation_alpha"] = c.alpha
		}
		if c.beta != nil {
			a["activation_beta"] = c.beta
		}
		n := node("RNN", 3, 2, a)
		y := f64([]int{1, len(x), 1}, want...)
		cases = append(cases, opCase{name: c.name, node: n, in: tensors{f64([]int{1, len(x), 1}, x...), one(1), zero}, want: tensors{nil, y}, tol: 1e-12},
			opCase{name: c.name + ", float", node: n, in: tensors{asFloat(f64([]int{1, len(x), 1}, x...)), asFloat(one(1)), asFloat(zero)}, want: tensors{nil, asFloat(y)}})
	}
	// Two directions with functions of their own; only Affine has an alpha, or each has one.
	for _, alpha := range [][]float32{{3}, {0, 3}} {
		cases = append(cases, opCase{name: fmt.Sprint("both directions ", alpha),
			node: node("RNN", 3, 1, attrs{"direction": "bidirectional", "activations": []string{"Relu", "Affine"}, "activation_alpha": alpha}),
			in:   tensors{f64([]int{1, 2, 1}, 1, -1), f64([]int{2, 1, 1}, 1, 1), f64([]int{2, 1, 1}, 0, 0)}, want: tensors{f64([]int{1, 2, 2, 1}, 1, 0, 3, -3)}})
	}
	runCases(t, cases)
}

func TestRecurrent(t *testing.T) {
	x, w, u := f32([]int{1, 2, 1}, 1, 2), f32([]int{1, 1, 1}, 1), f32([]int{1, 1, 1}, 0)
	n := func(a attrs) *onnx.Node { return node("RNN", 6, 2, a) }
	relu := func(more attrs) attrs {
		a := attrs{"activations": []string{"Relu"}}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	lens := func(v ...int32) *onnx.Tensor { return i32([]int{len(v)}, v...) }
	lstm := node("LSTM", 8, 3, nil)
	x4 := f32([]int{1, 4, 1}, 0, 0, 0, 0)
	runCases(t, []opCase{
		{name: "relu", node: n(relu(nil)), in: tensors{x, w, u}, want: tensors{f32([]int{1, 1, 2, 1}, 1, 2), f32([]int{1, 2, 1}, 1, 2)}},
		{name: "no batch", node: n(relu(nil)), in: tensors{f32([]int{3, 0, 1}), w, u}, want: tensors{f32([]int{3, 1, 0, 1}), f32([]int{1, 0, 1})}},
		{name: "no units", node: n(nil), in: tensors{x, f32([]int{1, 0, 1}), f32([]int{1, 0, 0})}, want: tensors{f32([]int{1, 1, 2, 0}), f32([]int{1, 2, 0})}},
		{name: "no features", node: n(relu(nil)), in: tensors{f32([]int{1, 2, 0}), f32([]int{1, 1, 0}), u, f32([]int{1, 2}, 1, 2)}, want: tensors{f32([]int{1, 1, 2, 1}, 3, 3)}},
		{name: "a sequence too long", node: n(nil), in: tensors{x, w, u, nil, lens(1, 2)}, wantErr: "element 1 is 2, want 0 to 1"},
		{name: "a negative length", node: n(nil), in: tensors{x, w, u, nil, lens(1, -2)}, wantErr: "element 1 is -2"},
		{name: "lengths", node: n(nil), in: tensors{x, w, u, nil, lens(1)}, wantErr: "sequence_lens: want int32[2]"},
		{name: "rank", node: n(nil), in: tensors{f32([]int{2}, 1, 2), w, u}, wantErr: "want [steps, batch, features]"},
		{name: "recurrent weight's rank", node: n(nil), in: tensors{x, w, f32([]int{1}, 0)}, wantErr: "want [1, 1*hidden, hidden]"},
		{name: "weight", node: n(nil), in: tensors{x, f32([]int{1, 1, 2}, 0, 0), u}, wantErr: "weight: want float32[1 1 1]"},
		{name: "recurrent weight", node: n(nil), in: tensors{x, w, f32([]int{1, 2, 1}, 0, 0)}, wantErr: "recurrent weight: want float32[1 1 1]"},
		{name: "recurrent weight's directions", node: n(nil), in: tensors{x, w, f32([]int{2, 1, 1}, 0, 0)}, wantErr: "recurrent weight: want"},
		{name: "doubles among floats", node: n(nil), in: tensors{x, onnx.New(onnx.Double, 1, 1, 1), u}, wantErr: "got float64"},
		{name: "bias", node: n(nil), in: tensors{x, w, u, f32([]int{1, 1}, 0)}, wantErr: "bias: want float32[1 2]"},
		{name: "state", node: n(nil), in: tensors{x, w, u, nil, nil, f32([]int{2, 1, 1}, 0, 0)}, wantErr: "initial_h: want float32[1 2 1]"},
		{name: "cell", node: lstm, in: tensors{x4, onnx.New(onnx.Float, 1, 4, 1), onnx.New(onnx.Float, 1, 4, 1), nil, nil, nil, f32([]int{1, 1, 1}, 0)}, wantErr: "initial_c: want float32[1 4 1]"},
		{name: "peepholes", node: lstm, in: tensors{x4, onnx.New(onnx.Float, 1, 4, 1), onnx.New(onnx.Float, 1, 4, 1), nil, nil, nil, nil, f32([]int{1, 1}, 0)}, wantErr: "peepholes: want float32[1 3]"},
		{name: "integers", node: n(nil), in: tensors{onnx.New(onnx.Int32, 1, 2, 1), w, u}, wantErr: "int32 is not supported"},
		{name: "hidden size", node: n(attrs{"hidden_size": 2}), in: tensors{x, w, u}, wantErr: "hidden_size is 2"},
		{name: "direction", node: n(attrs{"direction": "up"}), in: tensors{x, w, u}, wantErr: `direction "up"`},
		{name: "layout", node: n(attrs{"layout": 2}), in: tensors{x, w, u}, wantErr: "layout 2"},
		{name: "clip", node: n(attrs{"clip": -1.}), in: tensors{x, w, u}, wantErr: "clip is -1"},
		{name: "activation", node: n(attrs{"activations": []string{"Gelu"}}), in: tensors{x, w, u}, wantErr: `"Gelu"`},
		{name: "activations", node: n(attrs{"activations": []string{"Tanh", "Tanh"}}), in: tensors{x, w, u}, wantErr: "want 1"},
		{name: "alphas", node: n(attrs{"activation_alpha": []float32{1, 2}}), in: tensors{x, w, u}, wantErr: "2 and 0 values for 1 activations"},
		{name: "opset 6", node: n(nil), opset: 6, in: tensors{x, w, u}, wantErr: "opset 6"},
	})
}

// The same bits for any number of threads.
func TestRecurrentThreads(t *testing.T) {
	c := recurrentCase{op: "LSTM", steps: 5, batch: 13, in: 40, hidden: 70, direction: "bidirectional", bias: true, scale: .1}
	double, _ := c.compute(rand.New(rand.NewPCG(3, 4)))
	in := make(tensors, len(double))
	for i, x := range double {
		if x != nil {
			in[i] = asFloat(x)
		}
	}
	o, _, err := Make(node("LSTM", 8, 1, attrs{"direction": "bidirectional"}), MaxOpset, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkThreads(t, o, in, 5, 2, 13, 70)
}
