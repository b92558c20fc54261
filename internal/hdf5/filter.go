package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// filter is a stage of the pipeline that chunks went through when they were written.
type filter struct {
	id     uint16
	values []uint32
}

// The filters that are known, and the names of those that are not supported.
const (
	filterGzip     = 1
	filterShuffle  = 2
	filterFletcher = 3
)

var filterNames = map[uint16]string{
	4: "szip", 5: "nbit", 6: "scale-offset", 305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4",
	32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard", 32026: "Blosc2",
}

// filters reads the pipeline of a dataset.
func (f *File) filters(h *header) ([]filter, error) {
	m, ok := h.find(msgFilters)
	if !ok {
		return nil, nil
	}
	c, err := f.content(m)
	if err != nil {
		return nil, fmt.Errorf("filters: %w", err)
	}
	version, n := c.u8(), int(c.u8())
	switch version {
	case 1:
		c.skip(6)
	case 2:
	default:
		return nil, fmt.Errorf("filters: version %d is not supported", version)
	}
	all := make([]filter, n)
	for i := range all {
		p := filter{id: c.u16()}
		name := 0
		if version == 1 || p.id >= 256 {
			name = int(c.u16())
		}
		c.skip(2)
		values := int(c.u16())
		label := c.text(name)
		if version == 1 {
			c.skip(-name & 7)
		}
		for range min(values, c.left()/4) {
			p.values = append(p.values, c.u32())
		}
		if version == 1 && values&1 != 0 {
			c.skip(4)
		}
		if c.err != nil || len(p.values) != values {
			return nil, errors.New("filters: cut off")
		}
		switch p.id {
		case filterGzip, filterShuffle, filterFletcher:
		default:
			if known := filterNames[p.id]; known != "" {
				label = known
			}
			return nil, fmt.Errorf("filter %d (%s) is not supported: write the file again with gzip or without compression", p.id, label)
		}
		all[i] = p
	}
	return all, nil
}

// undo takes a chunk of size bytes back through the pipeline, without the filters that mask names. raw may be changed.
func (f *File) undo(pipeline []filter, mask uint32, raw []byte, size uint64) ([]byte, error) {
	for i := len(pipeline) - 1; i >= 0; i-- {
		if i < 32 && mask>>i&1 != 0 {
			continue
		}
		var err error
		switch p := pipeline[i]; p.id {
		case filterGzip:
			// Checksums may have been added before.
			raw, err = f.inflate(raw, size+4*uint64(i))
		case filterShuffle:
			raw, err = f.unshuffle(raw, p)
		case filterFletcher:
			raw, err = unfletcher(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	if uint64(len(raw)) != size {
		return nil, fmt.Errorf("%d bytes, want %d", len(raw), size)
	}
	return raw, nil
}

func (f *File) inflate(raw []byte, most uint64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("gzip filter: %w", err)
	}
	// Grown as data comes, not as is declared.
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(z, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("gzip filter: %w", err)
	}
	if uint64(n) > most {
		return nil, fmt.Errorf("gzip filter: the chunk expands to more than its %d bytes", most)
	}
	return out.Bytes(), f.decode(uint64(n))
}

// unshuffle puts the bytes of elements together that were stored as all first bytes, all second bytes, ...
func (f *File) unshuffle(raw []byte, p filter) ([]byte, error) {
	if len(p.values) == 0 || p.values[0] == 0 || p.values[0] > 1<<20 {
		return nil, errors.New("shuffle filter: it does not say how large elements are")
	}
	size := int(p.values[0])
	n := len(raw) / size
	if size == 1 || n <= 1 {
		return raw, nil
	}
	if err := f.decode(uint64(len(raw))); err != nil {
		return nil, err
	}
	out := make([]byte, len(raw))
	for k := range size {
		plane := raw[k*n : (k+1)*n]
		for i, b := range plane {
			out[i*size+k] = b
		}
	}
	copy(out[n*size:], raw[n*size:])
	return out, nil
}

func unfletcher(raw []byte) ([]byte, error) {
	if len(raw) < 4 {
		return nil, errors.New("fletcher32 filter: the chunk is cut off")
	}
	data := raw[:len(raw)-4]
	if want, got := binary.LittleEndian.Uint32(raw[len(data):]), fletcher32(data); got != want {
		return nil, fmt.Errorf("fletcher32 filter: checksum is %08x, want %08x: the file is damaged", got, want)
	}
	return data, nil
}

// fletcher32 is Fletcher's checksum over big-endian words of 16 bits, modulo 65535; an odd last byte is an upper half.
func fletcher32(p []byte) uint32 {
	fold := func(v uint32) uint32 { return v&0xffff + v>>16 }
	a, b := uint32(0), uint32(0)
	for len(p) > 0 {
		n := min(len(p), 720) // so many words cannot overflow
		for i := 0; i < n; i += 2 {
			a += uint32(p[i]) << 8
			if i+1 < n {
				a += uint32(p[i+1])
			}
			b += a
		}
		a, b = fold(a), fold(b)
		p = p[n:]
	}
	return fold(b)<<16 | fold(a)
}
