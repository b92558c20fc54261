package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestCopyRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(17, 18))
		for n := range 40 {
			for rows := range 4 {
				dstStep, srcStep := n+n%3, n+n%5
				length := func(step int) int { return max(0, (rows-1)*step+n) }
				src, dst := guardedRandom(t, r, length(srcStep), n%2 == 0), guarded(t, length(dstStep), n%2 == 0)
				for i := range dst {
					dst[i] = -1
				}
				table.CopyRows(dst, dstStep, src, srcStep, rows, n)
				for i, v := range dst {
					want := float32(-1)
					if row, at := i/max(dstStep, 1), i%max(dstStep, 1); at < n {
						want = src[row*srcStep+at]
					}
					if rows > 0 && v != want {
						t.Fatalf("%d rows of %d: element %d is %v, want %v", rows, n, i, v, want)
					}
				}
			}
		}
	})
}

func TestEvenRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(19, 20))
		for n := 1; n < 40; n++ {
			for rows := range 4 {
				for more := range 2 { // elements after the last one
					dstStep, srcStep := n+n%3, 2*n+n%5
					length := func(step, n int) int { return max(0, (rows-1)*step+n) }
					src, dst := guardedRandom(t, r, length(srcStep, 2*n-1+more), true), guarded(t, length(dstStep, n), true)
					for i := range dst {
						dst[i] = -1
					}
					table.EvenRows(dst, dstStep, src, srcStep, rows, n)
					for i, v := range dst {
						want := float32(-1)
						if row, at := i/dstStep, i%dstStep; at < n {
							want = src[row*srcStep+2*at]
						}
						if rows > 0 && v != want {
							t.Fatalf("%d rows of %d: element %d is %v, want %v", rows, n, i, v, want)
						}
					}
				}
			}
		}
	})
}

func TestSplitRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(21, 22))
		for n := range 40 {
			for rows := range 4 {
				dstStep, srcStep := n+n%3, 2*n+n%5
				length := func(step, n int) int { return max(0, (rows-1)*step+n) }
				src := guardedRandom(t, r, length(srcStep, 2*n), n%2 == 0)
				even, odd := guarded(t, length(dstStep, n), n%2 == 0), guarded(t, length(dstStep, n), n%2 == 0)
				for i := range even {
					even[i], odd[i] = -1, -1
				}
				table.SplitRows(even, odd, dstStep, src, srcStep, rows, n)
				for i := range even {
					wantEven, wantOdd := float32(-1), float32(-1)
					if row, at := i/max(dstStep, 1), i%max(dstStep, 1); at < n {
						wantEven, wantOdd = src[row*srcStep+2*at], src[row*srcStep+2*at+1]
					}
					if rows > 0 && (even[i] != wantEven || odd[i] != wantOdd) {
						t.Fatalf("%d rows of %d: pair %d is %v and %v, want %v and %v", rows, n, i, even[i], odd[i], wantEven, wantOdd)
					}
				}
			}
		}
	})
}
