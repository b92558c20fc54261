//go:build !purego

package kernel

import (
	"unsafe"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
)

// native returns the kernels in assembly, which every arm64 processor can run.
func native() []*Table {
	return []*Table{{
		ISA: cpu.NEON, MR: 6, NR: 16, blockK: 320,
		tiles:     []tileKernel{{6, 16, func(t *Tile) { t.each(6, neonTile6x16) }}},
		copyPanel: copyPanel16,
		packLanes: func(l *Lanes) { packLanesGo(l, 16) },
		packTable: func(l *Lanes) { packLanesGo(l, 16) },
		copyRows:  genericCopyRows,
		evenRows:  genericEvenRows,
		splitRows: genericSplitRows,

		interleave4: genericInterleave4,
		interleave2: genericInterleave2,

		Taps: genericTaps,
		MaxTaps: func(dst, src []float32, offs []int) {
			for i := range dst {
				dst[i] = -inf32
			}
			for _, off := range offs {
				wholeVectors(neonMax, genericMax)(dst, dst, src[off:])
			}
		},
		ExpShifted: genericExpShifted,
		Sigmoid:    genericSigmoid,
		Silu:       genericSilu,
		Erf:        genericErf,
		Tanh:       genericTanh,
		Gelu:       genericGelu,
		LeakyRelu:  genericLeakyRelu,
		HardSwish:  genericHardSwish,

		columnNorm: genericColumnNorm,
		affineRows: genericAffineRows,
		Largest:    genericLargest,
		Sum:        genericSum,
		Distance:   genericDistance,

		winogradInput:  genericWinogradInput,
		winogradOutput: genericWinogradOutput,
		Relu:           func(dst, x []float32) { clampNEON(dst, x, 0, inf32) },
		Clamp:          clampNEON,
		Add:            wholeVectors(neonAdd, genericAdd),
		AddRelu:        wholeVectors(neonAddRelu, genericAddRelu),
		Floor:          genericFloor,
		Ceil:           genericCeil,
		Round:          genericRound,
		Round8:         genericRound8,
		WidenUint8:     genericWidenUint8,
		WidenInt8:      genericWidenInt8,
		Sub:            genericSub,
		Mul:            wholeVectors(neonMul, genericMul),
		Div:            genericDiv,
		DivBy:          genericDivBy,
		Max:            wholeVectors(neonMax, genericMax),
		ScaleShift: func(dst, x []float32, scale, shift float32) {
			n := len(dst) &^ 3
			neonScaleShift(dst[:n], x, scale, shift)
			genericScaleShift(dst[n:], x[n:], scale, shift)
		},
		Axpy4: func(dst, x []float32, ld int, a *[4]float32) {
			n := len(dst) &^ 3
			neonAxpy4(dst[:n], x, ld, a)
			if n < len(dst) {
				genericAxpy4(dst[n:], x[n:], ld, a)
			}
		},
		Dots: func(dst *[8]float32, x []float32, ldx int, w []float32, ldw int, k int) {
			var sums [32]float32 // four parts of each product
			n := k &^ 3
			neonDots(&sums, x, ldx, w, ldw, n)
			for i := range dst {
				p := sums[4*i:]
				v := p[0] + p[1] + (p[2] + p[3])
				for l := n; l < k; l++ {
					v += x[i/2*ldx+l] * w[i%2*ldw+l]
				}
				dst[i] = v
			}
		},
	}}
}

// wholeVectors makes a function for any length of one for multiples of four and a portable one for the rest.
func wholeVectors(vectors, rest func(dst, x, y []float32)) func(dst, x, y []float32) {
	return func(dst, x, y []float32) {
		n := len(dst) &^ 3
		vectors(dst[:n], x, y)
		rest(dst[n:], x[n:], y[n:])
	}
}

func clampNEON(dst, x []float32, lo, hi float32) {
	n := len(dst) &^ 3
	neonClamp(dst[:n], x, lo, hi)
	genericClamp(dst[n:], x[n:], lo, hi)
}

// copyPanel16 copies k rows of 16 floats, ld apart in src.
func copyPanel16(dst, src *float32, ld, k int) {
	for i := range k {
		*(*[16]float32)(unsafe.Pointer(at(dst, i*16))) = *(*[16]float32)(unsafe.Pointer(at(src, i*ld)))
	}
}

// neonTile6x16 is the microkernel for one panel.
//
//go:noescape
func neonTile6x16(t *Tile)

// The functions below take lengths that are multiples of four.

//go:noescape
func neonAdd(dst, x, y []float32)

//go:noescape
func neonAddRelu(dst, x, y []float32)

//go:noescape
func neonMul(dst, x, y []float32)

//go:noescape
func neonMax(dst, x, y []float32)

//go:noescape
func neonClamp(dst, x []float32, lo, hi float32)

//go:noescape
func neonScaleShift(dst, x []float32, scale, shift float32)

//go:noescape
func neonAxpy4(dst, x []float32, ld int, a *[4]float32)

// neonDots leaves four parts of each of the eight products.
//
//go:noescape
func neonDots(dst *[32]float32, x []float32, ldx int, w []float32, ldw int, k int)
