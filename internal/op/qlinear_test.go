package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// The values follow from dequantising, y of the real numbers, and quantising: round(y/scale) + zero point.
func TestQLinear(t *testing.T) {
	ms := func(opType string, nIn int, a attrs) *onnx.Node {
		n := node(opType, nIn, 1, a)
		n.Domain = "com.microsoft"
		return n
	}
	half, one, z128, z0 := f32(nil, 0.5), f32(nil, 1), u8(nil, 128), i8(nil, 0)
	x := u8([]int{1, 2, 1, 2}, 128, 130, 132, 126) // 0 1 2 -1 at scale 0.5
	add := ms("QLinearAdd", 8, nil)
	gemm := ms("QGemm", 9, attrs{"transB": 1, "alpha": float32(2)})
	a, b := u8([]int{1, 2}, 129, 127), i8([]int{2, 2}, 2, 1, 4, -4) // a: 0.5 -0.5
	scales, zeros := f32([]int{2}, 1, 0.5), i8([]int{2}, 0, 0)
	runCases(t, []opCase{
		{name: "add", node: add, in: ins(x, half, z128, u8([]int{1}, 3), one, u8(nil, 1), half, z128), want: ins(u8([]int{1, 2, 1, 2}, 132, 134, 136, 130))},
		{name: "add without zero points", node: add, in: ins(i8([]int{3}, 1, 2, 100), one, nil, i8([]int{3}, 1, -2, 100), one, nil, one, nil), want: ins(i8([]int{3}, 2, 0, 127))},
		{name: "mul", node: ms("QLinearMul", 8, nil), in: ins(x, half, z128, x, half, z128, half, z128), want: ins(u8([]int{1, 2, 1, 2}, 128, 130, 136, 130))},
		{name: "sigmoid", node: ms("QLinearSigmoid", 5, nil), in: ins(i8([]int{3}, 0, 127, -128), one, z0, f32(nil, 1.0/128), z0), want: ins(i8([]int{3}, 64, 127, 0))},
		{name: "leaky relu", node: ms("QLinearLeakyRelu", 5, attrs{"alpha": float32(0.5)}), in: ins(x, half, z128, f32(nil, 0.25), z128), want: ins(u8([]int{1, 2, 1, 2}, 128, 132, 136, 126))},
		{name: "softmax", node: ms("QLinearSoftmax", 5, attrs{"axis": -1, "opset": 13}), in: ins(u8([]int{1, 2}, 7, 7), one, u8(nil, 0), f32(nil, 1.0/256), u8(nil, 0)), want: ins(u8([]int{1, 2}, 128, 128))},
		{name: "softmax of old", node: ms("QLinearSoftmax", 5, attrs{"axis": 1, "opset": 11}), in: ins(u8([]int{1, 2, 2}, 7, 7, 7, 7), one, u8(nil, 0), f32(nil, 1.0/256), u8(nil, 0)), want: ins(u8([]int{1, 2, 2}, 64, 64, 64, 64))},
		{name: "average pool", node: ms("QLinearAveragePool", 5, attrs{"kernel_shape": []int{1, 2}, "channels_last": 0}), in: ins(x, half, z128, f32(nil, 0.25), z128), want: ins(u8([]int{1, 2, 1, 1}, 130, 130))},
		{name: "global average pool", node: ms("QLinearGlobalAveragePool", 5, nil), in: ins(x, half, z128, f32(nil, 0.25), z128), want: ins(u8([]int{1, 2, 1, 1}, 130, 130))},
		{name: "concat", node: ms("QLinearConcat", 8, attrs{"axis": 0}), in: ins(one, z128, u8([]int{2}, 128, 132), half, z128, u8([]int{1}, 1), one, u8(nil, 0)), want: ins(u8([]int{3}, 128, 130, 129))},
		{name: "where", node: ms("QLinearWhere", 9, nil), in: ins(bools([]int{2}, true, false), u8([]int{2}, 128, 132), half, z128, u8([]int{2}, 1, 2), one, u8(nil, 0), one, z128), want: ins(u8([]int{2}, 128, 130))},
		// 2*(0.5*2-0.5*1) + 10*2*0.5*1 = 11 and 2*(0.5*2+0.5*2) + 4*2*0.5*0.5 = 6
		{name: "gemm to float", node: gemm, in: ins(a, half, z128, b, scales, zeros, i32([]int{2}, 10, 4), nil, nil), want: ins(f32([]int{1, 2}, 11, 6))},
		{name: "gemm", node: gemm, in: ins(a, half, z128, b, scales, zeros, nil, half, u8(nil, 3)), want: ins(u8([]int{1, 2}, 5, 11))},
		{name: "gemm, columns", node: ms("QGemm", 6, nil), in: ins(a, half, z128, b, scales, zeros), want: ins(f32([]int{1, 2}, -1, 1.25))},
		{name: "quantise", node: ms("QuantizeLinear", 3, nil), in: ins(f32([]int{2}, 1, -300), one, onnx.Of(nil, []uint16{300})), want: ins(onnx.Of([]int{2}, []uint16{301, 0}))},
		{name: "dequantise", node: ms("DequantizeLinear", 3, nil), in: ins(onnx.Of([]int{2}, []int16{-300, 4}), half, nil), want: ins(f32([]int{2}, -150, 2))},

		{name: "type", node: add, in: ins(f32([]int{1}, 1), one, nil, x, one, nil, one, nil), wantErr: "input 0"},
		{name: "type of scale", node: add, in: ins(x, f64(nil, 1), nil, x, one, nil, one, nil), wantErr: "input 1"},
		{name: "scales", node: add, in: ins(x, f32([]int{2}, 1, 2), nil, x, one, nil, one, nil), wantErr: "scale, input 1,"},
		{name: "type of zero point", node: add, in: ins(x, one, z0, x, one, nil, one, nil), wantErr: "zero point"},
		{name: "shapes", node: add, in: ins(u8([]int{2}, 1, 2), one, nil, u8([]int{3}, 1, 2, 3), one, nil, one, nil), wantErr: "broadcast"},
		{name: "no scale of y", node: add, in: ins(x, one, nil, x, one, nil, nil, nil), wantErr: "input 6"},
		{name: "scale of y", node: add, in: ins(x, one, nil, x, one, nil, f32([]int{2}, 1, 1), nil), wantErr: "scale of y"},
		{name: "bias", node: gemm, in: ins(a, half, z128, b, scales, zeros, i32([]int{1}, 1), nil, nil), wantErr: "the bias has shape"},
		{name: "type of bias", node: gemm, in: ins(a, half, z128, b, scales, zeros, f32([]int{2}, 1, 1), nil, nil), wantErr: "input 6"},
		{name: "condition", node: ms("QLinearWhere", 9, nil), in: ins(i32([]int{2}, 1, 0), x, half, z128, x, one, z128, one, z128), wantErr: "int32"},
		{name: "channels last", node: ms("QLinearGlobalAveragePool", 5, attrs{"channels_last": 1}), in: ins(x, half, z128, half, z128), wantErr: "channels_last"},
		{name: "attribute of the operator", node: ms("QLinearConcat", 5, nil), in: ins(one, z128, x, one, z128), wantErr: "axis"},
	})
}
