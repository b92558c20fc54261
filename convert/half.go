package convert

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// HalfReport says what became of a model in half precision.
type HalfReport struct {
	Tensors int      `json:"tensors"` // constants that are in half precision now
	Zeroed  int      `json:"zeroed"`  // numbers in them, other than 0, that became 0
	Kept    []string `json:"kept"`    // nodes that go on in single precision, each with the reason
}

// maxHalf is the largest number of half precision.
const maxHalf = 65504

// singleOnly are operators that compute in single precision only, at least in older versions.
var singleOnly = map[string]bool{
	"NonMaxSuppression": true, "Range": true, "CumSum": true, "Celu": true, "IsInf": true, "QuantizeLinear": true, "DequantizeLinear": true,
	"DynamicQuantizeLinear": true, "RoiAlign": true, "QLinearConv": true, "QLinearMatMul": true, "Mod": true, "Bernoulli": true,
}

// Float16 returns the model in half precision: its weights take half the room and its nodes compute in it, while inputs and
// outputs stay float32. A node with a constant beyond the range of half precision (±65504) goes on in single precision,
// between conversions, and so do operators that have no other; bounds of Clip are brought into the range instead. What the
// activations do depends on the images: compare the results. The given model is not changed.
func Float16(m *onnx.Model) (*onnx.Model, HalfReport, error) {
	c, e, err := edit(m)
	if err != nil {
		return nil, HalfReport{}, err
	}
	for _, n := range c.Graph.Nodes {
		for range n.Subgraphs() {
			return nil, HalfReport{}, fmt.Errorf("%v: models with sub-graphs are not converted to half precision", n)
		}
	}
	h := &halver{e: e, halves: map[string]string{}, singles: map[string]string{}}
	if err := h.graph(); err != nil {
		return nil, HalfReport{}, err
	}
	return c, h.report, nil
}

type halver struct {
	e       *editor
	halves  map[string]string // constants and inputs of single precision: their names in half precision
	singles map[string]string // values in half precision: their names in single precision
	nodes   []*onnx.Node
	report  HalfReport
}

func (h *halver) graph() error {
	g := h.e.g
	h.liftConstants()
	outputs := map[string]bool{}
	for _, v := range g.Outputs {
		outputs[v.Name] = true
	}
	for _, v := range g.RequiredInputs() {
		if v.Type != nil && v.Type.Elem == onnx.Float {
			h.halves[v.Name] = h.cast(v.Name, v.Name+"/half", onnx.Float16)
		}
	}
	for _, n := range g.Nodes {
		if err := h.node(n); err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
	}
	// What an output is called is computed in half precision under another name.
	rename := map[string]string{}
	for _, n := range h.nodes {
		for i, o := range n.Outputs {
			if outputs[o] && h.isFloat(o) {
				rename[o] = h.e.fresh(o + "/half")
				n.Outputs[i] = rename[o]
			}
		}
	}
	for _, n := range h.nodes {
		for i, in := range n.Inputs {
			if r, ok := rename[in]; ok {
				n.Inputs[i] = r
			}
		}
	}
	g.Nodes = h.nodes
	for _, v := range g.Outputs {
		if r, ok := rename[v.Name]; ok {
			g.Nodes = append(g.Nodes, castNode(r, v.Name, onnx.Float))
		}
	}
	for _, v := range g.ValueInfo {
		if v.Type != nil && v.Type.Elem == onnx.Float {
			v.Type.Elem = onnx.Float16
		}
	}
	h.e.sweep()
	return nil
}

// liftConstants makes initializers of Constant nodes of single precision.
func (h *halver) liftConstants() {
	g := h.e.g
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool {
		if n.OpType != "Constant" || len(n.Outputs) != 1 {
			return false
		}
		t, err := op.ConstantValue(n)
		if err != nil || t.Type != onnx.Float {
			return false
		}
		c := *t
		c.Name = n.Outputs[0]
		g.Initializers = append(g.Initializers, &c)
		return true
	})
}

// isFloat reports whether a value was of single precision; what is not known to be otherwise is.
func (h *halver) isFloat(value string) bool { return h.e.typeOf(value) == onnx.Float }

func castNode(from, to string, typ onnx.DataType) *onnx.Node {
	return &onnx.Node{Name: from + "/" + typ.String(), OpType: "Cast", Inputs: []string{from}, Outputs: []string{to}, Attrs: []*onnx.Attribute{op.Attr("to", int(typ))}}
}

// cast appends a conversion and returns the name of its result.
func (h *halver) cast(from, base string, typ onnx.DataType) string {
	n := castNode(from, h.e.fresh(base), typ)
	h.nodes = append(h.nodes, n)
	return n.Outputs[0]
}

// node appends a node in half precision, or in single precision between conversions.
func (h *halver) node(n *onnx.Node) error {
	if n.OpType == "Clip" {
		h.clip(n)
	}
	if why := h.single(n); why != "" {
		h.report.Kept = append(h.report.Kept, fmt.Sprintf("%v: %s", n, why))
		return h.keep(n)
	}
	for i, in := range n.Inputs {
		if in == "" || !h.isFloat(in) {
			continue
		}
		if (n.OpType == "Resize" || n.OpType == "Upsample") && i > 0 {
			n.Inputs[i] = h.asSingle(in)
			continue
		}
		n.Inputs[i] = h.asHalf(in)
	}
	switch n.OpType {
	case "Cast":
		if a := n.Attr("to"); a != nil && a.I == int64(onnx.Float) {
			setAttr(n, op.Attr("to", int(onnx.Float16)))
		}
	case "ConstantOfShape":
		t := onnx.New(onnx.Float, 1)
		if a := n.Attr("value"); a != nil && a.Tensor != nil {
			t = a.Tensor
		}
		if t.Type == onnx.Float {
			half, err := op.CastTensor(t, onnx.Float16)
			if err != nil {
				return err
			}
			setAttr(n, &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: half})
		}
	case "EyeLike", "RandomNormal", "RandomUniform":
		if intAttr(n, "dtype", int64(onnx.Float)) == int64(onnx.Float) {
			setAttr(n, op.Attr("dtype", int(onnx.Float16)))
		}
	}
	h.nodes = append(h.nodes, n)
	return nil
}

// clip brings the bounds into the range: beyond it they bound nothing.
func (h *halver) clip(n *onnx.Node) {
	within := func(v float32) float32 { return min(max(v, -maxHalf), maxHalf) }
	for i, name := range []string{"min", "max"} {
		if a := n.Attr(name); a != nil {
			setAttr(n, op.Attr(name, within(a.F)))
		}
		if t := h.e.value(input(n, 1+i)); t != nil && t.Type == onnx.Float && t.Len() == 1 && beyond(t) != 0 {
			n.Inputs[1+i] = h.e.constant(n.Inputs[1+i], onnx.Of(slices.Clone(t.Shape), []float32{within(t.Float32s()[0])}))
		}
	}
}

// single returns why a node stays in single precision, "" where it does not.
func (h *halver) single(n *onnx.Node) string {
	if !isONNX(n.Domain) {
		return "of another operator set"
	}
	if singleOnly[n.OpType] {
		return "the operator has no half precision"
	}
	for _, in := range n.Inputs {
		if t := h.constant(in); t != nil {
			if v := beyond(t); v != 0 {
				return fmt.Sprintf("%q has %g, beyond the range of half precision", in, v)
			}
		}
	}
	return ""
}

// constant returns an initializer of single precision.
func (h *halver) constant(name string) *onnx.Tensor {
	if t := h.e.g.Initializer(name); t != nil && t.Type == onnx.Float {
		return t
	}
	return nil
}

// beyond returns a finite number of the tensor that half precision does not have, 0 where there is none.
func beyond(t *onnx.Tensor) float32 {
	for _, v := range t.Float32s() {
		if a := math.Abs(float64(v)); a > maxHalf && !math.IsInf(a, 0) {
			return v
		}
	}
	return 0
}

// keep appends a node with conversions before and after it.
func (h *halver) keep(n *onnx.Node) error {
	for i, in := range n.Inputs {
		if in != "" && h.isFloat(in) {
			n.Inputs[i] = h.asSingle(in)
		}
	}
	h.nodes = append(h.nodes, n)
	for i, o := range n.Outputs {
		if o == "" || !h.isFloat(o) {
			continue
		}
		single := h.e.fresh(o + "/single")
		n.Outputs[i] = single
		h.nodes = append(h.nodes, castNode(single, o, onnx.Float16))
		h.singles[o] = single
	}
	return nil
}

// asHalf returns the name of a value in half precision.
func (h *halver) asHalf(name string) string {
	if half, ok := h.halves[name]; ok {
		return half
	}
	t := h.constant(name)
	if t == nil {
		return name // computed, in half precision already
	}
	half, err := op.CastTensor(t, onnx.Float16)
	if err != nil {
		return name
	}
	for i, v := range onnx.Data[onnx.Float16Bits](half) {
		if v&0x7fff == 0 && t.Float32s()[i] != 0 {
			h.report.Zeroed++
		}
	}
	h.report.Tensors++
	c := *half
	c.Metadata = t.Metadata
	c.Name = name // names of weights stay, where nothing reads them in single precision
	if h.singles[name] != "" {
		c.Name = h.e.fresh(name + "/half")
		h.e.g.Initializers = append(h.e.g.Initializers, &c)
	} else {
		i := slices.Index(h.e.g.Initializers, t)
		h.e.g.Initializers[i] = &c
	}
	h.halves[name] = c.Name
	return c.Name
}

// asSingle returns the name of a value in single precision.
func (h *halver) asSingle(name string) string {
	if single, ok := h.singles[name]; ok {
		return single
	}
	switch t := h.constant(name); {
	case t != nil:
		h.singles[name] = name
		return name
	case slices.ContainsFunc(h.e.g.RequiredInputs(), func(v *onnx.Value) bool { return v.Name == name }):
		return name
	}
	// Computed, or a constant that another node has in half precision already.
	single := h.cast(name, name+"/single", onnx.Float)
	h.singles[name] = single
	return single
}
