package graph

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// smallNet builds a small network of the kind of a well-known one, in double precision: all weights are trained.
type smallNet struct {
	r      *rand.Rand
	g      *onnx.Graph
	train  []string
	values int
	c, hw  int // channels and height of the value that the last layer made
}

func (s *smallNet) fresh(what string) string {
	s.values++
	return fmt.Sprint(what, s.values)
}

// domain adds a node of a domain and returns the name of its output.
func (s *smallNet) domain(domain, opType string, inputs []string, attrs ...*onnx.Attribute) string {
	out := s.fresh(opType)
	s.g.Nodes = append(s.g.Nodes, &onnx.Node{Name: out, Domain: domain, OpType: opType, Inputs: inputs, Outputs: []string{out}, Attrs: attrs})
	return out
}

func (s *smallNet) op(opType string, inputs []string, attrs ...*onnx.Attribute) string {
	return s.domain("", opType, inputs, attrs...)
}

func (s *smallNet) constant(t *onnx.Tensor) string {
	t.Name = s.fresh("const")
	s.g.Initializers = append(s.g.Initializers, t)
	return t.Name
}

func (s *smallNet) scalar(v float64) string { return s.constant(onnx.Of([]int{}, []float64{v})) }

func (s *smallNet) list(v ...int64) string { return s.constant(onnx.Of([]int{len(v)}, v)) }

// weight adds normal numbers around mean, to be trained.
func (s *smallNet) weight(mean, deviation float64, shape ...int) string {
	t := onnx.New(onnx.Double, shape...)
	for i := range onnx.Data[float64](t) {
		onnx.Data[float64](t)[i] = mean + deviation*s.r.NormFloat64()
	}
	name := s.constant(t)
	s.train = append(s.train, name)
	return name
}

// conv adds a convolution that keeps the size but for its stride; kernels are h by w.
func (s *smallNet) conv(x string, out, h, w, stride, groups int) string {
	scale := 1.4 / math.Sqrt(float64(s.c/groups*h*w))
	y := s.op("Conv", []string{x, s.weight(0, scale, out, s.c/groups, h, w), s.weight(0, 0.1, out)}, op.Attr("kernel_shape", []int{h, w}),
		op.Attr("strides", []int{stride, stride}), op.Attr("pads", []int{h / 2, w / 2, h / 2, w / 2}), op.Attr("group", groups))
	s.c, s.hw = out, (s.hw+2*(h/2)-h)/stride+1
	return y
}

// norm adds a batch normalisation: with stored statistics, or with those of the batch.
func (s *smallNet) norm(x string, train bool) string {
	scale, bias := s.weight(1, 0.2, s.c), s.weight(0, 0.2, s.c)
	if train {
		return s.domain(op.Internal, "TrainBatchNorm", []string{x, scale, bias})
	}
	mean, variance := make([]float64, s.c), make([]float64, s.c)
	for i := range mean {
		mean[i], variance[i] = 0.2*s.r.NormFloat64(), 0.5+s.r.Float64()
	}
	return s.op("BatchNormalization", []string{x, scale, bias, s.constant(onnx.Of([]int{s.c}, mean)), s.constant(onnx.Of([]int{s.c}, variance))})
}

func (s *smallNet) relu(x string) string { return s.op("Relu", []string{x}) }

func (s *smallNet) pool(opType, x string, size, stride, pad int, more ...*onnx.Attribute) string {
	y := s.op(opType, []string{x}, append(more, op.Attr("kernel_shape", []int{size, size}), op.Attr("strides", []int{stride, stride}),
		op.Attr("pads", []int{pad, pad, pad, pad}))...)
	s.hw = (s.hw+2*pad-size)/stride + 1
	return y
}

func (s *smallNet) gemm(x string, in, out int) string {
	return s.op("Gemm", []string{x, s.weight(0, 1/math.Sqrt(float64(in)), out, in), s.weight(0, 0.1, out)}, op.Attr("transB", 1))
}

func (s *smallNet) add(a, b string) string { return s.op("Add", []string{a, b}) }

func (s *smallNet) mul(a, b string) string { return s.op("Mul", []string{a, b}) }

func (s *smallNet) silu(x string) string { return s.mul(x, s.op("Sigmoid", []string{x})) }

// squeeze adds a squeeze-and-excitation block whose gate is the given activation.
func (s *smallNet) squeeze(x, gate string) string {
	c, hw := s.c, s.hw
	y := s.op("GlobalAveragePool", []string{x})
	s.hw = 1
	y = s.conv(s.relu(s.conv(y, max(2, c/2), 1, 1, 1, 1)), c, 1, 1, 1, 1)
	s.hw = hw
	return s.mul(x, s.op(gate, []string{y}))
}

// classify adds the head: global average, one linear layer.
func (s *smallNet) classify(x string) string {
	return s.gemm(s.op("Flatten", []string{s.op("GlobalAveragePool", []string{x})}), s.c, 4)
}

// gelu adds x/2 * (1 + erf(x/sqrt(2))), as PyTorch exports it.
func (s *smallNet) gelu(x string) string {
	e := s.op("Erf", []string{s.op("Div", []string{x, s.scalar(math.Sqrt2)})})
	return s.mul(s.mul(x, s.add(e, s.scalar(1))), s.scalar(0.5))
}

// layerNorm adds a normalisation of the last dimension.
func (s *smallNet) layerNorm(x string) string {
	return s.op("LayerNormalization", []string{x, s.weight(1, 0.2, s.c), s.weight(0, 0.2, s.c)}, op.Attr("epsilon", float32(1e-6)))
}

func (s *smallNet) transpose(x string, perm ...int) string {
	return s.op("Transpose", []string{x}, op.Attr("perm", perm))
}

// smallNets are networks that turn the picture x, [3, 3, 12, 12], into four logits.
var smallNets = []struct {
	name  string
	build func(s *smallNet, x string) string
}{
	{"VGG", func(s *smallNet, x string) string {
		x = s.relu(s.conv(s.relu(s.conv(x, 6, 3, 3, 1, 1)), 6, 3, 3, 1, 1))
		x = s.pool("MaxPool", x, 2, 2, 0)
		x = s.pool("MaxPool", s.relu(s.conv(x, 8, 3, 3, 1, 1)), 2, 2, 0)
		return s.gemm(s.relu(s.gemm(s.op("Flatten", []string{x}), s.c*s.hw*s.hw, 10)), 10, 4)
	}},
	{"ResNet", func(s *smallNet, x string) string {
		x = s.pool("MaxPool", s.relu(s.norm(s.conv(x, 6, 5, 5, 1, 1), false)), 3, 2, 1)
		y := s.norm(s.conv(s.relu(s.norm(s.conv(x, 6, 3, 3, 1, 1), false)), 6, 3, 3, 1, 1), false)
		x = s.relu(s.add(y, x))
		hw := s.hw
		y = s.norm(s.conv(s.relu(s.norm(s.conv(x, 8, 3, 3, 2, 1), true)), 8, 3, 3, 1, 1), true)
		s.c, s.hw = 6, hw
		return s.classify(s.relu(s.add(y, s.norm(s.conv(x, 8, 1, 1, 2, 1), true))))
	}},
	{"Inception", func(s *smallNet, x string) string {
		lrn := s.op("LRN", []string{s.relu(s.conv(x, 6, 3, 3, 1, 1))}, op.Attr("size", 5), op.Attr("alpha", float32(0.5)))
		x = s.pool("MaxPool", lrn, 3, 2, 0, op.Attr("ceil_mode", 1))
		s.hw = 6
		branch := func(layers func() string) string {
			s.c, s.hw = 6, 6
			return s.relu(layers())
		}
		x = s.op("Concat", []string{
			branch(func() string { return s.conv(x, 3, 1, 1, 1, 1) }),
			branch(func() string { return s.conv(s.relu(s.conv(x, 3, 1, 1, 1, 1)), 4, 3, 3, 1, 1) }),
			branch(func() string {
				y := s.relu(s.conv(x, 3, 1, 1, 1, 1))
				y = s.op("Conv", []string{y, s.weight(0, 0.3, 3, 3, 1, 5)}, op.Attr("pads", []int{0, 2, 0, 2}))
				return s.op("Conv", []string{y, s.weight(0, 0.3, 3, 3, 5, 1)}, op.Attr("pads", []int{2, 0, 2, 0}))
			}),
			branch(func() string {
				return s.conv(s.pool("AveragePool", x, 3, 1, 1, op.Attr("count_include_pad", 1)), 2, 1, 1, 1, 1)
			}),
		}, op.Attr("axis", 1))
		s.c = 12
		return s.classify(s.pool("AveragePool", x, 3, 2, 1))
	}},
	{"DenseNet", func(s *smallNet, x string) string {
		x = s.conv(x, 4, 3, 3, 2, 1)
		for i := range 3 {
			c := s.c
			y := s.conv(s.relu(s.norm(s.conv(s.relu(s.norm(x, i == 1)), 6, 1, 1, 1, 1), false)), 3, 3, 3, 1, 1)
			x = s.op("Concat", []string{x, y}, op.Attr("axis", 1))
			s.c = c + 3
		}
		x = s.pool("AveragePool", s.conv(s.relu(s.norm(x, false)), 6, 1, 1, 1, 1), 2, 2, 0)
		return s.classify(s.relu(s.norm(x, true)))
	}},
	{"MobileNet", func(s *smallNet, x string) string {
		relu6 := func(x string) string { return s.op("Clip", []string{x, s.scalar(0), s.scalar(6)}) }
		x = s.op("HardSwish", []string{s.norm(s.conv(x, 4, 3, 3, 2, 1), false)})
		y := relu6(s.norm(s.conv(x, 8, 1, 1, 1, 1), true))
		y = relu6(s.norm(s.conv(y, 8, 3, 3, 1, 8), false))
		y = s.squeeze(y, "HardSigmoid")
		x = s.add(x, s.norm(s.conv(y, 4, 1, 1, 1, 1), false))
		return s.classify(s.op("HardSwish", []string{s.conv(x, 8, 1, 1, 1, 1)}))
	}},
	{"EfficientNet", func(s *smallNet, x string) string {
		x = s.silu(s.norm(s.conv(x, 4, 3, 3, 1, 1), false))
		y := s.silu(s.norm(s.conv(x, 8, 1, 1, 1, 1), false))
		y = s.silu(s.norm(s.conv(y, 8, 5, 5, 2, 8), true))
		x = s.norm(s.conv(s.squeeze(y, "Sigmoid"), 6, 1, 1, 1, 1), false)
		return s.classify(s.silu(x))
	}},
	{"ConvNeXt", func(s *smallNet, x string) string {
		x = s.op("Conv", []string{x, s.weight(0, 0.2, 6, 3, 2, 2), s.weight(0, 0.1, 6)}, op.Attr("strides", []int{2, 2}))
		s.c, s.hw = 6, 6
		x = s.transpose(s.layerNorm(s.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)
		y := s.layerNorm(s.transpose(s.conv(x, 6, 7, 7, 1, 6), 0, 2, 3, 1))
		y = s.gelu(s.add(s.op("MatMul", []string{y, s.weight(0, 0.4, 6, 12)}), s.weight(0, 0.1, 12)))
		y = s.add(s.op("MatMul", []string{y, s.weight(0, 0.3, 12, 6)}), s.weight(0, 0.1, 6))
		x = s.add(x, s.mul(s.transpose(y, 0, 3, 1, 2), s.weight(0.5, 0.1, 6, 1, 1)))
		x = s.op("ReduceMean", []string{x, s.list(-1, -2)}, op.Attr("keepdims", 0))
		return s.gemm(s.layerNorm(x), 6, 4)
	}},
	{"ShuffleNet", func(s *smallNet, x string) string {
		x = s.conv(x, 8, 3, 3, 2, 1)
		s.g.Nodes = append(s.g.Nodes, &onnx.Node{Name: "split", OpType: "Split", Inputs: []string{x}, Outputs: []string{"left", "right"},
			Attrs: []*onnx.Attribute{op.Attr("axis", 1), op.Attr("num_outputs", 2)}})
		s.c = 4
		y := s.relu(s.norm(s.conv(s.relu(s.conv("right", 4, 1, 1, 1, 1)), 4, 3, 3, 1, 2), true))
		x = s.op("Concat", []string{"left", y}, op.Attr("axis", 1))
		x = s.op("Reshape", []string{x, s.list(0, 2, 4, 6, 6)})
		x = s.op("Reshape", []string{s.transpose(x, 0, 2, 1, 3, 4), s.list(0, 8, 6, 6)})
		s.c = 8
		return s.classify(s.relu(x))
	}},
	{"U-Net", func(s *smallNet, x string) string {
		pad := s.op("Pad", []string{x, s.list(0, 0, 1, 1, 0, 0, 1, 1)}, op.Attr("mode", "reflect"))
		top := s.op("Conv", []string{pad, s.weight(0, 0.3, 4, 3, 3, 3)})
		top = s.op("LeakyRelu", []string{s.op("InstanceNormalization", []string{top, s.weight(1, 0.2, 4), s.weight(0, 0.2, 4)})})
		s.c = 4
		low := s.conv(top, 6, 3, 3, 2, 1)
		low = s.relu(s.op("GroupNormalization", []string{low, s.weight(1, 0.2, 6), s.weight(0, 0.2, 6)}, op.Attr("num_groups", 3)))
		up := s.op("Resize", []string{low, "", "", s.list(3, 6, 12, 12)}, op.Attr("mode", "linear"))
		wide := s.op("ConvTranspose", []string{low, s.weight(0, 0.3, 6, 4, 2, 2)}, op.Attr("strides", []int{2, 2}))
		x = s.op("Concat", []string{top, up, s.op("Elu", []string{wide})}, op.Attr("axis", 1))
		s.c, s.hw = 14, 12
		return s.classify(s.relu(s.conv(x, 6, 3, 3, 1, 1)))
	}},
}

// small returns a network with cross entropy as its loss, with what to feed it.
func small(build func(*smallNet, string) string) (m *onnx.Model, train []string, x *onnx.Tensor) {
	s := &smallNet{r: rand.New(rand.NewPCG(11, 12)), g: &onnx.Graph{Name: "small"}, c: 3, hw: 12}
	x = onnx.New(onnx.Double, 3, 3, 12, 12)
	for i := range onnx.Data[float64](x) {
		onnx.Data[float64](x)[i] = s.r.NormFloat64()
	}
	typ := &onnx.Type{Elem: onnx.Double, HasShape: true}
	for _, d := range x.Shape {
		typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
	}
	s.g.Inputs = []*onnx.Value{{Name: "x", Type: typ}}
	logits := build(s, "x")
	loss := s.op("SoftmaxCrossEntropyLoss", []string{logits, s.list(2, 0, 3)})
	s.g.Outputs = []*onnx.Value{{Name: loss}}
	return &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.MaxOpset}, {Domain: op.Internal, Version: 1}}, Graph: s.g}, s.train, x
}

// single returns t in single precision, where it is in double.
func single(t *onnx.Tensor) *onnx.Tensor {
	if t.Type != onnx.Double {
		return t
	}
	y := onnx.New(onnx.Float, t.Shape...)
	y.Name = t.Name
	for i, v := range onnx.Data[float64](t) {
		y.Float32s()[i] = float32(v)
	}
	return y
}

// gradients compiles a network and returns a function that runs it on its weights as they are.
func gradients(t *testing.T, m *onnx.Model, train []string, x *onnx.Tensor, pool *par.Pool) func() []*onnx.Tensor {
	t.Helper()
	p, err := CompileTraining(m, TrainOptions{Train: train, Loss: m.Graph.Outputs[0].Name, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	in := []*onnx.Tensor{x}
	for _, name := range train {
		in = append(in, m.Graph.Initializer(name))
	}
	return func() []*onnx.Tensor {
		out, err := p.RunInto(context.Background(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// The gradients of whole networks equal central differences in double precision, those in single precision equal them
// in turn, and these have the same bits whatever the number of threads.
func TestGradientsOfNetworks(t *testing.T) {
	for _, c := range smallNets {
		t.Run(c.name, func(t *testing.T) {
			m, train, x := small(c.build)
			run := gradients(t, m, train, x, testPool)
			exact := run()
			r := rand.New(rand.NewPCG(5, 6))
			for i, name := range train {
				w, g := onnx.Data[float64](m.Graph.Initializer(name)), onnx.Data[float64](exact[1+i])
				largest := 1e-3
				for _, v := range g {
					largest = max(largest, math.Abs(v))
				}
				for range 2 {
					k := r.IntN(len(w))
					const h = 1e-6
					keep := w[k]
					w[k] = keep + h
					up := onnx.Data[float64](run()[0])[0]
					w[k] = keep - h
					down := onnx.Data[float64](run()[0])[0]
					w[k] = keep
					if want := (up - down) / (2 * h); math.Abs(g[k]-want) > 1e-6*largest+1e-9 {
						t.Errorf("%s, element %d: gradient %v, want %v (largest %v)", name, k, g[k], want, largest)
					}
				}
			}

			typ := *m.Graph.Inputs[0].Type
			typ.Elem = onnx.Float
			m.Graph.Inputs[0].Type = &typ
			for i, w := range m.Graph.Initializers {
				m.Graph.Initializers[i] = single(w)
			}
			var first []*onnx.Tensor
			for _, threads := range []int{1, 2, 3, 8} {
				pool := par.New(threads)
				out := gradients(t, m, train, single(x), pool)()
				pool.Close()
				if first == nil {
					first = out
				}
				for i := range out {
					if string(out[i].Raw) != string(first[i].Raw) {
						t.Errorf("output %d with %d threads has other bits than with 1", i, threads)
					}
				}
			}
			for i, name := range train {
				var distance, norm float64
				for k, v := range onnx.Data[float64](exact[1+i]) {
					d := v - float64(first[1+i].Float32s()[k])
					distance, norm = distance+d*d, norm+v*v
				}
				if math.Sqrt(distance) > 1e-4*math.Sqrt(norm)+1e-6 {
					t.Errorf("%s: the gradient in single precision is %v away, its norm is %v", name, math.Sqrt(distance), math.Sqrt(norm))
				}
			}
		})
	}
}
