package hdf5

import (
	"errors"
	"fmt"
	"math/bits"
)

// lookup returns a function that tells where the n-th chunk is, for the indexes that count chunks.
func (r *chunkReader) lookup() (func(n uint64) (chunk, error), error) {
	k := r.k
	switch k.index {
	case indexSingle:
		e := chunk{addr: k.addr, size: k.bytes}
		if k.single {
			e.size, e.mask = k.size, k.mask
		}
		return func(n uint64) (chunk, error) {
			if n != 0 {
				return chunk{}, errors.New("a second chunk where there is a single one")
			}
			return e, nil
		}, nil
	case indexImplicit:
		return func(n uint64) (chunk, error) {
			hi, at := bits.Mul64(n, k.bytes)
			if hi != 0 || k.addr+at < at {
				return chunk{}, errors.New("more chunks than can be counted")
			}
			return chunk{addr: k.addr + at, size: k.bytes}, nil
		}, nil
	case indexFixed:
		return r.fixedArray()
	}
	return r.extensibleArray()
}

// array is what both kinds of arrays of chunks have in common.
type array struct {
	r         *chunkReader
	head      uint64 // the address of the array's head
	filtered  bool
	entrySize int
	pageBits  byte
	pages     map[uint64][]byte // entries, by the address that they are read from
}

// begin reads what both kinds begin with, from a head of size bytes.
func (a *array) begin(sign string, size int) (*cursor, error) {
	c, err := a.r.f.signed(a.r.k.addr, uint64(size), sign)
	if err != nil {
		return nil, err
	}
	version, client := c.u8(), c.u8()
	a.head, a.filtered, a.entrySize = a.r.k.addr, client == 1, int(c.u8())
	a.pages = map[uint64][]byte{}
	o := a.r.f.offsetSize
	switch {
	case version != 0 || client > 1:
		return nil, fmt.Errorf("array of chunks: version %d for client %d is not supported", version, client)
	case !a.filtered && a.entrySize != o, a.filtered && (a.entrySize < o+5 || a.entrySize > o+12):
		return nil, fmt.Errorf("array of chunks: entries of %d bytes", a.entrySize)
	}
	return c, nil
}

// entry takes the i-th entry of b.
func (a *array) entry(b []byte, i uint64) (chunk, error) {
	if i >= uint64(len(b)/a.entrySize) {
		return chunk{}, errors.New("array of chunks: it has too few entries")
	}
	c := cursor{b: b[i*uint64(a.entrySize):][:a.entrySize], f: a.r.f}
	e := chunk{addr: c.offset(), size: a.r.k.bytes}
	if a.filtered {
		e.size, e.mask = c.uint(a.entrySize-a.r.f.offsetSize-4), c.u32()
	}
	return e, nil
}

// block opens one of an array's blocks, of n bytes without signature, version, owner and checksum.
func (a *array) block(addr uint64, sign string, n uint64) (*cursor, error) {
	if n > maxBlock {
		return nil, fmt.Errorf("array of chunks: a block of %d bytes", n)
	}
	c, err := a.r.f.signed(addr, uint64(4+2+a.r.f.offsetSize+4)+n, sign)
	if err != nil {
		return nil, err
	}
	c.skip(2)
	if owner := c.offset(); owner != a.head {
		return nil, fmt.Errorf("array of chunks: the block at %d is another's", addr)
	}
	return c, nil
}

// page returns n entries that lie at addr with a checksum behind them.
func (a *array) page(addr, n uint64) ([]byte, error) {
	if p := a.pages[addr]; uint64(len(p)) == n*uint64(a.entrySize) {
		return p, nil
	}
	c, err := a.r.f.signed(addr, n*uint64(a.entrySize)+4, "")
	if err != nil {
		return nil, err
	}
	a.pages[addr] = c.b
	return c.b, nil
}

// bit reports whether the i-th bit is set, from the top of the first byte on.
func bit(b []byte, i uint64) bool {
	return i/8 < uint64(len(b)) && b[i/8]>>(7-i%8)&1 != 0
}

// never is an entry of a page that was never written.
var never = chunk{addr: undefined}

// fixedArray is the index of datasets that cannot grow.
func (r *chunkReader) fixedArray() (func(uint64) (chunk, error), error) {
	a := &array{r: r}
	c, err := a.begin("FAHD", 4+4+r.f.lengthSize+r.f.offsetSize+4)
	if err != nil {
		return nil, err
	}
	a.pageBits = c.u8()
	count := c.length()
	data := c.offset()
	if c.err != nil || a.pageBits > 30 || count > 1<<40 {
		return nil, fmt.Errorf("array of chunks: pages of 2^%d in %d entries", a.pageBits, count)
	}
	if data == undefined {
		return func(uint64) (chunk, error) { return never, nil }, nil
	}
	perPage := uint64(1) << a.pageBits
	if count <= perPage {
		c, err := a.block(data, "FADB", count*uint64(a.entrySize))
		if err != nil {
			return nil, err
		}
		entries := c.rest()
		return func(n uint64) (chunk, error) { return a.entry(entries, n) }, nil
	}
	pages := (count + perPage - 1) / perPage
	c, err = a.block(data, "FADB", (pages+7)/8)
	if err != nil {
		return nil, err
	}
	written := c.rest()
	first := data + uint64(len(c.b)) + 4
	return func(n uint64) (chunk, error) {
		p := n / perPage
		if n >= count {
			return chunk{}, errors.New("array of chunks: it has too few entries")
		}
		if !bit(written, p) {
			return never, nil
		}
		page, err := a.page(first+p*(perPage*uint64(a.entrySize)+4), min(perPage, count-p*perPage))
		if err != nil {
			return chunk{}, err
		}
		return a.entry(page, n%perPage)
	}, nil
}

// extensible is the index of datasets that can grow in one dimension: entries lie in the index block, in data blocks that
// it points to, and in data blocks that secondary blocks point to. Blocks grow as the array does.
type extensible struct {
	array
	bits       byte   // of the number of an entry
	inIndex    uint64 // entries in the index block
	minEntries uint64 // entries in the smallest data block
	minBlocks  uint64 // data blocks in the smallest secondary block

	entries   []byte   // of the index block
	data      []uint64 // data blocks that the index block points to
	secondary []uint64
	second    map[uint64]*cursor // secondary blocks, by address
}

func (r *chunkReader) extensibleArray() (func(uint64) (chunk, error), error) {
	a := &extensible{array: array{r: r}, second: map[uint64]*cursor{}}
	c, err := a.begin("EAHD", 4+8+6*r.f.lengthSize+r.f.offsetSize+4)
	if err != nil {
		return nil, err
	}
	a.bits, a.inIndex, a.minEntries, a.minBlocks, a.pageBits = c.u8(), uint64(c.u8()), uint64(c.u8()), uint64(c.u8()), c.u8()
	c.skip(6 * r.f.lengthSize)
	index := c.offset()
	power := func(n uint64) bool { return n > 0 && n&(n-1) == 0 }
	log := bits.Len64(a.minEntries) - 1
	if c.err != nil || a.bits > 64 || a.pageBits > 30 || !power(a.minEntries) || !power(a.minBlocks) || int(a.bits) < log {
		return nil, fmt.Errorf("array of chunks: %d bits, blocks of %d entries, %d blocks", a.bits, a.minEntries, a.minBlocks)
	}
	if index == undefined {
		return func(uint64) (chunk, error) { return never, nil }, nil
	}
	data := 2 * (a.minBlocks - 1)
	secondary := max(1+int(a.bits)-log-a.firstSecondary(), 0)
	c, err = a.block(index, "EAIB", a.inIndex*uint64(a.entrySize)+(data+uint64(secondary))*uint64(r.f.offsetSize))
	if err != nil {
		return nil, err
	}
	a.entries = c.take(int(a.inIndex) * a.entrySize)
	for range data {
		a.data = append(a.data, c.offset())
	}
	for range secondary {
		a.secondary = append(a.secondary, c.offset())
	}
	return a.at, nil
}

// firstSecondary is the number of levels whose data blocks the index block points to itself.
func (a *extensible) firstSecondary() int { return 2 * (bits.Len64(a.minBlocks) - 1) }

// at returns the n-th entry. The blocks come in levels: level u has 2^(u/2) data blocks of 2^((u+1)/2) times the smallest.
func (a *extensible) at(n uint64) (chunk, error) {
	if n < a.inIndex {
		return a.entry(a.entries, n)
	}
	n -= a.inIndex
	before := uint64(0) // data blocks in the levels before
	for u := range int(a.bits) + 1 {
		blocks, each := uint64(1)<<(u/2), a.minEntries<<((u+1)/2)
		if n >= blocks*each {
			n -= blocks * each
			before += blocks
			continue
		}
		b := n / each
		if u < a.firstSecondary() {
			if before+b >= uint64(len(a.data)) {
				break
			}
			return a.inBlock(a.data[before+b], each, n%each, nil)
		}
		if i := u - a.firstSecondary(); i < len(a.secondary) {
			return a.inSecondary(a.secondary[i], blocks, each, b, n%each)
		}
		break
	}
	return chunk{}, errors.New("array of chunks: it has too few entries")
}

// numberSize is the bytes of the number of an entry, which blocks say where they begin with.
func (a *extensible) numberSize() int { return int(a.bits+7) / 8 }

// pagesOf returns into how many pages data blocks of so many entries are cut, 0 for one without pages.
func (a *extensible) pagesOf(entries uint64) uint64 {
	if entries <= 1<<a.pageBits {
		return 0
	}
	return entries >> a.pageBits
}

func (a *extensible) inSecondary(addr, blocks, each, b, n uint64) (chunk, error) {
	if addr == undefined {
		return never, nil
	}
	bitmap := (a.pagesOf(each) + 7) / 8 // bytes that tell which pages of a data block are written
	c := a.second[addr]
	if c == nil {
		var err error
		size := uint64(a.numberSize()) + blocks*(bitmap+uint64(a.r.f.offsetSize))
		if c, err = a.block(addr, "EASB", size); err != nil {
			return chunk{}, err
		}
		c.skip(a.numberSize())
		a.second[addr] = c
	}
	rest := c.rest()
	if want := blocks * (bitmap + uint64(a.r.f.offsetSize)); uint64(len(rest)) != want {
		return chunk{}, errors.New("array of chunks: two levels share a block")
	}
	to := cursor{b: rest[blocks*bitmap+b*uint64(a.r.f.offsetSize):], f: a.r.f}
	// The pages of all blocks are numbered through: there is no gap between the bits of two blocks.
	first := b * a.pagesOf(each)
	return a.inBlock(to.offset(), each, n, func(page uint64) bool { return bit(rest, first+page) })
}

// inBlock returns the n-th entry of a data block.
func (a *extensible) inBlock(addr, entries, n uint64, written func(page uint64) bool) (chunk, error) {
	if addr == undefined {
		return never, nil
	}
	size := uint64(a.entrySize)
	if a.pagesOf(entries) == 0 {
		p := a.pages[addr]
		if uint64(len(p)) != entries*size {
			c, err := a.block(addr, "EADB", uint64(a.numberSize())+entries*size)
			if err != nil {
				return chunk{}, err
			}
			c.skip(a.numberSize())
			p = c.rest()
			a.pages[addr] = p
		}
		return a.entry(p, n)
	}
	perPage := uint64(1) << a.pageBits
	p := n / perPage
	if written == nil || !written(p) {
		return never, nil
	}
	first := addr + uint64(4+2+a.r.f.offsetSize+a.numberSize()+4)
	page, err := a.page(first+p*(perPage*size+4), perPage)
	if err != nil {
		return chunk{}, err
	}
	return a.entry(page, n%perPage)
}
