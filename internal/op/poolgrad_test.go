package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// At ties, where there is no derivative, the conventions are PyTorch's: the first of the largest elements gets it all,
// and the norm of zeros gives nothing.
func TestPoolGradientsAtTies(t *testing.T) {
	nan := float32(math.NaN())
	k2 := attrs{"kernel_shape": []int{2, 2}}
	s2 := attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}
	runCases(t, []opCase{
		{name: "one window, all equal", node: internalNode("MaxPoolGrad", 3, 1, s2),
			in:   []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 2, 2}, 1, 1, 1, 1), f32([]int{1, 1, 1, 1}, 1)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 5, 0, 0, 0)}},
		{name: "each place", node: internalNode("MaxPoolGrad", 3, 1, s2),
			in: []*onnx.Tensor{f32([]int{1, 1, 1, 4}, 1, 2, 3, 4), f32([]int{1, 1, 2, 8}, 0, 7, 7, 7, 0, 0, 0, 0, 7, 7, 7, 7, 0, 7, 7, 0),
				f32([]int{1, 1, 1, 4}, 7, 7, 7, 7)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 8}, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0)}},
		{name: "zeros of both signs are equal", node: internalNode("MaxPoolGrad", 3, 1, s2),
			in:   []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 2, 2}, -1, float32(math.Copysign(0, -1)), 0, -1), f32([]int{1, 1, 1, 1}, 0)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 0, 5, 0, 0)}},
		{name: "a NaN is the largest", node: internalNode("MaxPoolGrad", 3, 1, s2),
			in:   []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 2, 2}, 1, 2, nan, 3), f32([]int{1, 1, 1, 1}, nan)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 0, 0, 5, 0)}},
		{name: "overlapping windows, equal elements", node: internalNode("MaxPoolGrad", 3, 1, k2),
			in:   []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 1, 2, 3, 4), f32([]int{1, 1, 3, 3}, 1, 1, 1, 1, 1, 1, 1, 1, 1), f32([]int{1, 1, 2, 2}, 1, 1, 1, 1)},
			want: []*onnx.Tensor{f32([]int{1, 1, 3, 3}, 1, 2, 0, 3, 4, 0, 0, 0, 0)}},
		{name: "a window of padding", node: internalNode("MaxPoolGrad", 3, 1, attrs{"kernel_shape": []int{2}, "dilations": []int{3}, "pads": []int{2, 2}}),
			in:   []*onnx.Tensor{f32([]int{1, 1, 2}, 1, 2), f32([]int{1, 1, 1}, 3), f32([]int{1, 1, 2}, float32(math.Inf(-1)), 3)},
			want: []*onnx.Tensor{f32([]int{1, 1, 1}, 0)}},
		{name: "the norm of zeros", node: internalNode("LpPoolGrad", 3, 1, s2),
			in:   []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 2, 2}, 0, 0, 0, 0), f32([]int{1, 1, 1, 1}, 0)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 0, 0, 0, 0)}},
		{name: "a magnitude of 0", node: internalNode("LpPoolGrad", 3, 1, attrs{"kernel_shape": []int{2}, "order": float32(1)}),
			in:   []*onnx.Tensor{f32([]int{1, 1, 1}, 5), f32([]int{1, 1, 2}, 0, -3), f32([]int{1, 1, 1}, 3)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2}, 0, -5)}},
		{name: "wrong shape", node: internalNode("MaxPoolGrad", 3, 1, k2),
			in:      []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 3, 3}, 1, 1, 1, 1, 1, 1, 1, 1, 1), f32([]int{1, 1, 2, 2}, 1, 1, 1, 1)},
			wantErr: "input 0: want float32[1 1 2 2]"},
		{name: "no window", node: internalNode("LpPoolGrad", 3, 1, nil),
			in:      []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5), f32([]int{1, 1, 2, 2}, 1, 1, 1, 1), f32([]int{1, 1, 1, 1}, 1)},
			wantErr: "kernel_shape"},
		{name: "wrong type", node: internalNode("MaxPoolGrad", 3, 1, k2),
			in:      []*onnx.Tensor{i8([]int{1, 1, 1, 1}, 5), i8([]int{1, 1, 2, 2}, 1, 1, 1, 1), i8([]int{1, 1, 1, 1}, 1)},
			wantErr: "input 0: type int8"},
		{name: "an order below 1", node: internalNode("LpPoolGrad", 3, 1, attrs{"order": float32(0.5)}),
			in:      []*onnx.Tensor{f32(nil, 1), f32(nil, 1), f32(nil, 1)},
			wantErr: "order below 1"},
		{name: "average, wrong shape", node: internalNode("AveragePoolGrad", 1, 1, attrs{"kernel_shape": []int{2, 2}, "shape": []int{1, 1, 4, 4}}),
			in: []*onnx.Tensor{f32([]int{1, 1, 1, 1}, 5)}, wantErr: "want [1 1 3 3]"},
		{name: "average, wrong type", node: internalNode("AveragePoolGrad", 1, 1, attrs{"kernel_shape": []int{2, 2}, "shape": []int{1, 1, 2, 2}}),
			in: []*onnx.Tensor{i8([]int{1, 1, 1, 1}, 5)}, wantErr: "type int8"},
	})
}

// sameBits runs an operator with 1, 2, 3 and 8 threads.
func sameBits(t *testing.T, n *onnx.Node, in []*onnx.Tensor) {
	t.Helper()
	o, _, err := Make(n, MaxOpset, nil)
	if err != nil {
		t.Fatal(err)
	}
	var first []*onnx.Tensor
	for _, threads := range []int{1, 2, 3, 8} {
		pool := par.New(threads)
		out, err := runOp(o, n, in, pool)
		pool.Close()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = out
			continue
		}
		for i := range out {
			if string(out[i].Raw) != string(first[i].Raw) {
				t.Errorf("%s: output %d with %d threads has other bits than with 1", n.OpType, i, threads)
			}
		}
	}
}

// noise returns seeded normal numbers.
func noise(seed uint64, shape ...int) *onnx.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	x := onnx.New(onnx.Float, shape...)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(r.NormFloat64())
	}
	return x
}

func TestPoolGradientsHaveTheSameBits(t *testing.T) {
	x := noise(1, 3, 8, 33, 35)
	for _, a := range []attrs{
		{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}},
		{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}},
	} {
		for _, name := range []string{"MaxPool", "LpPool"} {
			y, err := runNode(node(name, 1, 1, a), 0, []*onnx.Tensor{x})
			if err != nil {
				t.Fatal(err)
			}
			sameBits(t, internalNode(name+"Grad", 3, 1, a), []*onnx.Tensor{noise(2, y[0].Shape...), x, y[0]})
			b := attrs{"shape": x.Shape}
			for k, v := range a {
				b[k] = v
			}
			sameBits(t, internalNode("AveragePoolGrad", 1, 1, b), []*onnx.Tensor{noise(2, y[0].Shape...)})
		}
	}
}

func BenchmarkPoolGrad(b *testing.B) {
	pool := par.New(2)
	defer pool.Close()
	for _, c := range []struct {
		name string
		size int
		a    attrs
	}{
		{"2x2", 112, attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}},
		{"3x3s2", 112, attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}}},
		{"3x3s1", 35, attrs{"kernel_shape": []int{3, 3}, "pads": []int{1, 1, 1, 1}}},
	} {
		x := noise(1, 4, 64, c.size, c.size)
		y, err := runNode(node("MaxPool", 1, 1, c.a), 0, []*onnx.Tensor{x})
		if err != nil {
			b.Fatal(err)
		}
		average := attrs{"shape": x.Shape}
		for k, v := range c.a {
			average[k] = v
		}
		dy := noise(2, y[0].Shape...)
		dx := onnx.New(onnx.Float, x.Shape...)
		for _, n := range []*onnx.Node{internalNode("MaxPoolGrad", 3, 1, c.a), internalNode("AveragePoolGrad", 1, 1, average)} {
			o, _, err := Make(n, 1, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(n.OpType, "/", c.name), func(b *testing.B) {
				b.SetBytes(int64(len(x.Raw)))
				for b.Loop() {
					if err := o.Run(&Runtime{Pool: pool}, []*onnx.Tensor{dy, x, y[0]}, []*onnx.Tensor{dx}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
