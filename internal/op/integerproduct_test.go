package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// randomBytes returns random numbers of the whole range of an 8-bit type.
func randomBytes(r *rand.Rand, t onnx.DataType, shape ...int) *onnx.Tensor {
	x := onnx.New(t, shape...)
	for i := range x.Raw {
		x.Raw[i] = byte(r.Uint32())
	}
	return x
}

// at8 returns element i of an 8-bit tensor less its zero point, element z of zero (0 where zero is nil).
func at8(x *onnx.Tensor, i int, zero *onnx.Tensor, z int) int {
	v := func(t *onnx.Tensor, i int) int {
		if t.Type == onnx.Int8 {
			return int(int8(t.Raw[i]))
		}
		return int(t.Raw[i])
	}
	if zero == nil {
		return v(x, i)
	}
	return v(x, i) - v(zero, z%zero.Len())
}

// requantised is the formula of the QLinear operators.
func requantised(t onnx.DataType, sum int, factor float64, zero int) byte {
	lo, hi, _ := quantRange(t)
	return byte(int32(min(max(math.RoundToEven(float64(sum)*factor)+float64(zero), float64(lo)), float64(hi))))
}

func TestMatMulInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name         string
		batch        int
		m, n, k      int
		ta, tb       onnx.DataType
		zeroA, zeroB []int // shapes; nil: absent
	}{
		{"plain", 1, 3, 4, 5, onnx.Uint8, onnx.Int8, nil, nil},
		{"zero points", 1, 3, 4, 5, onnx.Uint8, onnx.Uint8, []int{}, []int{1}},
		{"by row and column", 2, 3, 4, 5, onnx.Int8, onnx.Uint8, []int{3}, []int{4}},
		{"long sums are exact", 1, 2, 3, 1000, onnx.Uint8, onnx.Uint8, []int{}, []int{}},
		{"one element", 1, 1, 1, 1, onnx.Int8, onnx.Int8, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := randomBytes(r, c.ta, c.batch, c.m, c.k), randomBytes(r, c.tb, c.k, c.n)
			for i := range 40 { // extremes
				a.Raw[i%len(a.Raw)], b.Raw[i%len(b.Raw)] = 255, 255
			}
			in := ins(a, b, nil, nil)
			if c.zeroA != nil {
				in[2] = randomBytes(r, c.ta, c.zeroA...)
			}
			if c.zeroB != nil {
				in[3] = randomBytes(r, c.tb, c.zeroB...)
			}
			want := make([]int32, c.batch*c.m*c.n)
			for i := range c.batch * c.m {
				for j := range c.n {
					for p := range c.k {
						want[i*c.n+j] += int32(at8(a, i*c.k+p, in[2], i%c.m) * at8(b, p*c.n+j, in[3], j))
					}
				}
			}
			n := node("MatMulInteger", 4, 1, nil)
			runCases(t, []opCase{{name: "int32", node: n, in: in, want: ins(i32([]int{c.batch, c.m, c.n}, want...))}})

			zero := func(t *onnx.Tensor, typ onnx.DataType) *onnx.Tensor {
				if t == nil {
					return onnx.New(typ)
				}
				return t
			}
			zy := i8(nil, -7)
			scaleA := make([]float32, c.m)
			for i := range scaleA {
				scaleA[i] = 0.25 * float32(1+i%2)
			}
			q := make([]int8, len(want))
			for i, v := range want {
				q[i] = int8(requantised(onnx.Int8, int(v), float64(scaleA[i/c.n%c.m])*0.5/8, -7))
			}
			runCases(t, []opCase{{name: "quantised", node: node("QLinearMatMul", 8, 1, nil),
				in:   ins(a, of(scaleA...), zero(in[2], c.ta), b, f32(nil, 0.5), zero(in[3], c.tb), f32(nil, 8), zy),
				want: ins(i8([]int{c.batch, c.m, c.n}, q...))}})
		})
	}
	a, b := u8([]int{2, 3}, 1, 2, 3, 4, 5, 6), u8([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	m, q := node("MatMulInteger", 4, 1, nil), node("QLinearMatMul", 8, 1, nil)
	one, z := f32(nil, 1), u8(nil, 0)
	runCases(t, []opCase{
		{name: "vectors", node: m, in: ins(of[uint8](1, 2, 3), of[int8](1, -2, 3), nil, nil), want: ins(i32(nil, 6))},
		{name: "empty sum", node: m, in: ins(u8([]int{2, 0}), u8([]int{0, 2}), nil, nil), want: ins(i32([]int{2, 2}, 0, 0, 0, 0))},
		{name: "empty", node: m, in: ins(u8([]int{0, 2}), u8([]int{2, 2}, 1, 2, 3, 4), nil, nil), want: ins(i32([]int{0, 2}))},
		{name: "per column scale", node: q, in: ins(a, one, z, b, of[float32](1, 0.5), of[uint8](0, 1), one, z), want: ins(u8([]int{2, 2}, 22, 11, 49, 24))},
		{name: "half scales", node: q, in: ins(a, onnx.Of(nil, []onnx.Float16Bits{0x3c00}), z, b, onnx.Of(nil, []onnx.Float16Bits{0x3c00}), z,
			onnx.Of(nil, []onnx.Float16Bits{0x3c00}), z), want: ins(u8([]int{2, 2}, 22, 28, 49, 64))},
		{name: "type of a", node: m, in: ins(of[float32](1), b, nil, nil), wantErr: "operand a"},
		{name: "type of b", node: m, in: ins(a, of[int32](1), nil, nil), wantErr: "operand b"},
		{name: "type of zero a", node: m, in: ins(a, b, i8(nil, 1), nil), wantErr: "zero point of a"},
		{name: "type of zero b", node: m, in: ins(a, b, nil, i8(nil, 1)), wantErr: "zero point of b"},
		{name: "shape of zero a", node: m, in: ins(a, b, of[uint8](1, 2, 3), nil), wantErr: "zero point of a"},
		{name: "shape of zero b", node: m, in: ins(a, b, nil, of[uint8](1, 2, 3)), wantErr: "zero point of b"},
		{name: "column of zero b", node: m, in: ins(a, b, nil, u8([]int{3, 1}, 1, 2, 3)), wantErr: "zero point of b"},
		{name: "shapes", node: m, in: ins(a, a, nil, nil), wantErr: "differ"},
		{name: "left out", node: q, in: ins(a, one, nil, b, one, z, one, z), wantErr: "input 2"},
		{name: "scale's type", node: q, in: ins(a, f64(nil, 1), z, b, one, z, one, z), wantErr: "float64"},
		{name: "scale's shape", node: q, in: ins(a, of[float32](1, 2, 3), z, b, one, z, one, z), wantErr: "scale of a"},
		{name: "scale b's shape", node: q, in: ins(a, one, z, b, of[float32](1, 2, 3), z, one, z), wantErr: "scale of b"},
		{name: "scale y's shape", node: q, in: ins(a, one, z, b, one, z, of[float32](1, 2), z), wantErr: "scale of y"},
		{name: "zero y's type", node: q, in: ins(a, one, z, b, one, z, one, i32(nil, 0)), wantErr: "int32"},
		{name: "shapes q", node: q, in: ins(a, one, z, a, one, z, one, z), wantErr: "differ"},
	})
}

func TestConvInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name   string
		x, w   []int
		tx, tw onnx.DataType
		group  int
		stride []int
		dil    []int
		pads   []int
		zeroX  bool
		zeroW  int // number of elements
	}{
		{"1x1", []int{2, 3, 4, 5}, []int{4, 3, 1, 1}, onnx.Uint8, onnx.Int8, 1, []int{1, 1}, []int{1, 1}, []int{0, 0, 0, 0}, true, 0},
		{"3x3", []int{1, 3, 7, 6}, []int{4, 3, 3, 3}, onnx.Uint8, onnx.Uint8, 1, []int{1, 1}, []int{1, 1}, []int{1, 1, 1, 1}, true, 1},
		{"groups, stride, dilation", []int{2, 4, 9, 8}, []int{6, 2, 3, 2}, onnx.Int8, onnx.Int8, 2, []int{2, 1}, []int{2, 3}, []int{1, 0, 2, 1}, true, 6},
		{"depthwise", []int{1, 3, 5, 5}, []int{3, 1, 3, 3}, onnx.Uint8, onnx.Int8, 3, []int{2, 2}, []int{1, 1}, []int{1, 1, 1, 1}, false, 3},
		{"long sums", []int{1, 64, 4, 4}, []int{2, 64, 3, 3}, onnx.Uint8, onnx.Uint8, 1, []int{1, 1}, []int{1, 1}, []int{1, 1, 1, 1}, true, 1},
		{"one axis", []int{1, 2, 3000}, []int{3, 2, 5}, onnx.Uint8, onnx.Int8, 1, []int{1}, []int{1}, []int{2, 2}, true, 0},
		{"three axes", []int{1, 2, 3, 4, 5}, []int{3, 2, 2, 2, 2}, onnx.Uint8, onnx.Int8, 1, []int{1, 1, 1}, []int{1, 1, 1}, []int{0, 1, 0, 1, 0, 1}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, w := randomBytes(r, c.tx, c.x...), randomBytes(r, c.tw, c.w...)
			in := ins(x, w, nil, nil)
			if c.zeroX {
				in[2] = randomBytes(r, c.tx)
			}
			if c.zeroW == 1 {
				in[3] = randomBytes(r, c.tw)
			} else if c.zeroW > 1 {
				in[3] = randomBytes(r, c.tw, c.zeroW)
			}
			spatial := len(c.x) - 2
			out := []int{c.x[0], c.w[0]}
			for d := range spatial {
				out = append(out, (c.x[2+d]+c.pads[d]+c.pads[spatial+d]-(c.w[2+d]-1)*c.dil[d]-1)/c.stride[d]+1)
			}
			want := make([]int32, prod(out))
			perW := prod(c.w[1:])
			for i := range want {
				rest, pos := i, make([]int, spatial)
				for d := spatial - 1; d >= 0; d-- {
					pos[d] = rest % out[2+d]
					rest /= out[2+d]
				}
				m, b := rest%c.w[0], rest/c.w[0]
				for k := range perW {
					r, at, inside := k, 0, true
					step := 1
					for d := spatial - 1; d >= 0; d-- {
						p := pos[d]*c.stride[d] + r%c.w[2+d]*c.dil[d] - c.pads[d]
						r /= c.w[2+d]
						inside = inside && p >= 0 && p < c.x[2+d]
						at += p * step
						step *= c.x[2+d]
					}
					if inside {
						ch := m/(c.w[0]/c.group)*c.w[1] + r
						want[i] += int32(at8(x, (b*c.x[1]+ch)*step+at, in[2], 0) * at8(w, m*perW+k, in[3], m))
					}
				}
			}
			a := attrs{"group": c.group, "strides": c.stride, "dilations": c.dil, "pads": c.pads}
			runCases(t, []opCase{{name: "int32", node: node("ConvInteger", 4, 1, a), in: in, want: ins(i32(out, want...))}})

			scaleW, bias := make([]float32, c.w[0]), make([]int32, c.w[0])
			for m := range scaleW {
				scaleW[m], bias[m] = 0.25*float32(1+m%3), int32(100*m)
			}
			q := make([]uint8, len(want))
			for i, v := range want {
				m := i / prod(out[2:]) % c.w[0]
				q[i] = requantised(onnx.Uint8, int(v)+int(bias[m]), 0.5*float64(scaleW[m])/64, 100)
			}
			zx, zw := in[2], in[3]
			if zx == nil {
				zx = onnx.New(c.tx)
			}
			if zw == nil {
				zw = onnx.New(c.tw)
			}
			runCases(t, []opCase{{name: "quantised", node: node("QLinearConv", 9, 1, a),
				in:   ins(x, f32(nil, 0.5), zx, w, of(scaleW...), zw, f32(nil, 64), u8(nil, 100), of(bias...)),
				want: ins(u8(out, q...))}})
		})
	}
	x, w := u8([]int{1, 1, 2, 2}, 1, 2, 3, 4), u8([]int{1, 1, 1, 1}, 2)
	c, q := node("ConvInteger", 4, 1, nil), node("QLinearConv", 9, 1, nil)
	one, z := f32(nil, 1), u8(nil, 0)
	runCases(t, []opCase{
		{name: "no bias", node: q, in: ins(x, one, z, w, one, z, one, z, nil), want: ins(u8([]int{1, 1, 2, 2}, 2, 4, 6, 8))},
		{name: "type of x", node: c, in: ins(of[float32](1), w, nil, nil), wantErr: "input is of type"},
		{name: "type of w", node: c, in: ins(x, of[float32](1), nil, nil), wantErr: "weight is of type"},
		{name: "zero x type", node: c, in: ins(x, w, i8(nil, 1), nil), wantErr: "zero point of the input"},
		{name: "zero w type", node: c, in: ins(x, w, nil, i8(nil, 1)), wantErr: "zero point of the weight"},
		{name: "zero x shape", node: c, in: ins(x, w, of[uint8](1, 2), nil), wantErr: "zero point of the input"},
		{name: "zero w shape", node: c, in: ins(x, w, nil, of[uint8](1, 2)), wantErr: "zero point of the weight"},
		{name: "shapes", node: c, in: ins(x, u8([]int{1, 2, 1, 1}, 1, 2), nil, nil), wantErr: "channels"},
		{name: "left out", node: q, in: ins(x, one, nil, w, one, z, one, z, nil), wantErr: "input 2"},
		{name: "q shapes", node: q, in: ins(x, one, z, u8([]int{1, 2, 1, 1}, 1, 2), one, z, one, z, nil), wantErr: "channels"},
		{name: "scale type", node: q, in: ins(x, f64(nil, 1), z, w, one, z, one, z, nil), wantErr: "float64"},
		{name: "scale shape", node: q, in: ins(x, of[float32](1, 2), z, w, one, z, one, z, nil), wantErr: "scale of x"},
		{name: "scale w shape", node: q, in: ins(x, one, z, w, of[float32](1, 2), z, one, z, nil), wantErr: "scale of the weight"},
		{name: "zero y type", node: q, in: ins(x, one, z, w, one, z, one, one, nil), wantErr: "float32"},
		{name: "bias", node: q, in: ins(x, one, z, w, one, z, one, z, one), wantErr: "bias"},
		{name: "group", node: node("ConvInteger", 2, 1, attrs{"group": 0}), in: ins(x, w), wantErr: "group"},
	})
}
