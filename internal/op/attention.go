package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Attention", Since: 23, MinIn: 3, MaxIn: 7, MaxOut: 4, New: newAttention})
}

// attention is scaled dot-product attention (Vaswani et al., Attention Is All You Need, 2017):
//
//	y = softmax(cap(scale * q·kᵀ) + mask) · v
//
// Inputs are the queries [B, H, S, D], keys [B, G, T, D] and values [B, G, T, E] of H heads that share those of G, as
// [B, S, H*D] and so on too; the mask, whose shape is broadcast to [B, H, S, T]: flags of what takes part, or numbers
// that are added; keys and values that come before the others; and how many keys count of each batch. Results are y, laid
// out like the queries, all keys and all values, and the scores at a stage of their computation. Query i is at place
// i+offset among the keys: causal attention looks no further, windows bound both sides. Where nothing may be looked at, y
// is zero.
//
// A block of queries of a head is worked out at a time: all scores are never in memory, unless they are asked for.
type attention struct {
	queryHeads, keyHeads int // of inputs of rank 3
	scale, cap           float64
	scaled               bool // scale was given
	causal               bool
	left, right          int // places that are looked at to either side; negative for all
	stage                int // of the scores: 0 products, 1 capped, 2 masked, 3 probabilities
	double               bool
	shortMask            bool // a mask may have fewer columns than there are keys; what it lacks is left out
}

// farthest bounds windows, so that sums with places do not overflow.
const farthest = 1 << 40

func newAttention(s *Spec) (Op, error) {
	a := attention{queryHeads: s.Int("q_num_heads", 0), keyHeads: s.Int("kv_num_heads", 0), scale: float64(s.Float("scale", 0)), scaled: s.Has("scale"),
		cap: float64(s.Float("softcap", 0)), causal: s.Bool("is_causal", false), left: -1, right: -1,
		stage: s.Int("qk_matmul_output_mode", 0), shortMask: s.Opset >= 24}
	if s.Opset < 24 && len(s.Node.Inputs) > 6 && s.Node.Inputs[6] != "" {
		return nil, errors.New("nonpad_kv_seqlen came with opset 24")
	}
	if s.Opset >= 25 {
		a.left, a.right = s.Int("left_window_size", -1), s.Int("right_window_size", -1)
		if min(a.left, a.right) < -1 {
			return nil, fmt.Errorf("windows of %d and %d: want -1 or more", a.left, a.right)
		}
		a.left, a.right = min(a.left, farthest), min(a.right, farthest)
	}
	if a.queryHeads < 0 || a.keyHeads < 0 {
		return nil, fmt.Errorf("q_num_heads is %d and kv_num_heads %d", a.queryHeads, a.keyHeads)
	}
	if a.stage < 0 || a.stage > 3 {
		return nil, fmt.Errorf("qk_matmul_output_mode %d: want 0 to 3", a.stage)
	}
	if !(a.cap >= 0) {
		return nil, fmt.Errorf("softcap is %v, want 0 or more", a.cap)
	}
	// Half precision is computed in single, which is no less.
	switch p := onnx.DataType(s.Int("softmax_precision", int(onnx.Float))); p {
	case onnx.Float, onnx.Float16, onnx.BFloat16:
	case onnx.Double:
		a.double = true
	default:
		return nil, fmt.Errorf("softmax_precision %v: want a floating-point type", p)
	}
	return a, nil
}

// attentionShape are the sizes of an attention.
type attentionShape struct {
	batch, heads, groups  int
	queries, past, keys   int // keys without those of the past
	size, valueSize       int
	flat                  bool // inputs have rank 3
	maskDims, maskStrides [4]int
}

func (s *attentionShape) total() int { return s.past + s.keys }

func (a attention) shape(in []Info) (*attentionShape, error) {
	if err := wantFloats(in, 0, 1, 2, 4, 5); err != nil {
		return nil, err
	}
	for _, i := range []int{1, 2, 4, 5} {
		if in[i].Type != in[0].Type && !in[i].Absent() {
			return nil, fmt.Errorf("input %d is of type %v, the queries of %v", i, in[i].Type, in[0].Type)
		}
	}
	q, k, v := in[0].Shape, in[1].Shape, in[2].Shape
	if len(q) != 3 && len(q) != 4 || len(k) != len(q) || len(v) != len(q) {
		return nil, fmt.Errorf("queries %v, keys %v and values %v: want rank 4 of all, or rank 3", q, k, v)
	}
	s := &attentionShape{flat: len(q) == 3}
	if s.flat {
		if a.queryHeads == 0 || a.keyHeads == 0 {
			return nil, errors.New("inputs of rank 3 need q_num_heads and kv_num_heads")
		}
		if q[2]%a.queryHeads != 0 || k[2]%a.keyHeads != 0 || v[2]%a.keyHeads != 0 {
			return nil, fmt.Errorf("queries %v, keys %v and values %v cannot be divided into %d and %d heads", q, k, v, a.queryHeads, a.keyHeads)
		}
		q = []int{q[0], a.queryHeads, q[1], q[2] / a.queryHeads}
		k = []int{k[0], a.keyHeads, k[1], k[2] / a.keyHeads}
		v = []int{v[0], a.keyHeads, v[1], v[2] / a.keyHeads}
	}
	s.batch, s.heads, s.queries, s.size = q[0], q[1], q[2], q[3]
	s.groups, s.keys, s.valueSize = k[1], k[2], v[3]
	if a.queryHeads != 0 && a.queryHeads != s.heads || a.keyHeads != 0 && a.keyHeads != s.groups {
		return nil, fmt.Errorf("q_num_heads is %d and kv_num_heads %d, but queries %v and keys %v have others", a.queryHeads, a.keyHeads, q, k)
	}
	if k[0] != s.batch || k[3] != s.size || v[0] != s.batch || v[1] != s.groups || v[2] != s.keys {
		return nil, fmt.Errorf("queries %v, keys %v and values %v do not fit each other", q, k, v)
	}
	if s.groups == 0 || s.heads%s.groups != 0 {
		return nil, fmt.Errorf("%d heads of queries cannot share %d of keys", s.heads, s.groups)
	}
	if in[4].Absent() != in[5].Absent() {
		return nil, errors.New("past_key and past_value belong together")
	}
	if !in[4].Absent() {
		pk, pv := in[4].Shape, in[5].Shape
		if len(pk) != 4 || len(pv) != 4 || pk[2] != pv[2] || !sameShape(pk, []int{s.batch, s.groups, pk[2], s.size}) || !sameShape(pv, []int{s.batch, s.groups, pk[2], s.valueSize}) {
			return nil, fmt.Errorf("past_key %v and past_value %v do not fit keys %v and values %v", pk, pv, k, v)
		}
		s.past = pk[2]
		if !in[6].Absent() {
			return nil, errors.New("nonpad_kv_seqlen has no meaning where there are keys of the past")
		}
	}
	if !in[6].Absent() && (in[6].Type != onnx.Int64 || !sameShape(in[6].Shape, []int{s.batch})) {
		return nil, fmt.Errorf("nonpad_kv_seqlen: want int64[%d], got %v%v", s.batch, in[6].Type, in[6].Shape)
	}
	return s, a.mask(s, in[3])
}

// mask reads the shape of the mask: a step of 0 along dimensions that it is repeated along.
func (a attention) mask(s *attentionShape, m Info) error {
	if m.Absent() {
		return nil
	}
	if m.Type != onnx.Bool && m.Type != onnx.Float && m.Type != onnx.Double {
		return fmt.Errorf("mask of type %v: want flags or numbers", m.Type)
	}
	full := [4]int{s.batch, s.heads, s.queries, s.total()}
	skip := 4 - len(m.Shape)
	if skip < 0 || skip == 4 {
		return fmt.Errorf("mask of shape %v does not fit scores of shape %v", m.Shape, full)
	}
	s.maskDims = [4]int{1, 1, 1, 1}
	for i, step := range rowMajor(m.Shape) {
		d := m.Shape[i]
		last := skip+i == 3
		switch {
		case d == full[skip+i], last && a.shortMask && d < full[3]:
			s.maskStrides[skip+i] = step
		case d != 1:
			return fmt.Errorf("mask of shape %v does not fit scores of shape %v", m.Shape, full)
		}
		s.maskDims[skip+i] = d
	}
	return nil
}

func (a attention) Infer(in []Info) ([]Info, error) {
	s, err := a.shape(in)
	if err != nil {
		return nil, err
	}
	y := []int{s.batch, s.heads, s.queries, s.valueSize}
	if s.flat {
		y = []int{s.batch, s.queries, mulSat(s.heads, s.valueSize)}
	}
	typ := in[0].Type
	out := []Info{{Type: typ, Shape: y}, {Type: typ, Shape: []int{s.batch, s.groups, s.total(), s.size}},
		{Type: typ, Shape: []int{s.batch, s.groups, s.total(), s.valueSize}}, {Type: typ, Shape: []int{s.batch, s.heads, s.queries, s.total()}}}
	for _, o := range out {
		if err := checkSize(o.Shape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a attention) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	for len(out) < 4 {
		out = append(out, nil)
	}
	if in[0].Type == onnx.Double {
		return attentionOf[float64](rt, a, in, out)
	}
	return attentionOf[float32](rt, a, in, out)
}

// headMatrix are the matrices of all heads in a tensor: rows of row b, head h start at b*batch + h*head, step apart.
type headMatrix[T float] struct {
	data              []T
	batch, head, step int
}

func headsOf[T float](data []T, flat bool, heads, rows, size int) headMatrix[T] {
	if flat {
		return headMatrix[T]{data, rows * heads * size, size, heads * size}
	}
	return headMatrix[T]{data, heads * rows * size, rows * size, size}
}

// from returns the elements of a head from a row on.
func (m headMatrix[T]) from(b, h, row int) []T { return m.data[b*m.batch+h*m.head+row*m.step:] }

// attentionRun is an attention that is computed.
type attentionRun[T float] struct {
	attention
	*attentionShape
	q, k, v, y headMatrix[T]
	scores     []T // output; nil where it is not wanted
	mask       *onnx.Tensor
	counts     []int64 // keys that count, of each element of the batch; nil for all
}

func attentionOf[T float](rt *Runtime, a attention, in, out []*onnx.Tensor) error {
	s, err := a.shape(infoOf(in))
	if err != nil {
		return err
	}
	if !a.scaled {
		a.scale = 1 / math.Sqrt(float64(s.size))
	}
	r := &attentionRun[T]{attention: a, attentionShape: s, q: headsOf(onnx.Data[T](in[0]), s.flat, s.heads, s.queries, s.size), mask: in[3]}
	if in[6] != nil {
		r.counts = in[6].Int64s()
		for i, n := range r.counts {
			if n < 0 || n > int64(s.keys) {
				return fmt.Errorf("nonpad_kv_seqlen: element %d is %d, want 0 to %d", i, n, s.keys)
			}
		}
	}
	r.k = withPast[T](rt, s, in[4], in[1], out[1], s.size)
	r.v = withPast[T](rt, s, in[5], in[2], out[2], s.valueSize)
	r.scores = dataOf[T](out[3])
	y := dataOf[T](out[0])
	if y == nil && r.scores == nil {
		return nil
	}
	r.y = headsOf(y, s.flat, s.heads, s.queries, s.valueSize)
	// Rows of scores that stay in the second-level cache.
	rows := min(max(1<<16/max(s.total(), 1), 16), 256)
	blocks := (s.queries + rows - 1) / rows
	return rt.apart(s.batch*s.heads*blocks, mulSat(rows, mulSat(s.total(), s.size+s.valueSize)), func(rt *Runtime, i int) {
		first := i % blocks * rows
		r.block(rt, i/blocks/s.heads, i/blocks%s.heads, first, min(first+rows, s.queries))
	})
}

// withPast returns keys or values with those of the past before them, in the output present where that is wanted.
func withPast[T float](rt *Runtime, s *attentionShape, past, now, present *onnx.Tensor, size int) headMatrix[T] {
	m := headsOf(onnx.Data[T](now), s.flat, s.groups, s.keys, size)
	if past == nil && present == nil {
		return m
	}
	all := dataOf[T](present)
	if all == nil {
		all = make([]T, s.batch*s.groups*s.total()*size)
	}
	joined := headsOf(all, false, s.groups, s.total(), size)
	rt.Pool.For(s.batch*s.groups, max(1, moveGrain/max(1, s.total()*size)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to := all[i*s.total()*size:][:s.total()*size]
			if past != nil {
				copy(to[:s.past*size], onnx.Data[T](past)[i*s.past*size:])
			}
			for row := range s.keys {
				copy(to[(s.past+row)*size:][:size], m.from(i/s.groups, i%s.groups, row))
			}
		}
	})
	return joined
}

// span returns the keys [lo,hi) that a query may look at, as far as the mask does not say.
func (r *attentionRun[T]) span(b, query int) (lo, hi int) {
	at := query + r.past
	hi = r.total()
	if r.counts != nil {
		at = query + int(r.counts[b]) - r.queries
		hi = int(r.counts[b])
	}
	if r.mask != nil && r.maskStrides[3] != 0 {
		hi = min(hi, r.maskDims[3])
	}
	if r.causal {
		hi = min(hi, at+1)
	}
	if r.left >= 0 {
		lo = max(at-r.left, 0)
	}
	if r.right >= 0 {
		hi = min(hi, at+r.right+1)
	}
	return min(lo, max(hi, 0)), max(hi, 0)
}

// block works out queries [first,end) of a head.
func (r *attentionRun[T]) block(rt *Runtime, b, h, first, end int) {
	low, high := r.total(), 0
	for i := first; i < end; i++ {
		if lo, hi := r.span(b, i); lo < hi {
			low, high = min(low, lo), max(high, hi)
		}
	}
	if r.scores != nil {
		low, high = 0, r.total()
	}
	rows, n := end-first, max(high-low, 0)
	if n == 0 {
		r.clear(b, h, first, end)
		return
	}
	group := h / (r.heads / r.groups)
	x := scratchOf[T](rt, rows*n)
	product(rt, rows, n, r.size, r.scale, matrixOf[T]{r.q.from(b, h, first), r.q.step, 1},
		matrixOf[T]{r.k.from(b, group, low), 1, r.k.step}, x, n)
	r.keep(0, x, b, h, first)
	if r.cap > 0 {
		capScores(x, T(r.cap))
	}
	r.keep(1, x, b, h, first)
	for i := range rows {
		lo, hi := r.span(b, first+i)
		row := x[i*n:][:n]
		setAll(row[:max(min(lo-low, n), 0)], T(math.Inf(-1)))
		setAll(row[min(max(hi-low, 0), n):], T(math.Inf(-1)))
		if lo < hi && r.mask != nil {
			r.addMask(row[lo-low:hi-low], b, h, first+i, lo)
		}
	}
	r.keep(2, x, b, h, first)
	for i := range rows {
		lo, hi := r.span(b, first+i)
		row := x[i*n:][:n]
		if hi = max(hi, lo); lo == hi {
			lo, hi = low, low
		}
		clear(row[:lo-low])
		clear(row[hi-low:])
		r.softmax(row[lo-low : hi-low])
	}
	r.keep(3, x, b, h, first)
	if r.y.data == nil || r.valueSize == 0 {
		return
	}
	product(rt, rows, r.valueSize, n, 1, matrixOf[T]{x, n, 1}, matrixOf[T]{r.v.from(b, group, low), r.v.step, 1}, r.y.from(b, h, first), r.y.step)
	// Values that nothing looks at are not multiplied with zero: they may be no numbers.
	for i := range rows {
		if allZero(x[i*n:][:n]) {
			r.clear(b, h, first+i, first+i+1)
		}
	}
}

// clear sets the results of queries [first,end) to zero.
func (r *attentionRun[T]) clear(b, h, first, end int) {
	if r.y.data == nil || r.valueSize == 0 {
		return
	}
	for i := first; i < end; i++ {
		clear(r.y.from(b, h, i)[:r.valueSize])
	}
}

func allZero[T float](x []T) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

func setAll[T float](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// keep writes the scores of a stage to the output, where they are wanted.
func (r *attentionRun[T]) keep(stage int, x []T, b, h, first int) {
	if r.scores != nil && stage == r.stage {
		copy(r.scores[((b*r.heads+h)*r.queries+first)*r.total():], x)
	}
}

// addMask adds the mask of a query to its scores from key lo on. What it leaves out is minus infinity, whatever the
// score is.
func (r *attentionRun[T]) addMask(x []T, b, h, query, lo int) {
	st := &r.maskStrides
	at := b*st[0] + h*st[1] + query*st[2] + lo*st[3]
	switch r.mask.Type {
	case onnx.Bool:
		m := onnx.Data[bool](r.mask)
		for i := range x {
			if !m[at+i*st[3]] {
				x[i] = T(math.Inf(-1))
			}
		}
	case onnx.Double:
		addNumbers(x, onnx.Data[float64](r.mask), at, st[3])
	default:
		addNumbers(x, r.mask.Float32s(), at, st[3])
	}
}

func addNumbers[T, M float](x []T, mask []M, at, step int) {
	for i := range x {
		m := T(mask[at+i*step])
		if math.IsInf(float64(m), -1) {
			x[i] = m
		} else {
			x[i] += m
		}
	}
}

// softmax turns scores into probabilities: zeros where all are minus infinity.
func (r *attentionRun[T]) softmax(x []T) {
	if len(x) == 0 {
		return
	}
	most := largest(x)
	if math.IsInf(float64(most), -1) {
		clear(x)
		return
	}
	if r.double {
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v) - float64(most))
		}
		for i, v := range x {
			x[i] = T(math.Exp(float64(v)-float64(most)) / sum)
		}
		return
	}
	scaleAll(x, T(1/expShifted(x, x, most)))
}

// capScores computes x = limit*tanh(x/limit).
func capScores[T float](x []T, limit T) {
	if x, ok := any(x).([]float32); ok {
		t := kernel.Default()
		t.ScaleShift(x, x, float32(1/limit), 0)
		t.Tanh(x, x)
		t.ScaleShift(x, x, float32(limit), 0)
		return
	}
	for i, v := range x {
		x[i] = T(float64(limit) * math.Tanh(float64(v/limit)))
	}
}

// scratchOf returns scratch memory of either type.
func scratchOf[T float](rt *Runtime, n int) []T {
	var x []T
	if single, ok := any(&x).(*[]float32); ok {
		*single = rt.Scratch(n)
		return x
	}
	return make([]T, n)
}

// product computes y = scale*a*b for a of m x k and b of k x n, whose rows lie step apart in y.
func product[T float](rt *Runtime, m, n, k int, scale float64, a, b matrixOf[T], y []T, step int) {
	if a, ok := any(a).(matrixOf[float32]); ok {
		b := any(b).(matrixOf[float32])
		kernel.Default().Gemm(rt.Pool, rt.Scratch, m, n, k, float32(scale), kernel.Matrix{Data: a.data, Row: a.row, Col: a.col},
			kernel.Matrix{Data: b.data, Row: b.row, Col: b.col}, &kernel.Output{C: any(y).([]float32), LD: step, Cols: n}, &kernel.Epilogue{})
		return
	}
	for i := range m {
		row := y[i*step:][:n]
		clear(row)
		for l := range k {
			v := T(scale) * a.data[i*a.row+l*a.col]
			for j := range row {
				row[j] += T(v * b.data[l*b.row+j*b.col])
			}
		}
	}
}
