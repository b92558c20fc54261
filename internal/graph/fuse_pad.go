package graph

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// takePad puts a Pad with zeros along the spatial axes into the convolution or average pool after it. A pool that has no
// padding of its own then counts the padded elements, as it did.
func (f *fuser) takePad(i int) bool {
	n := f.nodes[i]
	switch {
	case n.OpType == "Conv" && isONNX(n.Domain), n.OpType == "FusedConv" && n.Domain == microsoft:
	case n.OpType == "AveragePool" && isONNX(n.Domain) && f.opsets("") >= 7 && intOf(n, "ceil_mode", 0) == 0:
	default:
		return false
	}
	pad, at := f.made(input(n, 0), "Pad")
	if pad == nil {
		return false
	}
	if a := n.Attr("auto_pad"); a != nil && string(a.S) != "NOTSET" && string(a.S) != "VALID" && len(a.S) > 0 {
		return false
	}
	spatial := f.spatialAxes(n)
	add, ok := f.zeroPads(pad, spatial+2)
	if !ok || spatial < 1 {
		return false
	}
	attrs := slices.DeleteFunc(slices.Clone(n.Attrs), func(a *onnx.Attribute) bool { return a.Name == "auto_pad" })
	pads := make([]int64, 2*spatial)
	if a := n.Attr("pads"); a != nil {
		if len(a.Ints) != len(pads) || slices.Min(a.Ints) < 0 {
			return false
		}
		copy(pads, a.Ints)
	}
	if n.OpType == "AveragePool" {
		kernel := n.Attr("kernel_shape").Ints
		for k := range pads {
			if pads[k] != 0 || add[k] >= kernel[k%spatial] {
				return false
			}
		}
		attrs = withAttr(attrs, &onnx.Attribute{Name: "count_include_pad", Type: onnx.AttrInt, I: 1})
	}
	for k := range pads {
		pads[k] += add[k]
	}
	fused := *n
	fused.Inputs = slices.Clone(n.Inputs)
	fused.Inputs[0] = pad.Inputs[0]
	fused.Attrs = withAttr(attrs, &onnx.Attribute{Name: "pads", Type: onnx.AttrInts, Ints: pads})
	f.replace(i, at, &fused)
	return true
}

// spatialAxes returns how many axes a convolution or pool slides along, 0 where that is not known.
func (f *fuser) spatialAxes(n *onnx.Node) int {
	if a := n.Attr("kernel_shape"); a != nil {
		return len(a.Ints)
	}
	if w := f.consts[input(n, 1)]; w != nil {
		return len(w.Shape) - 2
	}
	return 0
}

// zeroPads returns the padding of the spatial axes (begins, then ends) where a Pad of an input of that rank does no more
// than add zeros there.
func (f *fuser) zeroPads(n *onnx.Node, rank int) ([]int64, bool) {
	if a := n.Attr("mode"); a != nil && string(a.S) != "constant" || f.opsets("") < 2 || rank < 3 {
		return nil, false
	}
	var pads []int64
	axes := make([]int64, rank)
	for k := range axes {
		axes[k] = int64(k)
	}
	if a := n.Attr("pads"); a != nil && len(n.Inputs) == 1 {
		pads = a.Ints
		if floatOf(n, "value", 0) != 0 {
			return nil, false
		}
	} else {
		c := f.consts[input(n, 1)]
		if c == nil || c.Type != onnx.Int64 {
			return nil, false
		}
		pads = c.Int64s()
		if value := input(n, 2); value != "" {
			v := f.consts[value]
			if v == nil || v.Len() != 1 || slices.ContainsFunc(v.Raw, func(b byte) bool { return b != 0 }) {
				return nil, false
			}
		}
		if name := input(n, 3); name != "" {
			a := f.consts[name]
			if a == nil || a.Type != onnx.Int64 {
				return nil, false
			}
			axes = a.Int64s()
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, false
	}
	out := make([]int64, 2*(rank-2))
	for k, axis := range axes {
		if axis < 0 {
			axis += int64(rank)
		}
		begin, end := pads[k], pads[len(axes)+k]
		switch {
		case axis < 0 || axis >= int64(rank) || slices.Contains(axes[:k], axes[k]) || begin < 0 || end < 0 || axis < 2 && begin+end != 0:
			return nil, false
		case axis >= 2:
			out[axis-2], out[int(axis)-2+rank-2] = begin, end
		}
	}
	return out, true
}
