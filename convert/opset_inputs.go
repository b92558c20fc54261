package convert

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func clipInputs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	for i, name := range []string{"min", "max"} {
		if a := takeAttr(n, name); a != nil {
			c, err := e.float(n.Outputs[0]+"/"+name, n.Inputs[0], a.F)
			if err != nil {
				return nil, err
			}
			setInput(n, 1+i, c)
		}
	}
	return one(n)
}

func clipAttrs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	for i, name := range []string{"min", "max"} {
		in := input(n, 1+i)
		if in == "" {
			continue
		}
		v, ok := e.floatOf(in)
		if !ok {
			return nil, errors.New("a bound that is computed")
		}
		setAttr(n, op.Attr(name, v))
	}
	n.Inputs = n.Inputs[:1]
	return one(n)
}

func padInputs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	value := takeAttr(n, "value")
	if _, err := intsToInput("pads", 1)(e, n); err != nil {
		return nil, err
	}
	if value != nil && value.F != 0 {
		c, err := e.float(n.Outputs[0]+"/value", n.Inputs[0], value.F)
		if err != nil {
			return nil, err
		}
		setInput(n, 2, c)
	}
	return one(n)
}

func padAttrs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if in := input(n, 2); in != "" {
		v, ok := e.floatOf(in)
		if !ok {
			return nil, errors.New("a value that is computed")
		}
		setAttr(n, op.Attr("value", v))
	}
	n.Inputs = n.Inputs[:min(2, len(n.Inputs))]
	return intsToAttr("pads", 1)(e, n)
}

// padAllAxes writes the pads of some axes as those of all.
func padAllAxes(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	in := input(n, 3)
	if in == "" {
		n.Inputs = n.Inputs[:min(3, len(n.Inputs))]
		trimInputs(n)
		return one(n)
	}
	axes, ok := e.intsOf(in)
	pads, ok2 := e.intsOf(input(n, 1))
	rank, ok3 := e.rank(n.Inputs[0])
	if !ok || !ok2 || !ok3 || len(pads) != 2*len(axes) {
		return nil, errors.New("pads of some axes, that are computed")
	}
	all := make([]int64, 2*rank)
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return nil, fmt.Errorf("there is no axis %d", axes[i])
		}
		all[a], all[int(a)+rank] = pads[i], pads[i+len(axes)]
	}
	n.Inputs = n.Inputs[:3]
	n.Inputs[1] = e.ints(n.Outputs[0]+"/pads", all)
	trimInputs(n)
	return one(n)
}

func sliceInputs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	for i, name := range []string{"starts", "ends", "axes"} {
		if _, err := intsToInput(name, 1+i)(e, n); err != nil {
			return nil, err
		}
	}
	return one(n)
}

func sliceAttrs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if in := input(n, 4); in != "" {
		steps, ok := e.intsOf(in)
		if !ok || slices.ContainsFunc(steps, func(s int64) bool { return s != 1 }) {
			return nil, errors.New("steps")
		}
	}
	n.Inputs = n.Inputs[:min(4, len(n.Inputs))]
	for i, name := range []string{"axes", "ends", "starts"} {
		if _, err := intsToAttr(name, 3-i)(e, n); err != nil {
			return nil, err
		}
	}
	return positiveAxes(e, n)
}

// firstOutputOnly takes away outputs after the first, which nobody may read.
func firstOutputOnly(e *editor, n *onnx.Node, what string) ([]*onnx.Node, error) {
	read := readCounts(e.g)
	for _, o := range n.Outputs[min(1, len(n.Outputs)):] {
		if o != "" && read[o] > 0 {
			return nil, errors.New(what)
		}
	}
	n.Outputs = n.Outputs[:1]
	return one(n)
}

func dropoutInputs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if a := takeAttr(n, "ratio"); a != nil {
		c, err := e.float(n.Outputs[0]+"/ratio", n.Inputs[0], a.F)
		if err != nil {
			return nil, err
		}
		setInput(n, 1, c)
	}
	return one(n)
}

// dropoutAttrs: of the mask when nothing is dropped there are two opinions before opset 12.
func dropoutAttrs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if _, err := firstOutputOnly(e, n, "a mask"); err != nil {
		return nil, err
	}
	if in := input(n, 2); in != "" {
		t := e.value(in)
		if t == nil || t.Type != onnx.Bool || t.Len() != 1 || t.Raw[0] != 0 {
			return nil, errors.New("training_mode")
		}
	}
	if in := input(n, 1); in != "" {
		v, ok := e.floatOf(in)
		if !ok {
			return nil, errors.New("a ratio that is computed")
		}
		setAttr(n, op.Attr("ratio", v))
	}
	n.Inputs = n.Inputs[:1]
	return one(n)
}

func topKInput(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if a := takeAttr(n, "k"); a != nil {
		setInput(n, 1, e.ints(n.Outputs[0]+"/k", []int64{a.I}))
	}
	return one(n)
}

func topKAttr(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	k, ok := e.intsOf(input(n, 1))
	if !ok || len(k) != 1 || k[0] > math.MaxInt32 {
		return nil, errors.New("k that is computed")
	}
	setAttr(n, op.Attr("k", int(k[0])))
	n.Inputs = n.Inputs[:1]
	return one(n)
}

func upsampleInput(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if a := takeAttr(n, "scales"); a != nil {
		setInput(n, 1, e.constant(n.Outputs[0]+"/scales", onnx.Of([]int{len(a.Floats)}, slices.Clone(a.Floats))))
	}
	return one(n)
}

func upsampleAttr(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	t := e.value(input(n, 1))
	if t == nil || t.Type != onnx.Float {
		return nil, errors.New("scales that are computed")
	}
	setAttr(n, op.Attr("scales", slices.Clone(t.Float32s())))
	n.Inputs = n.Inputs[:1]
	return one(n)
}
