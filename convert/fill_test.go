package convert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// fillTiny puts a file's weights into tinyNet.
func fillTiny(t *testing.T, file []byte, classes int, o FillOptions) (*onnx.Model, Report, error) {
	t.Helper()
	w, err := ReadWeights(write(t, "w.pth", file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	m := tinyNet(classes)
	r, err := Fill(m, w, o)
	return m, r, err
}

func bytesOf(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Prefixes and wrappers are found and reported, and give the same model (case 34).
func TestFillFindsPrefixes(t *testing.T) {
	plain, _, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{tinyState(4, "")}), 4, FillOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := bytesOf(t, plain)
	averages := tinyState(4, "module.")
	averages[0].data = floats(9, 9)
	for _, c := range []struct {
		name     string
		groups   []string
		elements [][]element
		o        FillOptions
		prefix   string
		others   []Group
		other    bool // other weights than the plain file's
	}{
		{"plain", []string{""}, [][]element{tinyState(4, "")}, FillOptions{}, "", nil, false},
		{"DataParallel", []string{""}, [][]element{tinyState(4, "module.")}, FillOptions{}, "module.", nil, false},
		{"nested prefixes", []string{""}, [][]element{tinyState(4, "model._orig_mod.")}, FillOptions{}, "model._orig_mod.", nil, false},
		{"state_dict", []string{"state_dict"}, [][]element{tinyState(4, "")}, FillOptions{}, "state_dict.", nil, false},
		{"model, module", []string{"model"}, [][]element{tinyState(4, "module.")}, FillOptions{}, "model.module.", nil, false},
		{"average beside", []string{"state_dict", "model_ema"}, [][]element{tinyState(4, ""), averages}, FillOptions{}, "state_dict.", []Group{{"model_ema", 5}}, false},
		{"average first", []string{"model_ema", "state_dict"}, [][]element{averages, tinyState(4, "")}, FillOptions{}, "state_dict.", []Group{{"model_ema", 5}}, false},
		{"average chosen", []string{"state_dict", "model_ema"}, [][]element{tinyState(4, ""), averages}, FillOptions{Group: "model_ema."}, "model_ema.module.", []Group{{"state_dict", 5}}, true},
		{"average alone", []string{"state_dict_ema"}, [][]element{tinyState(4, "")}, FillOptions{}, "state_dict_ema.", nil, false},
	} {
		m, r, err := fillTiny(t, torchZipOf(t, c.groups, c.elements), 4, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.Prefix != c.prefix || r.Matched != 4 || r.Parameters != 4 || len(r.Unexpected) != 0 || !reflect.DeepEqual(r.Others, c.others) {
			t.Errorf("%s: %+v", c.name, r)
		}
		if got := bytesOf(t, m); bytes.Equal(got, want) == c.other {
			t.Errorf("%s: the same model as from the plain file: %v", c.name, !c.other)
		}
	}
}

// What does not fit is said all at once, with the nearest names, and the model stays as it was (case 34).
func TestFillErrors(t *testing.T) {
	misspelt := tinyState(4, "")
	misspelt[0].name = "conv.wieght"
	collide := append(tinyState(4, "module."), element{"fc.bias", "FloatStorage", []int{4}, floats(1, 2, 3, 4)})
	others := []element{{"a.kernel", "FloatStorage", []int{1}, floats(1)}}
	body := tinyState(4, "")
	body[1] = element{"conv.bias", "FloatStorage", []int{3}, floats(1, 2, 3)}
	for _, c := range []struct {
		name     string
		elements []element
		o        FillOptions
		want     []string
	}{
		{"misspelt", misspelt, FillOptions{}, []string{"of 4 parameters 3 fit, 1 are missing", "missing: conv.weight [2 1 1 1] (the file has conv.wieght)", "not expected: conv.wieght"}},
		{"collision", collide, FillOptions{}, []string{`"module.fc.bias" and "fc.bias" are the same parameter`}},
		{"zero matches", others, FillOptions{}, []string{"none of the model's 4 parameters is in the file", "missing: fc.bias [4]", "not expected: a.kernel"}},
		{"zero matches, allowed", others, FillOptions{AllowMissing: true}, []string{"none of the model's 4 parameters"}},
		{"head", tinyState(10, ""), FillOptions{}, []string{"2 have another shape", "fc.weight: want [4 2], the file has [10 2]", "the file is of 10 classes, the model of 4", "--new-head 4"}},
		{"body", body, FillOptions{}, []string{"conv.bias: want [2], the file has [3]"}},
		{"body and new head", body, FillOptions{NewHead: 4}, []string{"conv.bias: want [2], the file has [3]"}},
		{"new head of other size", tinyState(4, ""), FillOptions{NewHead: 3}, []string{"a new head of 3 classes is asked for, and the model has 4 outputs"}},
		{"negative head", tinyState(4, ""), FillOptions{NewHead: -1}, []string{"a new head of -1 classes"}},
		{"group that is not there", tinyState(4, ""), FillOptions{Group: "ema."}, []string{"none of the model's 4 parameters"}},
	} {
		before := bytesOf(t, tinyNet(4))
		m, _, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{c.elements}), 4, c.o)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range append(c.want, "w.pth: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", c.name, err, want)
			}
		}
		if c.name != "body" && strings.Contains(c.name, "body") && strings.Contains(err.Error(), "--new-head") {
			t.Errorf("%s: advice about the head in %q", c.name, err)
		}
		if !bytes.Equal(bytesOf(t, m), before) {
			t.Errorf("%s: the model was changed", c.name)
		}
	}
}

func TestFillUnused(t *testing.T) {
	s := append(tinyState(4, "module."), element{"module.Aux.fc", "FloatStorage", []int{1}, floats(1)}, element{"module.other", "FloatStorage", []int{1}, floats(1)})
	_, r, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{s}), 4, FillOptions{Unused: []string{"Aux."}})
	if err != nil || !reflect.DeepEqual(r.Unexpected, []string{"other"}) {
		t.Errorf("%v %v", r.Unexpected, err)
	}
}

func TestFillListsAtMostTwenty(t *testing.T) {
	var many []element
	for range 30 {
		many = append(many, element{strings.Repeat("z", len(many)+9), "FloatStorage", []int{1}, floats(1)})
	}
	_, _, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{many}), 4, FillOptions{})
	if err == nil || !strings.Contains(err.Error(), "not expected: and 10 more") {
		t.Error(err)
	}
	var fe *FillError
	if !errors.As(err, &fe) || len(fe.Report.Unexpected) != 30 {
		t.Errorf("%T", err)
	}
}

// --new-head starts exactly the last layer anew (case 34).
func TestFillNewHead(t *testing.T) {
	file := torchZipOf(t, []string{""}, [][]element{tinyState(10, "")})
	m, r, err := fillTiny(t, file, 3, FillOptions{NewHead: 3, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"fc.bias", "fc.weight"}; !reflect.DeepEqual(r.New, want) || r.Matched != 2 || len(r.Misshapen)+len(r.Missing)+len(r.Unexpected) > 0 {
		t.Errorf("%+v", r)
	}
	if got := m.Graph.Initializer("conv.weight").Float32s(); !reflect.DeepEqual(got, []float32{2, -1}) {
		t.Errorf("conv.weight %v", got)
	}
	w := m.Graph.Initializer("fc.weight")
	nonZero := false
	for _, v := range w.Float32s() {
		nonZero = nonZero || v != 0
		if math.Abs(float64(v)) > 1/math.Sqrt2 {
			t.Errorf("%v is beyond 1/sqrt(2)", v)
		}
	}
	if !nonZero || !reflect.DeepEqual(w.Shape, []int{3, 2}) {
		t.Errorf("fc.weight %v %v", w.Shape, w.Float32s())
	}
	same, _, _ := fillTiny(t, file, 3, FillOptions{NewHead: 3, Seed: 5})
	other, _, _ := fillTiny(t, file, 3, FillOptions{NewHead: 3, Seed: 6})
	if !bytes.Equal(bytesOf(t, m), bytesOf(t, same)) || bytes.Equal(bytesOf(t, m), bytesOf(t, other)) {
		t.Error("the seed does not decide")
	}
}

func TestFillAllowMissing(t *testing.T) {
	s := tinyState(10, "")[1:]
	m, r, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{s}), 4, FillOptions{AllowMissing: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Matched != 1 || len(r.Missing) != 1 || len(r.Misshapen) != 2 {
		t.Errorf("%+v", r)
	}
	if got := m.Graph.Initializer("conv.bias").Float32s(); !reflect.DeepEqual(got, []float32{0.25, 3}) {
		t.Errorf("conv.bias %v", got)
	}
	if got := m.Graph.Initializer("fc.bias").Float32s(); !reflect.DeepEqual(got, []float32{0, 0, 0, 0}) {
		t.Errorf("fc.bias %v", got)
	}
}

// Conversions of the element type are exact where the type allows it (case 34).
func TestFillConverts(t *testing.T) {
	s := tinyState(4, "")
	s[0].class, s[0].data = "BFloat16Storage", []byte{0xc0, 0x3f, 0x00, 0xc0} // 1.5, -2
	s[1].class, s[1].data = "DoubleStorage", nil
	for _, v := range []float64{0.1, -3} {
		s[1].data = binary.LittleEndian.AppendUint64(s[1].data, math.Float64bits(v))
	}
	s[4].class, s[4].data = "HalfStorage", []byte{0x00, 0x3c, 0x01, 0x00, 0xff, 0x7b, 0x00, 0xc0} // 1, the smallest, the largest, -2
	m, r, err := fillTiny(t, torchZipOf(t, []string{""}, [][]element{s}), 4, FillOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Converted != 3 {
		t.Errorf("%d converted, want 3", r.Converted)
	}
	for name, want := range map[string][]float32{
		"conv.weight": {1.5, -2}, "conv.bias": {0.1, -3}, "fc.bias": {1, 1.0 / (1 << 24), 65504, -2},
	} {
		if got := m.Graph.Initializer(name).Float32s(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestFillWantsParameters(t *testing.T) {
	w := NewWeights("", "", 0)
	m := tinyNet(4)
	m.Graph.Initializers = nil
	if _, err := Fill(m, w, FillOptions{}); err == nil || !strings.Contains(err.Error(), "no parameters") {
		t.Error(err)
	}
	m = tinyNet(4)
	m.Graph.Outputs[0].Name = "r"
	m.Graph.Nodes[0].Inputs[1] = "x"
	if _, err := Fill(m, w, FillOptions{NewHead: 4}); err == nil || !strings.Contains(err.Error(), `the weights of node "conv" (Conv), the last layer`) {
		t.Error(err)
	}
}
