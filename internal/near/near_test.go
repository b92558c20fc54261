package near

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ac", 1},
		{"ac", "abc", 1}, {"abcd", "acbd", 1}, {"ca", "abc", 3}, {"kitten", "sitting", 3},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestName(t *testing.T) {
	names := []string{"input", "output", "threads", "at"}
	for in, want := range map[string]string{"inptu": "input", "thread": "threads", "a": "at", "zzz": "", "strict": "", "thr": "threads", "in": "", "outputs_of": "", "OUTPUT": "output"} {
		if got := Name(in, names); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Long names are compared by their first part: what they cost is bounded.
func TestLong(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	if d := Distance(long, long+"b"); d != 0 {
		t.Errorf("%d, want 0: only the first part counts", d)
	}
	if got := Name("x", []string{long}); got != "" {
		t.Errorf("%.10q is no name near x", got)
	}
}
