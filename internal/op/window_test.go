package op

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestWindowResolve(t *testing.T) {
	for _, c := range []struct {
		name       string
		a          attrs
		in, kernel []int
		out        []int
		begin, end []int
		err        string
	}{
		{name: "plain", in: []int{4, 5}, kernel: []int{3, 3}, out: []int{2, 3}, begin: []int{0, 0}, end: []int{0, 0}},
		{name: "case 1 SAME_UPPER", a: attrs{"auto_pad": "SAME_UPPER", "strides": []int{2, 2}}, in: []int{4, 4}, kernel: []int{3, 3}, out: []int{2, 2}, begin: []int{0, 0}, end: []int{1, 1}},
		{name: "case 1 SAME_LOWER", a: attrs{"auto_pad": "SAME_LOWER", "strides": []int{2, 2}}, in: []int{4, 4}, kernel: []int{3, 3}, out: []int{2, 2}, begin: []int{1, 1}, end: []int{0, 0}},
		{name: "SAME with dilation", a: attrs{"auto_pad": "SAME_UPPER", "dilations": []int{2}}, in: []int{7}, kernel: []int{2}, out: []int{7}, begin: []int{1}, end: []int{1}},
		{name: "SAME never crops", a: attrs{"auto_pad": "SAME_UPPER", "strides": []int{3}}, in: []int{6}, kernel: []int{1}, out: []int{2}, begin: []int{0}, end: []int{0}},
		{name: "VALID ignores pads", a: attrs{"auto_pad": "VALID", "strides": []int{2}, "pads": []int{1, 1}}, in: []int{4}, kernel: []int{3}, out: []int{1}, begin: []int{0}, end: []int{0}},
		{name: "VALID ignores ceil_mode", a: attrs{"auto_pad": "VALID", "strides": []int{2}, "ceil_mode": 1}, in: []int{4}, kernel: []int{3}, out: []int{1}, begin: []int{0}, end: []int{0}},
		{name: "empty auto_pad", a: attrs{"auto_pad": "", "pads": []int{1, 2}}, in: []int{4}, kernel: []int{3}, out: []int{5}, begin: []int{1}, end: []int{2}},
		{name: "case 3a", a: attrs{"strides": []int{3, 3}, "pads": []int{1, 1, 1, 1}, "ceil_mode": 1}, in: []int{6, 5}, kernel: []int{3, 3}, out: []int{3, 2}, begin: []int{1, 1}, end: []int{1, 1}},
		{name: "case 3b", a: attrs{"strides": []int{2, 2}, "ceil_mode": 1}, in: []int{4, 4}, kernel: []int{1, 1}, out: []int{2, 2}, begin: []int{0, 0}, end: []int{0, 0}},
		{name: "case 3c", a: attrs{"dilations": []int{2, 2}}, in: []int{4, 4}, kernel: []int{2, 2}, out: []int{2, 2}, begin: []int{0, 0}, end: []int{0, 0}},
		{name: "ceil with a window that hangs over", a: attrs{"strides": []int{2}, "ceil_mode": 1}, in: []int{2}, kernel: []int{3}, out: []int{1}, begin: []int{0}, end: []int{0}},
		{name: "empty input, padded", a: attrs{"pads": []int{1, 1}}, in: []int{0}, kernel: []int{2}, out: []int{1}, begin: []int{1}, end: []int{1}},
		{name: "too small", in: []int{2}, kernel: []int{3}, err: "window of 3 is larger than the input of 2"},
		{name: "rank", in: []int{2}, kernel: []int{3, 3}, err: "has 2 axes, input has 1"},
		{name: "zero stride", a: attrs{"strides": []int{0}}, in: []int{2}, kernel: []int{1}, err: "at least 1"},
		{name: "negative pad", a: attrs{"pads": []int{-1, 0}}, in: []int{2}, kernel: []int{1}, err: "at least 0"},
		{name: "pads of another rank", a: attrs{"pads": []int{1, 1}}, in: []int{2, 2}, kernel: []int{1, 1}, err: "want 4 values, got 2"},
		{name: "huge dilation", a: attrs{"dilations": []int{math.MaxInt64}}, in: []int{2}, kernel: []int{2}, err: "below 2^31"},
		{name: "unknown auto_pad", a: attrs{"auto_pad": "SAME"}, err: `auto_pad "SAME"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Spec{Node: node("Conv", 2, 1, c.a), used: map[string]bool{}}
			w := s.window()
			out, begin, end, err := []int(nil), []int(nil), []int(nil), error(nil)
			if len(s.errs) > 0 {
				err = s.errs[0]
			} else {
				out, begin, end, err = w.resolve(c.in, c.kernel)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if got, want := fmt.Sprint(out, begin, end, err), fmt.Sprint(c.out, c.begin, c.end, error(nil)); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		})
	}
}
