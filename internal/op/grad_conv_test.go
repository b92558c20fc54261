package op_test

import (
	"fmt"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConvGradients(t *testing.T) {
	var cases []gradCase
	row := func(name string, x, w []int, bias bool, attrs ...*onnx.Attribute) {
		c := gradCase{name: name, node: gradNode("Conv", attrs...), in: []*onnx.Tensor{normal64(1, x...), normal64(2, w...)}}
		if bias {
			c.in = append(c.in, normal64(3, w[0]))
		}
		cases = append(cases, c)
	}
	// case 29
	for _, group := range []int{1, 2, 4} {
		for stride := 1; stride <= 3; stride++ {
			for dilation := 1; dilation <= 2; dilation++ {
				m := 6
				if group == 4 {
					m = 8
				}
				row(fmt.Sprintf("group %d, stride %d, dilation %d", group, stride, dilation), []int{2, 4, 5, 6}, []int{m, 4 / group, 3, 3}, stride == 2,
					op.Attr("group", group), op.Attr("strides", []int{stride, stride}), op.Attr("dilations", []int{dilation, dilation}), op.Attr("pads", []int{1, 0, 2, 1}))
			}
		}
	}
	row("1x1", []int{2, 3, 3, 3}, []int{4, 3, 1, 1}, true)
	row("1x1, stride 2", []int{2, 3, 4, 5}, []int{4, 3, 1, 1}, false, op.Attr("strides", []int{2, 2}))
	row("stride beyond the kernel", []int{1, 2, 9, 8}, []int{3, 2, 2, 2}, true, op.Attr("strides", []int{4, 3}))
	row("padding beyond the kernel", []int{1, 2, 3, 3}, []int{3, 2, 2, 2}, true, op.Attr("pads", []int{3, 4, 2, 5}))
	row("padding beyond the kernel, stride 2", []int{1, 2, 3, 3}, []int{3, 2, 2, 2}, true, op.Attr("pads", []int{3, 4, 2, 5}), op.Attr("strides", []int{2, 2}))
	row("strides and dilations apart", []int{1, 2, 7, 9}, []int{3, 2, 3, 2}, false, op.Attr("strides", []int{2, 6}), op.Attr("dilations", []int{2, 4}), op.Attr("pads", []int{1, 2, 0, 1}))
	row("SAME_UPPER", []int{1, 2, 5, 4}, []int{3, 2, 2, 3}, false, op.Attr("strides", []int{2, 2}), op.Attr("auto_pad", "SAME_UPPER"))
	row("SAME_LOWER", []int{1, 2, 5, 4}, []int{3, 2, 2, 3}, false, op.Attr("strides", []int{2, 2}), op.Attr("auto_pad", "SAME_LOWER"))
	row("rest at the end", []int{1, 2, 8, 8}, []int{3, 2, 3, 3}, false, op.Attr("strides", []int{3, 3}))
	row("depthwise 5x5, stride 2", []int{2, 3, 9, 8}, []int{3, 1, 5, 5}, true, op.Attr("group", 3), op.Attr("strides", []int{2, 2}), op.Attr("pads", []int{2, 2, 2, 2}))
	row("1-D", []int{2, 4, 9}, []int{6, 2, 3}, true, op.Attr("group", 2), op.Attr("strides", []int{2}), op.Attr("pads", []int{2, 1}))
	row("1-D depthwise", []int{2, 3, 9}, []int{3, 1, 3}, true, op.Attr("group", 3), op.Attr("pads", []int{1, 1}))
	row("3-D", []int{2, 2, 3, 4, 3}, []int{3, 2, 2, 3, 2}, true, op.Attr("strides", []int{2, 1, 2}), op.Attr("pads", []int{1, 1, 0, 0, 1, 1}))
	row("3-D depthwise", []int{1, 2, 3, 4, 3}, []int{4, 1, 2, 3, 2}, false, op.Attr("group", 2), op.Attr("dilations", []int{2, 1, 1}), op.Attr("pads", []int{1, 1, 0, 0, 1, 1}))
	row("4-D", []int{1, 2, 2, 3, 2, 3}, []int{2, 2, 2, 2, 1, 2}, false, op.Attr("strides", []int{1, 2, 1, 1}))
	row("3x3 of many channels", []int{1, 16, 3, 3}, []int{17, 16, 3, 3}, false, op.Attr("pads", []int{1, 1, 1, 1}))
	checkGradients(t, cases)
}

func TestConvTransposeGradients(t *testing.T) {
	var cases []gradCase
	row := func(name string, x, w []int, attrs ...*onnx.Attribute) {
		c := gradCase{name: name, node: gradNode("ConvTranspose", attrs...), in: []*onnx.Tensor{normal64(1, x...), normal64(2, w...), nil}}
		group := 1
		for _, a := range attrs {
			if a.Name == "group" {
				group = int(a.I)
			}
		}
		c.in[2] = normal64(3, w[1]*group)
		cases = append(cases, c)
	}
	row("plain", []int{2, 3, 3, 4}, []int{3, 2, 3, 3})
	row("stride 2, pads, groups", []int{2, 4, 3, 4}, []int{4, 2, 3, 3}, op.Attr("group", 2), op.Attr("strides", []int{2, 2}), op.Attr("pads", []int{1, 0, 1, 2}))
	row("depthwise", []int{2, 3, 3, 4}, []int{3, 1, 3, 2}, op.Attr("group", 3), op.Attr("strides", []int{2, 3}))
	row("output_padding, dilation", []int{1, 2, 3, 3}, []int{2, 3, 2, 3}, op.Attr("strides", []int{3, 2}), op.Attr("dilations", []int{2, 1}), op.Attr("output_padding", []int{2, 1}))
	row("output_shape beyond the products", []int{1, 2, 3, 3}, []int{2, 3, 2, 2}, op.Attr("strides", []int{2, 2}), op.Attr("output_shape", []int{11, 6}))
	row("output_shape that cuts", []int{1, 2, 3, 3}, []int{2, 3, 3, 3}, op.Attr("strides", []int{2, 2}), op.Attr("output_shape", []int{5, 6}))
	row("1-D, SAME_UPPER", []int{2, 2, 5}, []int{2, 3, 4}, op.Attr("strides", []int{2}), op.Attr("auto_pad", "SAME_UPPER"))
	row("3-D", []int{1, 2, 2, 3, 2}, []int{2, 2, 2, 2, 3}, op.Attr("strides", []int{2, 1, 2}))
	checkGradients(t, cases)
}

func TestGemmGradients(t *testing.T) {
	var cases []gradCase
	for transA := range 2 {
		for transB := range 2 {
			a, b := []int{3, 4}, []int{4, 5}
			if transA == 1 {
				a = []int{4, 3}
			}
			if transB == 1 {
				b = []int{5, 4}
			}
			for _, c := range [][]int{nil, {5}, {1}, {}, {3, 1}, {1, 5}, {3, 5}} {
				in := []*onnx.Tensor{normal64(1, a...), normal64(2, b...)}
				if c != nil {
					in = append(in, normal64(3, c...))
				}
				cases = append(cases, gradCase{name: fmt.Sprintf("transA %d, transB %d, C %v", transA, transB, c), in: in,
					node: gradNode("Gemm", op.Attr("transA", transA), op.Attr("transB", transB), op.Attr("alpha", float32(0.5)), op.Attr("beta", float32(1.5)))})
			}
		}
	}
	cases = append(cases,
		gradCase{name: "no factors", node: gradNode("Gemm"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 3, 4), normal64(3, 4)}},
		gradCase{name: "old, more dimensions", opset: 6, node: gradNode("Gemm", op.Attr("broadcast", 1)), in: []*onnx.Tensor{normal64(1, 2, 3, 2), normal64(2, 6, 4), normal64(3, 4)}},
		gradCase{name: "weight only", node: gradNode("Gemm"), in: []*onnx.Tensor{normal64(1, 2, 3), normal64(2, 3, 4)}, fixed: []int{0}})
	checkGradients(t, cases)
}

func TestMatMulGradients(t *testing.T) {
	var cases []gradCase
	for _, s := range [][2][]int{
		{{2, 3}, {3, 4}}, {{3}, {3, 4}}, {{2, 3}, {3}}, {{3}, {3}}, {{2, 4, 3}, {3, 2}}, {{2, 2, 4, 3}, {3}}, {{2, 3}, {4, 3, 2}}, {{3}, {2, 3, 2}},
		{{2, 1, 2, 3}, {3, 3, 2}}, {{2, 2, 3}, {2, 3, 2}}, {{1, 2, 3}, {2, 2, 3, 1}}, {{3, 2, 3}, {1, 3, 2}}, {{1, 1, 2, 3}, {3, 2}}, {{2, 3}, {1, 1, 3, 2}},
	} {
		cases = append(cases, gradCase{name: fmt.Sprint(s[0], " x ", s[1]), node: gradNode("MatMul"), in: []*onnx.Tensor{normal64(1, s[0]...), normal64(2, s[1]...)}})
	}
	cases = append(cases, gradCase{name: "left only", node: gradNode("MatMul"), in: []*onnx.Tensor{normal64(1, 2, 2, 3), normal64(2, 2, 3, 2)}, fixed: []int{1}})
	checkGradients(t, cases)
}
