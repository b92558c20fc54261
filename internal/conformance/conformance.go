// Package conformance runs ONNX test cases: folders with a model.onnx and data sets test_data_set_N that hold inputs
// input_K.pb and the outputs output_K.pb that the model must give for them.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Tolerance bounds the difference of two floating-point numbers: |got-want| <= Abs + Rel*|want|. Everything else must
// be equal.
type Tolerance struct{ Abs, Rel float64 }

// Normal is the tolerance of ONNX's own backend tests, Tight a few roundings of float32.
var (
	Normal = Tolerance{Abs: 1e-7, Rel: 1e-3}
	Tight  = Tolerance{Abs: 2e-6, Rel: 2e-5}
)

// Cases lists the folders below root that hold a case, as slash-separated paths, sorted.
func Cases(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || d.Name() != "model.onnx" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	sort.Strings(out)
	return out, err
}

// Set is one data set of a case.
type Set struct {
	Inputs  map[string]*onnx.Tensor
	Outputs []*onnx.Tensor // in the order of the model's outputs
}

// ReadSet reads a data set for a model with these inputs and outputs.
func ReadSet(dir string, inputs, outputs []*onnx.Value) (Set, error) {
	s := Set{Inputs: map[string]*onnx.Tensor{}}
	in, err := readTensors(dir, "input_")
	if err != nil {
		return s, err
	}
	if len(in) > len(inputs) {
		return s, fmt.Errorf("%s: has %d inputs, the model wants %d", dir, len(in), len(inputs))
	}
	for i, t := range in {
		s.Inputs[inputs[i].Name] = asDeclared(t, inputs[i])
	}
	s.Outputs, err = readTensors(dir, "output_")
	if err != nil {
		return s, err
	}
	for i, t := range s.Outputs {
		if i < len(outputs) {
			s.Outputs[i] = asDeclared(t, outputs[i])
		}
	}
	return s, nil
}

// asDeclared takes the numbers of a uint16 tensor as bfloat16 where the model says so: data sets made with NumPy, which
// has no such type, hold them that way.
func asDeclared(t *onnx.Tensor, v *onnx.Value) *onnx.Tensor {
	if t.Type == onnx.Uint16 && v.Type != nil && v.Type.Elem == onnx.BFloat16 {
		c := *t
		c.Type = onnx.BFloat16
		return &c
	}
	return t
}

func readTensors(dir, prefix string) ([]*onnx.Tensor, error) {
	var out []*onnx.Tensor
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("%s%d.pb", prefix, i))
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		t, err := onnx.ParseTensor(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, t)
	}
}

// Run runs all data sets of a case and returns the first difference.
func Run(ctx context.Context, dir string, o backend.Options, tol Tolerance) error {
	m, err := onnx.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := backend.Open(m, o)
	if err != nil {
		return err
	}
	defer s.Close()
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil {
		return err
	}
	if len(sets) == 0 {
		return fmt.Errorf("%s: has no test_data_set", dir)
	}
	sort.Strings(sets)
	for _, set := range sets {
		data, err := ReadSet(set, m.Graph.Inputs, m.Graph.Outputs)
		if err != nil {
			return err
		}
		// Initializers that are inputs too keep the value of the model.
		for _, v := range m.Graph.Inputs {
			if m.Graph.Initializer(v.Name) != nil {
				delete(data.Inputs, v.Name)
			}
		}
		got, err := s.Run(ctx, data.Inputs)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(set), err)
		}
		outs := s.Outputs()
		if len(data.Outputs) != len(outs) {
			return fmt.Errorf("%s: has %d outputs, the model %d", filepath.Base(set), len(data.Outputs), len(outs))
		}
		for i, want := range data.Outputs {
			if err := Compare(got[outs[i].Name], want, tol); err != nil {
				return fmt.Errorf("%s: output %q: %w", filepath.Base(set), outs[i].Name, err)
			}
		}
	}
	return nil
}

// Compare returns how got differs from want in type, shape or the first element out of tolerance, nil if it does not.
func Compare(got, want *onnx.Tensor, tol Tolerance) error {
	if got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("got %v%v, want %v%v", got.Type, got.Shape, want.Type, want.Shape)
	}
	a, ok := floats(got)
	if !ok {
		if want.Type == onnx.String {
			if strings.Join(got.Strings, "\x00") != strings.Join(want.Strings, "\x00") {
				return fmt.Errorf("got %q, want %q", got.Strings, want.Strings)
			}
			return nil
		}
		size := max(1, want.Type.Bits()/8)
		for i := range want.Raw {
			if got.Raw[i] != want.Raw[i] {
				at := i / size
				return fmt.Errorf("element %d: got bytes %x, want %x", at, got.Raw[at*size:(at+1)*size], want.Raw[at*size:(at+1)*size])
			}
		}
		return nil
	}
	b, _ := floats(want)
	for i := range a {
		if a[i] == b[i] || math.IsNaN(a[i]) && math.IsNaN(b[i]) {
			continue
		}
		if d := math.Abs(a[i] - b[i]); !(d <= tol.Abs+tol.Rel*math.Abs(b[i])) {
			return fmt.Errorf("element %d: got %g, want %g", i, a[i], b[i])
		}
	}
	return nil
}

// floats returns the elements of a floating-point tensor.
func floats(t *onnx.Tensor) ([]float64, bool) {
	out := make([]float64, 0, t.Len())
	switch t.Type {
	case onnx.Float:
		for _, v := range t.Float32s() {
			out = append(out, float64(v))
		}
	case onnx.Double:
		out = append(out, onnx.Data[float64](t)...)
	case onnx.Float16:
		for _, v := range onnx.Data[onnx.Float16Bits](t) {
			out = append(out, float64(v.Float32()))
		}
	case onnx.BFloat16:
		for _, v := range onnx.Data[onnx.BFloat16Bits](t) {
			out = append(out, float64(v.Float32()))
		}
	default:
		return nil, false
	}
	return out, true
}
