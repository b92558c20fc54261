package convert

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/nlpodyssey/safetensors"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// SaveWeights writes a model's initializers, by name, to a file whose extension says how: .safetensors, with the model's
// metadata in it, or .npz. The file is complete or not there.
func SaveWeights(path string, m *onnx.Model) error {
	if m.Graph == nil || len(m.Graph.Initializers) == 0 {
		return fmt.Errorf("%s: the model has no weights to write", path)
	}
	switch filepath.Ext(path) {
	case ".npz":
		return atomicfile.Write(path, func(w io.Writer) error {
			z := npz.NewWriter(w)
			for _, t := range m.Graph.Initializers {
				if err := z.Add(t); err != nil {
					return err
				}
			}
			return z.Close()
		})
	case ".safetensors":
		views, err := safetensorsViews(m.Graph.Initializers)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		meta := map[string]string{}
		for _, e := range m.Metadata {
			meta[e.Key] = e.Value
		}
		return atomicfile.Write(path, func(w io.Writer) error { return safetensors.SerializeToWriter(views, meta, w) })
	}
	return fmt.Errorf("%s: weights are written to .safetensors or .npz", path)
}

// safetensorsView is a tensor as the library wants it. (Its own view knows no scalars.)
type safetensorsView struct {
	typ   safetensors.DType
	shape []uint64
	data  []byte
}

func (v safetensorsView) DType() safetensors.DType { return v.typ }
func (v safetensorsView) Shape() []uint64          { return v.shape }
func (v safetensorsView) Data() []byte             { return v.data }
func (v safetensorsView) DataLen() uint64          { return uint64(len(v.data)) }

func safetensorsViews(tensors []*onnx.Tensor) (map[string]safetensorsView, error) {
	types := map[onnx.DataType]safetensors.DType{}
	for s, o := range safetensorsTypes {
		types[o] = s
	}
	views := map[string]safetensorsView{}
	for _, t := range tensors {
		typ, ok := types[t.Type]
		if !ok {
			return nil, fmt.Errorf("tensor %q: safetensors has no %v", t.Name, t.Type)
		}
		v := safetensorsView{typ: typ, shape: make([]uint64, len(t.Shape)), data: t.Raw}
		for i, d := range t.Shape {
			v.shape[i] = uint64(d)
		}
		views[t.Name] = v
	}
	return views, nil
}
