package features

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestPool(t *testing.T) {
	nan := float32(math.NaN())
	nchw := onnx.Of([]int{2, 2, 1, 2}, []float32{1, 3, 10, -10, 5, 5, 0, 1})
	nhwc := onnx.Of([]int{2, 1, 2, 2}, []float32{1, 10, 3, -10, 5, 0, 5, 1})
	for _, c := range []struct {
		name  string
		in    *onnx.Tensor
		n     int
		how   Pool
		last  bool
		want  []float32
		shape []int
	}{
		{"auto, rank 4", nchw, 2, PoolAuto, false, []float32{2, 0, 5, 0.5}, []int{2}},
		{"avg, channels last", nhwc, 2, PoolAvg, true, []float32{2, 0, 5, 0.5}, []int{2}},
		{"max", nchw, 2, PoolMax, false, []float32{3, 10, 5, 1}, []int{2}},
		{"max, channels last", nhwc, 2, PoolMax, true, []float32{3, 10, 5, 1}, []int{2}},
		{"max keeps NaN", onnx.Of([]int{1, 1, 1, 3}, []float32{1, nan, 2}), 1, PoolMax, false, []float32{nan}, []int{1}},
		{"flatten", nchw, 2, PoolFlatten, false, nchw.Float32s(), []int{4}},
		{"none", nchw, 2, PoolNone, false, nchw.Float32s(), []int{2, 1, 2}},
		{"auto, rank 2", onnx.Of([]int{2, 2}, []float32{1, 2, 3, 4}), 2, PoolAuto, false, []float32{1, 2, 3, 4}, []int{2}},
		{"avg, rank 2", onnx.Of([]int{2, 2}, []float32{1, 2, 3, 4}), 2, PoolAvg, false, []float32{1, 2, 3, 4}, []int{2}},
		{"auto, rank 3", onnx.Of([]int{1, 2, 1}, []float32{1, 2}), 1, PoolAuto, false, []float32{1, 2}, []int{2, 1}},
		{"rank 1", onnx.Of([]int{2}, []float32{1, 2}), 2, PoolAuto, false, []float32{1, 2}, []int{1}},
		{"rank 1, avg", onnx.Of([]int{2}, []float32{1, 2}), 2, PoolAvg, false, []float32{1, 2}, []int{1}},
		{"one image without batch dimension", onnx.Of([]int{3}, []float32{1, 2, 3}), 1, PoolAuto, false, []float32{1, 2, 3}, []int{3}},
		{"float64", onnx.Of([]int{1, 1}, []float64{1.5}), 1, PoolAuto, false, []float32{1.5}, []int{1}},
		{"int8", onnx.Of([]int{1, 1}, []int8{-3}), 1, PoolAuto, false, []float32{-3}, []int{1}},
		{"uint8", onnx.Of([]int{1, 1}, []uint8{200}), 1, PoolAuto, false, []float32{200}, []int{1}},
		{"int32", onnx.Of([]int{1, 1}, []int32{70000}), 1, PoolAuto, false, []float32{70000}, []int{1}},
		{"int64", onnx.Of([]int{1, 1}, []int64{5}), 1, PoolAuto, false, []float32{5}, []int{1}},
		{"float16", onnx.Of([]int{1, 1}, []onnx.Float16Bits{0x3e00}), 1, PoolAuto, false, []float32{1.5}, []int{1}},
		{"bfloat16", onnx.Of([]int{1, 1}, []onnx.BFloat16Bits{0x3fc0}), 1, PoolAuto, false, []float32{1.5}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, shape, err := pool(c.in, c.n, c.how, c.last)
			if err != nil {
				t.Fatal(err)
			}
			equal := cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })
			if diff := cmp.Diff(c.want, got, equal) + cmp.Diff(c.shape, shape); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, c := range []struct {
		name string
		in   *onnx.Tensor
		n    int
		how  Pool
	}{
		{"avg of rank 3", onnx.Of([]int{1, 2, 1}, []float32{1, 2}), 1, PoolAvg},
		{"avg of nothing", onnx.Of([]int{1, 2, 0, 1}, []float32{}), 1, PoolAvg},
		{"uneven", onnx.Of([]int{3}, []float32{1, 2, 3}), 2, PoolNone},
		{"no rows", onnx.Of([]int{0}, []float32{}), 0, PoolNone},
		{"strings", &onnx.Tensor{Type: onnx.String, Shape: []int{1}}, 1, PoolNone},
	} {
		if _, _, err := pool(c.in, c.n, c.how, false); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func TestParsePool(t *testing.T) {
	for in, want := range map[string]Pool{"": PoolAuto, "auto": PoolAuto, "none": PoolNone, "avg": PoolAvg, "max": PoolMax, "flatten": PoolFlatten} {
		if got, err := ParsePool(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	if _, err := ParsePool("mean"); err == nil {
		t.Error("mean is a pool")
	}
}
