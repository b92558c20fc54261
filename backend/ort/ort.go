//go:build cgo

package ort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/op"
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
		// What goes wrong is returned; ONNX Runtime's own log would show it a second time, over several lines.
		if err := ortlib.InitializeEnvironment(ortlib.WithLogLevelFatal()); err != nil {
			errLoad = &backend.UnavailableError{Err: explainLoad(path, err)}
		}
	})
	return errLoad
}

// explainLoad says what to do about a library that cannot be loaded.
func explainLoad(path string, err error) error {
	why := plain(err).Error()
	switch {
	case strings.Contains(why, "setting ORT API base"):
		return fmt.Errorf("ONNX Runtime's library %s is older than version 1.24: install a newer one (scripts/get_ort.sh does), or set %s to its path", path, LibraryEnv)
	case strings.Contains(why, "looking up OrtGetApiBase"):
		return fmt.Errorf("%s is not ONNX Runtime's library: set %s to the path of libonnxruntime, version 1.24 or newer", path, LibraryEnv)
	}
	why = strings.TrimPrefix(why, path+": ")
	return fmt.Errorf("ONNX Runtime's library %s cannot be loaded (%s): install it (scripts/get_ort.sh does), or set %s to the path of version 1.24 or newer", path, why, LibraryEnv)
}

// session is a model opened by ONNX Runtime.
type session struct {
	file    string
	sess    *ortlib.DynamicAdvancedSession
	inputs  []*onnx.Value
	outputs []*onnx.Value
	made    []*onnx.Value // what ONNX Runtime computes of outputs: those in half precision as float32

	model  *onnx.Model // with outputs made: what the shapes of outputs are inferred from
	unused bool        // the model takes nothing: it has an input [noInput] for the binding, which wants one

	known shapes
}

// noInput names the input of a model without inputs.
const noInput = "onnxcnn/nothing"

func open(m *onnx.Model, o backend.Options) (backend.Session, error) {
	sp, err := parseSpec(o.Provider)
	if err != nil {
		return nil, &backend.ProviderError{Err: err}
	}
	if err := load(); err != nil {
		return nil, err
	}
	s := &session{}
	if m.Path() != "" {
		s.file = filepath.Base(m.Path())
	}
	s.inputs = m.Graph.RequiredInputs()
	s.outputs = m.Graph.Outputs
	s.made = s.outputs
	halves := halfOutputs(m, o)
	if len(s.outputs) == 0 && len(o.Outputs) == 0 {
		return nil, s.wrap(errors.New("the model has no outputs"))
	}
	var data []byte // nil: ONNX Runtime reads the file itself
	s.model = m
	if len(o.Outputs) > 0 || len(o.Shapes) > 0 || len(halves) > 0 || len(s.inputs) == 0 || m.Path() == "" || !strings.HasSuffix(m.Path(), ".onnx") {
		m = changed(m, o)
		s.inputs = m.Graph.RequiredInputs()
		s.outputs, s.made = single(m.Graph, halves)
		s.model = m
		if s.unused = len(s.inputs) == 0; s.unused {
			c, g := *m, *m.Graph
			g.Inputs = append(slices.Clip(g.Inputs), &onnx.Value{Name: noInput, Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: 1}}}})
			c.Graph, m = &g, &c
		}
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			return nil, s.wrap(err)
		}
		data = b.Bytes()
	}
	if err = s.start(m.Path(), data, o.Threads, sp); err == nil {
		return s, nil
	}
	if !sp.fallback || sp.name == "cpu" {
		return nil, s.wrap(err)
	}
	if o.Warn != nil {
		o.Warn(fmt.Sprintf("%v; running on the CPU", err))
	}
	if err := s.start(m.Path(), data, o.Threads, spec{name: "cpu"}); err != nil {
		return nil, s.wrap(err)
	}
	return s, nil
}

// start opens the session, from the file or from data.
func (s *session) start(path string, data []byte, threads int, sp spec) error {
	opts, err := ortlib.NewSessionOptions()
	if err != nil {
		return err
	}
	defer opts.Destroy()
	if err := opts.SetIntraOpNumThreads(threads); err != nil {
		return err
	}
	if err := opts.SetInterOpNumThreads(1); err != nil {
		return err
	}
	if sp.limit > 0 {
		if err := limitMemory(opts, sp.limit); err != nil {
			return err
		}
	}
	if sp.name != "cpu" {
		if err := executionProviders[sp.name].add(opts, sp.options); err != nil {
			return sp.explain(err)
		}
	}
	in, out := names(s.inputs), names(s.made)
	if s.unused {
		in = append(in, noInput)
	}
	if data != nil {
		s.sess, err = ortlib.NewDynamicAdvancedSessionWithONNXData(data, in, out, opts)
	} else {
		s.sess, err = ortlib.NewDynamicAdvancedSession(path, in, out, opts)
	}
	if err != nil && sp.name != "cpu" && deviceError(err) {
		return sp.explain(err)
	}
	if err != nil {
		return plain(err)
	}
	return nil
}

// deviceError reports whether a session could not be opened for want of what the execution provider needs, rather
// than for the model's sake.
func deviceError(err error) bool {
	text := err.Error()
	for _, part := range []string{"CUDA", "cuda", "cudnn", "CUDNN", "cublas", "TensorRT", "DXGI", "D3D12", "OpenVINO", "load library"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
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
	in := make([]ortlib.Value, len(s.inputs), len(s.inputs)+1)
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
	if s.unused {
		nothing, err := toORT(onnx.New(onnx.Float, 1))
		if err != nil {
			return nil, s.wrap(err)
		}
		in = append(in, nothing)
	}
	ro, err := ortlib.NewRunOptions()
	if err != nil {
		return nil, s.wrap(err)
	}
	defer ro.Destroy()
	stop := context.AfterFunc(ctx, func() { _ = ro.Terminate() })
	key, shapes := s.known.of(s.model, s.inputs, s.made, inputs)
	out, own := prepare(shapes)
	mine := slices.Clone(out)
	err = s.sess.RunWithOptions(in, out, ro)
	if err != nil && own && ctx.Err() == nil {
		// The sizes depend on the numbers: ONNX Runtime has to say them each time.
		destroy(mine)
		out, _ = prepare(s.known.forget(shapes))
		mine = slices.Clone(out)
		err = s.sess.RunWithOptions(in, out, ro)
	}
	if cancelled := !stop(); cancelled || err != nil {
		// What the binding cannot take over it leaves unusable in out: what was made here is given back alone.
		destroy(mine)
		if cancelled {
			return nil, ctx.Err()
		}
		return nil, s.wrap(plain(err))
	}
	defer destroy(out)
	all := make([]*onnx.Tensor, len(out))
	for i, v := range out {
		if all[i], err = fromORT(v); err != nil {
			return nil, s.wrap(fmt.Errorf("output %q: %w", s.outputs[i].Name, err))
		}
	}
	s.known.learn(key, all)
	res := make(map[string]*onnx.Tensor, len(out))
	for i, t := range all {
		if s.made[i] != s.outputs[i] {
			// Back to what it was: nothing is lost, as the float32 numbers were made of half precision.
			if t, err = op.CastTensor(t, s.outputs[i].Type.Elem); err != nil {
				return nil, s.wrap(err)
			}
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
