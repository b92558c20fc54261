package onnx

import "google.golang.org/protobuf/encoding/protowire"

// A message is a protobuf message that lists its fields once, by number, for reading and for writing. Reading calls
// fields for every field that is found, and the line whose number fits takes it; writing calls fields once, and
// every line writes what it has, so that files have their fields in the order of the lines. The last line is unknown,
// which takes what no other line took.
type message interface{ fields(c codec) }

// A codec is one of the two visitors of a message's fields: *decoder or *encoder.
type codec interface {
	text(num protowire.Number, name string, p *string)
	texts(num protowire.Number, name string, p *[]string)
	// bytes, varint and float leave out what is empty or zero in writing unless always is set. In reading, bytes are
	// a part of the data read; bytesList copies.
	bytes(num protowire.Number, name string, p *[]byte, always bool)
	bytesList(num protowire.Number, name string, p *[][]byte)
	varint(num protowire.Number, name string, p *int64, always bool)
	varints(num protowire.Number, name string, p *[]int64)
	float(num protowire.Number, name string, p *float32, always bool)
	floats(num protowire.Number, name string, p *[]float32)
	// packed keeps repeated numbers of a wire type as they lie in a packed field.
	packed(num protowire.Number, name string, typ protowire.Type, p *[]byte)
	unknown(p *[]byte)
}

// enum is a varint held in a named type.
func enum[T ~int32](c codec, num protowire.Number, name string, p *T, always bool) {
	v := int64(*p)
	c.varint(num, name, &v, always)
	*p = T(v)
}

// each is a repeated message whose elements in reads and out writes.
func each[T any](c codec, num protowire.Number, name string, p *[]T, in func(*decoder) T, out func(*encoder, protowire.Number, T)) {
	switch c := c.(type) {
	case *decoder:
		if c.take(num, name, protowire.BytesType) {
			v := in(c)
			c.within(name, len(*p), v)
			*p = append(*p, v)
		}
	case *encoder:
		for _, v := range *p {
			out(c, num, v)
		}
	}
}

// one is an optional message that in reads and out writes.
func one[T any](c codec, num protowire.Number, name string, p **T, in func(*decoder) *T, out func(*encoder, protowire.Number, *T)) {
	switch c := c.(type) {
	case *decoder:
		if !c.take(num, name, protowire.BytesType) {
			return
		}
		if *p != nil {
			c.fail(c.f.start, "%s is given twice", name)
			return
		}
		*p = in(c)
		c.within(name, -1, *p)
	case *encoder:
		if *p != nil {
			out(c, num, *p)
		}
	}
}

// messagePtr is a pointer to T that is a message.
type messagePtr[T any] interface {
	*T
	message
}

func decodeNew[T any, P messagePtr[T]](d *decoder) *T {
	m := new(T)
	d.message(P(m))
	return m
}

func encodePtr[T any, P messagePtr[T]](e *encoder, num protowire.Number, m *T) { e.message(num, P(m)) }

// subs is a repeated message held by pointers, values one held by values, and sub an optional message.
func subs[T any, P messagePtr[T]](c codec, num protowire.Number, name string, p *[]*T) {
	each(c, num, name, p, decodeNew[T, P], encodePtr[T, P])
}

func values[T any, P messagePtr[T]](c codec, num protowire.Number, name string, p *[]T) {
	each(c, num, name, p,
		func(d *decoder) (v T) { d.message(P(&v)); return v },
		func(e *encoder, num protowire.Number, v T) { e.message(num, P(&v)) })
}

func sub[T any, P messagePtr[T]](c codec, num protowire.Number, name string, p **T) {
	one(c, num, name, p, decodeNew[T, P], encodePtr[T, P])
}
