package sizes

import "testing"

func TestProduct(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		n     int
		fits  bool
	}{
		{nil, 1, true},
		{[]int{3, 4}, 12, true},
		{[]int{3, 0, 4}, 0, true},
		{[]int{1 << 31, 1 << 31}, Most, true},
		{[]int{1 << 31, 1<<31 + 1}, Most, false},
		{[]int{1 << 40, 1 << 40, 2}, Most, false},
		{[]int{1 << 40, 1 << 40, 0}, 0, false},
		{[]int{0, 1 << 40, 1 << 40}, 0, false},
		{[]int{-1, 2}, 2, false},
		{[]int{-1, 0}, 0, false},
	} {
		if n, fits := Product(c.sizes...); n != c.n || fits != c.fits {
			t.Errorf("%v: %d, %v, want %d, %v", c.sizes, n, fits, c.n, c.fits)
		}
	}
	if n, fits := Product[uint64](1<<63, 2); n != Most || fits {
		t.Errorf("uint64: %d, %v", n, fits)
	}
	if n, fits := Product[int64](1<<40, 1<<20); n != 1<<60 || !fits {
		t.Errorf("int64: %d, %v", n, fits)
	}
}
