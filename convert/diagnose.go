package convert

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxTrials bounds how often a model is run to find the cause of a difference.
const maxTrials = 80

// diagnose looks for the cause of the first difference by trying what usually is: a change after which the value is what
// the reference has is the cause. It returns "" where none of them helps.
func (c *comparer) diagnose(ctx context.Context, first int, got map[string]*onnx.Tensor) (string, error) {
	t := c.targets[first]
	if cause := c.activation(t, got[t.value]); cause != "" {
		return cause, nil
	}
	at := &comparer{m: c.m, r: c.r, o: c.o, layers: c.layers, half: c.half, targets: c.targets[first : first+1], scales: c.scales}
	trials := 0
	try := func(m *onnx.Model, inputs map[string]*onnx.Tensor) (bool, error) {
		if trials++; trials > maxTrials {
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		out, err := at.run(ctx, m, inputs)
		if err != nil {
			return false, nil //nolint:nilerr // a change that does not fit is not the cause
		}
		return at.compare(t, out[t.value]).OK, nil
	}
	for _, h := range c.otherInputs() {
		if ok, err := try(c.m, h.inputs); ok || err != nil {
			return h.what, err
		}
	}
	for _, h := range c.variants(c.segment(first)) {
		m, err := c.changed(h)
		if err != nil {
			return "", err
		}
		if ok, err := try(m, c.r.Inputs); ok || err != nil {
			return h.what, err
		}
	}
	if cause := c.precision(c.compare(t, got[t.value])); cause != "" {
		return cause, nil
	}
	return c.saturation(first), nil
}

// saturation says what ONNX Runtime does to products of 8-bit numbers where the processor lacks instructions for them: it
// adds two of them up in 16 bits, which is too few for uint8 times large int8.
func (c *comparer) saturation(first int) string {
	if !strings.HasPrefix(c.r.Source, "ort") || !c.r.byValue {
		return ""
	}
	products, weights := false, false
	for _, n := range c.segment(first) {
		switch n.OpType {
		case "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger", "QGemm", "QuantizeLinear": // of QDQ, behind a product
			products = true
		}
	}
	for _, w := range c.m.Graph.Initializers {
		weights = weights || w.Type == onnx.Int8 && w.Len() > 1
	}
	if !products || !weights {
		return ""
	}
	return "8-bit products: on processors without VNNI ONNX Runtime adds pairs of them up in 16 bits, which overflow (quantising with reduce_range=True avoids it)"
}

// precision reports whether a difference is as small as that of numbers in half precision, which all the weights are.
func (c *comparer) precision(d LayerDifference) string {
	for _, h := range halves {
		if d.Difference >= 0 && d.Difference <= h.share*d.Scale && c.roundedTo(h.typ) {
			return fmt.Sprintf("precision: the model's weights are numbers of %v, and the reference was computed with others", h.typ)
		}
	}
	return ""
}

// halves are the types of half precision, with the share of a value's largest number that they may make up over a network;
// that of fewer digits first.
var halves = []struct {
	typ   onnx.DataType
	share float64
}{{onnx.BFloat16, 0.1}, {onnx.Float16, 0.02}}

// roundedTo reports whether every weight of the model is a number of that type.
func (c *comparer) roundedTo(typ onnx.DataType) bool {
	params := parameters(c.m.Graph)
	for _, w := range params {
		r, err := rounded(w, typ)
		if err != nil || !bytes.Equal(r.Raw, w.Raw) {
			return false
		}
	}
	return len(params) > 0
}

// rounded returns a tensor with its numbers rounded to those of a shorter type.
func rounded(t *onnx.Tensor, typ onnx.DataType) (*onnx.Tensor, error) {
	h, err := op.CastTensor(t, typ)
	if err != nil {
		return nil, err
	}
	return op.CastTensor(h, t.Type)
}

// activation compares the reference with activations of the value, and with what the value was made from.
func (c *comparer) activation(t target, got *onnx.Tensor) string {
	x, err := numbersOf(got)
	if err != nil || onnx.NumElements(t.want.Shape) != len(x) {
		return ""
	}
	for _, a := range []struct {
		name string
		f    func([]float64, int)
	}{
		{"ReLU", func(v []float64, _ int) {
			for i := range v {
				v[i] = max(v[i], 0)
			}
		}},
		{"sigmoid", func(v []float64, _ int) {
			for i := range v {
				v[i] = 1 / (1 + math.Exp(-v[i]))
			}
		}},
		{"softmax", func(v []float64, width int) {
			for lo := 0; lo+width <= len(v); lo += width {
				row := v[lo : lo+width]
				top, sum := slices.Max(row), 0.0
				for i := range row {
					row[i] = math.Exp(row[i] - top)
					sum += row[i]
				}
				for i := range row {
					row[i] /= sum
				}
			}
		}},
	} {
		width := 1
		if n := len(got.Shape); n > 0 {
			width = max(got.Shape[n-1], 1)
		}
		y := slices.Clone(x)
		a.f(y, width)
		v := onnx.Of(slices.Clone(got.Shape), y)
		if c.compare(t, v).OK {
			return fmt.Sprintf("the reference has a %s behind %s that the model lacks", a.name, label(t))
		}
	}
	return ""
}

func label(t target) string {
	if t.layer.Node != nil {
		return fmt.Sprintf("%q (%s)", t.layer.Name, t.layer.Op)
	}
	return fmt.Sprintf("%q", t.value)
}

type otherInput struct {
	what   string
	inputs map[string]*onnx.Tensor
}

// otherInputs are the inputs with their channels in another order, or read in another layout.
func (c *comparer) otherInputs() []otherInput {
	v, last, err := imageInput(c.m.Graph)
	if err != nil {
		return nil
	}
	x := c.r.Inputs[v.Name]
	if len(x.Shape) != 4 {
		return nil
	}
	var out []otherInput
	add := func(what string, x *onnx.Tensor) {
		out = append(out, otherInput{what, map[string]*onnx.Tensor{v.Name: x}})
	}
	at := 1
	if last {
		at = 3
	}
	if x.Shape[at] == 3 {
		add("the order of the channels: RGB and BGR swapped, in the reference's input or in the model's first weights", reversed(x, at))
	}
	s := x.Shape
	if !last && s[1] > 1 {
		as := *x
		as.Shape = []int{s[0], s[2], s[3], s[1]}
		add("the layout: the input's numbers are those of NHWC in the shape of NCHW", permuted(&as, 0, 3, 1, 2))
	}
	if s[2] == s[3] && !last {
		add("the layout: height and width of the input are swapped", permuted(x, 0, 1, 3, 2))
	}
	return out
}

// reversed returns a tensor with one axis in the other direction.
func reversed(x *onnx.Tensor, axis int) *onnx.Tensor {
	out := onnx.New(x.Type, x.Shape...)
	n := x.Shape[axis]
	inner := x.Type.Bits() / 8 * onnx.NumElements(x.Shape[axis+1:])
	for o := 0; o < len(x.Raw); o += n * inner {
		for i := range n {
			copy(out.Raw[o+i*inner:o+(i+1)*inner], x.Raw[o+(n-1-i)*inner:])
		}
	}
	return out
}

// segment returns the nodes that the first diverging value is made by and those before it are not.
func (c *comparer) segment(first int) []*onnx.Node {
	maker := map[string]*onnx.Node{}
	for _, n := range c.m.Graph.Nodes {
		for _, o := range n.Outputs {
			maker[o] = n
		}
	}
	seen := map[*onnx.Node]bool{}
	var walk func(value string)
	walk = func(value string) {
		n := maker[value]
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for in := range n.Uses() {
			walk(in)
		}
	}
	for _, t := range c.targets[:first] {
		walk(t.value)
	}
	before := len(seen)
	good := map[*onnx.Node]bool{}
	for n := range seen {
		good[n] = true
	}
	walk(c.targets[first].value)
	if len(seen) == before {
		return nil
	}
	var out []*onnx.Node
	for _, n := range c.m.Graph.Nodes {
		if seen[n] && !good[n] {
			out = append(out, n)
		}
	}
	return out
}

// variant is a model with some nodes changed.
type variant struct {
	what   string
	nodes  []*onnx.Node
	change func(e *editor, n *onnx.Node) // of a copy of the node
}

// changed returns the model with a variant's nodes changed.
func (c *comparer) changed(v variant) (*onnx.Model, error) {
	m, e, err := edit(c.m)
	if err != nil {
		return nil, err
	}
	m.Graph.ValueInfo = nil
	names := map[string]bool{}
	for _, n := range v.nodes {
		names[n.Outputs[0]] = true
	}
	for _, n := range m.Graph.Nodes {
		if names[n.Outputs[0]] {
			v.change(e, n)
		}
	}
	return m, nil
}

// variants are the usual suspects among nodes: what concerns all of a kind first, then one node after the other.
func (c *comparer) variants(nodes []*onnx.Node) []variant {
	var out []variant
	of := func(types ...string) []*onnx.Node {
		return slices.DeleteFunc(slices.Clone(nodes), func(n *onnx.Node) bool { return !slices.Contains(types, n.OpType) })
	}
	norms := of("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization")
	if len(norms) > 0 {
		for _, e := range []float32{1e-3, 1e-5, 1e-6, 1.001e-5, 1e-4, 1e-7, 1e-12, 1e-2} {
			out = append(out, variant{fmt.Sprintf("epsilon: the reference has %g in %s", e, nodesText(norms)), norms,
				func(_ *editor, n *onnx.Node) { setAttr(n, op.Attr("epsilon", e)) }})
		}
	}
	if norms := of("BatchNormalization"); len(norms) > 0 {
		for _, s := range []struct {
			what string
			a, b int // inputs
		}{{"scale and shift", 1, 2}, {"mean and variance", 3, 4}} {
			out = append(out, variant{fmt.Sprintf("the arrays: %s stand in each other's place in %s", s.what, nodesText(norms)), norms,
				func(_ *editor, n *onnx.Node) {
					n.Inputs = slices.Clone(n.Inputs)
					n.Inputs[s.a], n.Inputs[s.b] = n.Inputs[s.b], n.Inputs[s.a]
				}})
		}
	}
	for _, h := range halves {
		out = append(out, variant{fmt.Sprintf("precision: the reference has the weights in %v", h.typ), c.m.Graph.Nodes, func(e *editor, n *onnx.Node) {
			n.Inputs = slices.Clone(n.Inputs)
			for i, in := range n.Inputs {
				if w := e.value(in); i > 0 && w != nil && isFloat(w.Type) {
					if r, err := rounded(w, h.typ); err == nil {
						n.Inputs[i] = e.constant(in, r)
					}
				}
			}
		}})
	}
	for _, n := range of("AveragePool") {
		include := int(1 - intAttr(n, "count_include_pad", 0))
		out = append(out, variant{fmt.Sprintf("padding: the reference counts it in the average otherwise, in %v", n), []*onnx.Node{n},
			func(_ *editor, n *onnx.Node) { setAttr(n, op.Attr("count_include_pad", include)) }})
	}
	for _, n := range of("Conv", "MaxPool", "AveragePool", "ConvTranspose") {
		for _, mode := range []string{"SAME_UPPER", "SAME_LOWER", "VALID"} {
			out = append(out, variant{fmt.Sprintf("padding: the reference has %s in %v", mode, n), []*onnx.Node{n}, func(_ *editor, n *onnx.Node) {
				takeAttr(n, "pads")
				setAttr(n, op.Attr("auto_pad", mode))
			}})
		}
		if pads := n.Attr("pads"); pads != nil && len(pads.Ints)%2 == 0 {
			k := len(pads.Ints) / 2
			turned := append(slices.Clone(pads.Ints[k:]), pads.Ints[:k]...)
			if !slices.Equal(turned, pads.Ints) {
				out = append(out, variant{fmt.Sprintf("padding: the reference has it on the other sides in %v", n), []*onnx.Node{n},
					func(_ *editor, n *onnx.Node) { setAttr(n, int64s("pads", turned)) }})
			}
		}
	}
	for _, n := range of("Gemm", "MatMul") {
		out = append(out, c.flattenOrders(n)...)
	}
	for _, n := range of("Conv") {
		out = append(out, variant{fmt.Sprintf("the weights of %v: height and width are swapped in the reference", n), []*onnx.Node{n}, func(e *editor, n *onnx.Node) {
			if w := e.value(n.Inputs[1]); w != nil && len(w.Shape) == 4 {
				n.Inputs[1] = e.constant(n.Inputs[1], permuted(w, 0, 1, 3, 2))
			}
		}})
	}
	for _, n := range of("Relu", "Clip", "Sigmoid", "Softmax", "LeakyRelu", "HardSwish") {
		out = append(out, variant{fmt.Sprintf("the reference has no activation where the model has %v", n), []*onnx.Node{n},
			func(_ *editor, n *onnx.Node) { n.OpType, n.Inputs, n.Attrs = "Identity", n.Inputs[:1], nil }})
	}
	for _, n := range of("Conv", "Gemm", "BatchNormalization", "Add") {
		out = append(out, variant{fmt.Sprintf("the reference has a ReLU behind %v that the model lacks", n), []*onnx.Node{n}, func(e *editor, n *onnx.Node) {
			inner := e.fresh(n.Outputs[0] + "/inner")
			relu := &onnx.Node{Name: inner + "/Relu", OpType: "Relu", Inputs: []string{inner}, Outputs: n.Outputs[:1:1]}
			n.Outputs = append([]string{inner}, n.Outputs[1:]...)
			e.g.Nodes = append(slices.Clone(e.g.Nodes), relu)
		}})
	}
	for _, n := range of("MaxPool", "AveragePool", "GlobalAveragePool", "Conv", "Gemm", "Identity", "Flatten") {
		out = append(out, variant{fmt.Sprintf("the reference has a ReLU before %v that the model lacks", n), []*onnx.Node{n}, func(e *editor, n *onnx.Node) {
			relu := e.node(n, "Relu", []string{n.Inputs[0]})
			n.Inputs[0] = relu.Outputs[0]
			e.g.Nodes = append(slices.Clone(e.g.Nodes), relu)
		}})
	}
	return out
}

func nodesText(nodes []*onnx.Node) string {
	if len(nodes) == 1 {
		return nodes[0].String()
	}
	return fmt.Sprintf("%v and %d more", nodes[0], len(nodes)-1)
}

// flattenOrders are the orders in which a map may have been flattened before a layer whose weights are stored.
func (c *comparer) flattenOrders(n *onnx.Node) []variant {
	shapes := map[string][]int{}
	for _, l := range c.layers {
		shapes[l.Output] = l.Shape
	}
	for _, v := range c.m.Graph.RequiredInputs() {
		shapes[v.Name] = c.r.Inputs[v.Name].Shape
	}
	value := n.Inputs[0]
	for range len(c.m.Graph.Nodes) {
		i := slices.IndexFunc(c.m.Graph.Nodes, func(m *onnx.Node) bool { return slices.Contains(m.Outputs, value) })
		if i < 0 {
			break
		}
		p := c.m.Graph.Nodes[i]
		if !slices.Contains([]string{"Flatten", "Reshape", "Dropout", "Squeeze", "Identity"}, p.OpType) {
			break
		}
		value = p.Inputs[0]
	}
	s := shapes[value]
	if len(s) != 4 || s[2]*s[3] == 1 || s[1] == 1 {
		return nil
	}
	channels, area := s[1], s[2]*s[3]
	reorder := func(what string, from func(k, p int) int) variant {
		return variant{what, []*onnx.Node{n}, func(e *editor, n *onnx.Node) {
			w := e.value(n.Inputs[1])
			if w == nil || len(w.Shape) != 2 {
				return
			}
			axis := 0
			if n.OpType == "Gemm" && intAttr(n, "transB", 0) != 0 {
				axis = 1
			}
			if w.Shape[axis] != channels*area {
				return
			}
			out := onnx.New(w.Type, w.Shape...)
			size := w.Type.Bits() / 8
			outer, inner := onnx.NumElements(w.Shape[:axis]), size*onnx.NumElements(w.Shape[axis+1:])
			for o := range outer {
				base := o * channels * area
				for k := range channels {
					for p := range area {
						copy(out.Raw[(base+k*area+p)*inner:(base+k*area+p+1)*inner], w.Raw[(base+from(k, p))*inner:])
					}
				}
			}
			n.Inputs[1] = e.constant(n.Inputs[1], out)
		}}
	}
	return []variant{
		reorder(fmt.Sprintf("the order of flattening: the weights of %v are for height, width, channels", n), func(k, p int) int { return p*channels + k }),
		// The transposed permutation: the inputs are channels last, the weights channels first.
		reorder(fmt.Sprintf("the order of flattening: the reference flattens height, width, channels before %v", n), func(k, p int) int {
			i := k*area + p
			return i%channels*area + i/channels
		}),
	}
}
