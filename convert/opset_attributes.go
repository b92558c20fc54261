package convert

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// newAttribute is an attribute that came with a version. Where it has the value that older versions imply it is dropped
// on the way down; otherwise the node needs that version.
type newAttribute struct {
	since   int
	name    string
	implied func(a *onnx.Attribute) bool
}

func isInt(v int64) func(*onnx.Attribute) bool {
	return func(a *onnx.Attribute) bool { return a.Type == onnx.AttrInt && a.I == v }
}

func isString(v string) func(*onnx.Attribute) bool {
	return func(a *onnx.Attribute) bool { return a.Type == onnx.AttrString && string(a.S) == v }
}

// allOnes is what dilations are where there are none.
func allOnes(a *onnx.Attribute) bool {
	return a.Type == onnx.AttrInts && !slices.ContainsFunc(a.Ints, func(d int64) bool { return d != 1 })
}

func anything(*onnx.Attribute) bool { return true }

// newAttributes lists, by operator, the attributes that came after opset 7.
var newAttributes = map[string][]newAttribute{
	"MaxPool":            {{8, "storage_order", isInt(0)}, {10, "ceil_mode", isInt(0)}, {10, "dilations", allOnes}},
	"AveragePool":        {{10, "ceil_mode", isInt(0)}, {19, "dilations", allOnes}},
	"LpPool":             {{18, "ceil_mode", isInt(0)}, {18, "dilations", allOnes}},
	"ArgMax":             {{12, "select_last_index", isInt(0)}},
	"ArgMin":             {{12, "select_last_index", isInt(0)}},
	"TopK":               {{11, "largest", isInt(1)}, {11, "sorted", anything}}, // sorted is always allowed where it is not asked for
	"DepthToSpace":       {{11, "mode", isString("DCR")}},
	"SpaceToDepth":       {{28, "mode", isString("DCR")}},
	"LSTM":               {{14, "layout", isInt(0)}},
	"GRU":                {{14, "layout", isInt(0)}},
	"RNN":                {{14, "layout", isInt(0)}},
	"Attention":          {{25, "left_window_size", isInt(-1)}, {25, "right_window_size", isInt(-1)}},
	"Range":              {{27, "stash_type", anything}}, // of half precision
	"ScatterElements":    {{16, "reduction", isString("none")}},
	"ScatterND":          {{16, "reduction", isString("none")}},
	"Reshape":            {{14, "allowzero", isInt(0)}},
	"Cast":               {{19, "saturate", anything}, {24, "round_mode", anything}}, // about types that came with them
	"CastLike":           {{19, "saturate", anything}, {24, "round_mode", anything}},
	"BatchNormalization": {{14, "training_mode", isInt(0)}},
	"Dropout":            {{12, "seed", anything}}, // of training
	"QuantizeLinear":     {{19, "saturate", anything}, {21, "block_size", isInt(0)}, {21, "output_dtype", isInt(0)}, {23, "precision", isInt(0)}},
	"DequantizeLinear":   {{21, "block_size", isInt(0)}, {23, "output_dtype", isInt(0)}},
	"Resize": {{18, "antialias", isInt(0)}, {18, "keep_aspect_ratio_policy", isString("stretch")},
		{18, "axes", func(*onnx.Attribute) bool { return false }}},
	"GroupNormalization": {{21, "stash_type", isInt(1)}},
}

// dropNewAttributes takes from a node the attributes that came with version v.
func dropNewAttributes(n *onnx.Node, v int) error {
	for _, a := range newAttributes[n.OpType] {
		if a.since != v {
			continue
		}
		if old := takeAttr(n, a.name); old != nil && !a.implied(old) {
			return fmt.Errorf("attribute %q", a.name)
		}
	}
	return nil
}

// one is what a rewriting that changes a node in place returns.
func one(n *onnx.Node) ([]*onnx.Node, error) { return []*onnx.Node{n}, nil }

// intsToInput makes of an attribute of integers the input at a place.
func intsToInput(name string, at int) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
		if a := takeAttr(n, name); a != nil {
			setInput(n, at, e.ints(n.Outputs[0]+"/"+name, a.Ints))
		}
		return one(n)
	}
}

// intsToAttr makes of the constant input at a place, the last one, an attribute of integers.
func intsToAttr(name string, at int) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
		in := input(n, at)
		if in == "" {
			trimInputs(n)
			return one(n)
		}
		v, ok := e.intsOf(in)
		if !ok {
			return nil, fmt.Errorf("%s that are computed", name)
		}
		setAttr(n, int64s(name, v))
		n.Inputs = n.Inputs[:at]
		trimInputs(n)
		return one(n)
	}
}

// axesToAttr is intsToAttr for reductions, with what they do where the axes are an empty list.
func axesToAttr(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	noop := takeAttr(n, "noop_with_empty_axes")
	v, known := e.intsOf(input(n, 1))
	if noop != nil && noop.I != 0 && (input(n, 1) == "" || known && len(v) == 0) {
		n.OpType, n.Attrs, n.Inputs = "Identity", nil, n.Inputs[:1]
		return one(n)
	}
	if known && len(v) == 0 {
		n.Inputs = n.Inputs[:1]
	}
	return intsToAttr("axes", 1)(e, n)
}

// positiveAxes brings axes that count from the end, which came with opset 11, to counting from the front.
func positiveAxes(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	rank, known := e.rank(input(n, 0))
	fix := func(v int64) (int64, error) {
		if v >= 0 {
			return v, nil
		}
		if !known {
			return 0, fmt.Errorf("an axis that counts from the end, of a value whose rank is not known")
		}
		return v + int64(rank), nil
	}
	for _, a := range n.Attrs {
		if a.Name != "axis" && a.Name != "axes" {
			continue
		}
		c := a.Clone()
		var err error
		if c.I, err = fix(c.I); err != nil {
			return nil, err
		}
		if n.OpType == "Unsqueeze" {
			rank += len(c.Ints)
		}
		for i, v := range c.Ints {
			if c.Ints[i], err = fix(v); err != nil {
				return nil, err
			}
		}
		if n.OpType == "OneHot" && a.I < 0 {
			c.I++ // counts in the output, which has an axis more
		}
		setAttr(n, c)
		break
	}
	return one(n)
}

// constantValue writes a constant of any attribute as a tensor.
func constantValue(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	t, err := op.ConstantValue(n)
	if err != nil {
		return nil, err
	}
	if n.Attr("value") == nil {
		n.Attrs = []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, Tensor: t}}
	}
	return one(n)
}
