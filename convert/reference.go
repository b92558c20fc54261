package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Reference is what a model ought to compute.
type Reference struct {
	Source string                  // for messages
	Inputs map[string]*onnx.Tensor // by the model's input names; empty where the source has none
	Values []*onnx.Tensor          // by the names that the source has

	byValue bool // their names are those of the model's values, and of nothing else
}

// names returns the names of the values, as many as a message lists.
func (r *Reference) names() []string {
	var names []string
	for _, t := range r.Values[:min(len(r.Values), maxListed)] {
		names = append(names, t.Name)
	}
	return names
}

// testDataSet is how the ONNX project calls a folder with inputs and outputs of a model.
const testDataSet = "test_data_set_0"

// ReadReference reads what a model ought to compute: from a folder test_data_set_0 as the ONNX project has them, or the
// folder around it, or from an .npz file. Its arrays that have the names of the model's inputs are the inputs (and one called
// input, inputs or x is the input of a model that has one); the others are values, named after outputs, values, nodes or
// blocks of the model.
func ReadReference(path string, m *onnx.Model) (*Reference, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return readTestData(path, m)
	}
	tensors, err := npz.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Reference{Source: path, Inputs: map[string]*onnx.Tensor{}}
	named := theInput(m, tensors)
	for _, t := range tensors {
		v := inputNamed(m, t.Name)
		if v == nil && t.Name == named {
			v = m.Graph.RequiredInputs()[0]
		}
		if v == nil {
			r.Values = append(r.Values, t)
		} else if r.Inputs[v.Name], err = asInput(v, t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(r.Values) == 0 {
		return nil, fmt.Errorf("%s: has no arrays beside the model's inputs to compare with", path)
	}
	return r, nil
}

func inputNamed(m *onnx.Model, name string) *onnx.Value {
	for _, v := range m.Graph.RequiredInputs() {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// theInput returns the name of the array that is the input of a model with one input, where none has the input's name.
func theInput(m *onnx.Model, tensors []*onnx.Tensor) string {
	inputs := m.Graph.RequiredInputs()
	if len(inputs) != 1 || npz.Find(tensors, inputs[0].Name) != nil {
		return ""
	}
	for _, name := range []string{"input", "inputs", "x"} {
		computed := slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, name) })
		if !computed && npz.Find(tensors, name) != nil {
			return name
		}
	}
	return ""
}

// asInput returns a tensor in the type and the order of dimensions that an input wants: pictures with the channels last
// for a network that has them second are turned.
func asInput(v *onnx.Value, t *onnx.Tensor) (*onnx.Tensor, error) {
	if v.Type == nil {
		return t, nil
	}
	if v.Type.Elem != onnx.Undefined {
		var err error
		if t, err = op.CastTensor(t, v.Type.Elem); err != nil {
			return nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
	}
	last, err := layoutOf(v)
	if err != nil || len(t.Shape) != 4 {
		return t, nil //nolint:nilerr // not a picture: taken as it is
	}
	s := v.Type.Shape
	switch {
	case !last && t.Shape[1] != s[1].Size && t.Shape[3] == s[1].Size:
		return permuted(t, 0, 3, 1, 2), nil
	case last && t.Shape[3] != s[3].Size && t.Shape[1] == s[3].Size:
		return permuted(t, 0, 2, 3, 1), nil
	}
	return t, nil
}

// permuted returns a tensor with its dimensions in another order.
func permuted(t *onnx.Tensor, perm ...int) *onnx.Tensor {
	shape := make([]int, len(perm))
	stride := make([]int, len(perm)) // in t
	n := 1
	source := make([]int, len(perm))
	for i := len(t.Shape) - 1; i >= 0; i-- {
		source[i] = n
		n *= t.Shape[i]
	}
	for i, p := range perm {
		shape[i], stride[i] = t.Shape[p], source[p]
	}
	out := onnx.New(t.Type, shape...)
	out.Name = t.Name
	size := t.Type.Bits() / 8
	index := make([]int, len(perm))
	from := 0
	for to := range n {
		copy(out.Raw[to*size:(to+1)*size], t.Raw[from*size:])
		for axis := len(perm) - 1; axis >= 0; axis-- {
			index[axis]++
			from += stride[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= stride[axis] * shape[axis]
			index[axis] = 0
		}
	}
	return out
}

// readTestData reads input_0.pb, input_1.pb, ... and output_0.pb, ... of a folder. Where the tensors have names they are
// matched by them, else by their place.
func readTestData(dir string, m *onnx.Model) (*Reference, error) {
	if _, err := os.Stat(filepath.Join(dir, testDataSet)); err == nil {
		dir = filepath.Join(dir, testDataSet)
	}
	read := func(kind string) ([]*onnx.Tensor, error) {
		var all []*onnx.Tensor
		for i := 0; ; i++ {
			file := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i))
			data, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				return all, nil
			}
			if err != nil {
				return nil, err
			}
			t, err := onnx.ParseTensor(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, t)
		}
	}
	inputs, err := read("input")
	if err != nil {
		return nil, err
	}
	outputs, err := read("output")
	if err != nil {
		return nil, err
	}
	want := m.Graph.RequiredInputs()
	switch {
	case len(inputs) == 0 || len(outputs) == 0:
		return nil, fmt.Errorf("%s: has no input_0.pb and output_0.pb", dir)
	case len(inputs) != len(want):
		return nil, fmt.Errorf("%s: has %d inputs, the model wants %d", dir, len(inputs), len(want))
	case len(outputs) > len(m.Graph.Outputs):
		return nil, fmt.Errorf("%s: has %d outputs, the model gives %d", dir, len(outputs), len(m.Graph.Outputs))
	}
	r := &Reference{Source: dir, Inputs: map[string]*onnx.Tensor{}}
	for i, t := range inputs {
		v := inputNamed(m, t.Name)
		if v == nil || r.Inputs[v.Name] != nil {
			v = want[i]
		}
		if r.Inputs[v.Name], err = asInput(v, t); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	for i, t := range outputs {
		c := *t
		if !slices.ContainsFunc(m.Graph.Outputs, func(v *onnx.Value) bool { return v.Name == t.Name }) {
			c.Name = m.Graph.Outputs[i].Name
		}
		r.Values = append(r.Values, &c)
	}
	return r, nil
}

// WriteTestData writes a model's inputs and outputs as a folder test_data_set_0: into dir where it has such a name
// (test_data_set_N), else into a folder of that name in it. It returns the folder. Each file is whole or not there.
func WriteTestData(dir string, m *onnx.Model, inputs, outputs map[string]*onnx.Tensor) (string, error) {
	if !strings.HasPrefix(filepath.Base(dir), "test_data_set_") {
		dir = filepath.Join(dir, testDataSet)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	write := func(kind string, values []*onnx.Value, of map[string]*onnx.Tensor) error {
		for i, v := range values {
			t := of[v.Name]
			if t == nil {
				return fmt.Errorf("%s: %s %q is missing", dir, kind, v.Name)
			}
			c := *t
			c.Name = v.Name
			data, err := c.Marshal()
			if err != nil {
				return err
			}
			err = atomicfile.Write(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i)), func(w io.Writer) error {
				_, err := w.Write(data)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return dir, errors.Join(write("input", m.Graph.RequiredInputs(), inputs), write("output", m.Graph.Outputs, outputs))
}

// RandomInputs makes inputs for a model from a seed: normally distributed numbers, bytes from 0 to 255 and zeros for other
// integers, with a batch of one. Other free dimensions than the first have to be in shapes.
func RandomInputs(m *onnx.Model, seed uint64, shapes map[string][]int) (map[string]*onnx.Tensor, error) {
	rng := rand.New(rand.NewPCG(seed, 0x696e70757473))
	in := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.RequiredInputs() {
		shape := shapes[v.Name]
		if shape == nil {
			if v.Type == nil || !v.Type.HasShape {
				return nil, fmt.Errorf("input %q: the model declares no shape: give the input", v.Name)
			}
			for k, d := range v.Type.Shape {
				switch {
				case !isFree(d):
				case k == 0:
					d.Size = 1
				default:
					return nil, fmt.Errorf("input %q: the size of dimension %d is free: give the input", v.Name, k)
				}
				shape = append(shape, d.Size)
			}
		}
		typ := onnx.Float
		if v.Type != nil && v.Type.Elem != onnx.Undefined {
			typ = v.Type.Elem
		}
		if n, ok := byteSize(typ, shape); !ok || n > maxRandom {
			return nil, fmt.Errorf("input %q: shape %v of %v is not possible, or too large", v.Name, shape, typ)
		}
		x := onnx.New(onnx.Float, shape...)
		for i := range x.Float32s() {
			switch {
			case isFloat(typ):
				x.Float32s()[i] = float32(rng.NormFloat64())
			case typ == onnx.Uint8:
				x.Float32s()[i] = float32(rng.IntN(256))
			}
		}
		var err error
		if in[v.Name], err = op.CastTensor(x, typ); err != nil {
			return nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
	}
	return in, nil
}

const maxRandom = 1 << 30

// target is a value of the model that a reference has an array for.
type target struct {
	layer graph.Layer // Node is nil where the value is no layer's
	value string
	want  *onnx.Tensor
}

// targets finds the values that the reference's arrays stand for, in the order of the graph, and names the others.
func (r *Reference) targets(m *onnx.Model, layers []graph.Layer) (found []target, others []string) {
	place := map[string]int{}
	made := map[string]bool{}
	for i, n := range m.Graph.Nodes {
		for _, o := range n.Outputs {
			place[o], made[o] = i, o != ""
		}
	}
	var unclear []*onnx.Tensor
	for _, t := range r.Values {
		// TensorFlow's values end in ":0", in models that come from it as well as in arrays that it named.
		name := strings.TrimSuffix(t.Name, ":0")
		spellings := []string{t.Name, name, name + ":0"}
		if at := slices.IndexFunc(spellings, func(s string) bool { return made[s] }); at >= 0 {
			found = append(found, target{value: spellings[at], want: t})
			continue
		}
		if r.byValue {
			others = append(others, t.Name)
			continue
		}
		if l, err := graph.FindLayer(layers, name); err == nil && !isNumber(name) && !wordBegins(l.Name, name) {
			found = append(found, target{value: l.Output, want: t})
			continue
		}
		unclear = append(unclear, t)
	}
	// One array that nothing is named after belongs to the one output.
	if len(unclear) == 1 && len(m.Graph.Outputs) == 1 &&
		!slices.ContainsFunc(found, func(f target) bool { return f.value == m.Graph.Outputs[0].Name }) {
		found = append(found, target{value: m.Graph.Outputs[0].Name, want: unclear[0]})
		unclear = nil
	}
	for _, t := range unclear {
		others = append(others, t.Name)
	}
	for i := range found {
		for _, l := range layers {
			if l.Output == found[i].value {
				found[i].layer = l
			}
		}
	}
	slices.SortStableFunc(found, func(a, b target) int { return place[a.value] - place[b.value] })
	// What stands there twice, as the last layer's and as the output, counts once.
	return slices.CompactFunc(found, func(a, b target) bool {
		return a.value == b.value && a.want.Type == b.want.Type && slices.Equal(a.want.Shape, b.want.Shape) && bytes.Equal(a.want.Raw, b.want.Raw)
	}), others
}

// wordBegins reports whether a name stands at the beginning of a longer word, which is then not named after it: "out" and "out_relu".
func wordBegins(name, beginning string) bool {
	rest, ok := strings.CutPrefix(name, beginning)
	return ok && rest != "" && !strings.HasSuffix(beginning, "/") && !strings.HasSuffix(beginning, ".") && !strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, ".")
}

// isNumber reports whether a name is a number, which would select a layer by its place.
func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
