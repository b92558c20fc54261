package graph

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TrainOptions say how a model is compiled for training.
type TrainOptions struct {
	Shapes  map[string][]int // of all inputs; every dimension is known
	Train   []string         // initializers whose gradients are wanted; they become inputs. Inputs may be named, too
	Loss    string           // the value, of one element, whose gradients are wanted
	Outputs []string         // further values to give
	Pool    *par.Pool
	Warn    func(string)

	// Guided lets only what is positive of a gradient go back through a rectifier: Relu, and Clip from 0 (guided
	// backpropagation, Springenberg et al. 2015, arXiv:1412.6806). What comes out is for looking at, and no gradient.
	Guided bool
}

// GradName is the name of the program's output that holds the gradient of the loss by a parameter.
func GradName(param string) string { return "gradient:" + param }

// NotDifferentiableError lists the nodes between the trained parameters and the loss whose operators have no gradient.
type NotDifferentiableError struct{ Nodes []string }

func (e *NotDifferentiableError) Error() string {
	return "no gradient goes through " + strings.Join(e.Nodes, ", ")
}

// CompileTraining makes a program that computes the loss, the further outputs, and the gradient of the loss by each
// trained parameter (in this order; gradients are named by [GradName]). Its inputs are those of the model followed by
// the trained parameters. A gradient is exactly zero, and computed as such, where a parameter does not influence the
// loss.
//
// Forward and backward are one graph: the gradient of each operator adds nodes to it ([op.Gradient]), and one plan lays
// out the memory of both.
func CompileTraining(m *onnx.Model, o TrainOptions) (*Program, error) {
	m, inputs, err := prepared(m, o.Shapes)
	if err != nil {
		return nil, err
	}
	given := valueNames(inputs)
	for _, name := range o.Train {
		if slices.Contains(given, name) {
			continue
		}
		t := m.Graph.Initializer(name)
		if t == nil {
			return nil, fmt.Errorf("there is no weight %q to train", name)
		}
		if t.Type != onnx.Float && t.Type != onnx.Double {
			return nil, fmt.Errorf("weight %q of type %v cannot be trained", name, t.Type)
		}
		typ := &onnx.Type{Elem: t.Type, HasShape: true}
		for _, d := range t.Shape {
			typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
		}
		inputs = append(inputs, &onnx.Value{Name: name, Type: typ})
	}
	outputs, err := wanted(m.Graph, append([]string{o.Loss}, o.Outputs...))
	if err != nil {
		return nil, err
	}
	opts := Options{Pool: o.Pool, Warn: o.Warn, NoFuse: true}
	w, err := load(m.Graph, inputs, valueNames(outputs), nil, opts, m.OpsetVersion)
	if err != nil {
		return nil, err
	}
	forward, err := w.rewrite(outputs, opts)
	if err != nil {
		return nil, err
	}
	known, err := forward.declaredInfo(0, 0)
	if err != nil {
		return nil, err
	}
	r, err := forward.infer(known, true)
	if err != nil {
		return nil, err
	}
	info := map[string]op.Info{}
	for i, name := range forward.names {
		info[name] = r.info[i]
	}
	for _, name := range o.Train {
		if t := info[name].Type; t != onnx.Float && t != onnx.Double && !t.IsHalf() {
			return nil, fmt.Errorf("%q of type %v has no gradient", name, t)
		}
	}
	d := &differ{work: w, info: info, grads: map[string][]string{}, guided: o.Guided}
	if err := d.backward(o.Loss, o.Train); err != nil {
		return nil, err
	}
	totals := map[string]int{}
	for _, name := range o.Train {
		if d.total(name) == "" {
			d.grads[name] = []string{d.Const(onnx.New(info[name].Type, info[name].Shape...))}
		}
		totals[d.total(name)]++
	}
	for _, name := range o.Train {
		d.output(d.total(name), GradName(name), totals[d.total(name)] == 1)
		outputs = append(outputs, &onnx.Value{Name: GradName(name)})
		w.outputs = append(w.outputs, GradName(name))
	}
	w.warn = nil // the forward nodes have warned before
	w.dropIdentities()
	w.prune()
	p, err := w.draft(outputs, opts)
	if err != nil {
		return nil, err
	}
	return p, p.finish(w, opts)
}

// differ adds the backward nodes to a graph.
type differ struct {
	*work
	info   map[string]op.Info
	grads  map[string][]string // by value: its gradients, one from each reader
	guided bool
}

// Add implements [op.GradTarget].
func (d *differ) Add(n *onnx.Node, outputs int) []string {
	for range outputs {
		n.Outputs = append(n.Outputs, d.fresh("d:"+n.OpType))
	}
	n.Name = n.Outputs[0]
	d.append(n)
	return n.Outputs
}

// append appends a node of the newest opset.
func (d *differ) append(n *onnx.Node) {
	if d.newest == nil {
		d.newest = map[*onnx.Node]bool{}
	}
	d.newest[n] = true
	d.nodes = append(d.nodes, n)
}

// Const implements [op.GradTarget].
func (d *differ) Const(t *onnx.Tensor) string {
	name := d.fresh("d:const")
	d.consts[name] = t
	return name
}

// output lets the graph give a value under a name of its own: by naming it so where it is made, if nobody else needs it
// (alone says whether it is wanted under this name only), else through an Identity.
func (d *differ) output(value, name string, alone bool) {
	var maker *onnx.Node
	at := 0
	for _, n := range d.nodes {
		for in := range n.Uses() {
			alone = alone && in != value
		}
		for i, o := range n.Outputs {
			if o == value && d.newest[n] {
				maker, at = n, i
			}
		}
	}
	if maker != nil && alone {
		maker.Outputs[at] = name
		return
	}
	d.append(&onnx.Node{OpType: "Identity", Inputs: []string{value}, Outputs: []string{name}})
}

// total returns the name of the sum of a value's gradients, "" where it has none.
func (d *differ) total(value string) string {
	g := d.grads[value]
	switch len(g) {
	case 0:
		return ""
	case 1:
		return g[0]
	}
	sum := d.Add(&onnx.Node{OpType: "Sum", Inputs: g}, 1)[0]
	d.grads[value] = []string{sum}
	return sum
}

// backward adds the gradients of all nodes between the parameters and the loss, last node first.
func (d *differ) backward(loss string, train []string) error {
	li := d.info[loss]
	if li.Type != onnx.Float && li.Type != onnx.Double || onnx.NumElements(li.Shape) != 1 || li.Dynamic {
		return fmt.Errorf("the loss %q is %v%v, wants one float", loss, li.Type, li.Shape)
	}
	seed := onnx.New(li.Type, li.Shape...)
	if li.Type == onnx.Float {
		seed.Float32s()[0] = 1
	} else {
		onnx.Data[float64](seed)[0] = 1
	}
	d.grads[loss] = []string{d.Const(seed)}
	depends := map[string]bool{} // on a trained parameter
	for _, name := range train {
		depends[name] = true
	}
	forward := d.nodes[:len(d.nodes):len(d.nodes)]
	for _, n := range forward {
		for in := range n.Uses() {
			if depends[in] && d.differentiable(in) {
				for _, o := range n.Outputs {
					depends[o] = o != ""
				}
				break
			}
		}
	}
	stuck := map[string]bool{}
	for i := len(forward) - 1; i >= 0; i-- {
		if err := d.node(forward[i], depends, stuck); err != nil {
			return nodeError(forward[i], err)
		}
	}
	if len(stuck) > 0 {
		e := &NotDifferentiableError{}
		for s := range stuck {
			e.Nodes = append(e.Nodes, s)
		}
		sort.Strings(e.Nodes)
		return e
	}
	return nil
}

// differentiable reports whether a value is of a type that has gradients.
func (d *differ) differentiable(value string) bool {
	t := d.info[value].Type
	return t == onnx.Float || t == onnx.Double || t.IsHalf()
}

// node adds the gradient of one node, where one comes to it and is wanted from it.
func (d *differ) node(n *onnx.Node, depends, stuck map[string]bool) error {
	up := make([]string, len(n.Outputs))
	reached := false
	for i, o := range n.Outputs {
		if o != "" && depends[o] && d.differentiable(o) {
			up[i] = d.total(o)
			reached = reached || up[i] != ""
		}
	}
	if !reached {
		return nil
	}
	in := make([]op.Info, len(n.Inputs))
	want := make([]bool, len(n.Inputs))
	wanted := false
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		in[i] = d.info[name]
		want[i] = depends[name] && d.differentiable(name)
		wanted = wanted || want[i]
	}
	if !wanted {
		return nil
	}
	rule := op.GradientOf(n)
	if rule == nil || hasSubGraphs(n) {
		stuck[n.String()] = true
		return nil
	}
	out := make([]op.Info, len(n.Outputs))
	for i, o := range n.Outputs {
		out[i] = d.info[o]
		if out[i].Dynamic {
			return errors.New("its shape depends on values, which training does not support")
		}
	}
	if d.guided && d.rectifies(n) {
		up[0] = d.Add(&onnx.Node{OpType: "Relu", Inputs: []string{up[0]}}, 1)[0]
	}
	g := op.MakeGrad(n, d.version(n), in, out, up, want, d)
	if err := rule(g); err != nil {
		return err
	}
	if err := g.Err(); err != nil {
		return err
	}
	for i, name := range n.Inputs {
		if want[i] && g.Down[i] != "" {
			d.grads[name] = append(d.grads[name], g.Down[i])
		}
	}
	return nil
}

// rectifies reports whether a node cuts off what is negative: Relu, and Clip from 0 as ReLU6 is written.
func (d *differ) rectifies(n *onnx.Node) bool {
	switch {
	case !isONNX(n.Domain):
		return false
	case n.OpType != "Clip":
		return n.OpType == "Relu"
	case len(n.Inputs) < 2:
		a := n.Attr("min")
		return a != nil && a.F == 0
	}
	lo := d.consts[n.Inputs[1]]
	return lo != nil && lo.Type == onnx.Float && lo.Len() == 1 && lo.Float32s()[0] == 0
}
