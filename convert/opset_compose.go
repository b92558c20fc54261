package convert

import (
	"errors"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// composer builds the nodes that stand for one.
type composer struct {
	e     *editor
	n     *onnx.Node
	nodes []*onnx.Node
	err   error
}

func compose(e *editor, n *onnx.Node) *composer { return &composer{e: e, n: n} }

// do appends a node and returns the name of its output.
func (c *composer) do(opType string, inputs []string, attrs ...*onnx.Attribute) string {
	n := c.e.node(c.n, opType, inputs, attrs...)
	c.nodes = append(c.nodes, n)
	return n.Outputs[0]
}

// number adds a constant of the type of the node's first input.
func (c *composer) number(v float64) string {
	name, err := c.e.float(c.n.Outputs[0]+"/constant", c.n.Inputs[0], float32(v))
	c.err = errors.Join(c.err, err)
	return name
}

// done gives the last node the output of the one that it stands for.
func (c *composer) done() ([]*onnx.Node, error) {
	last := c.nodes[len(c.nodes)-1]
	last.Outputs = c.n.Outputs[:1]
	return c.nodes, c.err
}

// composeHardSwish: x * HardSigmoid(x) with slope 1/6 and offset 1/2.
func composeHardSwish(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	c, x := compose(e, n), n.Inputs[0]
	c.do("Mul", []string{x, c.do("HardSigmoid", []string{x}, op.Attr("alpha", float32(1.0/6)), op.Attr("beta", float32(0.5)))})
	return c.done()
}

// composeMish: x * tanh(softplus(x)).
func composeMish(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	c, x := compose(e, n), n.Inputs[0]
	c.do("Mul", []string{x, c.do("Tanh", []string{c.do("Softplus", []string{x})})})
	return c.done()
}

// composeSwish: x * sigmoid(alpha*x).
func composeSwish(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	c, x := compose(e, n), n.Inputs[0]
	inner := x
	if a := n.Attr("alpha"); a != nil && a.F != 1 {
		inner = c.do("Mul", []string{x, c.number(float64(a.F))})
	}
	c.do("Mul", []string{x, c.do("Sigmoid", []string{inner})})
	return c.done()
}

// composeGelu: x/2 * (1 + erf(x/sqrt(2))), or with tanh as an approximation.
func composeGelu(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	c, x := compose(e, n), n.Inputs[0]
	var curve string
	if a := n.Attr("approximate"); a != nil && string(a.S) == "tanh" {
		cube := c.do("Mul", []string{c.do("Mul", []string{x, x}), x})
		inner := c.do("Add", []string{x, c.do("Mul", []string{cube, c.number(0.044715)})})
		curve = c.do("Tanh", []string{c.do("Mul", []string{inner, c.number(math.Sqrt(2 / math.Pi))})})
	} else {
		curve = c.do("Erf", []string{c.do("Mul", []string{x, c.number(math.Sqrt2 / 2)})})
	}
	half := c.do("Mul", []string{x, c.number(0.5)})
	c.do("Mul", []string{half, c.do("Add", []string{curve, c.number(1)})})
	return c.done()
}

// composeNot: a >= b is not a < b (but for NaN).
func composeNot(opposite string) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
		c := compose(e, n)
		c.do("Not", []string{c.do(opposite, n.Inputs)})
		return c.done()
	}
}

// composeLayerNorm: the mean and the variance over the last axes.
func composeLayerNorm(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	x := n.Inputs[0]
	rank, ok := e.rank(x)
	if !ok {
		return nil, errors.New("a value whose rank is not known")
	}
	if _, err := firstOutputOnly(e, n, "mean and deviation as outputs"); err != nil {
		return nil, err
	}
	axis := int(intAttr(n, "axis", -1))
	if axis < 0 {
		axis += rank
	}
	var axes []int
	for i := axis; i < rank; i++ {
		axes = append(axes, i)
	}
	epsilon := 1e-5
	if a := n.Attr("epsilon"); a != nil {
		epsilon = float64(a.F)
	}
	c := compose(e, n)
	centred := c.do("Sub", []string{x, c.do("ReduceMean", []string{x}, op.Attr("axes", axes))})
	variance := c.do("ReduceMean", []string{c.do("Mul", []string{centred, centred})}, op.Attr("axes", axes))
	y := c.do("Div", []string{centred, c.do("Sqrt", []string{c.do("Add", []string{variance, c.number(epsilon)})})})
	y = c.do("Mul", []string{y, n.Inputs[1]})
	if b := input(n, 2); b != "" {
		c.do("Add", []string{y, b})
	}
	return c.done()
}

// groupNormPerChannel: with opset 21 scale and bias came to be of the channels, and no more of the groups.
func groupNormPerChannel(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	dims, _ := e.dims(n.Inputs[0])
	groups := int(intAttr(n, "num_groups", 0))
	if len(dims) < 2 || groups < 1 || dims[1] < 0 || dims[1]%groups != 0 {
		return nil, errors.New("the number of channels is not known")
	}
	for i := 1; i <= 2; i++ {
		t := e.value(n.Inputs[i])
		if t == nil || t.Len() != groups {
			return nil, errors.New("scale or bias that is computed")
		}
		size := len(t.Raw) / groups
		each := dims[1] / groups
		var raw []byte
		for g := range groups {
			for range each {
				raw = append(raw, t.Raw[g*size:(g+1)*size]...)
			}
		}
		n.Inputs[i] = e.constant(n.Inputs[i], &onnx.Tensor{Type: t.Type, Shape: []int{dims[1]}, Raw: raw})
	}
	return one(n)
}

// composeGroupNorm: an instance normalisation of the groups, and scale and bias after it.
func composeGroupNorm(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	rank, ok := e.rank(n.Inputs[0])
	groups := int(intAttr(n, "num_groups", 0))
	if !ok || rank < 2 || groups < 1 {
		return nil, errors.New("a value whose rank is not known")
	}
	base := n.Outputs[0]
	var unit [2]string // scale and bias that change nothing
	for i, v := range []float32{1, 0} {
		t := onnx.New(onnx.Float, groups)
		for k := range t.Float32s() {
			t.Float32s()[k] = v
		}
		t, err := op.CastTensor(t, e.typeOf(n.Inputs[0]))
		if err != nil {
			return nil, err
		}
		unit[i] = e.constant(base+"/unit", t)
	}
	c := compose(e, n)
	y := c.groups(groups, unit[0], unit[1])
	// [C] becomes [C,1,...,1].
	column := make([]int64, rank-1)
	for i := range column {
		column[i] = 1
	}
	column[0] = -1
	for i, opType := range []string{"Mul", "Add"} {
		y = c.do(opType, []string{y, c.do("Reshape", []string{n.Inputs[1+i], e.ints(base+"/column", column)})})
	}
	return c.done()
}

// composeGroupScaled is composeGroupNorm for the older form, where each group has a scale and a bias.
func composeGroupScaled(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	groups := int(intAttr(n, "num_groups", 0))
	if groups < 1 {
		return nil, errors.New("num_groups is missing")
	}
	c := compose(e, n)
	c.groups(groups, n.Inputs[1], n.Inputs[2])
	return c.done()
}

// groups normalises the groups of the node's input and returns the result's name.
func (c *composer) groups(groups int, scale, bias string) string {
	x := c.n.Inputs[0]
	var attrs []*onnx.Attribute
	if a := c.n.Attr("epsilon"); a != nil {
		attrs = append(attrs, a)
	}
	flat := c.do("Reshape", []string{x, c.e.ints(c.n.Outputs[0]+"/groups", []int64{0, int64(groups), -1})})
	y := c.do("InstanceNormalization", []string{flat, scale, bias}, attrs...)
	return c.do("Reshape", []string{y, c.do("Shape", []string{x})})
}
