package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// internalNode makes a node of the domain Internal.
func internalNode(opType string, nIn, nOut int, a attrs) *onnx.Node {
	n := node(opType, nIn, nOut, a)
	n.Domain = Internal
	return n
}

// TestGradientsAtKinks states which derivative is taken where there are two, and where infinite and absurd values go.
func TestGradientsAtKinks(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	one := f32([]int{1}, 1)
	at := func(v float32) *onnx.Tensor { return f32([]int{1}, v) }
	var cases []opCase
	add := func(name, opType string, a attrs, v, want float32) {
		cases = append(cases, opCase{name: name, node: internalNode(opType, 2, 1, a), in: []*onnx.Tensor{one, at(v)}, want: []*onnx.Tensor{at(want)}})
		cases = append(cases, opCase{name: name + ", double", node: internalNode(opType, 2, 1, a), in: []*onnx.Tensor{f64([]int{1}, 1), f64([]int{1}, float64(v))},
			want: []*onnx.Tensor{f64([]int{1}, float64(want))}})
	}
	add("Relu at 0", "ReluGrad", nil, 0, 0)
	add("Relu of NaN", "ReluGrad", nil, nan, 1)
	add("LeakyRelu at 0", "LeakyReluGrad", attrs{"alpha": 0.25}, 0, 0.25)
	add("Elu at 0", "EluGrad", attrs{"alpha": 0.5}, 0, 0.5)
	add("Elu at 0, by input", "EluGrad", attrs{"alpha": 0.5, "from_input": 1}, 0, 0.5)
	add("ThresholdedRelu at alpha", "ThresholdedReluGrad", attrs{"alpha": 2.0}, 2, 0)
	add("Shrink at lambd", "ShrinkGrad", attrs{"lambd": 2.0}, 2, 0)
	add("Shrink at -lambd", "ShrinkGrad", attrs{"lambd": 2.0}, -2, 0)
	add("HardSigmoid at its lower end", "HardSigmoidGrad", nil, 0, 0)
	add("HardSigmoid at its upper end", "HardSigmoidGrad", nil, 1, 0)
	add("HardSwish at -3", "HardSwishGrad", nil, -3, 0)
	add("HardSwish at 3", "HardSwishGrad", nil, 3, 1)
	add("Abs at 0", "AbsGrad", nil, 0, 0)
	add("Sqrt at 0", "SqrtGrad", nil, 0, inf)
	add("Gelu by tanh, far below", "GeluGrad", attrs{"approximate": "tanh"}, -1e20, 0)
	add("Gelu by tanh, far above", "GeluGrad", attrs{"approximate": "tanh"}, 1e20, 1)
	add("Mish, far below", "MishGrad", nil, -1e4, 0)
	add("Mish, far above", "MishGrad", nil, 1e4, 1)
	add("Clip at its lower bound", "ClipGrad", nil, -inf, 0)
	lo, hi := at(0), at(6)
	clipAt := func(v, want float32) {
		cases = append(cases, opCase{name: "Clip", node: internalNode("ClipGrad", 4, 1, nil), in: []*onnx.Tensor{one, at(v), lo, hi}, want: []*onnx.Tensor{at(want)}})
	}
	clipAt(0, 0)
	clipAt(3, 1)
	clipAt(6, 0)
	pair := []int{3}
	cases = append(cases,
		opCase{name: "PRelu at 0", node: internalNode("PReluGrad", 3, 1, nil), in: []*onnx.Tensor{one, at(0), at(0.25)}, want: []*onnx.Tensor{at(0.25)}},
		opCase{name: "Max, ties go to the first", node: internalNode("MaxGrad", 3, 2, nil),
			in:   []*onnx.Tensor{f32(pair, 1, 2, 3), f32(pair, 0, 5, 5), f32(pair, 0, 4, 6)},
			want: []*onnx.Tensor{f32(pair, 1, 2, 0), f32(pair, 0, 0, 3)}},
		opCase{name: "Min, ties go to the first", node: internalNode("MinGrad", 3, 2, nil),
			in:   []*onnx.Tensor{f32(pair, 1, 2, 3), f32(pair, 0, 5, 5), f32(pair, 0, 4, 6)},
			want: []*onnx.Tensor{f32(pair, 1, 0, 3), f32(pair, 0, 2, 0)}},
		opCase{name: "types differ", node: internalNode("ReluGrad", 2, 1, nil), in: []*onnx.Tensor{one, f64([]int{1}, 1)}, wantErr: "differ"},
		opCase{name: "shapes differ", node: internalNode("ReluGrad", 2, 1, nil), in: []*onnx.Tensor{one, f32(pair, 1, 2, 3)}, wantErr: "differ"},
		opCase{name: "integers", node: internalNode("ReluGrad", 2, 1, nil), in: []*onnx.Tensor{i64(pair, 1, 2, 3), i64(pair, 1, 2, 3)}, wantErr: "not supported"},
		opCase{name: "Clip, a list of bounds", node: internalNode("ClipGrad", 3, 1, nil), in: []*onnx.Tensor{one, one, f32(pair, 1, 2, 3)}, wantErr: "bound"},
		opCase{name: "Clip, shapes differ", node: internalNode("ClipGrad", 2, 1, nil), in: []*onnx.Tensor{one, f32(pair, 1, 2, 3)}, wantErr: "differ"},
		opCase{name: "PRelu, slope too wide", node: internalNode("PReluGrad", 3, 1, nil), in: []*onnx.Tensor{one, one, f32(pair, 1, 2, 3)}, wantErr: "slope"},
		opCase{name: "PRelu, shapes differ", node: internalNode("PReluGrad", 3, 1, nil), in: []*onnx.Tensor{one, f32(pair, 1, 2, 3), one}, wantErr: "differ"},
	)
	for _, name := range []string{"PowBaseGrad", "PowExponentGrad", "MaxGrad"} {
		cases = append(cases,
			opCase{name: name + ", integers", node: internalNode(name, 3, 1, nil), in: []*onnx.Tensor{i64(pair, 1, 2, 3), one, one}, wantErr: "not supported"},
			opCase{name: name + ", types differ", node: internalNode(name, 3, 1, nil), in: []*onnx.Tensor{one, one, f64([]int{1}, 1)}, wantErr: "different types"},
			opCase{name: name + ", shapes do not fit", node: internalNode(name, 3, 1, nil), in: []*onnx.Tensor{one, one, f32(pair, 1, 2, 3)}, wantErr: "broadcast"},
		)
	}
	runCases(t, cases)
}
