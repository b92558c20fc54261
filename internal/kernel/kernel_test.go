package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
	"github.com/onnxcnn/onnxcnn/internal/kernel/ref"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// eachTable runs a test for every instruction set of this machine.
func eachTable(t *testing.T, f func(t *testing.T, table *Table)) {
	for _, isa := range cpu.Supported() {
		t.Run(isa.String(), func(t *testing.T) {
			table, err := For(isa)
			if err != nil {
				t.Fatal(err)
			}
			f(t, table)
		})
	}
}

// guardedRandom is guarded memory with values in -1..1.
func guardedRandom(t testing.TB, r *rand.Rand, n int, atEnd bool) []float32 {
	s := guarded(t, n, atEnd)
	for i := range s {
		s[i] = 2*r.Float32() - 1
	}
	return s
}

func near(got, want, scale float32) bool {
	return got == want || math.Abs(float64(got)-float64(want)) <= 1e-6*float64(scale)
}

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

// The assembly relies on these.
func TestLayout(t *testing.T) {
	var x Tile
	var l Lanes
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"Tile.A", unsafe.Offsetof(x.A), 8}, {"Tile.B", unsafe.Offsetof(x.B), 16}, {"Tile.C", unsafe.Offsetof(x.C), 24},
		{"Tile.LDC", unsafe.Offsetof(x.LDC), 32}, {"Tile.Acc", unsafe.Offsetof(x.Acc), 40},
		{"Tile.RowBias", unsafe.Offsetof(x.RowBias), 48}, {"Tile.ColBias", unsafe.Offsetof(x.ColBias), 56},
		{"Tile.Res", unsafe.Offsetof(x.Res), 64}, {"Tile.LDRes", unsafe.Offsetof(x.LDRes), 72},
		{"Tile.Clamp", unsafe.Offsetof(x.Clamp), 80}, {"Tile.Lo", unsafe.Offsetof(x.Lo), 88}, {"Tile.Hi", unsafe.Offsetof(x.Hi), 92},
		{"Tile.Panels", unsafe.Offsetof(x.Panels), 96}, {"Tile.CStep", unsafe.Offsetof(x.CStep), 104},
		{"Tile.AccStep", unsafe.Offsetof(x.AccStep), 112}, {"Tile.ResStep", unsafe.Offsetof(x.ResStep), 120},
		{"Lanes.DstStep", unsafe.Offsetof(l.DstStep), 8}, {"Lanes.Src", unsafe.Offsetof(l.Src), 16},
		{"Lanes.Base", unsafe.Offsetof(l.Base), 24}, {"Lanes.SrcStep", unsafe.Offsetof(l.SrcStep), 32},
		{"Lanes.Rows", unsafe.Offsetof(l.Rows), 40}, {"Lanes.Runs", unsafe.Offsetof(l.Runs), 48},
		{"Lanes.Off", unsafe.Offsetof(l.Off), 56}, {"Lanes.Mask", unsafe.Offsetof(l.Mask), 88}, {"Lanes.Index", unsafe.Offsetof(l.Index), 104}, {"Lanes.Table", unsafe.Offsetof(l.Table), 232},
	} {
		if c.got != c.want && unsafe.Sizeof(uintptr(0)) == 8 {
			t.Errorf("%s is at offset %d, assembly has %d", c.name, c.got, c.want)
		}
	}
}

func TestFor(t *testing.T) {
	if _, err := For(cpu.ISA(99)); err == nil {
		t.Error("kernels for an unknown instruction set")
	}
	if isa, err := cpu.Selected(); err == nil && Default().ISA != isa {
		t.Errorf("default is %v, selected %v", Default().ISA, isa)
	}
}

// Every microkernel, with every combination of summands, next to pages that must not be touched.
func TestTiles(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(1, 2))
		mr, nr := table.MR, table.NR
		for _, kernel := range table.tiles {
			rows, cols := kernel.rows, kernel.cols
			for _, k := range []int{0, 1, 3, 4, 5, 8, 37} {
				for flags := range 64 {
					atEnd := flags%2 == 0
					panels := 1 + flags>>5*2
					a := guardedRandom(t, r, max(panels*k*mr, 1), atEnd)
					b := guardedRandom(t, r, max(k*nr, 1), atEnd)
					ldc, ldr := cols+r.IntN(3), cols+r.IntN(3)
					cStep, accStep, resStep := rows*ldc+r.IntN(3), rows*nr+r.IntN(3), rows*ldr+r.IntN(3)
					c := guarded(t, (panels-1)*cStep+(rows-1)*ldc+cols, atEnd)
					for i := range c {
						c[i] = nan
					}
					x := Tile{K: k, A: &a[0], B: &b[0], C: &c[0], LDC: ldc, Panels: panels, CStep: cStep, AccStep: accStep, ResStep: resStep}
					want := make([]float64, panels*rows*cols)
					at := func(i int) (panel, row, col int) { return i / (rows * cols), i / cols % rows, i % cols }
					for i := range want {
						p, row, col := at(i)
						for l := range k {
							want[i] += float64(a[(p*k+l)*mr+row]) * float64(b[l*nr+col])
						}
					}
					add := func(panelStep, rowStep, colStep int) *float32 {
						v := guardedRandom(t, r, (panels-1)*panelStep+(rows-1)*rowStep+(cols-1)*colStep+1, atEnd)
						for i := range want {
							p, row, col := at(i)
							want[i] += float64(v[p*panelStep+row*rowStep+col*colStep])
						}
						return &v[0]
					}
					if flags&1 != 0 {
						x.Acc = add(accStep, nr, 1)
					}
					if flags&2 != 0 {
						x.RowBias = add(mr, 1, 0)
					}
					if flags&4 != 0 {
						x.ColBias = add(0, 0, 1)
					}
					if flags&8 != 0 {
						x.Res, x.LDRes = add(resStep, ldr, 1), ldr
					}
					if flags&16 != 0 {
						x.Clamp, x.Lo, x.Hi = 1, -0.5, 0.75
						for i, v := range want {
							want[i] = min(max(v, -0.5), 0.75)
						}
					}
					kernel.run(&x)
					for i, w := range want {
						p, row, col := at(i)
						got := &c[p*cStep+row*ldc+col]
						if !near(*got, float32(w), float32(k+4)) {
							t.Fatalf("%dx%d, k %d, flags %b, panel %d: (%d,%d) is %v, want %v", rows, cols, k, flags, p, row, col, *got, w)
						}
						*got = nan
					}
					for i, v := range c {
						if v == v {
							t.Fatalf("%dx%d, k %d, flags %b: wrote element %d, which belongs to no tile", rows, cols, k, flags, i)
						}
					}
				}
			}
		}
	})
}

// A limit keeps NaN, and infinities where it has none.
func TestTileClampNaN(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		a, b := make([]float32, table.MR), make([]float32, table.NR)
		for i := range a {
			a[i] = 1
		}
		b[0], b[1], b[2] = nan, inf, -inf
		c := make([]float32, table.MR*table.NR)
		table.pick(table.MR, table.NR)(&Tile{K: 1, A: &a[0], B: &b[0], C: &c[0], LDC: table.NR, Clamp: 1, Lo: 0, Hi: inf, Panels: 1})
		for i := range table.MR {
			if row := c[i*table.NR:]; row[0] == row[0] || row[1] != inf || row[2] != 0 {
				t.Fatalf("row %d: %v, want NaN, +Inf, 0", i, row[:3])
			}
		}
	})
}

// Panels from runs and from indices, where only what the masks select may be read.
func TestPackLanes(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(3, 4))
		nr := table.NR
		for i := range 400 {
			var l Lanes
			rows, step := 1+r.IntN(4), r.IntN(60)
			strided := i%3 == 0
			type column struct{ lane, off int }
			var columns []column
			lowest, highest := math.MaxInt, 0
			for lane := r.IntN(3); lane < nr; {
				n := min(1+r.IntN(nr), nr-lane)
				if i%5 == 0 {
					n = min(1+r.IntN(3), nr-lane)
				}
				if i%7 == 0 {
					lane, n = 0, nr
				}
				off, by := r.IntN(500)+40, 1
				if strided {
					by = 1 + r.IntN(3)
					l.AddStrided(lane, n, off, by)
				} else {
					l.AddRun(lane, n, off)
				}
				for j := range n {
					columns = append(columns, column{lane + j, off + j*by})
					lowest, highest = min(lowest, off+j*by), max(highest, off+j*by)
				}
				lane += n + r.IntN(3)
			}
			if len(columns) == 0 {
				lowest = 0
			}
			// The source begins and ends exactly with what is read.
			for _, atEnd := range []bool{true, false} {
				src := guardedRandom(t, r, highest-lowest+1+(rows-1)*step, atEnd)
				dstStep := nr * (1 + i%2)
				dst := guarded(t, (rows-1)*dstStep+nr, atEnd)
				for j := range dst {
					dst[j] = nan
				}
				if i%4 == 1 {
					dstStep, dst = nr, dst[:rows*nr]
					offs := make([]int, rows)
					for row := range offs {
						offs[row] = row * step
					}
					table.PackTable(&l, dst, src, -lowest, offs)
				} else {
					table.PackLanes(&l, dst, dstStep, src, -lowest, step, rows)
				}
				for row := range rows {
					want := make([]float32, nr)
					for _, c := range columns {
						want[c.lane] = src[c.off-lowest+row*step]
					}
					if got := dst[row*dstStep:][:nr]; !slices.Equal(got, want) {
						t.Fatalf("%d: row %d of %+v:\ngot  %v\nwant %v", i, row, l, got, want)
					}
				}
			}
		}
		var l Lanes
		dst := []float32{nan}
		table.PackLanes(&l, dst, 0, nil, 0, 0, 0)
		dst = make([]float32, nr)
		dst[1] = nan
		table.PackLanes(&l, dst, nr, nil, 0, 0, 1)
		dst[2] = nan
		table.PackTable(&l, dst, nil, 0, []int{0})
		table.PackTable(&l, dst, nil, 0, nil)
		if dst[1] != 0 || dst[2] != 0 {
			t.Error("a panel of padding is not zero")
		}
	})
}

// The element-wise functions, every length up to a few vectors, in place and not.
func TestElementwise(t *testing.T) {
	max32 := func(x, y float32) float32 {
		if x != x || y != y {
			return nan
		}
		return max(x, y)
	}
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(5, 6))
		for name, f := range map[string]struct {
			run  func(dst, x, y []float32)
			want func(x, y float32) float32
		}{
			"Relu":       {func(d, x, _ []float32) { table.Relu(d, x) }, func(x, _ float32) float32 { return max32(x, 0) }},
			"Clamp":      {func(d, x, _ []float32) { table.Clamp(d, x, -0.25, 0.5) }, func(x, _ float32) float32 { return -max32(-max32(x, -0.25), -0.5) }},
			"LeakyRelu":  {func(d, x, _ []float32) { table.LeakyRelu(d, x, 0.25) }, func(x, _ float32) float32 { return max32(x, x/4) }},
			"HardSwish":  {func(d, x, _ []float32) { table.HardSwish(d, x, 2, 0.5) }, func(x, _ float32) float32 { return x * clamp(2*x+0.5, 0, 1) }},
			"Add":        {table.Add, func(x, y float32) float32 { return x + y }},
			"AddRelu":    {table.AddRelu, func(x, y float32) float32 { return max32(x+y, 0) }},
			"Mul":        {table.Mul, func(x, y float32) float32 { return x * y }},
			"Sub":        {table.Sub, func(x, y float32) float32 { return x - y }},
			"Div":        {table.Div, func(x, y float32) float32 { return x / y }},
			"DivBy":      {func(d, x, _ []float32) { table.DivBy(d, x, 3) }, func(x, _ float32) float32 { return x / 3 }},
			"Max":        {table.Max, max32},
			"ScaleShift": {func(d, x, _ []float32) { table.ScaleShift(d, x, 3, -0.5) }, func(x, _ float32) float32 { return 3*x - 0.5 }},
		} {
			for n := range 75 {
				x, y := guardedRandom(t, r, n, true), guardedRandom(t, r, n, true)
				dst := guarded(t, n, n%2 == 0)
				for i := range x {
					switch r.IntN(20) {
					case 0:
						x[i] = nan
					case 1:
						y[i] = nan
					}
				}
				f.run(dst, x, y)
				over := append([]float32{}, x...)
				f.run(over, over, y)
				for i := range dst {
					want := f.want(x[i], y[i])
					if got := dst[i]; !(got != got && want != want) && !near(got, want, 1) {
						t.Fatalf("%s, length %d: f(%v, %v) = %v, want %v", name, n, x[i], y[i], got, want)
					}
					if math.Float32bits(over[i]) != math.Float32bits(dst[i]) {
						t.Fatalf("%s, length %d: in place %v, else %v", name, n, over[i], dst[i])
					}
				}
			}
		}
	})
}

func TestAxpy4(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(7, 8))
		for n := range 75 {
			ld := n + r.IntN(4)
			x, dst := guardedRandom(t, r, 3*ld+n, true), guardedRandom(t, r, n, true)
			a := [4]float32{1, -2, 0.5, 3}
			want := make([]float32, n)
			for i := range want {
				want[i] = dst[i] + x[i] - 2*x[ld+i] + 0.5*x[2*ld+i] + 3*x[3*ld+i]
			}
			table.Axpy4(dst, x, ld, &a)
			for i := range want {
				if !near(dst[i], want[i], 4) {
					t.Fatalf("length %d: element %d is %v, want %v", n, i, dst[i], want[i])
				}
			}
		}
	})
}

func TestTaps(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(13, 14))
		for n := range 75 {
			offs, w := make([]int, n%10), guardedRandom(t, r, n%10, true)
			far := 0
			for i := range offs {
				offs[i] = r.IntN(50)
				far = max(far, offs[i])
			}
			src, dst := guardedRandom(t, r, far+n, true), guarded(t, n, true)
			table.Taps(dst, src, offs, w, 0.5)
			for i := range dst {
				sum := 0.5
				for j, off := range offs {
					sum += float64(w[j]) * float64(src[off+i])
				}
				if !near(dst[i], float32(sum), 10) {
					t.Fatalf("length %d, %d taps: element %d is %v, want %v", n, len(offs), i, dst[i], sum)
				}
			}
		}
	})
}

func TestDots(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(9, 10))
		for k := range 75 {
			ldx, ldw := k+r.IntN(3), k+r.IntN(3)
			x, w := guardedRandom(t, r, 3*ldx+k, true), guardedRandom(t, r, ldw+k, true)
			got := [8]float32{nan}
			table.Dots(&got, x, ldx, w, ldw, k)
			for i := range got {
				sum := 0.0
				for l := range k {
					sum += float64(x[i/2*ldx+l]) * float64(w[i%2*ldw+l])
				}
				if !near(got[i], float32(sum), float32(k)) {
					t.Fatalf("k %d: product %d is %v, want %v", k, i, got[i], sum)
				}
			}
		}
	})
}

// gemmCase runs one product and compares it with the reference.
func gemmCase(t *testing.T, table *Table, pool *par.Pool, r *rand.Rand, m, n, k int, transA, transB bool) []float32 {
	t.Helper()
	a, b := guardedRandom(t, r, m*k, true), guardedRandom(t, r, k*n, true)
	bias, res := guardedRandom(t, r, n, true), guardedRandom(t, r, m*n, true)
	rows := guardedRandom(t, r, m, true)
	c := guarded(t, m*n, true)
	want := ref.MatMul(a, b, m, n, k)
	ma, mb := Matrix{a, k, 1}, Matrix{b, n, 1}
	if transA {
		ma = Matrix{flip(a, m, k), 1, m}
	}
	if transB {
		mb = Matrix{flip(b, k, n), 1, k}
	}
	alloc := func(n int) []float32 { return guarded(t, n, true) }
	act := []Activation{{}, {Kind: Relu}, {Kind: LeakyRelu, A: 0.5}}[(m+n+k)%3]
	table.Gemm(pool, alloc, m, n, k, 2, ma, mb, &Output{C: c, Res: res, LD: n, Cols: n, Image: m * n}, &Epilogue{RowBias: rows, ColBias: bias, Act: act})
	for i := range want {
		want[i] = 2*want[i] + bias[i%n] + rows[i/n] + res[i]
	}
	table.Apply(act, want)
	for i := range want {
		if !near(c[i], want[i], float32(2*k+8)) {
			t.Fatalf("%d x %d x %d, transposes %v %v: element %d is %v, want %v", m, n, k, transA, transB, i, c[i], want[i])
		}
	}
	return c
}

func flip(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i%cols*rows+i/cols] = x[i]
	}
	return y
}

func TestGemm(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, s := range [][3]int{
			{1, 1, 1}, {1, 100, 0}, {1, 1100, 7}, {4, 33, 19}, {7, 600, 66}, {8, 31, 5}, {9, 1, 1}, {13, 15, 321}, {48, 49, 700},
			{100, 300, 30}, {64, 16, 0}, {200, 20, 641}, {17, 400, 90},
		} {
			for trans := range 4 {
				gemmCase(t, table, pool, r, s[0], s[1], s[2], trans&1 != 0, trans&2 != 0)
			}
		}
	})
}

// The same bits for any number of threads, whichever way the work is divided.
func TestGemmThreads(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		for _, s := range [][3]int{{3, 700, 50}, {128, 49, 650}, {40, 900, 340}} {
			var first []float32
			for _, threads := range []int{1, 2, 5} {
				pool := par.New(threads)
				c := append([]float32{}, gemmCase(t, table, pool, rand.New(rand.NewPCG(1, 1)), s[0], s[1], s[2], false, false)...)
				pool.Close()
				if first == nil {
					first = c
				} else if !slices.Equal(first, c) {
					t.Fatalf("%v: %d threads give other bits than 1", s, threads)
				}
			}
		}
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(5), uint16(17), uint16(40), true, false)
	f.Fuzz(func(t *testing.T, m uint8, n, k uint16, transA, transB bool) {
		for _, isa := range cpu.Supported() {
			table, _ := For(isa)
			gemmCase(t, table, nil, rand.New(rand.NewPCG(1, 1)), int(m%64)+1, int(n%512)+1, int(k%1024), transA, transB)
		}
	})
}

func TestActivations(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
		limit := func(x float64) float64 { return min(max(x, 0), 1) }
		for _, c := range []struct {
			act  Activation
			want func(x float64) float64
		}{
			{Activation{}, func(x float64) float64 { return x }},
			{Activation{Kind: Relu}, func(x float64) float64 { return max(x, 0) }},
			{Activation{Kind: Clip, A: -1, B: 2}, func(x float64) float64 { return min(max(x, -1), 2) }},
			{Activation{Kind: LeakyRelu, A: 0.25}, func(x float64) float64 { return max(x, x/4) }},
			{Activation{Kind: Elu, A: 2}, func(x float64) float64 { return max(x, 0) + 2*math.Expm1(min(x, 0)) }},
			{Activation{Kind: Sigmoid}, sigmoid},
			{Activation{Kind: Tanh}, math.Tanh},
			{Activation{Kind: HardSigmoid, A: 0.25, B: 0.5}, func(x float64) float64 { return limit(x/4 + 0.5) }},
			{Activation{Kind: HardSwish, A: 0.25, B: 0.5}, func(x float64) float64 { return x * limit(x/4+0.5) }},
			{Activation{Kind: Silu}, func(x float64) float64 { return x * sigmoid(x) }},
			{Activation{Kind: Gelu}, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }},
		} {
			x := make([]float32, 41)
			for i := range x {
				x[i] = float32(i-20) / 4
			}
			y := append([]float32{}, x...)
			table.Finish(nil, y, x, c.act)
			for i := range x {
				if want := float32(c.want(2 * float64(x[i]))); !near(y[i], want, 4) {
					t.Errorf("%v(%v) = %v, want %v", c.act.Kind, 2*x[i], y[i], want)
				}
			}
		}
	})
	if s := fmt.Sprint(Activation{Kind: 99}, Activation{Kind: Silu}); s != "activation(99) Silu" {
		t.Error(s)
	}
}

// The committed assembly is what the generator writes.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	dir, pixel := t.TempDir(), t.TempDir()
	cmd := exec.Command("go", "run", ".", "-dir", dir, "-pixel", pixel)
	cmd.Dir = "asm"
	if out, err := cmd.CombinedOutput(); err != nil {
		reftest.Missing(t, fmt.Sprintf("the generator's modules: %v\n%s", err, out))
	}
	for _, c := range []struct {
		dir, committed string
		files          int
	}{{dir, ".", 3}, {pixel, filepath.Join("..", "pixel"), 2}} {
		files, err := os.ReadDir(c.dir)
		if err != nil || len(files) != c.files {
			t.Fatalf("generator wrote %v, %v", files, err)
		}
		for _, f := range files {
			want, err := os.ReadFile(filepath.Join(c.dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(c.committed, f.Name())); err != nil || string(got) != string(want) {
				t.Errorf("%s is not what go generate writes", filepath.Join(c.committed, f.Name()))
			}
		}
	}
}
