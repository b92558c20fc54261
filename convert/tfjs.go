package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// tfjsModel is model.json.
type tfjsModel struct {
	Format   string         `json:"format"`
	Topology map[string]any `json:"modelTopology"`
	Manifest []tfjsGroup    `json:"weightsManifest"`
}

// tfjsGroup are weights whose bytes follow each other, in one file or cut into several.
type tfjsGroup struct {
	Paths   []string     `json:"paths"`
	Weights []tfjsWeight `json:"weights"`
}

type tfjsWeight struct {
	Name         string            `json:"name"`
	Shape        []int             `json:"shape"`
	Type         string            `json:"dtype"`
	Quantization *tfjsQuantization `json:"quantization"`
}

// tfjsQuantization: the value is stored*scale + min.
type tfjsQuantization struct {
	Min   any    `json:"min"` // a number, or the text that readJSON makes of -Infinity
	Scale any    `json:"scale"`
	Type  string `json:"dtype"`
}

// ReadTFJS reads a TensorFlow.js layers model (model.json and the files of weights beside it), as [ReadKeras] does. Weights may
// be quantised to uint8, uint16 and float16. Files of weights lie in the folder of model.json or below it.
func ReadTFJS(path string, o KerasOptions) (*onnx.Model, Report, error) { return ReadKeras(path, o) }

func readTFJS(path string, data []byte, o KerasOptions) (*onnx.Model, Report, error) {
	var m tfjsModel
	if err := readJSON(data, &m); err != nil {
		return nil, Report{}, err
	}
	if _, graph := m.Topology["node"]; graph || m.Format == "graph-model" {
		return nil, Report{}, errors.New("a TensorFlow.js graph model: only layers models say which layers they have")
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, Report{}, err
	}
	defer dir.Close()
	s, seen := &kstore{}, map[string]bool{}
	for i, g := range m.Manifest {
		if err := s.addGroup(dir, g, seen); err != nil {
			return nil, Report{}, fmt.Errorf("weights, group %d: %w", i+1, err)
		}
	}
	s.index()
	version, _ := m.Topology["keras_version"].(string)
	return convertKeras(kerasSource{format: "TensorFlow.js", version: version, config: data, store: s}, o)
}

// tfjsWidths are the bytes of an element of each type.
var tfjsWidths = map[string]int{"float32": 4, "int32": 4, "uint8": 1, "bool": 1, "uint16": 2, "float16": 2}

var tfjsTypes = map[string]onnx.DataType{"float32": onnx.Float, "int32": onnx.Int32, "uint8": onnx.Uint8, "bool": onnx.Bool,
	"uint16": onnx.Uint16, "float16": onnx.Float16}

// stored returns the type in which a weight is stored.
func (w *tfjsWeight) stored() string {
	if w.Quantization != nil {
		return w.Quantization.Type
	}
	return w.Type
}

// addGroup reads the files of a group, whose sizes have to be those of its weights.
func (s *kstore) addGroup(dir *os.Root, g tfjsGroup, seen map[string]bool) error {
	want := int64(0)
	sizes := make([]int64, len(g.Weights))
	for i := range g.Weights {
		w := &g.Weights[i]
		if err := w.check(); err != nil {
			return fmt.Errorf("weight %q: %w", w.Name, err)
		}
		if seen[w.Name] {
			return fmt.Errorf("two weights are named %q", w.Name)
		}
		seen[w.Name] = true
		n, ok := byteSize(tfjsTypes[w.stored()], w.Shape)
		if !ok || want > math.MaxInt64-n {
			return fmt.Errorf("weight %q: shape %v is not possible", w.Name, w.Shape)
		}
		sizes[i] = n
		want += n
	}
	bytes, err := readShards(dir, g.Paths, want)
	if err != nil {
		return err
	}
	for i := range g.Weights {
		w := g.Weights[i]
		raw := bytes[:sizes[i]:sizes[i]]
		bytes = bytes[sizes[i]:]
		a := &karray{typ: onnx.Float, shape: w.Shape, load: func() ([]byte, error) { return w.values(raw) }}
		a.place(w.Name)
		s.arrays = append(s.arrays, a)
	}
	return nil
}

func (w *tfjsWeight) check() error {
	if tfjsWidths[w.Type] == 0 || w.Quantization == nil && (w.Type == "uint16" || w.Type == "float16") {
		return fmt.Errorf("type %q is not supported", w.Type)
	}
	q := w.Quantization
	if q == nil {
		return nil
	}
	switch q.Type {
	case "float16":
		return nil
	case "uint8", "uint16":
	default:
		return fmt.Errorf("quantization to %q is not supported", q.Type)
	}
	for name, v := range map[string]any{"min": q.Min, "scale": q.Scale} {
		if f, ok := number(v); !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("quantization: %s is %s, want a finite number", name, short(v))
		}
	}
	return nil
}

// readShards reads the files of a group one behind the other.
func readShards(dir *os.Root, paths []string, want int64) ([]byte, error) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close() // it was only read
		}
	}()
	have := int64(0)
	for _, p := range paths {
		if !filepath.IsLocal(p) {
			return nil, fmt.Errorf("file %q: it lies outside of the model's folder", p)
		}
		info, err := dir.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("file %q: it is no regular file", p)
		}
		f, err := dir.Open(p)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		have += info.Size()
	}
	switch {
	case have < want:
		return nil, fmt.Errorf("the files %q have %d bytes, the weights need %d: one is cut short, or belongs to another model", paths, have, want)
	case have > want:
		return nil, fmt.Errorf("the files %q have %d bytes, the weights need only %d: one belongs to another model", paths, have, want)
	}
	all := make([]byte, want)
	rest := all
	for i, f := range files {
		n, err := io.ReadFull(f, rest)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if i == len(files)-1 && n < len(rest) {
			return nil, fmt.Errorf("the files %q became shorter", paths)
		}
		rest = rest[n:]
	}
	return all, nil
}

// values returns a weight's values as float32.
func (w *tfjsWeight) values(raw []byte) ([]byte, error) {
	typ := tfjsTypes[w.stored()]
	if w.Quantization == nil || w.Quantization.Type == "float16" {
		t, err := op.CastTensor(&onnx.Tensor{Type: typ, Shape: w.Shape, Raw: raw}, onnx.Float)
		if err != nil {
			return nil, err
		}
		return t.Raw, nil
	}
	lo, _ := number(w.Quantization.Min)
	scale, _ := number(w.Quantization.Scale)
	width := tfjsWidths[w.Quantization.Type]
	out := make([]byte, len(raw)/width*4)
	for i := range len(raw) / width {
		stored := float64(raw[i*width])
		if width == 2 {
			stored = float64(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		v := stored*scale + lo
		if w.Type != "float32" {
			v = math.Round(v)
		}
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(float32(v)))
	}
	return out, nil
}
