// Package scenes draws pictures whose class depends on a small patch only, and trains a small network to tell them apart:
// what a heat map should show is known. Tests and the pictures of the documentation use it.
package scenes

import (
	"context"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Size is the side of a scene, Side that of its patch, in pixels.
const (
	Size = 48
	Side = 12
)

// Classes are the textures that a patch may have: the names of the classes.
var Classes = []string{"stripes", "bars", "checks"}

// Scene is a picture, its class, and where the patch lies that makes it of that class.
type Scene struct {
	Image *image.NRGBA
	Class int
	Patch image.Rectangle
}

// Draw draws a scene: a soft ground, discs that mean nothing, and in front of them the patch.
func Draw(class int, rng *rand.Rand) Scene {
	s := Scene{Image: image.NewNRGBA(image.Rect(0, 0, Size, Size)), Class: class}
	var ground [3]heat.Field
	for c := range ground {
		f := heat.NewField(4, 4)
		for i := range f.V {
			f.V[i] = 40 + 175*rng.Float32()
		}
		ground[c] = f.Resize(Size, Size)
	}
	for i := range Size * Size {
		noise := float32(6 * rng.NormFloat64())
		for c := range ground {
			s.Image.Pix[4*i+c] = uint8(min(max(ground[c].V[i]+noise, 0), 255))
		}
		s.Image.Pix[4*i+3] = 255
	}
	for range 3 {
		s.disc(rng.Float64()*Size, rng.Float64()*Size, 4+5*rng.Float64(), random(rng))
	}
	x, y := rng.IntN(Size-Side+1), rng.IntN(Size-Side+1)
	s.Patch = image.Rect(x, y, x+Side, y+Side)
	dark, light := random(rng), random(rng)
	dark.R, dark.G, dark.B = dark.R/3, dark.G/3, dark.B/3
	light.R, light.G, light.B = 255-light.R/3, 255-light.G/3, 255-light.B/3
	for dy := range Side {
		for dx := range Side {
			on := [3]bool{dy/2%2 == 0, dx/2%2 == 0, (dx/2+dy/2)%2 == 0}[class]
			if on {
				s.Image.SetNRGBA(x+dx, y+dy, light)
			} else {
				s.Image.SetNRGBA(x+dx, y+dy, dark)
			}
		}
	}
	return s
}

func random(rng *rand.Rand) color.NRGBA {
	return color.NRGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), 255}
}

// disc draws a disc with a soft edge.
func (s Scene) disc(cx, cy, r float64, c color.NRGBA) {
	for y := range Size {
		for x := range Size {
			cover := min(max(r-math.Hypot(float64(x)-cx, float64(y)-cy), 0), 1)
			p := s.Image.Pix[4*(y*Size+x):]
			for k, v := range [3]uint8{c.R, c.G, c.B} {
				p[k] = uint8(float64(p[k])*(1-cover) + float64(v)*cover)
			}
		}
	}
}

// Recipe is how a scene becomes the network's input.
func Recipe() zoo.Recipe {
	return zoo.Recipe{Resize: "none", Size: [2]int{Size, Size}, Channels: "RGB", Scale: 1.0 / 127.5, Mean: [3]float64{1, 1, 1}, Std: [3]float64{1, 1, 1}, Layout: "NCHW"}
}

// Network returns a network of random weights: three convolutions, the last with 24 maps of 24x24, a global average pool
// and a linear classifier.
func Network(seed uint64) *onnx.Model {
	rng := rand.New(rand.NewPCG(seed, 1))
	g := &onnx.Graph{Name: "scenes"}
	weight := func(name string, shape ...int) string {
		t := onnx.New(onnx.Float, shape...)
		t.Name = name
		if len(shape) > 1 {
			scale := math.Sqrt(2 / float64(onnx.NumElements(shape[1:])))
			for i := range t.Float32s() {
				t.Float32s()[i] = float32(scale * rng.NormFloat64())
			}
		}
		g.Initializers = append(g.Initializers, t)
		return name
	}
	node := func(op, name, in string, weights []string, attrs ...*onnx.Attribute) {
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: op, Name: name, Inputs: append([]string{in}, weights...), Outputs: []string{name}, Attrs: attrs})
	}
	ints := func(name string, v ...int64) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
	}
	in, channels := "image", 3
	for _, l := range []struct {
		name        string
		out, stride int
	}{{"conv1", 8, 1}, {"conv2", 16, 2}, {"conv3", 24, 1}} {
		node("Conv", l.name, in, []string{weight(l.name+".weight", l.out, channels, 3, 3), weight(l.name+".bias", l.out)},
			ints("kernel_shape", 3, 3), ints("pads", 1, 1, 1, 1), ints("strides", int64(l.stride), int64(l.stride)))
		node("Relu", "relu"+l.name[4:], l.name, nil)
		in, channels = "relu"+l.name[4:], l.out
	}
	node("GlobalAveragePool", "pool", in, nil)
	node("Flatten", "flat", "pool", nil)
	node("Gemm", "logits", "flat", []string{weight("fc.weight", len(Classes), channels), weight("fc.bias", len(Classes))},
		&onnx.Attribute{Name: "transB", Type: onnx.AttrInt, I: 1})
	declare := func(name string, shape ...int) *onnx.Value {
		t := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "batch"}}}
		for _, d := range shape {
			t.Shape = append(t.Shape, onnx.Dim{Size: d})
		}
		return &onnx.Value{Name: name, Type: t}
	}
	g.Inputs = []*onnx.Value{declare("image", 3, Size, Size)}
	g.Outputs = []*onnx.Value{declare("logits", len(Classes))}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
}

// Train trains the network for so many steps of 32 new scenes each.
func Train(ctx context.Context, seed uint64, steps int) (*onnx.Model, error) {
	n, err := finetune.Split(Network(seed), len(Classes), finetune.NetOptions{Head: "keep", UnfreezeFrom: "all"})
	if err != nil {
		return nil, err
	}
	o := finetune.TrainerOptions{}
	o.LR, o.BaseLRScale = 0.01, 1
	t, err := finetune.NewTrainer(n, o)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	recipe := Recipe()
	rng := rand.New(rand.NewPCG(seed, 2))
	const batch = 32
	size := onnx.NumElements(recipe.Shape())
	for step := range steps {
		images := onnx.New(onnx.Float, append([]int{batch}, recipe.Shape()...)...)
		labels := make([]int, batch)
		for i := range labels {
			labels[i] = rng.IntN(len(Classes))
			if err := recipe.FromImage(Draw(labels[i], rng).Image, images.Float32s()[i*size:][:size]); err != nil {
				return nil, err
			}
		}
		cut, err := t.Cut(ctx, images)
		if err != nil {
			return nil, err
		}
		targets, err := t.Targets(labels)
		if err != nil {
			return nil, err
		}
		rate := (1 + math.Cos(math.Pi*float64(step)/float64(steps))) / 2
		if _, err := t.Step(ctx, cut, targets, rate); err != nil {
			return nil, err
		}
	}
	return t.Export(Classes, &recipe)
}
