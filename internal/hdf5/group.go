package hdf5

import (
	"errors"
	"fmt"
)

// link is what a name in a group stands for: one of these.
type link struct {
	addr    uint64 // an object header
	soft    string // a path
	refused string // what is never followed
}

// links reads the names in a group, once.
func (f *File) links(h *header) (map[string]link, error) {
	if h.links != nil {
		return h.links, nil
	}
	links := map[string]link{}
	add := func(name string, l link) error {
		if name == "" {
			return errors.New("a link without name")
		}
		if _, twice := links[name]; twice {
			return fmt.Errorf("two links are named %q", name)
		}
		links[name] = l
		return nil
	}
	message := func(data []byte) error {
		name, l, err := f.link(data)
		if err != nil {
			return fmt.Errorf("link: %w", err)
		}
		return add(name, l)
	}
	for _, m := range h.messages {
		var err error
		switch m.typ {
		case msgLink:
			err = message(m.data)
		case msgLinkInfo:
			err = f.denseLinks(m, message)
		case msgSymbolTable:
			err = f.symbols(m, add)
		}
		if err != nil {
			return nil, err
		}
	}
	h.links = links
	return links, nil
}

// link takes a link message apart.
func (f *File) link(data []byte) (string, link, error) {
	c := &cursor{b: data, f: f}
	if v := c.u8(); v != 1 {
		return "", link{}, fmt.Errorf("version %d is not supported", v)
	}
	flags := c.u8()
	kind := byte(0)
	if flags&8 != 0 {
		kind = c.u8()
	}
	if flags&4 != 0 {
		c.skip(8) // creation order
	}
	if flags&16 != 0 {
		c.skip(1) // character set
	}
	n := c.uint(1 << (flags & 3))
	if n > uint64(c.left()) {
		return "", link{}, errors.New("the name is cut off")
	}
	name := string(c.take(int(n)))
	var l link
	switch kind {
	case 0:
		l.addr = c.offset()
	case 1:
		if l.soft = string(c.take(int(c.u16()))); l.soft == "" {
			l.refused = "a soft link to nothing"
		}
	case 64:
		b := c.take(int(c.u16()))
		l.refused = fmt.Sprintf("an external link, to the file %q", untilZero(b[min(1, len(b)):]))
	default:
		l.refused = fmt.Sprintf("a link of the user-defined type %d", kind)
	}
	return name, l, c.err
}

// denseLinks reads the links that a group of many keeps in a fractal heap.
func (f *File) denseLinks(m message, add func([]byte) error) error {
	c := &cursor{b: m.data, f: f}
	if v := c.u8(); v != 0 {
		return fmt.Errorf("link info: version %d is not supported", v)
	}
	if flags := c.u8(); flags&1 != 0 {
		c.skip(8)
	}
	heap, tree := c.offset(), c.offset()
	if c.err != nil {
		return fmt.Errorf("link info: %w", c.err)
	}
	if heap == undefined || tree == undefined {
		return nil
	}
	return f.dense(heap, tree, 5, func(record *cursor, size int) ([]byte, error) {
		record.skip(4) // the name's hash
		return record.take(size - 4), nil
	}, add)
}

// symbols reads a group of the old kind: a B-tree of symbol tables with the names in a local heap.
func (f *File) symbols(m message, add func(string, link) error) error {
	c := &cursor{b: m.data, f: f}
	tree, heap := c.offset(), c.offset()
	if c.err != nil {
		return fmt.Errorf("symbol table: %w", c.err)
	}
	names, err := f.localHeap(heap)
	if err != nil {
		return fmt.Errorf("local heap at %d: %w", heap, err)
	}
	text := func(at uint64) (string, error) {
		if at >= uint64(len(names)) {
			return "", fmt.Errorf("a name at %d in a heap of %d bytes", at, len(names))
		}
		return untilZero(names[at:]), nil
	}
	return f.tree1(tree, 0, f.lengthSize, func(_ *cursor, node uint64) error {
		err := f.symbolNode(node, text, add)
		if err != nil {
			return fmt.Errorf("symbol table at %d: %w", node, err)
		}
		return nil
	})
}

func (f *File) symbolNode(addr uint64, text func(uint64) (string, error), add func(string, link) error) error {
	c, err := f.block(addr, 8)
	if err != nil {
		return err
	}
	if err := c.sign("SNOD"); err != nil {
		return err
	}
	if v := c.u8(); v != 1 {
		return fmt.Errorf("version %d is not supported", v)
	}
	c.skip(1)
	n := int(c.u16())
	if c, err = f.block(addr+8, uint64(n)*uint64(2*f.offsetSize+24)); err != nil {
		return err
	}
	for range n {
		name, err := text(c.offset())
		if err != nil {
			return err
		}
		l := link{addr: c.offset()}
		cached := c.u32()
		c.skip(4)
		scratch := cursor{b: c.take(16), f: f}
		if cached == 2 {
			if l.soft, err = text(uint64(scratch.u32())); err != nil {
				return err
			}
			if l.soft == "" {
				l.refused = "a soft link to nothing"
			}
		}
		if err := add(name, l); err != nil {
			return err
		}
	}
	return c.err
}

// localHeap returns the data of a local heap.
func (f *File) localHeap(addr uint64) ([]byte, error) {
	c, err := f.block(addr, uint64(8+2*f.lengthSize+f.offsetSize))
	if err != nil {
		return nil, err
	}
	if err := c.sign("HEAP"); err != nil {
		return nil, err
	}
	if v := c.u8(); v != 0 {
		return nil, fmt.Errorf("version %d is not supported", v)
	}
	c.skip(3)
	n := c.length()
	c.skip(f.lengthSize)
	data, err := f.block(c.offset(), n)
	if err != nil {
		return nil, err
	}
	return data.b, nil
}
