package zoo

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// distribution draws the values of a parameter whose layer has so many inputs and outputs an element.
type distribution struct {
	draw  func(r *rand.Rand, dst []float32, fanIn, fanOut int)
	blank float32 // the value without draw, and of a blank network
}

var (
	allZero = distribution{}
	allOne  = distribution{blank: 1}
)

// normal has that standard deviation about 0.
func normal(std float64) distribution {
	return scaledNormal(func(_, _ int) float64 { return std })
}

// kaimingOut and kaimingIn are He's normal distributions, for ReLU (arXiv:1502.01852).
var (
	kaimingOut = scaledNormal(func(_, out int) float64 { return math.Sqrt(2 / float64(out)) })
	kaimingIn  = scaledNormal(func(in, _ int) float64 { return math.Sqrt(2 / float64(in)) })
)

func scaledNormal(std func(fanIn, fanOut int) float64) distribution {
	return distribution{draw: func(r *rand.Rand, dst []float32, in, out int) {
		s := std(in, out)
		for i := range dst {
			dst[i] = float32(s * r.NormFloat64())
		}
	}}
}

// uniform lies between -limit and limit.
func uniform(limit func(fanIn, fanOut int) float64) distribution {
	return distribution{draw: func(r *rand.Rand, dst []float32, in, out int) {
		l := limit(in, out)
		for i := range dst {
			dst[i] = float32((2*r.Float64() - 1) * l)
		}
	}}
}

var (
	// lecun is how torch.nn.Conv2d and Linear begin, weights and biases.
	lecun = uniform(func(in, _ int) float64 { return 1 / math.Sqrt(float64(in)) })
	// glorot is how Keras' layers begin (Glorot and Bengio, AISTATS 2010).
	glorot = uniform(func(in, out int) float64 { return math.Sqrt(6 / float64(in+out)) })
)

// inits are the distributions of the layers of a network.
type inits struct{ conv, bias, linear, linearBias distribution }

var (
	torchInits = inits{lecun, lecun, lecun, lecun}
	kerasInits = inits{glorot, allZero, glorot, allZero}
)

// param is a parameter with how it begins.
type param struct {
	t             *onnx.Tensor
	dist          distribution
	fanIn, fanOut int
}

// maxParams bounds a network's weights: beyond it a request is a mistake.
const maxParams = 1 << 30

// param adds a parameter and returns its name.
func (b *builder) param(name string, d distribution, shape []int, fanIn, fanOut int) string {
	n := 1
	for _, d := range shape {
		if n *= d; n > maxParams {
			break
		}
	}
	if b.count += n; b.count > maxParams {
		b.fail("%s: a weight of %v makes the network too large", name, shape)
	}
	if b.err != nil {
		return name
	}
	t := onnx.New(onnx.Float, shape...)
	t.Name = name
	b.g.Initializers = append(b.g.Initializers, t)
	b.params = append(b.params, param{t, d, fanIn, fanOut})
	return name
}

// filled returns a tensor of one value.
func filled(shape []int, v float32) *onnx.Tensor {
	t := onnx.New(onnx.Float, shape...)
	for i := range t.Float32s() {
		t.Float32s()[i] = v
	}
	return t
}

// drawn is how many values have a stream of random numbers of their own, so that the work can be divided.
const drawn = 1 << 16

// initialise gives the parameters their values.
func (b *builder) initialise() {
	type piece struct {
		p    param
		from int
	}
	var pieces []piece
	for _, p := range b.params {
		if p.dist.draw == nil || b.Blank {
			if p.dist.blank != 0 {
				p.t.Raw = filled(p.t.Shape, p.dist.blank).Raw
			}
			continue
		}
		for from := 0; from < p.t.Len(); from += drawn {
			pieces = append(pieces, piece{p, from})
		}
	}
	par.Shared(0).For(len(pieces), 1, func(lo, hi int) {
		for _, q := range pieces[lo:hi] {
			h := fnv.New64a()
			h.Write([]byte(q.p.t.Name))
			r := rand.New(rand.NewPCG(b.Seed, h.Sum64()+uint64(q.from)))
			all := q.p.t.Float32s()
			q.p.dist.draw(r, all[q.from:min(q.from+drawn, len(all))], q.p.fanIn, q.p.fanOut)
		}
	})
}
