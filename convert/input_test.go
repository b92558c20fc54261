package convert

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestDynamicBatch(t *testing.T) {
	check := newChecker(t)
	flat := func(opset int, shape ...int64) *net {
		return newNet(opset).x(2, 3, 4, 4).weight("w", 48, 5).ints("s", shape...).node("f = Reshape(x, s)").node("y = MatMul(f, w)")
	}
	tokens := func(shape ...int64) *onnx.Model {
		return newNet(13).x(2, 3, 4, 4).ints("a", 2, 3, -1).ints("b", shape...).node("t = Reshape(x, a)").node("u = Transpose(t)", op.Attr("perm", []int{0, 2, 1})).
			ints("rows", 32, 3).node("r = Reshape(u, rows)").weight("w", 3, 3).node("m = MatMul(r, w)").node("y = Reshape(m, b)").out("y")
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		err  string
	}{
		{"convolution", newNet(13).x(2, 3, 4, 4).weight("w", 2, 3, 3, 3).node("y = Conv(x, w)").out("y"), ""},
		{"free already", smallNet(13), ""},
		{"Reshape of the batch", flat(13, 2, 48).out("y"), ""},
		{"Reshape of the batch, inferred rest", flat(13, 2, -1).out("y"), ""},
		{"Reshape that follows", flat(13, 0, -1).out("y"), ""},
		{"batch as rows and back", tokens(2, 16, 3), ""},
		{"batch as rows and back, inferred", tokens(2, -1, 3), ""},
		{"constant of the batch", newNet(13).x(2, 3).weight("w", 2, 3).node("y = Add(x, w)").out("y"), "does not take a batch of 3: node \"n_y\" (Add)"},
		{"the batch is lost", newNet(13).x(2, 3).ints("a", 0).node("s = ReduceMax(x)", op.Attr("axes", []int{0}), op.Attr("keepdims", 0)).ints("two", 2, 3).node("y = Expand(s, two)").out("y"), "keeps its first dimension of 2"},
		{"other free dimension", newNet(13).in("x", onnx.Float, 2, -1).node("y = Relu(x)").out("y"), "other free dimensions"},
		{"two batches", newNet(13).in("x", onnx.Float, 2, 3).in("z", onnx.Float, 1, 3).node("y = Add(x, z)").out("y"), "which is the batch is not clear"},
		{"no batch", newNet(13).in("x", onnx.Float, 3).node("y = Relu(x)").out("y"), "no input with a batch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := bytesOf(t, c.m)
			got, err := DynamicBatch(c.m)
			if !slices.Equal(bytesOf(t, c.m), before) {
				t.Error("the given model has changed")
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sameResults(t, c.m, got, randomInputs(c.m, 2), 1e-6)
			for _, v := range []*onnx.Value{got.Graph.Inputs[0], got.Graph.Outputs[0]} {
				if d := v.Type.Shape[0]; d.Param != "batch" || d.Size >= 0 {
					t.Errorf("%s: %+v", v.Name, d)
				}
			}
			// Three pictures at once are as one after the other.
			in := randomInputs(got, 3)
			all := runOn(t, "native", got, in)["y"]
			size := len(in["x"].Raw) / 3
			for i := range 3 {
				shape := append([]int{1}, in["x"].Shape[1:]...)
				one := runOn(t, "native", got, map[string]*onnx.Tensor{"x": {Type: onnx.Float, Shape: shape, Raw: in["x"].Raw[i*size : (i+1)*size]}})["y"]
				n := len(all.Raw) / 3
				part := &onnx.Tensor{Type: onnx.Float, Shape: one.Shape, Raw: all.Raw[i*n : (i+1)*n]}
				if d := difference(t, part, one); d > 1e-6 {
					t.Errorf("picture %d is %g away", i, d)
				}
			}
			check.add(t, c.name, got)
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
}

func TestInputSize(t *testing.T) {
	m := smallNet(13)
	got, err := InputSize(m, 11, 14)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Graph.Inputs[0].Type.Shape; s[2].Size != 11 || s[3].Size != 14 || s[0].Param != "batch" || m.Graph.Inputs[0].Type.Shape[2].Size != 9 {
		t.Errorf("%+v", s)
	}
	in := map[string]*onnx.Tensor{"x": randomInputs(got, 2)["x"]}
	if y := runOn(t, "native", got, in)["y"]; !slices.Equal(y.Shape, []int{2, 5}) {
		t.Errorf("%v", y.Shape)
	}
	nhwc := newNet(13).x(-1, 6, 6, 3).node("t = Transpose(x)", op.Attr("perm", []int{0, 3, 1, 2})).node("y = GlobalAveragePool(t)").out("y")
	if got, err := InputSize(nhwc, 8, 10); err != nil || got.Graph.Inputs[0].Type.Shape[1].Size != 8 || got.Graph.Inputs[0].Type.Shape[3].Size != 3 {
		t.Errorf("%v", err)
	}
	fixed := newNet(13).x(-1, 3, 4, 4).weight("w", 48, 5).node("f = Flatten(x)").node("y = Gemm(f, w)").out("y")
	for _, c := range []struct {
		m    *onnx.Model
		h, w int
		want string
	}{
		{fixed, 5, 4, `does not take pictures of 5x4: node "n_y" (Gemm)`}, {m, 1, 1, `does not take pictures of 1x1: node "n_p" (MaxPool)`},
		{m, 0, 4, "want 1 to"}, {m, 4, 1 << 20, "want 1 to"},
		{newNet(13).x(-1, 3).node("y = Relu(x)").out("y"), 4, 4, "no picture"}, {newNet(13).x(-1, 7, 4, 5).node("y = Relu(x)").out("y"), 4, 4, "no picture"},
		{newNet(13).x(-1, 3, 4, 4).in("z", onnx.Float, 1).node("y = Add(x, z)").out("y"), 4, 4, "2 inputs"},
	} {
		if _, err := InputSize(c.m, c.h, c.w); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%dx%d: %v, want %q", c.h, c.w, err, c.want)
		}
	}
}

func TestBakePreprocess(t *testing.T) {
	check := newChecker(t)
	torch := Preprocess{Channels: "RGB", Scale: 1.0 / 255, Mean: [3]float64{0.485, 0.456, 0.406}, Std: [3]float64{0.229, 0.224, 0.225}}
	caffe := Preprocess{Channels: "BGR", Scale: 1, Mean: [3]float64{103.939, 116.779, 123.68}, Std: [3]float64{1, 1, 1}}
	grey := Preprocess{Channels: "GRAY", Scale: 1.0 / 255, Mean: [3]float64{0.5}, Std: [3]float64{0.5, 1, 1}}
	nhwc := newNet(13).x(-1, 5, 6, 3).node("y = Relu(x)").out("y")
	greyNet := newNet(13).x(-1, 1, 5, 6).node("y = Relu(x)").out("y")
	for _, c := range []struct {
		name string
		m    *onnx.Model
		p    Preprocess
		last bool
		size int
	}{
		{"torch", smallNet(13), torch, false, 3}, {"torch, opset 9", smallNet(9), torch, false, 3}, {"caffe", smallNet(13), caffe, false, 3},
		{"NHWC", nhwc, torch, true, 3}, {"NHWC, BGR", nhwc, caffe, true, 3}, {"grey", greyNet, grey, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := BakePreprocess(c.m, c.p)
			if err != nil {
				t.Fatal(err)
			}
			pixels := randomInputs(got, 2)
			p := pixels["x"]
			if p.Type != onnx.Uint8 || p.Shape[3] != c.size {
				t.Fatalf("%v %v", p.Type, p.Shape)
			}
			// The formula, one number after the other.
			h, w := p.Shape[1], p.Shape[2]
			shape := []int{2, c.size, h, w}
			if c.last {
				shape = p.Shape
			}
			x := onnx.New(onnx.Float, shape...)
			for n := range 2 {
				for i := range h {
					for j := range w {
						for k := range c.size {
							from := k
							if c.p.Channels == "BGR" {
								from = 2 - k
							}
							v := (float64(p.Raw[((n*h+i)*w+j)*c.size+from])*c.p.Scale - c.p.Mean[k]) / c.p.Std[k]
							at := ((n*c.size+k)*h+i)*w + j
							if c.last {
								at = ((n*h+i)*w+j)*c.size + k
							}
							x.Float32s()[at] = float32(v)
						}
					}
				}
			}
			want := runOn(t, "native", c.m, map[string]*onnx.Tensor{"x": x})["y"]
			if d := difference(t, runOn(t, "native", got, pixels)["y"], want); d > 1e-5 {
				t.Errorf("%g away", d)
			}
			t.Run("ort", func(t *testing.T) {
				needORT(t)
				if d := difference(t, runOn(t, "ort", got, pixels)["y"], want); d > 1e-5 {
					t.Errorf("%g away", d)
				}
			})
			check.add(t, c.name, got)
			if _, err := BakePreprocess(got, c.p); err == nil || !strings.Contains(err.Error(), "in the model already") {
				t.Errorf("baked twice: %v", err)
			}
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
	for _, c := range []struct {
		p    Preprocess
		want string
	}{
		{grey, "has 3 channels, the recipe is for GRAY"}, {Preprocess{Channels: "CMYK"}, "want RGB, BGR or GRAY"},
		{Preprocess{Channels: "RGB", Std: [3]float64{1, 0, 1}}, "want numbers above 0"}, {Preprocess{Channels: "RGB", Std: [3]float64{1, math.NaN(), 1}}, "want numbers above 0"},
	} {
		if _, err := BakePreprocess(smallNet(13), c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
