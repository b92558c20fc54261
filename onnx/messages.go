package onnx

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto, IR version 13, with their field numbers. What is not named here (training_info,
// device configurations, quantization_annotation, segments, type_protos) is kept as unknown fields.

func (m *Model) fields(c codec) {
	c.varint(1, "ir_version", &m.IRVersion, false)
	c.text(2, "producer_name", &m.ProducerName)
	c.text(3, "producer_version", &m.ProducerVersion)
	c.text(4, "domain", &m.Domain)
	c.varint(5, "model_version", &m.ModelVersion, false)
	c.text(6, "doc_string", &m.Doc)
	sub(c, 7, "graph", &m.Graph)
	values(c, 8, "opset_import", &m.Opsets)
	values(c, 14, "metadata_props", &m.Metadata)
	subs(c, 25, "functions", &m.Functions)
	c.unknown(&m.unknown)
}

func (o *Opset) fields(c codec) {
	c.text(1, "domain", &o.Domain)
	c.varint(2, "version", &o.Version, true)
	unknownText(c, &o.unknown)
}

func (e *Entry) fields(c codec) {
	c.text(1, "key", &e.Key)
	c.text(2, "value", &e.Value)
	unknownText(c, &e.unknown)
}

func (g *Graph) fields(c codec) {
	subs(c, 1, "node", &g.Nodes)
	c.text(2, "name", &g.Name)
	tensors(c, 5, "initializer", &g.Initializers)
	c.text(10, "doc_string", &g.Doc)
	subs(c, 11, "input", &g.Inputs)
	subs(c, 12, "output", &g.Outputs)
	subs(c, 13, "value_info", &g.ValueInfo)
	if d, ok := c.(*decoder); ok { // written as dense initializers
		sparseTensors(d, 15, "sparse_initializer", &g.Initializers)
	}
	values(c, 16, "metadata_props", &g.Metadata)
	c.unknown(&g.unknown)
}

func (n *Node) fields(c codec) {
	c.texts(1, "input", &n.Inputs)
	c.texts(2, "output", &n.Outputs)
	c.text(3, "name", &n.Name)
	c.text(4, "op_type", &n.OpType)
	each(c, 5, "attribute", &n.Attrs, decodeAttribute, encodePtr)
	c.text(6, "doc_string", &n.Doc)
	c.text(7, "domain", &n.Domain)
	c.text(8, "overload", &n.Overload)
	values(c, 9, "metadata_props", &n.Metadata)
	c.unknown(&n.unknown)
}

func (f *Function) fields(c codec) {
	c.text(1, "name", &f.Name)
	c.texts(4, "input", &f.Inputs)
	c.texts(5, "output", &f.Outputs)
	c.texts(6, "attribute", &f.Attrs)
	subs(c, 7, "node", &f.Nodes)
	c.text(8, "doc_string", &f.Doc)
	values(c, 9, "opset_import", &f.Opsets)
	c.text(10, "domain", &f.Domain)
	each(c, 11, "attribute_proto", &f.Defaults, decodeAttribute, encodePtr)
	subs(c, 12, "value_info", &f.ValueInfo)
	c.text(13, "overload", &f.Overload)
	values(c, 14, "metadata_props", &f.Metadata)
	c.unknown(&f.unknown)
}

func (a *Attribute) fields(c codec) {
	is := func(t AttrType) bool { return a.Type == t && a.RefName == "" }
	c.text(1, "name", &a.Name)
	c.float(2, "f", &a.F, is(AttrFloat))
	c.varint(3, "i", &a.I, is(AttrInt))
	c.bytes(4, "s", &a.S, is(AttrString))
	sparse := a.Type == AttrSparseTensor || a.Type == AttrSparseTensors
	if !sparse {
		tensor(c, 5, "t", &a.Tensor)
	}
	sub(c, 6, "g", &a.Graph)
	c.floats(7, "floats", &a.Floats)
	c.varints(8, "ints", &a.Ints)
	c.bytesList(9, "strings", &a.Strings)
	if !sparse {
		tensors(c, 10, "tensors", &a.Tensors)
	}
	subs(c, 11, "graphs", &a.Graphs)
	c.text(13, "doc_string", &a.Doc)
	enum(c, 20, "type", &a.Type, false)
	c.text(21, "ref_attr_name", &a.RefName)
	sparseAttribute(c, a)
	c.unknown(&a.unknown)
}

// attributeFields tells the type of an attribute by the field that it has.
var attributeFields = []struct {
	num protowire.Number
	typ AttrType
}{
	{2, AttrFloat}, {3, AttrInt}, {4, AttrString}, {5, AttrTensor}, {6, AttrGraph}, {7, AttrFloats}, {8, AttrInts},
	{9, AttrStrings}, {10, AttrTensors}, {11, AttrGraphs}, {14, AttrTypeProto}, {15, AttrTypeProtos},
	{22, AttrSparseTensor}, {23, AttrSparseTensors},
}

func decodeAttribute(d *decoder) *Attribute {
	a := new(Attribute)
	seen := d.message(a)
	a.S = bytes.Clone(a.S)
	// Files of IR version 1 have no type.
	for _, f := range attributeFields {
		if a.Type == AttrUndefined && seen&(1<<f.num) != 0 {
			a.Type = f.typ
		}
	}
	return a
}

func (v *Value) fields(c codec) {
	c.text(1, "name", &v.Name)
	one(c, 2, "type", &v.Type, decodeType, encodeType)
	c.text(3, "doc_string", &v.Doc)
	values(c, 4, "metadata_props", &v.Metadata)
	c.unknown(&v.unknown)
}

// unknownText keeps unknown fields in a string, for messages that are held by value and compared.
func unknownText(c codec, p *string) {
	b := []byte(*p)
	c.unknown(&b)
	*p = string(b)
}
