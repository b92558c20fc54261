package hdf5

import (
	"errors"
	"fmt"
)

// tree1 calls visit for each entry of the leaves of a B-tree of version 1 that begins at addr, with its key and its address.
func (f *File) tree1(addr uint64, typ byte, keySize int, visit func(key *cursor, child uint64) error) error {
	if addr == undefined { // nothing was stored yet
		return nil
	}
	return f.tree1Node(addr, typ, -1, keySize, visit)
}

// tree1Node reads a node; level is what it must be, -1 at the root.
func (f *File) tree1Node(addr uint64, typ byte, level int, keySize int, visit func(*cursor, uint64) error) error {
	c, err := f.block(addr, uint64(8+2*f.offsetSize))
	if err != nil {
		return fmt.Errorf("B-tree: %w", err)
	}
	bad := func(err error) error { return fmt.Errorf("B-tree at %d: %w", addr, err) }
	if err := c.sign("TREE"); err != nil {
		return bad(err)
	}
	if t := c.u8(); t != typ {
		return bad(fmt.Errorf("type %d, want %d", t, typ))
	}
	own := int(c.u8())
	if own > maxDepth || level >= 0 && own != level {
		return bad(errors.New("the levels of its nodes do not fit: the file is damaged"))
	}
	n := int(c.u16())
	if c, err = f.block(addr+uint64(8+2*f.offsetSize), uint64(n)*uint64(keySize+f.offsetSize)); err != nil {
		return bad(err)
	}
	for range n {
		key := &cursor{b: c.take(keySize), f: f}
		child := c.offset()
		if own == 0 {
			err = visit(key, child)
		} else {
			err = f.tree1Node(child, typ, own-1, keySize, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
