package pixel

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Resizing by vectors gives the bytes that resizing pixel by pixel gives, and writes nothing behind them.
func TestVectors(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	random := func(n, spare int) []uint8 {
		b := make([]uint8, n+spare)
		for i := range b {
			b[i] = uint8(r.IntN(256))
		}
		return b[:n:len(b)]
	}
	for _, f := range []Filter{Bilinear, Bicubic, Lanczos, Box, Nearest} {
		for range 100 {
			in, out := 1+r.IntN(90), 1+r.IntN(60)
			lo := r.IntN(out)
			var x taps
			x.set(f, false, in, out, lo, lo+1+r.IntN(out-lo))
			n := 3 * len(x.first)
			from, to := x.span(true)
			row := random(3*(to-from), 1)
			dst := random(n+4, 0)
			behind := bytes.Clone(dst[n:])
			want := make([]uint8, n)
			x.widen(dst[:n], row, from)
			x.widen(want, row[:len(row):len(row)], from) // without the byte that vectors need
			if !bytes.Equal(dst[:n], want) || !bytes.Equal(dst[n:], behind) {
				t.Fatalf("%v, %d to %d pixels: %v, want %v", f, in, len(x.first), dst, want)
			}

			width := 1 + r.IntN(70) // bytes of a row
			mid := random(width*(to-from), 0)
			high, acc := random(width+4, 0), make([]int32, width)
			behind = bytes.Clone(high[width:])
			i := r.IntN(len(x.first))
			x.heighten(high[:width], mid, i, from, acc)
			for c := range width {
				sum := int32(1 << (weightBits - 1))
				for k, w := range x.weight[i*x.width:][:x.count[i]] {
					sum += w * int32(mid[(x.first[i]-from+k)*width+c])
				}
				if v := clip(sum >> weightBits); high[c] != v {
					t.Fatalf("%v, row %d of %d bytes: byte %d is %d, want %d", f, i, width, c, high[c], v)
				}
			}
			if !bytes.Equal(high[width:], behind) {
				t.Fatal("wrote behind the row")
			}
		}
	}
}

// A photograph of 500 x 375 pixels as torchvision's recipe has it; the time is for the whole picture.
func BenchmarkResample(b *testing.B) {
	var s scratch
	s.x.set(Bilinear, false, 500, 341, 58, 282)
	s.y.set(Bilinear, false, 375, 256, 16, 240)
	line := make([]uint8, 3*500)
	src := source{w: 500, h: 375, read: func(dst []uint8, _, x0, x1 int) { copy(dst, line[3*x0:3*x1]) }}
	dst := make([]uint8, 3*224*224)
	for b.Loop() {
		resample(src, &s, dst, 3*224, true, true)
	}
}
