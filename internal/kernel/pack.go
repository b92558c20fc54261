package kernel

import (
	"math/bits"
	"unsafe"
)

// MaxNR bounds NR of every table, so that callers can have arrays of a panel's columns.
const MaxNR = 32

// maxRuns is how many runs of consecutive elements a row of a panel is read from, at most; beyond it elements are
// gathered one by one.
const maxRuns = 4

// Lanes describes rows of a panel of B that are read from elsewhere: row r takes its column l from
//
//	Src[Base + r*SrcStep + Off[s] + l]   for the run s whose Mask has bit l        (Runs > 0)
//	Src[Base + r*SrcStep + Index[l]]     where bit l of Mask[0] is set             (Runs < 0)
//
// and is zero where no mask has the bit. Rows are written DstStep elements apart. Only what the masks select is read.
// Assembly relies on the order and sizes of the fields.
type Lanes struct {
	Dst     *float32
	DstStep int
	Src     *float32
	Base    int
	SrcStep int
	Rows    int
	Runs    int
	Off     [maxRuns]int
	Mask    [maxRuns]uint32
	Index   [MaxNR]int32
	Table   *int // for PackTable: what stands in place of r*SrcStep for each row
}

// AddRun adds n columns from l on that read consecutive elements, the first at off. Columns must be added in order. A
// fifth run turns the whole description into one by index.
func (l *Lanes) AddRun(lane, n, off int) {
	if n <= 0 {
		return
	}
	mask := uint32(1<<n-1) << lane
	if l.Runs < 0 {
		l.addIndexed(lane, n, off, 1)
		return
	}
	if l.Runs < maxRuns {
		l.Off[l.Runs] = off - lane
		l.Mask[l.Runs] = mask
		l.Runs++
		return
	}
	runs, masks, offs := l.Runs, l.Mask, l.Off
	l.Runs, l.Mask = -1, [maxRuns]uint32{}
	for r := range runs {
		for i := range MaxNR {
			if masks[r]>>i&1 != 0 {
				l.Index[i] = int32(offs[r] + i)
			}
		}
		l.Mask[0] |= masks[r]
	}
	l.addIndexed(lane, n, off, 1)
}

// AddStrided adds n columns from l on that read elements step apart, the first at off.
func (l *Lanes) AddStrided(lane, n, off, step int) {
	if n > 0 {
		l.Runs = -1
		l.addIndexed(lane, n, off, step)
	}
}

func (l *Lanes) addIndexed(lane, n, off, step int) {
	l.Mask[0] |= uint32(1<<n-1) << lane
	for i := range n {
		l.Index[lane+i] = int32(off + i*step)
	}
}

// Clear takes all columns away.
func (l *Lanes) Clear() {
	l.Runs, l.Mask = 0, [maxRuns]uint32{}
}

// PackLanes writes l.Rows rows of a panel to dst, dstStep elements apart, reading src from base on and srcStep further
// for each row. base+offset of every column that a mask selects must lie inside src for every row.
func (t *Table) PackLanes(l *Lanes, dst []float32, dstStep int, src []float32, base, srcStep, rows int) {
	if rows <= 0 {
		return
	}
	if l.Runs == 0 || len(src) == 0 {
		for r := range rows {
			clear(dst[r*dstStep:][:t.NR])
		}
		return
	}
	_ = dst[(rows-1)*dstStep+t.NR-1]
	l.Dst, l.DstStep, l.Src, l.Base, l.SrcStep, l.Rows = unsafe.SliceData(dst), dstStep, unsafe.SliceData(src), base, srcStep, rows
	full := uint32(1)<<t.NR - 1
	if l.Runs == 1 && l.Mask[0] == full && dstStep == t.NR {
		t.copyPanel(l.Dst, at(l.Src, base+l.Off[0]), srcStep, rows)
		return
	}
	l.fill()
	t.packLanes(l)
	l.Dst, l.Src = nil, nil
}

// PackTable is PackLanes for rows that follow each other in dst and lie anywhere in src: row r is read from
// base+table[r] on.
func (t *Table) PackTable(l *Lanes, dst, src []float32, base int, table []int) {
	if len(table) == 0 {
		return
	}
	if l.Runs == 0 || len(src) == 0 {
		clear(dst[:len(table)*t.NR])
		return
	}
	_ = dst[len(table)*t.NR-1]
	l.Dst, l.DstStep, l.Src, l.Base, l.Rows, l.Table = unsafe.SliceData(dst), t.NR, unsafe.SliceData(src), base, len(table), &table[0]
	l.fill()
	t.packTable(l)
	l.Dst, l.Src, l.Table = nil, nil, nil
}

// fill gives the runs that are not there an address: a kernel for more runs than there are computes with it.
func (l *Lanes) fill() {
	for r := l.Runs; r > 0 && r < maxRuns; r++ {
		l.Off[r] = l.Off[0]
	}
}

// PackB packs k rows of up to NR columns of a row-major matrix into a panel; columns that are missing become zeros.
func (t *Table) PackB(dst, b []float32, ld, k, cols int) {
	if k == 0 {
		return
	}
	if cols >= t.NR {
		_, _ = dst[k*t.NR-1], b[(k-1)*ld+t.NR-1]
		t.copyPanel(unsafe.SliceData(dst), unsafe.SliceData(b), ld, k)
		return
	}
	for i := range k {
		row := dst[i*t.NR:][:t.NR]
		copy(row, b[i*ld:][:cols])
		clear(row[cols:])
	}
}

// packColumns writes k rows of width elements: element (i,j) is b[i*row+j*col] for the first cols columns, and zero for
// the others.
func (t *Table) packColumns(dst []float32, width int, b []float32, row, col, k, cols int) {
	if cols < width {
		clear(dst[:k*width])
	}
	if row == 1 && cols > 0 && k > 0 {
		_, _ = dst[k*width-1], b[(cols-1)*col+k-1]
		j := 0
		for ; j+4 <= cols; j += 4 {
			t.interleave4(&dst[j], width, &b[j*col], &b[(j+1)*col], &b[(j+2)*col], &b[(j+3)*col], k)
		}
		if j+2 <= cols {
			t.interleave2(&dst[j], width, &b[j*col], &b[(j+1)*col], k)
			j += 2
		}
		if j < cols {
			for i, v := range b[j*col:][:k] {
				dst[i*width+j] = v
			}
		}
		return
	}
	if col == 1 {
		t.CopyRows(dst, width, b, row, k, cols)
		return
	}
	for j := range cols {
		d, src := dst[j:], b[j*col:]
		for i := range k {
			d[i*width] = src[i*row]
		}
	}
}

// genericCopyPanel copies k rows of a panel's width, ld apart.
func genericCopyPanel(dst, src *float32, ld, k int) {
	for i := range k {
		*(*[genericNR]float32)(unsafe.Pointer(at(dst, i*genericNR))) = *(*[genericNR]float32)(unsafe.Pointer(at(src, i*ld)))
	}
}

// genericPackLanes is PackLanes for the portable panel.
func genericPackLanes(l *Lanes) {
	packLanesGo(l, genericNR)
}

// packLanesGo is PackLanes in Go for panels of nr columns.
func packLanesGo(l *Lanes, nr int) {
	for r := range l.Rows {
		dst := unsafe.Slice(at(l.Dst, r*l.DstStep), nr)
		from := l.Base + r*l.SrcStep // an offset: a pointer may not point outside its object even for a moment
		if l.Table != nil {
			from = l.Base + unsafe.Slice(l.Table, l.Rows)[r]
		}
		clear(dst)
		if l.Runs < 0 {
			for m := l.Mask[0]; m != 0; m &= m - 1 {
				i := bits.TrailingZeros32(m)
				dst[i] = *at(l.Src, from+int(l.Index[i]))
			}
			continue
		}
		for s, m := range l.Mask[:l.Runs] {
			lane, n := bits.TrailingZeros32(m), bits.OnesCount32(m)
			copy(dst[lane:], unsafe.Slice(at(l.Src, from+l.Off[s]+lane), n))
		}
	}
}
