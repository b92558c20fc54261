package hdf5

import (
	"errors"
	"fmt"
)

// The types of header messages that are looked at.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgFillOld      = 0x04
	msgFill         = 0x05
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
	msgAttrInfo     = 0x15
)

// message is one message of an object header.
type message struct {
	typ   uint16
	flags byte
	data  []byte
}

const flagShared = 2 // the message is a pointer to one that is stored elsewhere

// header is an object header: all its messages, continuations included.
type header struct {
	addr     uint64
	messages []message

	links map[string]link // once they were asked for
}

const maxMessages = 1 << 20

// header reads the object header at addr, once.
func (f *File) header(addr uint64) (*header, error) {
	if h := f.objects[addr]; h != nil {
		return h, nil
	}
	h := &header{addr: addr}
	c, err := f.block(addr, 4)
	if err != nil {
		return nil, fmt.Errorf("object header: %w", err)
	}
	if string(c.b) == "OHDR" {
		err = f.headerV2(h)
	} else {
		err = f.headerV1(h)
	}
	if err != nil {
		return nil, fmt.Errorf("object header at %d: %w", addr, err)
	}
	f.objects[addr] = h
	return h, nil
}

func (f *File) headerV1(h *header) error {
	c, err := f.block(h.addr, 16)
	if err != nil {
		return err
	}
	if v := c.u8(); v != 1 {
		return fmt.Errorf("version %d is not supported, or this is no object header", v)
	}
	c.skip(7)
	size := uint64(c.u32())
	return f.chain(h, span{h.addr + 16, size}, func(s span) (*cursor, error) { return f.block(s.addr, s.size) }, 8,
		func(c *cursor) message {
			m := message{typ: c.u16()}
			n := c.u16()
			m.flags = c.u8()
			c.skip(3)
			m.data = c.take(int(n))
			return m
		})
}

func (f *File) headerV2(h *header) error {
	c, err := f.block(h.addr, min(34, f.size-min(f.size, f.base+h.addr)))
	if err != nil {
		return err
	}
	c.skip(4)
	if v := c.u8(); v != 2 {
		return fmt.Errorf("version %d is not supported", v)
	}
	flags := c.u8()
	if flags&0x20 != 0 {
		c.skip(16) // times
	}
	if flags&0x10 != 0 {
		c.skip(4) // when attributes become dense
	}
	size := c.uint(1 << (flags & 3))
	if c.err != nil {
		return c.err
	}
	prefix := c.at
	head := 4
	if flags&4 != 0 {
		head = 6
	}
	if size > maxBlock {
		return fmt.Errorf("%d bytes of messages", size)
	}
	first := span{h.addr, uint64(prefix) + size + 4}
	return f.chain(h, first, func(s span) (*cursor, error) {
		if s == first {
			c, err := f.signed(s.addr, s.size, "OHDR")
			if err == nil {
				c.skip(prefix - 4)
			}
			return c, err
		}
		return f.signed(s.addr, s.size, "OCHK")
	}, head, func(c *cursor) message {
		m := message{typ: uint16(c.u8())}
		n := c.u16()
		m.flags = c.u8()
		if head == 6 {
			c.skip(2) // creation order
		}
		m.data = c.take(int(n))
		return m
	})
}

type span struct{ addr, size uint64 }

// chain reads the messages of a block and of its continuations. Less than head bytes at the end are a gap.
func (f *File) chain(h *header, first span, open func(span) (*cursor, error), head int, next func(*cursor) message) error {
	todo := []span{first}
	seen := map[span]bool{}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if seen[s] {
			return errors.New("it continues in itself")
		}
		seen[s] = true
		c, err := open(s)
		if err != nil {
			return err
		}
		for c.left() >= head {
			m := next(c)
			if c.err != nil {
				return c.err
			}
			if m.typ != msgContinuation {
				if h.messages = append(h.messages, m); len(h.messages) > maxMessages {
					return fmt.Errorf("more than %d messages", maxMessages)
				}
				continue
			}
			d := cursor{b: m.data, f: f}
			to := span{d.offset(), d.length()}
			if d.err != nil {
				return fmt.Errorf("continuation: %w", d.err)
			}
			todo = append(todo, to)
		}
	}
	return nil
}

// find returns the first message of a type.
func (h *header) find(typ uint16) (message, bool) {
	for _, m := range h.messages {
		if m.typ == typ {
			return m, true
		}
	}
	return message{}, false
}

// content returns a cursor over a message, which may be stored in another object's header.
func (f *File) content(m message) (*cursor, error) {
	if m.flags&flagShared == 0 {
		return &cursor{b: m.data, f: f}, nil
	}
	c := &cursor{b: m.data, f: f}
	data, err := f.shared(c, m.typ)
	if err != nil {
		return nil, err
	}
	return &cursor{b: data, f: f}, nil
}

// shared follows a pointer to a message of another object, a committed datatype, say.
func (f *File) shared(c *cursor, typ uint16) ([]byte, error) {
	version, kind := c.u8(), c.u8()
	switch version {
	case 1:
		c.skip(6)
	case 2, 3:
	default:
		return nil, fmt.Errorf("shared message: version %d is not supported", version)
	}
	if version == 3 && kind == 1 {
		return nil, errors.New("shared message: files with a heap of shared messages are not supported")
	}
	addr := c.offset()
	if c.err != nil {
		return nil, fmt.Errorf("shared message: %w", c.err)
	}
	h, err := f.header(addr)
	if err != nil {
		return nil, fmt.Errorf("shared message: %w", err)
	}
	m, ok := h.find(typ)
	if !ok || m.flags&flagShared != 0 {
		return nil, fmt.Errorf("shared message: the object at %d does not have it", addr)
	}
	return m.data, nil
}
