package graph

import (
	"math"
	"sync/atomic"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// microsoft is the domain of FusedConv: Y = activation(Conv(X, W) + B + Z), with B and Z optional.
const microsoft = "com.microsoft"

// fuser looks at a graph through who makes and who reads each value.
type fuser struct {
	*work
	uses  map[string]int
	maker map[string]int // node that makes a value; nodes are replaced and removed in place
	dead  []bool
	hints map[string]op.Info
}

// fuse joins a convolution with what follows it: batch normalisation, per-channel factors and terms, a residual of the
// same shape, and an activation. hints has example shapes. It reports whether anything changed.
func (w *work) fuse(hints map[string]op.Info) bool {
	f := &fuser{work: w, uses: w.uses(), maker: map[string]int{}, dead: make([]bool, len(w.nodes)), hints: hints}
	for i, n := range w.nodes {
		for _, o := range n.Outputs {
			f.maker[o] = i
		}
	}
	changed := false
	for i := range w.nodes {
		// A node can take in several that come before it: normalisation, then sum, then activation.
		for !f.dead[i] && (f.foldNorm(i) || f.foldScale(i) || f.addResidual(i) || f.activate(i)) {
			changed = true
		}
	}
	kept := w.nodes[:0]
	for i, n := range w.nodes {
		if !f.dead[i] {
			kept = append(kept, n)
		}
	}
	w.nodes = kept
	return changed
}

// conv returns the convolution that makes a value which nothing else reads, and its place.
func (f *fuser) conv(value string) (*onnx.Node, int) {
	i, ok := f.maker[value]
	if !ok || f.uses[value] != 1 || f.dead[i] {
		return nil, -1
	}
	n := f.nodes[i]
	if len(n.Outputs) != 1 || f.consts[input(n, 1)] == nil || f.consts[input(n, 1)].Type != onnx.Float {
		return nil, -1
	}
	if b := input(n, 2); b != "" && (f.consts[b] == nil || f.consts[b].Type != onnx.Float) {
		return nil, -1
	}
	if n.OpType == "Conv" && isONNX(n.Domain) || n.OpType == "FusedConv" && n.Domain == microsoft {
		return n, i
	}
	return nil, -1
}

// plain is conv for those without residual and activation.
func (f *fuser) plain(value string) (*onnx.Node, int) {
	n, i := f.conv(value)
	if n == nil || n.OpType != "Conv" {
		return nil, -1
	}
	return n, i
}

func input(n *onnx.Node, i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// replace puts n in the place of node at, and takes the node from out.
func (f *fuser) replace(at, from int, n *onnx.Node) {
	n.Outputs = f.nodes[at].Outputs[:1] // a normalisation may name others, empty
	f.nodes[at] = n
	f.dead[from] = true
	for _, o := range n.Outputs {
		f.maker[o] = at
	}
}

// scaled returns a copy of conv whose result is multiplied by mul and then increased by add, channel by channel. It
// refuses where the new weights are not finite: an infinity times zero would be in another place.
func (f *fuser) scaled(conv *onnx.Node, mul, add []float64) (*onnx.Node, bool) {
	w := f.consts[conv.Inputs[1]]
	if len(w.Shape) < 3 || w.Shape[0] != len(mul) || w.Len() == 0 {
		return nil, false
	}
	bias := onnx.New(onnx.Float, len(mul))
	var old []float32
	if name := input(conv, 2); name != "" {
		old = f.consts[name].Float32s()
		if len(old) != len(mul) {
			return nil, false
		}
	}
	for c := range mul {
		v := 0.0
		if old != nil {
			v = float64(old[c])
		}
		bias.Float32s()[c] = float32(v*mul[c] + add[c])
		if !finite(bias.Float32s()[c]) {
			return nil, false
		}
	}
	w2, ok := f.scaleRows(w, mul)
	if !ok {
		return nil, false
	}
	n := *conv
	wName, bName := f.fresh(conv.Inputs[1]), f.fresh(conv.Inputs[1]+"_bias")
	f.consts[wName], f.consts[bName] = w2, bias
	n.Inputs = []string{conv.Inputs[0], wName, bName}
	return &n, true
}

// scaleRows returns a weight whose parts along the first axis are multiplied by mul; ok is false where a product is not
// finite.
func (f *fuser) scaleRows(w *onnx.Tensor, mul []float64) (scaled *onnx.Tensor, ok bool) {
	per := w.Len() / len(mul)
	src := w.Float32s()
	scaled = onnx.New(onnx.Float, w.Shape...)
	dst := scaled.Float32s()
	var bad atomic.Bool
	f.pool.For(len(mul), 1+scaleGrain/per, func(lo, hi int) {
		for c := lo; c < hi; c++ {
			m := mul[c]
			sum := float32(0) // NaN where a product is not finite
			for k := c * per; k < (c+1)*per; k++ {
				v := float32(float64(src[k]) * m)
				dst[k] = v
				sum += v * 0
			}
			if sum != 0 {
				bad.Store(true)
			}
		}
	})
	return scaled, !bad.Load()
}

// scaleGrain is about how many elements of a weight are scaled at a time.
const scaleGrain = 1 << 16

func finite(v float32) bool { return v-v == 0 }

// foldNorm folds BatchNormalization(Conv(x)) into the convolution.
func (f *fuser) foldNorm(i int) bool {
	n := f.nodes[i]
	if n.OpType != "BatchNormalization" || !isONNX(n.Domain) || len(n.Inputs) != 5 {
		return false
	}
	for _, o := range n.Outputs[1:] {
		if o != "" {
			return false
		}
	}
	if a := n.Attr("training_mode"); a != nil && a.I != 0 {
		return false
	}
	conv, at := f.plain(n.Inputs[0])
	if conv == nil {
		return false
	}
	var p [4][]float32 // scale, bias, mean, variance
	for k := range p {
		t := f.consts[n.Inputs[1+k]]
		if t == nil || t.Type != onnx.Float || len(t.Shape) != 1 || k > 0 && len(p[0]) != t.Shape[0] {
			return false
		}
		p[k] = t.Float32s()
	}
	eps := float64(float32(1e-5))
	if a := n.Attr("epsilon"); a != nil {
		eps = float64(a.F)
	}
	mul, add := make([]float64, len(p[0])), make([]float64, len(p[0]))
	for c := range mul {
		mul[c] = float64(p[0][c]) / math.Sqrt(float64(p[3][c])+eps)
		add[c] = float64(p[1][c]) - float64(p[2][c])*mul[c]
		if math.IsNaN(mul[c]) || math.IsInf(mul[c], 0) {
			return false
		}
	}
	fused, ok := f.scaled(conv, mul, add)
	if ok {
		f.replace(i, at, fused)
	}
	return ok
}

// foldScale folds Mul(Conv(x), c) and Add(Conv(x), c) into the convolution, c being one constant a channel.
func (f *fuser) foldScale(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Mul" && n.OpType != "Add" || !isONNX(n.Domain) || f.opsets("") < 7 || len(n.Inputs) != 2 {
		return false
	}
	for side := range 2 {
		conv, at := f.plain(n.Inputs[side])
		c := f.consts[n.Inputs[1-side]]
		if conv == nil || c == nil || c.Type != onnx.Float {
			continue
		}
		rank, channels := len(f.consts[conv.Inputs[1]].Shape), f.consts[conv.Inputs[1]].Shape[0]
		v, ok := perChannel(c, rank, channels)
		if !ok {
			continue
		}
		mul, add := make([]float64, channels), make([]float64, channels)
		for k := range mul {
			mul[k] = 1
			if n.OpType == "Mul" {
				mul[k] = v[k]
			} else {
				add[k] = v[k]
			}
		}
		if fused, ok := f.scaled(conv, mul, add); ok {
			f.replace(i, at, fused)
			return true
		}
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

// addResidual makes FusedConv of Add(Conv(x), z), z being of the convolution's shape.
func (f *fuser) addResidual(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) || len(n.Inputs) != 2 || n.Inputs[0] == n.Inputs[1] || !(n.OpType == "Sum" || n.OpType == "Add" && f.opsets("") >= 7) {
		return false
	}
	best := -1
	for side := range 2 {
		a, okA := f.hints[n.Inputs[side]]
		b, okB := f.hints[n.Inputs[1-side]]
		if !okA || !okB || a.Type != onnx.Float || b.Type != onnx.Float || len(a.Shape) != len(b.Shape) {
			return false
		}
		for k := range a.Shape {
			if a.Shape[k] != b.Shape[k] {
				return false
			}
		}
		// Where both sides are convolutions the later one takes the sum: the other is then done.
		if _, at := f.plain(n.Inputs[side]); at >= 0 && (best < 0 || at > f.maker[n.Inputs[best]]) {
			best = side
		}
	}
	if best < 0 {
		return false
	}
	conv, at := f.plain(n.Inputs[best])
	fused := *conv
	fused.Domain, fused.OpType = microsoft, "FusedConv"
	fused.Inputs = []string{conv.Inputs[0], conv.Inputs[1], input(conv, 2), n.Inputs[1-best]}
	f.replace(i, at, &fused)
	return true
}

// activate puts an activation into the convolution before it.
func (f *fuser) activate(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) || len(n.Inputs) == 0 || len(n.Outputs) != 1 {
		return false
	}
	params, ok := f.activation(n)
	if !ok {
		return false
	}
	conv, at := f.conv(n.Inputs[0])
	if conv == nil || conv.Attr("activation") != nil {
		return false
	}
	fused := *conv
	fused.Domain, fused.OpType = microsoft, "FusedConv"
	fused.Attrs = append([]*onnx.Attribute(nil), conv.Attrs...)
	fused.Attrs = append(fused.Attrs, &onnx.Attribute{Name: "activation", Type: onnx.AttrString, S: []byte(n.OpType)})
	if len(params) > 0 {
		fused.Attrs = append(fused.Attrs, &onnx.Attribute{Name: "activation_params", Type: onnx.AttrFloats, Floats: params})
	}
	if _, _, err := op.Make(&fused, 1, nil); err != nil {
		return false // an activation that FusedConv does not have
	}
	f.replace(i, at, &fused)
	return true
}

// activation returns the parameters of an activation that FusedConv may have, in its order.
func (f *fuser) activation(n *onnx.Node) ([]float32, bool) {
	attr := func(name string, def float32) float32 {
		if a := n.Attr(name); a != nil {
			return a.F
		}
		return def
	}
	switch n.OpType {
	case "Relu", "Sigmoid", "Tanh", "HardSwish":
		return nil, true
	case "LeakyRelu":
		return []float32{attr("alpha", 0.01)}, true
	case "HardSigmoid":
		return []float32{attr("alpha", 0.2), attr("beta", 0.5)}, true
	case "Clip":
		bounds := []float32{-math.MaxFloat32, math.MaxFloat32}
		if f.opsets("") < 11 {
			return []float32{attr("min", bounds[0]), attr("max", bounds[1])}, true
		}
		for k := range bounds {
			name := input(n, 1+k)
			if name == "" {
				continue
			}
			c := f.consts[name]
			if c == nil || c.Type != onnx.Float || c.Len() != 1 {
				return nil, false
			}
			bounds[k] = c.Float32s()[0]
		}
		return bounds, bounds[0] <= bounds[1]
	}
	return nil, false
}
