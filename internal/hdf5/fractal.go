package hdf5

import (
	"errors"
	"fmt"
	"math/bits"
)

// dense gives the objects of a fractal heap that the records of a B-tree name to add. id takes an object's name from a record.
func (f *File) dense(heap, tree uint64, typ byte, id func(record *cursor, size int) ([]byte, error), add func([]byte) error) error {
	h, err := f.fractalHeap(heap)
	if err != nil {
		return err
	}
	t, walk, err := f.openTree2(tree, typ)
	if err != nil {
		return err
	}
	return walk(func(record *cursor) error {
		b, err := id(record, t.recordSize)
		if err == nil {
			err = record.err
		}
		if err != nil {
			return err
		}
		object, err := h.object(b)
		if err != nil {
			return fmt.Errorf("fractal heap at %d: %w", heap, err)
		}
		return add(object)
	})
}

// fractalHeap is where a group of many links, or an object of many attributes, keeps them.
type fractalHeap struct {
	f    *File
	addr uint64

	offsetSize, lengthSize int // bytes in the names of objects
	start, maxDirect       uint64
	width                  int
	huge                   uint64 // the B-tree of objects that lie outside
	root                   uint64
	rows                   int // of the root block, 0 where it is a direct block
	checksums              bool

	blocks map[uint64][]byte   // direct blocks, by address
	index  map[uint64][]uint64 // addresses in indirect blocks, by address
}

func (f *File) fractalHeap(addr uint64) (*fractalHeap, error) {
	bad := func(err error) error { return fmt.Errorf("fractal heap: %w", err) }
	c, err := f.signed(addr, uint64(26+3*f.offsetSize+12*f.lengthSize), "FRHP")
	if err != nil {
		// With filters the head is longer, and its checksum elsewhere.
		if p, e := f.block(addr, 9); e == nil && string(p.b[:4]) == "FRHP" && (p.b[7] != 0 || p.b[8] != 0) {
			err = errors.New("heaps with filters are not supported")
		}
		return nil, bad(err)
	}
	h := &fractalHeap{f: f, addr: addr, blocks: map[uint64][]byte{}, index: map[uint64][]uint64{}}
	if v := c.u8(); v != 0 {
		return nil, bad(fmt.Errorf("version %d is not supported", v))
	}
	c.skip(2)
	if c.u16() != 0 {
		return nil, bad(errors.New("heaps with filters are not supported"))
	}
	h.checksums = c.u8()&2 != 0
	maxManaged := uint64(c.u32())
	c.skip(f.lengthSize)
	h.huge = c.offset()
	c.skip(f.lengthSize + f.offsetSize + 8*f.lengthSize)
	h.width = int(c.u16())
	h.start, h.maxDirect = c.length(), c.length()
	maxBits := int(c.u16())
	c.skip(2)
	h.root = c.offset()
	h.rows = int(c.u16())
	if c.err != nil {
		return nil, bad(c.err)
	}
	powers := h.start&(h.start-1) == 0 && h.maxDirect&(h.maxDirect-1) == 0 && h.width&(h.width-1) == 0
	if !powers || h.start == 0 || h.width == 0 || h.maxDirect < h.start || h.maxDirect > 1<<30 || maxBits > 64 || h.rows > 64 || maxManaged == 0 {
		return nil, bad(fmt.Errorf("blocks of %d to %d bytes, %d a row, %d rows, %d bits: the file is damaged", h.start, h.maxDirect, h.width, h.rows, maxBits))
	}
	h.offsetSize = (maxBits + 7) / 8
	h.lengthSize = min(enough(h.maxDirect), enough(maxManaged))
	return h, nil
}

// object returns the object of that name.
func (h *fractalHeap) object(id []byte) ([]byte, error) {
	c := &cursor{b: id, f: h.f}
	kind := c.u8()
	if kind>>6 != 0 {
		return nil, fmt.Errorf("version %d of a name is not supported", kind>>6)
	}
	switch kind >> 4 & 3 {
	case 0:
		at, n := c.uint(h.offsetSize), c.uint(h.lengthSize)
		if c.err != nil {
			return nil, c.err
		}
		if h.root == undefined {
			return nil, errors.New("it is empty")
		}
		return h.managed(at, n)
	case 1:
		return h.hugeObject(c)
	case 2:
		n := int(kind&15) + 1
		if len(id) > 18 {
			n = int(kind&15)<<8 + int(c.u8()) + 1
		}
		return c.take(n), c.err
	}
	return nil, errors.New("an object of unknown kind")
}

// blockSize returns the size of the blocks in a row: the first two rows are alike, each further one has the double.
func (h *fractalHeap) blockSize(row int) uint64 {
	if row == 0 {
		return h.start
	}
	return h.start << min(row-1, 63)
}

// managed returns n bytes from at on in the heap's own space.
func (h *fractalHeap) managed(at, n uint64) ([]byte, error) {
	addr, size, rel := h.root, h.start, at
	rows := h.rows
	if rows > 0 {
		size = 0
	}
	for depth := 0; rows > 0; depth++ {
		if depth > maxDepth {
			return nil, errors.New("its blocks lie too deep")
		}
		children, err := h.children(addr, rows)
		if err != nil {
			return nil, err
		}
		i := -1
		for row := range rows {
			size = h.blockSize(row)
			if all := size * uint64(h.width); rel >= all {
				rel -= all
				continue
			}
			i = row*h.width + int(rel/size)
			rel %= size
			break
		}
		if i < 0 || children[i] == undefined {
			return nil, fmt.Errorf("offset %d lies in no block", at)
		}
		addr = children[i]
		rows = 0
		if size > h.maxDirect {
			rows = bits.Len64(size) - bits.Len64(h.start*uint64(h.width)) + 1
		}
	}
	if rel > size || n > size-rel {
		return nil, fmt.Errorf("%d bytes at %d leave their block", n, at)
	}
	b, err := h.direct(addr, size)
	if err != nil {
		return nil, err
	}
	return b[rel : rel+n : rel+n], nil
}

// direct reads a block of objects.
func (h *fractalHeap) direct(addr, size uint64) ([]byte, error) {
	if b := h.blocks[addr]; uint64(len(b)) == size {
		return b, nil
	}
	c, err := h.f.block(addr, size)
	if err != nil {
		return nil, err
	}
	if err := c.sign("FHDB"); err != nil {
		return nil, err
	}
	c.skip(1)
	if owner := c.offset(); owner != h.addr {
		return nil, fmt.Errorf("the block at %d is another heap's", addr)
	}
	if h.checksums && !h.f.withoutChecksums {
		c.skip(h.offsetSize)
		at := c.at
		want := c.u32()
		b := append([]byte{}, c.b...)
		clear(b[at:min(at+4, len(b))]) // the checksum is computed with zeros in its place
		if got := lookup3(b); c.err == nil && got != want {
			return nil, fmt.Errorf("the block at %d: checksum is %08x, want %08x: the file is damaged", addr, got, want)
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	h.blocks[addr] = c.b
	return c.b, nil
}

// children reads a block of addresses.
func (h *fractalHeap) children(addr uint64, rows int) ([]uint64, error) {
	if a := h.index[addr]; len(a) == rows*h.width {
		return a, nil
	}
	c, err := h.f.signed(addr, uint64(5+h.f.offsetSize+h.offsetSize+rows*h.width*h.f.offsetSize+4), "FHIB")
	if err != nil {
		return nil, err
	}
	c.skip(1)
	if owner := c.offset(); owner != h.addr {
		return nil, fmt.Errorf("the block at %d is another heap's", addr)
	}
	c.skip(h.offsetSize)
	a := make([]uint64, rows*h.width)
	for i := range a {
		a[i] = c.offset()
	}
	h.index[addr] = a
	return a, nil
}

// hugeObject finds an object that is too large for the heap's blocks in the B-tree of those.
func (h *fractalHeap) hugeObject(id *cursor) ([]byte, error) {
	if h.huge == undefined {
		return nil, errors.New("it has no huge objects")
	}
	key := id.uint(min(id.left(), h.f.lengthSize))
	_, walk, err := h.f.openTree2(h.huge, 1)
	if err != nil {
		return nil, err
	}
	var object []byte
	err = walk(func(record *cursor) error {
		addr, n, k := record.offset(), record.length(), record.length()
		if record.err != nil || k != key {
			return record.err
		}
		c, err := h.f.block(addr, n)
		if err == nil {
			object = c.b
		}
		return err
	})
	if err == nil && object == nil {
		err = fmt.Errorf("huge object %d is not there", key)
	}
	return object, err
}
