package op

import "testing"

// The ONNX project's own cases of the operators that move, pick and resize.
func TestMovementNodeCases(t *testing.T) {
	for _, opType := range []string{
		"Compress", "Concat", "ConstantOfShape", "DepthToSpace", "Einsum", "Expand", "EyeLike", "Flatten", "Gather",
		"GatherElements", "GatherND", "NonZero", "OneHot", "Pad", "Range", "Reshape", "Resize", "Scatter",
		"ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose",
		"Trilu", "Unique", "Unsqueeze", "Upsample",
	} {
		t.Run(opType, func(t *testing.T) { runNodeCases(t, opType, nil) })
	}
}
