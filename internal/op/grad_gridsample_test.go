package op_test

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestGridSampleGradients has places inside and outside, none of them near where an element or a reflection ends.
func TestGridSampleGradients(t *testing.T) {
	flat := onnx.Of([]int{1, 2, 3, 2}, []float64{-.9, -.4, .3, .1, 1.12, -1.11, -1.93, 2.64, -5.37, .83, .05, 1.07})
	deep := onnx.Of([]int{1, 1, 2, 2, 3}, []float64{-.9, -.4, .2, .3, .1, 1.4, 1.21, -1.12, -.7, -2.97, 2.66, -1.07})
	line := onnx.Of([]int{2, 3, 1}, []float64{-.9, .33, 1.63, .41, -1.7, .9})
	var cases []gradCase
	for _, mode := range []string{"linear", "nearest", "cubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			for align := range 2 {
				n := gradNode("GridSample", op.Attr("mode", mode), op.Attr("padding_mode", padding), op.Attr("align_corners", align))
				name := mode + " " + padding + map[int]string{1: " align"}[align]
				cases = append(cases,
					gradCase{name: name, node: n, in: []*onnx.Tensor{normal64(1, 1, 9, 3, 4), flat}},
					gradCase{name: name + ", line", node: n, in: []*onnx.Tensor{normal64(2, 2, 1, 5), line}})
				if mode != "cubic" {
					cases = append(cases, gradCase{name: name + ", volume", node: n, in: []*onnx.Tensor{normal64(3, 1, 2, 2, 3, 4), deep}})
				}
			}
		}
	}
	for align := range 2 {
		n := gradNode("AffineGrid", op.Attr("align_corners", align))
		cases = append(cases,
			gradCase{name: "affine", node: n, in: []*onnx.Tensor{normal64(1, 2, 2, 3), list64(2, 1, 3, 4)}},
			gradCase{name: "affine volume", node: n, in: []*onnx.Tensor{normal64(1, 1, 3, 4), list64(1, 1, 2, 1, 3)}})
	}
	cases = append(cases,
		gradCase{name: "image alone", node: gradNode("GridSample"), in: []*onnx.Tensor{normal64(1, 1, 2, 3, 4), flat}, fixed: []int{1}},
		gradCase{name: "grid alone", node: gradNode("GridSample"), in: []*onnx.Tensor{normal64(1, 1, 2, 3, 4), flat}, fixed: []int{0}})
	checkGradients(t, cases)
}
