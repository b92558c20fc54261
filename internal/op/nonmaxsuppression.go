package op

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "NonMaxSuppression", Since: 10, MinIn: 2, MaxIn: 5, MaxOut: 1, New: func(s *Spec) (Op, error) {
		switch format := s.Int("center_point_box", 0); format {
		case 0, 1:
			return nonMaxSuppression{centred: format == 1}, nil
		default:
			return nil, fmt.Errorf("attribute \"center_point_box\" is %d, want 0 or 1", format)
		}
	}})
}

// nonMaxSuppression picks boxes, of each class and image those of the highest scores first, and leaves out those that
// overlap with one picked before by more than a threshold (intersection over union). A box is y1, x1, y2, x2, any two
// opposite corners, or, centred, x, y, width, height. The output has a row for each box picked: image, class, box.
type nonMaxSuppression struct{ centred bool }

func (o nonMaxSuppression) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1); err != nil {
		return nil, err
	}
	boxes, scores := in[0], in[1]
	if boxes.Type != onnx.Float || scores.Type != onnx.Float {
		return nil, fmt.Errorf("boxes of %v and scores of %v: want float", boxes.Type, scores.Type)
	}
	if len(boxes.Shape) != 3 || boxes.Shape[2] != 4 {
		return nil, fmt.Errorf("boxes of shape %v: want [images, boxes, 4]", boxes.Shape)
	}
	if len(scores.Shape) != 3 || scores.Shape[0] != boxes.Shape[0] || scores.Shape[2] != boxes.Shape[1] {
		return nil, fmt.Errorf("scores of shape %v: want [%d, classes, %d], as there are images and boxes", scores.Shape, boxes.Shape[0], boxes.Shape[1])
	}
	if !in[2].Absent() && (in[2].Type != onnx.Int64 || prod(in[2].Shape) != 1) {
		return nil, fmt.Errorf("max_output_boxes_per_class: want one int64, got %v%v", in[2].Type, in[2].Shape)
	}
	for i, name := range []string{"iou_threshold", "score_threshold"} {
		if t := in[3+i]; !t.Absent() && (t.Type != onnx.Float || prod(t.Shape) != 1) {
			return nil, fmt.Errorf("%s: want one float, got %v%v", name, t.Type, t.Shape)
		}
	}
	return []Info{{Type: onnx.Int64, Dynamic: true}}, nil
}

func (o nonMaxSuppression) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	classes, n := in[1].Shape[1], in[1].Shape[2]
	most, overlap, least := 0, float32(0), float32(math.Inf(-1))
	if in[2] != nil {
		most = int(min(max(in[2].Int64s()[0], 0), int64(n)))
	}
	if in[3] != nil {
		if overlap = in[3].Float32s()[0]; !(overlap >= 0 && overlap <= 1) {
			return fmt.Errorf("iou_threshold is %v, want a number from 0 to 1", overlap)
		}
	}
	if in[4] != nil {
		least = in[4].Float32s()[0]
	}
	rects := make([]rect, 0, in[0].Len()/4)
	for b := range slices.Chunk(in[0].Float32s(), 4) {
		rects = append(rects, o.rect(b))
	}
	// Every class of every image by itself; the rows are put together in their order.
	picked := make([][]int, prod(in[1].Shape[:2]))
	scores := in[1].Float32s()
	rt.Pool.For(len(picked), 1, func(lo, hi int) {
		for k := lo; k < hi && rt.Context.Err() == nil; k++ {
			picked[k] = pickBoxes(rects[k/classes*n:][:n], scores[k*n:][:n], most, overlap, least)
		}
	})
	if err := rt.Context.Err(); err != nil {
		return err
	}
	var rows []int64
	for k, boxes := range picked {
		for _, box := range boxes {
			rows = append(rows, int64(k/classes), int64(k%classes), int64(box))
		}
	}
	*out[0] = *onnx.Of([]int{len(rows) / 3, 3}, rows)
	return nil
}

// rect is a box by its smaller and larger corner.
type rect struct{ y0, x0, y1, x1 float32 }

func (o nonMaxSuppression) rect(b []float32) rect {
	if o.centred {
		x, y, w, h := b[0], b[1], b[2]/2, b[3]/2
		return rect{y - h, x - w, y + h, x + w}
	}
	return rect{min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])}
}

// overlap is intersection over union; 0 where one of the two has no area.
func (a rect) overlap(b rect) float32 {
	h, w := min(a.y1, b.y1)-max(a.y0, b.y0), min(a.x1, b.x1)-max(a.x0, b.x0)
	areas := [2]float32{(a.y1 - a.y0) * (a.x1 - a.x0), (b.y1 - b.y0) * (b.x1 - b.x0)}
	if !(h > 0 && w > 0 && areas[0] > 0 && areas[1] > 0) {
		return 0
	}
	return h * w / (areas[0] + areas[1] - h*w)
}

// pickBoxes picks boxes of one class, up to most of them, in the order of their scores, of equal ones the first. Scores must
// be above least, and not NaN.
func pickBoxes(boxes []rect, scores []float32, most int, overlap, least float32) []int {
	if most == 0 {
		return nil
	}
	var order []int
	for i, s := range scores {
		if s > least || math.IsInf(float64(least), -1) && s == least {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	var picked []int
	for _, i := range order {
		if len(picked) == most {
			break
		}
		if !slices.ContainsFunc(picked, func(p int) bool { return boxes[i].overlap(boxes[p]) > overlap }) {
			picked = append(picked, i)
		}
	}
	return picked
}
