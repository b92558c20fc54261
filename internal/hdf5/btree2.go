package hdf5

import (
	"errors"
	"fmt"
	"math/bits"
)

// tree2 is a B-tree of version 2.
type tree2 struct {
	f          *File
	typ        byte
	nodeSize   uint64
	recordSize int
	countSizes []int // by depth: bytes of the number of records in all nodes below
	countSize  int   // bytes of the number of records in one node
	visit      func(record *cursor) error
}

// enough returns the number of bytes that numbers up to n need.
func enough(n uint64) int { return max((bits.Len64(n)+7)/8, 1) }

// openTree2 reads the head of the B-tree at addr; walk then visits its records.
func (f *File) openTree2(addr uint64, typ byte) (*tree2, func(func(*cursor) error) error, error) {
	bad := func(err error) error { return fmt.Errorf("B-tree: %w", err) }
	c, err := f.signed(addr, uint64(22+f.offsetSize+f.lengthSize), "BTHD")
	if err != nil {
		return nil, nil, bad(err)
	}
	t := &tree2{f: f, typ: typ}
	version, got := c.u8(), c.u8()
	t.nodeSize, t.recordSize = uint64(c.u32()), int(c.u16())
	depth := int(c.u16())
	c.skip(2)
	root, records := c.offset(), int(c.u16())
	switch {
	case version != 0:
		return nil, nil, bad(fmt.Errorf("version %d is not supported", version))
	case got != typ:
		return nil, nil, bad(fmt.Errorf("type %d, want %d", got, typ))
	case depth > maxDepth || t.recordSize == 0 || t.nodeSize < uint64(t.recordSize)+10:
		return nil, nil, bad(fmt.Errorf("nodes of %d bytes, records of %d, depth %d", t.nodeSize, t.recordSize, depth))
	}
	// How many records fit a node says how wide their numbers are.
	most := (t.nodeSize - 10) / uint64(t.recordSize)
	t.countSize = enough(most)
	t.countSizes = []int{0}
	for d := 1; d <= depth; d++ {
		pointer := uint64(f.offsetSize + t.countSize + t.countSizes[d-1])
		if t.nodeSize < 10+pointer {
			return nil, nil, bad(errors.New("its nodes hold no records"))
		}
		own := (t.nodeSize - 10 - pointer) / (uint64(t.recordSize) + pointer)
		hi, lo := bits.Mul64(own+1, most)
		if most = lo + own; hi != 0 || most < lo {
			return nil, nil, bad(errors.New("more records than can be counted"))
		}
		t.countSizes = append(t.countSizes, enough(most))
	}
	return t, func(visit func(*cursor) error) error {
		if root == undefined {
			return nil
		}
		t.visit = visit
		return t.node(root, depth, records)
	}, nil
}

func (t *tree2) node(addr uint64, depth, records int) error {
	sign := "BTLF"
	if depth > 0 {
		sign = "BTIN"
	}
	c, err := t.f.signed(addr, t.used(depth, records), sign)
	if err != nil {
		return fmt.Errorf("B-tree: %w", err)
	}
	if version, typ := c.u8(), c.u8(); version != 0 || typ != t.typ {
		return fmt.Errorf("B-tree: node at %d: version %d, type %d, want 0 and %d", addr, version, typ, t.typ)
	}
	rows := cursor{b: c.take(records * t.recordSize), f: t.f}
	for i := range records + 1 {
		if depth > 0 {
			child := c.offset()
			n := int(c.uint(t.countSize))
			c.skip(t.countSizes[depth-1])
			if c.err != nil {
				return fmt.Errorf("B-tree: node at %d: %w", addr, c.err)
			}
			if err := t.node(child, depth-1, n); err != nil {
				return err
			}
		}
		if i == records {
			break
		}
		if err := t.visit(&cursor{b: rows.take(t.recordSize), f: t.f}); err != nil {
			return err
		}
	}
	return nil
}

// used returns how many bytes of a node are in use: its checksum lies behind them.
func (t *tree2) used(depth, records int) uint64 {
	n := 10 + uint64(records)*uint64(t.recordSize)
	if depth > 0 {
		n += uint64(records+1) * uint64(t.f.offsetSize+t.countSize+t.countSizes[depth-1])
	}
	return n
}
