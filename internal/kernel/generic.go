package kernel

import "github.com/onnxcnn/onnxcnn/internal/cpu"

// generic returns the portable kernels.
func generic() *Table {
	return &Table{
		ISA: cpu.Generic, MR: genericMR, NR: genericNR, blockK: 320,
		tiles:     []tileKernel{{genericMR, genericNR, genericTile}},
		copyPanel: genericCopyPanel,
		packLanes: genericPackLanes,
		packTable: genericPackLanes,
		copyRows:  genericCopyRows,
		evenRows:  genericEvenRows,
		splitRows: genericSplitRows,

		interleave4: genericInterleave4,
		interleave2: genericInterleave2,

		Relu:       genericRelu,
		Clamp:      genericClamp,
		Add:        genericAdd,
		AddRelu:    genericAddRelu,
		Floor:      genericFloor,
		Ceil:       genericCeil,
		Round:      genericRound,
		Round8:     genericRound8,
		WidenUint8: genericWidenUint8,
		WidenInt8:  genericWidenInt8,
		Sub:        genericSub,
		Mul:        genericMul,
		Div:        genericDiv,
		DivBy:      genericDivBy,
		ScaleShift: genericScaleShift,
		Max:        genericMax,
		ExpShifted: genericExpShifted,
		Sigmoid:    genericSigmoid,
		Silu:       genericSilu,
		Erf:        genericErf,
		Tanh:       genericTanh,
		Gelu:       genericGelu,
		LeakyRelu:  genericLeakyRelu,
		HardSwish:  genericHardSwish,
		Axpy4:      genericAxpy4,
		Dots:       genericDots,
		Taps:       genericTaps,
		MaxTaps:    genericMaxTaps,

		columnNorm: genericColumnNorm,
		affineRows: genericAffineRows,
		Largest:    genericLargest,
		Sum:        genericSum,
		Distance:   genericDistance,

		winogradInput:  genericWinogradInput,
		winogradOutput: genericWinogradOutput,
	}
}

func genericRelu(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func genericClamp(dst, x []float32, lo, hi float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = clamp(v, lo, hi)
	}
}

func genericAdd(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

func genericAddRelu(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		v += y[i]
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func genericMul(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		dst[i] = v * y[i]
	}
}

func genericSub(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		dst[i] = v - y[i]
	}
}

func genericDiv(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		dst[i] = v / y[i]
	}
}

func genericDivBy(dst, x []float32, y float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v / y
	}
}

func genericScaleShift(dst, x []float32, scale, shift float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v*scale + shift
	}
}

func genericMax(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		if w := y[i]; w > v || w != w {
			v = w
		}
		dst[i] = v
	}
}

func genericExpShifted(dst, x []float32, shift float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = ExpF(min(v-shift, 0))
	}
}

func genericSigmoid(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = SigmoidF(v)
	}
}

func genericSilu(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v * SigmoidF(v)
	}
}

func genericErf(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = ErfF(v)
	}
}

func genericTanh(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = TanhF(v)
	}
}

func genericGelu(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = GeluF(v)
	}
}

func genericLeakyRelu(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	for i, v := range x {
		if v < 0 {
			v *= alpha
		}
		dst[i] = v
	}
}

func genericHardSwish(dst, x []float32, scale, shift float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v * clamp(v*scale+shift, 0, 1)
	}
}

func genericAxpy4(dst, x []float32, ld int, a *[4]float32) {
	n := len(dst)
	if n == 0 {
		return
	}
	x0, x1, x2, x3 := x[:n], x[ld:][:n], x[2*ld:][:n], x[3*ld:][:n]
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	for i := range dst {
		dst[i] += a0*x0[i] + a1*x1[i] + a2*x2[i] + a3*x3[i]
	}
}

func genericDots(dst *[8]float32, x []float32, ldx int, w []float32, ldw int, k int) {
	if k == 0 {
		*dst = [8]float32{}
		return
	}
	w0, w1 := w[:k], w[ldw:][:k]
	for i := range 4 {
		var a0, a1, b0, b1 float32
		row := x[i*ldx:][:k]
		j := 0
		for ; j+1 < len(row); j += 2 {
			a0 += row[j] * w0[j]
			b0 += row[j] * w1[j]
			a1 += row[j+1] * w0[j+1]
			b1 += row[j+1] * w1[j+1]
		}
		if j < len(row) {
			a0 += row[j] * w0[j]
			b0 += row[j] * w1[j]
		}
		dst[2*i], dst[2*i+1] = a0+a1, b0+b1
	}
}

func genericTaps(dst, src []float32, offs []int, w []float32, bias float32) {
	for i := range dst {
		dst[i] = bias
	}
	w = w[:len(offs)]
	for t, off := range offs {
		f := w[t]
		x := src[off:][:len(dst)]
		for i, v := range x {
			dst[i] += f * v
		}
	}
}

func genericMaxTaps(dst, src []float32, offs []int) {
	for i := range dst {
		dst[i] = -inf32
	}
	for _, off := range offs {
		genericMax(dst, dst, src[off:])
	}
}
