package hdf5

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
)

// dataset is what the messages of a dataset say.
type dataset struct {
	f      *File
	h      *header
	typ    Type
	space  space
	count  uint64 // elements
	size   uint64 // bytes
	layout layout
}

// layout says where the elements of a dataset are.
type layout struct {
	class   byte
	addr    uint64
	size    uint64
	compact []byte
	chunks  chunking
}

const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
	layoutVirtual    = 3
)

// Type returns the type of a dataset's elements.
func (o *Object) Type() (Type, error) {
	d, err := o.dataset()
	if err != nil {
		return Type{}, err
	}
	return d.typ, nil
}

// Shape returns the dimensions of a dataset: empty for a scalar.
func (o *Object) Shape() ([]int, error) {
	d, err := o.dataset()
	if err != nil {
		return nil, err
	}
	return d.space.shape(), nil
}

// Read reads all elements of a dataset. What was never written has the fill value. The memory is the caller's.
func (o *Object) Read() (Data, error) {
	d, err := o.dataset()
	if err != nil {
		return Data{}, err
	}
	data, err := d.read()
	if err != nil {
		return Data{}, o.errorf("%w", err)
	}
	return data, nil
}

func (o *Object) dataset() (*dataset, error) {
	if !o.IsDataset() {
		return nil, o.errorf("not a dataset")
	}
	d := &dataset{f: o.f, h: o.h}
	if err := d.describe(); err != nil {
		return nil, o.errorf("%w", err)
	}
	return d, nil
}

func (d *dataset) describe() error {
	content := func(typ uint16, name string) (*cursor, error) {
		m, ok := d.h.find(typ)
		if !ok {
			return nil, fmt.Errorf("the dataset has no %s", name)
		}
		return d.f.content(m)
	}
	c, err := content(msgDatatype, "datatype")
	if err != nil {
		return err
	}
	if d.typ, err = d.f.datatype(c); err != nil {
		return err
	}
	if c, err = content(msgDataspace, "dataspace"); err != nil {
		return err
	}
	if d.space, err = d.f.dataspace(c); err != nil {
		return err
	}
	if d.count, err = d.space.elements(); err != nil {
		return err
	}
	var fits bool
	if d.size, fits = sizes.Product(d.count, uint64(d.typ.Size)); !fits {
		return fmt.Errorf("dimensions %v have more bytes than can be counted", d.space.dims)
	}
	if _, ok := d.h.find(msgExternal); ok {
		return errors.New("its data lies in other files (external storage): refused")
	}
	if c, err = content(msgLayout, "layout"); err != nil {
		return err
	}
	if d.layout, err = d.f.layout(c, d.space, d.typ); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	return nil
}

func (f *File) layout(c *cursor, s space, t Type) (layout, error) {
	var l layout
	version := c.u8()
	if version < 3 || version > 4 {
		return l, fmt.Errorf("version %d is not supported (3 and 4 are)", version)
	}
	l.class = c.u8()
	switch l.class {
	case layoutCompact:
		l.compact = c.take(int(c.u16()))
	case layoutContiguous:
		l.addr, l.size = c.offset(), c.length()
	case layoutChunked:
		var err error
		if l.chunks, err = f.chunking(c, version, s, t); err != nil {
			return l, err
		}
	case layoutVirtual:
		return l, errors.New("its data lies in other datasets (virtual dataset): refused")
	default:
		return l, fmt.Errorf("class %d is not supported", l.class)
	}
	return l, c.err
}

// read reads all elements.
func (d *dataset) read() (Data, error) {
	if d.layout.class == layoutChunked {
		raw, err := d.readChunks()
		if err != nil {
			return Data{}, err
		}
		return d.f.elements(d.typ, d.space, raw)
	}
	if err := d.f.declare(d.size); err != nil {
		return Data{}, err
	}
	switch {
	case d.size == 0:
		return d.f.elements(d.typ, d.space, nil)
	case d.layout.class == layoutCompact:
		if d.size > uint64(len(d.layout.compact)) {
			return Data{}, fmt.Errorf("%d bytes stored, the shape %v takes %d", len(d.layout.compact), d.space.dims, d.size)
		}
		return d.f.elements(d.typ, d.space, append([]byte{}, d.layout.compact[:d.size]...))
	case d.layout.addr == undefined: // never written
		raw, err := d.filled()
		if err != nil {
			return Data{}, err
		}
		return d.f.elements(d.typ, d.space, raw)
	case d.layout.size < d.size:
		return Data{}, fmt.Errorf("%d bytes stored, the shape %v takes %d", d.layout.size, d.space.dims, d.size)
	}
	raw, err := d.f.read(d.layout.addr, d.size)
	if err != nil {
		return Data{}, err
	}
	return d.f.elements(d.typ, d.space, raw)
}

// filled returns memory for all elements, with the fill value in it.
func (d *dataset) filled() ([]byte, error) {
	value, err := d.fillValue()
	if err != nil {
		return nil, fmt.Errorf("fill value: %w", err)
	}
	raw := make([]byte, d.size)
	if zero(value) {
		return raw, nil
	}
	for n := copy(raw, value); n < len(raw); {
		n += copy(raw[n:], raw[:n])
	}
	return raw, nil
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// fillValue returns the bytes of one element, nil for zeros.
func (d *dataset) fillValue() ([]byte, error) {
	var value []byte
	if m, ok := d.h.find(msgFill); ok {
		c, err := d.f.content(m)
		if err != nil {
			return nil, err
		}
		var has bool
		switch version := c.u8(); version {
		case 1, 2:
			c.skip(2)
			has = c.u8() != 0 || version == 1
		case 3:
			has = c.u8()&0x20 != 0
		default:
			return nil, fmt.Errorf("version %d is not supported", version)
		}
		if has {
			value = c.take(int(c.u32()))
		}
		if c.err != nil {
			return nil, c.err
		}
	} else if m, ok := d.h.find(msgFillOld); ok {
		c, err := d.f.content(m)
		if err != nil {
			return nil, err
		}
		if value = c.take(int(c.u32())); c.err != nil {
			return nil, c.err
		}
	}
	if len(value) != 0 && len(value) != d.typ.Size {
		return nil, fmt.Errorf("%d bytes, an element has %d", len(value), d.typ.Size)
	}
	return value, nil
}
