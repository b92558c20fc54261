package gradcam

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Options say how a network is explained. The zero value takes everything from the model.
type Options struct {
	Layer  string      // number, name, block or value as [backend.FindLayer] has it; "" takes the default, see [New]
	Recipe *zoo.Recipe // how images become the input; nil takes the model's own
	Size   [2]int      // height and width of the input, whatever the recipe and the model say; zero leaves them
	Labels []string    // names of the classes; nil takes the model's, or ImageNet's where there are 1000
	Batch  int         // passes that run at once in methods that need many, 0 for 16; a fixed batch size wins
	Seed   uint64      // of the noise of SmoothGrad and of the ROAD measure

	Samples  int    // noisy images of SmoothGrad, 0 for 25
	Steps    int    // steps of integrated gradients, 0 for 50
	Baseline string // what integrated gradients start from and occlusion covers with: black, white, gray, zero (in the network's units) or blur; "" is black for the former, zero for the latter
	Window   int    // side of occlusion's square in pixels, 0 for a seventh of the image's longer side
	Stride   int    // by how much it moves, 0 for half its side
	Channels int    // Score-CAM and Ablation-CAM look at so many channels, those that vary most; 0: all

	Provider string // what runs the passes, as in [backend.Options]; gradients are always the native engine's
	Threads  int    // as in [backend.Options]

	Warn     func(string)          // told once of what is done in another way than the file says; may be nil
	Progress func(done, total int) // told of the passes of methods that need many; may be nil
}

// Explainer explains one network. It is safe for concurrent use.
type Explainer struct {
	o      Options
	m      *onnx.Model
	recipe zoo.Recipe
	pool   *par.Pool

	input  string
	typ    onnx.DataType
	fixed  int // the batch size that the network insists on, 0 for any
	size   int // numbers of one image's input
	layer  backend.Layer
	last   bool // the layer's output has its channels last
	logits string
	final  features.Final
	multi  bool // the classes do not exclude each other
	labels []string

	suffix *section // from the layer on
	whole  *section // from the input on

	mu      sync.Mutex
	session backend.Session // the whole network up to the logits, opened by the first that needs it
	single  bool            // it takes one image at a time, although it does not say so
}

// maxBatch bounds the numbers of one batch's input.
const maxBatch = 1 << 29

// New prepares a network. The model must stay open while the explainer is used.
//
// Without Options.Layer the layer is the last one with spatial extent before the pooling that precedes the classifier:
// the last rectified maps of ResNet50 (7x7), of VGG16 those of conv5_3 (14x14). A layer whose output is no map is
// refused. Scores are the logits, even where the network ends in Softmax, LogSoftmax or Sigmoid: behind those, gradients
// of sure predictions vanish, and those of a class depend on all others.
func New(m *onnx.Model, o Options) (*Explainer, error) {
	x, err := newExplainer(m, o)
	if err != nil && m.Path() != "" {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	return x, err
}

func newExplainer(m *onnx.Model, o Options) (*Explainer, error) {
	if o.Batch <= 0 {
		o.Batch = 16
	}
	if o.Samples <= 0 {
		o.Samples = 25
	}
	if o.Steps <= 0 {
		o.Steps = 50
	}
	if o.Window < 0 || o.Stride < 0 || o.Channels < 0 {
		return nil, errors.New("window, stride and channels cannot be negative")
	}
	if err := checkBaseline(o.Baseline); err != nil {
		return nil, err
	}
	x := &Explainer{o: o, pool: par.Shared(o.Threads), typ: onnx.Float, labels: o.Labels}
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	if x.recipe, err = features.RecipeFor(m, o.Recipe); err != nil {
		return nil, err
	}
	if o.Size != [2]int{} {
		x.recipe = x.recipe.WithSize(o.Size[0], o.Size[1])
		if err := x.recipe.Validate(); err != nil {
			return nil, err
		}
	}
	x.input, x.size = in.Name, onnx.NumElements(x.recipe.Shape())
	if t := in.Type; t != nil {
		if t.Elem != onnx.Undefined {
			x.typ = t.Elem
		}
		if t.HasShape && len(t.Shape) > 0 {
			x.fixed = max(t.Shape[0].Size, 0)
		}
	}
	if x.fixed > 0 {
		x.o.Batch = x.fixed
	}
	if x.o.Batch > maxBatch/x.size {
		return nil, fmt.Errorf("batches of %d images of %v take more memory than %d numbers", x.o.Batch, x.recipe.Shape(), maxBatch)
	}
	if x.labels == nil {
		if x.labels, err = zoo.LabelsOf(m); err != nil {
			return nil, err
		}
	}
	x.multi = zoo.IsMultiLabel(m)
	if x.m, err = m.Inlined(); err != nil {
		return nil, err
	}
	if features.TrainsStatistics(x.m) {
		x.warn("the network was exported in training mode: it is explained with the statistics in the file, not those of a batch")
		x.m = features.StoredStatistics(x.m)
	}
	if x.logits, x.final, err = features.Logits(x.m); err != nil {
		return nil, err
	}
	if err := x.findLayer(); err != nil {
		return nil, err
	}
	if x.suffix, err = x.section(x.layer.Output); err != nil {
		return nil, fmt.Errorf("layer %q: %w", x.layer.Name, err)
	}
	if x.whole, err = x.section(x.input); err != nil {
		return nil, errors.Join(err, x.suffix.close())
	}
	return x, nil
}

// Close releases the network.
func (x *Explainer) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := errors.Join(x.suffix.close(), x.whole.close())
	if x.session != nil {
		err = errors.Join(err, x.session.Close())
		x.session = nil
	}
	return err
}

// Layer returns the layer that is looked at.
func (x *Explainer) Layer() backend.Layer { return x.layer }

// Recipe returns how images become the network's input.
func (x *Explainer) Recipe() zoo.Recipe { return x.recipe }

func (x *Explainer) warn(s string) {
	if x.o.Warn != nil {
		x.o.Warn(s)
	}
}

// batch is the batch size of a run that needs one image only.
func (x *Explainer) batch() int { return max(x.fixed, 1) }

// shapes declares the input for images of the recipe's size.
func (x *Explainer) shapes() map[string][]int {
	batch := -1
	if x.fixed > 0 {
		batch = x.fixed
	}
	return map[string][]int{x.input: append([]int{batch}, x.recipe.Shape()...)}
}

// open opens a part of the network for inference.
func (x *Explainer) open(outputs []string) (backend.Session, error) {
	return backend.Open(x.m, backend.Options{Provider: x.o.Provider, Threads: x.o.Threads, Outputs: outputs, Shapes: x.shapes(), Warn: x.o.Warn})
}

// tensor makes the network's input of images in its layout.
func (x *Explainer) tensor(images []float32) (*onnx.Tensor, error) {
	t, err := features.InputTensor(x.typ, append([]int{len(images) / x.size}, x.recipe.Shape()...), images)
	if err != nil {
		return nil, fmt.Errorf("input %q: %w", x.input, err)
	}
	t.Name = x.input
	return t, nil
}

// forward computes the logits of images in the network's layout, all rows of a fixed batch being there.
func (x *Explainer) forward(ctx context.Context, images []float32) ([]float32, error) {
	x.mu.Lock()
	if x.session == nil {
		s, err := x.open([]string{x.logits})
		if err != nil {
			x.mu.Unlock()
			return nil, err
		}
		x.session = s
	}
	s, single := x.session, x.single
	x.mu.Unlock()
	n := len(images) / x.size
	if !single || n == 1 || x.fixed > 0 {
		rows, err := x.runForward(ctx, s, images)
		if err == nil || n == 1 || x.fixed > 0 || ctx.Err() != nil {
			return rows, err
		}
		if _, oneErr := x.runForward(ctx, s, images[:x.size]); oneErr != nil {
			return nil, err // one image does not do either: the first error tells more
		}
		x.warn(fmt.Sprintf("the network takes one image at a time (%v): passes run one by one", err))
		x.mu.Lock()
		x.single = true
		x.mu.Unlock()
	}
	var all []float32
	for i := range n {
		row, err := x.runForward(ctx, s, images[i*x.size:(i+1)*x.size])
		if err != nil {
			return nil, err
		}
		all = append(all, row...)
	}
	return all, nil
}

func (x *Explainer) runForward(ctx context.Context, s backend.Session, images []float32) ([]float32, error) {
	t, err := x.tensor(images)
	if err != nil {
		return nil, err
	}
	out, err := s.Run(ctx, map[string]*onnx.Tensor{x.input: t})
	if err != nil {
		return nil, err
	}
	return x.logitRows(out[x.logits], len(images)/x.size)
}

// logitRows checks that a value is a list of classes for each of n images, and returns its numbers.
func (x *Explainer) logitRows(t *onnx.Tensor, n int) ([]float32, error) {
	if t == nil {
		return nil, fmt.Errorf("the network did not compute %q", x.logits)
	}
	v, err := features.Floats(t)
	if err != nil {
		return nil, fmt.Errorf("the classes %q: %w", x.logits, err)
	}
	if len(v) == 0 || len(v)%n != 0 {
		return nil, fmt.Errorf("the classes %q have shape %v for %d images", x.logits, t.Shape, n)
	}
	classes, wide := len(v)/n, 0
	for i, d := range t.Shape {
		if d > 1 && (i > 0 || n == 1 || d != n) {
			wide++
		}
	}
	if wide > 1 {
		return nil, fmt.Errorf("output %q of shape %v is no list of classes", x.logits, t.Shape)
	}
	for _, f := range v {
		if f != f {
			return nil, fmt.Errorf("the network gives %q that is not a number", x.logits)
		}
	}
	return v[:n*classes], nil
}
