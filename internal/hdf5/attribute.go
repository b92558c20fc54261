package hdf5

import (
	"fmt"
	"slices"
)

// attribute is an attribute message, taken apart up to its data.
type attribute struct {
	name string
	typ  func() (Type, error) // read when it is needed: some have types that nobody asks for
	dims func() (space, error)
	data []byte
}

// attributes reads all attributes of an object.
func (f *File) attributes(h *header) ([]attribute, error) {
	var all []attribute
	add := func(data []byte) error {
		a, err := f.attribute(data)
		if err != nil {
			return fmt.Errorf("attribute: %w", err)
		}
		all = append(all, a)
		return nil
	}
	for _, m := range h.messages {
		if m.typ != msgAttribute {
			continue
		}
		c, err := f.content(m)
		if err == nil {
			err = add(c.b)
		}
		if err != nil {
			return nil, err
		}
	}
	m, ok := h.find(msgAttrInfo)
	if !ok {
		return all, nil
	}
	c := &cursor{b: m.data, f: f}
	if v := c.u8(); v != 0 {
		return nil, fmt.Errorf("attribute info: version %d is not supported", v)
	}
	if flags := c.u8(); flags&1 != 0 {
		c.skip(2)
	}
	heap, tree := c.offset(), c.offset()
	if c.err != nil {
		return nil, fmt.Errorf("attribute info: %w", c.err)
	}
	if heap == undefined || tree == undefined {
		return all, nil
	}
	err := f.dense(heap, tree, 8, func(record *cursor, size int) ([]byte, error) {
		id := record.take(size - 9)
		if record.u8()&flagShared != 0 {
			return nil, fmt.Errorf("files with a heap of shared messages are not supported")
		}
		return id, nil
	}, add)
	return all, err
}

func (f *File) attribute(data []byte) (attribute, error) {
	c := &cursor{b: data, f: f}
	version, flags := c.u8(), c.u8()
	nameSize, typeSize, spaceSize := int(c.u16()), int(c.u16()), int(c.u16())
	pad := func(int) {}
	switch version {
	case 1:
		flags = 0
		pad = func(n int) { c.skip(-n & 7) }
	case 2:
	case 3:
		c.skip(1) // the character set of the name
	default:
		return attribute{}, fmt.Errorf("version %d is not supported", version)
	}
	a := attribute{name: c.text(nameSize)}
	pad(nameSize)
	typ := message{typ: msgDatatype, flags: (flags & 1) << 1, data: c.take(typeSize)}
	pad(typeSize)
	dims := message{typ: msgDataspace, flags: flags & 2, data: c.take(spaceSize)}
	pad(spaceSize)
	if c.err != nil {
		return a, fmt.Errorf("%q: %w", a.name, c.err)
	}
	a.data = c.rest()
	a.typ = func() (Type, error) {
		c, err := f.content(typ)
		if err != nil {
			return Type{}, err
		}
		return f.datatype(c)
	}
	a.dims = func() (space, error) {
		c, err := f.content(dims)
		if err != nil {
			return space{}, err
		}
		return f.dataspace(c)
	}
	return a, nil
}

// value reads the elements of an attribute.
func (f *File) value(a attribute) (Data, error) {
	t, err := a.typ()
	if err != nil {
		return Data{}, err
	}
	s, err := a.dims()
	if err != nil {
		return Data{}, err
	}
	n, err := s.elements()
	if err != nil {
		return Data{}, err
	}
	if n > uint64(len(a.data))/uint64(t.Size) {
		return Data{}, fmt.Errorf("%d elements of %d bytes in %d bytes", n, t.Size, len(a.data))
	}
	return f.elements(t, s, slices.Clone(a.data[:int(n)*t.Size]))
}
