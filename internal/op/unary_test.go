package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// formulas are operators of one real number with the formula they compute, for x in [lo,hi].
var formulas = []struct {
	name    string
	attrs   attrs
	f       func(float64) float64
	lo, hi  float64
	cancels float64 // absolute error where the formula itself cancels
}{
	{"Relu", nil, func(x float64) float64 { return math.Max(x, 0) }, -9, 9, 0},
	{"LeakyRelu", nil, func(x float64) float64 { return math.Max(x, 0) + float64(float32(0.01))*math.Min(x, 0) }, -9, 9, 0},
	{"LeakyRelu", attrs{"alpha": 0.25}, func(x float64) float64 { return math.Max(x, 0) + 0.25*math.Min(x, 0) }, -9, 9, 0},
	{"Elu", attrs{"alpha": 2.0}, func(x float64) float64 { return math.Max(x, 0) + 2*math.Expm1(math.Min(x, 0)) }, -90, 9, 0},
	{"Selu", nil, func(x float64) float64 {
		return 1.0507010221481323 * (math.Max(x, 0) + 1.6732631921768188*math.Expm1(math.Min(x, 0)))
	}, -9, 9, 0},
	{"Celu", attrs{"alpha": 0.5}, func(x float64) float64 { return math.Max(x, 0) + 0.5*math.Expm1(math.Min(x, 0)/0.5) }, -9, 9, 0},
	{"Celu", attrs{"alpha": -2.0}, func(x float64) float64 { return math.Max(x, 0) - 2*math.Expm1(math.Min(x, 0)/-2) }, -9, 9, 0},
	{"Sigmoid", nil, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, -90, 90, 0},
	{"HardSigmoid", nil, func(x float64) float64 { return math.Max(0, math.Min(1, float64(float32(0.2))*x+0.5)) }, -9, 9, 4e-7},
	{"HardSigmoid", attrs{"alpha": 0.5, "beta": 0.25}, func(x float64) float64 { return math.Max(0, math.Min(1, 0.5*x+0.25)) }, -9, 9, 4e-7},
	{"HardSwish", nil, func(x float64) float64 { return x * math.Max(0, math.Min(1, x/6+0.5)) }, -9, 9, 4e-7},
	{"Mish", nil, func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }, -90, 90, 0},
	{"Gelu", nil, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, -6, 90, 1e-13},
	{"Gelu", attrs{"approximate": "tanh"}, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, -4, 90, 0},
	{"Swish", nil, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, -30, 90, 0},
	{"Swish", attrs{"alpha": 1.5}, func(x float64) float64 { return x / (1 + math.Exp(-1.5*x)) }, -20, 90, 0},
	{"com.microsoft.QuickGelu", nil, func(x float64) float64 { return x / (1 + math.Exp(-float64(float32(1.702))*x)) }, -20, 90, 0},
	{"com.microsoft.Gelu", nil, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }, -6, 90, 1e-13},
	{"Tanh", nil, math.Tanh, -20, 20, 0},
	{"Softplus", nil, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, -90, 90, 0},
	{"Softsign", nil, func(x float64) float64 { return x / (1 + math.Abs(x)) }, -90, 90, 0},
	{"Sqrt", nil, math.Sqrt, 0, 90, 0},
	{"Exp", nil, math.Exp, -87, 88, 0},
	{"Log", nil, math.Log, 0.001, 90, 0},
	{"Erf", nil, math.Erf, -5, 5, 0},
	{"Abs", nil, math.Abs, -5, 5, 0},
	{"Neg", nil, func(x float64) float64 { return -x }, -5, 5, 0},
	{"Reciprocal", nil, func(x float64) float64 { return 1 / x }, 0.1, 5, 0},
	{"Sin", nil, math.Sin, -9, 9, 0},
	{"Cos", nil, math.Cos, -9, 9, 0},
	{"Tan", nil, math.Tan, -1.5, 1.5, 0},
	{"Asin", nil, math.Asin, -1, 1, 0},
	{"Acos", nil, math.Acos, -1, 1, 0},
	{"Atan", nil, math.Atan, -9, 9, 0},
	{"Sinh", nil, math.Sinh, -9, 9, 0},
	{"Cosh", nil, math.Cosh, -9, 9, 0},
	{"Asinh", nil, math.Asinh, -9, 9, 0},
	{"Acosh", nil, math.Acosh, 1, 9, 0},
	{"Atanh", nil, math.Atanh, -0.99, 0.99, 0},
}

func TestUnaryFormulas(t *testing.T) {
	const n = 5000
	for _, f := range formulas {
		x32, y32, x64, y64 := make([]float32, n), make([]float32, n), make([]float64, n), make([]float64, n)
		for i := range n {
			x := float32(f.lo + (f.hi-f.lo)*float64(i)/(n-1))
			x = min(max(x, float32(f.lo)), float32(f.hi))
			x32[i], y32[i] = x, float32(f.f(float64(x)))
			x64[i], y64[i] = float64(x), f.f(float64(x))
		}
		nd := qualified(node(f.name, 1, 1, f.attrs))
		opset := 0
		if nd.Domain != "" {
			opset = 1
		}
		runCases(t, []opCase{
			{name: f.name + " float32", opset: opset, node: nd, tol: 3e-7, in: []*onnx.Tensor{f32([]int{n}, x32...)}, want: []*onnx.Tensor{f32([]int{n}, y32...)}},
			{name: f.name + " float64", opset: opset, node: nd, tol: 1e-12, in: []*onnx.Tensor{f64([]int{n}, x64...)}, want: []*onnx.Tensor{f64([]int{n}, y64...)}},
		})
		// Relative error, where float32 is not subnormal.
		got, err := runNode(nd, opset, []*onnx.Tensor{f32([]int{n}, x32...)})
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range got[0].Float32s() {
			if w := y64[i]; math.Abs(float64(g)-w) > 3e-6*math.Abs(w)+1e-37+f.cancels {
				t.Errorf("%s(%v) = %v, want %v", f.name, x32[i], g, w)
				break
			}
		}
	}
}

// qualified moves "com.microsoft." from an operator's name to its domain.
func qualified(n *onnx.Node) *onnx.Node {
	const ms = "com.microsoft."
	if len(n.OpType) > len(ms) && n.OpType[:len(ms)] == ms {
		n.Domain, n.OpType = ms[:len(ms)-1], n.OpType[len(ms):]
	}
	return n
}

// of makes a tensor of one dimension.
func of[T onnx.Element](v ...T) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }

// ins is a case's list of inputs, or of outputs.
func ins(t ...*onnx.Tensor) []*onnx.Tensor { return t }

// one makes a row of one input and one output.
func one(name, opType string, opset int, a attrs, in, want *onnx.Tensor) opCase {
	return opCase{name: name, opset: opset, node: node(opType, 1, 1, a), in: ins(in), want: ins(want)}
}

func TestUnary(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	inf64, nan64 := math.Inf(1), math.NaN()
	runCases(t, []opCase{
		one("relu NaN", "Relu", 0, nil, of(-1, 0, 2, nan), of(0, 0, 2, nan)),
		one("relu int8", "Relu", 14, nil, of[int8](-3, 3), of[int8](0, 3)),
		one("relu int16", "Relu", 14, nil, of[int16](-3, 3), of[int16](0, 3)),
		one("relu int32", "Relu", 14, nil, of[int32](-3, 3), of[int32](0, 3)),
		one("relu int64", "Relu", 14, nil, i64([]int{2, 1}, -3, 3), i64([]int{2, 1}, 0, 3)),
		one("relu empty", "Relu", 14, nil, f32([]int{0, 2}), f32([]int{0, 2})),
		one("relu caffe2 attribute", "Relu", 1, attrs{"consumed_inputs": []int{0}}, f32(nil, -1), f32(nil, 0)),
		{name: "relu string", node: node("Relu", 1, 1, nil), in: ins(onnx.New(onnx.String, 2)), wantErr: "not supported"},
		one("leaky NaN", "LeakyRelu", 0, nil, of(nan, -inf, inf), of(nan, -inf, inf)),
		one("selu opset 1", "Selu", 1, nil, of[float32](1, -100), of[float32](1.0507, -1.0507*1.6732)),
		{name: "celu zero", node: node("Celu", 1, 1, attrs{"alpha": 0.0}), in: ins(of[float32](1)), wantErr: "alpha"},
		{name: "gelu mode", node: node("Gelu", 1, 1, attrs{"approximate": "x"}), in: ins(of[float32](1)), wantErr: "approximate"},
		one("elu infinities", "Elu", 0, nil, of(nan, -inf, inf), of(nan, -1, inf)),
		one("thresholded", "ThresholdedRelu", 10, nil, of(-1, 1, 1.5, nan), of(0, 0, 1.5, nan)),
		one("thresholded negative", "ThresholdedRelu", 22, attrs{"alpha": -2.0}, of[float64](-1, -2, 0.5), of[float64](-1, 0, 0.5)),
		one("sigmoid ends", "Sigmoid", 0, nil, of(-inf, inf, nan, -200, 200), of(0, 1, nan, 0, 1)),
		one("hard sigmoid NaN", "HardSigmoid", 0, nil, of(nan, -inf, inf), of(nan, 0, 1)),
		one("hard swish NaN", "HardSwish", 0, nil, of(nan, inf), of(nan, inf)),
		one("mish ends", "Mish", 0, nil, of(nan, inf, 100, -104), of(nan, inf, 100, 0)),
		one("softsign ends", "Softsign", 0, nil, of(inf, -inf, nan), of(1, -1, nan)),
		one("softplus ends", "Softplus", 0, nil, of(1000, -1000, nan), of(1000, 0, nan)),
		one("tanh ends", "Tanh", 0, nil, of(inf, -inf, nan, 50), of(1, -1, nan, 1)),
		one("erf ends", "Erf", 0, nil, of(inf, -inf, nan, 50), of(1, -1, nan, 1)),
		one("erf int", "Erf", 9, nil, of[int32](-9, 0, 1, 7), of[int32](-1, 0, 0, 1)),
		one("exp ends", "Exp", 0, nil, of(inf, -inf, nan, 89), of(inf, 0, nan, inf)),
		one("log ends", "Log", 0, nil, of(inf, 0, nan, -1), of(inf, -inf, nan, nan)),
		one("sqrt negative", "Sqrt", 0, nil, of[float32](-1, 4), of(nan, 2)),
		one("reciprocal zero", "Reciprocal", 0, nil, of[float32](0, 4), of(inf, 0.25)),
		one("abs int", "Abs", 6, nil, of[int8](-128, -3, 3), of[int8](-128, 3, 3)),
		one("abs uint", "Abs", 6, nil, of[uint64](1<<63, 3), of[uint64](1<<63, 3)),
		one("abs int64", "Abs", 6, nil, of[int64](-5), of[int64](5)),
		one("neg int", "Neg", 6, nil, of[int16](-3, 3), of[int16](3, -3)),
		one("sign", "Sign", 9, nil, of(-2, 0, 5, nan), of(-1, 0, 1, nan)),
		one("sign int", "Sign", 9, nil, of[int64](-2, 0, 5), of[int64](-1, 0, 1)),
		one("sign uint", "Sign", 9, nil, of[uint8](2, 0, 255), of[uint8](1, 0, 1)),
		one("floor", "Floor", 0, nil, of(-1.5, 1.5, inf), of(-2, 1, inf)),
		one("ceil", "Ceil", 0, nil, of[float64](-1.5, 1.2), of[float64](-1, 2)),
		one("round half to even", "Round", 11, nil, of[float32](0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, 2.6), of[float32](0, 2, 2, 0, -2, -2, 2, 3)),
		one("not", "Not", 1, nil, of(true, false), of(false, true)),
		one("bitwise not", "BitwiseNot", 18, nil, of[uint8](0, 0xf0), of[uint8](0xff, 0x0f)),
		one("bitwise not signed", "BitwiseNot", 18, nil, of[int32](0, 5), of[int32](-1, -6)),
		one("shrink", "Shrink", 9, attrs{"lambd": 1.5, "bias": 1.0}, of(-2, -1.5, 1.5, 2, nan), of(-1, 0, 0, 1, nan)),
		one("shrink int", "Shrink", 9, attrs{"lambd": 1.5, "bias": 1.0}, of[int32](-2, 1, 5), of[int32](-1, 0, 4)),
		one("is NaN", "IsNaN", 9, nil, of(nan, 1, inf), of(true, false, false)),
		one("is NaN float64", "IsNaN", 13, nil, of(nan64, 1, inf64), of(true, false, false)),
		one("is NaN float16", "IsNaN", 20, nil, of[onnx.Float16Bits](0x7e00, 0x7c00, 0), of(true, false, false)),
		one("is NaN float8", "IsNaN", 20, nil, &onnx.Tensor{Type: onnx.Float8E4M3FNUZ, Shape: []int{2}, Raw: []byte{0x80, 0x7f}}, of(true, false)),
		one("is inf", "IsInf", 10, nil, of(-inf, inf, nan, math.MaxFloat32), of(true, true, false, false)),
		one("is inf positive", "IsInf", 10, attrs{"detect_negative": 0}, of(-inf, inf, nan), of(false, true, false)),
		one("is inf negative", "IsInf", 10, attrs{"detect_positive": 0}, of(-inf64, inf64, nan64), of(true, false, false)),
		one("is inf float8", "IsInf", 20, nil, &onnx.Tensor{Type: onnx.Float8E5M2, Shape: []int{3}, Raw: []byte{0x7c, 0xfc, 0x7b}}, of(true, true, false)),
	})
}
