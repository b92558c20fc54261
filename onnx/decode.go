package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxDepth bounds how deep messages nest: 64 graphs inside each other, each with its node and attribute.
const maxDepth = 64*3 + 8

// field is one field as found on the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	start int    // where its tag begins
	value int    // where its payload begins
	end   int    // where the next field begins
	u     uint64 // the number of a varint or fixed field
	lack  int    // bytes that its length announces and that are not there
	taken bool
}

// decoder reads messages from data without copying what is large: bytes fields are parts of data.
type decoder struct {
	data   []byte
	f      field
	depth  int
	dir    *folder // where external data lies, nil if nowhere
	budget int64   // bytes that sparse tensors may still expand to
	err    error
}

// decode reads all of data as one message.
func (d *decoder) decode(m message) error {
	d.f = field{end: len(d.data)}
	d.message(m)
	return d.err
}

// message reads the payload of the current field and returns which fields it had, by number below 64.
func (d *decoder) message(m message) (seen uint64) {
	outer := d.f
	d.depth++
	if d.depth > maxDepth {
		d.fail(outer.start, "messages are nested deeper than %d (64 graphs)", maxDepth)
	}
	for pos := outer.value; pos < outer.end && d.err == nil; pos = d.f.end {
		if d.next(pos, outer.end) {
			if d.f.num < 64 {
				seen |= 1 << d.f.num
			}
			m.fields(d)
		}
	}
	d.depth--
	d.f = outer
	d.f.taken = true
	return seen
}

// next finds the field that begins at pos in a message that ends at end.
func (d *decoder) next(pos, end int) bool {
	b := d.data[pos:end]
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		d.wireFault(pos, "tag of a field", n)
		return false
	}
	f := field{num: num, typ: typ, start: pos, value: pos + n, end: end}
	b = b[n:]
	switch typ {
	case protowire.VarintType:
		f.u, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var u uint32
		u, n = protowire.ConsumeFixed32(b)
		f.u = uint64(u)
	case protowire.Fixed64Type:
		f.u, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		var size uint64
		if size, n = protowire.ConsumeVarint(b); n >= 0 {
			f.value += n
			if left := uint64(len(b) - n); size > left {
				f.u, f.lack = size, int(min(size-left, math.MaxInt))
				n = len(b)
			} else {
				n += int(size)
			}
		}
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		d.wireFault(pos, fmt.Sprintf("field %d", num), n)
		return false
	}
	f.end = pos + (len(d.data[pos:end]) - len(b)) + n
	d.f = f
	return true
}

func (d *decoder) wireFault(pos int, what string, code int) {
	if err := protowire.ParseError(code); errors.Is(err, errUnexpectedEOF) {
		d.fail(pos, "truncated inside the %s", what)
	} else {
		d.fail(pos, "%s is not protobuf: %v", what, err)
	}
}

// errUnexpectedEOF is what protowire reports for bytes that end too soon.
var errUnexpectedEOF = protowire.ParseError(func() int { _, n := protowire.ConsumeVarint(nil); return n }())

// fail records the first fault.
func (d *decoder) fail(offset int, format string, args ...any) {
	if d.err == nil {
		d.err = &FormatError{Offset: int64(offset), What: fmt.Sprintf(format, args...)}
	}
}

// labelled messages have a name that error messages show.
type labelled interface{ label() string }

// within prefixes a fault found inside a field with the field's name, its index where that is not negative, and its label.
func (d *decoder) within(name string, index int, v any) {
	var e *FormatError
	if !errors.As(d.err, &e) {
		return
	}
	if index >= 0 {
		name = fmt.Sprintf("%s[%d]", name, index)
	}
	if l, ok := v.(labelled); ok && l.label() != "" {
		name += fmt.Sprintf(" %q", l.label())
	}
	if e.Field != "" {
		name += "." + e.Field
	}
	e.Field = name
}

// take reports whether the current field is the one named, and marks it as taken. A field that is cut short or of
// another wire type than one of those given is a fault.
func (d *decoder) take(num protowire.Number, name string, types ...protowire.Type) bool {
	if d.f.num != num || d.f.taken || d.err != nil {
		return false
	}
	d.f.taken = true
	if d.f.lack > 0 {
		d.lacking(name)
		return false
	}
	if !slices.Contains(types, d.f.typ) {
		d.fail(d.f.start, "%s (field %d) has wire type %d, want %d", name, num, d.f.typ, types[0])
		return false
	}
	return true
}

func (d *decoder) lacking(name string) {
	d.fail(d.f.start, "truncated: %s (field %d) has %d bytes, of which %d are there", name, d.f.num, d.f.u, d.f.end-d.f.value)
}

// payload returns the bytes of the current field, without room behind them for append.
func (d *decoder) payload() []byte { return d.data[d.f.value:d.f.end:d.f.end] }

func (d *decoder) text(num protowire.Number, name string, p *string) {
	if d.take(num, name, protowire.BytesType) {
		*p = string(d.payload())
	}
}

func (d *decoder) texts(num protowire.Number, name string, p *[]string) {
	if d.take(num, name, protowire.BytesType) {
		*p = append(*p, string(d.payload()))
	}
}

func (d *decoder) bytes(num protowire.Number, name string, p *[]byte, _ bool) {
	if d.take(num, name, protowire.BytesType) {
		*p = d.payload()
	}
}

func (d *decoder) bytesList(num protowire.Number, name string, p *[][]byte) {
	if d.take(num, name, protowire.BytesType) {
		*p = append(*p, slices.Clone(d.payload()))
	}
}

func (d *decoder) varint(num protowire.Number, name string, p *int64, _ bool) {
	if d.take(num, name, protowire.VarintType) {
		*p = int64(d.f.u)
	}
}

func (d *decoder) varints(num protowire.Number, name string, p *[]int64) {
	if !d.take(num, name, protowire.VarintType, protowire.BytesType) {
		return
	}
	if d.f.typ == protowire.VarintType {
		*p = append(*p, int64(d.f.u))
		return
	}
	for b := d.payload(); len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			d.fail(d.f.end-len(b), "%s: number %d is cut or too long", name, len(*p))
			return
		}
		*p = append(*p, int64(v))
		b = b[n:]
	}
}

func (d *decoder) float(num protowire.Number, name string, p *float32, _ bool) {
	if d.take(num, name, protowire.Fixed32Type) {
		*p = math.Float32frombits(uint32(d.f.u))
	}
}

func (d *decoder) floats(num protowire.Number, name string, p *[]float32) {
	var b []byte
	d.packed(num, name, protowire.Fixed32Type, &b)
	for ; len(b) > 0; b = b[4:] {
		u, _ := protowire.ConsumeFixed32(b)
		*p = append(*p, math.Float32frombits(u))
	}
}

func (d *decoder) packed(num protowire.Number, name string, typ protowire.Type, p *[]byte) {
	if !d.take(num, name, typ, protowire.BytesType) {
		return
	}
	b := d.payload()
	size := 1
	switch typ {
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	}
	if len(b)%size != 0 {
		d.fail(d.f.start, "%s: %d bytes are not a whole number of %d-byte elements", name, len(b), size)
		return
	}
	if *p == nil {
		*p = b
	} else {
		*p = append(*p, b...)
	}
}

func (d *decoder) unknown(p *[]byte) {
	switch {
	case d.f.taken || d.err != nil:
	case d.f.lack > 0:
		d.lacking("a field unknown here")
	default:
		*p = append(*p, d.data[d.f.start:d.f.end]...)
	}
}

// Labels of messages for error messages.

func (n *Node) label() string      { return n.Name }
func (a *Attribute) label() string { return a.Name }
func (v *Value) label() string     { return v.Name }
func (f *Function) label() string  { return strings.TrimPrefix(f.Domain+"."+f.Name, ".") }
func (t *Tensor) label() string {
	if t == nil {
		return ""
	}
	return t.Name
}
