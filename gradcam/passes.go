package gradcam

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// passes runs n changed images in batches: fill writes image i, channels first, and use takes its logits, in order.
func (im *Image) passes(ctx context.Context, n int, fill func(i int, dst []float32), use func(i int, logits []float32)) error {
	x := im.x
	for lo := 0; lo < n; lo += x.o.Batch {
		hi := min(lo+x.o.Batch, n)
		rows := hi - lo
		if x.fixed > 0 {
			rows = x.fixed
		}
		images := make([]float32, rows*x.size)
		x.pool.For(hi-lo, 1, func(from, to int) {
			one := make([]float32, x.size)
			for i := from; i < to; i++ {
				fill(lo+i, one)
				x.layout(images[i*x.size:][:x.size], one)
			}
		})
		logits, err := x.forward(ctx, images)
		if err != nil {
			return err
		}
		width := len(logits) / rows
		for i := lo; i < hi; i++ {
			use(i, im.row(logits[(i-lo)*width:][:width]))
		}
		x.progress(hi, n)
	}
	return nil
}

func (x *Explainer) progress(done, total int) {
	if x.o.Progress != nil {
		x.o.Progress(done, total)
	}
}

// channelsToTry returns the channels that methods with a pass a channel look at: all, or those that vary most.
func (x *Explainer) channelsToTry(a Maps) []int {
	all := make([]int, a.C)
	spread := make([]float64, a.C)
	for k := range all {
		all[k] = k
		mean := sum(a.Channel(k)) / float64(a.H*a.W)
		for _, v := range a.Channel(k) {
			spread[k] += (float64(v) - mean) * (float64(v) - mean)
		}
	}
	if n := x.o.Channels; n > 0 && n < a.C {
		slices.SortStableFunc(all, func(a, b int) int {
			switch {
			case spread[a] > spread[b]:
				return -1
			case spread[a] < spread[b]:
				return 1
			}
			return 0
		})
		all = all[:n]
		slices.Sort(all)
	}
	return all
}

// scoreCAM weights each map by the softmax, over the maps, of the logit that the image has when the map, enlarged and
// scaled to 0..1, is laid over it as a mask. Maps of equal numbers mask nothing: they count nothing. The weights are
// relative to an image of zeros, which the softmax does not notice.
func scoreCAM(ctx context.Context, im *Image, class int) (*Map, error) {
	a, err := im.activations()
	if err != nil {
		return nil, err
	}
	h, w := im.x.recipe.Size[0], im.x.recipe.Size[1]
	var tried []int
	for _, k := range im.x.channelsToTry(a) {
		if lo, hi := (heat.Field{W: a.W, H: a.H, V: a.Channel(k)}).Range(); hi > lo {
			tried = append(tried, k)
		}
	}
	scores := make([]float64, len(tried))
	err = im.passes(ctx, len(tried), func(i int, dst []float32) {
		mask := heat.Field{W: a.W, H: a.H, V: a.Channel(tried[i])}.Resize(w, h).Spread()
		for j, v := range im.pixels {
			dst[j] = v * mask.V[j%(h*w)]
		}
	}, func(i int, logits []float32) { scores[i] = float64(logits[class]) })
	if err != nil {
		return nil, err
	}
	weights := make([]float64, a.C)
	if len(scores) > 0 {
		largest, total := slices.Max(scores), 0.0
		for i, s := range scores {
			scores[i] = math.Exp(s - largest)
			total += scores[i]
		}
		for i, k := range tried {
			weights[k] = scores[i] / total
		}
	}
	return &Map{W: a.W, H: a.H, Values: weighted(a, func(k int) float64 { return weights[k] })}, nil
}

// ablationCAM weights each map by the share of the logit that goes when the map is set to 0: w_k = (y - y_k)/|y|. Only
// what lies behind the layer runs. (The paper divides by y; the magnitude keeps the sign where y is negative.)
func ablationCAM(ctx context.Context, im *Image, class int) (*Map, error) {
	x := im.x
	m, err := im.ablate(ctx, class, x.o.Batch/x.batch()*x.batch())
	if err == nil || x.fixed > 0 || ctx.Err() != nil {
		return m, err
	}
	// A network that takes one image at a time, although it does not say so.
	if one, oneErr := im.ablate(ctx, class, 1); oneErr == nil {
		return one, nil
	}
	return nil, err
}

// ablate is ablationCAM with so many maps at once.
func (im *Image) ablate(ctx context.Context, class, rows int) (*Map, error) {
	x := im.x
	a, err := im.activations()
	if err != nil {
		return nil, err
	}
	y := float64(im.Logits[class])
	if y == 0 {
		return nil, fmt.Errorf("the logit of %q is 0, and its share that goes with a map is not defined", im.Label(class))
	}
	tried := x.channelsToTry(a)
	weights := make([]float64, a.C)
	batch := x.batch()
	for lo := 0; lo < len(tried); lo += rows {
		n := min(rows, len(tried)-lo)
		size := (n + batch - 1) / batch * batch
		cut := make([]*onnx.Tensor, len(im.cut))
		for i, t := range im.cut {
			cut[i] = widen(t, batch, size)
		}
		for i := range n {
			x.erase(cut[0], i, size, tried[lo+i])
		}
		t, err := x.suffix.logits(ctx, cut)
		if err != nil {
			return nil, err
		}
		logits, err := x.logitRows(t, size)
		if err != nil {
			return nil, err
		}
		width := len(logits) / size
		for i := range n {
			weights[tried[lo+i]] = (y - float64(im.row(logits[i*width:][:width])[class])) / math.Abs(y)
		}
		x.progress(lo+n, len(tried))
	}
	return &Map{W: a.W, H: a.H, Values: weighted(a, func(k int) float64 { return weights[k] })}, nil
}

// widen repeats the first row of a value that has a row an image, of batch, rows times; other values stay.
func widen(t *onnx.Tensor, batch, rows int) *onnx.Tensor {
	if len(t.Shape) < 2 || t.Shape[0] != batch {
		return t
	}
	out := onnx.New(t.Type, append([]int{rows}, t.Shape[1:]...)...)
	n := len(t.Raw) / batch
	for i := range rows {
		copy(out.Raw[i*n:], t.Raw[:n])
	}
	return out
}

// erase sets one channel of the layer's output to 0 in a row. Zero is all bits 0 in every type.
func (x *Explainer) erase(t *onnx.Tensor, row, rows, channel int) {
	n := len(t.Raw) / rows
	raw := t.Raw[row*n : (row+1)*n]
	h, w := x.extent(t.Shape)
	channels := onnx.NumElements(t.Shape[1:]) / (h * w)
	size := n / onnx.NumElements(t.Shape[1:])
	if !x.last {
		clear(raw[channel*h*w*size:][:h*w*size])
		return
	}
	for i := range h * w {
		clear(raw[(i*channels+channel)*size:][:size])
	}
}

// occlusion covers the image with a square, place by place, and notes by how much the logit falls: a pixel's value is the
// mean over the squares that covered it.
func occlusion(ctx context.Context, im *Image, class int) (*Map, error) {
	x := im.x
	h, w := x.recipe.Size[0], x.recipe.Size[1]
	side := x.o.Window
	if side == 0 {
		side = (max(h, w) + 6) / 7
	}
	if side > min(h, w) {
		return nil, fmt.Errorf("a window of %d pixels does not fit images of %dx%d", side, w, h)
	}
	step := x.o.Stride
	if step == 0 {
		step = max(side/2, 1)
	}
	if step > side {
		return nil, fmt.Errorf("a stride of %d pixels leaves some uncovered by windows of %d", step, side)
	}
	ys, xs := places(h, side, step), places(w, side, step)
	base := x.baseline(im.pixels, x.o.Baseline, "zero")
	fall := make([]float64, h*w)
	count := make([]float64, h*w)
	area := func(i int, f func(at int)) {
		top, left := ys[i/len(xs)], xs[i%len(xs)]
		for r := top; r < top+side; r++ {
			for c := left; c < left+side; c++ {
				f(r*w + c)
			}
		}
	}
	err := im.passes(ctx, len(ys)*len(xs), func(i int, dst []float32) {
		copy(dst, im.pixels)
		for c := range x.channels() {
			area(i, func(at int) { dst[c*h*w+at] = base[c*h*w+at] })
		}
	}, func(i int, logits []float32) {
		d := float64(im.Logits[class] - logits[class])
		area(i, func(at int) {
			fall[at] += d
			count[at]++
		})
	})
	if err != nil {
		return nil, err
	}
	for i := range fall {
		fall[i] /= count[i]
	}
	return &Map{W: w, H: h, Values: narrow(fall)}, nil
}

// places returns where a window starts along a line: every step, and at the end, so that everything is covered.
func places(length, side, step int) []int {
	var at []int
	for p := 0; p+side < length; p += step {
		at = append(at, p)
	}
	return append(at, length-side)
}
