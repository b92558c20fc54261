package op

import (
	"context"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Where a convolution says that its output may lie in its input, it computes the same there; batches of more than one
// pass included.
func TestConvInPlace(t *testing.T) {
	for _, c := range []struct {
		name string
		x, w []int
		pad  int64
		want bool
	}{
		{"winograd", []int{3, 16, 40, 24}, []int{16, 16, 3, 3}, 1, true},
		{"several passes", []int{9, 16, 180, 180}, []int{16, 16, 3, 3}, 1, true},
		{"pointwise", []int{2, 16, 12, 12}, []int{16, 16, 1, 1}, 0, false},
		{"depthwise", []int{2, 16, 12, 12}, []int{16, 1, 3, 3}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &onnx.Node{OpType: "Conv", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, Attrs: []*onnx.Attribute{
				{Name: "pads", Type: onnx.AttrInts, Ints: []int64{c.pad, c.pad, c.pad, c.pad}},
				{Name: "group", Type: onnx.AttrInt, I: int64(c.x[1] / c.w[1])},
			}}
			o, _, err := Make(n, 13, nil)
			if err != nil {
				t.Fatal(err)
			}
			x, w := onnx.New(onnx.Float, c.x...), onnx.New(onnx.Float, c.w...)
			for i := range x.Float32s() {
				x.Float32s()[i] = float32(i*7919%1009)/1009 - 0.5
			}
			for i := range w.Float32s() {
				w.Float32s()[i] = float32(i*104729%997)/997 - 0.5
			}
			o, err = o.(Preparer).Prepare([]*onnx.Tensor{nil, w, nil})
			if err != nil {
				t.Fatal(err)
			}
			info := []Info{{Type: onnx.Float, Shape: c.x}, {Type: onnx.Float, Shape: c.w}, {}}
			if got := slices.Contains(o.(ShapedInPlacer).InPlaceFor(info), 0); got != c.want {
				t.Fatalf("in place: %v, want %v", got, c.want)
			}
			if !c.want {
				return
			}
			rt := &Runtime{Context: context.Background(), Pool: par.Shared(2)}
			y := onnx.New(onnx.Float, c.x...)
			if err := o.Run(rt, []*onnx.Tensor{x, w, nil}, []*onnx.Tensor{y}); err != nil {
				t.Fatal(err)
			}
			rt.Reset()
			if err := o.Run(rt, []*onnx.Tensor{x, w, nil}, []*onnx.Tensor{x}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x.Raw, y.Raw) {
				t.Error("the result in place differs")
			}
		})
	}
}
