package op_test

import (
	"fmt"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// poolAttrs makes the attributes of a pool; nil lists are left out.
func poolAttrs(kernel, strides, pads []int, more ...*onnx.Attribute) []*onnx.Attribute {
	a := append([]*onnx.Attribute{op.Attr("kernel_shape", kernel)}, more...)
	if strides != nil {
		a = append(a, op.Attr("strides", strides))
	}
	if pads != nil {
		a = append(a, op.Attr("pads", pads))
	}
	return a
}

func TestPoolGradients(t *testing.T) {
	x := func(shape ...int) []*onnx.Tensor { return []*onnx.Tensor{normal64(3, shape...)} }
	ceil := op.Attr("ceil_mode", 1)
	var cases []gradCase
	for _, name := range []string{"MaxPool", "AveragePool", "LpPool"} {
		for _, c := range []struct {
			name  string
			attrs []*onnx.Attribute
			in    []*onnx.Tensor
		}{
			{"quarters", poolAttrs([]int{2, 2}, []int{2, 2}, nil), x(2, 3, 4, 6)},
			{"quarters, odd size", poolAttrs([]int{2, 2}, []int{2, 2}, nil), x(1, 2, 5, 7)},
			{"quarters, ceil", poolAttrs([]int{2, 2}, []int{2, 2}, nil, ceil), x(1, 2, 5, 7)},
			{"overlapping", poolAttrs([]int{3, 3}, []int{2, 2}, []int{1, 1, 1, 1}), x(1, 2, 7, 8)},
			{"stride 1, borders", poolAttrs([]int{3, 3}, nil, []int{1, 1, 1, 1}), x(1, 2, 5, 4)},
			{"uneven pads", poolAttrs([]int{3, 2}, []int{1, 2}, []int{0, 1, 2, 0}), x(1, 2, 5, 6)},
			{"ceil", poolAttrs([]int{3, 3}, []int{2, 2}, nil, ceil), x(1, 1, 6, 6)},
			{"ceil and pads", poolAttrs([]int{3, 3}, []int{2, 2}, []int{1, 1, 0, 0}, ceil), x(1, 1, 6, 5)},
			{"dilated", poolAttrs([]int{2, 3}, []int{1, 2}, []int{1, 2, 1, 2}, op.Attr("dilations", []int{2, 3})), x(1, 2, 6, 9)},
			{"same", poolAttrs([]int{3, 3}, []int{2, 2}, nil, op.Attr("auto_pad", "SAME_UPPER")), x(1, 1, 5, 6)},
			{"gaps", poolAttrs([]int{1, 2}, []int{3, 3}, nil), x(1, 2, 7, 8)},
			{"one axis", poolAttrs([]int{3}, []int{2}, []int{1, 1}), x(2, 2, 9)},
			{"three axes", poolAttrs([]int{2, 3, 2}, []int{1, 2, 2}, []int{1, 1, 0, 1, 1, 1}), x(1, 2, 3, 5, 4)},
			{"kernel larger than the input", poolAttrs([]int{5, 5}, nil, []int{2, 2, 2, 2}), x(1, 1, 3, 2)},
		} {
			cases = append(cases, gradCase{name: name + ", " + c.name, node: gradNode(name, c.attrs...), in: c.in})
			if name == "AveragePool" {
				cases = append(cases, gradCase{name: name + ", pads counted, " + c.name,
					node: gradNode(name, append(c.attrs, op.Attr("count_include_pad", 1))...), in: c.in})
			}
		}
		cases = append(cases, gradCase{name: "Global" + name, node: gradNode("Global" + name), in: x(2, 3, 2, 3)},
			gradCase{name: "Global" + name + ", no spatial axes", node: gradNode("Global" + name), in: x(2, 3)})
	}
	for p := 1; p <= 3; p += 2 {
		order := op.Attr("p", p)
		cases = append(cases,
			gradCase{name: fmt.Sprint("LpPool of order ", p), node: gradNode("LpPool", poolAttrs([]int{2, 2}, nil, []int{1, 0, 0, 1}, order)...), in: x(1, 2, 4, 3)},
			gradCase{name: fmt.Sprint("GlobalLpPool of order ", p), node: gradNode("GlobalLpPool", order), in: x(1, 2, 4, 3)})
	}
	cases = append(cases, gradCase{name: "MaxPool with places", node: gradNode("MaxPool", poolAttrs([]int{2, 2}, nil, nil)...), in: x(1, 1, 3, 3), outputs: 2})
	checkGradients(t, cases)
}
