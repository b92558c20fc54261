package gradcam

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/heat"
)

// gradientBatch is how many images have their gradients computed at once: all activations of each are kept.
const gradientBatch = 4

// pixelGradients computes the gradients of a class's logit by the pixels of n images: fill writes image i, channels first,
// and use takes its gradient, in order.
func (im *Image) pixelGradients(ctx context.Context, class, n int, guided bool, fill func(i int, dst []float32), use func(i int, grad []float32)) error {
	x := im.x
	rows := min(gradientBatch, n, x.o.Batch)
	if x.fixed > 0 {
		rows = x.fixed
	}
	used := false
	err := im.pixelGradientsBy(ctx, rows, class, n, guided, fill, func(i int, grad []float32) {
		used = true
		use(i, grad)
	})
	if err == nil || used || rows == 1 || x.fixed > 0 || ctx.Err() != nil {
		return err
	}
	// A network that takes one image at a time, although it does not say so.
	if oneErr := im.pixelGradientsBy(ctx, 1, class, n, guided, fill, use); oneErr != nil {
		return err
	}
	return nil
}

func (im *Image) pixelGradientsBy(ctx context.Context, rows, class, n int, guided bool, fill func(i int, dst []float32), use func(i int, grad []float32)) error {
	x := im.x
	selector := im.selector(class, rows, rows)
	one := make([]float32, x.size)
	for lo := 0; lo < n; lo += rows {
		images := make([]float32, rows*x.size)
		for i := range min(rows, n-lo) {
			fill(lo+i, one)
			x.layout(images[i*x.size:][:x.size], one)
		}
		cut, err := x.whole.values(ctx, images)
		if err != nil {
			return err
		}
		g, err := x.whole.gradient(ctx, cut, selector, guided)
		if err != nil {
			return err
		}
		grads, err := features.Floats(g)
		if err != nil {
			return fmt.Errorf("input %q: %w", x.input, err)
		}
		for i := range min(rows, n-lo) {
			row := grads[i*x.size:][:x.size]
			if x.recipe.Layout == "NHWC" {
				row = channelsFirst(row, x.channels())
			}
			use(lo+i, row)
		}
		x.progress(min(lo+rows, n), n)
	}
	return nil
}

// plainGradient is the gradient at the image itself.
func (im *Image) plainGradient(ctx context.Context, class int, guided bool) ([]float32, error) {
	var grad []float32
	err := im.pixelGradients(ctx, class, 1, guided, func(_ int, dst []float32) { copy(dst, im.pixels) },
		func(_ int, g []float32) { grad = g })
	return grad, err
}

// ofSigned makes a map of a gradient: the largest magnitude over the channels of each pixel.
func (im *Image) ofSigned(signed []float32) *Map {
	h, w := im.x.recipe.Size[0], im.x.recipe.Size[1]
	m := &Map{W: w, H: h, Values: make([]float32, h*w), Signed: signed}
	for i, v := range signed {
		at := i % (h * w)
		m.Values[at] = max(m.Values[at], float32(math.Abs(float64(v))))
	}
	return m
}

func saliency(ctx context.Context, im *Image, class int) (*Map, error) {
	g, err := im.plainGradient(ctx, class, false)
	if err != nil {
		return nil, err
	}
	return im.ofSigned(g), nil
}

func guidedBackprop(ctx context.Context, im *Image, class int) (*Map, error) {
	g, err := im.plainGradient(ctx, class, true)
	if err != nil {
		return nil, err
	}
	return im.ofSigned(g), nil
}

// guidedGradCAM is guided backpropagation times the enlarged, rectified Grad-CAM.
func guidedGradCAM(ctx context.Context, im *Image, class int) (*Map, error) {
	cam, err := combine(GradCAM)(ctx, im, class)
	if err != nil {
		return nil, err
	}
	g, err := im.plainGradient(ctx, class, true)
	if err != nil {
		return nil, err
	}
	h, w := im.x.recipe.Size[0], im.x.recipe.Size[1]
	mask := heat.Field{W: cam.W, H: cam.H, V: cam.Unit()}.Resize(w, h)
	for i := range g {
		g[i] *= mask.V[i%(h*w)]
	}
	return im.ofSigned(g), nil
}

// noiseLevel is SmoothGrad's noise as a share of the image's range, as the paper recommends.
const noiseLevel = 0.15

// Streams of random numbers, so that those of different things differ.
const (
	noiseStream = iota << 32
	imputationStream
)

// smoothGrad is the mean gradient of noisy copies of the image.
func smoothGrad(ctx context.Context, im *Image, class int) (*Map, error) {
	x := im.x
	lo, hi := im.pixels[0], im.pixels[0]
	for _, v := range im.pixels {
		lo, hi = min(lo, v), max(hi, v)
	}
	sigma := noiseLevel * float64(hi-lo)
	total := make([]float64, x.size)
	err := im.pixelGradients(ctx, class, x.o.Samples, false, func(i int, dst []float32) {
		rng := rand.New(rand.NewPCG(x.o.Seed, noiseStream+uint64(i)))
		for k, v := range im.pixels {
			dst[k] = v + float32(sigma*rng.NormFloat64())
		}
	}, func(_ int, g []float32) {
		for i, v := range g {
			total[i] += float64(v) / float64(x.o.Samples)
		}
	})
	if err != nil {
		return nil, err
	}
	return im.ofSigned(narrow(total)), nil
}

// integratedGradients is (x - x')*mean gradient on the straight way from a baseline x' to the image x, taken at the middle
// of equal steps; the map is its sum over the channels, so that the whole map sums to the logit's difference between image
// and baseline.
func integratedGradients(ctx context.Context, im *Image, class int) (*Map, error) {
	x := im.x
	base := x.baseline(im.pixels, x.o.Baseline, "black")
	mean := make([]float64, x.size)
	err := im.pixelGradients(ctx, class, x.o.Steps, false, func(i int, dst []float32) {
		t := (float32(i) + 0.5) / float32(x.o.Steps)
		for k, v := range im.pixels {
			dst[k] = base[k] + t*(v-base[k])
		}
	}, func(_ int, g []float32) {
		for i, v := range g {
			mean[i] += float64(v) / float64(x.o.Steps)
		}
	})
	if err != nil {
		return nil, err
	}
	h, w := x.recipe.Size[0], x.recipe.Size[1]
	m := &Map{W: w, H: h, Signed: make([]float32, x.size)}
	values := make([]float64, h*w)
	total := 0.0
	for i := range mean {
		v := mean[i] * float64(im.pixels[i]-base[i])
		m.Signed[i] = float32(v)
		values[i%(h*w)] += v
		total += v
	}
	m.Values = narrow(values)
	var from float64
	err = im.passes(ctx, 1, func(_ int, dst []float32) { copy(dst, base) }, func(_ int, l []float32) { from = float64(l[class]) })
	if err != nil {
		return nil, err
	}
	m.Completeness = &Completeness{Sum: total, Difference: float64(im.Logits[class]) - from}
	return m, nil
}

// Completeness says how well integrated gradients add up.
type Completeness struct {
	Sum        float64 `json:"sum"`        // of the whole map
	Difference float64 `json:"difference"` // of the logit between image and baseline: what the sum should be
}
