package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// Data are the elements of a dataset or an attribute, in row-major order.
type Data struct {
	Type  Type
	Shape []int // empty for a scalar; [0] where there are no elements at all

	Raw     []byte   // numbers in little-endian order, and opaque elements
	Strings []string // strings
}

// Text returns a single string, false for anything else.
func (d Data) Text() (string, bool) {
	if d.Type.Kind != String || len(d.Strings) != 1 {
		return "", false
	}
	return d.Strings[0], true
}

// elements makes Data of the bytes in the file, which it may change.
func (f *File) elements(t Type, s space, raw []byte) (Data, error) {
	d := Data{Type: t, Shape: s.shape()}
	if s.null {
		d.Shape = []int{0}
	}
	switch {
	case t.Kind == String:
		n := len(raw) / t.Size
		if err := f.declare(16 * uint64(n)); err != nil {
			return d, err
		}
		d.Strings = make([]string, n)
		for i := range d.Strings {
			e := raw[i*t.Size : (i+1)*t.Size]
			if t.variable {
				b, err := f.heapString(e)
				if err != nil {
					return d, fmt.Errorf("string %d: %w", i, err)
				}
				e = b
			}
			d.Strings[i] = untilZero(e)
			if t.spaces {
				d.Strings[i] = strings.TrimRight(d.Strings[i], " ")
			}
		}
		return d, nil
	case t.big && t.Size > 1:
		for i := 0; i+t.Size <= len(raw); i += t.Size {
			slices.Reverse(raw[i : i+t.Size])
		}
	}
	d.Raw = raw
	return d, nil
}

// heapString returns what an element of variable length points to in the global heap.
func (f *File) heapString(e []byte) ([]byte, error) {
	c := cursor{b: e, f: f}
	n, addr, index := uint64(c.u32()), c.offset(), c.u32()
	if c.err != nil {
		return nil, c.err
	}
	if n == 0 || addr == 0 || addr == undefined {
		return nil, nil
	}
	objects, err := f.collection(addr)
	if err != nil {
		return nil, fmt.Errorf("global heap at %d: %w", addr, err)
	}
	b, ok := objects[uint16(index)]
	if !ok || index > 0xffff || n > uint64(len(b)) {
		return nil, fmt.Errorf("global heap at %d: object %d of %d bytes is not there", addr, index, n)
	}
	return b[:n], f.declare(n)
}

// collection reads a collection of the global heap, once.
func (f *File) collection(addr uint64) (map[uint16][]byte, error) {
	if objects := f.collections[addr]; objects != nil {
		return objects, nil
	}
	c, err := f.block(addr, uint64(8+f.lengthSize))
	if err != nil {
		return nil, err
	}
	if err := c.sign("GCOL"); err != nil {
		return nil, err
	}
	if v := c.u8(); v != 1 {
		return nil, fmt.Errorf("version %d is not supported", v)
	}
	c.skip(3)
	if c, err = f.block(addr, c.length()); err != nil {
		return nil, err
	}
	c.skip(8 + f.lengthSize)
	objects := map[uint16][]byte{}
	for c.left() >= 8+f.lengthSize {
		index := c.u16()
		c.skip(6)
		n := c.length()
		if index == 0 { // the free space, which is last
			break
		}
		if n > uint64(c.left()) {
			return nil, fmt.Errorf("object %d of %d bytes is cut off", index, n)
		}
		objects[index] = c.take(int(n))
		c.skip(min(c.left(), int(-n&7)))
	}
	f.collections[addr] = objects
	return objects, nil
}
