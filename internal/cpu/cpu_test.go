package cpu

import (
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	have := []ISA{AVX2, Generic}
	for _, c := range []struct {
		name string
		want ISA
		err  string
	}{
		{"", AVX2, ""},
		{"avx2", AVX2, ""},
		{"AVX2", AVX2, ""},
		{"generic", Generic, ""},
		{"avx512", AVX2, "does not have it, only avx2, generic"},
		{"neon", AVX2, "does not have it"},
		{"sse9", AVX2, "unknown instruction set"},
	} {
		got, err := choose(c.name, have)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("choose(%q) = %v, %v; want %v, %q", c.name, got, err, c.want, c.err)
		}
	}
}

func TestSupported(t *testing.T) {
	have := Supported()
	if have[len(have)-1] != Generic {
		t.Errorf("%v does not end with generic", have)
	}
	got, err := Selected()
	if err == nil && !slices.Contains(have, got) {
		t.Errorf("selected %v is not one of %v", got, have)
	}
	if s := ISA(99).String(); s != "isa(99)" {
		t.Errorf("unknown instruction set is called %q", s)
	}
}
