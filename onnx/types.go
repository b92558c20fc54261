package onnx

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// kindFields numbers the fields of TypeProto whose content is kept as read.
var kindFields = []struct {
	num  protowire.Number
	name string
	kind TypeKind
}{
	{4, "sequence_type", KindSequence}, {5, "map_type", KindMap}, {7, "opaque_type", KindOpaque},
	{8, "sparse_tensor_type", KindSparseTensor}, {9, "optional_type", KindOptional},
}

func (t *Type) fields(c codec) {
	embedded(c, 1, "tensor_type", (*tensorType)(t), true, func() { t.Kind = KindTensor })
	if d, ok := c.(*decoder); ok {
		for _, k := range kindFields {
			if d.take(k.num, k.name, protowire.BytesType) {
				t.Kind = k.kind
			}
		}
	}
	c.text(6, "denotation", &t.Denotation)
	c.unknown(&t.unknown)
}

// embedded is a message that lies inside the Go struct of another one: found is called where it is read, and it is
// written where has is set.
func embedded(c codec, num protowire.Number, name string, m message, has bool, found func()) {
	switch c := c.(type) {
	case *decoder:
		if c.take(num, name, protowire.BytesType) {
			c.message(m)
			c.within(name, -1, nil)
			found()
		}
	case *encoder:
		if has {
			c.message(num, m)
		}
	}
}

func decodeType(d *decoder) *Type {
	raw := d.payload()
	t := decodeNew[Type](d)
	if t.Kind != KindTensor {
		*t = Type{Kind: t.Kind, Denotation: t.Denotation, raw: slices.Clone(raw)}
	}
	return t
}

func encodeType(e *encoder, num protowire.Number, t *Type) {
	if t.Kind != KindTensor {
		e.bytes(num, "", &t.raw, true)
		return
	}
	e.message(num, t)
}

// tensorType is a Type as the message TypeProto.Tensor, shapeType the same as TensorShapeProto.
type (
	tensorType Type
	shapeType  Type
)

func (t *tensorType) fields(c codec) {
	enum(c, 1, "elem_type", &t.Elem, false)
	embedded(c, 2, "shape", (*shapeType)(t), t.HasShape, func() { t.HasShape = true })
	c.unknown(&t.tensorUnknown)
}

func (t *shapeType) fields(c codec) {
	each(c, 1, "dim", &t.Shape, decodeDim, func(e *encoder, num protowire.Number, d Dim) {
		w := dimProto{param: d.Param, denotation: d.Denotation, unknown: d.unknown}
		if d.Size >= 0 {
			w.value, w.hasValue, w.param = int64(d.Size), true, ""
		}
		e.message(num, &w)
	})
	c.unknown(&t.shapeUnknown)
}

// dimProto is TensorShapeProto.Dimension.
type dimProto struct {
	value      int64
	hasValue   bool
	param      string
	denotation string
	unknown    string
}

func (w *dimProto) fields(c codec) {
	c.varint(1, "dim_value", &w.value, w.hasValue)
	c.text(2, "dim_param", &w.param)
	c.text(3, "denotation", &w.denotation)
	unknownText(c, &w.unknown)
}

func decodeDim(d *decoder) Dim {
	w := dimProto{value: -1}
	start := d.f.start
	d.message(&w)
	dim := Dim{Size: int(w.value), Param: w.param, Denotation: w.denotation, unknown: w.unknown}
	switch {
	case int64(dim.Size) != w.value:
		d.fail(start, "dim_value %d is too large for this machine", w.value)
	case dim.Size >= 0:
		dim.Param = ""
	default: // -1 is what some exporters write for a size that they do not know
		dim.Size = -1
	}
	return dim
}
