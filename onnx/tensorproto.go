package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
)

// tensorProto is a TensorProto as it lies in a file. A Tensor is read from it and written by it.
type tensorProto struct {
	dims     []int64
	typ      DataType
	data     [len(dataFields)][]byte // of the typed fields, in packed form
	strings  [][]byte
	raw      []byte
	name     string
	doc      string
	external []Entry
	location int64 // 1: the data lies in another file
	metadata []Entry
	unknown  []byte
}

// The typed fields, as indices of dataFields.
const (
	floatData = iota
	int32Data
	int64Data
	doubleData
	uint64Data
	stringData
)

var dataFields = [...]struct {
	num  protowire.Number
	name string
	wire protowire.Type
}{
	floatData:  {4, "float_data", protowire.Fixed32Type},
	int32Data:  {5, "int32_data", protowire.VarintType},
	int64Data:  {7, "int64_data", protowire.VarintType},
	doubleData: {10, "double_data", protowire.Fixed64Type},
	uint64Data: {11, "uint64_data", protowire.VarintType},
	stringData: {6, "string_data", protowire.BytesType},
}

func (w *tensorProto) fields(c codec) {
	field := func(i int) {
		f := &dataFields[i]
		c.packed(f.num, f.name, f.wire, &w.data[i])
	}
	c.varints(1, "dims", &w.dims)
	enum(c, 2, "data_type", &w.typ, true)
	field(floatData)
	field(int32Data)
	c.bytesList(6, "string_data", &w.strings)
	field(int64Data)
	c.text(8, "name", &w.name)
	c.bytes(9, "raw_data", &w.raw, false)
	field(doubleData)
	field(uint64Data)
	c.text(12, "doc_string", &w.doc)
	values(c, 13, "external_data", &w.external)
	c.varint(14, "data_location", &w.location, false)
	values(c, 16, "metadata_props", &w.metadata)
	c.unknown(&w.unknown)
}

// tensors is a repeated TensorProto, tensor an optional one.
func tensors(c codec, num protowire.Number, name string, p *[]*Tensor) {
	each(c, num, name, p, decodeTensor, encodeTensor)
}

func tensor(c codec, num protowire.Number, name string, p **Tensor) {
	one(c, num, name, p, decodeTensor, encodeTensor)
}

func encodeTensor(e *encoder, num protowire.Number, t *Tensor) { e.message(num, e.proto(t)) }

// proto returns t as it is written: numbers as raw data.
func (e *encoder) proto(t *Tensor) *tensorProto {
	w := &tensorProto{typ: t.Type, name: t.Name, doc: t.Doc, metadata: t.Metadata, unknown: t.unknown}
	for _, d := range t.Shape {
		w.dims = append(w.dims, int64(d))
	}
	for _, s := range t.Strings {
		w.strings = append(w.strings, []byte(s))
	}
	if err := t.validate(); err != nil && e.err == nil {
		e.err = err
	}
	if p, ok := e.external[t]; ok {
		w.location, w.external = 1, p.entries()
	} else {
		w.raw = t.Raw
	}
	return w
}

// validate reports a tensor whose data does not fit its type and shape.
func (t *Tensor) validate() error {
	n, err := elements(t.Shape)
	if err == nil && t.Type.Known() {
		err = t.size(n)
	}
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

// elements returns the number of elements of a shape whose bytes can be counted in an int whatever their type.
func elements[T int | int64](shape []T) (int, error) {
	n, fits := sizes.Product(shape...)
	switch {
	case slices.ContainsFunc(shape, func(d T) bool { return d < 0 }):
		return 0, fmt.Errorf("shape %v has a negative dimension", shape)
	case !fits || n > sizes.Most/128:
		return 0, fmt.Errorf("shape %v has too many elements", shape)
	}
	return int(n), nil
}

func decodeTensor(d *decoder) *Tensor {
	start := d.f.start
	var w tensorProto
	d.message(&w)
	t := &Tensor{Name: w.name, Type: w.typ, Doc: w.doc, Metadata: w.metadata, unknown: w.unknown}
	if d.err == nil {
		if err := w.fill(t, d); err != nil {
			if d.err = err; !isExternal(err) {
				d.err = &FormatError{Offset: int64(start), What: err.Error()}
			}
		}
	}
	return t
}

// fill gives t its shape and its data.
func (w *tensorProto) fill(t *Tensor, d *decoder) error {
	n, err := elements(w.dims)
	if err != nil {
		return err
	}
	t.Shape = make([]int, len(w.dims))
	for i, v := range w.dims {
		t.Shape[i] = int(v)
	}
	if w.location != 0 {
		if t.Raw, err = d.dir.read(w, n); err != nil {
			return err
		}
		w.raw = t.Raw
	}
	if !t.Type.Known() {
		w.keep(t)
		return nil
	}
	from, err := w.given()
	if err != nil {
		return err
	}
	want := home(t.Type)
	switch {
	case from < 0 && t.Type != String: // raw, external or none
		t.Raw = w.raw
		if len(w.raw) == 0 && n > 0 {
			return fmt.Errorf("%v%v takes %d bytes, and there is no data", t.Type, t.Shape, t.Type.Bytes(n))
		}
	case len(w.raw) > 0 && t.Type == String:
		return fmt.Errorf("strings are given as raw data")
	case len(w.raw) > 0:
		return fmt.Errorf("data is given both as raw_data and as %s", dataFields[from].name)
	case from >= 0 && from != want:
		return fmt.Errorf("%v data is given as %s, want %s", t.Type, dataFields[from].name, dataFields[want].name)
	case t.Type == String:
		for _, s := range w.strings {
			t.Strings = append(t.Strings, string(s))
		}
	case want == floatData || want == doubleData: // their bytes are those of raw data
		t.Raw = w.data[want]
	default:
		if t.Raw, err = widen(w.data[want], want, t.Type, n); err != nil {
			return err
		}
	}
	if err := t.size(n); err != nil {
		return err
	}
	if t.Type == Bool {
		t.Raw = bools(t.Raw)
	}
	return nil
}

// given returns which typed field has data, -1 where none has.
func (w *tensorProto) given() (int, error) {
	from := -1
	for i, f := range dataFields {
		switch {
		case len(w.data[i]) == 0 && (i != stringData || len(w.strings) == 0):
		case from >= 0:
			return 0, fmt.Errorf("data is given both as %s and as %s", dataFields[from].name, f.name)
		default:
			from = i
		}
	}
	return from, nil
}

// size reports data that is longer or shorter than n elements.
func (t *Tensor) size(n int) error {
	have, want, unit := len(t.Raw), t.Type.Bytes(n), "bytes"
	if t.Type == String {
		have, want, unit = len(t.Strings), n, "strings"
	}
	if have != want {
		return fmt.Errorf("%v%v takes %d %s, has %d", t.Type, t.Shape, want, unit, have)
	}
	return nil
}

// keep holds on to the data of a type that this package does not know: raw data as Raw, other fields for writing.
func (w *tensorProto) keep(t *Tensor) {
	t.Raw = w.raw
	for i, f := range dataFields {
		if len(w.data[i]) > 0 {
			t.unknown = protowire.AppendTag(t.unknown, f.num, protowire.BytesType)
			t.unknown = protowire.AppendBytes(t.unknown, w.data[i])
		}
	}
	for _, s := range w.strings {
		t.Strings = append(t.Strings, string(s))
	}
}

// home returns which typed field holds data of a type.
func home(t DataType) int {
	switch t {
	case Float, Complex64:
		return floatData
	case Double, Complex128:
		return doubleData
	case Int64:
		return int64Data
	case Uint32, Uint64:
		return uint64Data
	case String:
		return stringData
	}
	return int32Data
}

// ranges lists what a number in int32_data or uint64_data may be. Bit patterns are taken with and without sign.
var ranges = map[DataType][2]int64{
	Int8: {math.MinInt8, math.MaxInt8}, Uint8: {0, math.MaxUint8},
	Int16: {math.MinInt16, math.MaxInt16}, Uint16: {0, math.MaxUint16},
	Int32: {math.MinInt32, math.MaxInt32}, Uint32: {0, math.MaxUint32},
	Bool: {math.MinInt32, math.MaxInt32}, Float16: {math.MinInt16, math.MaxUint16}, BFloat16: {math.MinInt16, math.MaxUint16},
	Float6E2M3: {0, 63}, Float6E3M2: {0, 63},
}

// widen converts varints to raw data for n elements. Elements of 2 and 4 bits lie packed in bytes in both, those of 6 bits
// in the raw data alone.
func widen(packed []byte, field int, typ DataType, n int) ([]byte, error) {
	size := (typ.Bits() + 7) / 8
	numbers := typ.Bytes(n) / size
	if typ.Bits() == 6 {
		numbers = n
	}
	count := 0
	for _, b := range packed {
		if b < 0x80 {
			count++
		}
	}
	if count != numbers {
		return nil, fmt.Errorf("%s has %d numbers, %v with %d elements takes %d", dataFields[field].name, count, typ, n, numbers)
	}
	limit, ok := ranges[typ]
	if !ok {
		limit = [2]int64{math.MinInt8, math.MaxUint8}
	}
	wide := typ == Int64 || typ == Uint64
	raw := make([]byte, 0, count*size)
	for i := 0; len(packed) > 0; i++ {
		u, k := protowire.ConsumeVarint(packed)
		if k < 0 {
			return nil, fmt.Errorf("%s: number %d is cut or too long", dataFields[field].name, i)
		}
		packed = packed[k:]
		v := int64(u)
		if field == int32Data {
			v = int64(int32(u)) // as protobuf has it: the upper half of the varint is dropped
		}
		if !wide && (v < limit[0] || v > limit[1]) {
			return nil, fmt.Errorf("%s: number %d is %d, which %v does not hold", dataFields[field].name, i, v, typ)
		}
		switch size {
		case 1:
			raw = append(raw, byte(v))
			if typ == Bool {
				raw[i] = b2i(v != 0)
			}
		case 2:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		case 4:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		default:
			raw = binary.LittleEndian.AppendUint64(raw, u)
		}
	}
	if typ.Bits() == 6 {
		dense := make([]byte, typ.Bytes(n))
		for i, v := range raw {
			copyElement(6, dense, i, []byte{v}, 0)
		}
		return dense, nil
	}
	return raw, nil
}

func b2i(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// bools returns raw with every true as 1, which is what Go's bool has to be; a copy where raw has others.
func bools(raw []byte) []byte {
	for i, b := range raw {
		if b > 1 {
			c := make([]byte, len(raw))
			copy(c, raw[:i])
			for j := i; j < len(raw); j++ {
				c[j] = b2i(raw[j] != 0)
			}
			return c
		}
	}
	return raw
}
