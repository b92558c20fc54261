package conv

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// layer is a square convolution of a known network: channels, outputs, input size, kernel, stride, padding, groups and
// how often the network has it.
type layer struct{ c, m, size, k, stride, pad, groups, count int }

var networks = map[string][]layer{
	"resnet50": {
		{3, 64, 224, 7, 2, 3, 1, 1},
		{64, 64, 56, 1, 1, 0, 1, 1}, {64, 64, 56, 3, 1, 1, 1, 3}, {64, 256, 56, 1, 1, 0, 1, 4}, {256, 64, 56, 1, 1, 0, 1, 2},
		{256, 128, 56, 1, 1, 0, 1, 1}, {128, 128, 56, 3, 2, 1, 1, 1}, {128, 512, 28, 1, 1, 0, 1, 4}, {256, 512, 56, 1, 2, 0, 1, 1},
		{512, 128, 28, 1, 1, 0, 1, 3}, {128, 128, 28, 3, 1, 1, 1, 3},
		{512, 256, 28, 1, 1, 0, 1, 1}, {256, 256, 28, 3, 2, 1, 1, 1}, {256, 1024, 14, 1, 1, 0, 1, 6}, {512, 1024, 28, 1, 2, 0, 1, 1},
		{1024, 256, 14, 1, 1, 0, 1, 5}, {256, 256, 14, 3, 1, 1, 1, 5},
		{1024, 512, 14, 1, 1, 0, 1, 1}, {512, 512, 14, 3, 2, 1, 1, 1}, {512, 2048, 7, 1, 1, 0, 1, 3}, {1024, 2048, 14, 1, 2, 0, 1, 1},
		{2048, 512, 7, 1, 1, 0, 1, 2}, {512, 512, 7, 3, 1, 1, 1, 2},
	},
	"vgg16": {
		{3, 64, 224, 3, 1, 1, 1, 1}, {64, 64, 224, 3, 1, 1, 1, 1}, {64, 128, 112, 3, 1, 1, 1, 1}, {128, 128, 112, 3, 1, 1, 1, 1},
		{128, 256, 56, 3, 1, 1, 1, 1}, {256, 256, 56, 3, 1, 1, 1, 2}, {256, 512, 28, 3, 1, 1, 1, 1}, {512, 512, 28, 3, 1, 1, 1, 2},
		{512, 512, 14, 3, 1, 1, 1, 3},
	},
	"inception": { // some of its shapes
		{3, 32, 299, 3, 2, 0, 1, 1}, {32, 32, 149, 3, 1, 0, 1, 1}, {32, 64, 147, 3, 1, 1, 1, 1}, {80, 192, 73, 3, 1, 0, 1, 1},
		{64, 96, 35, 3, 1, 1, 1, 4}, {288, 384, 35, 3, 2, 0, 1, 1}, {768, 192, 17, 1, 1, 0, 1, 12}, {1280, 320, 8, 1, 1, 0, 1, 1},
	},
	"depthwise": { // of MobileNetV2 and EfficientNet
		{32, 32, 112, 3, 1, 1, 32, 1}, {96, 96, 112, 3, 2, 1, 96, 1}, {144, 144, 56, 3, 1, 1, 144, 1}, {144, 144, 56, 3, 2, 1, 144, 1}, {192, 192, 28, 3, 1, 1, 192, 2},
		{192, 192, 28, 3, 2, 1, 192, 1}, {384, 384, 14, 3, 1, 1, 384, 4}, {576, 576, 14, 3, 2, 1, 576, 1}, {960, 960, 7, 3, 1, 1, 960, 3}, {240, 240, 28, 5, 1, 2, 240, 1},
	},
	"projections": { // of MobileNetV2: few outputs
		{32, 16, 112, 1, 1, 0, 1, 1}, {144, 24, 56, 1, 1, 0, 1, 1}, {192, 32, 28, 1, 1, 0, 1, 2}, {384, 64, 14, 1, 1, 0, 1, 3}, {576, 96, 14, 1, 1, 0, 1, 2}, {960, 160, 7, 1, 1, 0, 1, 2},
	},
	"few": { // of MobileNetV4 and RegNet: few outputs, or few a group
		{3, 32, 224, 3, 2, 1, 1, 1}, {32, 32, 112, 3, 2, 1, 1, 1}, {32, 96, 56, 3, 2, 1, 1, 1}, {16, 16, 56, 3, 1, 1, 1, 1},
		{64, 64, 56, 3, 1, 1, 4, 1}, {128, 128, 28, 3, 1, 1, 8, 1}, {320, 320, 14, 3, 1, 1, 20, 1},
	},
	"resnext": {{128, 128, 56, 3, 1, 1, 32, 3}, {512, 512, 14, 3, 1, 1, 32, 5}},
}

func (l layer) shape(n int) *Shape {
	out := (l.size+2*l.pad-l.k)/l.stride + 1
	return &Shape{
		N: n, C: l.c, M: l.m, Groups: l.groups, In: []int{l.size, l.size}, Out: []int{out, out}, Kernel: []int{l.k, l.k},
		Stride: []int{l.stride, l.stride}, Dilation: []int{1, 1}, Pad: []int{l.pad, l.pad},
	}
}

// Convolutions of known networks; -bench 'Layers/resnet50/8' selects network and batch. The figure is GFLOP/s, and
// ONNXCNN_BENCH_THREADS the number of threads.
func BenchmarkLayers(b *testing.B) {
	threads, _ := strconv.Atoi(os.Getenv("ONNXCNN_BENCH_THREADS"))
	pool := par.Shared(threads)
	for _, name := range []string{"resnet50", "vgg16", "inception", "depthwise", "projections", "few", "resnext"} {
		for _, batch := range []int{1, 8} {
			for _, l := range networks[name] {
				s := l.shape(batch)
				b.Run(fmt.Sprintf("%s/%d/c%d_m%d_%dx%d_k%d_s%d", name, batch, l.c, l.m, l.size, l.size, l.k, l.stride), func(b *testing.B) {
					w := make([]float32, s.M*s.C/s.Groups*size(s.Kernel))
					f := NewFilter(kernel.Default(), func(n int) []float32 { return make([]float32, n) }, true, w, s.M, s.C/s.Groups, s.Groups, s.Kernel)
					x, y := make([]float32, s.N*s.C*size(s.In)), make([]float32, s.N*s.M*size(s.Out))
					scratch := []float32{}
					alloc := func(n int) []float32 {
						if cap(scratch) < n {
							scratch = make([]float32, n)
						}
						return scratch[:n]
					}
					a := &Args{X: x, Y: y, Bias: make([]float32, s.M), Act: kernel.Activation{Kind: kernel.Relu}}
					f.Run(pool, alloc, s, a)
					b.ReportAllocs()
					for b.Loop() {
						f.Run(pool, alloc, s, a)
					}
					flop := 2 * float64(s.MultAdds())
					b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N)*float64(l.count), "ms-all")
				})
			}
		}
	}
}
