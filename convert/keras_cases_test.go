package convert

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// weight is an array of a TensorFlow.js model.
type jsWeight struct {
	name  string
	shape []int
	data  []float32
}

// js writes a layers model: its topology, and one file of weights.
func js(t testing.TB, topology string, weights ...jsWeight) string {
	t.Helper()
	dir := t.TempDir()
	var manifest []map[string]any
	var data []byte
	for _, w := range weights {
		manifest = append(manifest, map[string]any{"name": w.name, "shape": w.shape, "dtype": "float32"})
		data = append(data, floats(w.data...)...)
	}
	list, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if manifest == nil {
		list = []byte("[]")
	}
	text := fmt.Sprintf(`{"modelTopology": %s, "weightsManifest": [{"paths": ["w.bin"], "weights": %s}]}`, topology, list)
	for name, content := range map[string][]byte{"model.json": []byte(text), "w.bin": data} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.json")
}

// chain is the topology of a Sequential model on inputs of the shape; layers are the insides of their configurations.
func chain(shape string, layers ...string) string {
	var list []string
	for i, l := range layers {
		class, config, _ := strings.Cut(l, " ")
		if config != "" {
			config = ", " + config
		}
		if i == 0 {
			config += `, "batch_input_shape": [null, ` + shape + `]`
		}
		list = append(list, fmt.Sprintf(`{"class_name": %q, "config": {"name": "l%d"%s}}`, class, i, config))
	}
	return `{"class_name": "Sequential", "config": {"layers": [` + strings.Join(list, ", ") + `]}}`
}

func counted(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

// Weights and attributes, number by number (case 31).
func TestKerasAxes(t *testing.T) {
	read := func(topology string, w ...jsWeight) *onnx.Model {
		t.Helper()
		m, _, err := ReadTFJS(js(t, topology, w...), KerasOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tensor := func(m *onnx.Model, name string, shape []int, want []float32) {
		t.Helper()
		if w := m.Graph.Initializer(name); w == nil || !slices.Equal(w.Shape, shape) || !slices.Equal(w.Float32s(), want) {
			t.Errorf("%s is %v, want %v %v", name, w, shape, want)
		}
	}
	find := func(m *onnx.Model, typ string) *onnx.Node {
		t.Helper()
		for _, n := range m.Graph.Nodes {
			if n.OpType == typ {
				return n
			}
		}
		t.Fatalf("there is no %s", typ)
		return nil
	}

	m := read(chain("1, 2, 2", "Flatten", `Dense "units": 1, "use_bias": false`), jsWeight{"l1/kernel", []int{4, 1}, []float32{1, 10, 100, 1000}})
	tensor(m, "l1/kernel", []int{4, 1}, []float32{1, 100, 10, 1000})

	m = read(chain("1, 1, 2", `DepthwiseConv2D "kernel_size": 1, "depth_multiplier": 2, "use_bias": false`),
		jsWeight{"l0/depthwise_kernel", []int{1, 1, 2, 2}, []float32{0, 1, 10, 11}})
	tensor(m, "l0/depthwise_kernel", []int{4, 1, 1, 1}, []float32{0, 1, 10, 11})
	if g := find(m, "Conv").Attr("group"); g == nil || g.I != 2 {
		t.Errorf("group %v", g)
	}

	m = read(chain("4, 4, 4", `Conv2D "filters": 5, "kernel_size": [2, 3], "use_bias": false`), jsWeight{"l0/kernel", []int{2, 3, 4, 5}, counted(120)})
	var want []float32
	for o := range 5 {
		for i := range 4 {
			for h := range 2 {
				for w := range 3 {
					want = append(want, float32(((h*3+w)*4+i)*5+o))
				}
			}
		}
	}
	tensor(m, "l0/kernel", []int{5, 4, 2, 3}, want)

	m = read(chain("2, 2, 2", `BatchNormalization "scale": false`), jsWeight{"l0/beta", []int{2}, []float32{1, 2}},
		jsWeight{"l0/moving_mean", []int{2}, []float32{3, 4}}, jsWeight{"l0/moving_variance", []int{2}, []float32{5, 6}})
	tensor(m, "l0/gamma", []int{2}, []float32{1, 1})
	tensor(m, "l0/moving_variance", []int{2}, []float32{5, 6})
	if e := find(m, "BatchNormalization").Attr("epsilon"); e.F != 1e-3 {
		t.Errorf("epsilon %g", e.F)
	}

	kernel := jsWeight{"l1/kernel", []int{3, 3, 1, 1}, counted(9)}
	m = read(chain("4, 4, 1", `ZeroPadding2D "padding": [[0, 1], [0, 1]]`, `Conv2D "filters": 1, "kernel_size": 3, "strides": 2, "use_bias": false`), kernel)
	if pads := find(m, "Constant").Attr("value").Tensor.Int64s(); !slices.Equal(pads, []int64{0, 0, 0, 0, 0, 0, 1, 1}) {
		t.Errorf("pads %v", pads)
	}
	kernel.name = "l0/kernel"
	m = read(chain("4, 4, 1", `Conv2D "filters": 1, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": false`), kernel)
	if p := find(m, "Conv").Attr("auto_pad"); p == nil || string(p.S) != "SAME_UPPER" {
		t.Errorf("auto_pad %v", p)
	}
	m = read(chain("4, 4, 1", `AveragePooling2D "pool_size": [4, 3], "strides": 1, "padding": "same"`))
	if p := find(m, "AveragePool").Attr("pads"); p == nil || !slices.Equal(p.Ints, []int64{1, 1, 2, 1}) {
		t.Errorf("pads %v", p)
	}
}

// Nodes have the names of Keras' layers: a layer of several nodes is a block.
func TestKerasNames(t *testing.T) {
	m, _, err := ReadTFJS(js(t, chain("4, 4, 1", `Conv2D "filters": 1, "kernel_size": 1, "activation": "relu"`, "MaxPooling2D", "Dropout", "Flatten"),
		jsWeight{"l0/kernel", []int{1, 1, 1, 1}, counted(1)}, jsWeight{"l0/bias", []int{1}, counted(1)}), KerasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range m.Graph.Nodes {
		names = append(names, n.Name)
	}
	if want := []string{"l0/Conv", "l0/Relu", "l1", "l3"}; !slices.Equal(names, want) {
		t.Errorf("nodes %q, want %q", names, want)
	}
}

// jsShards writes a model whose two dense layers have the weights of the shards.
func jsShards(t testing.TB, manifest string, shards map[string][]byte) string {
	t.Helper()
	topology := `{"class_name": "Model", "config": {"layers": [
		{"class_name": "InputLayer", "name": "in", "config": {"batch_input_shape": [null, 1]}, "inbound_nodes": []},
		{"class_name": "Dense", "name": "q", "config": {"units": 3, "use_bias": false}, "inbound_nodes": [[["in", 0, 0, {}]]]},
		{"class_name": "Dense", "name": "w", "config": {"units": 2, "use_bias": false}, "inbound_nodes": [[["in", 0, 0, {}]]]}],
		"input_layers": [["in", 0, 0]], "output_layers": [["q", 0, 0], ["w", 0, 0]]}}`
	dir := t.TempDir()
	shards["model.json"] = []byte(`{"format": "layers-model", "modelTopology": ` + topology + `, "weightsManifest": ` + manifest + `}`)
	for name, data := range shards {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.json")
}

// Shards are cut anywhere, quantised weights are of one or two bytes (case 33).
func TestTFJSShards(t *testing.T) {
	const w = `{"name": "w/kernel", "shape": [1, 2], "dtype": "float32"}`
	quantised := func(q string) string {
		return `{"name": "q/kernel", "shape": [1, 3], "dtype": "float32", "quantization": ` + q + `}`
	}
	group := func(paths, q string) string { return `[{"paths": [` + paths + `], "weights": [` + q + `, ` + w + `]}]` }
	bytes8 := append([]byte{0, 51, 255}, floats(1.5, -2)...)
	bytes16 := append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte{0, 0}, 13107), 65535), floats(1.5, -2)...)
	half := append([]byte{0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38}, floats(1.5, -2)...) // 1, -2, 0.5
	q8 := quantised(fmt.Sprintf(`{"min": -1, "scale": %v, "dtype": "uint8"}`, 2.0/255))
	for name, c := range map[string]struct {
		manifest string
		data     []byte
		cut      int
		want     []float32
		err      string
	}{
		"uint8":               {group(`"a", "b"`, q8), bytes8, 5, []float32{-1, -0.6, 1}, ""},
		"uint8, an empty one": {group(`"a", "b"`, q8), bytes8, 0, []float32{-1, -0.6, 1}, ""},
		"uint16": {group(`"a", "b"`, quantised(fmt.Sprintf(`{"min": -1, "scale": %v, "dtype": "uint16"}`, 2.0/65535))), bytes16, 3,
			[]float32{-1, -0.6, 1}, ""},
		"float16": {group(`"a", "b"`, quantised(`{"dtype": "float16"}`)), half, 9, []float32{1, -2, 0.5}, ""},
		"whole numbers": {group(`"a", "b"`, `{"name": "q/kernel", "shape": [1, 3], "dtype": "int32", "quantization": {"min": -1, "scale": 0.1, "dtype": "uint8"}}`),
			bytes8, 5, []float32{-1, 4, 25}, ""},
		"-Infinity":     {group(`"a", "b"`, quantised(`{"min": -Infinity, "scale": 1, "dtype": "uint8"}`)), bytes8, 5, nil, `weight "q/kernel": quantization: min is "-Infinity"`},
		"no scale":      {group(`"a", "b"`, quantised(`{"min": 1, "dtype": "uint8"}`)), bytes8, 5, nil, `scale is null`},
		"scale NaN":     {group(`"a", "b"`, quantised(`{"min": 1, "scale": NaN, "dtype": "uint8"}`)), bytes8, 5, nil, `scale is "NaN"`},
		"to int4":       {group(`"a", "b"`, quantised(`{"min": 1, "scale": 1, "dtype": "int4"}`)), bytes8, 5, nil, `quantization to "int4" is not supported`},
		"short":         {group(`"a", "b"`, q8), bytes8[:10], 5, nil, `the files ["a" "b"] have 10 bytes, the weights need 11: one is cut short`},
		"long":          {group(`"a", "b"`, q8), append(slices.Clone(bytes8), 0), 5, nil, `have 12 bytes, the weights need only 11`},
		"outside":       {group(`"a", "../x.bin"`, q8), bytes8, 5, nil, `"../x.bin": it lies outside`},
		"absolute":      {group(`"/etc/passwd"`, q8), bytes8, 5, nil, `"/etc/passwd": it lies outside`},
		"absent":        {group(`"a", "c"`, q8), bytes8, 5, nil, "c: no such file"},
		"link outside":  {group(`"a", "link"`, q8), bytes8, 5, nil, "link"},
		"folder":        {group(`"a", "."`, q8), bytes8, 5, nil, "no regular file"},
		"text":          {group(`"a", "b"`, `{"name": "q/kernel", "shape": [3], "dtype": "string"}`), bytes8, 5, nil, `type "string" is not supported`},
		"twice":         {group(`"a", "b"`, w), bytes8, 5, nil, `two weights are named "w/kernel"`},
		"negative size": {group(`"a", "b"`, `{"name": "q/kernel", "shape": [-1], "dtype": "float32"}`), bytes8, 5, nil, "shape [-1] is not possible"},
		"countless": {group(`"a", "b"`, `{"name": "q/kernel", "shape": [4294967296, 4294967296], "dtype": "float32"}`), bytes8, 5, nil,
			"is not possible"},
		"not JSON": {`[`, bytes8, 5, nil, "invalid character"},
		"none":     {`[]`, bytes8, 5, nil, "missing: q/kernel [1 3]"},
	} {
		path := jsShards(t, c.manifest, map[string][]byte{"a": c.data[:c.cut], "b": c.data[c.cut:]})
		if err := os.Symlink("/etc/passwd", filepath.Join(filepath.Dir(path), "link")); err != nil {
			t.Fatal(err)
		}
		m, _, err := ReadTFJS(path, KerasOptions{})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%s: %v, want %q", name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, v := range m.Graph.Initializer("q/kernel").Float32s() {
			if math.Abs(float64(v-c.want[i])) > 1e-6 {
				t.Errorf("%s: q is %v, want %v", name, m.Graph.Initializer("q/kernel").Float32s(), c.want)
				break
			}
		}
		if got := m.Graph.Initializer("w/kernel").Float32s(); !slices.Equal(got, []float32{1.5, -2}) {
			t.Errorf("%s: w is %v", name, got)
		}
	}
}

// What cannot be converted is named, everything at once.
func TestKerasRefuses(t *testing.T) {
	model := func(layers, ends string) string {
		return `{"class_name": "Model", "config": {"layers": [` + layers + `], ` + ends + `}}`
	}
	const in = `{"class_name": "InputLayer", "name": "in", "config": {"batch_input_shape": [null, 4, 4, 2]}, "inbound_nodes": []}`
	const ends = `"input_layers": [["in", 0, 0]], "output_layers": [["a", 0, 0]]`
	layer := func(name, class, config, inbound string) string {
		return fmt.Sprintf(`{"class_name": %q, "name": %q, "config": {%s}, "inbound_nodes": [%s]}`, class, name, config, inbound)
	}
	const fromIn = `[["in", 0, 0, {}]]`
	const tensor = `{"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}`
	for name, c := range map[string]struct {
		topology string
		want     []string
	}{
		"layers":            {chain("4, 4, 1", "Lambda", "ReLU", "ConvLSTM2D"), []string{`layer "l0": Lambda is not supported: the file has Python code`, `layer "l2": ConvLSTM2D is not supported`}},
		"in a model":        {model(in+`, {"class_name": "Sequential", "name": "a", "config": {"layers": [{"class_name": "GRU", "config": {"name": "g"}}]}, "inbound_nodes": [`+fromIn+`]}`, ends), []string{`layer "a/g": GRU is not supported`}},
		"faults":            {chain("4, 4, 1", `Activation "activation": "strange"`, "ReLU"), []string{`layer "l0" (Activation): the activation "strange" is not supported`}},
		"two faults":        {model(in+", "+layer("b", "Conv2D", `"filters": 0, "kernel_size": 1`, fromIn)+", "+layer("a", "MaxPooling2D", `"padding": "causal"`, fromIn), ends), []string{`"b" (Conv2D): filters: 0`, `"a" (MaxPooling2D): padding "causal"`}},
		"too large a pool":  {chain("4, 4, 1", `MaxPooling2D "pool_size": 5`), []string{"larger than its input 4"}},
		"no shape":          {`{"class_name": "Sequential", "config": [{"class_name": "ReLU", "config": {}}]}`, []string{"does not say its shape"}},
		"strange shape":     {chain("0, 4", "ReLU"), []string{"shape [0 4]"}},
		"no layers":         {`{"class_name": "Sequential", "config": {"layers": []}}`, []string{"without layers"}},
		"subclass":          {`{"class_name": "MyModel", "config": {}}`, []string{`class "MyModel"`}},
		"names twice":       {`{"class_name": "Sequential", "config": [{"class_name": "ReLU", "config": {"name": "x"}}, {"class_name": "ReLU", "config": {"name": "x"}}]}`, []string{`two layers are named "x"`}},
		"circle":            {model(in+", "+layer("a", "ReLU", "", `[["b", 0, 0, {}]]`)+", "+layer("b", "ReLU", "", `[["a", 0, 0, {}]]`), ends), []string{"part of a circle"}},
		"unknown input":     {model(in+", "+layer("a", "ReLU", "", `[["b", 0, 0, {}]]`), ends), []string{`its input "b" is no layer`}},
		"unknown call":      {model(in+", "+layer("a", "ReLU", "", `[["in", 3, 0, {}]]`), ends), []string{`call 3 of "in", does not exist`}},
		"unknown output":    {model(in+", "+layer("b", "ReLU", "", fromIn), ends), []string{`output "a": there is no such layer`}},
		"second tensor":     {model(in+", "+layer("a", "ReLU", "", `[["in", 0, 1, {}]]`), ends), []string{"output 1 of call 0"}},
		"no outputs":        {model(in+", "+layer("a", "ReLU", "", fromIn), `"input_layers": [["in", 0, 0]]`), []string{"output_layers: null names no layers"}},
		"inbound":           {model(in+", "+layer("a", "ReLU", "", `7`), ends), []string{"7 is no call"}},
		"inbound reference": {model(in+", "+layer("a", "ReLU", "", `[[1, 2, 3]]`), ends), []string{"names no output of a layer"}},
		"arguments":         {model(in+", "+layer("a", "ReLU", "", `[["in", 0, 0, {"x": 2}]]`), ends), []string{"arguments that are no tensors are not supported: x"}},
		"a number":          {model(in+", "+layer("a", "ReLU", "", `[["in", 0, 0, {"y": 2}]]`), ends), []string{"arguments that are no tensors are not supported: y"}},
		"a function":        {model(in+", "+layer("a", "TFOpLambda", `"function": "math.sin"`, fromIn), ends), []string{`the function "math.sin" is not supported`}},
		"inputs":            {model(in+", "+layer("a", "ReLU", "", `[["in", 0, 0, {}], ["in", 0, 0, {}]]`), ends), []string{"it is given 2 inputs"}},
		"one to add":        {model(in+", "+layer("a", "Add", "", fromIn), ends), []string{"it is given 1 inputs"}},
		"formats":           {model(in+", "+layer("b", "MaxPooling2D", `"data_format": "channels_first"`, fromIn)+", "+layer("a", "MaxPooling2D", `"data_format": "channels_last"`, fromIn), ends), []string{"channels_first and with channels_last"}},
		"axis":              {chain("4, 4, 2", `BatchNormalization "axis": 1`), []string{"axis 1 is not the channels"}},
		"axes":              {chain("4, 4, 2", `BatchNormalization "axis": [1, 2]`), []string{"several axes"}},
		"mode":              {chain("4, 4, 2", `BatchNormalization "mode": 1`), []string{"mode 1"}},
		"rank of norm":      {chain("4, 2", `BatchNormalization`), []string{"has 2 dimensions"}},
		"layer norm":        {chain("4, 4, 2", `LayerNormalization "axis": 1`), []string{"axis [1]"}},
		"groups":            {chain("4, 4, 3", `Conv2D "filters": 4, "kernel_size": 1, "groups": 2`), []string{"2 groups do not divide 3 and 4"}},
		"groups transposed": {chain("4, 4, 2", `Conv2DTranspose "filters": 4, "kernel_size": 1, "groups": 2`), []string{"groups are not supported"}},
		"rank":              {chain("4", `Conv2D "filters": 4, "kernel_size": 1`), []string{"has 1 dimensions besides the batch, want 3"}},
		"kernel":            {chain("4, 4, 2", `Conv2D "filters": 4, "kernel_size": [1, 2, 3]`), []string{"kernel_size: [1,2,3] is not one or two"}},
		"stride":            {chain("4, 4, 2", `MaxPooling2D "strides": 0`), []string{"strides [0 0]"}},
		"open channels":     {chain("4, 4, null", `Conv2D "filters": 4, "kernel_size": 1`), []string{"channels is not known"}},
		"open flatten":      {chain("null, 4, 2", `Flatten`), []string{"has to be known"}},
		"reshape":           {chain("4, 4, 2", `Reshape "target_shape": [5, 5]`), []string{"does not have the elements of shape [5 5]"}},
		"reshape open":      {chain("4, 4, 2", `Reshape "target_shape": [-1, 5]`), []string{"do not have the shape [-1 5]"}},
		"reshape zero":      {chain("4, 4, 2", `Reshape "target_shape": [0]`), []string{"[0]"}},
		"permute":           {chain("4, 4, 2", `Permute "dims": [1, 2]`), []string{"dims: [1 2] of 3"}},
		"no dims":           {chain("4, 4, 2", `Permute`), []string{"no dims"}},
		"cropping":          {chain("4, 4, 2", `Cropping2D "cropping": 2`), []string{"nothing of its input is left"}},
		"negative":          {chain("4, 4, 2", `ZeroPadding2D "padding": -1`), []string{"padding: -1"}},
		"up":                {chain("4, 4, 2", `UpSampling2D "size": 0`), []string{"size: [0 0]"}},
		"up cubic":          {chain("4, 4, 2", `UpSampling2D "interpolation": "lanczos3"`), []string{`interpolation "lanczos3"`}},
		"scale":             {chain("4, 4, 2", `Rescaling "offset": 1`), []string{"no scale"}},
		"scales":            {chain("4, 4, 2", `Rescaling "scale": [1, 2, 3]`), []string{"3 numbers for 2 channels"}},
		"normalization":     {chain("4, 4, 2", `Normalization "axis": 1`), []string{"axis [1] is not the channels"}},
		"softmax":           {chain("4, 4, 2", `Softmax "axis": [1, 2]`), []string{"softmax over the axes [1 2]"}},
		"softmax axis":      {chain("4, 4, 2", `Softmax "axis": 7`), []string{"no axis 7"}},
		"prelu":             {chain("4, 4, 2", `PReLU "shared_axes": [4]`), []string{"shared_axes: 4"}},
		"prelu open":        {chain("null, 4, 2", `PReLU`), []string{"is not known"}},
		"activation object": {chain("4, 4, 2", `Activation "activation": {"class_name": "Strange", "config": {}}`), []string{"the activation {"}},
		"activation number": {chain("4, 4, 2", `Activation "activation": 3`), []string{"the activation 3"}},
		"antialias":         {chain("4, 4, 2", `Resizing "height": 2, "width": 2, "antialias": true`), []string{"antialias is not supported"}},
		"open proportions":  {chain("null, 4, 2", `Resizing "height": 2, "width": 2, "crop_to_aspect_ratio": true`), []string{"have to be known"}},
		"fill mode":         {chain("4, 4, 2", `Resizing "height": 2, "width": 4, "pad_to_aspect_ratio": true, "fill_mode": "wrap"`), []string{`fill_mode "wrap"`}},
		"no size":           {chain("4, 4, 2", `Resizing "height": 0, "width": 2`), []string{"a size of 0x2"}},
		"open crop":         {chain("null, 4, 2", `CenterCrop "height": 2, "width": 2`), []string{"has to be known"}},
		"fields":            {chain("4, 4, 2", `AdaptiveMaxPooling2D "output_size": 3`), []string{"4x4 do not divide into 3x3"}},
		"groups of norm":    {chain("4, 4, 3", `GroupNormalization "groups": 2`), []string{"2 groups do not divide 3 channels"}},
		"axis of norm":      {chain("4, 4, 3", `GroupNormalization "groups": 3, "axis": 1`), []string{"axis 1 is not the channels"}},
		"rank of groups":    {chain("4, 4", `GroupNormalization "groups": 1`), []string{"has 2 dimensions"}},
		"axis of rms":       {chain("4, 4, 2", `RMSNormalization "axis": 1`), []string{"axis [1]"}},
		"batch norm":        {chain("4, 4, 2", `UnitNormalization "axis": 0`), []string{"joins the images of a batch"}},
		"custom scale":      {chain("4, 4, 2", `CustomScaleLayer "scale": 1`), []string{"it is given 1 inputs"}},
		"item of batch":     {model(in+", "+layer("a", "GetItem", "", `{"args": [`+tensor+`, 0]}`), ends), []string{"the index 0 of axis 0 is not supported"}},
		"too many items":    {model(in+", "+layer("a", "GetItem", "", `{"args": [`+tensor+`, [{}, {}, {}, {}, {}]]}`), ends), []string{"5 indices of 4 dimensions"}},
		"item":              {model(in+", "+layer("a", "GetItem", "", `{"args": [`+tensor+`, [{}, "x"]]}`), ends), []string{`the index "x" of axis 1`}},
		"empty slice":       {model(in+", "+layer("a", "GetItem", "", `{"args": [`+tensor+`, [{}, {"start": 3, "stop": 1}]]}`), ends), []string{"nothing of axis 1 is left"}},
		"step":              {model(in+", "+layer("a", "GetItem", "", `{"args": [`+tensor+`, [{}, {"step": 0}]]}`), ends), []string{"of axis 1 is not supported"}},
		"keyword":           {model(in+", "+layer("a", "Absolute", "", `{"args": [`+tensor+`], "kwargs": {"where": 1}}`), ends), []string{"arguments that are not supported: where"}},
		"no tensor":         {model(in+", "+layer("a", "Absolute", "", `{"args": [3, `+tensor+`]}`), ends), []string{"its argument 3 is no tensor"}},
		"no such number":    {model(in+", "+layer("a", "TrueDivide", "", `{"args": [`+tensor+`, [[1, 2], [3]]]}`), ends), []string{"its argument [[1,2],[3]] is no number"}},
		"wide number":       {model(in+", "+layer("a", "TrueDivide", "", `{"args": [`+tensor+`, [1, 2, 3]]}`), ends), []string{"numbers of shape [3] and an input of shape [4 4 2]"}},
		"deep number":       {model(in+", "+layer("a", "TrueDivide", "", `{"args": [`+tensor+`, [[[[[1]]]]]]}`), ends), []string{"numbers of 5 dimensions"}},
		"two numbers":       {model(in+", "+layer("a", "TrueDivide", "", `{"args": [`+tensor+`, 1, 2]}`), ends), []string{"3 arguments, 1 of them tensors"}},
		"mean of all":       {model(in+", "+layer("a", "Mean", "", `{"args": [`+tensor+`]}`), ends), []string{"joins the images of a batch"}},
		"mean axis":         {model(in+", "+layer("a", "Mean", `"axis": [1, 1]`, `{"args": [`+tensor+`]}`), ends), []string{"axis: [1 1] of 4 dimensions"}},
		"batch reshaped":    {model(in+", "+layer("a", "TFOpLambda", `"function": "reshape"`, `["in", 0, 0, {"shape": [8, -1]}]`), ends), []string{"a reshape to [8 -1] is not supported"}},
		"batch moved":       {model(in+", "+layer("a", "Transpose", `"axes": [1, 0, 2, 3]`, `{"args": [`+tensor+`]}`), ends), []string{"the batch has to stay"}},
		"squeezed":          {model(in+", "+layer("a", "Squeeze", `"axis": 1`, `{"args": [`+tensor+`]}`), ends), []string{"axis 1 has the size 4, not 1"}},
		"expanded":          {model(in+", "+layer("a", "ExpandDims", `"axis": 9`, `{"args": [`+tensor+`]}`), ends), []string{"axis 9 of 5 dimensions"}},
		"split":             {model(in+", "+layer("a", "Split", `"axis": 1, "indices_or_sections": 3`, `{"args": [`+tensor+`]}`), ends), []string{"3 parts of 4"}},
		"stacked":           {model(in+", "+layer("a", "Stack", `"axis": 0`, `{"args": [[`+tensor+`]]}`), ends), []string{"axis 0 of 5 dimensions"}},
		"no list":           {model(in+", "+layer("a", "Stack", `"axis": 1`, `{"args": [`+tensor+`]}`), ends), []string{"it wants a list of tensors"}},
		"cast":              {model(in+", "+layer("a", "Cast", `"dtype": "int32"`, `{"args": [`+tensor+`]}`), ends), []string{"a cast to int32"}},
		"pad":               {model(in+", "+layer("a", "Pad", `"pad_width": [[1, 0], [0, 0], [0, 0], [0, 0]]`, `{"args": [`+tensor+`]}`), ends), []string{"pad_width: [[1,0]"}},
		"pad mode":          {model(in+", "+layer("a", "Pad", `"pad_width": [[0, 0], [0, 0], [0, 0], [0, 0]], "mode": "wrap"`, `{"args": [`+tensor+`]}`), ends), []string{`mode "wrap"`}},
		"merge":             {chain("4, 4, 2", `Merge "mode": "dot"`), []string{`mode "dot"`}},
		"no number":         {chain("4, 4, 2", `ReLU "max_value": "six"`), []string{`max_value: "six" is no number`}},
		"no whole number":   {chain("4, 4, 2", `Conv2D "filters": 1.5, "kernel_size": 1`), []string{"filters: 1.5 is no whole number"}},
		"no truth":          {chain("4, 4, 2", `GlobalAveragePooling2D "keepdims": "yes"`), []string{`keepdims: "yes" is neither`}},
		"no text":           {chain("4, 4, 2", `MaxPooling2D "padding": 3`), []string{"padding: 3 is no text"}},
		"huge":              {chain("4, 4, 2", `Conv2D "filters": 16777216, "kernel_size": 32767, "padding": "same"`), []string{"missing: l0/kernel [32767 32767 2 16777216]", "missing: l0/bias [16777216]"}},
		"concat axis":       {model(in+", "+layer("a", "Concatenate", `"axis": 0`, `[["in", 0, 0, {}], ["in", 0, 0, {}]]`), ends), []string{"axis 0 of 4 dimensions"}},
		"concat shapes":     {model(in+", "+layer("b", "MaxPooling2D", ``, fromIn)+", "+layer("a", "Concatenate", ``, `[["in", 0, 0, {}], ["b", 0, 0, {}]]`), ends), []string{"inputs of shape [4 4 2] and [2 2 2]"}},
		"concat ranks":      {model(in+", "+layer("b", "Flatten", ``, fromIn)+", "+layer("a", "Concatenate", ``, `[["in", 0, 0, {}], ["b", 0, 0, {}]]`), ends), []string{"inputs of 3 and 1 dimensions"}},
		"add shapes":        {model(in+", "+layer("b", "MaxPooling2D", ``, fromIn)+", "+layer("a", "Add", ``, `[["in", 0, 0, {}], ["b", 0, 0, {}]]`), ends), []string{"inputs of shape"}},
		"add ranks":         {model(in+", "+layer("b", "Flatten", ``, fromIn)+", "+layer("a", "Add", ``, `[["in", 0, 0, {}], ["b", 0, 0, {}]]`), ends), []string{"dimensions"}},
		"graph model":       {`{"node": [], "library": {}}`, []string{"a TensorFlow.js graph model"}},
	} {
		path := js(t, c.topology)
		_, _, err := ReadKeras(path, KerasOptions{})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

// An input whose shape is open, or not said, gets the given one.
func TestKerasInputShape(t *testing.T) {
	m, _, err := ReadTFJS(js(t, chain("null, null, 2", "Flatten")), KerasOptions{InputShape: []int{3, 4, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Graph.Inputs[0].Type.Shape; len(s) != 4 || s[0].Param != "batch" || s[1].Size != 2 || s[2].Size != 3 || s[3].Size != 4 {
		t.Errorf("shape %v", s)
	}
	if _, _, err := ReadTFJS(js(t, chain("4", "ReLU")), KerasOptions{InputShape: []int{3, 4, 2}}); err == nil || !strings.Contains(err.Error(), "it has 1 dimensions") {
		t.Errorf("another rank: %v", err)
	}
	// A size for pictures leaves the channels as they are, in either order.
	for _, c := range []struct {
		topology string
		want     []int
	}{
		{chain("28, 28, 1", "MaxPooling2D"), []int{1, 5, 6}}, {chain("null, null, 2", "MaxPooling2D"), []int{2, 5, 6}},
		{chain("4, 28, 28", `MaxPooling2D "data_format": "channels_first"`), []int{4, 5, 6}},
		{`{"class_name": "Sequential", "config": [{"class_name": "ReLU", "config": {}}]}`, []int{3, 5, 6}},
	} {
		m, _, err := ReadTFJS(js(t, c.topology), KerasOptions{Size: [2]int{5, 6}})
		if err != nil {
			t.Errorf("%s: %v", c.topology, err)
			continue
		}
		for i, d := range m.Graph.Inputs[0].Type.Shape[1:] {
			if d.Size != c.want[i] {
				t.Errorf("%s: input %v, want %v", c.topology, m.Graph.Inputs[0].Type.Shape, c.want)
				break
			}
		}
	}
	if _, _, err := ReadTFJS(js(t, chain("4", "ReLU")), KerasOptions{Size: [2]int{5, 6}}); err == nil || !strings.Contains(err.Error(), "is no picture of 5x6") {
		t.Errorf("a size for rows: %v", err)
	}
	// Sizes that stay open have names of their own.
	m, _, err = ReadTFJS(js(t, chain("null, null, 2", "MaxPooling2D")), KerasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Graph.Inputs[0].Type.Shape; s[2].Param == "" || s[2].Param == s[3].Param || s[2].Size >= 0 {
		t.Errorf("shape %+v", s)
	}
}

// What a description asks for is not made where the file could not hold it, even if missing weights are allowed (case 37).
func TestKerasMade(t *testing.T) {
	path := js(t, chain("4, 4, 2", `Conv2D "filters": 2, "kernel_size": 1`), jsWeight{"l0/bias", []int{2}, []float32{1, 2}})
	m, report, err := ReadTFJS(path, KerasOptions{AllowMissing: true})
	if err != nil || len(report.Missing) != 1 || !slices.Equal(m.Graph.Initializer("l0/kernel").Float32s(), make([]float32, 4)) {
		t.Errorf("a missing kernel: %+v, %v", report, err)
	}
	path = js(t, chain("4, 4, 2", `Conv2D "filters": 16777216, "kernel_size": 1000, "padding": "same"`), jsWeight{"l0/bias", []int{2}, []float32{1, 2}})
	if _, _, err := ReadTFJS(path, KerasOptions{AllowMissing: true}); err == nil || !strings.Contains(err.Error(), "too large to be made") {
		t.Errorf("a kernel of terabytes: %v", err)
	}
}

// hostileHDF5 is a file with links to the outside and with datasets of terabytes.
func hostileHDF5(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("../internal/hdf5/testdata/refused.h5.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Archives and HDF5 files that are hostile or incomplete (case 37).
func TestKerasFiles(t *testing.T) {
	config := []byte(chain("4, 4, 1", "ReLU"))
	for name, c := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"a member outside":  {"m.keras", zipOf(t, entry{"config.json", config}, entry{"../evil", nil}), "../evil"},
		"members twice":     {"m.keras", zipOf(t, entry{"config.json", config}, entry{"config.json", config}), "two members"},
		"no config":         {"m.keras", zipOf(t, entry{"model.weights.h5", nil}), "the archive has no config.json"},
		"no weights":        {"m.keras", zipOf(t, entry{"config.json", config}), "the archive has no model.weights.h5"},
		"weights no HDF5":   {"m.keras", zipOf(t, entry{"config.json", config}, entry{"model.weights.h5", []byte("PK")}), "model.weights.h5: HDF5: not an HDF5 file"},
		"bad metadata":      {"m.keras", zipOf(t, entry{"config.json", config}, entry{"model.weights.h5", hostileHDF5(t)}, entry{"metadata.json", []byte("?")}), "metadata.json: "},
		"hostile weights":   {"m.keras", zipOf(t, entry{"config.json", config}, entry{"model.weights.h5", hostileHDF5(t)}), "links form a circle: refused"},
		"weights alone":     {"m.h5", hostileHDF5(t), "weights without the network"},
		"something else":    {"m.h5", []byte("nothing"), "not a Keras model"},
		"HDF5, cut short":   {"m.h5", hostileHDF5(t)[:200], "outside the file"},
		"archive, cut":      {"m.keras", zipOf(t, entry{"config.json", config})[:40], "zip archive"},
		"config is no JSON": {"m.keras", zipOf(t, entry{"config.json", []byte("?")}, entry{"model.weights.h5", hostileHDF5(t)}), "the model's description: "},
	} {
		path := write(t, c.file, c.data)
		_, _, err := ReadKeras(path, KerasOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := ReadKeras(filepath.Join(t.TempDir(), "absent.h5"), KerasOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	for _, c := range []struct {
		path string
		want bool
	}{
		{write(t, "a.h5", hostileHDF5(t)), false},
		{write(t, "a.keras", zipOf(t, entry{"config.json", config})), true},
		{write(t, "a.pth", zipOf(t, entry{"archive/data.pkl", config})), false},
		{js(t, chain("4", "ReLU")), true},
		{write(t, "labels.json", []byte(`["a", "b"]`)), false},
	} {
		if got, err := IsKeras(c.path); err != nil || got != c.want {
			t.Errorf("IsKeras(%s) = %v, %v", c.path, got, err)
		}
	}
	if _, err := ReadKerasWeights(write(t, "a.h5", hostileHDF5(t))); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("weights of a hostile file: %v", err)
	}
}

func TestSnake(t *testing.T) {
	for class, want := range map[string]string{"Conv2D": "conv2d", "DepthwiseConv2D": "depthwise_conv2d", "BatchNormalization": "batch_normalization",
		"ReLU": "re_lu", "PReLU": "p_re_lu", "Dense": "dense", "Conv2DTranspose": "conv2d_transpose", "GlobalMaxPooling2D": "global_max_pooling2d"} {
		if got := snake(class); got != want {
			t.Errorf("snake(%q) = %q, want %q", class, got, want)
		}
	}
}

func TestQuoteSpecials(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": NaN, "b": [-Infinity, Infinity], "c": -1}`: `{"a": "NaN", "b": ["-Infinity", "Infinity"], "c": -1}`,
		`{"NaN \" Infinity": "-Infinity", "x": Infinity}`: `{"NaN \" Infinity": "-Infinity", "x": "Infinity"}`,
		`{"a": null}`: `{"a": null}`,
	} {
		if got := string(quoteSpecials([]byte(in))); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// No description makes it panic, and what comes out of one is a sound model.
func FuzzKeras(f *testing.F) {
	f.Add(chain("4, 4, 1", `Conv2D "filters": 2, "kernel_size": 2, "padding": "same", "strides": 2, "activation": "relu"`, "Flatten", `Dense "units": 2`))
	f.Add(chain("4, 4, 2", "BatchNormalization", "PReLU", `LayerNormalization "axis": -1`, `Reshape "target_shape": [-1, 4]`, `Permute "dims": [2, 1]`))
	f.Add(chain("4, 4, 2", `Conv2DTranspose "filters": 2, "kernel_size": 3, "strides": 2`, `Cropping2D "cropping": 1`, `UpSampling2D`, "AveragePooling2D", "Softmax"))
	f.Add(chain("6, 4, 2", `Resizing "height": 3, "width": 5, "crop_to_aspect_ratio": true`, `GroupNormalization "groups": 2`, `CenterCrop "height": 2, "width": 2`, "RMSNormalization"))
	f.Add(`{"class_name": "Functional", "config": {"layers": [
		{"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [null, 3, 2, 2]}, "inbound_nodes": []},
		{"class_name": "GetItem", "name": "g", "config": {}, "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}, [{"class_name": "__ellipsis__"}, {"step": -1}]], "kwargs": {}}]},
		{"class_name": "TFOpLambda", "name": "a", "config": {"function": "math.subtract"}, "inbound_nodes": [["_CONSTANT_VALUE", -1, 1, {"y": ["g", 0, 0]}]]}],
		"input_layers": ["in", 0, 0], "output_layers": {"a": ["a", 0, 0]}}}`)
	f.Add(`{"class_name": "Functional", "config": {"layers": [
		{"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [null, 3, 2, 2]}, "inbound_nodes": []},
		{"class_name": "Flatten", "name": "f", "config": {}, "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}], "kwargs": {}}]},
		{"class_name": "Add", "name": "a", "config": {}, "inbound_nodes": [[["f", 0, 0, {}], ["f", 0, 0, {}]]]}],
		"input_layers": ["in", 0, 0], "output_layers": [["a", 0, 0], ["f", 0, 0]]}}`)
	f.Fuzz(func(t *testing.T, config string) {
		if len(config) > 4000 {
			return // large networks take time, not thought
		}
		s := &kstore{}
		s.index()
		m, _, err := convertKeras(kerasSource{config: []byte(config), store: s}, KerasOptions{})
		if err != nil {
			return
		}
		if _, err := Opset(m, 13); err != nil {
			t.Error(err)
		}
	})
}
