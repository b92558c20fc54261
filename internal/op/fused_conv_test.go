package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestFusedConv(t *testing.T) {
	type in = []*onnx.Tensor
	fused := func(act string, params ...float32) *onnx.Node {
		n := node("FusedConv", 4, 1, attrs{})
		if act != "none" {
			n = node("FusedConv", 4, 1, attrs{"activation": act, "activation_params": params})
		}
		n.Domain = "com.microsoft"
		return n
	}
	// x*w + b is -3, 1, 7 on the way in, z shifts it to v.
	x, w, b := f32([]int{1, 1, 3}, -2, 0, 3), f32([]int{1, 1, 1}, 2), f32([]int{1}, 1)
	z := f32([]int{1, 1, 3}, 1, -1, 0.5)
	v := []float64{-2, 0, 7.5}
	row := func(name string, n *onnx.Node, f func(float64) float64) opCase {
		want := make([]float32, len(v))
		for i := range v {
			want[i] = float32(f(v[i]))
		}
		return opCase{name: name, opset: 1, node: n, in: in{x, w, b, z}, want: in{f32([]int{1, 1, 3}, want...)}}
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	limit := func(x, lo, hi float64) float64 { return math.Min(math.Max(x, lo), hi) }
	runCases(t, []opCase{
		row("no activation", fused("none"), func(x float64) float64 { return x }),
		row("Relu", fused("Relu"), func(x float64) float64 { return max(x, 0) }),
		row("Clip", fused("Clip", -1, 6), func(x float64) float64 { return limit(x, -1, 6) }),
		row("Clip without bounds", fused("Clip"), func(x float64) float64 { return x }),
		row("LeakyRelu", fused("LeakyRelu", 0.1), func(x float64) float64 { return max(x, 0.1*x) }),
		row("Elu", fused("Elu", 2), func(x float64) float64 { return max(x, 0) + 2*math.Expm1(min(x, 0)) }),
		row("Sigmoid", fused("Sigmoid"), sigmoid),
		row("Silu", fused("Silu"), func(x float64) float64 { return x * sigmoid(x) }),
		row("Tanh", fused("Tanh"), math.Tanh),
		row("HardSigmoid", fused("HardSigmoid", 0.25), func(x float64) float64 { return limit(0.25*x+0.5, 0, 1) }),
		row("HardSwish", fused("HardSwish"), func(x float64) float64 { return x * limit(x/6+0.5, 0, 1) }),
		{name: "summand only", node: fused("Relu"), in: in{x, w, nil, z}, want: in{f32([]int{1, 1, 3}, 0, 0, 6.5)}},
		{name: "bias only", node: fused("Relu"), in: in{x, w, b, nil}, want: in{f32([]int{1, 1, 3}, 0, 1, 7)}},
		{name: "unknown", node: fused("Softmax"), in: in{x, w, b, z}, wantErr: `activation "Softmax"`},
		{name: "parameters", node: fused("Relu", 1), in: in{x, w, b, z}, wantErr: "has 1 parameters, wants at most 0"},
		{name: "summand shape", node: fused("Relu"), in: in{x, w, b, f32([]int{1, 1, 1}, 1)}, wantErr: "summand [1 1 1] does not have the output's shape [1 1 3]"},
	})
}
