package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	for _, k := range []cellKind{
		{name: "RNN", gates: 1, functions: []string{"Tanh"}},
		{name: "GRU", gates: 3, functions: []string{"Sigmoid", "Tanh"}},
		{name: "LSTM", gates: 4, functions: []string{"Sigmoid", "Tanh", "Tanh"}},
	} {
		inputs, outputs := 6, 2
		if k.name == "LSTM" {
			inputs, outputs = 8, 3
		}
		register(Def{Type: k.name, Since: 7, MinIn: 3, MaxIn: inputs, MaxOut: outputs, New: func(s *Spec) (Op, error) {
			return newRecurrent(s, k)
		}})
	}
}

// cellKind is a kind of recurrent layer: how many rows of the weights a hidden unit has, and the activations that it takes
// where the node names none.
type cellKind struct {
	name      string
	gates     int
	functions []string
}

// recurrent is RNN, GRU and LSTM. Inputs are x [T, B, I], the weights [D, gates*H, I] and [D, gates*H, H] of D
// directions, the bias [D, 2*gates*H], the lengths [B] of the sequences, the first hidden state [D, B, H], and of an LSTM
// the first cell state and the peepholes [D, 3*H]; results are the hidden states [T, D, B, H], which are zero beyond the
// end of a sequence, the last one [D, B, H], and of an LSTM the last cell state. With layout 1 the batch comes first
// everywhere. A sequence without elements has zeros as its last state, as in ONNX Runtime.
type recurrent struct {
	cellKind
	size              int // 0: as many as the weights have
	reverse           []bool
	functions         []gateFunc // as many for each direction
	clip              float32    // 0: none
	batchFirst        bool
	coupled           bool // the forget gate is one minus the input gate
	linearBeforeReset bool
	weights           []recurrentWeights[float32] // by direction, where they are constant
}

func newRecurrent(s *Spec, k cellKind) (Op, error) {
	r := recurrent{cellKind: k, size: s.Int("hidden_size", 0), clip: s.Float("clip", 0)}
	switch d := s.String("direction", "forward"); d {
	case "forward":
		r.reverse = []bool{false}
	case "reverse":
		r.reverse = []bool{true}
	case "bidirectional":
		r.reverse = []bool{false, true}
	default:
		return nil, fmt.Errorf("direction %q: want forward, reverse or bidirectional", d)
	}
	names := s.Strings("activations")
	if names == nil {
		for range r.reverse {
			names = append(names, k.functions...)
		}
	}
	if want := len(r.reverse) * len(k.functions); len(names) != want {
		return nil, fmt.Errorf("activations %v: want %d", names, want)
	}
	var err error
	if r.functions, err = gateFuncs(names, s.Floats("activation_alpha"), s.Floats("activation_beta")); err != nil {
		return nil, err
	}
	if !(r.clip >= 0) {
		return nil, fmt.Errorf("clip is %v, want a positive number", r.clip)
	}
	if s.Opset >= 14 {
		layout := s.Int("layout", 0)
		if layout != 0 && layout != 1 {
			return nil, fmt.Errorf("layout %d: want 0 or 1", layout)
		}
		r.batchFirst = layout == 1
	}
	switch k.name {
	case "LSTM":
		r.coupled = s.Bool("input_forget", false)
	case "GRU":
		r.linearBeforeReset = s.Bool("linear_before_reset", false)
	}
	return r, nil
}

// recurrentShape are the sizes of a recurrent layer.
type recurrentShape struct{ steps, batch, in, units int }

func (r recurrent) shape(in []Info) (recurrentShape, error) {
	var s recurrentShape
	x, u := in[0].Shape, in[2].Shape
	if len(x) != 3 {
		return s, fmt.Errorf("input of shape %v: want [steps, batch, features]", x)
	}
	s.steps, s.batch, s.in = x[0], x[1], x[2]
	if r.batchFirst {
		s.steps, s.batch = s.batch, s.steps
	}
	dirs := len(r.reverse)
	if len(u) != 3 {
		return s, fmt.Errorf("recurrent weight of shape %v: want [%d, %d*hidden, hidden]", u, dirs, r.gates)
	}
	s.units = u[2]
	if r.size != 0 && r.size != s.units {
		return s, fmt.Errorf("hidden_size is %d, the recurrent weight has shape %v", r.size, u)
	}
	if err := errors.Join(checkSize(x), checkSize(u)); err != nil {
		return s, err
	}
	rows := mulSat(r.gates, s.units)
	state := []int{dirs, s.batch, s.units}
	if r.batchFirst {
		state = []int{s.batch, dirs, s.units}
	}
	for i, want := range []struct {
		name  string
		shape []int
	}{
		1: {"weight", []int{dirs, rows, s.in}}, 2: {"recurrent weight", []int{dirs, rows, s.units}}, 3: {"bias", []int{dirs, mulSat(2, rows)}},
		4: {"sequence_lens", []int{s.batch}}, 5: {"initial_h", state}, 6: {"initial_c", state}, 7: {"peepholes", []int{dirs, mulSat(3, s.units)}},
	} {
		if i == 0 || i >= len(in) || i > 2 && in[i].Absent() {
			continue
		}
		typ := in[0].Type
		if i == 4 {
			typ = onnx.Int32
		}
		if in[i].Type != typ || !sameShape(in[i].Shape, want.shape) {
			return s, fmt.Errorf("%s: want %v%v, got %v%v", want.name, typ, want.shape, in[i].Type, in[i].Shape)
		}
	}
	return s, nil
}

func (r recurrent) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	s, err := r.shape(in)
	if err != nil {
		return nil, err
	}
	dirs := len(r.reverse)
	all, last := []int{s.steps, dirs, s.batch, s.units}, []int{dirs, s.batch, s.units}
	if r.batchFirst {
		all, last = []int{s.batch, s.steps, dirs, s.units}, []int{s.batch, dirs, s.units}
	}
	gates := []int{s.steps, s.batch, r.gates, s.units, dirs} // scratch memory of all steps
	out := []Info{{Type: in[0].Type, Shape: all}, {Type: in[0].Type, Shape: last}}
	if r.name == "LSTM" {
		out = append(out, out[1])
	}
	return out, errors.Join(checkSize(all), checkSize(gates))
}

// Prepare lays constant weights out for the products.
func (r recurrent) Prepare(consts []*onnx.Tensor) (Op, error) {
	w, u := consts[1], consts[2]
	if w == nil || u == nil || w.Type != onnx.Float || u.Type != onnx.Float || len(w.Shape) != 3 || len(u.Shape) != 3 || r.weights != nil {
		return nil, nil
	}
	rows := mulSat(r.gates, u.Shape[2])
	if w.Shape[0] != len(r.reverse) || u.Shape[0] != len(r.reverse) || w.Shape[1] != rows || u.Shape[1] != rows {
		return nil, nil // Infer says what is wrong
	}
	r.weights = weightsOfRecurrent(nil, r, bigmem.Make[float32], w, u)
	return r, nil
}

// recurrentWeights are a direction's weights, transposed: input [I, gates*H] and state [H, gates*H]. Those of a GRU that
// are multiplied with the reset state are apart in hidden.
type recurrentWeights[T float] struct {
	input, state, hidden rightOperand[T]
}

// rightOperand is a matrix [k, n] that others are multiplied with.
type rightOperand[T float] struct {
	k, n int
	data []T
}

func weightsOfRecurrent[T float](pool *par.Pool, r recurrent, alloc func(int) []T, w, u *onnx.Tensor) []recurrentWeights[T] {
	out := make([]recurrentWeights[T], len(r.reverse))
	rows, in, hidden := w.Shape[1], w.Shape[2], u.Shape[2]
	for d := range out {
		wd, ud := onnx.Data[T](w)[d*rows*in:][:rows*in], onnx.Data[T](u)[d*rows*hidden:][:rows*hidden]
		apart := rows
		if r.name == "GRU" && !r.linearBeforeReset {
			apart = 2 * hidden
			out[d].hidden = transposedOperand(pool, alloc, ud[apart*hidden:], hidden, hidden)
		}
		out[d].input = transposedOperand(pool, alloc, wd, rows, in)
		out[d].state = transposedOperand(pool, alloc, ud[:apart*hidden], apart, hidden)
	}
	return out
}

// transposedOperand turns rows of k numbers into a matrix [k, rows].
func transposedOperand[T float](pool *par.Pool, alloc func(int) []T, w []T, rows, k int) rightOperand[T] {
	m := rightOperand[T]{k: k, n: rows, data: alloc(rows * k)}
	pool.For(k, max(1, moveGrain/4/max(rows, 1)), func(lo, hi int) {
		for j := lo; j < hi; j++ {
			to := m.data[j*rows:][:rows]
			for i := range to {
				to[i] = w[i*k+j]
			}
		}
	})
	return m
}

// leastPacked is from how many rows on a product reads the right operand packed.
const leastPacked = 2

// multiplier returns what multiplies matrices of m rows with the operand, many times: y [m, n] = x*operand.
func (m rightOperand[T]) multiplier(rt *Runtime, rows int) func(x, y []T) {
	data, single := any(m.data).([]float32)
	if !single {
		return func(x, y []T) {
			matmulOf(rt, matrixOf[T]{x, m.k, 1}, matrixOf[T]{m.data, m.n, 1}, y, rows, m.n, m.k)
		}
	}
	t := kernel.Default()
	var packed kernel.Right
	if rows >= leastPacked {
		packed = t.PackRight(rt.Pool, rt.Scratch(t.RightSize(m.k, m.n)), data, m.n, m.k, m.n)
	}
	return func(x, y []T) {
		mark := rt.taken // the next product may use the same scratch memory
		left := kernel.Matrix{Data: any(x).([]float32), Row: m.k, Col: 1}
		out := kernel.Output{C: any(y).([]float32), LD: m.n, Cols: m.n}
		if rows >= leastPacked {
			t.MultiplyRight(rt.Pool, rt.Scratch, rows, left, &packed, &out, &kernel.Epilogue{})
		} else {
			t.Gemm(rt.Pool, rt.Scratch, rows, m.n, m.k, 1, left, kernel.Matrix{Data: data, Row: m.n, Col: 1}, &out, &kernel.Epilogue{})
		}
		rt.taken = mark
	}
}

func (r recurrent) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	for len(in) < 8 {
		in = append(in, nil)
	}
	for len(out) < 3 {
		out = append(out, nil)
	}
	if in[0].Type == onnx.Double {
		return runRecurrent(rt, r, nil, func(n int) []float64 { return make([]float64, n) }, in, out)
	}
	return runRecurrent(rt, r, r.weights, rt.Scratch, in, out)
}

// runRecurrent runs all directions, at the same time where there is nothing better to divide.
func runRecurrent[T float](rt *Runtime, r recurrent, weights []recurrentWeights[T], alloc func(int) []T, in, out []*onnx.Tensor) error {
	s, err := r.shape(infoOf(in))
	if err != nil {
		return err
	}
	lengths := make([]int, s.batch)
	for b := range lengths {
		lengths[b] = s.steps
		if in[4] != nil {
			n := int(onnx.Data[int32](in[4])[b])
			if n < 0 || n > s.steps {
				return fmt.Errorf("sequence_lens: element %d is %d, want 0 to %d", b, n, s.steps)
			}
			lengths[b] = n
		}
	}
	if s.batch == 0 || s.units == 0 {
		return nil
	}
	if weights == nil {
		weights = weightsOfRecurrent(rt.Pool, r, alloc, in[1], in[2])
	}
	// Rows of x in the order of the steps.
	x := onnx.Data[T](in[0])
	if r.batchFirst && s.batch > 1 && s.steps > 1 {
		ordered := alloc(len(x))
		rt.Pool.For(s.steps*s.batch, max(1, moveGrain/max(s.in, 1)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				copy(ordered[i*s.in:][:s.in], x[(i%s.batch*s.steps+i/s.batch)*s.in:])
			}
		})
		x = ordered
	}
	layers := make([]recurrentLayer[T], len(r.reverse))
	pool := rt.Pool
	if len(layers) > 1 && rt.Pool.Threads() <= len(layers) {
		pool = nil // a thread each
	}
	for d := range layers {
		l := &layers[d]
		*l = recurrentLayer[T]{recurrent: r, recurrentShape: s, direction: d, lengths: lengths, functions: r.functions[d*len(r.cellKind.functions):],
			rows: r.gates * s.units, rt: &Runtime{Context: rt.Context, Pool: pool}}
		l.inputGates = alloc(s.steps * s.batch * l.rows)
		if s.steps > 0 {
			weights[d].input.multiplier(rt, s.steps*s.batch)(x, l.inputGates)
		}
		l.weights = weights[d]
		l.read(in)
		l.all, l.last, l.lastCell = dataOf[T](out[0]), dataOf[T](out[1]), dataOf[T](out[2])
	}
	rt.Pool.For(len(layers), 1, func(lo, hi int) {
		for d := lo; d < hi; d++ {
			layers[d].run()
		}
	})
	return rt.Context.Err()
}

// dataOf returns a tensor's elements, nil where it is absent.
func dataOf[T float](t *onnx.Tensor) []T {
	if t == nil {
		return nil
	}
	return onnx.Data[T](t)
}

// recurrentLayer is one direction of a recurrent layer while it runs.
type recurrentLayer[T float] struct {
	recurrent
	recurrentShape
	rows      int      // of the weights: gates*H
	rt        *Runtime // of its own: its scratch memory is that of no other direction
	direction int
	lengths   []int
	functions []gateFunc
	weights   recurrentWeights[T]

	inputGates     []T // of all steps [T, B, gates*H]: what the input contributes
	bias, late     []T // added to the gates; to what a GRU multiplies with its reset gate
	peepholes      []T
	state, cell    []T // [B, H]
	all, last      []T // outputs
	lastCell       []T
	product, reset []T // of a step
}

// read takes the bias and the first states.
func (l *recurrentLayer[T]) read(in []*onnx.Tensor) {
	rows := l.rows
	l.bias = make([]T, rows)
	if in[3] != nil {
		b := onnx.Data[T](in[3])[l.direction*2*rows:][:2*rows]
		apart := rows
		if l.linearBeforeReset {
			apart = 2 * l.units
			l.late = b[rows+apart:]
		}
		for i := range l.bias {
			l.bias[i] = b[i]
			if i < apart {
				l.bias[i] += b[rows+i]
			}
		}
	}
	l.state, l.cell = make([]T, l.batch*l.units), make([]T, l.batch*l.units)
	for b := range l.batch {
		at := l.row(b) * l.units
		if in[5] != nil {
			copy(l.state[b*l.units:][:l.units], onnx.Data[T](in[5])[at:])
		}
		if in[6] != nil {
			copy(l.cell[b*l.units:][:l.units], onnx.Data[T](in[6])[at:])
		}
	}
	if in[7] != nil {
		l.peepholes = onnx.Data[T](in[7])[l.direction*3*l.units:][:3*l.units]
	}
}

// row says which row of the first and last states belongs to an element of the batch.
func (l *recurrentLayer[T]) row(b int) int {
	if l.batchFirst {
		return b*len(l.reverse) + l.direction
	}
	return l.direction*l.batch + b
}

// run goes through all steps.
func (l *recurrentLayer[T]) run() {
	h := l.units
	l.product = make([]T, l.batch*l.rows)
	multiply := l.weights.state.multiplier(l.rt, l.batch)
	var multiplyReset func(x, y []T)
	if l.weights.hidden.data != nil {
		l.reset = make([]T, 2*l.batch*h)
		multiplyReset = l.weights.hidden.multiplier(l.rt, l.batch)
	}
	for step := range l.steps {
		if l.rt.Context.Err() != nil {
			return
		}
		multiply(l.state, l.product)
		if multiplyReset != nil {
			l.each(step, l.resetGate)
			multiplyReset(l.reset[:l.batch*h], l.reset[l.batch*h:])
		}
		l.each(step, l.advance)
	}
	for b := range l.batch {
		at := l.row(b) * h
		for _, s := range []struct{ to, from []T }{{l.last, l.state}, {l.lastCell, l.cell}} {
			switch {
			case s.to == nil:
			case l.lengths[b] == 0:
				clear(s.to[at:][:h])
			default:
				copy(s.to[at:][:h], s.from[b*h:][:h])
			}
		}
	}
}

// each calls f for the sequences that have such a step, with the place in time that it is about. What a sequence has
// beyond its end is zero.
func (l *recurrentLayer[T]) each(step int, f func(b, time int)) {
	l.rt.Pool.For(l.batch, max(1, 1<<11/(l.rows)), func(lo, hi int) {
		for b := lo; b < hi; b++ {
			time := step
			switch {
			case step >= l.lengths[b]:
				if to := l.output(b, step); to != nil {
					clear(to)
				}
				continue
			case l.reverse[l.direction]:
				time = l.lengths[b] - 1 - step
			}
			f(b, time)
		}
	})
}

// output returns where the hidden state of a time goes, nil where nobody wants it.
func (l *recurrentLayer[T]) output(b, time int) []T {
	if l.all == nil {
		return nil
	}
	at := (time*len(l.reverse)+l.direction)*l.batch + b
	if l.batchFirst {
		at = (b*l.steps+time)*len(l.reverse) + l.direction
	}
	return l.all[at*l.units:][:l.units]
}

// inputs returns what the input contributes to the gates.
func (l *recurrentLayer[T]) inputs(b, time int) []T {
	return l.inputGates[(time*l.batch+b)*l.rows:][:l.rows]
}

// activate clips and applies activation f of the direction.
func (l *recurrentLayer[T]) activate(f int, x []T) {
	if c := T(l.clip); c > 0 {
		for i, v := range x {
			x[i] = min(max(v, -c), c)
		}
	}
	applyGate(l.functions[f], x)
}

// advance computes the next state of a sequence.
func (l *recurrentLayer[T]) advance(b, time int) {
	h := l.units
	g, state := l.inputs(b, time), l.state[b*h:][:h]
	switch l.name {
	case "RNN":
		addThree(g, l.product[b*h:], l.bias)
		l.activate(0, g)
		copy(state, g)
	case "GRU":
		l.advanceGRU(b, g, state)
	default:
		addThree(g, l.product[b*4*h:], l.bias)
		l.advanceLSTM(g, state, l.cell[b*h:][:h])
	}
	if to := l.output(b, time); to != nil {
		copy(to, state)
	}
}

// addThree adds y and z to x.
func addThree[T float](x, y, z []T) {
	y, z = y[:len(x)], z[:len(x)]
	for i, v := range y {
		x[i] += v + z[i]
	}
}

// advanceLSTM is the step of an LSTM: g are the sums of the gates i, o, f and c.
func (l *recurrentLayer[T]) advanceLSTM(g, state, cell []T) {
	h := len(state)
	i, o, f, c := g[:h], g[h:2*h], g[2*h:3*h], g[3*h:]
	if l.peepholes != nil {
		addProducts(i, l.peepholes[:h], cell)
		addProducts(f, l.peepholes[2*h:], cell)
	}
	l.activate(0, i)
	if l.coupled {
		for k, v := range i {
			f[k] = 1 - v
		}
	} else {
		l.activate(0, f)
	}
	l.activate(1, c)
	for k, v := range i {
		cell[k] = T(f[k]*cell[k]) + T(v*c[k])
	}
	if l.peepholes != nil {
		addProducts(o, l.peepholes[h:2*h], cell)
	}
	l.activate(0, o)
	copy(state, cell)
	applyGate(l.functions[2], state) // not clipped, as in ONNX Runtime: the cell state is no sum of a gate
	for k, v := range o {
		state[k] *= v
	}
}

func addProducts[T float](x, y, z []T) {
	y, z = y[:len(x)], z[:len(x)]
	for i, v := range y {
		x[i] += T(v * z[i])
	}
}

// resetGate computes the update and the reset gate of a GRU and the state after the reset, where that comes before the
// product with the weights.
func (l *recurrentLayer[T]) resetGate(b, time int) {
	h := l.units
	zr := l.inputs(b, time)[:2*h]
	addThree(zr, l.product[b*2*h:], l.bias)
	l.activate(0, zr)
	to := l.reset[b*h:][:h]
	for k, r := range zr[h:] {
		to[k] = r * l.state[b*h+k]
	}
}

// advanceGRU is the step of a GRU: g are the gates z, r and h.
func (l *recurrentLayer[T]) advanceGRU(b int, g, state []T) {
	h := len(state)
	candidate := g[2*h:]
	if l.reset != nil {
		addThree(candidate, l.reset[(l.batch+b)*h:], l.bias[2*h:])
	} else {
		product := l.product[b*3*h:][:3*h]
		addThree(g[:2*h], product, l.bias)
		l.activate(0, g[:2*h])
		for k, r := range g[h : 2*h] {
			v := product[2*h+k]
			if l.late != nil {
				v += l.late[k]
			}
			candidate[k] += T(r*v) + l.bias[2*h+k]
		}
	}
	l.activate(1, candidate)
	for k, z := range g[:h] {
		state[k] = T((1-z)*candidate[k]) + T(z*state[k])
	}
}
