package op_test

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestArithmeticGradients(t *testing.T) {
	var cases []gradCase
	for _, name := range []string{"Add", "Sub", "Mul", "Div"} {
		cases = append(cases,
			gradCase{name: name, node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2, 3), positive64(2, 2, 3)}},
			gradCase{name: name + ", right side stretched", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2, 3, 2), positive64(2, 3, 1)}},
			gradCase{name: name + ", left side stretched", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 1, 3), positive64(2, 2, 4, 3)}},
			gradCase{name: name + ", both stretched", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 4, 1), positive64(2, 1, 3)}},
			gradCase{name: name + ", scalar", node: gradNode(name), in: []*onnx.Tensor{normal64(1), positive64(2, 2, 2)}},
			gradCase{name: name + ", one side only", node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2), positive64(2, 2)}, fixed: []int{1}},
		)
	}
	cases = append(cases, gradCase{name: "Sum", node: gradNode("Sum"), in: []*onnx.Tensor{normal64(1, 2, 2), normal64(2, 1, 2), normal64(3)}})
	cases = append(cases, gradCase{name: "Identity", node: gradNode("Identity"), in: []*onnx.Tensor{normal64(1, 2, 2)}})
	checkGradients(t, cases)
}
