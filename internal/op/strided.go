package op

import (
	"fmt"
	"unsafe"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// word lists the types that stand for elements of their width where only bytes are moved; string is itself.
type word interface {
	uint8 | uint16 | uint32 | uint64 | [2]uint64 | string
}

// words returns the elements of t as words of type T, which has their width (or a multiple of it).
func words[T uint8 | uint16 | uint32 | uint64 | [2]uint64](t *onnx.Tensor) []T {
	var z T
	n := len(t.Raw) / int(unsafe.Sizeof(z))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.Raw))), n)
}

// elemSize returns the bytes of an element, 0 for strings and for elements that do not fill whole bytes.
func elemSize(t onnx.DataType) int {
	if t.Bits()%8 != 0 {
		return 0
	}
	return t.Bits() / 8
}

// movable returns an error for types whose elements cannot be moved one by one.
func movable(t onnx.DataType) error {
	if t == onnx.String || elemSize(t) > 0 {
		return nil
	}
	return fmt.Errorf("input of type %v is not supported", t)
}

// copyAll copies the elements of src, which has as many, to dst.
func copyAll(dst, src *onnx.Tensor) {
	if len(src.Raw) > 0 && unsafe.SliceData(dst.Raw) != unsafe.SliceData(src.Raw) {
		copy(dst.Raw, src.Raw)
	}
	copy(dst.Strings, src.Strings)
}

// moveGrain is how many elements a piece of a parallel loop that only moves bytes has at least.
const moveGrain = 1 << 15

// strideDim is a dimension of a strided copy: its size and the steps in elements that dst and src take along it.
type strideDim struct{ n, dst, src int }

// copyStrided copies an n-dimensional block: element (i0, i1, ...) of src, at srcOff + i0*srcStrides[0] + ..., goes to
// the place that dstOff and dstStrides give in dst. Strides may be zero (repeat) or negative (reverse) in src.
// Transpose, Slice, Expand, Tile, Concat, Split and others are all this one operation. The places must lie inside the
// tensors, and no place of dst may be written twice.
func copyStrided(rt *Runtime, shape []int, dst *onnx.Tensor, dstOff int, dstStrides []int, src *onnx.Tensor, srcOff int, srcStrides []int) {
	dims := make([]strideDim, 0, len(shape))
	for i, n := range shape {
		if n == 0 {
			return
		}
		d := strideDim{n, dstStrides[i], srcStrides[i]}
		if n == 1 {
			continue
		}
		// Two dimensions that lie behind each other on both sides are one.
		if k := len(dims) - 1; k >= 0 && dims[k].dst == d.dst*n && dims[k].src == d.src*n {
			dims[k] = strideDim{dims[k].n * n, d.dst, d.src}
			continue
		}
		dims = append(dims, d)
	}
	size := elemSize(dst.Type)
	dims, dstOff, srcOff, size = widen(dims, dstOff, srcOff, size)
	switch size {
	case 1:
		runStrided(rt, dims, words[uint8](dst), dstOff, words[uint8](src), srcOff)
	case 2:
		runStrided(rt, dims, words[uint16](dst), dstOff, words[uint16](src), srcOff)
	case 4:
		runStrided(rt, dims, words[uint32](dst), dstOff, words[uint32](src), srcOff)
	case 8:
		runStrided(rt, dims, words[uint64](dst), dstOff, words[uint64](src), srcOff)
	case 16:
		runStrided(rt, dims, words[[2]uint64](dst), dstOff, words[[2]uint64](src), srcOff)
	default:
		runStrided(rt, dims, dst.Strings, dstOff, src.Strings, srcOff)
	}
}

// widen takes a short contiguous innermost run as one element of a larger size, where everything is a multiple of it.
func widen(dims []strideDim, dstOff, srcOff, size int) ([]strideDim, int, int, int) {
	k := len(dims) - 1
	if k < 1 || size == 0 {
		return dims, dstOff, srcOff, size
	}
	run := dims[k]
	if run.dst != 1 || run.src != 1 || run.n*size > 16 || run.n&(run.n-1) != 0 {
		return dims, dstOff, srcOff, size
	}
	n := run.n
	if dstOff%n != 0 || srcOff%n != 0 {
		return dims, dstOff, srcOff, size
	}
	for _, d := range dims[:k] {
		if d.dst%n != 0 || d.src%n != 0 {
			return dims, dstOff, srcOff, size
		}
	}
	wide := make([]strideDim, k)
	for i, d := range dims[:k] {
		wide[i] = strideDim{d.n, d.dst / n, d.src / n}
	}
	return wide, dstOff / n, srcOff / n, size * n
}

func runStrided[T word](rt *Runtime, dims []strideDim, dst []T, dstOff int, src []T, srcOff int) {
	if len(dims) == 0 {
		dst[dstOff] = src[srcOff]
		return
	}
	last := len(dims) - 1
	inner, outer := dims[last], dims[:last]
	if inner.dst == 1 && inner.src != 1 && inner.src != 0 {
		for j, d := range outer {
			if d.src == 1 && d.n >= 8 {
				rest := append(append([]strideDim{}, outer[:j]...), outer[j+1:]...)
				runTransposed(rt, rest, d, inner, dst, dstOff, src, srcOff)
				return
			}
		}
	}
	if len(outer) == 0 {
		rt.Pool.For(inner.n, moveGrain, func(lo, hi int) {
			moveRow(dst, dstOff+lo*inner.dst, inner.dst, src, srcOff+lo*inner.src, inner.src, hi-lo)
		})
		return
	}
	rows := 1
	for _, d := range outer {
		rows *= d.n
	}
	rt.Pool.For(rows, max(1, moveGrain/inner.n), func(lo, hi int) {
		at := startAt(outer, lo, dstOff, srcOff)
		for range hi - lo {
			moveRow(dst, at.dst, inner.dst, src, at.src, inner.src, inner.n)
			at.next()
		}
	})
}

// position walks through the index space of dims in row-major order.
type position struct {
	dims     []strideDim
	index    []int
	dst, src int
}

// startAt returns the position of row number row.
func startAt(dims []strideDim, row, dst, src int) position {
	p := position{dims: dims, index: make([]int, len(dims)), dst: dst, src: src}
	for i := len(dims) - 1; i >= 0; i-- {
		p.index[i] = row % dims[i].n
		row /= dims[i].n
		p.dst += p.index[i] * dims[i].dst
		p.src += p.index[i] * dims[i].src
	}
	return p
}

func (p *position) next() {
	for i := len(p.dims) - 1; i >= 0; i-- {
		d := &p.dims[i]
		p.dst += d.dst
		p.src += d.src
		if p.index[i]++; p.index[i] < d.n {
			return
		}
		p.index[i] = 0
		p.dst -= d.n * d.dst
		p.src -= d.n * d.src
	}
}

func moveRow[T word](dst []T, dstOff, dstStride int, src []T, srcOff, srcStride, n int) {
	switch {
	case dstStride == 1 && srcStride == 1:
		copy(dst[dstOff:dstOff+n], src[srcOff:srcOff+n])
	case dstStride == 1 && srcStride == 0:
		fillRow(dst[dstOff:dstOff+n], src[srcOff])
	case dstStride == 1:
		for i := range dst[dstOff : dstOff+n] {
			dst[dstOff+i] = src[srcOff]
			srcOff += srcStride
		}
	default:
		for range n {
			dst[dstOff] = src[srcOff]
			dstOff += dstStride
			srcOff += srcStride
		}
	}
}

func fillRow[T word](dst []T, v T) {
	if len(dst) == 0 {
		return
	}
	dst[0] = v
	for n := 1; n < len(dst); n *= 2 { // what is there already, once more
		copy(dst[n:], dst[:n])
	}
}

// The tile of a transposition: rows of dst that are written together, and elements of each.
const (
	tileRows = 64
	tileCols = 64
)

// runTransposed copies where neighbours in src (along rows) are not neighbours in dst (along cols): in tiles, so that
// what lies in one cache line is used while it is there.
func runTransposed[T word](rt *Runtime, rest []strideDim, rows, cols strideDim, dst []T, dstOff int, src []T, srcOff int) {
	blocks := (rows.n + tileRows - 1) / tileRows
	planes := 1
	for _, d := range rest {
		planes *= d.n
	}
	work := min(rows.n, tileRows) * cols.n
	rt.Pool.For(planes*blocks, max(1, moveGrain/work), func(lo, hi int) {
		at := startAt(rest, lo/blocks, dstOff, srcOff)
		for b := lo; b < hi; b++ {
			block := b % blocks
			r0 := block * tileRows
			r1 := min(r0+tileRows, rows.n)
			for c0 := 0; c0 < cols.n; c0 += tileCols {
				n := min(tileCols, cols.n-c0)
				transposeTile(dst, at.dst+r0*rows.dst+c0, rows.dst, src, at.src+r0+c0*cols.src, cols.src, r1-r0, n)
			}
			if block == blocks-1 {
				at.next()
			}
		}
	})
}

// transposeTile writes rows times cols elements: dst's columns and src's rows are contiguous.
func transposeTile[T word](dst []T, dstOff, dstStride int, src []T, srcOff, srcStride, rows, cols int) {
	r := 0
	for ; r+8 <= rows; r += 8 {
		d := dstOff + r*dstStride
		d0 := dst[d : d+cols : d+cols]
		d1 := dst[d+dstStride:][:cols]
		d2 := dst[d+2*dstStride:][:cols]
		d3 := dst[d+3*dstStride:][:cols]
		d4 := dst[d+4*dstStride:][:cols]
		d5 := dst[d+5*dstStride:][:cols]
		d6 := dst[d+6*dstStride:][:cols]
		d7 := dst[d+7*dstStride:][:cols]
		s := srcOff + r
		for c := range d0 {
			v := src[s : s+8 : s+8]
			d0[c], d1[c], d2[c], d3[c] = v[0], v[1], v[2], v[3]
			d4[c], d5[c], d6[c], d7[c] = v[4], v[5], v[6], v[7]
			s += srcStride
		}
	}
	for ; r < rows; r++ {
		moveRow(dst, dstOff+r*dstStride, 1, src, srcOff+r, srcStride, cols)
	}
}
