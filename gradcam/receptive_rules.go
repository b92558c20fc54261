package gradcam

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// fieldRule returns what an output of a node sees; inputs are those that see something, and their sight is known.
type fieldRule func(f *fieldWalk, n *onnx.Node, inputs []string, output int) ([2]span, error)

var rules = map[string]fieldRule{
	"Conv": slide, "MaxPool": slide, "AveragePool": slide, "LpPool": slide, "ConvInteger": slide, "QLinearConv": slide,
	"GlobalAveragePool": spatially, "GlobalMaxPool": spatially, "GlobalLpPool": spatially,
	"InstanceNormalization": spatially, "GroupNormalization": spatially,
	"Reshape": reshaped, "Flatten": reshaped, "Squeeze": reshaped, "Unsqueeze": reshaped,
	"ReduceMean": reduced, "ReduceMax": reduced, "ReduceMin": reduced, "ReduceSum": reduced, "ReduceL1": reduced, "ReduceL2": reduced, "ReduceProd": reduced,
	"Transpose": transposed, "Concat": concatenated, "Split": split, "Gather": gathered, "Pad": padded, "Slice": sliced,
	"MatMul": product, "Gemm": product,
	"Softmax": normalised, "LogSoftmax": normalised, "LayerNormalization": normalised,
	"Resize": resized, "Upsample": resized,
}

func init() {
	// Position by position; LRN and BatchNormalization look at channels only.
	for _, name := range []string{"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Sigmoid", "HardSigmoid",
		"HardSwish", "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal",
		"Clip", "Identity", "Dropout", "Cast", "Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Min", "Where",
		"BatchNormalization", "LRN", "QuantizeLinear", "DequantizeLinear", "Floor", "Ceil", "Round", "Sign"} {
		rules[name] = elementwise
	}
}

// elementwise joins what the inputs see at a position, shapes being broadcast.
func elementwise(f *fieldWalk, n *onnx.Node, inputs []string, output int) (out [2]span, err error) {
	shape := f.values[n.Outputs[0]].Shape
	for k, in := range inputs {
		from := f.values[in].Shape
		for i, a := range f.seen[in].axes {
			if a.dim >= 0 {
				narrow := f.extent(in, a) == 1
				a.dim += len(shape) - len(from)
				if narrow && a.dim < len(shape) && shape[a.dim] > 1 {
					a.jump = 0
				}
			}
			if k > 0 {
				positions := 1
				if d := max(a.dim, out[i].dim); d >= 0 && d < len(shape) {
					positions = shape[d]
				}
				if a, err = out[i].join(a, positions); err != nil {
					return out, err
				}
			}
			out[i] = a
		}
	}
	return out, nil
}

// slide is a convolution or a pool.
func slide(f *fieldWalk, n *onnx.Node, _ []string, _ int) ([2]span, error) {
	axes := f.seen[n.Inputs[0]]
	if axes == nil {
		return [2]span{}, errors.New("the weights depend on the image")
	}
	x := f.values[n.Inputs[0]].Shape
	if len(x) < 3 {
		return axes.axes, fmt.Errorf("input %v has no spatial axis", x)
	}
	var kernel []int
	if weight := map[string]int{"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}[n.OpType]; weight > 0 {
		w := f.values[n.Inputs[weight]].Shape
		if len(w) != len(x) {
			return axes.axes, fmt.Errorf("the weight's shape %v does not fit the input %v", w, x)
		}
		kernel = w[2:]
	}
	w, err := op.WindowOf(n, f.opset, x[2:], kernel)
	out := axes.axes
	for i, a := range out {
		if err != nil || a.dim < 0 {
			continue
		}
		d := a.dim - 2
		if d < 0 {
			out[i] = a.all(f.extent(n.Inputs[0], a)) // channels: every filter sees all of them
			continue
		}
		out[i].lo -= w.Pad[d] * a.jump
		out[i].hi += ((w.Kernel[d]-1)*w.Dilation[d] - w.Pad[d]) * a.jump
		out[i].jump *= w.Stride[d]
	}
	return out, err
}

// spatially sees all positions at once.
func spatially(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	return f.whole(n, inputs, func(dim int) bool { return dim >= 2 })
}

// whole lets a position see all of the chosen dimensions.
func (f *fieldWalk) whole(n *onnx.Node, inputs []string, chosen func(dim int) bool) ([2]span, error) {
	if inputs[0] != n.Inputs[0] || len(inputs) > 1 {
		return [2]span{}, errors.New("its parameters depend on the image")
	}
	out := f.seen[inputs[0]].axes
	for i, a := range out {
		if a.dim >= 0 && chosen(a.dim) {
			out[i] = a.all(f.extent(inputs[0], a))
		}
	}
	return out, nil
}

// reshaped follows a dimension that is still there afterwards, and sees all of one that is merged with others.
func reshaped(f *fieldWalk, n *onnx.Node, _ []string, output int) ([2]span, error) {
	s := f.seen[n.Inputs[0]]
	if s == nil {
		return [2]span{}, errors.New("the shape depends on the image")
	}
	from, to := f.values[n.Inputs[0]].Shape, f.values[n.Outputs[output]].Shape
	out := s.axes
	for i, a := range out {
		if a.dim < 0 {
			continue
		}
		before, size := onnx.NumElements(from[:a.dim]), from[a.dim]
		out[i] = a.all(size)
		out[i].dim = -1
		for d, product := 0, 1; d < len(to); d++ {
			if product == before && to[d] == size && size > 1 {
				out[i] = a
				out[i].dim = d
				break
			}
			product *= to[d]
		}
	}
	return out, nil
}

func reduced(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	axes, err := f.ints(n, "axes", 1)
	if err != nil {
		return [2]span{}, err
	}
	rank := len(f.values[n.Inputs[0]].Shape)
	if len(axes) == 0 {
		if attrInt(n, "noop_with_empty_axes", 0) != 0 {
			return f.seen[inputs[0]].axes, nil
		}
		for d := range rank {
			axes = append(axes, d)
		}
	}
	for i, a := range axes {
		axes[i] = fromEnd(a, rank)
	}
	out, err := f.whole(n, inputs, func(dim int) bool { return slices.Contains(axes, dim) })
	if attrInt(n, "keepdims", 1) != 0 {
		return out, err
	}
	for i, a := range out {
		if slices.Contains(axes, a.dim) {
			out[i].dim = -1
			continue
		}
		for _, x := range axes {
			if x < a.dim {
				out[i].dim--
			}
		}
	}
	return out, err
}

func fromEnd(axis, rank int) int {
	if axis < 0 {
		return axis + rank
	}
	return axis
}

func transposed(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	out := f.seen[inputs[0]].axes
	rank := len(f.values[inputs[0]].Shape)
	perm, err := f.ints(n, "perm", -1)
	for i, a := range out {
		if a.dim >= 0 {
			if perm == nil {
				out[i].dim = rank - 1 - a.dim
			} else {
				out[i].dim = slices.Index(perm, a.dim)
			}
		}
	}
	return out, err
}

func concatenated(f *fieldWalk, n *onnx.Node, inputs []string, output int) ([2]span, error) {
	axis := fromEnd(attrInt(n, "axis", 1), len(f.values[n.Outputs[0]].Shape))
	for _, in := range inputs {
		for _, a := range f.seen[in].axes {
			if a.dim == axis {
				return [2]span{}, errors.New("maps are put side by side")
			}
		}
	}
	return elementwise(f, n, inputs, output)
}

// split gives each output its part of a dimension.
func split(f *fieldWalk, n *onnx.Node, inputs []string, output int) ([2]span, error) {
	out := f.seen[inputs[0]].axes
	axis := fromEnd(attrInt(n, "axis", 0), len(f.values[inputs[0]].Shape))
	for i, a := range out {
		if a.dim != axis {
			continue
		}
		for _, before := range n.Outputs[:output] {
			s := f.values[before].Shape
			if axis >= len(s) {
				return out, errors.New("its parts are not known")
			}
			out[i].lo += s[axis] * a.jump
			out[i].hi += s[axis] * a.jump
		}
	}
	return out, nil
}

func gathered(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	if inputs[0] != n.Inputs[0] || len(inputs) > 1 {
		return [2]span{}, errors.New("the indices depend on the image")
	}
	out := f.seen[inputs[0]].axes
	axis := fromEnd(attrInt(n, "axis", 0), len(f.values[inputs[0]].Shape))
	for i, a := range out {
		switch {
		case a.dim == axis:
			return out, errors.New("it picks positions")
		case a.dim > axis:
			out[i].dim += len(f.values[n.Inputs[1]].Shape) - 1
		}
	}
	return out, nil
}

func padded(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	out := f.seen[inputs[0]].axes
	if len(n.Inputs) > 3 && n.Inputs[3] != "" {
		return out, errors.New("padding of chosen axes is not followed")
	}
	pads, err := f.ints(n, "pads", 1)
	if err != nil {
		return out, err
	}
	if len(pads) != 2*len(f.values[inputs[0]].Shape) {
		return out, fmt.Errorf("pads %v do not fit", pads)
	}
	for i, a := range out {
		if a.dim >= 0 {
			out[i].lo -= pads[a.dim] * a.jump
			out[i].hi -= pads[a.dim] * a.jump
		}
	}
	return out, nil
}

func sliced(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	out := f.seen[inputs[0]].axes
	shape := f.values[inputs[0]].Shape
	starts, err1 := f.ints(n, "starts", 1)
	axes, err2 := f.ints(n, "axes", 3)
	steps, err3 := f.ints(n, "steps", 4)
	if err := errors.Join(err1, err2, err3); err != nil {
		return out, err
	}
	for k, start := range starts {
		axis, step := k, 1
		if axes != nil && k < len(axes) {
			axis = fromEnd(axes[k], len(shape))
		}
		if steps != nil && k < len(steps) {
			step = steps[k]
		}
		for i, a := range out {
			if a.dim != axis || axis >= len(shape) {
				continue
			}
			first := min(max(fromEnd(start, shape[axis]), 0), shape[axis])
			if step < 0 {
				first = min(first, shape[axis]-1)
			}
			out[i].lo += first * a.jump
			out[i].hi += first * a.jump
			out[i].jump *= step
		}
	}
	return out, nil
}

// product sums over a dimension; a product of two values that see the image, as in attention, is taken to see all.
func product(f *fieldWalk, n *onnx.Node, inputs []string, _ int) (out [2]span, err error) {
	for k, in := range inputs {
		rank := len(f.values[in].Shape)
		for i, a := range f.seen[in].axes {
			inner := rank - 1
			if in != n.Inputs[0] {
				inner = rank - 2
			}
			if a.dim >= 0 && (a.dim == inner || n.OpType == "Gemm" || len(inputs) > 1) {
				a = a.all(f.extent(in, a))
				a.dim = -1
			}
			if k > 0 {
				if a, err = out[i].join(a, 1); err != nil {
					return out, err
				}
			}
			out[i] = a
		}
	}
	return out, nil
}

// normalised sees all of the dimensions that are summed over.
func normalised(f *fieldWalk, n *onnx.Node, inputs []string, _ int) ([2]span, error) {
	def := -1
	if n.OpType != "LayerNormalization" && f.opset < 13 {
		def = 1
	}
	axis := fromEnd(attrInt(n, "axis", def), len(f.values[n.Inputs[0]].Shape))
	only := n.OpType != "LayerNormalization" && f.opset >= 13
	return f.whole(n, inputs, func(dim int) bool { return dim == axis || dim > axis && !only })
}

func resized(f *fieldWalk, n *onnx.Node, inputs []string, output int) ([2]span, error) {
	if !slices.Equal(f.values[n.Inputs[0]].Shape, f.values[n.Outputs[0]].Shape) {
		return [2]span{}, errors.New("fields differ in size from position to position where maps are resized")
	}
	return elementwise(f, n, inputs, output)
}
