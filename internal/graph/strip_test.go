package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// stripModel is a small network whose first layers make a strip: a value inside it is read after it, and one is an
// output. Behind a pool that leaves few elements come layers for the whole batch.
func stripModel(r *rand.Rand) *onnx.Model {
	same := intsAttr("pads", 1, 1, 1, 1)
	return build(13).in("x", onnx.Float, -1, 3, 80, 96).
		weight("w1", random(r, 16, 3, 3, 3)).weight("w2", random(r, 16, 16, 3, 3)).weight("w3", random(r, 8, 16, 1, 1)).weight("w4", random(r, 5, 16, 3, 3)).
		node("a = Conv(x, w1)", same).node("b = Relu(a)").node("c = Conv(b, w2)", same).node("d = Add(c, b)").node("e = Relu(d)").
		node("f = Conv(e, w3)").node("g = AveragePool(f)", intsAttr("kernel_shape", 3, 3), same).node("h = Concat(f, g)", intAttr("axis", 1)).
		node("i = MaxPool(e)", intsAttr("kernel_shape", 4, 4), intsAttr("strides", 4, 4)).node("j = MaxPool(h)", intsAttr("kernel_shape", 4, 4), intsAttr("strides", 4, 4)).
		node("k = Add(i, j)").node("l = Conv(k, w4)", same).node("y = GlobalAveragePool(l)").out("y", "g")
}

func TestStrip(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	m := stripModel(r)
	for _, threads := range []int{1, 2, 3, 8} {
		pool := par.New(threads)
		defer pool.Close()
		p := mustCompile(t, m, Options{Pool: pool})
		for _, n := range []int{1, 2, 6, 7} {
			t.Run(fmt.Sprintf("%d threads, %d images", threads, n), func(t *testing.T) {
				x := random(rand.New(rand.NewPCG(43, uint64(n))), n, 3, 80, 96)
				got := runOn(t, p, x)
				st := p.specs[0].strip
				if (st != nil) != (n > 1) || st != nil && (st.images*st.rounds != n || st.images == n || st.steps < 3) {
					t.Fatalf("the strip is %+v", st)
				}
				var wg sync.WaitGroup // several runs at once, with frames of their own and used ones
				for range 3 {
					wg.Go(func() {
						into := []*onnx.Tensor{nil, onnx.New(onnx.Float, got[1].Shape...)}
						again, err := p.RunInto(context.Background(), []*onnx.Tensor{x}, into)
						if err != nil {
							t.Error(err)
							return
						}
						for i := range got {
							if !bytes.Equal(again[i].Raw, got[i].Raw) {
								t.Errorf("output %d of another run differs", i)
							}
						}
					})
				}
				wg.Wait()
				size := len(x.Raw) / n
				for i := range n {
					one := runOn(t, p, &onnx.Tensor{Type: onnx.Float, Shape: []int{1, 3, 80, 96}, Raw: x.Raw[i*size : (i+1)*size]})
					for k := range one {
						part := len(one[k].Raw)
						have := onnx.Tensor{Type: onnx.Float, Shape: one[k].Shape, Raw: got[k].Raw[i*part : (i+1)*part]}
						for e, v := range have.Float32s() {
							if w := one[k].Float32s()[e]; math.Abs(float64(v-w)) > 1e-4*max(1, math.Abs(float64(w))) {
								t.Fatalf("output %d of image %d: element %d is %g, alone it is %g", k, i, e, v, w)
							}
						}
					}
				}
			})
		}
	}
}

// A convolution that adds its own input does not write over it.
func TestOwnInputAdded(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := stripModel(r)
	x := random(r, 1, 3, 80, 96)
	want := runOn(t, mustCompile(t, m, Options{NoFuse: true}), x)
	for i, y := range runOn(t, mustCompile(t, m, Options{}), x) {
		for e, v := range y.Float32s() {
			if w := want[i].Float32s()[e]; math.Abs(float64(v-w)) > 1e-4*max(1, math.Abs(float64(w))) {
				t.Fatalf("output %d: element %d is %g, want %g", i, e, v, w)
			}
		}
	}
}

// What a run takes with a strip is less, and its limit is kept.
func TestStripMemory(t *testing.T) {
	m := stripModel(rand.New(rand.NewPCG(41, 42)))
	p := mustCompile(t, m, Options{})
	runOn(t, p, random(rand.New(rand.NewPCG(1, 1)), 1, 3, 80, 96))
	one := p.specs[0].arena
	runOn(t, p, random(rand.New(rand.NewPCG(1, 1)), 16, 3, 80, 96))
	if got := p.specs[0].arena; got > 8*one {
		t.Errorf("16 images take %d bytes, one %d", got, one)
	}
	p = mustCompile(t, m, Options{Limit: 16*8*80*96*4 + one})
	_, err := p.RunInto(context.Background(), []*onnx.Tensor{random(rand.New(rand.NewPCG(1, 1)), 16, 3, 80, 96)}, nil)
	if err == nil {
		t.Error("a run beyond the limit is accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p = mustCompile(t, m, Options{})
	if _, err := p.RunInto(ctx, []*onnx.Tensor{onnx.New(onnx.Float, 4, 3, 80, 96)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the run was called off", err)
	}
}

// Layers of a strip are told once, with the shape of the whole batch.
func TestStripProfile(t *testing.T) {
	m := stripModel(rand.New(rand.NewPCG(41, 42)))
	sums := map[int]int{}
	for _, n := range []int{1, 8} {
		var told []Timing
		p := mustCompile(t, m, Options{Profile: func(t Timing) { told = append(told, t) }})
		runOn(t, p, random(rand.New(rand.NewPCG(1, 1)), n, 3, 80, 96))
		for k, s := range told {
			if s.Step != k || s.Shape[0] != n || s.Time <= 0 {
				t.Errorf("%d images: step %d is told as %+v", n, k, s)
			}
			sums[n] += s.MultAdds
		}
	}
	if sums[8] != 8*sums[1] {
		t.Errorf("multiply-adds: %d for 8 images, %d for one", sums[8], sums[1])
	}
}

// A model whose batch is fixed in a constant has no strip, nor has one that mixes images.
func TestNoStrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, m := range map[string]*onnx.Model{
		"constant for each image": build(13).in("x", onnx.Float, -1, 3, 20, 20).weight("w", random(r, 4, 6, 1, 1)).weight("v", random(r, 2, 3, 20, 20)).
			node("a = Concat(x, v)", intAttr("axis", 1)).node("y = Conv(a, w)").out("y"),
		"along images": build(13).in("x", onnx.Float, -1, 3, 20, 20).node("a = Concat(x, x)", intAttr("axis", 0)).
			node("y = MaxPool(a)", intsAttr("kernel_shape", 2, 2)).out("y"),
		"small": build(13).in("x", onnx.Float, -1, 3, 12, 12).node("a = MaxPool(x)", intsAttr("kernel_shape", 2, 2)).
			node("y = MaxPool(a)", intsAttr("kernel_shape", 2, 2)).out("y"),
		"no picture": build(13).in("x", onnx.Float, -1, 300).node("y = Concat(x, x)", intAttr("axis", 1)).out("y"),
	} {
		t.Run(name, func(t *testing.T) {
			p := mustCompile(t, m, Options{})
			shape := []int{2, 3, 20, 20}
			switch name {
			case "small":
				shape = []int{2, 3, 12, 12}
			case "no picture":
				shape = []int{2, 300}
			}
			runOn(t, p, random(r, shape...))
			if st := p.specs[0].strip; st != nil {
				t.Errorf("there is a strip: %+v", st)
			}
		})
	}
}

func runOn(t *testing.T, p *Program, x *onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	out, err := p.RunInto(context.Background(), []*onnx.Tensor{x}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
