package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxSampling bounds sampling_ratio, far above the 1 to 4 that networks have: the work grows with its square.
const maxSampling = 1 << 10

func init() {
	register(Def{Type: "RoiAlign", Since: 10, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		r := roiAlign{
			height: s.Int("output_height", 1), width: s.Int("output_width", 1),
			sampling: s.Int("sampling_ratio", 0), scale: float64(s.Float("spatial_scale", 1)),
		}
		if r.height < 1 || r.width < 1 {
			return nil, fmt.Errorf("output of %d by %d: want 1 or more", r.height, r.width)
		}
		if r.sampling < 0 || r.sampling > maxSampling {
			return nil, fmt.Errorf("sampling_ratio is %d, want 0 to %d", r.sampling, maxSampling)
		}
		switch mode := s.String("mode", "avg"); mode {
		case "avg":
		case "max":
			r.max = true
		default:
			return nil, fmt.Errorf("mode %q: want avg or max", mode)
		}
		coordinates := "output_half_pixel"
		if s.Opset >= 16 {
			coordinates = s.String("coordinate_transformation_mode", "half_pixel")
		}
		switch coordinates {
		case "half_pixel":
			r.offset, r.least = 0.5, math.Inf(-1)
		case "output_half_pixel":
			r.least = 1
		default:
			return nil, fmt.Errorf("coordinate_transformation_mode %q: want half_pixel or output_half_pixel", coordinates)
		}
		return r, nil
	}})
}

// roiAlign cuts regions of an image to one size (He et al., Mask R-CNN, 2017): each is divided into height by width
// bins, and a bin is the mean or the largest of values sampled in it on a regular grid, interpolated from their four
// neighbours. Regions are x1, y1, x2, y2, times scale in pixels of the input.
//
// The largest is taken over the four weighted neighbours of each sample, not over their sums: so do the reference
// implementation of ONNX and ONNX Runtime.
type roiAlign struct {
	height, width int
	sampling      int // samples of a bin along each axis; 0 for as many as it has pixels, rounded up
	scale, offset float64
	least         float64 // the smallest side of a region in pixels
	max           bool
}

func (r roiAlign) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1); err != nil {
		return nil, err
	}
	x, rois, images := in[0], in[1], in[2]
	if len(x.Shape) != 4 {
		return nil, fmt.Errorf("input of shape %v: want [N, C, H, W]", x.Shape)
	}
	if rois.Type != x.Type || len(rois.Shape) != 2 || rois.Shape[1] != 4 {
		return nil, fmt.Errorf("regions: want %v[regions 4], got %v%v", x.Type, rois.Type, rois.Shape)
	}
	if images.Type != onnx.Int64 || !sameShape(images.Shape, rois.Shape[:1]) {
		return nil, fmt.Errorf("batch_indices: want int64[%d], an image for each region, got %v%v", rois.Shape[0], images.Type, images.Shape)
	}
	shape := []int{rois.Shape[0], x.Shape[1], r.height, r.width}
	return []Info{{Type: x.Type, Shape: shape}}, checkSize(shape)
}

func (r roiAlign) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		return roiAlignOf[float64](rt, r, in, out[0])
	}
	return roiAlignOf[float32](rt, r, in, out[0])
}

func roiAlignOf[T float](rt *Runtime, r roiAlign, in []*onnx.Tensor, out *onnx.Tensor) error {
	x, rois, images, y := onnx.Data[T](in[0]), onnx.Data[T](in[1]), in[2].Int64s(), onnx.Data[T](out)
	n, c, h, w := in[0].Shape[0], in[0].Shape[1], in[0].Shape[2], in[0].Shape[3]
	for i, image := range images {
		if image < 0 || image >= int64(n) {
			return fmt.Errorf("batch_indices: element %d is %d, but there are %d images", i, image, n)
		}
	}
	for i, v := range rois {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("region %d has the coordinate %v", i/4, v)
		}
	}
	plane, bins := h*w, r.height*r.width
	rt.Pool.For(len(images)*c, max(1, moveGrain/8/bins), func(lo, hi int) {
		var ys, xs []samples
		region := -1
		for k := lo; k < hi; k++ {
			if region != k/c {
				region = k / c
				roi := rois[4*region:]
				ys = r.along(ys, float64(roi[1]), float64(roi[3]), r.height, h)
				xs = r.along(xs, float64(roi[0]), float64(roi[2]), r.width, w)
			}
			from := x[(int(images[region])*c+k%c)*plane:][:plane]
			to := y[k*bins:][:bins]
			for i := range ys {
				for j := range xs {
					to[i*r.width+j] = T(bin(from, w, &ys[i], &xs[j], r.max))
				}
			}
		}
	})
	return nil
}

// samples are those of a bin along one axis: how many there are, and those of them that lie in the input, each with its
// two neighbours and the weight of the second. The input ends one pixel beyond its border.
type samples struct {
	count float64
	at    []sample
}

type sample struct {
	low, high int
	weight    float64
}

// along lays out the samples of every bin along an axis of size pixels, for a region from start to end. It writes over
// bins, which may be nil.
func (r roiAlign) along(bins []samples, start, end float64, n, size int) []samples {
	start, end = start*r.scale-r.offset, end*r.scale-r.offset
	width := max(end-start, r.least) / float64(n)
	count := float64(r.sampling)
	if r.sampling == 0 {
		count = max(math.Ceil(width), 0)
	}
	if bins == nil {
		bins = make([]samples, n)
	}
	step := width / count
	for i := range bins {
		b := &bins[i]
		b.count, b.at = count, b.at[:0]
		first := start + float64(i)*width
		// A region may be far larger than the input: only samples that can lie in it are looked at.
		from, to := 0.0, count
		if step > 0 {
			from, to = max(math.Floor((-1-first)/step)-1, 0), min(math.Ceil((float64(size)-first)/step)+1, count)
		}
		for k := from; k < to; k++ {
			v := first + (k+0.5)*step
			if v < -1 || v > float64(size) || size == 0 {
				continue
			}
			v = max(v, 0)
			s := sample{low: int(v)}
			if s.low >= size-1 {
				s.low, s.high = size-1, size-1
			} else {
				s.high, s.weight = s.low+1, v-float64(s.low)
			}
			b.at = append(b.at, s)
		}
	}
	return bins
}

// bin pools the samples of a bin; those that lie outside count as 0.
func bin[T float](x []T, width int, ys, xs *samples, largest bool) float64 {
	sum, most := 0.0, math.Inf(-1)
	if float64(len(ys.at))*float64(len(xs.at)) < ys.count*xs.count || ys.count*xs.count == 0 {
		most = 0
	}
	for _, a := range ys.at {
		low, high := x[a.low*width:], x[a.high*width:]
		for _, b := range xs.at {
			v1 := (1 - a.weight) * (1 - b.weight) * float64(low[b.low])
			v2 := (1 - a.weight) * b.weight * float64(low[b.high])
			v3 := a.weight * (1 - b.weight) * float64(high[b.low])
			v4 := a.weight * b.weight * float64(high[b.high])
			if largest {
				most = max(most, v1, v2, v3, v4)
			} else {
				sum += v1 + v2 + v3 + v4
			}
		}
	}
	if largest {
		return most
	}
	return sum / max(ys.count*xs.count, 1)
}
