package bigmem

import (
	"testing"
	"unsafe"
)

func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, 1000, least / 4, least/4 + 1, huge, 3*huge + 5} {
		s := Make[float32](n)
		if len(s) != n || cap(s) < n {
			t.Fatalf("%d elements: %d", n, len(s))
		}
		for i, v := range s {
			if v != 0 {
				t.Fatalf("%d elements: element %d is %v", n, i, v)
			}
			s[i] = 1
		}
	}
	if s := Make[uint64](huge); uintptr(unsafe.Pointer(&s[0]))%8 != 0 {
		t.Error("words are not aligned")
	}
}
