package op

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// castOptions are the attributes of Cast that matter for the small floating-point types.
type castOptions struct {
	saturate bool   // float8: out of range becomes the greatest number
	round    string // float8e8m0: "up", "down" or "nearest"; "" means up
}

// CastTensor returns x in another element type, by the rules of Cast; x itself where it is of that type.
func CastTensor(x *onnx.Tensor, to onnx.DataType) (*onnx.Tensor, error) {
	if x.Type == to {
		return x, nil
	}
	if !convertible(x.Type) || !convertible(to) {
		return nil, fmt.Errorf("%v does not convert to %v", x.Type, to)
	}
	y := onnx.New(to, x.Shape...)
	y.Name, y.Doc = x.Name, x.Doc
	return y, castTensor(&Runtime{}, x, y, castOptions{saturate: true})
}

// castTensor writes x's elements to y in y's type, by the rules of [cast].
func castTensor(rt *Runtime, x, y *onnx.Tensor, opt castOptions) error {
	if opt.round == "" {
		opt.round = "up"
	}
	switch {
	case x.Type == onnx.String && y.Type == onnx.String:
		copy(y.Strings, x.Strings)
		return nil
	case x.Type == y.Type:
		copy(y.Raw, x.Raw)
		return nil
	case x.Type == onnx.String:
		return parseStrings(x, y, opt)
	case y.Type == onnx.String:
		formatStrings(x, y)
		return nil
	}
	if k := directCasts[[2]onnx.DataType{x.Type, y.Type}]; k != nil {
		k(rt, x, y)
		return nil
	}
	// Pieces begin at whole bytes of packed types.
	rt.Pool.For(y.Len(), costlyGrain, func(lo, hi int) {
		var f [256]float64
		var n [256]int64
		for ; lo < hi; lo += len(f) {
			size := min(len(f), hi-lo)
			if isWhole(x.Type) {
				readInts(x, lo, n[:size])
				writeInts(y, lo, n[:size], x.Type == onnx.Uint64, opt)
			} else {
				readFloats(x, lo, f[:size])
				writeFloats(y, lo, f[:size], opt)
			}
		}
	})
	return nil
}

// directCasts are the conversions that networks do often.
var directCasts = map[[2]onnx.DataType]kernel1{
	{onnx.Float, onnx.Double}: loop1(cheapGrain, func(y []float64, x []float32) {
		for i, v := range x {
			y[i] = float64(v)
		}
	}),
	{onnx.Double, onnx.Float}: loop1(cheapGrain, func(y []float32, x []float64) {
		for i, v := range x {
			y[i] = float32(v)
		}
	}),
	{onnx.Float, onnx.Float16}: loop1(cheapGrain, func(y []onnx.Float16Bits, x []float32) {
		for i, v := range x {
			y[i] = onnx.Float16FromFloat32(v)
		}
	}),
	{onnx.Float16, onnx.Float}: loop1(cheapGrain, func(y []float32, x []onnx.Float16Bits) {
		for i, v := range x {
			y[i] = v.Float32()
		}
	}),
	{onnx.Float, onnx.BFloat16}: loop1(cheapGrain, func(y []onnx.BFloat16Bits, x []float32) {
		for i, v := range x {
			y[i] = onnx.BFloat16FromFloat32(v)
		}
	}),
	{onnx.BFloat16, onnx.Float}: loop1(cheapGrain, func(y []float32, x []onnx.BFloat16Bits) {
		for i, v := range x {
			y[i] = v.Float32()
		}
	}),
	{onnx.Uint8, onnx.Float}: loop1(cheapGrain, func(y []float32, x []uint8) {
		for i, v := range x {
			y[i] = float32(v)
		}
	}),
	{onnx.Bool, onnx.Float}: loop1(cheapGrain, func(y []float32, x []bool) {
		for i, v := range x {
			y[i] = 0
			if v {
				y[i] = 1
			}
		}
	}),
}

// convertible reports whether castTensor knows the type.
func convertible(t onnx.DataType) bool {
	return t.Known() && t != onnx.Complex64 && t != onnx.Complex128
}

// isWhole reports whether elements are whole numbers or truth values.
func isWhole(t onnx.DataType) bool {
	switch t {
	case onnx.Bool, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64,
		onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		return true
	}
	return false
}

// packed returns element i of elements of that many bits, under 8, as they lie in memory: without gaps, from the lowest bit
// of each byte on.
func packed(raw []byte, i, bits int) uint8 {
	at, shift := i*bits/8, i*bits%8
	v := uint16(raw[at]) >> shift
	if shift+bits > 8 {
		v |= uint16(raw[at+1]) << (8 - shift)
	}
	return uint8(v) & (1<<bits - 1)
}

// setPacked sets element i. Elements are set in order, from one on that begins a byte: the first one in a byte clears the
// rest of it.
func setPacked(raw []byte, i, bits int, v uint8) {
	v &= 1<<bits - 1
	at, shift := i*bits/8, i*bits%8
	if shift == 0 {
		raw[at] = v
		return
	}
	raw[at] |= v << shift
	if shift+bits > 8 {
		raw[at+1] = v >> (8 - shift)
	}
}

// readInts reads whole numbers from element lo on; Uint64 as the int64 of the same bits.
func readInts(x *onnx.Tensor, lo int, n []int64) {
	switch x.Type {
	case onnx.Bool:
		for i, v := range onnx.Data[bool](x)[lo : lo+len(n)] {
			n[i] = 0
			if v {
				n[i] = 1
			}
		}
	case onnx.Uint4, onnx.Uint2:
		bits := x.Type.Bits()
		for i := range n {
			n[i] = int64(packed(x.Raw, lo+i, bits))
		}
	case onnx.Int4, onnx.Int2:
		bits := x.Type.Bits()
		for i := range n {
			n[i] = int64(int8(packed(x.Raw, lo+i, bits)<<(8-bits)) >> (8 - bits))
		}
	default:
		intReaders[x.Type](x, lo, n)
	}
}

var intReaders = map[onnx.DataType]func(x *onnx.Tensor, lo int, n []int64){
	onnx.Int8: toInt64s[int8], onnx.Int16: toInt64s[int16], onnx.Int32: toInt64s[int32], onnx.Int64: toInt64s[int64],
	onnx.Uint8: toInt64s[uint8], onnx.Uint16: toInt64s[uint16], onnx.Uint32: toInt64s[uint32], onnx.Uint64: toInt64s[uint64],
}

func toInt64s[T integer](t *onnx.Tensor, lo int, n []int64) {
	x := onnx.Data[T](t)[lo:]
	for i := range n {
		n[i] = int64(x[i])
	}
}

// readFloats reads floating-point numbers from element lo on.
func readFloats(x *onnx.Tensor, lo int, f []float64) {
	switch x.Type {
	case onnx.Float:
		for i, v := range x.Float32s()[lo : lo+len(f)] {
			f[i] = float64(v)
		}
	case onnx.Double:
		copy(f, onnx.Data[float64](x)[lo:])
	case onnx.Float16:
		for i, v := range onnx.Data[onnx.Float16Bits](x)[lo : lo+len(f)] {
			f[i] = float64(v.Float32())
		}
	case onnx.BFloat16:
		for i, v := range onnx.Data[onnx.BFloat16Bits](x)[lo : lo+len(f)] {
			f[i] = float64(v.Float32())
		}
	case onnx.Float8E8M0:
		for i, v := range x.Raw[lo : lo+len(f)] {
			f[i] = decodeE8M0(v)
		}
	case onnx.Float4E2M1, onnx.Float6E2M3, onnx.Float6E3M2:
		m := miniFloats[x.Type]
		for i := range f {
			f[i] = m.decode(uint16(packed(x.Raw, lo+i, m.bits)))
		}
	default:
		m := miniFloats[x.Type]
		for i, v := range x.Raw[lo : lo+len(f)] {
			f[i] = m.decode(uint16(v))
		}
	}
}

// writeInts writes whole numbers from element lo on. Integer types keep the low bits. unsigned says that n holds the
// bits of uint64.
func writeInts(y *onnx.Tensor, lo int, n []int64, unsigned bool, opt castOptions) {
	if write := intWriters[y.Type]; write != nil {
		write(y, lo, n)
		return
	}
	switch y.Type {
	case onnx.Bool:
		y := onnx.Data[bool](y)[lo:]
		for i, v := range n {
			y[i] = v != 0
		}
	case onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		for i, v := range n {
			setPacked(y.Raw, lo+i, y.Type.Bits(), uint8(v))
		}
	case onnx.Float:
		y := y.Float32s()[lo:]
		for i, v := range n {
			if unsigned {
				y[i] = float32(uint64(v))
			} else {
				y[i] = float32(v)
			}
		}
	default:
		var buf [256]float64
		f := buf[:len(n)]
		for i, v := range n {
			if unsigned {
				f[i] = float64(uint64(v))
			} else {
				f[i] = float64(v)
			}
		}
		writeFloats(y, lo, f, opt)
	}
}

var intWriters = map[onnx.DataType]func(y *onnx.Tensor, lo int, n []int64){
	onnx.Int8: fromInt64s[int8], onnx.Int16: fromInt64s[int16], onnx.Int32: fromInt64s[int32], onnx.Int64: fromInt64s[int64],
	onnx.Uint8: fromInt64s[uint8], onnx.Uint16: fromInt64s[uint16], onnx.Uint32: fromInt64s[uint32], onnx.Uint64: fromInt64s[uint64],
}

func fromInt64s[T integer](t *onnx.Tensor, lo int, n []int64) {
	y := onnx.Data[T](t)[lo:]
	for i, v := range n {
		y[i] = T(v)
	}
}

// writeFloats writes floating-point numbers from element lo on. Integer types cut the fraction and are bounded by
// their range; those under 8 bits keep the low bits.
func writeFloats(y *onnx.Tensor, lo int, f []float64, opt castOptions) {
	if write := boundWriters[y.Type]; write != nil {
		write(y, lo, f)
		return
	}
	switch y.Type {
	case onnx.Bool:
		y := onnx.Data[bool](y)[lo:]
		for i, v := range f {
			y[i] = v != 0
		}
	case onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		bits := y.Type.Bits()
		for i, v := range f {
			setPacked(y.Raw, lo+i, bits, uint8(bounded(v, math.MinInt64, int64(math.MaxInt64))))
		}
	case onnx.Float:
		y := y.Float32s()[lo:]
		for i, v := range f {
			y[i] = float32(v)
		}
	case onnx.Double:
		copy(onnx.Data[float64](y)[lo:], f)
	case onnx.Float16:
		m := miniFloats[y.Type]
		y := onnx.Data[onnx.Float16Bits](y)[lo:]
		for i, v := range f {
			y[i] = onnx.Float16Bits(m.encode(v, false))
		}
	case onnx.BFloat16:
		m := miniFloats[y.Type]
		y := onnx.Data[onnx.BFloat16Bits](y)[lo:]
		for i, v := range f {
			y[i] = onnx.BFloat16Bits(m.encode(v, false))
		}
	case onnx.Float8E8M0:
		for i, v := range f {
			y.Raw[lo+i] = encodeE8M0(v, opt.saturate, opt.round)
		}
	case onnx.Float4E2M1, onnx.Float6E2M3, onnx.Float6E3M2:
		m := miniFloats[y.Type]
		for i, v := range f {
			setPacked(y.Raw, lo+i, m.bits, uint8(m.encode(v, true)))
		}
	default:
		m := miniFloats[y.Type]
		for i, v := range f {
			y.Raw[lo+i] = uint8(m.encode(v, opt.saturate))
		}
	}
}

var boundWriters = map[onnx.DataType]func(y *onnx.Tensor, lo int, f []float64){
	onnx.Int8: bound[int8], onnx.Int16: bound[int16], onnx.Int32: bound[int32], onnx.Int64: bound[int64],
	onnx.Uint8: bound[uint8], onnx.Uint16: bound[uint16], onnx.Uint32: bound[uint32], onnx.Uint64: bound[uint64],
}

func bound[T integer](t *onnx.Tensor, at int, f []float64) {
	y := onnx.Data[T](t)[at:]
	lo, hi := limits[T]()
	for i, v := range f {
		y[i] = bounded(v, lo, hi)
	}
}

// limits returns the least and the greatest number of a type.
func limits[T integer]() (lo, hi T) {
	if hi = ^lo; hi > 0 { // no sign
		return lo, hi
	}
	for lo = hi; lo<<1 != 0; {
		lo <<= 1
	}
	return lo, ^lo
}

// bounded cuts v's fraction and bounds it by lo and hi; NaN becomes 0.
func bounded[T integer](v float64, lo, hi T) T {
	switch {
	case v != v:
		return 0
	case v <= float64(lo):
		return lo
	case v >= float64(hi):
		return hi
	}
	return T(v)
}

// parseStrings reads numbers in decimal or scientific notation, and INF, +INF, -INF and NaN in any case. For integers
// and truth values a fraction is cut as everywhere.
func parseStrings(x, y *onnx.Tensor, opt castOptions) error {
	for i, s := range x.Strings {
		s = strings.TrimSpace(s)
		if isWhole(y.Type) {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				writeInts(y, i, []int64{n}, false, opt)
				continue
			}
			if n, err := strconv.ParseUint(s, 10, 64); err == nil {
				writeInts(y, i, []int64{int64(n)}, true, opt)
				continue
			}
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return fmt.Errorf("element %d: %.40q is not a number", i, x.Strings[i])
		}
		if y.Type == onnx.Float && err == nil {
			// Read as float32 at once: rounded once.
			f32, _ := strconv.ParseFloat(s, 32)
			f = f32
		}
		writeFloats(y, i, []float64{f}, opt)
	}
	return nil
}

// formatStrings writes the shortest decimal numbers that read back the same: plain ones, but for exponents outside
// [-5,20]; whole numbers without a point; truth values as 1 and 0; INF, -INF and NaN.
func formatStrings(x, y *onnx.Tensor) {
	var f [1]float64
	var n [1]int64
	for i := range y.Strings {
		if isWhole(x.Type) {
			readInts(x, i, n[:])
			if x.Type == onnx.Uint64 {
				y.Strings[i] = strconv.FormatUint(uint64(n[0]), 10)
			} else {
				y.Strings[i] = strconv.FormatInt(n[0], 10)
			}
			continue
		}
		readFloats(x, i, f[:])
		v, bits := f[0], 32
		if x.Type == onnx.Double {
			bits = 64
		}
		switch a := math.Abs(v); {
		case v != v:
			y.Strings[i] = "NaN"
		case math.IsInf(v, 1):
			y.Strings[i] = "INF"
		case math.IsInf(v, -1):
			y.Strings[i] = "-INF"
		case a != 0 && (a < 1e-5 || a >= 1e21):
			y.Strings[i] = strconv.FormatFloat(v, 'e', -1, bits)
		default:
			y.Strings[i] = strconv.FormatFloat(v, 'f', -1, bits)
		}
	}
}
