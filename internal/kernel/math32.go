package kernel

import "math"

// The functions here are float32 versions of what package math has in float64, for activations over whole feature maps.
// Each stays within 3 units in the last place of the exact value where not said otherwise. The polynomials are minimax
// fits (Lawson's iteration on Chebyshev nodes, relative error) over the intervals named.

const (
	log2e32 = 1.44269504
	// ln2Hi32 has few enough bits that its product with an integer below 256 is exact; the two add up to ln 2.
	ln2Hi32 = 0.693359375
	ln2Lo32 = -2.12194440e-4
	// roundMagic32 added to a small float32 leaves the nearest integer (ties to even) in the lowest bits.
	roundMagic32     = 3 << 22
	roundMagic32Bits = 0x4b400000
)

// ExpF returns e^x: x = n*ln2 + r with |r| <= ln2/2, and 2^n is applied in two steps so that results that are
// subnormal come out right too.
func ExpF(x float32) float32 {
	if !(x < 88.72284) {
		if x != x {
			return x
		}
		return float32(math.Inf(1))
	}
	if x < -104 {
		return 0
	}
	t := x*log2e32 + roundMagic32
	n := t - roundMagic32
	r := x - n*ln2Hi32 - n*ln2Lo32
	p := ((((0.00139506003*r+0.00836895371)*r+0.0416662042)*r+0.166665183)*r + 0.50000001)
	p = 1 + (r + r*r*p)
	k := int32(math.Float32bits(t)) - roundMagic32Bits
	h := k >> 1
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(k-h+127)<<23)
}

// Expm1F returns e^x - 1, accurate near 0.
func Expm1F(x float32) float32 {
	if x > -0.5 && x < 0.5 {
		p := (((((0.000199928963*x+0.00139974568)*x+0.008333073)*x+0.0416653155)*x+0.16666668)*x + 0.500000042)
		return x + x*x*p
	}
	return ExpF(x) - 1
}

// SigmoidF returns 1/(1+e^-x).
func SigmoidF(x float32) float32 { return 1 / (1 + ExpF(-x)) }

// TanhF returns the hyperbolic tangent.
func TanhF(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	if a < 0.625 {
		z := x * x
		p := ((((-0.00571703656*z+0.020650579)*z-0.0537434953)*z+0.133314912)*z - 0.333332839)
		return x + x*z*p
	}
	if a > 10 { // NaN falls through
		return float32(math.Copysign(1, float64(x)))
	}
	y := 1 - 2/(ExpF(2*a)+1)
	if x < 0 {
		return -y
	}
	return y
}

// ErfF returns the error function: an odd polynomial up to 1, and 1-e^q(|x|) beyond, where q fits the logarithm of
// the complement.
func ErfF(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	if a <= 1 {
		z := x * x
		p := (((((7.88911597e-05*z-0.000802084013)*z+0.0051895352)*z-0.0268544445)*z+0.112836002)*z - 0.376126271)
		return x * (1.12837917 + z*p)
	}
	if a > 4 { // NaN falls through
		return float32(math.Copysign(1, float64(x)))
	}
	q := (((((((-2.1697639e-05*a+0.000441472916)*a-0.00420528589)*a+0.0252103423)*a-0.108422103)*a-0.633216395)*a-1.12958031)*a + 0.000188467784)
	y := 1 - ExpF(q)
	if x < 0 {
		return -y
	}
	return y
}

// ErfcTailF returns 1-erf(x) for x above 0.95, as t*e^(P(t)-x²) with t = 1/(1+x/2). Its relative error grows as x² does,
// to a few units in the last place for each whole number of x².
func ErfcTailF(x float32) float32 {
	t := 1 / (1 + 0.5*x)
	p := (((((((-0.177704204*t+0.750712898)*t-1.04281602)*t+0.410461944)*t-0.0770057983)*t+0.405545672)*t+0.996821429)*t - 1.26537296)
	return t * ExpF(p-x*x)
}

// GeluF returns x/2*erfc(-x/sqrt(2)); it uses the complement where 1+erf would cancel.
func GeluF(x float32) float32 {
	if x < -1.4142135 {
		return 0.5 * x * ErfcTailF(x*-0.70710678)
	}
	return 0.5 * x * (1 + ErfF(x*0.70710678))
}
