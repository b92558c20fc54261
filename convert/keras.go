package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
	"github.com/onnxcnn/onnxcnn/internal/hdf5"
	"github.com/onnxcnn/onnxcnn/internal/ziparchive"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// KerasOptions says how Keras models become ONNX models. The zero value makes a model with maps in the order NCHW. The operator
// set is 17: [Opset] changes it.
type KerasOptions struct {
	// NHWC keeps Keras' order of image inputs and outputs: the graph then begins with a Transpose, and ends with one where
	// an output is a map.
	NHWC bool
	// InputShape is the shape of the input without the batch, in Keras' order ([224,224,3]), for models that leave it open.
	InputShape []int
	// Size is the height and width of the pictures, where they are to be others than the model says or leaves open.
	Size [2]int
	// AllowMissing accepts weights that the file lacks, or has in another shape: they begin with zeros (scales and variances
	// with ones). The report lists them.
	AllowMissing bool
	// Config is the description of the network, as Keras' model.to_json() gives it: for files of weights alone
	// (.weights.h5), which do not have it.
	Config []byte
}

// ReadKeras reads a whole Keras model and builds an ONNX model of it: an .h5 file (Keras 1 to 3), a .keras archive, or the
// model.json of TensorFlow.js (see [ReadTFJS]); the content tells which it is.
//
// The graph has maps in the order NCHW; what depends on the order is put right: kernels, the weights behind Flatten,
// axes. Nodes have the names of Keras' layers; those of a layer that takes several have the operator behind it
// ("conv1/Relu"). Weights are named after layer and role ("conv1/kernel"). The batch is open.
//
// Every layer that is not supported is named in the error. Weights that are missing or have another shape are a
// [*FillError].
func ReadKeras(path string, o KerasOptions) (*onnx.Model, Report, error) {
	data, unmap, err := filemap.Open(path)
	if err != nil {
		return nil, Report{}, err
	}
	defer unmap() //nolint:errcheck // the file was only read
	m, report, err := readKeras(path, data, o)
	var fe *FillError
	switch {
	case errors.As(err, &fe):
		fe.File = path
	case err != nil:
		err = fmt.Errorf("%s: %w", path, err)
	}
	return m, report, err
}

func readKeras(path string, data []byte, o KerasOptions) (*onnx.Model, Report, error) {
	switch {
	case isTFJS(data):
		return readTFJS(path, data, o)
	case isHDF5(data):
		root, err := openHDF5(data)
		if err != nil {
			return nil, Report{}, err
		}
		config, err := text(root, "model_config")
		if err != nil {
			return nil, Report{}, err
		}
		if len(o.Config) > 0 {
			config = string(o.Config)
		}
		if config == "" {
			return nil, Report{}, errors.New("the file holds weights without the network they belong to: name its architecture")
		}
		return convertKeras(kerasSource{format: "Keras HDF5", config: []byte(config), weights: root, meta: root}, o)
	case ziparchive.Is(data):
		return readKerasZip(data, o)
	}
	return nil, Report{}, errors.New("not a Keras model: neither HDF5, nor a .keras archive, nor the model.json of TensorFlow.js")
}

// archiveWeights is the member of a .keras archive that has the weights.
const archiveWeights = "model.weights.h5"

// isKerasZip reports whether data is a .keras archive.
func isKerasZip(data []byte) bool {
	if !ziparchive.Is(data) {
		return false
	}
	a, err := ziparchive.Open(data)
	return err == nil && a.Find(archiveWeights) != nil
}

// readKerasZip reads a .keras archive.
func readKerasZip(data []byte, o KerasOptions) (*onnx.Model, Report, error) {
	a, err := ziparchive.Open(data)
	if err != nil {
		return nil, Report{}, err
	}
	read := func(name string) ([]byte, error) {
		f := a.Find(name)
		if f == nil {
			return nil, fmt.Errorf("the archive has no %s", name)
		}
		return f.Bytes()
	}
	config := o.Config
	if len(config) == 0 {
		if config, err = read("config.json"); err != nil {
			return nil, Report{}, err
		}
	}
	weights, err := read(archiveWeights)
	if err != nil {
		return nil, Report{}, err
	}
	root, err := openHDF5(weights)
	if err != nil {
		return nil, Report{}, fmt.Errorf("model.weights.h5: %w", err)
	}
	s := kerasSource{format: "Keras archive", config: config, weights: root}
	if meta := a.Find("metadata.json"); meta != nil {
		b, err := meta.Bytes()
		if err != nil {
			return nil, Report{}, err
		}
		var v struct {
			Version string `json:"keras_version"`
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return nil, Report{}, fmt.Errorf("metadata.json: %w", err)
		}
		s.version = v.Version
	}
	return convertKeras(s, o)
}

// IsKeras reports whether a file holds a whole Keras model, which [ReadKeras] reads; a file of weights alone is none.
func IsKeras(path string) (bool, error) {
	data, unmap, err := filemap.Open(path)
	if err != nil {
		return false, err
	}
	defer unmap() //nolint:errcheck // the file was only read
	switch {
	case isHDF5(data):
		root, err := openHDF5(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		config, err := text(root, "model_config")
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		return config != "", nil
	case ziparchive.Is(data):
		a, err := ziparchive.Open(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		return a.Find("config.json") != nil, nil
	}
	return isTFJS(data), nil
}

// kerasSource is what the files of a model hold.
type kerasSource struct {
	format  string
	version string // of Keras
	backend string
	config  []byte
	meta    *hdf5.Object // has attributes with version and backend, nil where there are none
	weights *hdf5.Object // nil where store is given
	store   *kstore
	notes   []string
}

// convertKeras builds the ONNX model.
func convertKeras(s kerasSource, o KerasOptions) (*onnx.Model, Report, error) {
	report := Report{Format: s.format, Notes: s.notes}
	if s.meta != nil {
		for name, to := range map[string]*string{"keras_version": &s.version, "backend": &s.backend} {
			v, err := text(s.meta, name)
			if err != nil {
				return nil, report, err
			}
			*to = v
		}
	}
	m, err := parseKeras(s.config)
	if err != nil {
		return nil, report, err
	}
	if s.version == "" {
		s.version = m.version
	}
	if s.store == nil {
		if s.store, err = openStore(s.weights); err != nil {
			return nil, report, err
		}
	}
	b := &kbuilder{
		g: &onnx.Graph{Name: "keras"}, keras3: strings.HasPrefix(s.version, "3"), flip: s.backend == "theano",
		store: s.store, allow: o.AllowMissing, report: &report,
		taken: map[string]bool{}, done: map[string]string{}, counted: map[string]bool{},
	}
	formats := map[string]int{}
	m.formats(formats)
	b.first = formats["channels_first"] > 0
	if b.first && formats["channels_last"] > 0 {
		b.errs = append(b.errs, errors.New("layers with channels_first and with channels_last in one model are not supported"))
	}
	b.unsupported(m, "")
	if len(b.errs) == 0 {
		b.network(m, o)
	}
	if len(b.errs) > 0 {
		return nil, report, &KerasError{Errs: b.errs}
	}
	report.Unexpected = s.store.unusedArrays()
	if bad := len(report.Missing) + len(report.Misshapen); report.Matched == 0 && report.Parameters > 0 || bad > 0 && !o.AllowMissing {
		return nil, report, &FillError{Report: report}
	}
	const opset = 17
	model := &onnx.Model{IRVersion: irVersion(opset), Opsets: []onnx.Opset{{Version: opset}}, ProducerName: "onnxcnn", Graph: b.g}
	if errs := model.Check(); len(errs) > 0 {
		return nil, report, errors.Join(errs...)
	}
	return model, report, nil
}

// KerasError says everything in a Keras model that cannot be brought to ONNX.
type KerasError struct {
	Errs []error
}

// Error lists the layers.
func (e *KerasError) Error() string {
	if len(e.Errs) == 1 {
		return e.Errs[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d things cannot be converted", len(e.Errs))
	for i, err := range e.Errs {
		if i == maxListed {
			fmt.Fprintf(&b, "\nand %d more", len(e.Errs)-maxListed)
			break
		}
		b.WriteString("\n" + err.Error())
	}
	return b.String()
}

// Unwrap returns the errors.
func (e *KerasError) Unwrap() []error { return e.Errs }

// network builds the graph with its inputs and outputs.
func (b *kbuilder) network(m *kmodel, o KerasOptions) {
	var in []kvalue
	for _, ref := range m.inputs {
		l := m.byName[ref.layer]
		if l == nil || l.class != "InputLayer" {
			b.errs = append(b.errs, fmt.Errorf("the model's input %q is no InputLayer", ref.layer))
			return
		}
		v, err := b.input(l, o, len(m.inputs) == 1)
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("input %q: %w", l.name, err))
			return
		}
		in = append(in, v)
	}
	out := b.build(m, "", in)
	if b.err != nil {
		b.errs = append(b.errs, b.err)
	}
	if len(b.errs) > 0 {
		return
	}
	for i, v := range out {
		b.scope = m.outputs[i].layer
		switch {
		case v.flat != nil:
			v = b.rows(v)
		case o.NHWC && b.moved(v):
			v.name = b.plain(v)
			b.declare(&b.g.Outputs, v.name, v.shape)
			continue
		}
		if slices.ContainsFunc(b.g.Outputs, func(x *onnx.Value) bool { return x.Name == v.name }) || slices.ContainsFunc(b.g.Inputs, func(x *onnx.Value) bool { return x.Name == v.name }) {
			v.name = b.node("Identity", []string{v.name}) // an output twice, or an input
		}
		b.declare(&b.g.Outputs, v.name, b.inGraph(v))
	}
}

// inGraph returns the shape of a value as it lies in the graph, without the batch.
func (b *kbuilder) inGraph(v kvalue) []int {
	if b.moved(v) {
		return []int{v.shape[2], v.shape[0], v.shape[1]}
	}
	return v.shape
}

// declare adds an input or an output of the graph.
func (b *kbuilder) declare(to *[]*onnx.Value, name string, shape []int) {
	dims := []onnx.Dim{{Size: -1, Param: "batch"}}
	for i, d := range shape {
		dim := onnx.Dim{Size: d}
		if d < 0 {
			dim = onnx.Dim{Size: -1, Param: fmt.Sprintf("%s_dim_%d", name, i+1)}
		}
		dims = append(dims, dim)
	}
	*to = append(*to, &onnx.Value{Name: name, Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: dims}})
}

// input declares an input of the model.
func (b *kbuilder) input(l *klayer, o KerasOptions, only bool) (kvalue, error) {
	shape := l.conf.ints("batch_shape", "batch_input_shape")
	if err := *l.conf.err; err != nil {
		return kvalue{}, err
	}
	if len(shape) > 0 {
		shape = shape[1:]
	}
	if only && len(o.InputShape) > 0 {
		if len(shape) > 0 && len(shape) != len(o.InputShape) {
			return kvalue{}, fmt.Errorf("it has %d dimensions besides the batch, the given shape %v has %d", len(shape), o.InputShape, len(o.InputShape))
		}
		shape = slices.Clone(o.InputShape)
	}
	if only && o.Size != [2]int{} {
		switch {
		case len(shape) == 0:
			shape = []int{o.Size[0], o.Size[1], 3}
		case len(shape) != 3:
			return kvalue{}, fmt.Errorf("it has %d dimensions besides the batch, and is no picture of %dx%d", len(shape), o.Size[0], o.Size[1])
		case b.first:
			shape = []int{shape[0], o.Size[0], o.Size[1]}
		default:
			shape = []int{o.Size[0], o.Size[1], shape[2]}
		}
	}
	if len(shape) == 0 {
		return kvalue{}, errors.New("the model does not say its shape: give it")
	}
	for _, d := range shape {
		if d == 0 || d < -1 || d > 1<<24 {
			return kvalue{}, fmt.Errorf("shape %v", shape)
		}
	}
	v := kvalue{name: b.unique(l.name), shape: shape}
	b.scope = l.name
	if o.NHWC && b.moved(v) {
		b.declare(&b.g.Inputs, v.name, v.shape)
		return b.fromPlain(v.name, v.shape), nil
	}
	b.declare(&b.g.Inputs, v.name, b.inGraph(v))
	return v, nil
}

// ReadKerasWeights reads the weights in a Keras file (.h5, .weights.h5, .keras) whatever network they belong to, for [Fill]. Names
// are those of layer and role ("conv1/kernel"); kernels are in ONNX' order: (out,in,h,w), of depthwise convolutions
// (channel*multiplier,1,h,w). Those of dense layers stay (in,out), in the order that Flatten gives them in Keras.
func ReadKerasWeights(path string) (*Weights, error) {
	return readMapped(path, parseKerasWeights)
}

func parseKerasWeights(path string, data []byte) (*Weights, error) {
	if isKerasZip(data) {
		a, err := ziparchive.Open(data)
		if err != nil {
			return nil, err
		}
		if data, err = a.Find(archiveWeights).Bytes(); err != nil {
			return nil, err
		}
	}
	root, err := openHDF5(data)
	if err != nil {
		return nil, err
	}
	s, err := openStore(root)
	if err != nil {
		return nil, err
	}
	if len(s.arrays) == 0 {
		return nil, errors.New("there are no weights in it")
	}
	w := NewWeights("Keras HDF5", path, int64(len(data)))
	for _, a := range s.arrays {
		if err := w.Add(s.weight(a)); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// weight names an array and puts it into ONNX' order.
func (s *kstore) weight(a *karray) (Weight, func() ([]byte, error)) {
	role := a.last
	layer := a.group
	if s.numbered {
		layer = a.scope[len(a.scope)-1]
		role = numberedRole(layer, role, len(s.byGroup[a.group]))
		if a.label != "" {
			layer = a.label
		}
	} else {
		// One layer has one scope; a model has one for each of its layers.
		for _, other := range s.byGroup[a.group] {
			if !slices.Equal(other.scope, a.scope) {
				layer = join(a.group, strings.Join(a.scope, "/"))
			}
		}
		role = strings.TrimPrefix(role, layer+"_")
		for name, olds := range oldRoles {
			if slices.Contains(olds, role) && role != "kernel" {
				role = name
			}
		}
	}
	x := Weight{Name: layer + "/" + role, Type: a.typ, Shape: a.shape}
	if len(a.shape) != 4 {
		return x, a.load
	}
	turn := func(t *onnx.Tensor) *onnx.Tensor { return transpose(t, 3, 2, 0, 1) }
	x.Shape = []int{a.shape[3], a.shape[2], a.shape[0], a.shape[1]}
	switch role {
	case "kernel", "pointwise_kernel":
	case "depthwise_kernel":
		turn = depthwiseKernel
		x.Shape = []int{a.shape[2] * a.shape[3], 1, a.shape[0], a.shape[1]}
	default:
		x.Shape = a.shape
		return x, a.load
	}
	x.Type = onnx.Float
	return x, func() ([]byte, error) {
		t, err := a.floats()
		if err != nil {
			return nil, err
		}
		return turn(t).Raw, nil
	}
}

// numberedRole names the n-th of count arrays of a layer, by the class in its group's name.
func numberedRole(group, n string, count int) string {
	class := strings.TrimRight(strings.TrimRight(group, "0123456789"), "_")
	roles := map[string][]string{
		"conv2d": {"kernel", "bias"}, "conv2d_transpose": {"kernel", "bias"}, "dense": {"kernel", "bias"},
		"depthwise_conv2d": {"depthwise_kernel", "bias"}, "separable_conv2d": {"depthwise_kernel", "pointwise_kernel", "bias"},
		"batch_normalization": {"gamma", "beta", "moving_mean", "moving_variance"}, "layer_normalization": {"gamma", "beta"},
		"normalization": {"mean", "variance", "count"}, "p_re_lu": {"alpha"},
	}[class]
	if class == "batch_normalization" && count < 4 {
		roles = roles[4-count:] // without scale
	}
	var i int
	if _, err := fmt.Sscan(n, &i); err != nil || i < 0 || i >= len(roles) {
		return n
	}
	return roles[i]
}

// isTFJS reports whether data is the model.json of TensorFlow.js.
func isTFJS(data []byte) bool {
	head := bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n")
	return bytes.HasPrefix(head, []byte("{")) && (bytes.Contains(data, []byte(`"weightsManifest"`)) || bytes.Contains(data, []byte(`"modelTopology"`)))
}
