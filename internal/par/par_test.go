package par

import (
	"sync/atomic"
	"testing"
)

func TestForCoversEveryIndexOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 3, 8} {
		p := New(threads)
		for _, n := range []int{0, 1, 2, 7, 100, 1001} {
			for _, grain := range []int{0, 1, 3, 64, 5000} {
				seen := make([]atomic.Int32, n)
				p.For(n, grain, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				for i := range seen {
					if seen[i].Load() != 1 {
						t.Fatalf("threads %d, n %d, grain %d: index %d seen %d times", threads, n, grain, i, seen[i].Load())
					}
				}
			}
		}
		p.Close()
	}
}

// Pieces are no longer than most, and no shorter than least but for the last; together they are every index once.
func TestGuided(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		p := New(threads)
		for _, n := range []int{0, 1, 3, 19, 196, 1000} {
			for _, c := range [][2]int{{1, 1}, {4, 16}, {2, 1000}, {0, 0}, {8, 4}} {
				seen := make([]atomic.Int32, n)
				least, most := max(c[0], 1), max(c[0], c[1], 1)
				p.Guided(n, c[0], c[1], func(worker, lo, hi int) {
					if worker < 0 || worker >= threads || hi-lo > most || hi-lo < least && hi < n {
						t.Errorf("threads %d, n %d, %v: worker %d has [%d,%d)", threads, n, c, worker, lo, hi)
					}
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				for i := range seen {
					if seen[i].Load() != 1 {
						t.Fatalf("threads %d, n %d, %v: index %d seen %d times", threads, n, c, i, seen[i].Load())
					}
				}
			}
		}
		p.Close()
	}
}

// A loop inside a loop must finish although all workers are busy with the outer one.
func TestNestedLoopsFinish(t *testing.T) {
	p := New(2)
	defer p.Close()
	var sum atomic.Int64
	p.For(8, 1, func(lo, hi int) {
		p.For(100, 1, func(lo, hi int) {
			p.For(10, 3, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		})
	})
	if sum.Load() != 8000 {
		t.Fatalf("sum %d, want 8000", sum.Load())
	}
}

func TestWorkersAreDistinct(t *testing.T) {
	p := New(4)
	defer p.Close()
	busy := make([]atomic.Bool, 4)
	p.ForWorker(10000, 1, func(w, lo, hi int) {
		if !busy[w].CompareAndSwap(false, true) {
			t.Errorf("worker %d runs twice at once", w)
		}
		busy[w].Store(false)
	})
}

func TestPanicReachesTheCaller(t *testing.T) {
	p := New(3)
	defer p.Close()
	defer func() {
		if r := recover(); r != "boom" {
			t.Fatalf("recovered %v, want boom", r)
		}
	}()
	p.For(100, 1, func(lo, hi int) {
		if lo == 57 {
			panic("boom")
		}
	})
}
