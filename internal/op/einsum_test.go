package op

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func einsumNode(equation string, inputs int) *onnx.Node {
	return node("Einsum", inputs, 1, attrs{"equation": equation})
}

func TestEinsum(t *testing.T) {
	a, b := seq([]int{2, 3}, 1, 6), seq([]int{3, 2}, 1, 6)
	sq := seq([]int{2, 2}, 1, 4)
	runCases(t, []opCase{
		{name: "product", node: einsumNode("ij, jk -> ik", 2), in: tensors{a, b}, want: tensors{f32([]int{2, 2}, 22, 28, 49, 64)}},
		{name: "implicit", node: einsumNode("ij,jk", 2), in: tensors{a, b}, want: tensors{f32([]int{2, 2}, 22, 28, 49, 64)}},
		{name: "implicit order is the alphabet's", node: einsumNode("ba", 1), in: tensors{a}, want: tensors{f32([]int{3, 2}, 1, 4, 2, 5, 3, 6)}},
		{name: "diagonal", node: einsumNode("ii->i", 1), in: tensors{sq}, want: tensors{f32([]int{2}, 1, 4)}},
		{name: "trace", node: einsumNode("ii", 1), in: tensors{sq}, want: tensors{f32(nil, 5)}},
		{name: "sum of all", node: einsumNode("ij->", 1), in: tensors{a}, want: tensors{f32(nil, 21)}},
		{name: "outer", node: einsumNode("i,j->ij", 2), in: tensors{seq([]int{2}, 1, 2), seq([]int{2}, 3, 4)}, want: tensors{f32([]int{2, 2}, 3, 4, 6, 8)}},
		{name: "element by element", node: einsumNode("ij,ij->ij", 2), in: tensors{a, a}, want: tensors{f32([]int{2, 3}, 1, 4, 9, 16, 25, 36)}},
		{name: "three", node: einsumNode("ij,jk,k->i", 3), in: tensors{a, b, seq([]int{2}, 1, 2)}, want: tensors{f32([]int{2}, 78, 177)}},
		{name: "ellipsis", node: einsumNode("...ij->...ji", 1), in: tensors{seq([]int{1, 2, 2}, 1, 4)}, want: tensors{f32([]int{1, 2, 2}, 1, 3, 2, 4)}},
		{name: "ellipses are broadcast", node: einsumNode("...i,...i->...", 2), in: tensors{seq([]int{2, 1, 2}, 1, 4), seq([]int{2, 2}, 1, 4)}, want: tensors{f32([]int{2, 2}, 5, 11, 11, 25)}},
		{name: "implicit ellipsis", node: einsumNode("i...,i", 2), in: tensors{b, seq([]int{3}, 1, 3)}, want: tensors{f32([]int{2}, 22, 28)}},
		{name: "ellipsis summed", node: einsumNode("i...->i", 1), in: tensors{a}, want: tensors{f32([]int{2}, 6, 15)}},
		{name: "1 is broadcast", node: einsumNode("ij,ij->i", 2), in: tensors{a, seq([]int{2, 1}, 1, 2)}, want: tensors{f32([]int{2}, 6, 30)}},
		{name: "nothing to sum", node: einsumNode("ij,jk->ik", 2), in: tensors{f32([]int{2, 0}), f32([]int{0, 2})}, want: tensors{f32([]int{2, 2}, 0, 0, 0, 0)}},
		{name: "nothing", node: einsumNode("ij->ji", 1), in: tensors{f32([]int{0, 2})}, want: tensors{f32([]int{2, 0})}},
		{name: "int64", node: einsumNode("i,i", 2), in: tensors{i64([]int{2}, 2, 3), i64([]int{2}, 4, 5)}, want: tensors{i64(nil, 23)}},
		{name: "count", node: einsumNode("i,i", 1), in: tensors{a}, wantErr: "has 2 terms for 1 inputs"},
		{name: "rank", node: einsumNode("i", 1), in: tensors{a}, wantErr: "input 0 has shape [2 3], its term names 1 dimensions"},
		{name: "rank beside an ellipsis", node: einsumNode("ijk...", 1), in: tensors{a}, wantErr: "its term names 3 dimensions"},
		{name: "sizes", node: einsumNode("ii", 1), in: tensors{a}, wantErr: "dimension 1 of input 0 is 3, another of that name is 2"},
		{name: "output of nowhere", node: einsumNode("i->j", 1), in: tensors{f32([]int{1}, 1)}, wantErr: "no input has 'j'"},
		{name: "output twice", node: einsumNode("i->ii", 1), in: tensors{f32([]int{1}, 1)}, wantErr: "the output has 'i' twice"},
		{name: "letters", node: einsumNode("i1->i", 1), in: tensors{f32([]int{1}, 1)}, wantErr: "cannot read term \"i1\" at \"1\""},
		{name: "two ellipses", node: einsumNode("......->", 1), in: tensors{f32([]int{1}, 1)}, wantErr: "cannot read term"},
		{name: "output's letters", node: einsumNode("i->?", 1), in: tensors{f32([]int{1}, 1)}, wantErr: "cannot read term \"?\""},
		{name: "types", node: einsumNode("i,i", 2), in: tensors{i64([]int{1}, 1), f32([]int{1}, 1)}, wantErr: "input 1 is float32, input 0 is int64"},
		{name: "strings", node: einsumNode("i", 1), in: tensors{fill(onnx.String, 1)}, wantErr: "string is not supported"},
		{name: "huge", node: einsumNode("i,j->ij", 2), in: tensors{f32([]int{1 << 40, 0}), f32([]int{1 << 40, 0})}, wantErr: "its term names 1"},
	})
	for _, typ := range []onnx.DataType{onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64} {
		y, err := runNode(einsumNode("i,i->i", 2), 0, tensors{oneTensor(t, typ), oneTensor(t, typ)})
		if err != nil || diffTensor(y[0], oneTensor(t, typ), 0) != "" {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
}

// Against the definition: a loop over all labels. Sizes reach into every way of computing a product.
func TestEinsumAgainstLoops(t *testing.T) {
	rng := rand.New(rand.NewSource(5))
	for _, c := range []struct {
		equation string
		in       []string
		out      string
	}{
		{"ij,jk->ik", []string{"ij", "jk"}, "ik"},
		{"bhqd,bhkd->bhqk", []string{"bhqd", "bhkd"}, "bhqk"},
		{"bij,bjk->bik", []string{"bij", "bjk"}, "bik"},
		{"nchw,oc->nohw", []string{"nchw", "oc"}, "nohw"},
		{"ij,j->i", []string{"ij", "j"}, "i"},
		{"abc,cd,bd->a", []string{"abc", "cd", "bd"}, "a"},
		{"aab,bc->ca", []string{"aab", "bc"}, "ca"},
	} {
		for _, most := range []int{3, 6, 24} {
			size := map[rune]int{}
			for _, l := range "abcdhijkqnow" {
				size[l] = 1 + rng.Intn(most)
			}
			if most == 24 {
				size['i'], size['j'], size['k'] = 33, 40, 35
				size['b'], size['h'] = 2, 3
			}
			var in tensors
			for _, term := range c.in {
				var shape []int
				for _, l := range term {
					shape = append(shape, size[l])
				}
				x := onnx.New(onnx.Float, shape...)
				for i := range x.Float32s() {
					x.Float32s()[i] = float32(rng.NormFloat64())
				}
				in = append(in, x)
			}
			want := loopEinsum(c.in, c.out, size, in)
			got, err := runNode(einsumNode(c.equation, len(in)), 0, in)
			if err != nil {
				t.Fatal(err)
			}
			if d := diffTensor(got[0], want, 1e-5); d != "" {
				t.Errorf("%s: %s", c.equation, d)
			}
		}
	}
}

func loopEinsum(terms []string, out string, size map[rune]int, in tensors) *onnx.Tensor {
	labels := out
	for _, term := range terms {
		for _, l := range term {
			if !containsRune(labels, l) {
				labels += string(l)
			}
		}
	}
	var shape []int
	for _, l := range labels {
		shape = append(shape, size[l])
	}
	y := onnx.New(onnx.Float, shape[:len(out)]...)
	sum := make([]float64, y.Len())
	inner := prod(shape[len(out):])
	at := map[rune]int{}
	for i := range prod(shape) {
		rest := i
		for j := len(labels) - 1; j >= 0; j-- {
			at[rune(labels[j])] = rest % shape[j]
			rest /= shape[j]
		}
		p := 1.0
		for k, term := range terms {
			place := 0
			for _, l := range term {
				place = place*size[l] + at[l]
			}
			p *= float64(in[k].Float32s()[place])
		}
		sum[i/inner] += p
	}
	for i, v := range sum {
		y.Float32s()[i] = float32(v)
	}
	return y
}

func containsRune(s string, r rune) bool {
	for _, c := range s {
		if c == r {
			return true
		}
	}
	return false
}

// An intermediate result that no machine holds is refused before it is made.
func TestEinsumIntermediate(t *testing.T) {
	v := onnx.New(onnx.Uint8, 1<<17)
	_, err := runNode(einsumNode("a,b,c->", 3), 0, tensors{v, v, v})
	if err != nil {
		t.Fatal("sums first:", err)
	}
	err = checkIntermediate([]int{1 << 20, 1 << 20})
	if fmt.Sprint(err) != "an intermediate result is too large" {
		t.Fatal(err)
	}
	if err := checkIntermediate([]int{1 << 40, 1 << 40}); err == nil {
		t.Fatal("no error")
	}
}
