package op

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/kernel/ref"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGemm(t *testing.T) {
	type in = []*onnx.Tensor
	emptyC := node("Gemm", 3, 1, nil)
	emptyC.Inputs[2] = ""
	a22, b23 := seq([]int{2, 2}, 1, 4), seq([]int{2, 3}, 1, 6)
	x4 := seq([]int{1, 2, 1, 2}, 1, 4)
	b34, c3 := seq([]int{3, 4}, 1, 12), f32([]int{3}, 1, 2, 3)
	runCases(t, []opCase{
		{name: "case 7a", node: node("Gemm", 2, 1, attrs{"transA": 1, "transB": 1, "alpha": 0.5}), in: in{f32([]int{1, 1}, 1), seq([]int{3, 1}, 1, 3)}, want: in{f32([]int{1, 3}, 0.5, 1, 1.5)}},
		{name: "case 7a with both transposes", node: node("Gemm", 2, 1, attrs{"transA": 1, "transB": 1, "alpha": 0.5}), in: in{f32([]int{2, 1}, 1, 2), seq([]int{3, 2}, 1, 6)}, want: in{f32([]int{1, 3}, 2.5, 5.5, 8.5)}},
		{name: "case 7b", node: node("Gemm", 3, 1, attrs{"alpha": 2.0, "beta": 0.5}), in: in{a22, b23, f32([]int{2, 1}, 100, 200)}, want: in{f32([]int{2, 3}, 68, 74, 80, 138, 152, 166)}},
		{name: "case 7c", node: emptyC, in: in{f32([]int{1, 2}, 1, 2), f32([]int{2, 1}, 3, 4), nil}, want: in{f32([]int{1, 1}, 11)}},
		{name: "case 8c", opset: 3, node: node("Gemm", 3, 1, attrs{"transB": 1, "broadcast": 1}), in: in{x4, b34, c3}, want: in{f32([]int{1, 3}, 31, 72, 113)}},
		{name: "case 8e", opset: 3, node: node("Gemm", 3, 1, nil), in: in{a22, b23, c3}, want: in{f32([]int{2, 3}, 10, 14, 18, 20, 28, 36)}},
		{name: "rank 4 since opset 7", node: node("Gemm", 3, 1, attrs{"transB": 1}), in: in{x4, b34, c3}, wantErr: "want matrices"},
		{name: "scalar C", node: node("Gemm", 3, 1, nil), in: in{a22, b23, f32(nil, 10)}, want: in{f32([]int{2, 3}, 19, 22, 25, 29, 36, 43)}},
		{name: "whole C, beta", node: node("Gemm", 3, 1, attrs{"beta": 2.0}), in: in{a22, b23, seq([]int{2, 3}, 1, 6)}, want: in{f32([]int{2, 3}, 11, 16, 21, 27, 36, 45)}},
		{name: "beta 0", node: node("Gemm", 3, 1, attrs{"beta": 0.0}), in: in{a22, b23, c3}, want: in{f32([]int{2, 3}, 9, 12, 15, 19, 26, 33)}},
		{name: "K is 0", node: node("Gemm", 3, 1, nil), in: in{f32([]int{2, 0}), f32([]int{0, 3}), c3}, want: in{f32([]int{2, 3}, 1, 2, 3, 1, 2, 3)}},
		{name: "M is 0", node: node("Gemm", 3, 1, nil), in: in{f32([]int{0, 2}), b23, c3}, want: in{f32([]int{0, 3})}},
		{name: "int32", node: node("Gemm", 3, 1, attrs{"alpha": 2.0}), in: in{i32([]int{1, 2}, 1, 2), i32([]int{2, 1}, 3, 4), i32([]int{1}, 5)}, want: in{i32([]int{1, 1}, 27)}},
		{name: "int64 without C", node: node("Gemm", 2, 1, attrs{"transA": 1}), in: in{i64([]int{2, 1}, 1<<60, 2), i64([]int{2, 1}, 1, 4)}, want: in{i64([]int{1, 1}, 1<<60+8)}},
		{name: "uint32", node: node("Gemm", 2, 1, nil), in: in{onnx.Of([]int{1, 1}, []uint32{7}), onnx.Of([]int{1, 1}, []uint32{3})}, want: in{onnx.Of([]int{1, 1}, []uint32{21})}},
		{name: "uint64", node: node("Gemm", 2, 1, attrs{"transB": 1}), in: in{onnx.Of([]int{1, 2}, []uint64{7, 1}), onnx.Of([]int{1, 2}, []uint64{3, 2})}, want: in{onnx.Of([]int{1, 1}, []uint64{23})}},
		{name: "float64", node: node("Gemm", 3, 1, attrs{"beta": 0.5}), in: in{f64([]int{1, 2}, 1, 2), f64([]int{2, 2}, 1, 2, 3, 4), f64([]int{1, 1}, 3)}, want: in{f64([]int{1, 2}, 8.5, 11.5)}},
		{name: "inner sizes", node: node("Gemm", 2, 1, nil), in: in{b23, a22}, wantErr: "inner sizes 3 and 2 differ"},
		{name: "C", node: node("Gemm", 3, 1, nil), in: in{a22, b23, f32([]int{2}, 1, 2)}, wantErr: "input C [2] cannot be broadcast to [2 3]"},
		{name: "C rows", node: node("Gemm", 3, 1, nil), in: in{a22, b23, ones(3, 3)}, wantErr: "cannot be broadcast"},
		{name: "C rank", node: node("Gemm", 3, 1, nil), in: in{a22, b23, ones(1, 2, 3)}, wantErr: "cannot be broadcast"},
		{name: "types", node: node("Gemm", 2, 1, nil), in: in{a22, f64([]int{2, 2}, 1, 2, 3, 4)}, wantErr: "input 1 is of type float64"},
		{name: "bool", node: node("Gemm", 2, 1, nil), in: in{bools([]int{1, 1}, true), a22}, wantErr: "bool is not supported"},
		{name: "absent", node: node("Gemm", 2, 1, nil), in: in{a22, nil}, wantErr: "input 1 is absent"},
	})
	runNodeCases(t, "Gemm", nil)
}

// Each leniency is told of once, however often shapes are inferred.
func TestGemmWarnings(t *testing.T) {
	var told []string
	g, _, err := Make(node("Gemm", 3, 1, nil), 3, func(s string) { told = append(told, s) })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := g.Infer([]Info{{Type: onnx.Float, Shape: []int{1, 2, 2}}, {Type: onnx.Float, Shape: []int{4, 3}}, {Type: onnx.Float, Shape: []int{3}}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "taken as one of [1 4]") || !strings.Contains(told[1], "broadcast is not set") {
		t.Fatalf("warnings %q", told)
	}
}

// Sizes around every edge of the tiles, and the ways that few rows take.
func TestGemmAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 1}, {1, 17, 5}, {2, 600, 33}, {3, 5, 700}, {4, 31, 64}, {8, 40, 9}, {9, 16, 16}, {33, 49, 65}, {70, 100, 400}, {129, 7, 1000}} {
		m, n, k := size[0], size[1], size[2]
		a, b, c := random(r, m, k), random(r, k, n), random(r, n)
		want := ref.MatMul(a.Float32s(), b.Float32s(), m, n, k)
		for i := range want {
			want[i] += c.Float32s()[i%n]
		}
		for trans := range 4 {
			ta, tb := a, b
			if trans&1 != 0 {
				ta = transposed(a)
			}
			if trans&2 != 0 {
				tb = transposed(b)
			}
			got, err := runNode(node("Gemm", 3, 1, attrs{"transA": trans & 1, "transB": trans >> 1}), 0, []*onnx.Tensor{ta, tb, c})
			if err != nil {
				t.Fatal(err)
			}
			if diff := diffTensor(got[0], onnx.Of([]int{m, n}, want), 1e-5); diff != "" {
				t.Fatalf("%v, transposes %d: %.200s", size, trans, diff)
			}
		}
	}
}

func transposed(x *onnx.Tensor) *onnx.Tensor {
	rows, cols := x.Shape[0], x.Shape[1]
	y := onnx.New(onnx.Float, cols, rows)
	for i := range rows {
		for j := range cols {
			y.Float32s()[j*rows+i] = x.Float32s()[i*cols+j]
		}
	}
	return y
}
