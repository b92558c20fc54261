package op

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestNonMaxSuppression(t *testing.T) {
	n := func(in int, centred int) *onnx.Node {
		return node("NonMaxSuppression", in, 1, attrs{"center_point_box": centred})
	}
	nan := float32(math.NaN())
	// Three boxes of area 4: the second covers half of the first (a third of their union), the third is apart.
	boxes := f32([]int{1, 3, 4}, 0, 0, 2, 2, 2, 1, 0, 3, 10, 10, 12, 12)
	centred := f32([]int{1, 3, 4}, 1, 1, 2, 2, 2, 1, 2, 2, 11, 11, 2, 2)
	scores := f32([]int{1, 1, 3}, .5, .9, .4)
	all, third, half := i64(nil, 9), f32([]int{1}, 1./3), f32(nil, .5)
	rows := func(boxes ...int64) tensors {
		v := []int64{}
		for _, b := range boxes {
			v = append(v, 0, 0, b)
		}
		return tensors{i64([]int{len(boxes), 3}, v...)}
	}
	runCases(t, []opCase{
		{name: "above the threshold", node: n(4, 0), in: tensors{boxes, scores, all, f32(nil, .33)}, want: rows(1, 2)},
		{name: "not above it", node: n(4, 0), in: tensors{boxes, scores, all, third}, want: rows(1, 0, 2)},
		{name: "centred", node: n(4, 1), in: tensors{centred, scores, all, f32(nil, .33)}, want: rows(1, 2)},
		{name: "scores", node: n(5, 0), in: tensors{boxes, scores, all, third, half}, want: rows(1)},
		{name: "at most two", node: n(4, 0), in: tensors{boxes, scores, i64([]int{1}, 2), third}, want: rows(1, 0)},
		{name: "none asked for", node: n(2, 0), in: tensors{boxes, scores}, want: rows()},
		{name: "less than none", node: n(3, 0), in: tensors{boxes, scores, i64(nil, -1)}, want: rows()},
		{name: "equal scores", node: n(4, 0), in: tensors{boxes, f32([]int{1, 1, 3}, 1, 1, 2), all, f32(nil, 0)}, want: rows(2, 0)},
		{name: "not a number", node: n(4, 0), in: tensors{boxes, f32([]int{1, 1, 3}, 1, nan, float32(math.Inf(-1))), all, half}, want: rows(0, 2)},
		{name: "boxes without area", node: n(3, 0), in: tensors{f32([]int{1, 2, 4}, 0, 0, 0, 2, 0, 0, 0, 2), f32([]int{1, 1, 2}, 1, 2), all}, want: rows(1, 0)},
		{name: "images and classes", node: n(3, 0), in: tensors{f32([]int{2, 1, 4}, 0, 0, 1, 1, 0, 0, 1, 1), f32([]int{2, 2, 1}, 1, 1, 1, 1), all},
			want: tensors{i64([]int{4, 3}, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0)}},
		{name: "no boxes", node: n(3, 0), in: tensors{f32([]int{1, 0, 4}), f32([]int{1, 2, 0}), all}, want: rows()},
		{name: "format", node: n(2, 2), in: tensors{boxes, scores}, wantErr: "center_point_box\" is 2"},
		{name: "threshold", node: n(4, 0), in: tensors{boxes, scores, all, f32(nil, 1.5)}, wantErr: "iou_threshold is 1.5"},
		{name: "doubles", node: n(2, 0), in: tensors{f64([]int{1, 1, 4}, 0, 0, 1, 1), f64([]int{1, 1, 1}, 1)}, wantErr: "want float"},
		{name: "integers", node: n(2, 0), in: tensors{onnx.New(onnx.Int64, 1, 1, 4), scores}, wantErr: "int64 is not supported"},
		{name: "boxes of three", node: n(2, 0), in: tensors{f32([]int{1, 1, 3}, 0, 0, 1), scores}, wantErr: "boxes of shape [1 1 3]"},
		{name: "scores of another number", node: n(2, 0), in: tensors{boxes, f32([]int{1, 1, 2}, 1, 1)}, wantErr: "want [1, classes, 3]"},
		{name: "numbers", node: n(3, 0), in: tensors{boxes, scores, i64([]int{2}, 1, 1)}, wantErr: "max_output_boxes_per_class: want one int64"},
		{name: "thresholds", node: n(5, 0), in: tensors{boxes, scores, all, third, f32([]int{2}, 1, 1)}, wantErr: "score_threshold: want one float"},
	})
	runNodeCases(t, "NonMaxSuppression", nil)
}

func TestNonMaxSuppressionStops(t *testing.T) {
	o, _, err := Make(node("NonMaxSuppression", 3, 1, nil), 11, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	pool := par.New(2)
	defer pool.Close()
	in := tensors{f32([]int{1, 1, 4}, 0, 0, 1, 1), f32([]int{1, 1, 1}, 1), i64(nil, 1), nil, nil}
	if err := o.Run(&Runtime{Context: ctx, Pool: pool}, in, tensors{{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
