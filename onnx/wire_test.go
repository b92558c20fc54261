package onnx

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// pb is a protobuf message put together field by field, the way no encoder of this package does it.
type pb []byte

func (m pb) int(num protowire.Number, v int64) pb {
	return protowire.AppendVarint(protowire.AppendTag(m, num, protowire.VarintType), uint64(v))
}

func (m pb) str(num protowire.Number, s string) pb {
	return protowire.AppendString(protowire.AppendTag(m, num, protowire.BytesType), s)
}

func (m pb) sub(num protowire.Number, b pb) pb { return m.str(num, string(b)) }

func (m pb) f32(num protowire.Number, v float32) pb {
	return protowire.AppendFixed32(protowire.AppendTag(m, num, protowire.Fixed32Type), math.Float32bits(v))
}

func (m pb) f64(num protowire.Number, v float64) pb {
	return protowire.AppendFixed64(protowire.AppendTag(m, num, protowire.Fixed64Type), math.Float64bits(v))
}

// ints is a packed list of varints, raw32 and raw64 the bytes of floats.
func ints(v ...int64) string {
	var b []byte
	for _, i := range v {
		b = protowire.AppendVarint(b, uint64(i))
	}
	return string(b)
}

func raw32(v ...float32) string {
	var b []byte
	for _, f := range v {
		b = protowire.AppendFixed32(b, math.Float32bits(f))
	}
	return string(b)
}

func raw64(v ...float64) string {
	var b []byte
	for _, f := range v {
		b = protowire.AppendFixed64(b, math.Float64bits(f))
	}
	return string(b)
}

// tensorPB is a tensor of a type and shape without data.
func tensorPB(name string, typ DataType, dims ...int64) pb {
	var m pb
	for _, d := range dims {
		m = m.int(1, d)
	}
	return m.int(2, int64(typ)).str(8, name)
}

// modelPB is a model with a graph.
func modelPB(graph pb) pb {
	return pb{}.int(1, 8).sub(7, graph).sub(8, pb{}.int(2, 17))
}

// equal reports whether two models hold the same.
func equal(a, b *Model) bool {
	x, y := *a, *b
	x.src, y.src, x.path, y.path = nil, nil, "", ""
	return reflect.DeepEqual(x, y)
}

// rewrite returns m as written.
func rewrite(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func parse(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantError fails unless err has all parts in its text.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q, want %q in it", err, p)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has several lines", err)
	}
}

// extended appends a field that no version of ONNX has, with a value of its own.
func extended(m pb, v string) pb { return m.str(1000, v).int(2001, 5) }

// everything is a model that has every message, every one with unknown fields and with fields kept as read.
func everything() pb {
	entry := func(k string) pb { return extended(pb{}.str(1, k).str(2, "v"), "entry") }
	dim := func(m pb) pb { return extended(m, "dim") }
	shape := extended(pb{}.sub(1, dim(pb{}.int(1, 3))).sub(1, dim(pb{}.str(2, "N"))).sub(1, dim(pb{}.str(3, "CHANNELS"))), "shape")
	tensorType := extended(pb{}.int(1, 1).sub(2, shape), "tensor type")
	typ := extended(pb{}.sub(1, tensorType).str(6, "IMAGE"), "type")
	value := func(name string, typ pb) pb {
		return extended(pb{}.str(1, name).sub(2, typ).str(3, "doc").sub(4, entry("vk")), "value")
	}
	weight := extended(tensorPB("w", Float, 2).str(9, raw32(1, 2)).str(12, "doc").sub(16, entry("tk")), "tensor")
	inner := extended(pb{}.sub(1, pb{}.str(1, "x").str(2, "z").str(4, "Relu")).str(2, "branch").sub(12, value("z", typ)), "inner graph")
	sparse := pb{}.sub(1, tensorPB("s", Float, 1).str(9, raw32(5))).sub(2, tensorPB("", Int64, 1).str(7, ints(2))).int(3, 4)
	attrs := []pb{
		extended(pb{}.str(1, "f").f32(2, 0).int(20, 1).str(13, "doc"), "attribute"),
		pb{}.str(1, "i").int(3, 0).int(20, 2),
		pb{}.str(1, "s").str(4, "").int(20, 3),
		pb{}.str(1, "t").sub(5, weight).int(20, 4),
		pb{}.str(1, "g").sub(6, inner).int(20, 5),
		pb{}.str(1, "floats").f32(7, 1).f32(7, 2).int(20, 6),
		pb{}.str(1, "ints").int(8, 1).int(8, -2).int(20, 7),
		pb{}.str(1, "strings").str(9, "a").str(9, "").int(20, 8),
		pb{}.str(1, "tensors").sub(10, weight).sub(10, weight).int(20, 9),
		pb{}.str(1, "graphs").sub(11, inner).int(20, 10),
		pb{}.str(1, "tp").sub(14, typ).int(20, 13),
		pb{}.str(1, "tps").sub(15, typ).int(20, 14),
		pb{}.str(1, "sparse").int(20, 11).sub(22, sparse),
		pb{}.str(1, "sparses").int(20, 12).sub(23, sparse).sub(23, sparse),
		pb{}.str(1, "ref").int(20, 1).str(21, "alpha"),
	}
	node := pb{}.str(1, "x").str(1, "").str(2, "y").str(3, "n").str(4, "Everything")
	for _, a := range attrs {
		node = node.sub(5, a)
	}
	node = extended(node.str(6, "doc").str(7, "dom").str(8, "ov").sub(9, entry("nk")).sub(10, pb{}.str(1, "device")), "node")
	graph := pb{}.sub(1, node).str(2, "g").sub(5, weight).str(10, "doc").sub(11, value("x", typ)).
		sub(11, value("seq", pb{}.sub(4, pb{}.sub(1, typ)).str(6, "D"))).sub(11, value("map", pb{}.sub(5, pb{}.int(1, 7).sub(2, typ)))).
		sub(11, value("opaque", pb{}.sub(7, pb{}.str(1, "d")))).sub(11, value("sparse", pb{}.sub(8, pb{}.int(1, 1)))).
		sub(11, value("opt", pb{}.sub(9, pb{}.sub(1, typ)))).sub(11, pb{}.str(1, "untyped")).sub(11, value("any", pb{}.sub(1, pb{}.int(1, 1)))).
		sub(12, value("y", typ)).sub(13, value("v", typ)).sub(16, entry("gk")).
		sub(14, pb{}.str(1, "quantised"))
	graph = extended(graph, "graph")
	function := extended(pb{}.str(1, "F").str(4, "a").str(5, "b").str(6, "alpha").sub(7, pb{}.str(1, "a").str(2, "b").str(4, "Relu")).str(8, "doc").
		sub(9, extended(pb{}.int(2, 17), "opset")).str(10, "dom").sub(11, attrs[1]).sub(12, value("b", typ)).str(13, "ov").sub(14, entry("fk")), "function")
	return extended(pb{}.int(1, 13).str(2, "p").str(3, "pv").str(4, "d").int(5, 6).str(6, "doc").sub(7, graph).
		sub(8, extended(pb{}.int(2, 17), "opset")).sub(8, pb{}.str(1, "dom").int(2, 1)).sub(14, entry("mk")).
		sub(25, function).sub(20, pb{}.sub(1, graph)).sub(26, pb{}.str(1, "config")), "model")
}

func TestRoundTrip(t *testing.T) {
	data := everything()
	m := parse(t, data)
	once := rewrite(t, m)
	again := parse(t, once)
	if !equal(m, again) {
		t.Errorf("read, written and read again is another model\n%+v\n%+v", m, again)
	}
	if twice := rewrite(t, again); !bytes.Equal(once, twice) {
		t.Error("written twice gives different bytes")
	}
	kept := []pb{pb{}.str(1, "device"), pb{}.str(1, "config"), pb{}.str(1, "quantised")} // of fields that ONNX has
	for _, what := range []string{"entry", "dim", "shape", "tensor type", "type", "value", "tensor", "inner graph", "attribute",
		"node", "graph", "function", "opset", "model"} {
		kept = append(kept, extended(nil, what))
	}
	for _, b := range kept {
		if got, want := bytes.Count(once, b), bytes.Count(data, b); got != want || want == 0 {
			t.Errorf("%q is there %d times after the round trip, want %d", b, got, want)
		}
	}
	// A file in which every list is unpacked and no field is zero for nothing comes out as it came in.
	plain := modelPB(pb{}.sub(1, pb{}.str(1, "x").str(2, "y").str(4, "Relu").sub(5, pb{}.str(1, "a").int(8, 1).int(8, 2).int(20, 7))).str(2, "g"))
	if got := rewrite(t, parse(t, plain)); !bytes.Equal(got, plain) {
		t.Errorf("got % x, want % x", got, plain)
	}
}

// What the fields of every message are read as.
func TestFields(t *testing.T) {
	m := parse(t, everything())
	g := m.Graph
	n := g.Nodes[0]
	attr := func(name string) *Attribute { return n.Attr(name) }
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"ir version", m.IRVersion, int64(13)},
		{"producer", m.ProducerName + m.ProducerVersion + m.Domain + m.Doc, "ppvddoc"},
		{"model version", m.ModelVersion, int64(6)},
		{"opset", m.OpsetVersion("ai.onnx"), 17},
		{"opset of a domain", m.OpsetVersion("dom"), 1},
		{"opset not there", m.OpsetVersion("other"), 0},
		{"node", n.Name + n.OpType + n.Domain + n.Overload + n.Doc, "nEverythingdomovdoc"},
		{"inputs", n.Inputs, []string{"x", ""}},
		{"f", attr("f").Type, AttrFloat},
		{"floats", attr("floats").Floats, []float32{1, 2}},
		{"ints", attr("ints").Ints, []int64{1, -2}},
		{"strings", attr("strings").Strings, [][]byte{[]byte("a"), {}}},
		{"t", attr("t").Tensor.Float32s(), []float32{1, 2}},
		{"g", attr("g").Graph.Nodes[0].OpType, "Relu"},
		{"graphs", len(attr("graphs").Graphs), 1},
		{"sparse", attr("sparse").Tensor.Float32s(), []float32{0, 0, 5, 0}},
		{"sparses", len(attr("sparses").Tensors), 2},
		{"ref", attr("ref").RefName, "alpha"},
		{"no attribute", attr("none") == nil, true},
		{"initializer", g.Initializer("w").Doc, "doc"},
		{"no initializer", g.Initializer("none") == nil, true},
		{"shape", g.Inputs[0].Type.Shape[0].Size, 3},
		{"parameter", g.Inputs[0].Type.Shape[1].Param, "N"},
		{"unknown size", g.Inputs[0].Type.Shape[2].Size, -1},
		{"kind", g.Inputs[1].Type.Kind, KindSequence},
		{"no type", g.Inputs[6].Type == nil, true},
		{"no shape", g.Inputs[7].Type.HasShape, false},
		{"function", m.Function("dom", "F", "ov").Defaults[0].Name, "i"},
		{"no function", m.Function("", "F", "ov") == nil, true},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	if v, ok := m.Meta("mk"); v != "v" || !ok {
		t.Errorf("metadata: %q, %v", v, ok)
	}
	m.SetMeta("mk", "new")
	m.SetMeta("more", "1")
	if v, _ := m.Meta("mk"); v != "new" || len(m.Metadata) != 2 {
		t.Errorf("set metadata: %v", m.Metadata)
	}
	if _, ok := m.Meta("none"); ok {
		t.Error("metadata that is not there was found")
	}
}

// Attributes of IR version 1 have no type.
func TestAttributeTypeByField(t *testing.T) {
	for _, c := range []struct {
		attr pb
		want AttrType
	}{
		{pb{}.f32(2, 1), AttrFloat}, {pb{}.int(3, 0), AttrInt}, {pb{}.str(4, "a"), AttrString},
		{pb{}.sub(5, tensorPB("", Float, 0)), AttrTensor}, {pb{}.sub(6, nil), AttrGraph}, {pb{}.str(7, raw32(1, 2)), AttrFloats},
		{pb{}.str(8, ints(1, 2)), AttrInts}, {pb{}.str(9, "a"), AttrStrings}, {nil, AttrUndefined},
	} {
		m := parse(t, modelPB(pb{}.sub(1, pb{}.str(4, "Op").sub(5, c.attr.str(1, "a")))))
		if got := m.Graph.Nodes[0].Attrs[0].Type; got != c.want {
			t.Errorf("% x: type %d, want %d", c.attr, got, c.want)
		}
	}
}

func nested(depth int) pb {
	g := pb{}.str(2, "g")
	for range depth {
		g = pb{}.sub(1, pb{}.str(4, "If").sub(5, pb{}.str(1, "b").sub(6, g).int(20, 5)))
	}
	return g
}

func TestFaults(t *testing.T) {
	attr := func(a pb) pb {
		return modelPB(pb{}.sub(1, pb{}.str(4, "A")).sub(1, pb{}.str(3, "n1").str(4, "B").sub(5, a)))
	}
	weight := func(w pb) pb { return modelPB(pb{}.sub(5, w)) }
	dim := func(d pb) pb {
		return modelPB(pb{}.sub(11, pb{}.str(1, "x").sub(2, pb{}.sub(1, pb{}.int(1, 1).sub(2, pb{}.sub(1, d))))))
	}
	whole := modelPB(pb{}.sub(1, pb{}.str(4, "Relu").str(2, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")))
	for _, c := range []struct {
		name  string
		data  pb
		parts []string
	}{
		{"case 17 c: cut in half", whole[:len(whole)/2], []string{"truncated: graph (field 7) has 42 bytes, of which", "at byte 2"}},
		{"cut in a tag", append(pb{}.int(1, 8), 0x80), []string{"truncated inside the tag of a field"}},
		{"cut in a number", append(pb{}.int(1, 8), 0x28, 0x80), []string{"truncated inside the field 5"}},
		{"cut in an unknown field", append(pb{}.int(1, 8), pb{}.str(1000, "abcdef")[:5]...), []string{"truncated: a field unknown here (field 1000) has 6 bytes, of which 2 are there"}},
		{"field number 0", append(pb{}.int(1, 8), 0x02, 0x01, 'a'), []string{"not protobuf"}},
		{"end of a group", append(pb{}.int(1, 8), 0x0c), []string{"not protobuf"}},
		{"wire type", pb{}.str(1, "x"), []string{"ir_version (field 1) has wire type 2, want 0"}},
		{"no graph", pb{}.int(1, 8), []string{"there is no graph"}},
		{"nothing known", pb{}.int(500, 8), []string{"there is no graph"}},
		{"graph twice", modelPB(nil).sub(7, nil), []string{"graph is given twice"}},
		{"cut list of numbers", attr(pb{}.str(1, "a").str(8, "\x01\x80")), []string{`graph.node[1] "n1".attribute[0] "a": ints: number 1`}},
		{"odd list of floats", attr(pb{}.str(1, "a").str(7, "12345")), []string{`floats: 5 bytes are not a whole number of 4-byte elements`}},
		{"too deep", modelPB(nested(70)), []string{"nested deeper than"}},
		{"negative dimension", weight(tensorPB("w", Float, 2, -1)), []string{`graph.initializer[0] "w": shape [2 -1] has a negative dimension`}},
		{"product too large", weight(tensorPB("w", Float, 1<<32, 1<<32)), []string{`"w": shape [4294967296 4294967296] has too many elements`}},
		{"product too large beside zero", weight(tensorPB("w", Float, 0, 1<<62, 1<<62)), []string{"too many elements"}},
		{"case 14 g: no data", weight(tensorPB("w", Float, 2, 3)), []string{`"w": float32[2 3] takes 24 bytes, and there is no data`}},
		{"too little data", weight(tensorPB("w", Float, 2).str(9, "12345")), []string{`"w": float32[2] takes 8 bytes, has 5`}},
		{"data without elements", weight(tensorPB("w", Float, 0).str(9, "12345")), []string{"takes 0 bytes, has 5"}},
		{"twice", weight(tensorPB("w", Float, 1).str(9, "1234").str(4, raw32(1))), []string{"both as raw_data and as float_data"}},
		{"two fields", weight(tensorPB("w", Float, 1).str(10, raw64(1)).str(4, raw32(1))), []string{"both as float_data and as double_data"}},
		{"other field", weight(tensorPB("w", Float, 1).str(10, raw64(1))), []string{"float32 data is given as double_data, want float_data"}},
		{"half a double", weight(tensorPB("w", Double, 1).str(10, "1234567")), []string{"7 bytes are not a whole number of 8-byte elements"}},
		{"six bits", weight(tensorPB("w", Float6E2M3, 2).str(5, ints(63, 64))), []string{"int32_data: number 1 is 64, which float6e2m3 does not hold"}},
		{"six bits, packed", weight(tensorPB("w", Float6E2M3, 4).str(5, ints(1, 2, 3))), []string{"int32_data has 3 numbers, float6e2m3 with 4 elements takes 4"}},
		{"number too large", weight(tensorPB("w", Int8, 2).str(5, ints(1, 128))), []string{"int32_data: number 1 is 128, which int8 does not hold"}},
		{"bits too large", weight(tensorPB("w", Float16, 1).str(5, ints(65536))), []string{"number 0 is 65536"}},
		{"too few numbers", weight(tensorPB("w", Int64, 2).str(7, ints(1))), []string{"int64_data has 1 numbers, int64 with 2 elements takes 2"}},
		{"cut number", weight(tensorPB("w", Int64, 1).str(7, "\x01\x80")), []string{"int64_data: number 1 is cut"}},
		{"raw strings", weight(tensorPB("w", String, 1).str(9, "a")), []string{"strings are given as raw data"}},
		{"too few strings", weight(tensorPB("w", String, 2).str(6, "a")), []string{"string[2] takes 2 strings, has 1"}},
		{"external in memory", weight(tensorPB("w", Float, 1).int(14, 1).sub(13, pb{}.str(1, "location").str(2, "w.bin"))),
			[]string{`tensor "w": external data "w.bin": the model was read from memory`, "ReadOptions.Dir"}},
		{"type of a dimension", dim(pb{}.str(1, "a")), []string{`graph.input[0] "x".type.tensor_type.shape.dim[0]: dim_value (field 1) has wire type 2`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.data)
			wantError(t, err, c.parts...)
			var f *FormatError
			var x *ExternalDataError
			if !errors.As(err, &f) && !errors.As(err, &x) {
				t.Errorf("%T is not a typed error", err)
			}
		})
	}
	if _, err := Parse(modelPB(nested(60))); err != nil {
		t.Error(err)
	}
	m := parse(t, dim(pb{}.int(1, -1)))
	if d := m.Graph.Inputs[0].Type.Shape[0]; d.Size != -1 {
		t.Errorf("dim_value -1: size %d, want unknown", d.Size)
	}
}

// A length that lies must not make memory be reserved.
func TestNoAllocationForLies(t *testing.T) {
	lies := []pb{
		append(pb{}.int(1, 8), 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		modelPB(pb{}.sub(5, tensorPB("w", Float, 1<<40))),
		modelPB(pb{}.sub(5, tensorPB("w", Int8, 1<<40).str(5, ints(1)))),
		modelPB(pb{}.sub(5, tensorPB("w", String, 1<<40).str(6, "a"))),
		modelPB(pb{}.sub(15, pb{}.sub(1, tensorPB("w", Float, 0)).sub(2, tensorPB("", Int64, 0)).int(3, 1<<40))),
	}
	for i, data := range lies {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Parse(data); err == nil {
			t.Errorf("lie %d was read", i)
		}
		runtime.ReadMemStats(&after)
		bytes := after.TotalAlloc - before.TotalAlloc
		if bytes > 1<<16 {
			t.Errorf("lie %d takes %d bytes", i, bytes)
		}
	}
}
