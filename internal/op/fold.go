package op

import "github.com/onnxcnn/onnxcnn/internal/kernel"

// fold describes how elements become one, in two forms of the same thing: over a run of neighbours that all go into
// one result, and over a row whose neighbours go into neighbouring results. The functions are called for whole runs
// and rows, so that their loops stay tight.
type fold[T, A any] struct {
	init A
	run  func(acc A, x []T) A
	row  func(acc []A, x []T)
	done func(acc []A, y []T)
}

// foldBlock is how many results are worked on together: their accumulators stay in the first-level cache.
const foldBlock = 256

// runFold reduces x to y. Each result is computed by one goroutine in the order of the input, so the bits do not depend
// on the number of threads.
func runFold[T, A any](rt *Runtime, p reducePlan, f fold[T, A], x, y []T) {
	if p.results == 0 {
		return
	}
	if p.innerReduced {
		foldRuns(rt, p, f, x, y)
	} else {
		foldRows(rt, p, f, x, y)
	}
}

// foldRuns is runFold where the last dimension is reduced.
func foldRuns[T, A any](rt *Runtime, p reducePlan, f fold[T, A], x, y []T) {
	length, runs, red, redStride := 1, p.count, p.red, p.redStride
	if last := len(p.red) - 1; last >= 0 {
		length = p.red[last]
		red, redStride = red[:last], redStride[:last]
		runs = 0
		if length > 0 {
			runs = p.count / length
		}
	}
	rt.Pool.For(p.results, max(1, 1<<14/max(p.count, 1)), func(lo, hi int) {
		var acc [foldBlock]A
		out, in := odometerAt(p.out, p.outStride, lo), odometerAt(red, redStride, 0)
		for lo < hi {
			n := min(hi-lo, foldBlock)
			for i := range acc[:n] {
				a := f.init
				in.reset()
				for range runs {
					at := out.offset + in.offset
					a = f.run(a, x[at:at+length])
					in.next()
				}
				acc[i] = a
				out.next()
			}
			f.done(acc[:n], y[lo:lo+n])
			lo += n
		}
	})
}

// foldRows is runFold where the last dimension is kept.
func foldRows[T, A any](rt *Runtime, p reducePlan, f fold[T, A], x, y []T) {
	last := len(p.out) - 1
	width := p.out[last]
	blocks := (width + foldBlock - 1) / foldBlock
	outer := p.results / width
	rt.Pool.For(outer*blocks, max(1, 1<<14/(max(p.count, 1)*min(width, foldBlock))), func(lo, hi int) {
		var acc [foldBlock]A
		out, in := odometerAt(p.out[:last], p.outStride[:last], lo/blocks), odometerAt(p.red, p.redStride, 0)
		for i := lo; i < hi; i++ {
			block := i % blocks
			from := block * foldBlock
			n := min(width-from, foldBlock)
			for j := range acc[:n] {
				acc[j] = f.init
			}
			in.reset()
			for range p.count {
				at := out.offset + in.offset + from
				f.row(acc[:n], x[at:at+n])
				in.next()
			}
			at := i/blocks*width + from
			f.done(acc[:n], y[at:at+n])
			if block == blocks-1 {
				out.next()
			}
		}
	})
}

// integer lists the element types that are whole numbers.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// sumRun adds up in float64.
func sumRun[T real](acc float64, x []T) float64 {
	if f, ok := any(x).([]float32); ok {
		return acc + kernel.Default().Sum(f)
	}
	var a, b, c, d float64 // an addition need not wait for the one before
	for len(x) >= 4 {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
		x = x[4:]
	}
	for _, v := range x {
		a += float64(v)
	}
	return acc + ((a + b) + (c + d))
}

func intSumRun[T integer](acc T, x []T) T {
	for _, v := range x {
		acc += v
	}
	return acc
}

func sumRow[T, A real](acc []A, x []T) {
	x = x[:len(acc)]
	for i := range acc {
		acc[i] += A(x[i])
	}
}

func magnitude[T real](v T) T {
	if v < 0 {
		return -v
	}
	return v
}

func magnitudeRun[T real](acc float64, x []T) float64 {
	var a, b float64
	for len(x) >= 2 {
		a += float64(magnitude(x[0]))
		b += float64(magnitude(x[1]))
		x = x[2:]
	}
	for _, v := range x {
		a += float64(magnitude(v))
	}
	return acc + (a + b)
}

func magnitudeRow[T, A real](acc []A, x []T) {
	x = x[:len(acc)]
	for i := range acc {
		acc[i] += A(magnitude(x[i]))
	}
}

func squareRun[T real](acc float64, x []T) float64 {
	if f, ok := any(x).([]float32); ok {
		return acc + kernel.Default().Distance(f, 0)
	}
	var a, b, c, d float64
	for len(x) >= 4 {
		v0, v1, v2, v3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		a += v0 * v0
		b += v1 * v1
		c += v2 * v2
		d += v3 * v3
		x = x[4:]
	}
	for _, v := range x {
		a += float64(v) * float64(v)
	}
	return acc + ((a + b) + (c + d))
}

func squareRow[T, A real](acc []A, x []T) {
	x = x[:len(acc)]
	for i := range acc {
		v := A(x[i])
		acc[i] += v * v
	}
}

func productRun[T, A real](acc A, x []T) A {
	for _, v := range x {
		acc *= A(v)
	}
	return acc
}

func productRow[T, A real](acc []A, x []T) {
	x = x[:len(acc)]
	for i := range acc {
		acc[i] *= A(x[i])
	}
}

// maxFold keeps the largest element; a NaN stays.
func maxFold[T real](lowest T) fold[T, T] {
	return fold[T, T]{init: lowest, run: func(acc T, x []T) T {
		if f, ok := any(x).([]float32); ok {
			x = []T{T(kernel.Default().Largest(f))}
		}
		for _, v := range x {
			if v > acc || v != v {
				acc = v
			}
		}
		return acc
	}, row: func(acc []T, x []T) {
		if a, ok := any(acc).([]float32); ok {
			kernel.Default().Max(a, a, any(x).([]float32))
			return
		}
		x = x[:len(acc)]
		for i, v := range x {
			if v > acc[i] || v != v {
				acc[i] = v
			}
		}
	}, done: same[T]}
}

// minFold keeps the smallest element; a NaN stays.
func minFold[T real](highest T) fold[T, T] {
	return fold[T, T]{init: highest, run: func(acc T, x []T) T {
		for _, v := range x {
			if v < acc || v != v {
				acc = v
			}
		}
		return acc
	}, row: func(acc []T, x []T) {
		x = x[:len(acc)]
		for i, v := range x {
			if v < acc[i] || v != v {
				acc[i] = v
			}
		}
	}, done: same[T]}
}

func same[T any](acc, y []T) { copy(y, acc) }

func convert[A, T real](acc []A, y []T) {
	for i, v := range acc {
		y[i] = T(v)
	}
}
