package gradcam

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Image is a picture as the network sees it, with what the network says about it.
type Image struct {
	Logits    []float32 // one a class; a network of one output has two classes, the first with the negative, unless it has one label
	Labels    []string  // names of the classes, nil where none are known
	Predicted int       // the class with the largest logit

	x      *Explainer
	pixels []float32 // the network's input, channels first
	cut    []*onnx.Tensor
	shape  []int // of the logits
	single bool  // the network has one output for two classes
	source *zoo.Picture
}

// Image runs the network on a picture.
func (x *Explainer) Image(ctx context.Context, p *zoo.Picture) (*Image, error) {
	input := make([]float32, x.size)
	if err := x.recipe.Render(p, input); err != nil {
		return nil, err
	}
	im, err := x.Input(ctx, input)
	if err == nil {
		im.source = p
	}
	return im, err
}

// Input is Image for an input that is there: one image's numbers in the network's layout. It is not kept.
func (x *Explainer) Input(ctx context.Context, input []float32) (*Image, error) {
	if len(input) != x.size {
		return nil, fmt.Errorf("an image has %d numbers, want %d for %v", len(input), x.size, x.recipe.Shape())
	}
	for _, v := range input {
		if v-v != 0 {
			return nil, errors.New("the image has a value that is not finite")
		}
	}
	im := &Image{x: x, pixels: slices.Clone(input)}
	if x.recipe.Layout == "NHWC" {
		im.pixels = channelsFirst(input, x.channels())
	}
	var err error
	if im.cut, err = x.suffix.values(ctx, x.repeat(im.pixels, x.batch())); err != nil {
		return nil, err
	}
	t, err := x.suffix.logits(ctx, im.cut)
	if err != nil {
		return nil, err
	}
	rows, err := x.logitRows(t, x.batch())
	if err != nil {
		return nil, err
	}
	im.shape = t.Shape
	im.Logits = slices.Clone(rows[:len(rows)/x.batch()])
	if len(im.Logits) == 1 && len(x.labels) != 1 {
		im.single = true
		im.Logits = []float32{-im.Logits[0], im.Logits[0]}
	}
	if im.Labels, err = features.ClassNames(x.labels, len(im.Logits)); err != nil {
		return nil, err
	}
	for i, v := range im.Logits {
		if v > im.Logits[im.Predicted] {
			im.Predicted = i
		}
	}
	return im, nil
}

// channels is how many channels an input has.
func (x *Explainer) channels() int { return x.size / (x.recipe.Size[0] * x.recipe.Size[1]) }

// repeat makes a batch of one image, in the network's layout.
func (x *Explainer) repeat(pixels []float32, n int) []float32 {
	out := make([]float32, n*len(pixels))
	for i := range n {
		x.layout(out[i*len(pixels):][:len(pixels)], pixels)
	}
	return out
}

// layout writes an image, channels first, in the network's layout.
func (x *Explainer) layout(dst, pixels []float32) {
	if x.recipe.Layout == "NHWC" {
		channelsLast(dst, pixels, x.channels())
		return
	}
	copy(dst, pixels)
}

// Probability returns how probable the network finds a class: the softmax of the logits; the sigmoid where the network
// ends in one, says that images may have several labels ([zoo.IsMultiLabel]), or has a single output.
func (im *Image) Probability(class int) float64 { return im.x.probability(im.Logits, class, im.single) }

func (x *Explainer) probability(logits []float32, class int, single bool) float64 {
	if single || len(logits) == 1 || x.final == features.FinalSigmoid || x.multi {
		return 1 / (1 + math.Exp(-float64(logits[class])))
	}
	largest, sum := float64(slices.Max(logits)), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - largest)
	}
	return math.Exp(float64(logits[class])-largest) / sum
}

// row returns the logits of both classes of a network with one output, else the row itself.
func (im *Image) row(logits []float32) []float32 {
	if im.single {
		return []float32{-logits[0], logits[0]}
	}
	return logits
}

// Label returns the name of a class, its number where it has none.
func (im *Image) Label(class int) string {
	if class < len(im.Labels) {
		return im.Labels[class]
	}
	return fmt.Sprint("class ", class)
}

// Top returns the n classes with the largest logits.
func (im *Image) Top(n int) []int {
	order := make([]int, len(im.Logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case im.Logits[a] > im.Logits[b]:
			return -1
		case im.Logits[a] < im.Logits[b]:
			return 1
		}
		return 0
	})
	return order[:min(max(n, 0), len(order))]
}

// ClassError says that a class is not there.
type ClassError struct {
	Class string
	Count int      // how many classes there are
	Near  []string // labels that contain what was asked for
}

func (e *ClassError) Error() string {
	s := fmt.Sprintf("there is no class %q: the network has classes 0 to %d", e.Class, e.Count-1)
	if len(e.Near) > 0 {
		s += "; labels with these letters are " + strings.Join(e.Near, ", ")
	}
	return s
}

// Class returns the class that a text means: a label, in whatever case, a number, or a part of one label only. What means
// none, or several, is a [ClassError].
func (im *Image) Class(text string) (int, error) {
	for i, l := range im.Labels {
		if strings.EqualFold(l, text) {
			return i, nil
		}
	}
	if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < len(im.Logits) {
		return i, nil
	}
	e := &ClassError{Class: text, Count: len(im.Logits)}
	found := -1
	for i, l := range im.Labels {
		if text != "" && strings.Contains(strings.ToLower(l), strings.ToLower(text)) {
			found = i
			if len(e.Near) < 8 {
				e.Near = append(e.Near, strconv.Quote(l))
			}
		}
	}
	if len(e.Near) == 1 {
		return found, nil
	}
	return 0, e
}

// selector picks the logit of one class in the row of each of the first n images of a batch.
func (im *Image) selector(class, rows, n int) *onnx.Tensor {
	shape := slices.Clone(im.shape)
	if batch := im.x.batch(); rows != batch && len(shape) > 0 {
		shape[0] = shape[0] / batch * rows
	}
	t := onnx.New(onnx.Float, shape...)
	v := t.Float32s()
	width := len(v) / rows
	for i := range n {
		switch {
		case im.single && class == 0:
			v[i*width] = -1
		case im.single:
			v[i*width] = 1
		default:
			v[i*width+class] = 1
		}
	}
	return t
}

// View returns the picture that the network was shown, at so many times its size: the same part of the picture, as sharp
// as the picture itself allows. Of an [Explainer.Input] there is none.
func (im *Image) View(times int) (image.Image, error) {
	if im.source == nil {
		return nil, errors.New("the image was given as numbers: there is no picture of it")
	}
	r := im.x.recipe
	if r.Resize == "none" || times <= 1 {
		// The part that is seen would change with the size.
		img, _, err := r.Image(im.source, zoo.Augment{}, 0)
		if err != nil || times <= 1 {
			return img, err
		}
		return enlarge(img, times), nil
	}
	img, _, err := r.WithSize(times*r.Size[0], times*r.Size[1]).Image(im.source, zoo.Augment{}, 0)
	return img, err
}

// enlarge makes each pixel a square.
func enlarge(img image.Image, times int) image.Image {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, times*b.Dx(), times*b.Dy()))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, img.At(b.Min.X+x/times, b.Min.Y+y/times))
		}
	}
	return out
}
