// Package hdf5 reads the part of HDF5 that h5py and Keras write: groups, attributes and datasets of numbers and strings,
// in the formats of HDF5 1.6 to 1.14 (superblocks 0 to 3). It follows the HDF5 File Format Specification, version 3.
//
// Files may be hostile. Every size is checked against the file before memory is asked for; what datasets declare and what
// chunks expand to is bounded by the size of the file (see [Options]); nothing outside the file is ever read: external
// links, external storage and virtual datasets are refused.
package hdf5

import (
	"errors"
	"fmt"
	"io"
)

// Options bounds what a file may ask for. The zero value is what [Open] uses.
type Options struct {
	// MaxExpanded is how many bytes the datasets and strings that are read may have together; 0 stands for 16 GiB.
	// Whatever it is, more than 64 MiB are refused if they are over 1000 times the size of the file.
	MaxExpanded int64
}

// File is an HDF5 file. It must not be used by two goroutines at once.
type File struct {
	r    io.ReaderAt
	size uint64
	base uint64 // where the file's addresses count from

	offsetSize, lengthSize int
	root                   uint64

	objects     map[uint64]*header
	collections map[uint64]map[uint16][]byte // of the global heap

	limit            uint64 // of declared and of decoded bytes
	declared         uint64 // bytes of datasets and strings so far
	decoded          uint64 // bytes that filters have given so far
	meta             uint64 // bytes of metadata read so far
	withoutChecksums bool   // for fuzzing: with them hardly any damage gets past the first block
}

const (
	undefined = ^uint64(0) // the address of what is not there

	maxDepth  = 32      // of B-trees, and of soft links that lead to soft links
	maxBlock  = 1 << 30 // bytes of one block of metadata
	maxRank   = 32
	maxLevels = 64 // of groups inside groups, in Walk
)

// Open reads the superblock of the file that r holds in its first size bytes.
func Open(r io.ReaderAt, size int64) (*File, error) { return Options{}.Open(r, size) }

// Open is [Open] with options.
func (o Options) Open(r io.ReaderAt, size int64) (*File, error) {
	f := o.file(r, size)
	if err := f.superblock(); err != nil {
		return nil, fmt.Errorf("HDF5: %w", err)
	}
	return f, nil
}

func (o Options) file(r io.ReaderAt, size int64) *File {
	limit := o.MaxExpanded
	if limit <= 0 {
		limit = 16 << 30
	}
	return &File{
		r: r, size: uint64(max(size, 0)),
		objects:     map[uint64]*header{},
		collections: map[uint64]map[uint16][]byte{},
		limit:       uint64(min(limit, max(64<<20, 1000*size))),
	}
}

const signature = "\x89HDF\r\n\x1a\n"

// Is reports whether data, the first bytes of a file, begin an HDF5 file without a user block before it.
func Is(data []byte) bool { return len(data) >= 8 && string(data[:8]) == signature }

func (f *File) superblock() error {
	// It lies at 0, or behind a user block of 512, 1024, 2048, ... bytes.
	f.offsetSize, f.lengthSize = 8, 8
	for at := uint64(0); at+8 <= f.size; at = max(512, 2*at) {
		c, err := f.block(at, 8)
		if err != nil {
			return err
		}
		if string(c.b) == signature {
			return f.superblockAt(at)
		}
	}
	return errors.New("not an HDF5 file: no signature at 0, 512, 1024, ...")
}

func (f *File) superblockAt(at uint64) error {
	// The longest has 24+4+4*8+40 bytes.
	c, err := f.block(at, min(100, f.size-at))
	if err != nil {
		return err
	}
	c.skip(8)
	version := c.u8()
	switch version {
	case 0, 1:
		c.skip(4)
	case 2, 3:
	default:
		return fmt.Errorf("superblock version %d is not supported (0 to 3 are)", version)
	}
	f.offsetSize, f.lengthSize = int(c.u8()), int(c.u8())
	for _, n := range []int{f.offsetSize, f.lengthSize} {
		if n != 2 && n != 4 && n != 8 {
			return fmt.Errorf("superblock: addresses or lengths of %d bytes are not supported", n)
		}
	}
	base := uint64(0)
	if version < 2 {
		c.skip(9)
		if version == 1 {
			c.skip(4)
		}
		base = c.offset()
		c.skip(3 * f.offsetSize) // free space, end of file, driver
		c.skip(f.offsetSize)     // the name of the root
		f.root = c.offset()
	} else {
		c.skip(1)
		base = c.offset()
		c.skip(2 * f.offsetSize)
		f.root = c.offset()
		c.skip(4)
		if c.err == nil {
			if err := f.checksum(c.b[:c.at], "superblock"); err != nil {
				return err
			}
		}
	}
	if c.err != nil {
		return fmt.Errorf("superblock: %w", c.err)
	}
	// A user block may be put before a file whose base address is 0, and addresses count from the superblock then, too.
	if base != at && base != 0 {
		return fmt.Errorf("superblock at %d: the base address is %d", at, base)
	}
	f.base = at
	return nil
}

// block reads n bytes of metadata.
func (f *File) block(addr, n uint64) (*cursor, error) {
	b, err := f.read(addr, n)
	if err != nil {
		return nil, err
	}
	// Hostile trees can reach the same node by very many ways.
	if f.meta += n + 16; f.meta > 256<<20+16*f.size {
		return nil, errors.New("the file's metadata refers to itself, or is far larger than the file: refused")
	}
	return &cursor{b: b, f: f}, nil
}

// read returns n bytes of the file.
func (f *File) read(addr, n uint64) ([]byte, error) {
	at := f.base + addr
	if addr == undefined || at < addr || at > f.size || n > f.size-at {
		return nil, fmt.Errorf("%d bytes at address %d are outside the file (%d bytes): it is cut off or damaged", n, addr, f.size)
	}
	if n > maxBlock && n > f.limit {
		return nil, fmt.Errorf("%d bytes at once: refused", n)
	}
	b := make([]byte, n)
	if k, err := f.r.ReadAt(b, int64(at)); k < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// signed reads a block of n bytes that begins with a signature and ends with a checksum; the cursor is behind the signature
// and does not see the checksum.
func (f *File) signed(addr, n uint64, sign string) (*cursor, error) {
	if n < uint64(len(sign))+4 || n > maxBlock {
		return nil, fmt.Errorf("block %s at %d: %d bytes", sign, addr, n)
	}
	c, err := f.block(addr, n)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", sign, err)
	}
	if err := c.sign(sign); err != nil {
		return nil, fmt.Errorf("at %d: %w", addr, err)
	}
	if err := f.checksum(c.b, "block "+sign); err != nil {
		return nil, fmt.Errorf("at %d: %w", addr, err)
	}
	c.b = c.b[:n-4]
	return c, nil
}

// checksum verifies the last four bytes of a block.
func (f *File) checksum(b []byte, what string) error {
	if f.withoutChecksums {
		return nil
	}
	if len(b) < 4 {
		return fmt.Errorf("%s: cut off", what)
	}
	c := cursor{b: b[len(b)-4:]}
	if want, got := uint32(c.uint(4)), lookup3(b[:len(b)-4]); want != got {
		return fmt.Errorf("%s: checksum is %08x, want %08x: the file is damaged", what, got, want)
	}
	return nil
}

// declare counts bytes that a dataset or a string is about to take.
func (f *File) declare(n uint64) error { return f.charge(&f.declared, n, "declares") }

// decode counts bytes that a chunk is about to expand to.
func (f *File) decode(n uint64) error { return f.charge(&f.decoded, n, "expands to") }

func (f *File) charge(sum *uint64, n uint64, verb string) error {
	if n > f.limit || *sum > f.limit-n {
		return fmt.Errorf("a file of %d bytes %s more than %d: refused", f.size, verb, f.limit)
	}
	*sum += n
	return nil
}

// cursor takes numbers from a block. After running over its end it gives zeros, and err says so.
type cursor struct {
	b   []byte
	at  int
	f   *File
	err error
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b)-c.at {
		if c.err == nil {
			c.err = fmt.Errorf("cut off: %d bytes are wanted at %d of %d", n, c.at, len(c.b))
		}
		c.at = len(c.b)
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at : c.at]
}

func (c *cursor) skip(n int)   { c.take(n) }
func (c *cursor) rest() []byte { return c.b[c.at:] }
func (c *cursor) left() int    { return len(c.b) - c.at }

// uint takes a little-endian number of n <= 8 bytes.
func (c *cursor) uint(n int) uint64 {
	v := uint64(0)
	for i, b := range c.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) u8() byte       { return byte(c.uint(1)) }
func (c *cursor) u16() uint16    { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32    { return uint32(c.uint(4)) }
func (c *cursor) length() uint64 { return c.uint(c.f.lengthSize) }

// offset takes an address.
func (c *cursor) offset() uint64 {
	v := c.uint(c.f.offsetSize)
	if v == undefined>>(64-8*c.f.offsetSize) {
		return undefined
	}
	return v
}

// sign takes a signature.
func (c *cursor) sign(want string) error {
	if got := c.take(len(want)); string(got) != want {
		return fmt.Errorf("signature %q, want %q: the file is damaged", got, want)
	}
	return nil
}

// text takes n bytes up to their first zero.
func (c *cursor) text(n int) string { return untilZero(c.take(n)) }

func untilZero(b []byte) string {
	for i, x := range b {
		if x == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
