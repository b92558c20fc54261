// Package onnx is the vocabulary of the project: models, graphs, nodes, attributes and tensors as the ONNX
// specification (onnx.proto, IR) has them, and reading, checking and writing of ONNX files.
package onnx

// Model is an ONNX model: a graph with the operator sets it is written in.
type Model struct {
	IRVersion       int64
	Opsets          []Opset
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	Doc             string
	Graph           *Graph
	Functions       []*Function
	Metadata        []Entry // metadata_props

	path    string // file it was read from, empty otherwise
	src     *source
	unknown []byte
}

// Opset names a version of an operator set. Domain "" is ai.onnx.
type Opset struct {
	Domain  string
	Version int64

	unknown string
}

// OpsetVersion returns the version of the domain's operator set that the model imports, 0 if it imports none.
// "ai.onnx" is taken as "".
func (m *Model) OpsetVersion(domain string) int {
	if domain == "ai.onnx" {
		domain = ""
	}
	for _, o := range m.Opsets {
		if o.Domain == domain || (o.Domain == "ai.onnx" && domain == "") {
			return int(o.Version)
		}
	}
	return 0
}

// Meta returns the value of a metadata_props key.
func (m *Model) Meta(key string) (string, bool) {
	for _, e := range m.Metadata {
		if e.Key == key {
			return e.Value, true
		}
	}
	return "", false
}

// SetMeta sets a metadata_props key.
func (m *Model) SetMeta(key, value string) {
	for i := range m.Metadata {
		if m.Metadata[i].Key == key {
			m.Metadata[i].Value = value
			return
		}
	}
	m.Metadata = append(m.Metadata, Entry{Key: key, Value: value})
}

// Path returns the name of the file that the model was read from, "" if it came from elsewhere.
func (m *Model) Path() string { return m.path }

// Graph is a list of nodes with the weights they use. Sub-graphs of If, Loop and Scan are of the same type.
type Graph struct {
	Name         string
	Doc          string
	Nodes        []*Node
	Initializers []*Tensor // sparse initializers are expanded into this list by the reader
	Inputs       []*Value
	Outputs      []*Value
	ValueInfo    []*Value
	Metadata     []Entry

	unknown []byte
}

// Initializer returns the initializer of that name, nil if there is none.
func (g *Graph) Initializer(name string) *Tensor {
	for _, t := range g.Initializers {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Node is one operator application. Input and output names may be "" where an optional one is left out.
type Node struct {
	Name     string
	OpType   string
	Domain   string // "" for ai.onnx
	Overload string
	Inputs   []string
	Outputs  []string
	Attrs    []*Attribute
	Doc      string
	Metadata []Entry

	unknown []byte
}

// Attr returns the attribute of that name, nil if there is none.
func (n *Node) Attr(name string) *Attribute {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// AttrType says which field of an Attribute holds its value, numbered as AttributeProto.AttributeType.
type AttrType int32

// The types of attributes.
const (
	AttrUndefined     AttrType = 0
	AttrFloat         AttrType = 1
	AttrInt           AttrType = 2
	AttrString        AttrType = 3
	AttrTensor        AttrType = 4
	AttrGraph         AttrType = 5
	AttrFloats        AttrType = 6
	AttrInts          AttrType = 7
	AttrStrings       AttrType = 8
	AttrTensors       AttrType = 9
	AttrGraphs        AttrType = 10
	AttrSparseTensor  AttrType = 11
	AttrSparseTensors AttrType = 12
	AttrTypeProto     AttrType = 13
	AttrTypeProtos    AttrType = 14
)

// Attribute is a named constant of a node. Sparse tensors are expanded into Tensor and Tensors by the reader.
type Attribute struct {
	Name    string
	RefName string // in a function's body: the function's attribute whose value this one takes
	Doc     string
	Type    AttrType

	F       float32
	I       int64
	S       []byte
	Tensor  *Tensor
	Graph   *Graph
	Floats  []float32
	Ints    []int64
	Strings [][]byte
	Tensors []*Tensor
	Graphs  []*Graph

	unknown []byte
}

// Value declares a value's name and type: a graph's input, output or inner value.
type Value struct {
	Name     string
	Type     *Type // nil where the file gives none
	Doc      string
	Metadata []Entry

	unknown []byte
}

// Type is the type of a value. Only tensors have Elem and Shape; the others are kept as Kind and written back as read.
type Type struct {
	Kind     TypeKind
	Elem     DataType
	Shape    []Dim // meaningful where HasShape
	HasShape bool

	Denotation string

	raw           []byte // TypeProto as read, for kinds that are not taken apart
	unknown       []byte
	tensorUnknown []byte // of TypeProto.Tensor
	shapeUnknown  []byte // of TensorShapeProto
}

// TypeKind says what a Type describes.
type TypeKind int

// The kinds of types.
const (
	KindTensor TypeKind = iota
	KindSequence
	KindMap
	KindOptional
	KindSparseTensor
	KindOpaque
)

// Dim is a dimension: a size where Size >= 0, else a parameter's name (or nothing known, where Param is "" too).
type Dim struct {
	Size       int
	Param      string
	Denotation string

	unknown string
}

// Function is a model-local function: an operator defined by nodes.
type Function struct {
	Name      string
	Domain    string
	Overload  string
	Inputs    []string
	Outputs   []string
	Attrs     []string     // attributes without default
	Defaults  []*Attribute // attribute_proto: attributes with default
	Nodes     []*Node
	Opsets    []Opset
	ValueInfo []*Value
	Doc       string
	Metadata  []Entry

	unknown []byte
}
