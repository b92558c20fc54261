package gradcam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/walk"
)

// Method is a way of explaining a class.
type Method struct {
	Name   string // as Explain takes it
	Title  string // as the field writes it
	Paper  string
	Pixels bool // the map has the input's size, not the layer's
	Free   bool // of gradients: works where an operator has none

	run func(ctx context.Context, im *Image, class int) (*Map, error)
}

// combine makes a method of a function of activations and gradients.
func combine(f func(a, g Maps) []float32) func(context.Context, *Image, int) (*Map, error) {
	return func(ctx context.Context, im *Image, class int) (*Map, error) {
		a, g, err := im.gradients(ctx, class)
		if err != nil {
			return nil, err
		}
		return &Map{W: a.W, H: a.H, Values: f(a, g)}, nil
	}
}

var methods = []Method{
	{Name: "gradcam", Title: "Grad-CAM", Paper: "Selvaraju et al. 2017, arXiv:1610.02391", run: combine(GradCAM)},
	{Name: "gradcam++", Title: "Grad-CAM++", Paper: "Chattopadhay et al. 2018, arXiv:1710.11063", run: combine(GradCAMPlusPlus)},
	{Name: "hirescam", Title: "HiResCAM", Paper: "Draelos and Carin 2020, arXiv:2011.08891", run: combine(HiResCAM)},
	{Name: "xgradcam", Title: "XGrad-CAM", Paper: "Fu et al. 2020, arXiv:2008.02312", run: combine(XGradCAM)},
	{Name: "layercam", Title: "LayerCAM", Paper: "Jiang et al. 2021, IEEE TIP 30", run: combine(LayerCAM)},
	{Name: "eigencam", Title: "Eigen-CAM", Paper: "Muhammad and Yeasin 2020, arXiv:2008.00299", Free: true, run: eigenCAM},
	{Name: "scorecam", Title: "Score-CAM", Paper: "Wang et al. 2020, arXiv:1910.01279", Free: true, run: scoreCAM},
	{Name: "ablationcam", Title: "Ablation-CAM", Paper: "Desai and Ramaswamy 2020, WACV", Free: true, run: ablationCAM},
	{Name: "cam", Title: "CAM", Paper: "Zhou et al. 2016, arXiv:1512.04150", run: classActivation},
	{Name: "guided-backprop", Title: "Guided backpropagation", Paper: "Springenberg et al. 2015, arXiv:1412.6806", Pixels: true, run: guidedBackprop},
	{Name: "guided-gradcam", Title: "Guided Grad-CAM", Paper: "Selvaraju et al. 2017, arXiv:1610.02391", Pixels: true, run: guidedGradCAM},
	{Name: "saliency", Title: "Saliency", Paper: "Simonyan et al. 2014, arXiv:1312.6034", Pixels: true, run: saliency},
	{Name: "smoothgrad", Title: "SmoothGrad", Paper: "Smilkov et al. 2017, arXiv:1706.03825", Pixels: true, run: smoothGrad},
	{Name: "integrated-gradients", Title: "Integrated gradients", Paper: "Sundararajan et al. 2017, arXiv:1703.01365", Pixels: true, run: integratedGradients},
	{Name: "occlusion", Title: "Occlusion", Paper: "Zeiler and Fergus 2014, arXiv:1311.2901", Pixels: true, Free: true, run: occlusion},
}

// Methods lists what there is.
func Methods() []Method { return slices.Clone(methods) }

// MethodByName returns a method. The error lists all.
func MethodByName(name string) (Method, error) {
	var names []string
	for _, m := range methods {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("there is no method %q: the methods are %s", name, strings.Join(names, ", "))
}

// withoutGradients names the methods that need none.
func withoutGradients() string {
	var names []string
	for _, m := range methods {
		if m.Free {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Map says how much each place of an image speaks for a class.
type Map struct {
	Method string
	Class  int
	Layer  string // name of the layer; "" for methods of the pixels
	H, W   int
	Values []float32 // row by row, as the method's formula gives them: neither rectified nor scaled

	// Signed is the gradient itself for methods of the pixels that have one: [C,H,W], the channels in the input's order.
	Signed []float32

	Completeness *Completeness // of integrated gradients, else nil

	// Note says what is remarkable about the map, "" where nothing is.
	Note string
}

// Explain computes the map of a class by a method of [Methods].
func (x *Explainer) Explain(ctx context.Context, im *Image, method string, class int) (*Map, error) {
	m, err := MethodByName(method)
	if err != nil {
		return nil, err
	}
	if class < 0 || class >= len(im.Logits) {
		return nil, &ClassError{Class: fmt.Sprint(class), Count: len(im.Logits)}
	}
	out, err := m.run(ctx, im, class)
	var stuck *graph.NotDifferentiableError
	if errors.As(err, &stuck) {
		err = fmt.Errorf("%w: choose a later layer, or a method without gradients (%s)", err, withoutGradients())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Title, err)
	}
	out.Method, out.Class = m.Name, class
	if !m.Pixels || m.Name == "guided-gradcam" {
		out.Layer = x.layer.Name
	}
	for _, v := range out.Values {
		if v-v != 0 {
			return nil, fmt.Errorf("%s: the map is not finite", m.Title)
		}
	}
	if _, hi := out.field().Range(); !(hi > 0) {
		out.Note = "nothing here speaks for the class: the map is zero or below everywhere"
	}
	return out, nil
}

func (m *Map) field() heat.Field { return heat.Field{W: m.W, H: m.H, V: m.Values} }

// Unit returns the map as it is shown: max(value, 0), divided by the largest value, so that it lies in 0..1. A map that is
// nowhere positive is all zeros, a constant positive one all ones.
func (m *Map) Unit() []float32 { return m.field().Unit().V }

// At returns the raw map at another size, by bilinear interpolation between the centres of its cells as published
// implementations enlarge their maps (align_corners off).
func (m *Map) At(h, w int) []float32 { return m.field().Resize(w, h).V }

// Peak returns row and column of the largest value at another size, the first one where several are equal.
func (m *Map) Peak(h, w int) (y, x int) {
	v := m.At(h, w)
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best / w, best % w
}

// activations returns the layer's maps.
func (im *Image) activations() (Maps, error) { return im.x.maps(im.cut[0], 0) }

// gradients returns the layer's maps, and the gradient of the class's logit by them.
func (im *Image) gradients(ctx context.Context, class int) (a, g Maps, err error) {
	if a, err = im.activations(); err != nil {
		return a, g, err
	}
	grad, err := im.x.suffix.gradient(ctx, im.cut, im.selector(class, im.x.batch(), 1), false)
	if err != nil {
		return a, g, err
	}
	g, err = im.x.maps(grad, 0)
	return a, g, err
}

func eigenCAM(_ context.Context, im *Image, _ int) (*Map, error) {
	a, err := im.activations()
	if err != nil {
		return nil, err
	}
	return &Map{W: a.W, H: a.H, Values: EigenCAM(a, Maps{})}, nil
}

// classActivation is CAM, for networks that it is meant for.
func classActivation(ctx context.Context, im *Image, class int) (*Map, error) {
	if err := im.x.checkPooled(); err != nil {
		return nil, err
	}
	return combine(CAM)(ctx, im, class)
}

// checkPooled reports whether between the layer and the logits there are only a global average pool, changes of shape, and
// one linear map.
func (x *Explainer) checkPooled() error {
	g := walk.New(x.m.Graph)
	pooled, linear := false, 0
	value := x.logits
	for range len(g.Node) + 1 {
		if value == x.layer.Output {
			if pooled {
				return nil
			}
			break
		}
		n := g.Node[value]
		if n == nil {
			break
		}
		switch n.OpType {
		case "Gemm", "MatMul", "Conv":
			linear++
		case "GlobalAveragePool", "ReduceMean", "AveragePool":
			pooled = true
		case "Add", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Cast", "Dropout", "Transpose":
		default:
			return fmt.Errorf("it needs a global average pool and one linear layer behind the layer, here comes %s: gradcam is the same map, up to a factor, where both work", n)
		}
		if linear > 1 {
			return fmt.Errorf("it needs one linear layer behind the global average pool, here are more: take gradcam")
		}
		value = dataInput(g, n)
	}
	return fmt.Errorf("it needs a global average pool between layer %q and the classifier: take gradcam, or another layer", x.layer.Name)
}
