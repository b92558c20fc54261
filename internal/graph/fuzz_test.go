package graph

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// fuzzLimit keeps runs of made-up models small.
const fuzzLimit = 1 << 24

// fuzzSeeds are cases of libonnx-testdata with operators that decide about shapes, memory and sub-graphs.
var fuzzSeeds = []string{
	"node/test_if", "node/test_loop11", "node/test_nonzero_example", "node/test_reshape_reordered_all_dims", "node/test_split_equal_parts_1d",
	"node/test_conv_with_strides_padding", "node/test_convtranspose", "node/test_maxpool_2d_ceil", "node/test_averagepool_2d_pads_count_include_pad",
	"node/test_resize_upsample_scales_cubic", "node/test_einsum_batch_matmul", "node/test_gather_elements_1", "node/test_scatternd",
	"node/test_slice_neg_steps", "node/test_tile", "node/test_top_k", "node/test_onehot_with_axis", "node/test_range_float_type_positive_delta",
	"node/test_constant_pad", "node/test_expand_dim_changed", "node/test_cumsum_2d_axis_1", "node/test_lrn", "node/test_layer_normalization_4d_axis1",
	"node/test_batchnorm_example", "node/test_qlinearconv", "node/test_qlinearmatmul_3D", "node/test_dequantizelinear_axis", "node/test_softmax_axis_1",
	"node/test_unique_sorted_with_axis_3d", "node/test_compress_0", "node/test_depthtospace_example", "node/test_cast_FLOAT_to_STRING",
	"node/test_gemm_all_attributes", "node/test_matmul_4d", "node/test_pow_types_float32_int64", "node/test_where_long_example", "node/test_reduce_sum_default_axes_keepdims_random",
	"simple/test_shrink", "pytorch-converted/test_Conv2d_groups", "pytorch-operator/test_operator_view",
}

// Whatever the bytes of a model are: reading, compiling and running it on small inputs gives a result or an error, and
// takes little memory.
func FuzzCompile(f *testing.F) {
	add := func(m *onnx.Model) {
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), uint64(1))
	}
	add(residualNet(rand.New(rand.NewPCG(1, 1))))
	for seed := range uint64(20) {
		m, _ := randomModel(rand.New(rand.NewPCG(seed, 0)))
		add(m)
	}
	for _, seed := range fuzzSeeds {
		if data, err := os.ReadFile(filepath.Join("/usr/share/libonnx-testdata/data", seed, "model.onnx")); err == nil {
			f.Add(data, uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		reftest.Fuzzed(len(data))
		m, err := onnx.Parse(data)
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		Check(m)
		for _, noFuse := range []bool{false, true} {
			p, err := Compile(m, Options{Pool: testPool, Limit: fuzzLimit, NoFuse: noFuse})
			if err != nil {
				continue
			}
			in := map[string]*onnx.Tensor{}
			for _, v := range p.Inputs() {
				in[v.Name] = madeUp(r, v)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			_, _ = p.Run(ctx, in)
			_, _ = p.Run(ctx, in)
			cancel()
		}
	})
}

// madeUp returns a small tensor for an input.
func madeUp(r *rand.Rand, v *onnx.Value) *onnx.Tensor {
	typ, shape := onnx.Float, []int{}
	if v.Type != nil {
		if v.Type.Elem.Known() {
			typ = v.Type.Elem
		}
		for _, d := range v.Type.Shape {
			size := d.Size
			if size < 0 || d.Param != "" {
				size = 1 + r.IntN(3)
			}
			shape = append(shape, size)
		}
	}
	if _, err := sizeOf(typ, shape, 1<<16); err != nil {
		shape = []int{}
	}
	t := onnx.New(typ, shape...)
	for i := range t.Raw {
		t.Raw[i] = byte(r.IntN(3))
	}
	if typ == onnx.Float {
		for i := range t.Float32s() {
			t.Float32s()[i] = float32(r.NormFloat64())
		}
	}
	if typ == onnx.Bool {
		for i := range t.Raw {
			t.Raw[i] &= 1
		}
	}
	return t
}
