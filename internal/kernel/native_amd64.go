//go:build !purego

package kernel

import "github.com/onnxcnn/onnxcnn/internal/cpu"

// native returns the kernels in assembly. Whether the machine can run them is for [cpu.Supported] to say.
func native() []*Table {
	avx2 := &Table{
		ISA: cpu.AVX2, MR: 6, NR: 16, blockK: 256,
		tiles: []tileKernel{
			{2, 8, avx2Tile2x8}, {2, 16, avx2Tile2x16},
			{4, 8, avx2Tile4x8}, {4, 16, avx2Tile4x16},
			{6, 8, avx2Tile6x8}, {6, 16, avx2Tile6x16},
		},
		copyPanel: avx2CopyPanel,
		packLanes: avx2PackLanes,
		packTable: avx2PackTable,
		copyRows:  avx2CopyRows,
		evenRows:  avx2EvenRows,
		splitRows: avx2SplitRows,

		interleave4: avx2Interleave4,
		interleave2: avx2Interleave2,

		Relu:       avx2Relu,
		Clamp:      avx2Clamp,
		Add:        avx2Add,
		AddRelu:    avx2AddRelu,
		Floor:      avx2Floor,
		Ceil:       avx2Ceil,
		Round:      avx2Round,
		Round8:     avx2Round8,
		WidenUint8: avx2WidenUint8,
		WidenInt8:  avx2WidenInt8,
		Sub:        avx2Sub,
		Mul:        avx2Mul,
		Div:        avx2Div,
		DivBy:      avx2DivBy,
		ScaleShift: avx2ScaleShift,
		Max:        avx2Max,
		ExpShifted: avx2ExpShifted,
		Sigmoid:    avx2Sigmoid,
		Silu:       avx2Silu,
		Erf:        avx2Erf,
		Tanh:       avx2Tanh,
		Gelu:       avx2Gelu,
		LeakyRelu:  avx2LeakyRelu,
		HardSwish:  avx2HardSwish,
		Axpy4:      avx2Axpy4,
		Dots:       avx2Dots,
		Taps:       avx2Taps,
		MaxTaps:    avx2MaxTaps,

		slides: []slideKernel{
			{3, 1, avx2Slide3Stride1}, {3, 2, avx2Slide3Stride2}, {5, 1, avx2Slide5Stride1}, {5, 2, avx2Slide5Stride2},
			{7, 1, avx2Slide7Stride1}, {7, 2, avx2Slide7Stride2},
		},

		columnNorm: avx2ColumnNorm,
		affineRows: avx2AffineRows,
		Largest:    avx2Largest,
		Sum:        avx2Sum,
		Distance:   avx2Distance,

		winogradInput:  avx2WinogradInput,
		winogradOutput: avx2WinogradOutput,
	}
	// Loops that wait for memory are those of AVX2.
	avx512 := *avx2
	avx512.ISA, avx512.MR, avx512.NR, avx512.blockK = cpu.AVX512, 14, 32, 240
	avx512.tiles = []tileKernel{
		{2, 16, avx512Tile2x16}, {2, 32, avx512Tile2x32},
		{4, 16, avx512Tile4x16}, {4, 32, avx512Tile4x32},
		{8, 16, avx512Tile8x16}, {8, 32, avx512Tile8x32},
		{14, 16, avx512Tile14x16}, {14, 32, avx512Tile14x32},
	}
	avx512.slides = []slideKernel{
		{3, 1, avx512Slide3Stride1}, {3, 2, avx512Slide3Stride2}, {5, 1, avx512Slide5Stride1}, {5, 2, avx512Slide5Stride2},
		{7, 1, avx512Slide7Stride1}, {7, 2, avx512Slide7Stride2},
	}
	avx512.ExpShifted, avx512.Sigmoid, avx512.Silu, avx512.Erf, avx512.Tanh, avx512.Gelu = avx512ExpShifted, avx512Sigmoid, avx512Silu, avx512Erf, avx512Tanh, avx512Gelu
	avx512.columnNorm, avx512.affineRows = avx512ColumnNorm, avx512AffineRows
	avx512.copyPanel, avx512.packLanes, avx512.packTable = avx512CopyPanel, avx512PackLanes, avx512PackTable
	return []*Table{avx2, &avx512}
}
