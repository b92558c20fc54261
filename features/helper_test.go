package features

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// picture returns a PNG of one colour.
func picture(t testing.TB, c color.NRGBA) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 6, 5))
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = c.R, c.G, c.B, c.A
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// gray returns a PNG of one shade, whose features are (v, v, v).
func gray(t testing.TB, v uint8) []byte { return picture(t, color.NRGBA{v, v, v, 255}) }

// plain is a recipe that keeps values 0 to 255 in 4 x 4 pixels.
func plain() zoo.Recipe {
	return zoo.Recipe{Resize: "exact", Size: [2]int{4, 4}, Channels: "RGB", Scale: 1, Std: [3]float64{1, 1, 1}, Layout: "NCHW"}
}

// dims makes a shape; -1 is a dimension of any size.
func dims(shape ...int) *onnx.Type {
	t := &onnx.Type{Elem: onnx.Float, HasShape: true}
	for _, d := range shape {
		t.Shape = append(t.Shape, onnx.Dim{Size: d})
	}
	return t
}

// network returns a model with input "x" of that shape and nodes; weights named w... are initializers of shape [3].
func network(out string, shape []int, nodes ...*onnx.Node) *onnx.Model {
	g := &onnx.Graph{Nodes: nodes, Inputs: []*onnx.Value{{Name: "x", Type: dims(shape...)}}, Outputs: []*onnx.Value{{Name: out}}}
	seen := map[string]bool{}
	for _, n := range nodes {
		for _, in := range n.Inputs {
			if in != "" && in[0] == 'w' && !seen[in] {
				seen[in] = true
				g.Initializers = append(g.Initializers, &onnx.Tensor{Name: in, Type: onnx.Float, Shape: []int{3}, Raw: make([]byte, 12)})
			}
		}
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
}

// node makes a node "name" with inputs; its output has its name.
func node(op, name string, inputs ...string) *onnx.Node {
	return &onnx.Node{Name: "node_" + name, OpType: op, Inputs: inputs, Outputs: []string{name}}
}

// fake is a session that computes what the test says.
type fake struct {
	inputs  []*onnx.Value
	run     func(in *onnx.Tensor) (*onnx.Tensor, error)
	out     string
	batches []int // sizes of the batches that ran
	closed  atomic.Int32
}

func (f *fake) Inputs() []*onnx.Value  { return f.inputs }
func (f *fake) Outputs() []*onnx.Value { return []*onnx.Value{{Name: f.out}} }
func (f *fake) Close() error           { f.closed.Add(1); return nil }

func (f *fake) Run(ctx context.Context, in map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x := in["x"]
	if x == nil {
		return nil, errors.New("no input x")
	}
	f.batches = append(f.batches, x.Shape[0])
	y, err := f.run(x)
	if err != nil {
		return nil, err
	}
	return map[string]*onnx.Tensor{f.out: y}, nil
}

var _ backend.Session = (*fake)(nil)

// identity returns the input as output.
func identity(x *onnx.Tensor) (*onnx.Tensor, error) { return x.Clone(), nil }

// small opens an extractor of a network whose layer "y" is its input, [N,3,4,4].
func small(t *testing.T, o Options, run func(*onnx.Tensor) (*onnx.Tensor, error), shape ...int) (*Extractor, *fake) {
	t.Helper()
	if shape == nil {
		shape = []int{-1, 3, 4, 4}
	}
	m := network("y", shape, node("Relu", "y", "x"))
	f := &fake{inputs: m.Graph.Inputs, run: run, out: "y"}
	o.Session = f
	if o.Recipe == nil {
		r := plain()
		o.Recipe = &r
	}
	x, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return x, f
}

// shades is a data set of images 0.png, 1.png, ... in these shades; a negative one is a broken image.
func shades(t testing.TB, v ...int) *Dataset {
	t.Helper()
	fsys := fstest.MapFS{}
	d := &Dataset{}
	for i, s := range v {
		name := string(rune('a'+i)) + ".png"
		data := []byte("no image")
		if s >= 0 {
			data = gray(t, uint8(s))
		}
		fsys[name] = &fstest.MapFile{Data: data}
		d.Items = append(d.Items, NewItem(fsys, name, -1))
	}
	return d
}
