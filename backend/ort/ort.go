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
	"github.com/onnxcnn/onnxcnn/internal/graph"
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

// changed returns a copy of the model, sharing the weights, with other outputs and input shapes.
func changed(m *onnx.Model, o backend.Options) *onnx.Model {
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
	if len(o.Outputs) > 0 {
		g.Outputs = nil
		for _, name := range o.Outputs {
			if !has(g.Outputs, name) {
				g.Outputs = append(g.Outputs, declaration(m.Graph, name))
			}
		}
		keepNeeded(&g)
	}
	return &c
}

// declaration returns what the graph says of a value.
func declaration(g *onnx.Graph, name string) *onnx.Value {
	for _, list := range [][]*onnx.Value{g.Outputs, g.Inputs} {
		for _, v := range list {
			if v.Name == name {
				return v
			}
		}
	}
	return &onnx.Value{Name: name}
}

// halfOutputs returns the types of those outputs of a session that are in half precision, by name, as far as the model
// says so or its operators tell.
func halfOutputs(m *onnx.Model, o backend.Options) map[string]onnx.DataType {
	if !usesHalf(m.Graph) {
		return nil
	}
	types := map[string]onnx.DataType{}
	if infos, err := graph.Infer(m, o.Shapes); err == nil { // of a model that it does not know, declarations alone count
		for name, info := range infos {
			if info.Type != onnx.Undefined {
				types[name] = info.Type
			}
		}
	}
	for _, list := range [][]*onnx.Value{m.Graph.ValueInfo, m.Graph.Outputs} {
		for _, v := range list {
			if v.Type != nil && v.Type.Elem != onnx.Undefined {
				types[v.Name] = v.Type.Elem
			}
		}
	}
	wanted := o.Outputs
	if len(wanted) == 0 {
		wanted = names(m.Graph.Outputs)
	}
	halves := map[string]onnx.DataType{}
	for _, name := range wanted {
		if types[name].IsHalf() {
			halves[name] = types[name]
		}
	}
	return halves
}

// usesHalf reports whether a graph has anything in half precision that its values could have that type from.
func usesHalf(g *onnx.Graph) bool {
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		if v.Type != nil && v.Type.Elem.IsHalf() {
			return true
		}
	}
	if slices.ContainsFunc(g.Initializers, func(t *onnx.Tensor) bool { return t.Type.IsHalf() }) {
		return true
	}
	return slices.ContainsFunc(g.Nodes, func(n *onnx.Node) bool {
		to := n.Attr("to")
		return to != nil && onnx.DataType(to.I).IsHalf()
	})
}

// single makes a graph give outputs in half precision, which the binding cannot take over where their shapes are not
// known, as float32, which holds the same numbers. It returns the outputs as they were, with their types, and those that
// ONNX Runtime computes.
func single(g *onnx.Graph, halves map[string]onnx.DataType) (outputs, made []*onnx.Value) {
	outputs, made = slices.Clone(g.Outputs), slices.Clone(g.Outputs)
	taken := map[string]bool{}
	for _, n := range g.Nodes {
		for _, name := range n.Outputs {
			taken[name] = true
		}
	}
	g.Nodes = slices.Clone(g.Nodes)
	for i, v := range outputs {
		typ, ok := halves[v.Name]
		if !ok {
			continue
		}
		w := &onnx.Value{Name: v.Name + "/float32", Type: &onnx.Type{Elem: onnx.Float}}
		for taken[w.Name] {
			w.Name += "_"
		}
		taken[w.Name] = true
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Cast", Inputs: []string{v.Name}, Outputs: []string{w.Name}, Attrs: []*onnx.Attribute{op.Attr("to", int(onnx.Float))}})
		t := onnx.Type{Elem: typ}
		if v.Type != nil {
			t = *v.Type
			w.Type.HasShape, w.Type.Shape = t.HasShape, t.Shape
		}
		outputs[i], made[i] = &onnx.Value{Name: v.Name, Type: &t, Doc: v.Doc}, w
	}
	g.Outputs = made
	return outputs, made
}

// keepNeeded leaves only the nodes, inputs and weights that the outputs depend on: ONNX Runtime computes every node.
func keepNeeded(g *onnx.Graph) {
	producer := map[string]*onnx.Node{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			producer[out] = n
		}
	}
	needed := map[string]bool{}
	open := names(g.Outputs)
	for len(open) > 0 {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if name == "" || needed[name] {
			continue
		}
		needed[name] = true
		if n := producer[name]; n != nil {
			open = slices.AppendSeq(open, n.Uses())
		}
	}
	g.Nodes = slices.DeleteFunc(slices.Clone(g.Nodes), func(n *onnx.Node) bool {
		return !slices.ContainsFunc(n.Outputs, func(out string) bool { return needed[out] })
	})
	g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v *onnx.Value) bool { return !needed[v.Name] })
	g.Initializers = slices.DeleteFunc(slices.Clone(g.Initializers), func(t *onnx.Tensor) bool { return !needed[t.Name] })
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
	if len(t.Raw) != t.Type.Bytes(1) {
		return nil, fmt.Errorf("a scalar of type %v has %d bytes", t.Type, len(t.Raw))
	}
	switch t.Type {
	case onnx.Float:
		return ortlib.NewScalar(onnx.Data[float32](t)[0])
	case onnx.Double:
		return ortlib.NewScalar(onnx.Data[float64](t)[0])
	case onnx.Int64:
		return ortlib.NewScalar(onnx.Data[int64](t)[0])
	case onnx.Int32:
		return ortlib.NewScalar(onnx.Data[int32](t)[0])
	case onnx.Int16:
		return ortlib.NewScalar(onnx.Data[int16](t)[0])
	case onnx.Int8:
		return ortlib.NewScalar(onnx.Data[int8](t)[0])
	case onnx.Uint64:
		return ortlib.NewScalar(onnx.Data[uint64](t)[0])
	case onnx.Uint32:
		return ortlib.NewScalar(onnx.Data[uint32](t)[0])
	case onnx.Uint16:
		return ortlib.NewScalar(onnx.Data[uint16](t)[0])
	case onnx.Uint8:
		return ortlib.NewScalar(onnx.Data[uint8](t)[0])
	case onnx.Bool:
		return ortlib.NewScalar(onnx.Data[bool](t)[0])
	}
	return nil, fmt.Errorf("a scalar of type %v cannot be given to ONNX Runtime here", t.Type)
}

// fromORT takes a tensor over. The binding has already copied what ONNX Runtime allocated into memory of Go's.
func fromORT(v ortlib.Value) (*onnx.Tensor, error) {
	shape := make([]int, 0, len(v.GetShape())) // for a Scalar not its own
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
	case *ortlib.Scalar[float32]:
		return onnx.Of([]int{}, []float32{v.GetData()}), nil
	case *ortlib.Scalar[float64]:
		return onnx.Of([]int{}, []float64{v.GetData()}), nil
	case *ortlib.Scalar[int8]:
		return onnx.Of([]int{}, []int8{v.GetData()}), nil
	case *ortlib.Scalar[uint8]:
		return onnx.Of([]int{}, []uint8{v.GetData()}), nil
	case *ortlib.Scalar[int16]:
		return onnx.Of([]int{}, []int16{v.GetData()}), nil
	case *ortlib.Scalar[uint16]:
		return onnx.Of([]int{}, []uint16{v.GetData()}), nil
	case *ortlib.Scalar[int32]:
		return onnx.Of([]int{}, []int32{v.GetData()}), nil
	case *ortlib.Scalar[uint32]:
		return onnx.Of([]int{}, []uint32{v.GetData()}), nil
	case *ortlib.Scalar[int64]:
		return onnx.Of([]int{}, []int64{v.GetData()}), nil
	case *ortlib.Scalar[uint64]:
		return onnx.Of([]int{}, []uint64{v.GetData()}), nil
	case *ortlib.Scalar[bool]:
		return onnx.Of([]int{}, []bool{v.GetData()}), nil
	case *ortlib.CustomDataTensor:
		return &onnx.Tensor{Type: onnx.DataType(v.DataType()), Shape: shape, Raw: v.GetData()}, nil
	case *ortlib.StringTensor:
		s, err := v.GetContents()
		return &onnx.Tensor{Type: onnx.String, Shape: shape, Strings: s}, err
	}
	return nil, fmt.Errorf("a value of type %T cannot be taken from ONNX Runtime here", v)
}
