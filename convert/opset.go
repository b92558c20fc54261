package convert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The versions of the ONNX operator set that [Opset] converts between.
const (
	MinOpset = 7
	MaxOpset = op.MaxOpset
)

// Opset returns the model in another version of the ONNX operator set: nodes whose form changed between the versions are
// rewritten, operators that the older version does not have are composed of others where that is possible. The given
// model is not changed; tensors are shared.
//
// Where a node cannot be expressed in that version the error names it, and all others like it.
func Opset(m *onnx.Model, version int) (*onnx.Model, error) {
	if version < MinOpset || version > MaxOpset {
		return nil, fmt.Errorf("opset %d: want %d to %d", version, MinOpset, MaxOpset)
	}
	from := m.OpsetVersion("")
	switch {
	case from == 0:
		return nil, errors.New("the model does not say which version of the ONNX operators it is of")
	case from < MinOpset || from > MaxOpset:
		return nil, fmt.Errorf("the model is of opset %d: only %d to %d are converted", from, MinOpset, MaxOpset)
	}
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	o := &opsetConverter{from: from, to: version, accepted: map[string]bool{}, failed: map[*onnx.Node]bool{}}
	o.graph(e)
	if len(o.errs) > 0 {
		return nil, errors.Join(o.errs...)
	}
	setOpset(c, version)
	return c, nil
}

// setOpset notes the version in the model, with the version of the format that came with it: what reads an operator set
// reads that.
func setOpset(m *onnx.Model, version int) {
	kept := m.Opsets[:0]
	done := false
	for _, s := range m.Opsets {
		if isONNX(s.Domain) {
			if done {
				continue
			}
			s.Domain, s.Version, done = "", int64(version), true
		}
		kept = append(kept, s)
	}
	m.Opsets = kept
	m.IRVersion = irVersion(version)
}

// irVersion returns the version of the format with which a version of the operators was published.
func irVersion(opset int) int64 {
	newest := int64(4)
	for _, v := range []struct {
		opset int
		ir    int64
	}{{10, 5}, {11, 6}, {12, 7}, {15, 8}, {19, 9}, {21, 10}, {23, 11}, {24, 12}, {25, 13}, {28, 14}} {
		if opset >= v.opset {
			newest = v.ir
		}
	}
	return newest
}

// change is how an operator's form differs between a version and the one before. A rewriting returns the nodes that take
// the place of n, which it may change.
type change struct {
	since int
	up    func(e *editor, n *onnx.Node) ([]*onnx.Node, error) // nil: the older form is right in the newer version, too
	down  func(e *editor, n *onnx.Node) ([]*onnx.Node, error) // nil: the newer form is right in the older version, too
}

type opsetConverter struct {
	from, to int
	errs     []error
	failed   map[*onnx.Node]bool
	accepted map[string]bool // what the engine warns of in the model as it is
}

func (o *opsetConverter) graph(e *editor) {
	for _, n := range e.g.Nodes {
		_, _, _ = op.Make(n, o.from, func(s string) { o.accepted[s] = true }) // errors come again from what it becomes
	}
	if o.to >= o.from {
		for v := o.from + 1; v <= o.to; v++ {
			o.step(e, v, true)
		}
	} else {
		for v := o.from; v > o.to; v-- {
			o.step(e, v, false)
		}
	}
	e.sweep()
	o.types(e.g)
	for _, n := range e.g.Nodes {
		for s := range n.Subgraphs() {
			o.graph(newEditor(s, e))
		}
		if !o.failed[n] && isONNX(n.Domain) {
			o.check(n)
		}
	}
}

// step rewrites the nodes whose form changed with version v.
func (o *opsetConverter) step(e *editor, v int, up bool) {
	var nodes []*onnx.Node
	for _, n := range e.g.Nodes {
		out, err := []*onnx.Node{n}, error(nil)
		if isONNX(n.Domain) && !o.failed[n] {
			if !up {
				err = dropNewAttributes(n, v)
			}
			for _, c := range changes[n.OpType] {
				if f := c.direction(up); c.since == v && f != nil && err == nil {
					out, err = f(e, n)
				}
			}
		}
		if err != nil {
			o.errs = append(o.errs, fmt.Errorf("%v: %w", n, o.explain(err, v, up)))
			o.failed[n] = true
			out = []*onnx.Node{n}
		}
		nodes = append(nodes, out...)
	}
	e.g.Nodes = nodes
}

func (c change) direction(up bool) func(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if up {
		return c.up
	}
	return c.down
}

func (o *opsetConverter) explain(err error, v int, up bool) error {
	if up {
		return fmt.Errorf("cannot be brought to opset %d: %w", v, err)
	}
	return fmt.Errorf("needs opset %d: %w", v, err)
}

// typeSince are the versions with which element types came that are newer than the operators.
var typeSince = map[onnx.DataType]int{
	onnx.BFloat16: 13, onnx.Float8E4M3FN: 19, onnx.Float8E4M3FNUZ: 19, onnx.Float8E5M2: 19, onnx.Float8E5M2FNUZ: 19,
	onnx.Uint4: 21, onnx.Int4: 21, onnx.Float4E2M1: 23, onnx.Float8E8M0: 24, onnx.Uint2: 25, onnx.Int2: 25,
	onnx.Float6E2M3: 28, onnx.Float6E3M2: 28,
}

// types makes sure that the new version has the types of what a graph holds, takes and asks for.
func (o *opsetConverter) types(g *onnx.Graph) {
	need := func(t onnx.DataType, format string, args ...any) {
		if since := typeSince[t]; o.to < since {
			o.errs = append(o.errs, fmt.Errorf("%s: needs opset %d: the type %v came with it", fmt.Sprintf(format, args...), since, t))
		}
	}
	for _, t := range g.Initializers {
		need(t.Type, "initializer %q", t.Name)
	}
	for _, v := range g.Inputs {
		if v.Type != nil {
			need(v.Type.Elem, "input %q", v.Name)
		}
	}
	for _, n := range g.Nodes {
		for _, a := range n.Attrs {
			switch {
			case a.Tensor != nil:
				need(a.Tensor.Type, "%v", n)
			case a.Name == "to" || a.Name == "dtype" || a.Name == "output_dtype":
				need(onnx.DataType(a.I), "%v", n)
			}
		}
	}
}

// check makes sure that a node is right in the new version, as far as the engine knows.
func (o *opsetConverter) check(n *onnx.Node) {
	d := op.Lookup(n.Domain, n.OpType)
	switch {
	case d == nil:
		o.errs = append(o.errs, fmt.Errorf("%v: the operator is not known here, so that its forms are not, either", n))
		return
	case o.to < d.Since:
		o.errs = append(o.errs, fmt.Errorf("%v: came with opset %d, and is not composed of other operators here", n, d.Since))
		return
	}
	var warnings []string
	if _, _, err := op.Make(n, o.to, func(s string) {
		if !o.accepted[s] {
			warnings = append(warnings, s)
		}
	}); err != nil {
		o.errs = append(o.errs, fmt.Errorf("%v: opset %d: %w", n, o.to, err))
		return
	}
	// What the engine only warns of in a file that comes from elsewhere is not written here.
	if len(warnings) > 0 {
		o.errs = append(o.errs, fmt.Errorf("%v: opset %d: %s", n, o.to, strings.Join(warnings, "; ")))
	}
}
