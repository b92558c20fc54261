package op

import "testing"

func TestUpsample(t *testing.T) {
	x := seq([]int{1, 1, 2, 2}, 1, 4)
	up := tensors{f32([]int{1, 1, 2, 4}, 1, 1, 2, 2, 3, 3, 4, 4)}
	runCases(t, []opCase{
		{name: "opset 1", opset: 1, node: node("Upsample", 1, 1, attrs{"height_scale": float32(1), "width_scale": float32(2)}), in: tensors{x}, want: up},
		{name: "opset 1 bilinear", opset: 1, node: node("Upsample", 1, 1, attrs{"height_scale": float32(1), "width_scale": float32(2), "mode": "bilinear"}), in: tensors{x}, want: tensors{f32([]int{1, 1, 2, 4}, 1, 1.5, 2, 2, 3, 3.5, 4, 4)}},
		{name: "opset 9", opset: 9, node: node("Upsample", 2, 1, nil), in: tensors{x, f32([]int{4}, 1, 1, 1, 2)}, want: up},
		{name: "opset 13", opset: 13, node: node("Upsample", 2, 1, nil), in: tensors{x, f32([]int{4}, 1, 1, 1, 2)}, want: up},
		{name: "no scales", opset: 7, node: node("Upsample", 1, 1, nil), in: tensors{x}, wantErr: "scales are missing"},
		{name: "mode", opset: 9, node: node("Upsample", 2, 1, attrs{"mode": "cubic"}), in: tensors{x, f32([]int{4}, 1, 1, 1, 2)}, wantErr: "\"cubic\" is not one of"},
	})
}
