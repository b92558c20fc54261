package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestDepthToSpace(t *testing.T) {
	n := func(b int, mode string) *onnx.Node {
		return node("DepthToSpace", 1, 1, attrs{"blocksize": b, "mode": mode})
	}
	x := seq([]int{1, 8, 1, 1}, 0, 7)
	runCases(t, []opCase{
		{name: "default", opset: 1, node: node("DepthToSpace", 1, 1, attrs{"blocksize": 2}), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)}},
		{name: "DCR", node: n(2, "DCR"), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)}},
		{name: "CRD", node: n(2, "CRD"), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7)}},
		{name: "nothing", node: n(2, "CRD"), in: tensors{f32([]int{1, 0, 1, 1})}, want: tensors{f32([]int{1, 0, 2, 2})}},
		{name: "mode", node: n(2, "RCD"), in: tensors{x}, wantErr: "mode \"RCD\" is not known"},
		{name: "block", node: n(0, "DCR"), in: tensors{x}, wantErr: "blocksize is 0"},
		{name: "channels", node: n(3, "DCR"), in: tensors{x}, wantErr: "8 channels are not a multiple of the 9 pixels"},
		{name: "rank", node: n(1, "DCR"), in: tensors{f32([]int{1}, 1)}, wantErr: "want rank 4"},
		{name: "packed", node: n(1, "DCR"), in: tensors{onnx.New(onnx.Int4, 1, 1, 1, 1)}, wantErr: "int4 is not supported"},
	})
}

func TestSpaceToDepth(t *testing.T) {
	n := func(b int) *onnx.Node { return node("SpaceToDepth", 1, 1, attrs{"blocksize": b}) }
	x := seq([]int{1, 1, 2, 4}, 0, 7)
	runCases(t, []opCase{
		{name: "blocks", node: n(2), in: tensors{x}, want: tensors{f32([]int{1, 4, 1, 2}, 0, 2, 1, 3, 4, 6, 5, 7)}},
		{name: "blocks, CRD", node: node("SpaceToDepth", 1, 1, attrs{"blocksize": 2, "mode": "CRD"}), in: tensors{seq([]int{1, 2, 2, 2}, 0, 7)}, want: tensors{f32([]int{1, 8, 1, 1}, 0, 1, 2, 3, 4, 5, 6, 7)}},
		{name: "mode", node: node("SpaceToDepth", 1, 1, attrs{"blocksize": 2, "mode": "RCD"}), in: tensors{x}, wantErr: `mode "RCD" is not known`},
		{name: "block", node: node("SpaceToDepth", 1, 1, nil), in: tensors{x}, wantErr: "blocksize is 0"},
		{name: "no multiple", node: n(4), in: tensors{x}, wantErr: "height 2 and width 4 are not both multiples of the block size 4"},
		{name: "rank", node: n(1), in: tensors{f32([]int{1}, 1)}, wantErr: "want rank 4"},
		{name: "packed", node: n(1), in: tensors{onnx.New(onnx.Int4, 1, 1, 1, 1)}, wantErr: "int4 is not supported"},
	})
}
