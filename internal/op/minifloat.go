package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// miniFloat is a floating-point format of 16 bits or fewer: a sign, an exponent and man bits of fraction.
type miniFloat struct {
	bits, man, bias int
	max             uint16 // greatest finite number
	nan             uint16 // positive NaN; 0 where the format has none
	inf             uint16 // infinity; 0 where the format has none
	fnuz            bool   // no negative zero: its bits are the one NaN
}

var miniFloats = map[onnx.DataType]*miniFloat{
	onnx.Float16:        {bits: 16, man: 10, bias: 15, max: 0x7bff, nan: 0x7e00, inf: 0x7c00},
	onnx.BFloat16:       {bits: 16, man: 7, bias: 127, max: 0x7f7f, nan: 0x7fc0, inf: 0x7f80},
	onnx.Float8E4M3FN:   {bits: 8, man: 3, bias: 7, max: 0x7e, nan: 0x7f},
	onnx.Float8E4M3FNUZ: {bits: 8, man: 3, bias: 8, max: 0x7f, nan: 0x80, fnuz: true},
	onnx.Float8E5M2:     {bits: 8, man: 2, bias: 15, max: 0x7b, nan: 0x7e, inf: 0x7c},
	onnx.Float8E5M2FNUZ: {bits: 8, man: 2, bias: 16, max: 0x7f, nan: 0x80, fnuz: true},
	onnx.Float6E2M3:     {bits: 6, man: 3, bias: 1, max: 0x1f},
	onnx.Float6E3M2:     {bits: 6, man: 2, bias: 3, max: 0x1f},
	onnx.Float4E2M1:     {bits: 4, man: 1, bias: 1, max: 0x7},
}

// encode rounds to the nearest number of the format, ties to even. What is beyond the greatest one, infinities
// included, becomes that one where saturate is set, else an infinity or, in formats without, a NaN. Formats without
// NaN take it for -0, as the ONNX reference does, and always saturate.
func (m *miniFloat) encode(f float64, saturate bool) uint16 {
	sign := uint16(0)
	if math.Signbit(f) {
		sign = 1 << (m.bits - 1)
	}
	if f != f {
		if m.nan == 0 {
			return 1 << (m.bits - 1)
		}
		if m.fnuz {
			sign = 0
		}
		return m.nan | sign
	}
	b := uint16(math.MaxUint16)
	a := math.Abs(f)
	switch {
	case a == 0:
		b = 0
	case !math.IsInf(a, 1):
		_, e := math.Frexp(a)
		e = max(e-1, 1-m.bias)
		// At the least exponent q below 2^man is a subnormal; a q rounded up to 2^(man+1) carries into the exponent.
		q := math.RoundToEven(math.Ldexp(a, m.man-e))
		if whole := float64((e+m.bias-1)<<m.man) + q; whole <= float64(m.max) {
			b = uint16(whole)
		}
	}
	if b == math.MaxUint16 {
		switch {
		case saturate || m.nan == 0:
			b = m.max
		case m.inf != 0:
			b = m.inf
		case m.fnuz:
			return m.nan
		default:
			b = m.nan
		}
	}
	if b == 0 && m.fnuz {
		return 0
	}
	return b | sign
}

// decode returns the exact value of a number of the format.
func (m *miniFloat) decode(b uint16) float64 {
	sign := 1.0
	a := b &^ (1 << (m.bits - 1))
	if a != b {
		sign = -1
	}
	switch {
	case m.fnuz && b == m.nan, !m.fnuz && m.nan != 0 && a > m.max && a != m.inf:
		return math.NaN()
	case m.inf != 0 && a == m.inf:
		return math.Inf(int(sign))
	}
	e := int(a >> m.man)
	q := float64(a & (1<<m.man - 1))
	if e == 0 {
		e = 1
	} else {
		q += float64(uint(1) << m.man)
	}
	return math.Copysign(math.Ldexp(q, e-m.bias-m.man), sign)
}

// Numbers of Float8E8M0 are powers of two, 2^(bits-127); there is neither zero nor sign, and 255 is NaN.
const e8m0NaN = 255

// encodeE8M0 rounds up, down or to the nearest power of two (ties up). Numbers out of range become the nearest end of
// it where saturate is set, else NaN; so does a sign, of which the format has none.
func encodeE8M0(f float64, saturate bool, round string) uint8 {
	a := math.Abs(f)
	switch {
	case a != a:
		return e8m0NaN
	case a == 0:
		if saturate {
			return 0
		}
		return e8m0NaN
	case math.IsInf(a, 1):
		if saturate {
			return e8m0NaN - 1
		}
		return e8m0NaN
	}
	m, e := math.Frexp(a) // m in [1/2,1)
	e--
	switch round {
	case "up":
		if m > 0.5 {
			e++
		}
	case "nearest":
		if m >= 0.75 {
			e++
		}
	}
	if e < -127 || e > 127 {
		if !saturate {
			return e8m0NaN
		}
		e = min(max(e, -127), 127)
	}
	return uint8(e + 127)
}

func decodeE8M0(b uint8) float64 {
	if b == e8m0NaN {
		return math.NaN()
	}
	return math.Ldexp(1, int(b)-127)
}
