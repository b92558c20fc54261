package op

import (
	"math"
	"math/rand"
	"sort"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTopK(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("TopK", 2, 2, a) }
	k := func(v int64) *onnx.Tensor { return i64([]int{1}, v) }
	nan := float32(math.NaN())
	x := f32([]int{2, 4}, 1, 4, 4, 2, 7, 5, 6, 7)
	runCases(t, []opCase{
		{name: "largest, ties by index", node: n(nil), in: tensors{x, k(2)}, want: tensors{f32([]int{2, 2}, 4, 4, 7, 7), i64([]int{2, 2}, 1, 2, 0, 3)}},
		{name: "smallest", node: n(attrs{"largest": 0}), in: tensors{x, k(3)}, want: tensors{f32([]int{2, 3}, 1, 2, 4, 5, 6, 7), i64([]int{2, 3}, 0, 3, 1, 1, 2, 0)}},
		{name: "other axis, unsorted", node: n(attrs{"axis": 0, "sorted": 0}), in: tensors{x, k(1)}, want: tensors{f32([]int{1, 4}, 7, 5, 6, 7), i64([]int{1, 4}, 1, 1, 1, 1)}},
		{name: "attribute", opset: 1, node: node("TopK", 1, 2, attrs{"k": 1}), in: tensors{x}, want: tensors{f32([]int{2, 1}, 4, 7), i64([]int{2, 1}, 1, 0)}},
		{name: "opset 10", opset: 10, node: n(nil), in: tensors{x, k(1)}, want: tensors{f32([]int{2, 1}, 4, 7), i64([]int{2, 1}, 1, 0)}},
		{name: "NaN is largest", node: n(nil), in: tensors{f32([]int{4}, 1, nan, 3, nan), k(3)}, want: tensors{f32([]int{3}, nan, nan, 3), i64([]int{3}, 1, 3, 2)}},
		{name: "NaN is not smallest", node: n(attrs{"largest": 0}), in: tensors{f32([]int{4}, nan, 1, nan, 3), k(3)}, want: tensors{f32([]int{3}, 1, 3, nan), i64([]int{3}, 1, 3, 0)}},
		{name: "none", node: n(nil), in: tensors{x, k(0)}, want: tensors{f32([]int{2, 0}), i64([]int{2, 0})}},
		{name: "of nothing", node: n(nil), in: tensors{f32([]int{0, 2}), k(1)}, want: tensors{f32([]int{0, 1}), i64([]int{0, 1})}},
		{name: "too many", node: n(nil), in: tensors{x, k(5)}, wantErr: "k is 5, dimension 1 has 4 elements"},
		{name: "negative", node: n(nil), in: tensors{x, k(-1)}, wantErr: "k is -1"},
		{name: "negative attribute", opset: 1, node: node("TopK", 1, 2, attrs{"k": -1}), in: tensors{x}, wantErr: "k is -1"},
		{name: "no attribute", opset: 1, node: node("TopK", 1, 2, nil), in: tensors{x}, wantErr: "\"k\" is missing"},
		{name: "no input", node: node("TopK", 1, 2, nil), in: tensors{x}, wantErr: "k is missing"},
		{name: "two numbers", node: n(nil), in: tensors{x, i64([]int{2}, 1, 1)}, wantErr: "k: want one number"},
		{name: "axis", node: n(attrs{"axis": 2}), in: tensors{x, k(1)}, wantErr: "axis 2 is outside"},
		{name: "strings", node: n(nil), in: tensors{fill(onnx.String, 2), k(1)}, wantErr: "string is not supported"},
	})
	for _, typ := range []onnx.DataType{onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64} {
		x := onnx.New(typ, 3)
		copy(x.Raw[elemSize(typ):], oneTensor(t, typ).Raw)
		y, err := runNode(n(nil), 0, tensors{x, k(2)})
		if err != nil || diffTensor(y[1], i64([]int{2}, 1, 0), 0) != "" {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
	// Only one of the outputs is wanted.
	for skip := range 2 {
		m := n(nil)
		m.Outputs[skip] = ""
		if y, err := runNode(m, 0, tensors{x, k(1)}); err != nil || y[skip] != nil || y[1-skip] == nil {
			t.Error(y, err)
		}
	}
}

func oneTensor(t *testing.T, typ onnx.DataType) *onnx.Tensor {
	t.Helper()
	x := oneOf(typ)
	if x == nil {
		t.Fatalf("no 1 in %v", typ)
	}
	return x
}

// The heap against a sort.
func TestTopKAgainstSort(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	for range 20 {
		n := 1 + rng.Intn(60)
		k := 1 + rng.Intn(n)
		v := make([]float32, n)
		order := make([]int, n)
		for i := range v {
			v[i], order[i] = float32(rng.Intn(20)), i
		}
		sort.SliceStable(order, func(i, j int) bool { return v[order[i]] > v[order[j]] })
		want := make([]int64, k)
		for i := range want {
			want[i] = int64(order[i])
		}
		y, err := runNode(node("TopK", 2, 2, nil), 0, tensors{onnx.Of([]int{n}, v), i64([]int{1}, int64(k))})
		if err != nil {
			t.Fatal(err)
		}
		if d := diffTensor(y[1], onnx.Of([]int{k}, want), 0); d != "" {
			t.Fatal(d)
		}
	}
}
