package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Cast", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		o := cast{}
		var err error
		if a := s.Node.Attr("to"); a == nil {
			err = fmt.Errorf(`attribute "to" is missing`)
		} else if s.Opset < 6 {
			o.to, err = typeNamed(s.String("to", ""))
		} else {
			o.to = onnx.DataType(s.Int("to", 0))
		}
		if err == nil && !convertible(o.to) {
			err = fmt.Errorf(`attribute "to": type %v is not supported`, o.to)
		}
		if err == nil {
			o.opt, err = s.castOptions()
		}
		return o, err
	}})
	register(Def{Type: "CastLike", Since: 15, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		opt, err := s.castOptions()
		return cast{opt: opt}, err
	}})
}

// castOptions reads saturate (opset 19) and round_mode (opset 24).
func (s *Spec) castOptions() (castOptions, error) {
	o := castOptions{saturate: s.Bool("saturate", true), round: s.String("round_mode", "up")}
	switch o.round {
	case "up", "down", "nearest":
		return o, nil
	}
	return o, fmt.Errorf(`attribute "round_mode": %q is not up, down or nearest`, o.round)
}

// typeNamed is the type of a name as opset 1 has it: "FLOAT".
func typeNamed(name string) (onnx.DataType, error) {
	names := map[string]onnx.DataType{
		"FLOAT": onnx.Float, "UINT8": onnx.Uint8, "INT8": onnx.Int8, "UINT16": onnx.Uint16, "INT16": onnx.Int16,
		"INT32": onnx.Int32, "INT64": onnx.Int64, "STRING": onnx.String, "BOOL": onnx.Bool, "FLOAT16": onnx.Float16,
		"DOUBLE": onnx.Double, "UINT32": onnx.Uint32, "UINT64": onnx.Uint64,
	}
	if t, ok := names[name]; ok {
		return t, nil
	}
	return 0, fmt.Errorf(`attribute "to": there is no type %q`, name)
}

// cast converts to another element type, an attribute or (CastLike) that of the second input.
//
//   - Floating-point types round to nearest, ties to even; out of range becomes infinity. The float8 types saturate, or
//     without attribute saturate become infinity or NaN.
//   - Floating-point to integer cuts the fraction. What is out of range, which ONNX leaves undefined, becomes the
//     nearest number of the type, and NaN 0: the same on every machine. Integers under 8 bits keep the low bits of
//     the cut number, as the ONNX reference does.
//   - Integer to integer keeps the low bits.
//   - Everything but 0 (NaN, too) is true; truth values are 1 and 0.
//   - Strings are numbers in decimal.
type cast struct {
	to  onnx.DataType // Undefined: that of the second input
	opt castOptions
}

func (cast) InPlace() []int { return []int{0} }

func (o cast) Infer(in []Info) ([]Info, error) {
	if !convertible(in[0].Type) {
		return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
	}
	to := o.to
	if to == onnx.Undefined {
		to = in[1].Type
		if !convertible(to) {
			return nil, fmt.Errorf("target type %v is not supported", to)
		}
	}
	return []Info{{Type: to, Shape: in[0].Shape}}, nil
}

func (o cast) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	return castTensor(rt, in[0], out[0], o.opt)
}
