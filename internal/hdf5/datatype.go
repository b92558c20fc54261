package hdf5

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
)

// Kind says what the elements of a dataset or an attribute are.
type Kind int

// The kinds of elements.
const (
	Int    Kind = iota // signed, in two's complement; enumerations too
	Uint               // unsigned
	Float              // IEEE 754, of 2, 4 or 8 bytes
	BFloat             // the upper half of a float32
	String             // text, ASCII or UTF-8
	Opaque             // bytes that only the writer understands
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"int", "uint", "float", "bfloat", "string", "opaque"}[k]
}

// Type is the type of an element.
type Type struct {
	Kind Kind
	Size int // bytes of an element; of a string of variable length, those of the pointer to it

	big      bool // big-endian in the file
	variable bool // a string in the global heap
	spaces   bool // a string that is padded with spaces
}

// String names the type: "float32", say.
func (t Type) String() string {
	switch t.Kind {
	case String, Opaque:
		return t.Kind.String()
	}
	return fmt.Sprintf("%v%d", t.Kind, 8*t.Size)
}

// classes are the names of the datatype classes in the specification.
var classes = [...]string{"fixed-point", "floating-point", "time", "string", "bit field", "opaque", "compound", "reference",
	"enumeration", "variable-length", "array", "complex"}

func (f *File) datatype(c *cursor) (Type, error) {
	head := c.u32()
	size := c.u32()
	if c.err != nil {
		return Type{}, fmt.Errorf("datatype: %w", c.err)
	}
	class, version := int(head&15), head>>4&15
	if version < 1 || version > 5 {
		return Type{}, fmt.Errorf("datatype: version %d is not supported", version)
	}
	if class >= len(classes) {
		return Type{}, fmt.Errorf("datatype: class %d is not supported", class)
	}
	if size == 0 || size > 1<<30 {
		return Type{}, fmt.Errorf("datatype: elements of %d bytes", size)
	}
	flags := head >> 8
	t := Type{Size: int(size)}
	var err error
	switch classes[class] {
	case "fixed-point":
		err = t.integer(c, flags)
	case "floating-point":
		err = t.float(c, flags)
	case "string":
		t.Kind = String
		t.spaces = flags&15 == 2
	case "opaque":
		t.Kind = Opaque
	case "enumeration":
		var of Type
		if of, err = f.datatype(c); err == nil && of.Size != t.Size {
			err = fmt.Errorf("datatype: an enumeration of %d bytes over %d", t.Size, of.Size)
		}
		t = of
	case "variable-length":
		t.Kind, t.variable = String, true
		if flags&15 != 1 {
			err = errors.New("datatype: sequences of variable length are not supported")
		} else if t.Size != 8+f.offsetSize {
			err = fmt.Errorf("datatype: a string of variable length with a pointer of %d bytes", t.Size)
		}
	default:
		err = fmt.Errorf("datatype: class %s is not supported", classes[class])
	}
	return t, err
}

func (t *Type) integer(c *cursor, flags uint32) error {
	offset, precision := c.u16(), c.u16()
	if c.err != nil {
		return fmt.Errorf("datatype: %w", c.err)
	}
	t.big = flags&1 != 0
	t.Kind = Uint
	if flags&8 != 0 {
		t.Kind = Int
	}
	switch t.Size {
	case 1, 2, 4, 8:
	default:
		return fmt.Errorf("datatype: integers of %d bytes are not supported", t.Size)
	}
	if offset != 0 || int(precision) != 8*t.Size {
		return fmt.Errorf("datatype: integers of %d bits from bit %d of %d bytes are not supported", precision, offset, t.Size)
	}
	return nil
}

func (t *Type) float(c *cursor, flags uint32) error {
	layout := [7]uint64{c.uint(2), c.uint(2), c.uint(1), c.uint(1), c.uint(1), c.uint(1), c.uint(4)}
	if c.err != nil {
		return fmt.Errorf("datatype: %w", c.err)
	}
	t.Kind = Float
	t.big = flags&1 != 0
	// Bit offset, precision; place and size of exponent and mantissa; bias.
	switch [8]uint64{uint64(t.Size), layout[0], layout[1], layout[2], layout[3], layout[4], layout[5], layout[6]} {
	case [8]uint64{2, 0, 16, 10, 5, 0, 10, 15}, [8]uint64{4, 0, 32, 23, 8, 0, 23, 127}, [8]uint64{8, 0, 64, 52, 11, 0, 52, 1023}:
	case [8]uint64{2, 0, 16, 7, 8, 0, 7, 127}:
		t.Kind = BFloat
	default:
		return fmt.Errorf("datatype: floating-point numbers of %d bytes with %d bits of exponent and %d of mantissa are not supported",
			t.Size, layout[3], layout[5])
	}
	if flags&0x40 != 0 {
		return errors.New("datatype: the byte order of VAX is not supported")
	}
	return nil
}

// space is the extent of a dataset or an attribute.
type space struct {
	dims []uint64
	max  []uint64 // the sizes that dims may grow to, undefined where there is no bound
	null bool     // it has no elements at all
}

func (f *File) dataspace(c *cursor) (space, error) {
	var s space
	version, rank, flags := c.u8(), int(c.u8()), c.u8()
	switch version {
	case 1:
		c.skip(5)
	case 2:
		s.null = c.u8() == 2
	default:
		return s, fmt.Errorf("dataspace: version %d is not supported", version)
	}
	if rank > maxRank {
		return s, fmt.Errorf("dataspace: rank %d", rank)
	}
	for range rank {
		s.dims = append(s.dims, c.length())
	}
	s.max = s.dims
	if flags&1 != 0 {
		s.max = nil
		for i := range rank {
			m := c.length()
			if m == undefined>>(64-8*f.lengthSize) {
				m = undefined
			}
			if m < s.dims[i] {
				return s, fmt.Errorf("dataspace: dimension %d is %d, over its maximum of %d", i, s.dims[i], m)
			}
			s.max = append(s.max, m)
		}
	}
	if c.err != nil {
		return s, fmt.Errorf("dataspace: %w", c.err)
	}
	return s, nil
}

// elements returns how many there are.
func (s space) elements() (uint64, error) {
	if s.null {
		return 0, nil
	}
	n, fits := sizes.Product(s.dims...)
	if !fits {
		return 0, fmt.Errorf("dimensions %v have more elements than can be counted", s.dims)
	}
	return n, nil
}

// shape returns the dimensions.
func (s space) shape() []int {
	shape := make([]int, len(s.dims))
	for i, d := range s.dims {
		shape[i] = int(d)
	}
	return shape
}
