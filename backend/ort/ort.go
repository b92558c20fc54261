//go:build cgo

package ort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() { backend.Register("ort", open) }

var (
	loadOnce sync.Once
	errLoad  error
)

// load loads the library once for the process.
func load() error {
	loadOnce.Do(func() {
		path := libraryPath()
		ortlib.SetSharedLibraryPath(path)
		if err := ortlib.InitializeEnvironment(ortlib.WithLogLevelError()); err != nil {
			errLoad = fmt.Errorf("ONNX Runtime's library %s cannot be loaded (%w): scripts/get_ort.sh installs it, or set %s to the path of a version from 1.24 on", path, err, libraryEnv)
		}
	})
	return errLoad
}

// session is a model opened by ONNX Runtime.
type session struct {
	file    string
	sess    *ortlib.DynamicAdvancedSession
	inputs  []*onnx.Value
	outputs []*onnx.Value
}

func open(m *onnx.Model, o backend.Options) (backend.Session, error) {
	if o.Provider != "" && o.Provider != "cpu" {
		return nil, fmt.Errorf("provider ort has no execution provider %q here (there is: cpu)", o.Provider)
	}
	if err := load(); err != nil {
		return nil, err
	}
	s := &session{}
	if m.Path() != "" {
		s.file = filepath.Base(m.Path())
	}
	opts, err := ortlib.NewSessionOptions()
	if err != nil {
		return nil, s.wrap(err)
	}
	defer opts.Destroy()
	if err := opts.SetIntraOpNumThreads(o.Threads); err != nil {
		return nil, s.wrap(err)
	}
	if err := opts.SetInterOpNumThreads(1); err != nil {
		return nil, s.wrap(err)
	}
	s.inputs = m.Graph.RequiredInputs()
	s.outputs = m.Graph.Outputs
	var data []byte // nil: ONNX Runtime reads the file itself
	if len(o.Outputs) > 0 || len(o.Shapes) > 0 || m.Path() == "" || !strings.HasSuffix(m.Path(), ".onnx") {
		if m, s.outputs, err = changed(m, o); err != nil {
			return nil, s.wrap(err)
		}
		s.inputs = m.Graph.RequiredInputs()
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			return nil, s.wrap(err)
		}
		data = b.Bytes()
	}
	in, out := names(s.inputs), names(s.outputs)
	if data != nil {
		s.sess, err = ortlib.NewDynamicAdvancedSessionWithONNXData(data, in, out, opts)
	} else {
		s.sess, err = ortlib.NewDynamicAdvancedSession(m.Path(), in, out, opts)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return s, nil
}

// changed returns a copy of the model, sharing the weights, with other outputs and input shapes.
func changed(m *onnx.Model, o backend.Options) (*onnx.Model, []*onnx.Value, error) {
	c, g := *m, *m.Graph
	c.Graph = &g
	g.Inputs = nil
	for _, v := range m.Graph.Inputs {
		shape, ok := o.Shapes[v.Name]
		if !ok || v.Type == nil {
			g.Inputs = append(g.Inputs, v)
			continue
		}
		w, t := *v, *v.Type
		t.HasShape, t.Shape = true, make([]onnx.Dim, len(shape))
		for i, d := range shape {
			t.Shape[i] = onnx.Dim{Size: d}
		}
		w.Type = &t
		g.Inputs = append(g.Inputs, &w)
	}
	if len(o.Shapes) > 0 {
		g.ValueInfo = nil // inner shapes no longer hold
	}
	outputs := m.Graph.Outputs
	if len(o.Outputs) > 0 {
		there := map[string]bool{}
		for _, v := range g.Outputs {
			there[v.Name] = true
		}
		outputs = nil
		for _, name := range o.Outputs {
			v := &onnx.Value{Name: name}
			outputs = append(outputs, v)
			if !there[name] {
				there[name] = true
				g.Outputs = append(g.Outputs[:len(g.Outputs):len(g.Outputs)], v)
			}
		}
	}
	return &c, outputs, nil
}

func names(vs []*onnx.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Name
	}
	return out
}

func (s *session) wrap(err error) error {
	if err == nil {
		return nil
	}
	if s.file == "" {
		return fmt.Errorf("ONNX Runtime: %w", err)
	}
	return fmt.Errorf("%s: ONNX Runtime: %w", s.file, err)
}

func (s *session) Inputs() []*onnx.Value  { return s.inputs }
func (s *session) Outputs() []*onnx.Value { return s.outputs }
func (s *session) Close() error           { return s.sess.Destroy() }

func (s *session) Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for name := range inputs {
		if !has(s.inputs, name) {
			return nil, fmt.Errorf("there is no input %q (inputs: %q)", name, names(s.inputs))
		}
	}
	in := make([]ortlib.Value, len(s.inputs))
	defer func() { destroy(in) }()
	for i, v := range s.inputs {
		t := inputs[v.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is missing (inputs: %q)", v.Name, names(s.inputs))
		}
		var err error
		if in[i], err = toORT(t); err != nil {
			return nil, s.wrap(fmt.Errorf("input %q: %w", v.Name, err))
		}
	}
	ro, err := ortlib.NewRunOptions()
	if err != nil {
		return nil, s.wrap(err)
	}
	defer ro.Destroy()
	stop := context.AfterFunc(ctx, func() { _ = ro.Terminate() })
	out := make([]ortlib.Value, len(s.outputs))
	err = s.sess.RunWithOptions(in, out, ro)
	if !stop() {
		return nil, ctx.Err()
	}
	if err != nil {
		// The binding cannot take over scalars and half-precision outputs: it fails, and leaves unusable values in out.
		return nil, s.wrap(err)
	}
	defer destroy(out)
	res := make(map[string]*onnx.Tensor, len(out))
	for i, v := range out {
		t, err := fromORT(v)
		if err != nil {
			return nil, s.wrap(fmt.Errorf("output %q: %w", s.outputs[i].Name, err))
		}
		t.Name = s.outputs[i].Name
		res[t.Name] = t
	}
	return res, nil
}

func has(vs []*onnx.Value, name string) bool {
	for _, v := range vs {
		if v.Name == name {
			return true
		}
	}
	return false
}

func destroy(vs []ortlib.Value) {
	for _, v := range vs {
		if v != nil {
			_ = v.Destroy()
		}
	}
}

// toORT wraps a tensor without copying its numbers.
func toORT(t *onnx.Tensor) (ortlib.Value, error) {
	if t.Type == onnx.String {
		return nil, errors.New("strings cannot be given to ONNX Runtime here")
	}
	if len(t.Shape) == 0 {
		// The binding has no shape without dimensions for raw data; ONNX Runtime takes one element as a scalar.
		return scalar(t)
	}
	shape := make(ortlib.Shape, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int64(d)
	}
	if t.Len() == 0 {
		return nil, fmt.Errorf("an empty tensor %v cannot be given to ONNX Runtime here", t.Shape)
	}
	return ortlib.NewCustomDataTensor(shape, t.Raw, ortlib.TensorElementDataType(t.Type))
}

func scalar(t *onnx.Tensor) (ortlib.Value, error) {
	switch t.Type {
	case onnx.Float:
		return ortlib.NewScalar(onnx.Data[float32](t)[0])
	case onnx.Double:
		return ortlib.NewScalar(onnx.Data[float64](t)[0])
	case onnx.Int64:
		return ortlib.NewScalar(onnx.Data[int64](t)[0])
	case onnx.Int32:
		return ortlib.NewScalar(onnx.Data[int32](t)[0])
	case onnx.Bool:
		return ortlib.NewScalar(onnx.Data[bool](t)[0])
	case onnx.Uint8:
		return ortlib.NewScalar(onnx.Data[uint8](t)[0])
	case onnx.Int8:
		return ortlib.NewScalar(onnx.Data[int8](t)[0])
	}
	return nil, fmt.Errorf("a scalar of type %v cannot be given to ONNX Runtime here", t.Type)
}

// fromORT takes a tensor over. The binding has already copied what ONNX Runtime allocated into memory of Go's.
func fromORT(v ortlib.Value) (*onnx.Tensor, error) {
	shape := make([]int, 0, len(v.GetShape()))
	for _, d := range v.GetShape() {
		shape = append(shape, int(d))
	}
	switch v := v.(type) {
	case *ortlib.Tensor[float32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[float64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int8]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint8]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int16]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint16]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[bool]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.CustomDataTensor:
		return &onnx.Tensor{Type: onnx.DataType(v.DataType()), Shape: shape, Raw: v.GetData()}, nil
	case *ortlib.StringTensor:
		s, err := v.GetContents()
		return &onnx.Tensor{Type: onnx.String, Shape: shape, Strings: s}, err
	}
	return nil, fmt.Errorf("a value of type %T cannot be taken from ONNX Runtime here", v)
}
