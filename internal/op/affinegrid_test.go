package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestAffineGrid(t *testing.T) {
	n := func(align int) *onnx.Node { return node("AffineGrid", 2, 1, attrs{"align_corners": align}) }
	same := f32([]int{1, 2, 3}, 1, 0, 0, 0, 1, 0)
	size := func(v ...int64) *onnx.Tensor { return i64([]int{len(v)}, v...) }
	// A quarter turn and a move, of doubles.
	turn := f64([]int{1, 2, 3}, 0, -1, .5, 1, 0, -.25)
	deep := f32([]int{1, 3, 4}, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 1)
	runCases(t, []opCase{
		{name: "edges", node: n(0), in: tensors{same, size(1, 7, 2, 2)}, want: tensors{f32([]int{1, 2, 2, 2}, -.5, -.5, .5, -.5, -.5, .5, .5, .5)}},
		{name: "centres", node: n(1), in: tensors{same, size(1, 7, 2, 3)}, want: tensors{f32([]int{1, 2, 3, 2}, -1, -1, 0, -1, 1, -1, -1, 1, 0, 1, 1, 1)}},
		{name: "one element", node: n(1), in: tensors{same, size(1, 1, 1, 1)}, want: tensors{f32([]int{1, 1, 1, 2}, 0, 0)}},
		{name: "turned and moved", node: n(1), in: tensors{turn, size(1, 1, 1, 2)}, want: tensors{f64([]int{1, 1, 2, 2}, .5, -1.25, .5, .75)}},
		{name: "volume", node: n(0), in: tensors{deep, size(1, 1, 2, 1, 2)}, want: tensors{f32([]int{1, 2, 1, 2, 3}, -.5, 0, -.5, .5, 0, -.5, -.5, 0, 2.5, .5, 0, 2.5)}},
		{name: "several", node: n(1), in: tensors{f32([]int{2, 2, 3}, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4), size(2, 1, 1, 1)}, want: tensors{f32([]int{2, 1, 1, 2}, 1, 2, 3, 4)}},
		{name: "nothing", node: n(1), in: tensors{same, size(1, 1, 0, 3)}, want: tensors{f32([]int{1, 0, 3, 2})}},
		{name: "theta", node: n(0), in: tensors{f32([]int{1, 2, 2}, 1, 0, 0, 1), size(1, 1, 2, 2)}, wantErr: "want [N, 2, 3] or [N, 3, 4]"},
		{name: "type", node: n(0), in: tensors{onnx.New(onnx.Int64, 1, 2, 3), size(1, 1, 2, 2)}, wantErr: "int64 is not supported"},
		{name: "size of a volume", node: n(0), in: tensors{same, size(1, 1, 2, 2, 2)}, wantErr: "2 spatial dimensions"},
		{name: "size of floats", node: n(0), in: tensors{same, f32([]int{4}, 1, 1, 2, 2)}, wantErr: "want int64"},
		{name: "images", node: n(0), in: tensors{same, size(2, 1, 2, 2)}, wantErr: "has 2 images"},
		{name: "negative", node: n(0), in: tensors{same, size(1, 1, -2, 2)}, wantErr: "negative"},
		{name: "huge", node: n(0), in: tensors{same, size(1, 1, 1<<40, 1<<40)}, wantErr: "too large"},
	})
}
