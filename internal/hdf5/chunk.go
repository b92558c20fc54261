package hdf5

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
)

// chunking says how a dataset is cut into chunks, and where the index of them is.
type chunking struct {
	dims  []uint64 // of a chunk, in elements
	bytes uint64   // of a chunk
	index byte     // one of the kinds below
	addr  uint64

	wholeEdges bool // chunks that stick out over the dataset went through no filter
	single     bool // a single chunk that went through filters, of ...
	size       uint64
	mask       uint32
}

// The kinds of indexes; all but the first are numbered as in the layout message of version 4.
const (
	indexTree1    = 0
	indexSingle   = 1
	indexImplicit = 2
	indexFixed    = 3
	indexExtended = 4
	indexTree2    = 5
)

const maxChunks = 1 << 22

// chunk is where a chunk is stored.
type chunk struct {
	addr uint64
	size uint64 // bytes in the file
	mask uint32 // filters that were left out
}

func (f *File) chunking(c *cursor, version byte, s space, t Type) (chunking, error) {
	var k chunking
	width := 4
	var flags byte
	if version == 4 {
		flags = c.u8()
	}
	rank := int(c.u8()) - 1 // the last dimension is the size of an element
	if version == 3 {
		k.addr = c.offset()
	} else {
		width = int(c.u8())
	}
	if rank != len(s.dims) || width < 1 || width > 8 {
		return k, fmt.Errorf("chunks of %d dimensions in a dataset of %d", rank, len(s.dims))
	}
	for range rank {
		k.dims = append(k.dims, c.uint(width))
	}
	elem := c.uint(width)
	if c.err == nil && elem != uint64(t.Size) {
		return k, fmt.Errorf("chunks of elements of %d bytes, want %d", elem, t.Size)
	}
	n, fits := sizes.Product(k.dims...)
	if fits {
		k.bytes, fits = sizes.Product(n, elem)
	}
	if c.err == nil && (!fits || n == 0 || k.bytes > 1<<32) {
		return k, fmt.Errorf("chunks of %v elements", k.dims)
	}
	if version == 4 {
		k.wholeEdges = flags&1 != 0
		k.index = c.u8()
		switch k.index {
		case indexSingle:
			if k.single = flags&2 != 0; k.single {
				k.size, k.mask = c.length(), c.u32()
			}
		case indexImplicit:
		case indexFixed:
			c.skip(1)
		case indexExtended:
			c.skip(5)
		case indexTree2:
			c.skip(6)
		default:
			return k, fmt.Errorf("chunk index %d is not supported", k.index)
		}
		k.addr = c.offset()
	}
	return k, c.err
}

// grid returns how many chunks there are in each dimension for these sizes, undefined where a size is.
func (k *chunking) grid(dims []uint64) []uint64 {
	g := make([]uint64, len(dims))
	for i, d := range dims {
		if g[i] = undefined; d != undefined {
			g[i] = d / k.dims[i]
			if d%k.dims[i] != 0 {
				g[i]++
			}
		}
	}
	return g
}

// chunkReader puts chunks into place.
type chunkReader struct {
	*dataset
	k       *chunking
	filters []filter
	raw     []byte
}

func (d *dataset) readChunks() ([]byte, error) {
	pipeline, err := d.f.filters(d.h)
	if err != nil {
		return nil, err
	}
	if err := d.f.declare(d.size); err != nil {
		return nil, err
	}
	r := &chunkReader{dataset: d, k: &d.layout.chunks, filters: pipeline}
	if r.raw, err = d.filled(); err != nil || d.size == 0 || r.k.addr == undefined {
		return r.raw, err
	}
	if n, fits := sizes.Product(r.k.grid(d.space.dims)...); !fits || n > maxChunks {
		return nil, fmt.Errorf("more than %d chunks", maxChunks)
	}
	switch r.k.index {
	case indexTree1:
		err = r.fromTree1()
	case indexTree2:
		err = r.fromTree2()
	default:
		err = r.fromArray()
	}
	return r.raw, err
}

// fromTree1 reads the chunks that a B-tree of version 1 lists.
func (r *chunkReader) fromTree1() error {
	rank := len(r.k.dims)
	at := make([]uint64, rank)
	return r.f.tree1(r.k.addr, 1, 8+8*(rank+1), func(key *cursor, child uint64) error {
		e := chunk{addr: child, size: uint64(key.u32()), mask: key.u32()}
		for i := range at {
			v := key.uint(8)
			if v%r.k.dims[i] != 0 {
				return fmt.Errorf("a chunk begins at %d, which is no multiple of %d", v, r.k.dims[i])
			}
			at[i] = v / r.k.dims[i]
		}
		return r.put(at, e)
	})
}

// fromTree2 reads the chunks that a B-tree of version 2 lists.
func (r *chunkReader) fromTree2() error {
	typ := byte(10)
	if len(r.filters) > 0 {
		typ = 11
	}
	t, walk, err := r.f.openTree2(r.k.addr, typ)
	if err != nil {
		return err
	}
	rank := len(r.k.dims)
	width := t.recordSize - r.f.offsetSize - 4 - 8*rank
	if typ == 11 && (width < 1 || width > 8) {
		return fmt.Errorf("B-tree: records of %d bytes", t.recordSize)
	}
	at := make([]uint64, rank)
	return walk(func(record *cursor) error {
		e := chunk{addr: record.offset(), size: r.k.bytes}
		if typ == 11 {
			e.size, e.mask = record.uint(width), record.u32()
		}
		for i := range at {
			at[i] = record.uint(8)
		}
		if record.err != nil {
			return record.err
		}
		return r.put(at, e)
	})
}

// fromArray asks an index by number for each chunk.
func (r *chunkReader) fromArray() error {
	lookup, err := r.lookup()
	if err != nil {
		return err
	}
	grid, most := r.k.grid(r.space.dims), r.k.grid(r.space.max)
	order := make([]int, len(grid)) // of dimensions in the numbering: an unbounded one comes first
	for i := range order {
		order[i] = i
	}
	for i, n := range most {
		if n == undefined {
			copy(order[1:i+1], order[:i])
			order[0] = i
			break
		}
	}
	at := make([]uint64, len(grid))
	for {
		n := uint64(0)
		for i, d := range order {
			if i > 0 {
				hi, lo := bits.Mul64(n, most[d])
				if n = lo; hi != 0 {
					return errors.New("more chunks than can be counted")
				}
			}
			n += at[d]
		}
		e, err := lookup(n)
		if err != nil {
			return err
		}
		if err := r.put(at, e); err != nil {
			return err
		}
		i := len(at) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < grid[i] {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}

// put copies a chunk into the dataset; at is its place in the grid.
func (r *chunkReader) put(at []uint64, e chunk) error {
	if e.addr == undefined {
		return nil
	}
	edge := false
	rank := len(at)
	for i, a := range at {
		if a > r.space.dims[i]/r.k.dims[i] || a*r.k.dims[i] >= r.space.dims[i] {
			return nil // cut off when the dataset was made smaller
		}
		edge = edge || (a+1)*r.k.dims[i] > r.space.dims[i]
	}
	bad := func(err error) error { return fmt.Errorf("chunk %v: %w", at, err) }
	pipeline := r.filters
	if edge && r.k.wholeEdges {
		pipeline = nil
	}
	// Compression and checksums make no chunk much larger than it was.
	if len(pipeline) == 0 && e.size != r.k.bytes || e.size > 2*r.k.bytes+1024 {
		return bad(fmt.Errorf("%d bytes stored, want %d", e.size, r.k.bytes))
	}
	if err := r.f.decode(e.size); err != nil {
		return bad(err)
	}
	data, err := r.f.read(e.addr, e.size)
	if err == nil {
		data, err = r.f.undo(pipeline, e.mask, data, r.k.bytes)
	}
	if err != nil {
		return bad(err)
	}
	if rank == 0 {
		copy(r.raw, data)
		return nil
	}
	r.copy(at, data)
	return nil
}

// copy copies the part of a chunk that lies in the dataset, row by row.
func (r *chunkReader) copy(at []uint64, data []byte) {
	rank, size := len(at), uint64(r.typ.Size)
	count := make([]uint64, rank) // elements of the chunk that lie in the dataset
	for i, a := range at {
		count[i] = min(r.k.dims[i], r.space.dims[i]-a*r.k.dims[i])
	}
	row := make([]uint64, rank) // the place of a row in the chunk
	for {
		from, to := uint64(0), uint64(0)
		for i := range rank {
			from = from*r.k.dims[i] + row[i]
			to = to*r.space.dims[i] + at[i]*r.k.dims[i] + row[i]
		}
		copy(r.raw[to*size:(to+count[rank-1])*size], data[from*size:])
		i := rank - 2
		for ; i >= 0; i-- {
			if row[i]++; row[i] < count[i] {
				break
			}
			row[i] = 0
		}
		if i < 0 {
			return
		}
	}
}
