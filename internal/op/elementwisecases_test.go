package op

import "testing"

// The ONNX project's own cases of the operators that work element by element, and of those on quantised tensors.
func TestElementwiseNodeCases(t *testing.T) {
	for _, name := range []string{
		"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Clip", "Sigmoid", "HardSigmoid",
		"HardSwish", "Tanh", "Softplus", "Softsign", "Erf", "Sqrt", "Exp", "Log", "Abs", "Neg", "Sign", "Floor", "Ceil",
		"Round", "Reciprocal", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh",
		"Not", "IsNaN", "IsInf", "Shrink",
		"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
		"And", "Or", "Xor", "BitShift", "Min", "Max", "Sum", "Mean", "Where", "Cast", "CastLike",
		"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv",
	} {
		t.Run(name, func(t *testing.T) { runNodeCases(t, name, nil) })
	}
}
