package graph

import (
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// conv returns the convolution with constant weights that makes a value which is read so many times, and its place.
func (f *fuser) conv(value string, readers int) (*onnx.Node, int) {
	i, ok := f.maker[value]
	if !ok || f.uses[value] != readers || f.dead[i] {
		return nil, -1
	}
	n := f.nodes[i]
	if len(n.Outputs) != 1 || f.float(input(n, 1)) == nil {
		return nil, -1
	}
	if b := input(n, 2); b != "" && f.float(b) == nil {
		return nil, -1
	}
	if n.OpType == "Conv" && isONNX(n.Domain) || n.OpType == "FusedConv" && n.Domain == microsoft {
		return n, i
	}
	return nil, -1
}

// plain is conv for those without residual and activation.
func (f *fuser) plain(value string) (*onnx.Node, int) {
	n, i := f.conv(value, 1)
	if n == nil || n.OpType != "Conv" {
		return nil, -1
	}
	return n, i
}

// addResidual makes FusedConv of Add(Conv(x), z), z being of the convolution's shape. A constant z is left alone: its
// shape stays when the input has another batch size than the declared one.
func (f *fuser) addResidual(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) || len(n.Inputs) != 2 || n.Inputs[0] == n.Inputs[1] || !(n.OpType == "Sum" || n.OpType == "Add" && f.opsets("") >= 7) {
		return false
	}
	if f.consts[n.Inputs[0]] != nil || f.consts[n.Inputs[1]] != nil {
		return false
	}
	best := -1
	for side := range 2 {
		a, okA := f.hints[n.Inputs[side]]
		b, okB := f.hints[n.Inputs[1-side]]
		if !okA || !okB || a.Type != onnx.Float || b.Type != onnx.Float || !slices.Equal(a.Shape, b.Shape) {
			return false
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
	if !isONNX(n.Domain) && n.Domain != microsoft || len(n.Inputs) == 0 || len(n.Outputs) != 1 {
		return false
	}
	params, ok := f.activation(n)
	if !ok {
		return false
	}
	conv, at := f.conv(n.Inputs[0], 1)
	return conv != nil && f.setActivation(i, at, n.OpType, params)
}

// gate puts x*Sigmoid(x) (SiLU) and x*HardSigmoid(x) with slope 1/6 (HardSwish) into the convolution that makes x.
func (f *fuser) gate(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Mul" || !isONNX(n.Domain) || len(n.Inputs) != 2 {
		return false
	}
	for side := range 2 {
		conv, at := f.conv(n.Inputs[side], 2) // read here and by the sigmoid
		if conv == nil {
			continue
		}
		name := "Silu"
		s, sAt := f.made(n.Inputs[1-side], "Sigmoid")
		if s == nil {
			name = "HardSwish"
			s, sAt = f.made(n.Inputs[1-side], "HardSigmoid")
			if s == nil || floatOf(s, "alpha", 0.2) != float32(1.0/6) || floatOf(s, "beta", 0.5) != 0.5 {
				continue
			}
		}
		if s.Inputs[0] == n.Inputs[side] && f.setActivation(i, at, name, nil) {
			f.dead[sAt] = true
			return true
		}
	}
	return false
}

// setActivation puts the convolution at place at, with an activation, in the place of node i.
func (f *fuser) setActivation(i, at int, name string, params []float32) bool {
	conv := f.nodes[at]
	if conv.Attr("activation") != nil {
		return false
	}
	fused := *conv
	fused.Domain, fused.OpType = microsoft, "FusedConv"
	fused.Attrs = withAttr(conv.Attrs, &onnx.Attribute{Name: "activation", Type: onnx.AttrString, S: []byte(name)})
	if len(params) > 0 {
		fused.Attrs = withAttr(fused.Attrs, &onnx.Attribute{Name: "activation_params", Type: onnx.AttrFloats, Floats: params})
	}
	if _, _, err := op.Make(&fused, 1, nil); err != nil {
		return false // an activation that FusedConv does not have
	}
	f.replace(i, at, &fused)
	return true
}

// activation returns the parameters of an activation that FusedConv may have, in its order.
func (f *fuser) activation(n *onnx.Node) ([]float32, bool) {
	switch n.OpType {
	case "Relu", "Sigmoid", "Tanh", "HardSwish":
		return nil, true
	case "Gelu":
		a := n.Attr("approximate")
		return nil, a == nil || string(a.S) == "none"
	case "LeakyRelu":
		return []float32{floatOf(n, "alpha", 0.01)}, true
	case "HardSigmoid":
		return []float32{floatOf(n, "alpha", 0.2), floatOf(n, "beta", 0.5)}, true
	case "Clip":
		bounds := []float32{-math.MaxFloat32, math.MaxFloat32}
		if f.opsets("") < 11 {
			bounds = []float32{floatOf(n, "min", bounds[0]), floatOf(n, "max", bounds[1])}
			return bounds, bounds[0] <= bounds[1]
		}
		for k := range bounds {
			name := input(n, 1+k)
			if name == "" {
				continue
			}
			c := f.float(name)
			if c == nil || c.Len() != 1 {
				return nil, false
			}
			bounds[k] = c.Float32s()[0]
		}
		return bounds, bounds[0] <= bounds[1]
	}
	return nil, false
}
