package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestRows shows how names of nodes, as different exporters write them, become a tree.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers [][2]string // name and operator
		want   []string    // depth, label, layers
	}{
		{"none", nil, nil},
		{"flat names",
			[][2]string{{"conv1_1", "Conv"}, {"relu1_1", "Relu"}, {"fc", "Gemm"}},
			[]string{"0 Conv (conv1_1) 0-0", "0 Relu (relu1_1) 1-1", "0 Gemm (fc) 2-2"}},
		{"names that only count operators",
			[][2]string{{"Conv_0", "Conv"}, {"Relu_1", "Relu"}},
			[]string{"0 Conv 0-0", "0 Relu 1-1"}},
		{"PyTorch",
			[][2]string{{"/conv1/Conv", "Conv"}, {"/layer1/layer1.0/conv1/Conv", "Conv"}, {"/layer1/layer1.0/Add", "Add"},
				{"/layer1/layer1.0/relu_2/Relu", "Relu"}, {"/layer1/layer1.1/conv1/Conv", "Conv"}, {"/Flatten", "Flatten"}},
			[]string{"0 Conv (conv1) 0-0", "0 layer1 1-4", "1 0 1-3", "2 Conv (conv1) 1-1", "2 Add 2-2", "2 Relu (relu_2) 3-3",
				"1 Conv (1/conv1) 4-4", "0 Flatten 5-5"}},
		{"an activation of several nodes",
			[][2]string{{"/f/f.0/Add", "Add"}, {"/f/f.0/Clip", "Clip"}, {"/f/f.1/Conv_1", "Conv"}},
			[]string{"0 f 0-2", "1 0 0-1", "2 Add 0-0", "2 Clip 1-1", "1 Conv (1) 2-2"}},
		{"Keras through tf2onnx",
			[][2]string{{"vgg/block1_conv1/Conv2D", "Conv"}, {"vgg/block1_conv1/Relu", "Relu"}, {"vgg/pool/MaxPool", "MaxPool"}},
			[]string{"0 vgg 0-2", "1 block1_conv1 0-1", "2 Conv (Conv2D) 0-0", "2 Relu 1-1", "1 MaxPool (pool) 2-2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var layers []backend.Layer
			for i, l := range c.layers {
				layers = append(layers, backend.Layer{Index: i, Name: l[0], Op: l[1]})
			}
			var got []string
			for _, r := range rows(layers) {
				got = append(got, fmt.Sprintf("%d %s %d-%d", r.depth, r.label, r.from, r.last))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShapes(t *testing.T) {
	for in, want := range map[string][]int{
		"1x3x224x224": {1, 3, 224, 224}, "7": {7}, "": nil, "1x": nil, "0x3": nil, "-1x3": nil, "1,3": nil, "99999999999": nil,
	} {
		got, err := parseShape(in)
		if (err != nil) != (want == nil) || fmt.Sprint(got) != fmt.Sprint(want) && want != nil {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
		if want != nil && formatShape(got) != in {
			t.Errorf("%v is written %q, want %q", got, formatShape(got), in)
		}
	}
	if formatShape(nil) != "?" || formatShape([]int{}) != "scalar" {
		t.Errorf("nil is written %q, the empty shape %q", formatShape(nil), formatShape([]int{}))
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 14714688: "14,714,688", 138357544: "138,357,544", -1234: "-1,234", -999: "-999"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestNumbers describes tensors of every type that has numbers.
func TestNumbers(t *testing.T) {
	shape := []int{2}
	half, bhalf := onnx.Float16FromFloat32, onnx.BFloat16FromFloat32
	for _, x := range []*onnx.Tensor{
		onnx.Of(shape, []float32{1, 3}), onnx.Of(shape, []float64{1, 3}),
		onnx.Of(shape, []int8{1, 3}), onnx.Of(shape, []int16{1, 3}), onnx.Of(shape, []int32{1, 3}), onnx.Of(shape, []int64{1, 3}),
		onnx.Of(shape, []uint8{1, 3}), onnx.Of(shape, []uint16{1, 3}), onnx.Of(shape, []uint32{1, 3}), onnx.Of(shape, []uint64{1, 3}),
		onnx.Of(shape, []onnx.Float16Bits{half(1), half(3)}), onnx.Of(shape, []onnx.BFloat16Bits{bhalf(1), bhalf(3)}),
	} {
		if a := newArrayJSON(x); a.Min == nil || *a.Min != 1 || *a.Max != 3 || *a.Mean != 2 {
			t.Errorf("%v: %+v, want 1, 3, 2", x.Type, a)
		}
	}
	if a := newArrayJSON(onnx.Of(shape, []bool{false, true})); *a.Min != 0 || *a.Max != 1 || *a.Mean != 0.5 {
		t.Errorf("bool: %v %v %v", *a.Min, *a.Max, *a.Mean)
	}
	if a := newArrayJSON(onnx.New(onnx.String, 2)); a.Min != nil || a.Type != "string" {
		t.Errorf("strings: %+v", a)
	}
	if a := newArrayJSON(onnx.New(onnx.Float, 0)); a.Min != nil || a.NonFinite != 0 {
		t.Errorf("empty: %+v", a)
	}
	nan := onnx.Float16Bits(0x7e00).Float32()
	if a := newArrayJSON(onnx.Of([]int{3}, []float32{nan, 5, 1 / (nan * 0)})); *a.Min != 5 || *a.Max != 5 || a.NonFinite != 2 {
		t.Errorf("NaN: %+v", a)
	}
}

// TestLectureNumbers compares with what torchinfo prints for torchvision's VGG16 and ResNet50.
func TestLectureNumbers(t *testing.T) {
	for _, c := range []struct {
		model, file, input, unfreeze string
		want                         []string // parts of lines, in order
	}{
		{"vgg16", ".onnx", "1x3x150x150", "10", []string{
			"├─features [1, 512, 4, 4] 14,714,688 (260,160 frozen)",
			"│ └─Conv (0): 0 [1, 64, 150, 150] (1,792)",
			"│ └─Conv (2): 2 [1, 64, 150, 150] (36,928)",
			"│ └─MaxPool (4): 4 [1, 64, 75, 75] --",
			"│ └─Conv (5): 5 [1, 128, 75, 75] (73,856)",
			"│ └─Conv (10): 10 [1, 256, 37, 37] 295,168",
			"│ └─Conv (17): 17 [1, 512, 18, 18] 1,180,160",
			"│ └─Conv (28): 28 [1, 512, 9, 9] 2,359,808",
			"│ └─MaxPool (30): 30 [1, 512, 4, 4] --",
			"│ └─Gemm (0): 33 ? 102,764,544",
			"Total params: 138,357,544",
			"Trainable params: 138,097,384",
			"Non-trainable params: 260,160",
			"Total mult-adds (G): 6.62",
			"Input size (MB): 0.27",
			"Params size (MB): 553.43",
			"The first layer that does not fit this input: ",
		}},
		{"vgg16", ".onnx", "1x3x224x224", "all", []string{
			"vgg16 [1, 1000] 138,357,544", "Total mult-adds (G): 15.48", "Input size (MB): 0.60",
			"Forward/backward pass size (MB): 108.45", "Params size (MB): 553.43", "Estimated Total Size (MB): 662.49",
		}},
		{"resnet50", ".bn.onnx", "1x3x224x224", "layer4", []string{
			"├─layer1 [1, 256, 56, 56] (215,808)",
			"│ │ └─BatchNormalization (bn1): 5 [1, 64, 56, 56] (128)",
			"Total params: 25,557,032", "Total mult-adds (G): 4.09", "Forward/backward pass size (MB): 177.83", "Params size (MB): 102.23",
		}},
	} {
		t.Run(c.model+" "+c.input, func(t *testing.T) {
			var out, errs strings.Builder
			args := []string{"onnxcnn", "summary", reftest.Model(t, c.model) + c.file, "--input", c.input, "--unfreeze-from", c.unfreeze}
			if status := run(t.Context(), args, strings.NewReader(""), &out, &errs); status != 0 {
				t.Fatalf("status %d: %s", status, errs.String())
			}
			text := strings.Join(strings.Fields(strings.ReplaceAll(out.String(), "\n", " \x00 ")), " ")
			at := 0
			for _, w := range c.want {
				i := strings.Index(text[at:], w)
				if i < 0 {
					t.Fatalf("%q is not in its place:\n%s", w, out.String())
				}
				at += i + len(w)
			}
		})
	}
}

// TestSummaryOfTraining has the numbers of the usual setting: VGG16 on 150x150, flattened to 8192, a hidden layer of 256
// and one output, trained from conv3_1 on.
func TestSummaryOfTraining(t *testing.T) {
	model := reftest.Model(t, "vgg16") + ".onnx"
	for _, c := range []struct{ from, trained, frozen string }{
		{"10", "16,552,193", "260,160"}, {"none", "2,097,665", "14,714,688"}, {"all", "16,812,353", "0"},
	} {
		out := command(t, "summary", model, "--input", "1x3x150x150", "--outputs", "1", "--head", "256,relu", "--unfreeze-from", c.from)
		for _, want := range []string{"Total params: 16,812,353\n", "Trainable params: " + c.trained + "\n", "Non-trainable params: " + c.frozen + "\n",
			"Total mult-adds (G): 6.62\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("from %s: no %q in\n%s", c.from, want, out)
			}
		}
	}
}
