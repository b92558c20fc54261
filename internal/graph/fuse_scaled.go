package graph

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// scaleInput lets a pointwise convolution do what is done to its input alone: a batch normalisation with its ReLU, as
// DenseNet has them before convolutions, or the product with one value a channel of each image, as a
// squeeze-and-excitation block has it. It changes the input as it packs it.
func (f *fuser) scaleInput(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Conv" && n.OpType != "FusedConv" || len(n.Inputs) == 0 {
		return false
	}
	if !f.pointwise(n) {
		return false
	}
	before := n.Inputs[0]
	relu, atRelu := f.made(before, "Relu")
	if relu != nil {
		before = relu.Inputs[0]
	}
	norm, atNorm := f.made(before, "BatchNormalization")
	if norm != nil && f.hints[norm.Inputs[0]].Type == onnx.Float {
		mul, add := f.normOf(norm)
		if mul == nil {
			return false
		}
		scale, shift := onnx.New(onnx.Float, len(mul)), onnx.New(onnx.Float, len(mul))
		for c := range mul {
			scale.Float32s()[c], shift.Float32s()[c] = float32(mul[c]), float32(add[c])
		}
		scaleName, shiftName := f.fresh(before+"_scale"), f.fresh(before+"_shift")
		f.consts[scaleName], f.consts[shiftName] = scale, shift
		f.dead[atNorm] = true
		if relu != nil {
			f.dead[atRelu] = true
		}
		f.scaled(i, norm.Inputs[0], scaleName, shiftName, relu != nil)
		return true
	}
	product, at := f.made(n.Inputs[0], "Mul")
	if product == nil || f.opsets("") < 7 {
		return false
	}
	for side := range 2 {
		x, s := f.hints[product.Inputs[side]], f.hints[product.Inputs[1-side]]
		if len(x.Shape) < 3 || len(s.Shape) != len(x.Shape) || x.Type != onnx.Float || !slices.Equal(x.Shape[:2], s.Shape[:2]) ||
			onnx.NumElements(s.Shape[2:]) != 1 || f.consts[product.Inputs[1-side]] != nil {
			continue
		}
		f.dead[at] = true
		f.scaled(i, product.Inputs[side], product.Inputs[1-side], "", false)
		return true
	}
	return false
}

// pointwise reports whether a convolution has constant weights, one position wide, for every position.
func (f *fuser) pointwise(n *onnx.Node) bool {
	w := f.float(input(n, 1))
	if w == nil || len(w.Shape) < 3 || onnx.NumElements(w.Shape[2:]) != 1 || intOf(n, "group", 1) != 1 {
		return false
	}
	for _, name := range []string{"strides", "pads"} {
		want := int64(1)
		if name == "pads" {
			want = 0
		}
		if a := n.Attr(name); a != nil && slices.ContainsFunc(a.Ints, func(v int64) bool { return v != want }) {
			return false
		}
	}
	return true
}

// scaled makes a ScaledConv of the convolution at place i.
func (f *fuser) scaled(i int, x, scale, shift string, relu bool) {
	n := *f.nodes[i]
	n.Domain, n.OpType = op.Internal, "ScaledConv"
	n.Inputs = []string{x, n.Inputs[1], input(f.nodes[i], 2), input(f.nodes[i], 3), scale, shift}
	if relu {
		n.Attrs = withAttr(n.Attrs, &onnx.Attribute{Name: "relu", Type: onnx.AttrInt, I: 1})
	}
	f.nodes[i] = &n
	f.asNewest(&n)
}
