package conv

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// The layers that fine-tuning trains: VGG16 at 150x150 from conv3_1 on, ResNet50's layer4 at 224x224.
var trained = map[string][]layer{
	"vgg16": {
		{128, 256, 37, 3, 1, 1, 1, 1}, {256, 256, 37, 3, 1, 1, 1, 2}, {256, 512, 18, 3, 1, 1, 1, 1}, {512, 512, 18, 3, 1, 1, 1, 2},
		{512, 512, 9, 3, 1, 1, 1, 3},
	},
	"resnet50": {
		{1024, 512, 14, 1, 1, 0, 1, 1}, {512, 512, 14, 3, 2, 1, 1, 1}, {512, 2048, 7, 1, 1, 0, 1, 3}, {1024, 2048, 14, 1, 2, 0, 1, 1},
		{2048, 512, 7, 1, 1, 0, 1, 2}, {512, 512, 7, 3, 1, 1, 1, 2},
	},
	"depthwise": {{96, 96, 112, 3, 2, 1, 96, 1}, {144, 144, 56, 3, 1, 1, 144, 1}, {384, 384, 14, 3, 1, 1, 384, 4}},
}

// A step of training at batch 16: the forward pass with weights that are packed each time, and both gradients. The
// figure is GFLOP/s of the convolution's definition; ONNXCNN_BENCH_THREADS is the number of threads.
func BenchmarkTraining(b *testing.B) {
	threads, _ := strconv.Atoi(os.Getenv("ONNXCNN_BENCH_THREADS"))
	pool := par.Shared(threads)
	for _, name := range []string{"vgg16", "resnet50", "depthwise"} {
		for _, l := range trained[name] {
			s := l.shape(16)
			t := kernel.Default()
			w, dw := make([]float32, s.M*s.C/s.Groups*size(s.Kernel)), make([]float32, s.M*s.C/s.Groups*size(s.Kernel))
			x, dx := make([]float32, s.N*s.C*size(s.In)), make([]float32, s.N*s.C*size(s.In))
			y := make([]float32, s.N*s.M*size(s.Out))
			memory := arena{alloc: func(n int) []float32 { return make([]float32, n) }}
			for _, pass := range []struct {
				name string
				run  func()
			}{
				{"forward", func() {
					f := NewFilter(t, memory.get, false, w, s.M, s.C/s.Groups, s.Groups, s.Kernel)
					f.Run(pool, memory.get, s, &Args{X: x, Y: y})
				}},
				{"input", func() { InputGrad(t, pool, memory.get, s, y, w, dx) }},
				{"weight", func() { WeightGrad(t, pool, memory.get, s, x, y, dw) }},
			} {
				b.Run(fmt.Sprintf("%s/c%d_m%d_%dx%d_k%d_s%d/%s", name, l.c, l.m, l.size, l.size, l.k, l.stride, pass.name), func(b *testing.B) {
					run := func() {
						memory.reset()
						pass.run()
					}
					run()
					for b.Loop() {
						run()
					}
					b.ReportMetric(2*float64(s.MultAdds())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N)*float64(l.count), "ms-all")
				})
			}
		}
	}
}
