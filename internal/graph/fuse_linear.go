package graph

import (
	"math"
	"sync/atomic"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// linear is a node that computes w*x + b with constant w and b, before anything else is done to it.
type linear struct {
	node     *onnx.Node
	at       int
	weight   *onnx.Tensor
	bias     *onnx.Tensor // nil where there is none
	rank     int          // of the result, whose axis 1 are the channels
	channels int
}

// linear returns the Conv, ConvTranspose or Gemm that makes a value which nothing else reads, nil if there is none.
func (f *fuser) linear(value string) *linear {
	for _, typ := range []string{"Conv", "ConvTranspose", "Gemm"} {
		n, at := f.made(value, typ)
		if n == nil {
			continue
		}
		l := &linear{node: n, at: at, weight: f.float(input(n, 1))}
		if l.weight == nil || l.weight.Len() == 0 {
			return nil
		}
		if b := input(n, 2); b != "" {
			if l.bias = f.float(b); l.bias == nil {
				return nil
			}
		}
		shape := l.weight.Shape
		switch l.rank = len(shape); {
		case typ == "Gemm" && l.rank == 2 && f.opsets("") >= 7:
			if l.channels = shape[1]; intOf(n, "transB", 0) != 0 {
				l.channels = shape[0]
			}
		case typ == "Conv" && l.rank > 2:
			l.channels = shape[0]
		case typ == "ConvTranspose" && l.rank > 2:
			group := intOf(n, "group", 1)
			if group < 1 || shape[0]%group != 0 {
				return nil
			}
			l.channels = shape[1] * group
		default:
			return nil
		}
		return l
	}
	return nil
}

// intOf returns an integer attribute of a node whose operator has been made, so that it is known to be right.
func intOf(n *onnx.Node, name string, def int) int {
	if a := n.Attr(name); a != nil {
		return int(a.I)
	}
	return def
}

// floatOf is intOf for numbers.
func floatOf(n *onnx.Node, name string, def float32) float32 {
	if a := n.Attr(name); a != nil {
		return a.F
	}
	return def
}

// scale puts l, its result multiplied by mul and then increased by add channel by channel, in the place of node i. It
// refuses where the new weights are not finite: an infinity times zero would be in another place.
func (f *fuser) scale(i int, l *linear, mul, add []float64) bool {
	if len(mul) != l.channels {
		return false
	}
	old := make([]float64, l.channels)
	if l.bias != nil {
		// A Gemm's bias is a row, [1,channels] or shorter; a convolution's, [channels], looks like one.
		var ok bool
		if old, ok = perChannel(l.bias, 2, l.channels); !ok {
			return false
		}
	}
	beta := 1.0
	if l.node.OpType == "Gemm" {
		beta = float64(floatOf(l.node, "beta", 1))
	}
	bias := onnx.New(onnx.Float, l.channels)
	for c, v := range old {
		b := float32(beta*v*mul[c] + add[c])
		if bias.Float32s()[c] = b; b-b != 0 {
			return false
		}
	}
	weight, ok := f.scaleWeight(l, mul)
	if !ok {
		return false
	}
	n := *l.node
	wName, bName := f.fresh(n.Inputs[1]), f.fresh(n.Inputs[1]+"_bias")
	f.consts[wName], f.consts[bName] = weight, bias
	if f.origin != nil {
		f.origin[wName], f.origin[bName] = n.Inputs[1], input(l.node, 2)
	}
	n.Inputs = []string{n.Inputs[0], wName, bName}
	if beta != 1 {
		n.Attrs = withAttr(n.Attrs, &onnx.Attribute{Name: "beta", Type: onnx.AttrFloat, F: 1})
	}
	f.replace(i, l.at, &n)
	return true
}

// withAttr returns the attributes with one set anew.
func withAttr(attrs []*onnx.Attribute, a *onnx.Attribute) []*onnx.Attribute {
	out := []*onnx.Attribute{a}
	for _, old := range attrs {
		if old.Name != a.Name {
			out = append(out, old)
		}
	}
	return out
}

// scaleGrain is about how many elements of a weight are scaled at a time.
const scaleGrain = 1 << 16

// scaleWeight returns the weight with each channel's elements multiplied by mul; ok is false where a product is not
// finite.
func (f *fuser) scaleWeight(l *linear, mul []float64) (scaled *onnx.Tensor, ok bool) {
	// The weight is rows of runs: run j of row r belongs to channel first(r)+j.
	shape := l.weight.Shape
	rows, runs := 1, shape[0]
	first := func(int) int { return 0 }
	switch {
	case l.node.OpType == "ConvTranspose": // [inputs, channels of the group, ...]
		group := intOf(l.node, "group", 1)
		rows, runs = shape[0], shape[1]
		first = func(r int) int { return r / (shape[0] / group) * shape[1] }
	case l.node.OpType == "Gemm" && intOf(l.node, "transB", 0) == 0: // [inputs, channels]
		rows, runs = shape[0], shape[1]
	}
	per := l.weight.Len() / (rows * runs)
	src := l.weight.Float32s()
	scaled = onnx.New(onnx.Float, shape...)
	dst := scaled.Float32s()
	var bad atomic.Bool
	f.pool.For(rows*runs, 1+scaleGrain/per, func(lo, hi int) {
		sum := float32(0) // becomes NaN where a product is not finite
		for q := lo; q < hi; q++ {
			m := mul[first(q/runs)+q%runs]
			for k := q * per; k < (q+1)*per; k++ {
				v := float32(float64(src[k]) * m)
				dst[k] = v
				sum += v * 0
			}
		}
		if sum != 0 {
			bad.Store(true)
		}
	})
	return scaled, !bad.Load()
}

// foldNorm folds a batch normalisation into the convolution or matrix product before it.
func (f *fuser) foldNorm(i int) bool {
	mul, add := f.normOf(f.nodes[i])
	if mul == nil {
		return false
	}
	l := f.linear(f.nodes[i].Inputs[0])
	return l != nil && f.scale(i, l, mul, add)
}

// normOf returns the factors and terms of a batch normalisation with constant statistics, one a channel, nil where the
// node is another or where they are not finite.
func (f *fuser) normOf(n *onnx.Node) (mul, add []float64) {
	if n.OpType != "BatchNormalization" || !isONNX(n.Domain) || len(n.Inputs) != 5 {
		return nil, nil
	}
	for _, o := range n.Outputs[1:] {
		if o != "" {
			return nil, nil
		}
	}
	if a := n.Attr("training_mode"); a != nil && a.I != 0 {
		return nil, nil
	}
	var p [4][]float32 // scale, bias, mean, variance
	for k := range p {
		t := f.float(n.Inputs[1+k])
		if t == nil || len(t.Shape) != 1 || k > 0 && len(p[0]) != t.Shape[0] {
			return nil, nil
		}
		p[k] = t.Float32s()
	}
	eps := float64(float32(1e-5))
	if a := n.Attr("epsilon"); a != nil {
		eps = float64(a.F)
	}
	mul, add = make([]float64, len(p[0])), make([]float64, len(p[0]))
	for c := range mul {
		mul[c] = float64(p[0][c]) / math.Sqrt(float64(p[3][c])+eps)
		add[c] = float64(p[1][c]) - float64(p[2][c])*mul[c]
		if math.IsNaN(mul[c]) || math.IsInf(mul[c], 0) {
			return nil, nil
		}
	}
	return mul, add
}

// foldScale folds sums, differences, products and quotients with one constant a channel into the convolution or matrix
// product before them.
func (f *fuser) foldScale(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) || f.opsets("") < 7 || len(n.Inputs) != 2 {
		return false
	}
	switch n.OpType {
	case "Add", "Sub", "Mul", "Div":
	default:
		return false
	}
	for side := range 2 {
		l, c := f.linear(n.Inputs[side]), f.float(n.Inputs[1-side])
		if l == nil || c == nil || n.OpType == "Div" && side == 1 {
			continue
		}
		v, ok := perChannel(c, l.rank, l.channels)
		if !ok {
			continue
		}
		mul, add := make([]float64, l.channels), make([]float64, l.channels)
		for k := range mul {
			mul[k] = 1
			switch {
			case n.OpType == "Mul":
				mul[k] = v[k]
			case n.OpType == "Div":
				mul[k] = 1 / v[k]
			case n.OpType == "Add":
				add[k] = v[k]
			case side == 0:
				add[k] = -v[k]
			default:
				mul[k], add[k] = -1, v[k]
			}
		}
		return f.scale(i, l, mul, add)
	}
	return false
}

// perChannel returns the values of a tensor that broadcasts to one value a channel of [N,C,...] of that rank.
func perChannel(t *onnx.Tensor, rank, channels int) ([]float64, bool) {
	if len(t.Shape) > rank {
		return nil, false
	}
	for i, d := range t.Shape {
		axis := rank - len(t.Shape) + i
		if d != 1 && !(axis == 1 && d == channels) {
			return nil, false
		}
	}
	src := t.Float32s()
	v := make([]float64, channels)
	for c := range v {
		v[c] = float64(src[c%len(src)])
	}
	return v, true
}
