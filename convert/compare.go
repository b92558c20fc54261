package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// LayerDifference is how a layer's output compares with the reference.
type LayerDifference struct {
	Index      int     `json:"index"` // of the layer, -1 where the value is no layer's
	Node       string  `json:"node"`
	Op         string  `json:"op"`
	Value      string  `json:"value"`
	Reference  string  `json:"reference"` // name of the array
	Shape      []int   `json:"shape"`
	Difference float64 `json:"difference"` // the largest; -1 where there are none to compare
	Largest    float64 `json:"largest"`    // number of the reference, in magnitude
	Scale      float64 `json:"scale"`      // what it is as exact as: Largest, or more where it is what is left of larger numbers
	Tolerance  float64 `json:"tolerance"`  // that is allowed of Difference
	OK         bool    `json:"ok"`
	What       string  `json:"what,omitempty"` // what keeps it from being compared, or was done for it
}

// Comparison is how a model compares with a reference.
type Comparison struct {
	Source    string            `json:"source"`
	Layers    []LayerDifference `json:"layers"`          // in the order of the graph
	First     int               `json:"first"`           // index in Layers of the first that diverges; -1 where none does
	Cause     string            `json:"cause,omitempty"` // the likely cause, found by trying it; "" where none is found
	Unmatched []string          `json:"unmatched"`       // arrays of the reference that no value of the model is named after
}

// OK reports whether nothing diverges.
func (c *Comparison) OK() bool { return c.First < 0 }

// CompareOptions say how a model is compared. The zero value runs it natively on all processors.
type CompareOptions struct {
	Provider string       // that runs the model
	Threads  int          // 0: one a processor
	Warn     func(string) // may be nil
	// Diagnose tries what may be the cause of a difference.
	Diagnose bool
	// Tolerance replaces that of every operator, as a share of a value's [Scale]; 0 for the operators' own.
	Tolerance float64
}

// tolerances are shares of a value's scale that its rounding may make up. Sums of products are added in
// another order, transformed (Winograd) or in other groups; everything after them inherits that.
var tolerances = map[string]float64{
	"Conv": 5e-4, "ConvTranspose": 5e-4, "Gemm": 5e-4, "MatMul": 5e-4, "Einsum": 5e-4,
	"BatchNormalization": 5e-4, "InstanceNormalization": 5e-4, "LayerNormalization": 5e-4, "GroupNormalization": 5e-4, "LRN": 5e-4,
	"Softmax": 1e-3, "LogSoftmax": 1e-3, "Exp": 1e-3,
}

const defaultTolerance = 5e-4

// smallestHalf is the distance of the smallest numbers of float16.
const smallestHalf = 1.0 / (1 << 24)

// tolerance returns the difference that a layer's output may have. Integers and truth values have to be the same. What is made
// of numbers in half precision is as exact as they are, and no value is more exact than its type has numbers.
func (o CompareOptions) tolerance(l graph.Layer, typ onnx.DataType, half bool, scale float64) float64 {
	if !isFloat(typ) {
		return 0
	}
	share := o.Tolerance
	if share == 0 {
		share = defaultTolerance
		if t, ok := tolerances[l.Op]; ok {
			share = t
		}
		if half || typ.IsHalf() {
			share *= 20
		}
	}
	least := 0.0
	if typ == onnx.Float16 {
		least = 2 * smallestHalf
	}
	return max(share*max(scale, 1e-6), least)
}

// Compare runs a model on the reference's inputs and compares the values that the reference has, layer by layer. Where they
// diverge, and Diagnose is set, it tries what may be the cause: the order of channels, the layout of pictures, padding,
// epsilon, the order of a flattened map, a missing or additional activation, arrays in each other's place, half precision.
func Compare(ctx context.Context, m *onnx.Model, r *Reference, o CompareOptions) (*Comparison, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	shapes := map[string][]int{}
	for _, v := range m.Graph.RequiredInputs() {
		t := r.Inputs[v.Name]
		if t == nil {
			return nil, fmt.Errorf("%s: input %q is missing among its arrays (%q): give it beside the reference", r.Source, v.Name, r.names())
		}
		shapes[v.Name] = t.Shape
	}
	layers, err := graph.Layers(m, shapes)
	if err != nil {
		return nil, err
	}
	c := &comparer{m: m, r: r, o: o, layers: layers}
	c.half = IsHalf(m)
	var others []string
	if c.targets, others = r.targets(m, layers); len(c.targets) == 0 {
		return nil, fmt.Errorf("%s: none of its arrays (%q) has the name of an output, value, node or block of the model", r.Source, r.names())
	}
	got, err := c.run(ctx, m, r.Inputs)
	if err != nil {
		return nil, err
	}
	res := &Comparison{Source: r.Source, First: -1, Unmatched: others}
	for _, t := range c.targets {
		res.Layers = append(res.Layers, c.compare(t, got[t.value]))
	}
	if err := c.rescale(ctx, res.Layers, got); err != nil {
		return nil, err
	}
	c.excuse(res.Layers, got)
	res.First = slices.IndexFunc(res.Layers, func(d LayerDifference) bool { return !d.OK })
	if res.First >= 0 && o.Diagnose {
		if res.Cause, err = c.diagnose(ctx, res.First, got); err != nil {
			return nil, err
		}
		if first := res.Layers[res.First]; res.Cause == "" && first.Difference < 0 {
			res.Cause = first.What // nothing that was tried gives another shape
		}
	}
	return res, nil
}

// CompareProviders is [Compare] with what another provider computes of the same inputs, for every layer of the model.
func CompareProviders(ctx context.Context, m *onnx.Model, inputs map[string]*onnx.Tensor, provider string, o CompareOptions) (*Comparison, error) {
	r, err := ReferenceBy(ctx, m, inputs, provider, o)
	if err != nil {
		return nil, err
	}
	return Compare(ctx, m, r, o)
}

// ReferenceBy returns what a provider computes of a model: the output of every layer.
func ReferenceBy(ctx context.Context, m *onnx.Model, inputs map[string]*onnx.Tensor, provider string, o CompareOptions) (*Reference, error) {
	shapes := map[string][]int{}
	for name, t := range inputs {
		shapes[name] = t.Shape
	}
	layers, err := graph.Layers(m, shapes)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, l := range layers {
		names = append(names, l.Output)
	}
	for _, v := range m.Graph.Outputs {
		if !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	out, err := runModel(ctx, m, inputs, backend.Options{Provider: provider, Threads: o.Threads, Warn: o.Warn, Outputs: names})
	if err != nil {
		return nil, err
	}
	r := &Reference{Source: provider, Inputs: inputs, byValue: true}
	for _, name := range names {
		c := *out[name]
		c.Name = name
		r.Values = append(r.Values, &c)
	}
	return r, nil
}

// Deviation runs two models with the same inputs and outputs on the same numbers, and returns the largest difference of an
// output as a share of that output's [Scale] in the first model.
func Deviation(ctx context.Context, want, got *onnx.Model, inputs map[string]*onnx.Tensor, o CompareOptions) (float64, error) {
	var outputs []string
	for _, v := range want.Graph.Outputs {
		outputs = append(outputs, v.Name)
	}
	a := newScales(want, inputs)
	if err := a.run(ctx, outputs, o); err != nil {
		return 0, err
	}
	inputs, err := asDeclared(got, inputs)
	if err != nil {
		return 0, err
	}
	b, err := runModel(ctx, got, inputs, backend.Options{Provider: o.Provider, Threads: o.Threads, Warn: o.Warn})
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for _, name := range outputs {
		x, y := a.values[name], b[name]
		if y == nil || !slices.Equal(x.Shape, y.Shape) {
			return 0, fmt.Errorf("output %q is missing, or of another shape than %v", name, x.Shape)
		}
		w, err := numbersOf(x)
		g, err2 := numbersOf(y)
		if err := errors.Join(err, err2); err != nil {
			return 0, err
		}
		if d, _ := distance(g, w); d > 0 {
			scale, err := a.of(ctx, name, o)
			if err != nil {
				return 0, err
			}
			worst = max(worst, d/max(scale, 1e-6))
		}
	}
	return worst, nil
}

// asDeclared returns inputs in the floating-point types that a model wants.
func asDeclared(m *onnx.Model, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	inputs = maps.Clone(inputs)
	for _, v := range m.Graph.RequiredInputs() {
		t := inputs[v.Name]
		if t == nil || v.Type == nil || v.Type.Elem != onnx.Float || !t.Type.IsHalf() {
			continue
		}
		single, err := op.CastTensor(t, onnx.Float)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
		inputs[v.Name] = single
	}
	return inputs, nil
}

// runModel runs a model once.
func runModel(ctx context.Context, m *onnx.Model, inputs map[string]*onnx.Tensor, o backend.Options) (map[string]*onnx.Tensor, error) {
	s, err := backend.Open(m, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(ctx, inputs)
}

type comparer struct {
	m       *onnx.Model
	r       *Reference
	o       CompareOptions
	layers  []graph.Layer
	half    bool // the model has weights in half precision
	targets []target
	scales  map[string]float64 // of values that do not agree by their largest numbers
}

// rescale compares values that do not agree by their largest numbers by their scales. (These cost another run.)
func (c *comparer) rescale(ctx context.Context, layers []LayerDifference, got map[string]*onnx.Tensor) error {
	var names []string
	for _, d := range layers {
		if !d.OK && d.Difference > 0 && d.Difference < math.MaxFloat64 {
			names = append(names, d.Value)
		}
	}
	if len(names) == 0 {
		return nil
	}
	s := newScales(c.m, c.r.Inputs)
	if err := s.run(ctx, names, c.o); err != nil {
		return err
	}
	c.scales = map[string]float64{}
	for i, d := range layers {
		if !slices.Contains(names, d.Value) {
			continue
		}
		scale, err := s.of(ctx, d.Value, c.o)
		if err != nil {
			return err
		}
		c.scales[d.Value] = scale
		layers[i] = c.compare(c.targets[i], got[d.Value])
		if layers[i].OK && layers[i].What == "" {
			layers[i].What = fmt.Sprintf("it is what is left of numbers up to %.3g", scale)
		}
	}
	return nil
}

// excuse accepts a value of which the reference holds what an activation that works in place has made of it: the array is
// that of a value behind it, or an activation of the model's, and a value that is made from it agrees.
func (c *comparer) excuse(layers []LayerDifference, got map[string]*onnx.Tensor) {
	for i := range layers {
		if layers[i].OK {
			continue
		}
		active := c.activation(c.targets[i], got[layers[i].Value]) != ""
		from := map[string]bool{layers[i].Value: true}
		for _, n := range c.m.Graph.Nodes {
			for in := range n.Uses() {
				if from[in] {
					for _, o := range n.Outputs {
						from[o] = true
					}
				}
			}
		}
		for k := i + 1; k < len(layers); k++ {
			same := active || bytes.Equal(c.targets[i].want.Raw, c.targets[k].want.Raw)
			if same && layers[k].OK && layers[k].Value != layers[i].Value && from[layers[k].Value] {
				layers[i].OK = true
				layers[i].What = fmt.Sprintf("the reference holds what an activation in place has made of it; %q, which is made from it, agrees", layers[k].Value)
				break
			}
		}
	}
}

// run computes the values that are compared.
func (c *comparer) run(ctx context.Context, m *onnx.Model, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	var names []string
	for _, t := range c.targets {
		if !slices.Contains(names, t.value) {
			names = append(names, t.value)
		}
	}
	return runModel(ctx, m, inputs, backend.Options{Provider: c.o.Provider, Threads: c.o.Threads, Warn: c.o.Warn, Outputs: names})
}

// compare compares one value. An array with the channels last is turned, and dimensions of one make no difference.
func (c *comparer) compare(t target, got *onnx.Tensor) LayerDifference {
	d := LayerDifference{Index: -1, Value: t.value, Reference: t.want.Name, Shape: got.Shape, Difference: -1}
	if t.layer.Node != nil {
		d.Index, d.Node, d.Op = t.layer.Index, t.layer.Name, t.layer.Op
	}
	want := t.want
	if !slices.Equal(squeezed(want.Shape), squeezed(got.Shape)) {
		s := want.Shape
		if len(s) != 4 || !slices.Equal([]int{s[0], s[3], s[1], s[2]}, got.Shape) {
			d.What = fmt.Sprintf("shape %v, the reference has %v", got.Shape, s)
			return d
		}
		want, d.What = permuted(want, 0, 3, 1, 2), "the reference has its channels last"
	}
	a, err := numbersOf(got)
	b, err2 := numbersOf(want)
	if err := errors.Join(err, err2); err != nil {
		d.What = err.Error()
		return d
	}
	d.Difference, d.Largest = distance(a, b)
	d.Scale = max(d.Largest, c.scales[t.value])
	d.Tolerance = c.o.tolerance(t.layer, got.Type, c.half, d.Scale)
	d.OK = d.Difference <= d.Tolerance
	return d
}

// squeezed returns a shape without dimensions of one.
func squeezed(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
}

func numbersOf(t *onnx.Tensor) ([]float64, error) {
	d, err := op.CastTensor(t, onnx.Double)
	if err != nil {
		return nil, err
	}
	return onnx.Data[float64](d), nil
}

// distance returns the largest difference, and the largest finite number of want in magnitude. A number that is finite
// in one and not in the other is as far away as can be.
func distance(got, want []float64) (diff, largest float64) {
	for i, w := range want {
		d := math.Abs(got[i] - w)
		switch {
		case got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w):
			d = 0
		case math.IsNaN(d) || math.IsInf(d, 0):
			d = math.MaxFloat64
		}
		diff = max(diff, d)
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			largest = max(largest, math.Abs(w))
		}
	}
	return diff, largest
}
