package convert

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// changes lists, by operator, the versions in which its form changed. Where only types were added there is no entry:
// a model that uses them is refused by whatever reads it.
var changes = map[string][]change{
	"Clip":    {{11, clipInputs, clipAttrs}},
	"Pad":     {{11, padInputs, padAttrs}, {18, nil, padAllAxes}, {19, nil, refuse("mode", "wrap")}},
	"Slice":   {{10, sliceInputs, sliceAttrs}},
	"Dropout": {{12, dropoutInputs, dropoutAttrs}},
	"TopK":    {{10, topKInput, topKAttr}, {11, nil, positiveAxes}},
	"Gemm":    {{11, nil, gemmWithBias}},

	"Squeeze":   {{11, nil, positiveAxes}, {13, intsToInput("axes", 1), intsToAttr("axes", 1)}},
	"Unsqueeze": {{11, nil, positiveAxes}, {13, intsToInput("axes", 1), intsToAttr("axes", 1)}},
	"Split":     {{11, nil, positiveAxes}, {13, intsToInput("split", 1), intsToAttr("split", 1)}, {18, splitNumber, splitEven}},

	"ReduceSum":       {{11, nil, positiveAxes}, {13, intsToInput("axes", 1), axesToAttr}},
	"ReduceMean":      reduction(),
	"ReduceMax":       reduction(),
	"ReduceMin":       reduction(),
	"ReduceProd":      reduction(),
	"ReduceL1":        reduction(),
	"ReduceL2":        reduction(),
	"ReduceLogSum":    reduction(),
	"ReduceLogSumExp": reduction(),
	"ReduceSumSquare": reduction(),

	"Concat":   {{11, nil, positiveAxes}},
	"Flatten":  {{11, nil, positiveAxes}},
	"Gather":   {{11, nil, positiveAxes}},
	"ArgMax":   {{11, nil, positiveAxes}},
	"ArgMin":   {{11, nil, positiveAxes}},
	"Compress": {{11, nil, positiveAxes}},
	"OneHot":   {{11, nil, positiveAxes}},

	"Softmax":    {{13, softmaxPerAxis, softmaxFlat}, {11, nil, positiveAxes}},
	"LogSoftmax": {{13, softmaxPerAxis, softmaxFlat}, {11, nil, positiveAxes}},
	"Hardmax":    {{13, softmaxPerAxis, softmaxFlat}, {11, nil, positiveAxes}},

	"BatchNormalization": {{9, batchNormSpatial, nil}, {14, batchNormOneOutput, batchNormOneOutput}},
	"MaxPool":            {{8, nil, maxPoolNoIndices}},
	"Upsample":           {{9, upsampleInput, upsampleAttr}, {10, rename("Resize"), nil}},
	"Resize":             {{10, nil, resizeToUpsample}, {11, resizeOld, resizeSimple}, {13, nil, resizeAllInputs}, {19, nil, refuse("coordinate_transformation_mode", "half_pixel_symmetric")}},
	"Scatter":            {{11, rename("ScatterElements"), nil}},
	"ScatterElements":    {{11, nil, rename("Scatter")}},

	"GridSample": {{20, renameModes("bilinear", "linear", "bicubic", "cubic"), gridOfImages}},
	"Attention":  {{24, nil, attentionWithoutLengths}},
	"RoiAlign":   {{16, roiAlignCorners, roiAlignNoShift}},
	"Scan":       {{9, scanOfBatch, scanOfBatch}, {11, nil, scanFromStart}},

	"Max":  {{8, nil, sameShapes}},
	"Min":  {{8, nil, sameShapes}},
	"Sum":  {{8, nil, sameShapes}},
	"Mean": {{8, nil, sameShapes}},

	"Constant": {{12, nil, constantValue}},
	"Shape":    {{15, nil, shapeSlice}},

	"QuantizeLinear":   {{13, nil, perTensor}, {19, nil, quantTypes(2, onnx.Uint8, onnx.Int8)}, {21, nil, quantTypes(2, quantised19...)}},
	"DequantizeLinear": {{13, nil, perTensor}, {19, nil, quantTypes(0, onnx.Uint8, onnx.Int8, onnx.Int32)}, {21, nil, quantTypes(0, quantised19...)}},

	"GroupNormalization": {{18, nil, composeGroupScaled}, {21, groupNormPerChannel, composeGroupNorm}},
	"LayerNormalization": {{17, nil, composeLayerNorm}},
	"HardSwish":          {{14, nil, composeHardSwish}},
	"Gelu":               {{20, nil, composeGelu}},
	"Mish":               {{18, nil, composeMish}},
	"Swish":              {{24, nil, composeSwish}},
	"GreaterOrEqual":     {{12, nil, composeNot("Less")}},
	"LessOrEqual":        {{12, nil, composeNot("Greater")}},
}

// reduction is what changed with the reductions that took their axes as an input from opset 18 on.
func reduction() []change {
	return []change{{11, nil, positiveAxes}, {18, intsToInput("axes", 1), axesToAttr}}
}

func rename(to string) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
		n.OpType = to
		return one(n)
	}
}

// refuse says that an older version does not have a value of an attribute.
func refuse(attr, value string) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
		if a := n.Attr(attr); a != nil && string(a.S) == value {
			return nil, fmt.Errorf("%s %q", attr, value)
		}
		return one(n)
	}
}

// gemmWithBias gives a Gemm a bias of zero: it was not optional.
func gemmWithBias(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if input(n, 2) == "" {
		c, err := e.float(n.Outputs[0]+"/bias", n.Inputs[0], 0, 1)
		if err != nil {
			return nil, err
		}
		setInput(n, 2, c)
	}
	return one(n)
}

// splitNumber: from opset 18 on a Split says how many parts there are where it does not say their sizes.
func splitNumber(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if input(n, 1) == "" {
		n.Inputs = n.Inputs[:1]
		setAttr(n, op.Attr("num_outputs", len(n.Outputs)))
	}
	return one(n)
}

// splitEven: before, the parts were equal; where they are not their sizes are written.
func splitEven(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if takeAttr(n, "num_outputs") == nil || input(n, 1) != "" {
		return one(n)
	}
	dims, _ := e.dims(n.Inputs[0])
	axis := intAttr(n, "axis", 0)
	if axis < 0 {
		axis += int64(len(dims))
	}
	if axis < 0 || axis >= int64(len(dims)) || dims[axis] < 0 {
		return nil, errors.New("parts of an axis whose length is not known")
	}
	length, parts := dims[axis], len(n.Outputs)
	if length%parts == 0 {
		return one(n)
	}
	sizes := make([]int64, parts)
	size := (length + parts - 1) / parts
	for i := range sizes {
		sizes[i] = int64(min(size, length-i*size))
	}
	setInput(n, 1, e.ints(n.Outputs[0]+"/split", sizes))
	return one(n)
}

// softmaxPerAxis: before opset 13 the axes from the given one on were taken together; from then on it is one axis.
func softmaxPerAxis(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	rank, ok := e.rank(n.Inputs[0])
	if !ok {
		return nil, errors.New("softmax of a value whose rank is not known")
	}
	axis := intAttr(n, "axis", 1)
	if axis < 0 {
		axis += int64(rank)
	}
	if axis == int64(rank)-1 {
		setAttr(n, op.Attr("axis", -1))
		return one(n)
	}
	flat := e.node(n, "Flatten", []string{n.Inputs[0]}, op.Attr("axis", int(axis)))
	shape := e.node(n, "Shape", []string{n.Inputs[0]})
	whole := &onnx.Node{Name: n.Name + "/Reshape", OpType: "Reshape", Inputs: []string{e.fresh(n.Outputs[0] + "/flat"), shape.Outputs[0]}, Outputs: n.Outputs}
	n.Inputs, n.Outputs = []string{flat.Outputs[0]}, []string{whole.Inputs[0]}
	setAttr(n, op.Attr("axis", -1))
	return []*onnx.Node{flat, shape, n, whole}, nil
}

func softmaxFlat(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	rank, ok := e.rank(n.Inputs[0])
	if !ok {
		return nil, errors.New("softmax of a value whose rank is not known")
	}
	axis := intAttr(n, "axis", -1)
	if axis < 0 {
		axis += int64(rank)
	}
	if axis == int64(rank)-1 || rank == 0 {
		setAttr(n, op.Attr("axis", int(axis)))
		return one(n)
	}
	// The axis goes to the end, and back.
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[axis], perm[rank-1] = rank-1, int(axis)
	to := e.node(n, "Transpose", []string{n.Inputs[0]}, op.Attr("perm", perm))
	back := &onnx.Node{Name: n.Name + "/back", OpType: "Transpose", Inputs: []string{e.fresh(n.Outputs[0] + "/turned")}, Outputs: n.Outputs, Attrs: []*onnx.Attribute{op.Attr("perm", perm)}}
	n.Inputs, n.Outputs = []string{to.Outputs[0]}, []string{back.Inputs[0]}
	setAttr(n, op.Attr("axis", rank-1))
	return []*onnx.Node{to, n, back}, nil
}

// batchNormSpatial: a file that says spatial=0 and has one statistic a channel means spatial.
func batchNormSpatial(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if a := takeAttr(n, "spatial"); a != nil && a.I == 0 {
		if r, ok := e.rank(input(n, 1)); !ok || r != 1 {
			return nil, errors.New("statistics of each pixel (spatial=0)")
		}
	}
	return one(n)
}

func batchNormOneOutput(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if intAttr(n, "training_mode", 0) != 0 {
		return nil, errors.New("training_mode")
	}
	return firstOutputOnly(e, n, "statistics as outputs")
}

func maxPoolNoIndices(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	return firstOutputOnly(e, n, "indices as an output")
}

func resizeToUpsample(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	t := e.value(input(n, 1))
	if t == nil || t.Type != onnx.Float || slices.ContainsFunc(t.Float32s(), func(s float32) bool { return s < 1 }) {
		return nil, errors.New("scales that are computed, or below 1")
	}
	n.OpType = "Upsample"
	return one(n)
}

// resizeOld: before opset 11 there was one way of counting pixels.
func resizeOld(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	n.Inputs = []string{n.Inputs[0], e.constant(n.Outputs[0]+"/roi", onnx.New(onnx.Float, 0)), n.Inputs[1]}
	setAttr(n, op.Attr("coordinate_transformation_mode", "asymmetric"))
	setAttr(n, op.Attr("nearest_mode", "floor"))
	return one(n)
}

func resizeSimple(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	attr := func(name, def string) string {
		if a := takeAttr(n, name); a != nil {
			return string(a.S)
		}
		return def
	}
	mode := "nearest"
	if a := n.Attr("mode"); a != nil {
		mode = string(a.S)
	}
	transform, nearest := attr("coordinate_transformation_mode", "half_pixel"), attr("nearest_mode", "round_prefer_floor")
	for _, name := range []string{"cubic_coeff_a", "exclude_outside", "extrapolation_value"} {
		takeAttr(n, name)
	}
	scales := input(n, 2)
	if t := e.value(scales); t != nil && t.Len() == 0 {
		scales = ""
	}
	switch {
	case mode == "cubic" || transform != "asymmetric" || mode == "nearest" && nearest != "floor":
		return nil, fmt.Errorf("mode %q with %q and %q", mode, transform, nearest)
	case scales == "":
		return nil, errors.New("sizes instead of scales")
	}
	n.Inputs = []string{n.Inputs[0], scales}
	return one(n)
}

// resizeAllInputs: before opset 13 the region and the scales were not optional.
func resizeAllInputs(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	for i, name := range []string{"roi", "scales"} {
		if input(n, 1+i) == "" {
			setInput(n, 1+i, e.constant(n.Outputs[0]+"/"+name, onnx.New(onnx.Float, 0)))
		}
	}
	return one(n)
}

// renameModes gives values of the attribute mode, named one after the other with what becomes of them, other names.
func renameModes(names ...string) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
		if a := n.Attr("mode"); a != nil {
			for i := 0; i < len(names); i += 2 {
				if string(a.S) == names[i] {
					setAttr(n, op.Attr("mode", names[i+1]))
					break
				}
			}
		}
		return one(n)
	}
}

// gridOfImages: before opset 20 only images were sampled, not volumes, and the modes had the names of that.
func gridOfImages(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if rank, known := e.rank(input(n, 0)); !known || rank != 4 {
		return nil, errors.New("an input that is not known to be of rank 4")
	}
	return renameModes("linear", "bilinear", "cubic", "bicubic")(e, n)
}

func attentionWithoutLengths(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if input(n, 6) != "" {
		return nil, errors.New("the input nonpad_kv_seqlen")
	}
	trimInputs(n)
	return one(n)
}

// roiAlignCorners says what held for all before opset 16: coordinates are those of pixels' corners.
func roiAlignCorners(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	setAttr(n, op.Attr("coordinate_transformation_mode", "output_half_pixel"))
	return one(n)
}

func roiAlignNoShift(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if a := takeAttr(n, "coordinate_transformation_mode"); a == nil || string(a.S) != "output_half_pixel" {
		return nil, errors.New(`coordinate_transformation_mode "half_pixel"`)
	}
	return one(n)
}

// scanOfBatch: before opset 9 Scan went through a batch.
func scanOfBatch(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return nil, errors.New("a Scan, which has had a batch up to opset 8 and has none since")
}

func scanFromStart(_ *editor, n *onnx.Node) ([]*onnx.Node, error) {
	for _, name := range []string{"scan_input_axes", "scan_output_axes"} {
		if a := n.Attr(name); a != nil && slices.ContainsFunc(a.Ints, func(v int64) bool { return v < 0 }) {
			return nil, fmt.Errorf("%s that count from the end", name)
		}
	}
	return one(n)
}

// sameShapes: before opset 8 these operators did not broadcast.
func sameShapes(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	first, ok := e.info(input(n, 0))
	for _, in := range n.Inputs {
		i, ok2 := e.info(in)
		if !ok || !ok2 || first.Dynamic || i.Dynamic || !slices.Equal(first.Shape, i.Shape) {
			return nil, errors.New("inputs of different shapes")
		}
	}
	return one(n)
}

// shapeSlice writes the part of a shape as a Slice of the whole.
func shapeSlice(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	start, end := takeAttr(n, "start"), takeAttr(n, "end")
	if start == nil && end == nil {
		return one(n)
	}
	lo, hi := int64(0), int64(math.MaxInt64)
	if start != nil {
		lo = start.I
	}
	if end != nil {
		hi = end.I
	}
	base := n.Outputs[0]
	part := &onnx.Node{Name: n.Name + "/Slice", OpType: "Slice", Outputs: n.Outputs,
		Inputs: []string{e.fresh(base + "/whole"), e.ints(base+"/start", []int64{lo}), e.ints(base+"/end", []int64{hi})}}
	n.Outputs = []string{part.Inputs[0]}
	return []*onnx.Node{n, part}, nil
}

// quantised19 are the types of quantised numbers in opsets 19 and 20.
var quantised19 = []onnx.DataType{onnx.Uint8, onnx.Int8, onnx.Int32, onnx.Float8E4M3FN, onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ}

// quantTypes: older versions quantise to fewer types. The type is that of an input.
func quantTypes(at int, known ...onnx.DataType) func(*editor, *onnx.Node) ([]*onnx.Node, error) {
	return func(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
		if i, ok := e.info(input(n, at)); ok && i.Type != onnx.Undefined && !slices.Contains(known, i.Type) {
			return nil, fmt.Errorf("quantised numbers of type %v", i.Type)
		}
		return one(n)
	}
}

// perTensor: before opset 13 a tensor had one scale.
func perTensor(e *editor, n *onnx.Node) ([]*onnx.Node, error) {
	if i, ok := e.info(input(n, 1)); !ok || len(i.Shape) > 0 && onnx.NumElements(i.Shape) != 1 {
		return nil, errors.New("a scale for each channel")
	}
	takeAttr(n, "axis")
	return one(n)
}
