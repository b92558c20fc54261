package op

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// fill returns a tensor whose elements are told apart by their bytes (as far as their width allows).
func fill(typ onnx.DataType, shape ...int) *onnx.Tensor {
	t := onnx.New(typ, shape...)
	rng := rand.New(rand.NewSource(int64(len(t.Raw) + 1)))
	for i := range t.Raw {
		t.Raw[i] = byte(rng.Intn(256))
	}
	if typ == onnx.Bool {
		for i := range t.Raw {
			t.Raw[i] &= 1
		}
	}
	for i := range t.Strings {
		t.Strings[i] = fmt.Sprint("s", i)
	}
	return t
}

// element returns the bytes of an element, or the string.
func element(t *onnx.Tensor, i int) string {
	if t.Type == onnx.String {
		return t.Strings[i]
	}
	n := elemSize(t.Type)
	return string(t.Raw[i*n : (i+1)*n])
}

// moverTypes has a type of each width.
var moverTypes = []onnx.DataType{onnx.Uint8, onnx.Float16, onnx.Float, onnx.Int64, onnx.Complex128, onnx.String}

// Every path of the strided copy against element by element copying: permuted, reversed, repeated and plain dimensions.
func TestCopyStrided(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	pool := par.New(3)
	defer pool.Close()
	rt := &Runtime{Pool: pool}
	shapes := [][]int{{}, {1}, {7}, {4, 2}, {40, 70}, {3, 33, 9}, {2, 3, 4, 5}, {1, 5, 1, 2}, {9, 8, 2}, {0, 3}, {2, 300, 3}, {200, 200}}
	for _, shape := range shapes {
		for trial := range 12 {
			typ := moverTypes[trial%len(moverTypes)]
			rank := len(shape)
			perm := rng.Perm(rank)
			from := make([]int, rank) // the source's shape, in its own order
			for i, p := range perm {
				from[p] = shape[i]
			}
			strides, off := make([]int, rank), 0
			for i, p := range perm {
				strides[i] = rowMajor(from)[p]
				switch rng.Intn(5) {
				case 0:
					strides[i] = 0
				case 1:
					off += (shape[i] - 1) * strides[i]
					strides[i] = -strides[i]
				}
			}
			src := fill(typ, from...)
			dst := onnx.New(typ, shape...)
			copyStrided(rt, shape, dst, 0, rowMajor(shape), src, off, strides)
			if prod(shape) == 0 {
				continue
			}
			at := startAt(dimsOf(shape, strides), 0, 0, off)
			for i := range prod(shape) {
				if got, want := element(dst, i), element(src, at.src); got != want {
					t.Fatalf("%v%v strides %v: element %d is %q, want %q", typ, shape, strides, i, got, want)
				}
				at.next()
			}
		}
	}
}

func dimsOf(shape, strides []int) []strideDim {
	dims := make([]strideDim, len(shape))
	for i := range shape {
		dims[i] = strideDim{n: shape[i], src: strides[i]}
	}
	return dims
}

// Parts of a larger destination, at odd places, as Concat writes them.
func TestCopyStridedIntoPart(t *testing.T) {
	rt := &Runtime{}
	for _, typ := range moverTypes {
		dst, src := onnx.New(typ, 5, 7), fill(typ, 3, 2)
		copyStrided(rt, []int{3, 2}, dst, 7+3, []int{7, 1}, src, 0, []int{2, 1})
		zero := element(onnx.New(typ, 1), 0)
		for r := range 5 {
			for c := range 7 {
				want := zero
				if r >= 1 && r < 4 && c >= 3 && c < 5 {
					want = element(src, (r-1)*2+c-3)
				}
				if got := element(dst, r*7+c); got != want {
					t.Fatalf("%v: [%d,%d] is %q, want %q", typ, r, c, got, want)
				}
			}
		}
	}
}

func BenchmarkTranspose(b *testing.B) {
	rt := &Runtime{Pool: par.Shared(0)}
	for _, c := range []struct {
		name        string
		shape, perm []int
	}{
		{"NCHWtoNHWC", []int{8, 256, 56, 56}, []int{0, 2, 3, 1}},
		{"NHWCtoNCHW", []int{8, 56, 56, 256}, []int{0, 3, 1, 2}},
		{"image", []int{8, 224, 224, 3}, []int{0, 3, 1, 2}},
	} {
		b.Run(c.name, func(b *testing.B) {
			src, dst := fill(onnx.Float, c.shape...), onnx.New(onnx.Float, c.shape...)
			b.SetBytes(int64(len(src.Raw)))
			for b.Loop() {
				transposeInto(rt, dst, src, c.shape, c.perm)
			}
		})
	}
}
