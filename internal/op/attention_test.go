package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// attentionCase is an attention that is computed by its formula, score by score.
type attentionCase struct {
	name                 string
	batch, heads, groups int
	queries, keys, past  int
	size, values         int
	flat, causal         bool
	left, right          int // one more than the window; 0 for none
	scale, limit         float64
	mask                 []int // its shape
	flags                bool
	counts               []int64
	stage                int
	precision            onnx.DataType
	infinite             bool // some numbers of the mask are minus infinity
	q, k, v, bias        *onnx.Tensor
}

// at returns element i of a tensor of rank 4.
func at4(t *onnx.Tensor, i ...int) float64 {
	k := 0
	for d, v := range i {
		k = k*t.Shape[d] + v
	}
	return onnx.Data[float64](t)[k]
}

// flattened turns [B, H, S, D] into [B, S, H*D].
func flattened(t *onnx.Tensor) *onnx.Tensor {
	b, h, s, d := t.Shape[0], t.Shape[1], t.Shape[2], t.Shape[3]
	y := onnx.New(onnx.Double, b, s, h*d)
	for i := range onnx.Data[float64](y) {
		onnx.Data[float64](y)[i] = at4(t, i/(s*h*d), i/d%h, i/(h*d)%s, i%d)
	}
	return y
}

func (c *attentionCase) compute(r *rand.Rand) (in, out tensors) {
	random := func(shape ...int) *onnx.Tensor {
		t := onnx.New(onnx.Double, shape...)
		for i := range onnx.Data[float64](t) {
			onnx.Data[float64](t)[i] = r.NormFloat64()
		}
		return t
	}
	c.q, c.k, c.v = random(c.batch, c.heads, c.queries, c.size), random(c.batch, c.groups, c.keys, c.size), random(c.batch, c.groups, c.keys, c.values)
	in = tensors{c.q, c.k, c.v, nil, nil, nil, nil}
	if c.flat {
		in[0], in[1], in[2] = flattened(c.q), flattened(c.k), flattened(c.v)
	}
	if c.mask != nil {
		c.bias = random(c.mask...)
		numbers := onnx.Data[float64](c.bias)
		in[3] = c.bias
		if c.flags {
			in[3] = onnx.New(onnx.Bool, c.mask...)
		}
		for i, v := range numbers {
			switch {
			case c.flags && v > -.5:
				numbers[i], onnx.Data[bool](in[3])[i] = 0, true
			case c.flags, c.infinite && v > .8:
				numbers[i] = math.Inf(-1)
			}
		}
	}
	if c.past > 0 {
		in[4], in[5] = random(c.batch, c.groups, c.past, c.size), random(c.batch, c.groups, c.past, c.values)
	}
	if c.counts != nil {
		in[6] = i64([]int{c.batch}, c.counts...)
	}
	total := c.past + c.keys
	joined := func(past, now *onnx.Tensor, size int) *onnx.Tensor {
		t := onnx.New(onnx.Double, c.batch, c.groups, total, size)
		for i := range onnx.Data[float64](t) {
			b, g, k, d := i/(c.groups*total*size), i/(total*size)%c.groups, i/size%total, i%size
			if k < c.past {
				onnx.Data[float64](t)[i] = at4(past, b, g, k, d)
			} else {
				onnx.Data[float64](t)[i] = at4(now, b, g, k-c.past, d)
			}
		}
		return t
	}
	keys, values := joined(in[4], c.k, c.size), joined(in[5], c.v, c.values)
	y, scores := onnx.New(onnx.Double, c.batch, c.heads, c.queries, c.values), onnx.New(onnx.Double, c.batch, c.heads, c.queries, total)
	scale := c.scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(c.size))
	}
	for row := range c.batch * c.heads * c.queries {
		b, h, i := row/(c.heads*c.queries), row/c.queries%c.heads, row%c.queries
		g := h * c.groups / c.heads
		place := i + c.past
		if c.counts != nil {
			place = i + int(c.counts[b]) - c.queries
		}
		s := onnx.Data[float64](scores)[row*total:][:total]
		p, sum := make([]float64, total), 0.0
		for k := range total {
			x := 0.0
			for d := range c.size {
				x += at4(c.q, b, h, i, d) * at4(keys, b, g, k, d)
			}
			x *= scale
			stages := []float64{x}
			if c.limit > 0 {
				x = c.limit * math.Tanh(x/c.limit)
			}
			stages = append(stages, x)
			if c.mask != nil {
				index := []int{b, h, i, k}[4-len(c.mask):]
				for d := range index {
					if c.mask[d] == 1 {
						index[d] = 0
					}
				}
				if last := len(c.mask) - 1; index[last] >= c.mask[last] {
					x = math.Inf(-1)
				} else {
					x += at4(c.bias, index...)
				}
			}
			if c.causal && k > place || c.counts != nil && k >= int(c.counts[b]) || c.left > 0 && k < place-(c.left-1) || c.right > 0 && k > place+c.right-1 {
				x = math.Inf(-1)
			}
			stages = append(stages, x)
			p[k] = math.Exp(x)
			sum += p[k]
			if c.stage < 3 {
				s[k] = stages[c.stage]
			}
		}
		for k := range p {
			if sum > 0 {
				p[k] /= sum
			}
			for e := range c.values {
				onnx.Data[float64](y)[row*c.values+e] += p[k] * at4(values, b, g, k, e)
			}
		}
		if c.stage == 3 {
			copy(s, p)
		}
	}
	if c.flat {
		y = flattened(y)
	}
	return in, tensors{y, keys, values, scores}
}

func (c *attentionCase) attrs() attrs {
	a := attrs{"qk_matmul_output_mode": c.stage}
	if c.flat {
		a["q_num_heads"], a["kv_num_heads"] = c.heads, c.groups
	}
	if c.causal {
		a["is_causal"] = 1
	}
	if c.left > 0 {
		a["left_window_size"] = c.left - 1
	}
	if c.right > 0 {
		a["right_window_size"] = c.right - 1
	}
	if c.scale != 0 {
		a["scale"] = c.scale
	}
	if c.limit != 0 {
		a["softcap"] = c.limit
	}
	if c.precision != 0 {
		a["softmax_precision"] = int(c.precision)
	}
	return a
}

func attentionCases() []attentionCase {
	base := attentionCase{batch: 2, heads: 2, groups: 2, queries: 3, keys: 5, size: 4, values: 3}
	with := func(name string, f func(c *attentionCase)) attentionCase {
		c := base
		c.name = name
		f(&c)
		return c
	}
	list := []attentionCase{
		with("plain", func(*attentionCase) {}),
		with("causal", func(c *attentionCase) { c.causal = true }),
		with("rank 3, shared heads", func(c *attentionCase) { c.flat, c.heads = true, 4 }),
		with("scaled and capped", func(c *attentionCase) { c.scale, c.limit = .25, 1.5 }),
		with("precision", func(c *attentionCase) { c.precision = onnx.Double }),
		with("no keys", func(c *attentionCase) { c.keys = 0 }),
		with("mask of a row", func(c *attentionCase) { c.mask = []int{5} }),
		with("mask of a matrix, minus infinity, causal", func(c *attentionCase) { c.mask, c.infinite, c.causal = []int{3, 5}, true, true }),
		with("mask of heads, flags", func(c *attentionCase) { c.mask, c.flags = []int{2, 3, 5}, true }),
		with("mask of the batch", func(c *attentionCase) { c.mask = []int{2, 1, 1, 5} }),
		with("mask of all, flags", func(c *attentionCase) { c.mask, c.flags = []int{2, 2, 3, 5}, true }),
		with("short mask", func(c *attentionCase) { c.mask = []int{3, 4} }),
		with("left window", func(c *attentionCase) { c.left = 2 }),
		with("both windows, mask", func(c *attentionCase) { c.left, c.right, c.mask, c.flags = 1, 2, []int{3, 5}, true }),
		with("past and window", func(c *attentionCase) { c.past, c.left, c.causal = 4, 3, true }),
		with("counts", func(c *attentionCase) { c.counts = []int64{4, 0} }),
		with("counts, causal, window", func(c *attentionCase) { c.counts, c.causal, c.left = []int64{5, 2}, true, 2 }),
		with("several blocks", func(c *attentionCase) {
			c.batch, c.queries, c.keys, c.size, c.values, c.causal = 1, 300, 330, 6, 5, true
		}),
		with("several blocks, windows", func(c *attentionCase) {
			c.batch, c.queries, c.keys, c.size, c.values, c.left, c.right = 1, 280, 300, 3, 2, 20, 9
		}),
	}
	for stage := range 4 {
		list = append(list, with(fmt.Sprint("stage ", stage), func(c *attentionCase) {
			c.stage, c.past, c.causal, c.limit, c.mask, c.flat, c.groups = stage, 2, true, 1, []int{3, 7}, true, 1
		}))
	}
	return list
}

func TestAttentionEqualsItsFormula(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var cases []opCase
	for _, c := range attentionCases() {
		in, want := c.compute(r)
		n := node("Attention", 7, 4, c.attrs())
		single, wantSingle := make(tensors, len(in)), make(tensors, len(want))
		for i, x := range in {
			if single[i] = x; x != nil && x.Type == onnx.Double {
				single[i] = asFloat(x)
			}
		}
		for i, y := range want {
			wantSingle[i] = asFloat(y)
		}
		cases = append(cases, opCase{name: c.name, node: n, in: in, want: want, tol: 1e-7}, // scale and cap are float32
			opCase{name: c.name + ", float", node: n, in: single, want: wantSingle, tol: 1e-5},
			opCase{name: c.name + ", y alone", node: node("Attention", 7, 1, c.attrs()), in: single, want: wantSingle[:1], tol: 1e-5})
		if c.left == 0 && c.right == 0 && c.counts == nil && !slices.Equal(c.mask, []int{3, 4}) {
			old := node("Attention", 6, 4, c.attrs())
			cases = append(cases, opCase{name: c.name + ", opset 23", node: old, opset: 23, in: single, want: wantSingle, tol: 1e-5})
		}
	}
	runCases(t, cases)
}

func TestAttention(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("Attention", 7, 4, a) }
	nan := float32(math.NaN())
	q, k := f32([]int{1, 1, 2, 1}, 1, 2), f32([]int{1, 1, 2, 1}, 1, 1)
	v := f32([]int{1, 1, 2, 1}, 3, 5)
	flat := f32([]int{1, 1, 2}, 1, 2)
	mask := func(v ...bool) *onnx.Tensor { return bools([]int{2, 2}, v...) }
	y := func(v ...float32) tensors { return tensors{f32([]int{1, 1, 2, 1}, v...)} }
	past := f32([]int{1, 1, 1, 1}, 1)
	runCases(t, []opCase{
		{name: "the mean", node: n(nil), in: tensors{q, k, v}, want: y(4, 4)},
		{name: "a row that sees nothing", node: n(nil), in: tensors{q, k, v, mask(false, false, true, false)}, want: y(0, 3)},
		{name: "nothing of values that are no numbers", node: n(nil), in: tensors{q, k, f32([]int{1, 1, 2, 1}, nan, nan), mask(false, false, false, false)}, want: y(0, 0)},
		{name: "causal, beyond are no numbers", node: n(attrs{"is_causal": 1}), in: tensors{q, f32([]int{1, 1, 2, 1}, 1, nan), v}, want: y(3, nan)},
		{name: "one flag for all keys, opset 23", node: node("Attention", 4, 1, nil), opset: 23, in: tensors{q, k, v, bools([]int{2, 1}, true, false)}, want: y(4, 0)},
		{name: "scale 0", node: n(attrs{"scale": 0.}), in: tensors{q, f32([]int{1, 1, 2, 1}, 1, 9), v}, want: y(4, 4)},
		{name: "half softmax", node: n(attrs{"softmax_precision": int(onnx.Float16)}), in: tensors{q, k, v}, want: y(4, 4)},
		{name: "no queries", node: n(nil), in: tensors{f32([]int{1, 1, 0, 1}), k, v}, want: tensors{f32([]int{1, 1, 0, 1})}},
		{name: "no values", node: n(nil), in: tensors{q, k, f32([]int{1, 1, 2, 0})}, want: tensors{f32([]int{1, 1, 2, 0})}},
		{name: "wide windows", node: n(attrs{"left_window_size": math.MaxInt, "right_window_size": math.MaxInt}), in: tensors{q, k, v}, want: y(4, 4)},
		{name: "rank 3 without heads", node: n(nil), in: tensors{flat, flat, flat}, wantErr: "need q_num_heads and kv_num_heads"},
		{name: "heads that do not divide", node: n(attrs{"q_num_heads": 3, "kv_num_heads": 1}), in: tensors{flat, flat, flat}, wantErr: "cannot be divided into 3 and 1"},
		{name: "other heads", node: n(attrs{"q_num_heads": 2}), in: tensors{q, k, v}, wantErr: "have others"},
		{name: "heads that share", node: n(nil), in: tensors{f32([]int{1, 3, 1, 1}, 1, 2, 3), f32([]int{1, 2, 1, 1}, 1, 2), f32([]int{1, 2, 1, 1}, 1, 2)}, wantErr: "3 heads of queries cannot share 2"},
		{name: "no heads of keys", node: n(nil), in: tensors{q, f32([]int{1, 0, 2, 1}), f32([]int{1, 0, 2, 1})}, wantErr: "cannot share 0"},
		{name: "rank", node: n(nil), in: tensors{f32([]int{1}, 1), k, v}, wantErr: "want rank 4 of all, or rank 3"},
		{name: "ranks", node: n(nil), in: tensors{q, flat, v}, wantErr: "want rank 4 of all"},
		{name: "sizes", node: n(nil), in: tensors{q, f32([]int{1, 1, 1, 2}, 1, 2), v}, wantErr: "do not fit each other"},
		{name: "values", node: n(nil), in: tensors{q, k, f32([]int{1, 1, 1, 1}, 1)}, wantErr: "do not fit each other"},
		{name: "mask", node: n(nil), in: tensors{q, k, v, f32([]int{3, 2}, 0, 0, 0, 0, 0, 0)}, wantErr: "does not fit scores of shape [1 1 2 2]"},
		{name: "mask too long", node: n(nil), in: tensors{q, k, v, f32([]int{3}, 0, 0, 0)}, wantErr: "does not fit scores"},
		{name: "short mask of opset 23", node: node("Attention", 4, 1, nil), opset: 23, in: tensors{q, f32([]int{1, 1, 3, 1}, 1, 1, 1), f32([]int{1, 1, 3, 1}, 1, 1, 1), f32([]int{2}, 0, 0)}, wantErr: "does not fit scores"},
		{name: "mask of rank 5", node: n(nil), in: tensors{q, k, v, onnx.New(onnx.Float, 1, 1, 1, 1, 1)}, wantErr: "does not fit scores"},
		{name: "mask of rank 0", node: n(nil), in: tensors{q, k, v, f32(nil, 0)}, wantErr: "does not fit scores"},
		{name: "mask of integers", node: n(nil), in: tensors{q, k, v, onnx.New(onnx.Int64, 2)}, wantErr: "want flags or numbers"},
		{name: "half a past", node: n(nil), in: tensors{q, k, v, nil, past}, wantErr: "belong together"},
		{name: "past", node: n(nil), in: tensors{q, k, v, nil, past, f32([]int{1, 1, 2, 1}, 1, 2)}, wantErr: "past_key [1 1 1 1] and past_value [1 1 2 1]"},
		{name: "past and counts", node: n(nil), in: tensors{q, k, v, nil, past, past, i64([]int{1}, 1)}, wantErr: "no meaning"},
		{name: "counts", node: n(nil), in: tensors{q, k, v, nil, nil, nil, i64([]int{2}, 1, 1)}, wantErr: "nonpad_kv_seqlen: want int64[1]"},
		{name: "too many", node: n(nil), in: tensors{q, k, v, nil, nil, nil, i64([]int{1}, 3)}, wantErr: "element 0 is 3, want 0 to 2"},
		{name: "types", node: n(nil), in: tensors{q, f64([]int{1, 1, 2, 1}, 1, 1), v}, wantErr: "input 1 is of type float64"},
		{name: "integers", node: n(nil), in: tensors{onnx.New(onnx.Int32, 1, 1, 2, 1), k, v}, wantErr: "int32 is not supported"},
		{name: "window", node: n(attrs{"left_window_size": -2}), in: tensors{q, k, v}, wantErr: "want -1 or more"},
		{name: "negative heads", node: n(attrs{"q_num_heads": -2}), in: tensors{q, k, v}, wantErr: "q_num_heads is -2"},
		{name: "stage", node: n(attrs{"qk_matmul_output_mode": 4}), in: tensors{q, k, v}, wantErr: "want 0 to 3"},
		{name: "cap", node: n(attrs{"softcap": -1.}), in: tensors{q, k, v}, wantErr: "softcap is -1"},
		{name: "precision", node: n(attrs{"softmax_precision": int(onnx.Int8)}), in: tensors{q, k, v}, wantErr: "want a floating-point type"},
		{name: "counts of opset 23", node: n(nil), opset: 23, in: tensors{q, k, v, nil, nil, nil, i64([]int{1}, 2)}, wantErr: "opset 24"},
	})
}

// The same bits for any number of threads, and an end where nobody waits any more.
func TestAttentionThreads(t *testing.T) {
	c := attentionCase{batch: 1, heads: 3, groups: 3, queries: 270, keys: 280, size: 16, values: 16}
	double, _ := c.compute(rand.New(rand.NewPCG(3, 4)))
	in := make(tensors, len(double))
	for i := range 3 {
		in[i] = asFloat(double[i])
	}
	o, _, err := Make(node("Attention", 7, 1, nil), MaxOpset, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkThreads(t, o, in, 1, 3, 270, 16)
}
