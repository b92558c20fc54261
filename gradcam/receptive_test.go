package gradcam

import (
	"image"
	"image/color"
	"image/draw"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestPublishedFields holds fields against those of Araujo et al. 2019. Their ResNet50 has 483, as it halves maps in the
// last block of a stage; torchvision's halves them in the first block's 3x3 convolution, which makes
// 11 + 3*2*4 + (2*4+3*2*8) + (2*8+5*2*16) + (2*16+2*2*32) = 427.
func TestPublishedFields(t *testing.T) {
	for _, c := range []struct {
		net          string
		op           string // the last layer of that operator
		size, stride int
	}{
		{"alexnet", "MaxPool", 195, 32},
		{"vgg16", "Conv", 196, 16},
		{"vgg16", "MaxPool", 212, 32},
		{"resnet50", "Add", 427, 32},
	} {
		a, ok := zoo.Lookup(c.net)
		if !ok {
			t.Fatalf("no network %s", c.net)
		}
		m, err := a.Build(zoo.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := Fields(m, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.net, err)
		}
		var got ReceptiveField
		for _, f := range all {
			if f.Layer.Op == c.op {
				got = f
			}
			if f.Err != nil {
				t.Errorf("%s: layer %s: %v", c.net, f.Layer.Name, f.Err)
			}
		}
		if got.Size != [2]int{c.size, c.size} || got.Stride != [2]int{c.stride, c.stride} {
			t.Errorf("%s: last %s %s: size %v, stride %v; want %d, %d", c.net, c.op, got.Layer.Name, got.Size, got.Stride, c.size, c.stride)
		}
	}
}

// node is a short way to write one: attributes are ints or lists of ints.
func node(op, in, out string, attrs map[string]any) *onnx.Node {
	n := &onnx.Node{Name: out, OpType: op, Inputs: strings.Fields(in), Outputs: strings.Fields(out)}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := &onnx.Attribute{Name: name}
		switch v := attrs[name].(type) {
		case int:
			a.Type, a.I = onnx.AttrInt, int64(v)
		case string:
			a.Type, a.S = onnx.AttrString, []byte(v)
		case []int64:
			a.Type, a.Ints = onnx.AttrInts, v
		}
		n.Attrs = append(n.Attrs, a)
	}
	return n
}

type attrs = map[string]any

// fieldNet is a network over [1,2,17,14] with positive weights, so that every pixel in a field counts.
func fieldNet(nodes ...*onnx.Node) *onnx.Model {
	typ := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: 1}, {Size: 2}, {Size: 17}, {Size: 14}}}
	g := &onnx.Graph{Name: "fields", Nodes: nodes, Inputs: []*onnx.Value{{Name: "x", Type: typ}}, Outputs: []*onnx.Value{{Name: "y"}}}
	weight := func(name string, shape ...int) {
		w := onnx.New(onnx.Float, shape...)
		for i := range w.Float32s() {
			w.Float32s()[i] = 0.1 + float32(i%5)/50
		}
		w.Name = name
		g.Initializers = append(g.Initializers, w)
	}
	ints := func(name string, v ...int64) {
		t := onnx.Of([]int{len(v)}, v)
		t.Name = name
		g.Initializers = append(g.Initializers, t)
	}
	weight("w3", 2, 2, 3, 3)
	weight("w1", 2, 2, 1, 1)
	weight("w53", 2, 2, 5, 3)
	weight("deep", 2, 1, 3, 3)
	weight("fc", 14, 3)
	ints("starts", 2, 3)
	ints("ends", 15, 1000)
	ints("axes", 2, 3)
	ints("steps", 2, 1)
	ints("pads", 0, 0, 1, 2, 0, 0, 0, 1)
	ints("flat", 1, -1)
	ints("last", -1)
	ints("spatial", 2, 3)
	ints("first", 0)
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 18}}, Graph: g}
}

// TestFieldsAgainstInfluence changes one pixel after the other and looks at which positions notice: these are the fields.
func TestFieldsAgainstInfluence(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nodes []*onnx.Node
	}{
		{"convolution", []*onnx.Node{node("Conv", "x w3", "y", attrs{"pads": []int64{1, 1, 1, 1}})}},
		{"stride and uneven padding", []*onnx.Node{node("Conv", "x w53", "y", attrs{"strides": []int64{2, 3}, "pads": []int64{0, 1, 2, 0}})}},
		{"dilation", []*onnx.Node{node("Conv", "x w3", "y", attrs{"dilations": []int64{2, 3}, "pads": []int64{2, 3, 2, 3}})}},
		{"SAME_LOWER", []*onnx.Node{node("Conv", "x w3", "y", attrs{"auto_pad": "SAME_LOWER", "strides": []int64{2, 2}})}},
		{"depthwise", []*onnx.Node{node("Conv", "x deep", "y", attrs{"group": 2})}},
		{"chain", []*onnx.Node{node("Conv", "x w3", "a", attrs{"strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}}), node("Sigmoid", "a", "b", nil),
			node("MaxPool", "b", "c", attrs{"kernel_shape": []int64{3, 2}, "strides": []int64{2, 1}}), node("AveragePool", "c", "y", attrs{"kernel_shape": []int64{2, 2}})}},
		{"branches", []*onnx.Node{node("Conv", "x w3", "a", attrs{"pads": []int64{1, 1, 1, 1}}), node("Conv", "x w1", "b", nil), node("Add", "b a", "y", nil)}},
		{"branches of channels", []*onnx.Node{node("Conv", "x w3", "a", attrs{"pads": []int64{2, 1, 0, 1}}), node("Conv", "x w53", "b", attrs{"pads": []int64{2, 1, 2, 1}}),
			node("Concat", "a b", "y", attrs{"axis": 1})}},
		{"gate", []*onnx.Node{node("GlobalAveragePool", "x", "g", nil), node("Sigmoid", "g", "s", nil), node("Conv", "x w3", "a", attrs{"pads": []int64{1, 1, 1, 1}}), node("Mul", "a s", "y", nil)}},
		{"padding and slice", []*onnx.Node{node("Pad", "x pads", "p", nil), node("Slice", "p starts ends axes steps", "s", nil), node("Conv", "s w3", "y", nil)}},
		{"transposed", []*onnx.Node{node("Transpose", "x", "t", attrs{"perm": []int64{0, 1, 3, 2}}), node("Conv", "t w53", "c", nil), node("Transpose", "c", "y", attrs{"perm": []int64{0, 1, 3, 2}})}},
		{"rows by a mean", []*onnx.Node{node("ReduceMean", "x last", "y", attrs{"keepdims": 1})}},
		{"columns by a product", []*onnx.Node{node("MatMul", "x fc", "y", nil)}},
		{"softmax of rows", []*onnx.Node{node("Softmax", "x", "y", attrs{"axis": 3})}},
		{"merged", []*onnx.Node{node("ReduceMean", "x spatial", "y", attrs{"keepdims": 0})}},
		{"flat", []*onnx.Node{node("Reshape", "x flat", "y", nil)}},
		{"first part", []*onnx.Node{node("Split", "x", "y b", attrs{"axis": 2, "num_outputs": 2})}},
		{"second part", []*onnx.Node{node("Split", "x", "a b", attrs{"axis": 2, "num_outputs": 2}), node("Relu", "b", "y", nil)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := fieldNet(tt.nodes...)
			fields, err := Fields(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := fields[len(fields)-1]
			if f.Err != nil {
				t.Fatal(f.Err)
			}
			s, err := backend.Open(m, backend.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			x := onnx.New(onnx.Float, 1, 2, 17, 14)
			for i := range x.Float32s() {
				x.Float32s()[i] = 0.5 + float32(i*37%11)/40
			}
			run := func() *onnx.Tensor {
				out, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": x})
				if err != nil {
					t.Fatal(err)
				}
				return out["y"]
			}
			before := run()
			// Which positions of the output each row and column of the input reaches: as rows and columns of fields.
			h, w := f.Extent[0], f.Extent[1]
			if before.Len()%(h*w) != 0 {
				t.Fatalf("output %v of %dx%d positions", before.Shape, h, w)
			}
			seen := make([][4]int, h*w) // first and last row, first and last column
			for i := range seen {
				seen[i] = [4]int{99, -1, 99, -1}
			}
			flat := len(before.Shape) < 4
			for y := range 17 {
				for c := range 14 {
					at := y*14 + c
					old := x.Float32s()[at]
					x.Float32s()[at] += 8
					after := run()
					x.Float32s()[at] = old
					for i, v := range after.Float32s() {
						if v == before.Float32s()[i] {
							continue
						}
						p := 0
						if !flat {
							row, col := i/before.Shape[3]%before.Shape[2], i%before.Shape[3]
							p = min(row, h-1)*w + min(col, w-1)
						}
						seen[p] = [4]int{min(seen[p][0], y), max(seen[p][1], y), min(seen[p][2], c), max(seen[p][3], c)}
					}
				}
			}
			for p, got := range seen {
				i, j := p/w, p%w
				row, col := f.Start[0]+i*f.Stride[0], f.Start[1]+j*f.Stride[1]
				want := [4]int{max(row, 0), min(row+f.Size[0]-1, 16), max(col, 0), min(col+f.Size[1]-1, 13)}
				// At the border of the image the outermost pixel of a field may lie between two taps of a dilated kernel.
				inside := row >= 0 && col >= 0 && row+f.Size[0] <= 17 && col+f.Size[1] <= 14
				within := got[0] >= want[0] && got[1] <= want[1] && got[2] >= want[2] && got[3] <= want[3]
				if inside && got != want || !within {
					t.Fatalf("position %d,%d sees %v, want %v (size %v, stride %v, start %v, extent %v)", i, j, got, want, f.Size, f.Stride, f.Start, f.Extent)
				}
			}
		})
	}
}

func TestFieldsThatAreNotKnown(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		nodes      []*onnx.Node
	}{
		{"enlarged", "differ in size", []*onnx.Node{{Name: "y", OpType: "Resize", Inputs: []string{"x", "", "scales"}, Outputs: []string{"y"}}}},
		{"side by side", "side by side", []*onnx.Node{node("Concat", "x x", "y", attrs{"axis": 2})}},
		{"picked", "picks positions", []*onnx.Node{node("Gather", "x first", "y", attrs{"axis": 2})}},
		{"strides", "strides 2 and 1 meet", []*onnx.Node{node("AveragePool", "x", "a", attrs{"kernel_shape": []int64{1, 1}, "strides": []int64{2, 2}}),
			node("Slice", "x zeros sizes axes", "b", nil), node("Add", "a b", "y", nil)}},
		{"another operator", "not followed through", []*onnx.Node{node("CumSum", "x axis", "y", nil)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := fieldNet(tt.nodes...)
			for name, c := range map[string]*onnx.Tensor{
				"scales": onnx.Of([]int{4}, []float32{1, 1, 2, 2}), "zeros": onnx.Of([]int{2}, []int64{0, 0}),
				"sizes": onnx.Of([]int{2}, []int64{9, 7}), "axis": onnx.Of([]int{}, []int64{2}),
			} {
				c.Name = name
				m.Graph.Initializers = append(m.Graph.Initializers, c)
			}
			fields, err := Fields(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			if f := fields[len(fields)-1]; f.Err == nil || !strings.Contains(f.Err.Error(), tt.want) {
				t.Errorf("%v, want %q", f.Err, tt.want)
			}
			if _, err := DrawFields(image.NewGray(image.Rect(0, 0, 9, 9)), [2]int{17, 14}, fields[len(fields)-1:], ""); err == nil {
				t.Error("it was drawn")
			}
		})
	}
}

// The field in the middle is bright with a border, what lies outside is dark, and layers are chosen evenly.
func TestDrawFields(t *testing.T) {
	a, _ := zoo.Lookup("vgg16")
	m, err := a.Build(zoo.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fields, err := Fields(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	size, err := InputSize(m, nil)
	if err != nil || size != [2]int{224, 224} {
		t.Fatal(size, err)
	}
	chosen := GrowingFields(fields, 5)
	if len(chosen) != 5 || chosen[0].Size != [2]int{3, 3} || chosen[4].Size != [2]int{212, 212} {
		t.Errorf("chosen: %v", chosen)
	}
	if i, err := FindField(fields, "features.30"); err != nil || fields[i].Size != [2]int{212, 212} {
		t.Errorf("%d, %v", i, err)
	}
	if _, err := FindField(fields, "nothing"); err == nil {
		t.Error("a field of no layer")
	}
	from, to := chosen[0].Center()
	if from != [2]int{110, 110} || to != [2]int{112, 112} {
		t.Errorf("the middle sees %v to %v", from, to)
	}
	ground := image.NewUniform(color.NRGBA{200, 200, 200, 255})
	white := image.NewNRGBA(image.Rect(0, 0, 448, 448))
	draw.Draw(white, white.Rect, ground, image.Point{}, draw.Src)
	outline(white, image.Rect(100, 120, 200, 180))
	for p, want := range map[image.Point]uint8{{0, 0}: 66, {150, 150}: 200, {100, 150}: 230, {199, 121}: 230, {200, 150}: 66} {
		if got := white.NRGBAAt(p.X, p.Y).R; got != want {
			t.Errorf("pixel %v is %d, want %d", p, got, want)
		}
	}
	if _, err := DrawFields(white, size, chosen, "fields"); err != nil {
		t.Error(err)
	}
}
