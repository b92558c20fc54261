package op

import (
	"fmt"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// index returns the element of an operand that a broadcast pairs with element i of the output.
func index(out, shape []int, i int) int {
	at, pitch := 0, 1
	for d := len(out) - 1; d >= 0; d-- {
		p := i % out[d]
		i /= out[d]
		if k := d - (len(out) - len(shape)); k >= 0 {
			if shape[k] != 1 {
				at += p * pitch
			}
			pitch *= shape[k]
		}
	}
	return at
}

func TestBroadcastVisitsEveryElement(t *testing.T) {
	pool := par.New(3)
	defer pool.Close()
	for _, c := range []struct {
		a, b, c []int
		rows    int
	}{
		{nil, nil, nil, 1},
		{[]int{5}, nil, []int{1}, 1},
		{[]int{2, 3, 4}, []int{2, 3, 4}, nil, 1},
		{[]int{2, 3, 4, 5}, []int{3, 1, 1}, nil, 6},
		{[]int{2, 3, 4, 5}, []int{5}, nil, 24},
		{[]int{2, 3, 4, 5}, []int{4, 5}, nil, 6},
		{[]int{2, 1, 4, 1}, []int{3, 1, 5}, nil, 24},
		{[]int{2, 1, 4, 1}, []int{3, 1, 5}, []int{2, 3, 4, 5}, 24},
		{[]int{1, 3, 1}, []int{4, 1, 1}, []int{1, 1, 7}, 12},
		{[]int{40, 1, 70}, []int{90, 1}, nil, 3600},
		{[]int{0, 3}, []int{1, 3}, nil, 0},
		{[]int{3, 0}, []int{1}, nil, 1},
	} {
		shapes := [][]int{c.a, c.b, c.c}
		out, err := broadcastShape(shapes...)
		if err != nil {
			t.Fatal(err)
		}
		for _, grain := range []int{1, 3, 16, 1 << 20} {
			t.Run(fmt.Sprint(shapes, grain), func(t *testing.T) {
				got := make([][maxOperands]int, prod(out))
				seen := make([]int, prod(out))
				b := newBroadcast(out, shapes...)
				if b.rows != c.rows {
					t.Errorf("%d runs, want %d", b.rows, c.rows)
				}
				b.run(pool, grain, func(y, n int, at *[maxOperands]int) {
					for i := range n {
						seen[y+i]++
						for k, v := range b.vary {
							got[y+i][k] = at[k]
							if v {
								got[y+i][k] += i
							}
						}
					}
				})
				for i := range got {
					want := [maxOperands]int{index(out, c.a, i), index(out, c.b, i), index(out, c.c, i)}
					if seen[i] != 1 || !slices.Equal(got[i][:], want[:]) {
						t.Fatalf("element %d: %v seen %d times, want %v", i, got[i], seen[i], want)
					}
				}
			})
		}
	}
}
