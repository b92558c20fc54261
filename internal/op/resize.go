package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Resize", Since: 10, MinIn: 2, MaxIn: 4, MaxOut: 1, New: newResize})
}

// resize interpolates its input to another size: along each axis the place of an output element is turned into a place
// in the input by the coordinate transformation, and the value there is the nearest element, or a linear or cubic mean
// of those around it. The new sizes are given by scales or outright.
//
// Opset 10 has no choice of transformation: it is asymmetric, and nearest takes the element before when enlarging and
// after when shrinking. The roi is used by tf_crop_and_resize only.
type resize struct {
	sampling
	scales []float32 // the attribute of Upsample; nil where scales are an input
	inputs resizeInputs
	axes   []int // nil: all
	policy string
}

// resizeInputs says which input is what; 0 where the operator does not have it.
type resizeInputs struct{ roi, scales, sizes int }

// sampling is how places are found and weighted, the same along every axis.
type sampling struct {
	mode, coords, nearest string
	cubicA                float64
	excludeOutside        bool
	antialias             bool
	extrapolation         float32
}

func newResize(s *Spec) (Op, error) {
	r := resize{sampling: sampling{mode: s.String("mode", "nearest")}, policy: "stretch"}
	if s.Opset < 11 {
		r.coords, r.nearest, r.inputs = "asymmetric", "simple", resizeInputs{scales: 1}
		return r, oneOfNames("mode", r.mode, "nearest", "linear")
	}
	r.inputs = resizeInputs{roi: 1, scales: 2, sizes: 3}
	r.coords = s.String("coordinate_transformation_mode", "half_pixel")
	r.nearest = s.String("nearest_mode", "round_prefer_floor")
	r.cubicA = float64(s.Float("cubic_coeff_a", -0.75))
	r.excludeOutside = s.Bool("exclude_outside", false)
	r.extrapolation = s.Float("extrapolation_value", 0)
	r.antialias = s.Bool("antialias", false)
	r.axes = s.Ints("axes")
	r.policy = s.String("keep_aspect_ratio_policy", "stretch")
	return r, errors.Join(
		oneOfNames("mode", r.mode, "nearest", "linear", "cubic"),
		oneOfNames("coordinate_transformation_mode", r.coords, "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
			"align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"),
		oneOfNames("nearest_mode", r.nearest, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
		oneOfNames("keep_aspect_ratio_policy", r.policy, "stretch", "not_larger", "not_smaller"),
	)
}

func oneOfNames(attr, got string, known ...string) error {
	for _, k := range known {
		if got == k {
			return nil
		}
	}
	return fmt.Errorf("attribute %q: %q is not one of %v", attr, got, known)
}

// resizeAxis is what happens along one axis: in elements become out. scale is what the coordinates are divided by, and
// length the size that it makes, which is not whole where scales are given and was cut off to out. start and end are
// the part of the axis that tf_crop_and_resize takes.
type resizeAxis struct {
	in, out       int
	scale, length float32
	start, end    float32
}

// given returns an input that is there and not empty: both mean "not given" in Resize.
func given(in []Info, i int) (Info, bool) {
	if i == 0 || i >= len(in) || in[i].Absent() || prod(in[i].Shape) == 0 {
		return Info{}, false
	}
	return in[i], true
}

func floatsInfo(what string, in Info) ([]float32, bool, error) {
	if len(in.Shape) != 1 {
		return nil, false, fmt.Errorf("%s: want a vector, got shape %v", what, in.Shape)
	}
	switch in.Type {
	case onnx.Float:
		if in.Value == nil {
			return nil, false, nil
		}
		return in.Value.Float32s(), true, nil
	case onnx.Double:
		if in.Value == nil {
			return nil, false, nil
		}
		v := make([]float32, in.Shape[0])
		for i, x := range onnx.Data[float64](in.Value) {
			v[i] = float32(x)
		}
		return v, true, nil
	}
	return nil, false, fmt.Errorf("%s: want float32, got %v", what, in.Type)
}

// plan returns what happens along each axis of the input; known is false where it depends on values that are not known.
func (r resize) plan(in []Info) (plan []resizeAxis, known bool, err error) {
	shape := in[0].Shape
	axes := make([]int, len(shape))
	for i := range axes {
		axes[i] = i
	}
	if r.axes != nil {
		if axes, err = normAxes(r.axes, len(shape)); err != nil {
			return nil, false, err
		}
	}
	plan = make([]resizeAxis, len(shape))
	for i, d := range shape {
		plan[i] = resizeAxis{in: d, out: d, scale: 1, length: float32(d), end: 1}
	}
	if r.coords == "tf_crop_and_resize" {
		x, ok := given(in, r.inputs.roi)
		if !ok {
			return nil, false, errors.New("roi is missing, which tf_crop_and_resize needs")
		}
		roi, k, err := floatsInfo("roi", x)
		if err != nil || !k {
			return nil, false, err
		}
		if len(roi) != 2*len(axes) {
			return nil, false, fmt.Errorf("roi has %d numbers for %d axes: want twice as many", len(roi), len(axes))
		}
		for i, a := range axes {
			plan[a].start, plan[a].end = roi[i], roi[len(axes)+i]
		}
	}

	scalesIn, haveScales := given(in, r.inputs.scales)
	sizesIn, haveSizes := given(in, r.inputs.sizes)
	switch {
	case haveScales && haveSizes:
		return nil, false, errors.New("has both scales and sizes")
	case haveSizes:
		sizes, k, err := intsInfo("sizes", sizesIn)
		if err != nil || !k {
			return nil, false, err
		}
		return plan, true, r.bySizes(plan, axes, sizes)
	case haveScales:
		scales, k, err := floatsInfo("scales", scalesIn)
		if err != nil || !k {
			return nil, false, err
		}
		return plan, true, r.byScales(plan, axes, scales)
	case r.scales != nil:
		return plan, true, r.byScales(plan, axes, r.scales)
	case len(axes) == 0:
		return plan, true, nil // a scalar has an empty list of scales
	}
	return nil, false, errors.New("has neither scales nor sizes")
}

func (r resize) byScales(plan []resizeAxis, axes []int, scales []float32) error {
	if len(scales) != len(axes) {
		return fmt.Errorf("%d scales for %d axes", len(scales), len(axes))
	}
	for i, axis := range axes {
		a := &plan[axis]
		a.scale = scales[i]
		out := float32(a.in) * a.scale
		if r.coords == "tf_crop_and_resize" {
			out = float32(a.in) * (a.end - a.start) * a.scale
		}
		if !(a.scale > 0) || !(out >= 0) || out > 1<<40 {
			return fmt.Errorf("scale %v makes no size of dimension %d with %d elements", a.scale, axis, a.in)
		}
		a.out, a.length = int(out), out
		if a.in == 0 {
			a.out = 0
		}
	}
	return nil
}

func (r resize) bySizes(plan []resizeAxis, axes, sizes []int) error {
	if len(sizes) != len(axes) {
		return fmt.Errorf("%d sizes for %d axes", len(sizes), len(axes))
	}
	keep := math.Inf(1)
	if r.policy == "not_smaller" {
		keep = 0
	}
	for i, axis := range axes {
		a := &plan[axis]
		if sizes[i] < 0 || sizes[i] > maxElements || (a.in == 0 && sizes[i] > 0) {
			return fmt.Errorf("size %d is not possible for dimension %d with %d elements", sizes[i], axis, a.in)
		}
		a.out = sizes[i]
		if a.in == 0 {
			continue
		}
		a.scale, a.length = float32(a.out)/float32(a.in), float32(a.out)
		ratio := float64(a.out) / float64(a.in)
		if r.policy == "not_smaller" {
			keep = max(keep, ratio)
		} else {
			keep = min(keep, ratio)
		}
	}
	if r.policy == "stretch" {
		return nil
	}
	for _, axis := range axes {
		if a := &plan[axis]; a.in > 0 {
			out := math.Floor(keep*float64(a.in) + 0.5)
			if out > 1<<40 {
				return fmt.Errorf("scale %v makes no size of dimension %d with %d elements", keep, axis, a.in)
			}
			a.out, a.scale, a.length = int(out), float32(keep), float32(keep*float64(a.in))
		}
	}
	return nil
}

func (r resize) Infer(in []Info) ([]Info, error) {
	typ := in[0].Type
	if r.mode == "nearest" && r.coords != "tf_crop_and_resize" {
		if err := movable(typ); err != nil {
			return nil, err
		}
	} else if !isReal(typ) {
		return nil, fmt.Errorf("input of type %v is not supported in mode %s", typ, r.mode)
	}
	plan, known, err := r.plan(in)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: typ, Dynamic: true}}, nil
	}
	out := make([]int, len(plan))
	for i, a := range plan {
		out[i] = a.out
	}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: typ, Shape: out}}, nil
}

func (r resize) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	plan, _, err := r.plan(infoOf(in))
	if err != nil {
		return err
	}
	if out[0].Len() == 0 {
		return nil
	}
	if r.mode == "nearest" && r.coords != "tf_crop_and_resize" {
		resizeNearest(rt, r.sampling, plan, in[0], out[0])
		return nil
	}
	switch in[0].Type {
	case onnx.Float:
		interpolate(rt, r.sampling, plan, in[0].Float32s(), out[0].Float32s())
	case onnx.Double:
		interpolate(rt, r.sampling, plan, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	case onnx.Int8:
		interpolateInts[int8](rt, r.sampling, plan, in[0], out[0], math.MinInt8, math.MaxInt8)
	case onnx.Int16:
		interpolateInts[int16](rt, r.sampling, plan, in[0], out[0], math.MinInt16, math.MaxInt16)
	case onnx.Int32:
		interpolateInts[int32](rt, r.sampling, plan, in[0], out[0], math.MinInt32, math.MaxInt32)
	case onnx.Int64:
		interpolateInts[int64](rt, r.sampling, plan, in[0], out[0], math.MinInt64, 1<<63-1024)
	case onnx.Uint8:
		interpolateInts[uint8](rt, r.sampling, plan, in[0], out[0], 0, math.MaxUint8)
	case onnx.Uint16:
		interpolateInts[uint16](rt, r.sampling, plan, in[0], out[0], 0, math.MaxUint16)
	case onnx.Uint32:
		interpolateInts[uint32](rt, r.sampling, plan, in[0], out[0], 0, math.MaxUint32)
	case onnx.Uint64:
		interpolateInts[uint64](rt, r.sampling, plan, in[0], out[0], 0, 1<<64-2048)
	}
	return nil
}
