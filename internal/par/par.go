// Package par is a fixed pool of workers with a bounded parallel-for.
//
// The caller of a loop always works on it itself and never waits for a worker to become free, so loops may nest and
// several callers may share a pool without a deadlock.
package par

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool is a fixed set of workers. It is safe for concurrent use. The zero value and nil run everything on the caller.
type Pool struct {
	threads int
	jobs    chan *job
}

var (
	sharedMu sync.Mutex
	shared   = map[int]*Pool{}
)

// Shared returns the process-wide pool of that many threads, made on first use and never closed; threads <= 0 means
// one a processor (GOMAXPROCS). Sessions with the same number of threads share it.
func Shared(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	sharedMu.Lock()
	defer sharedMu.Unlock()
	p := shared[threads]
	if p == nil {
		p = New(threads)
		shared[threads] = p
	}
	return p
}

// New returns a pool of that many threads, the caller of a loop counted as one of them.
func New(threads int) *Pool {
	if threads < 1 {
		threads = 1
	}
	p := &Pool{threads: threads}
	if threads > 1 {
		p.jobs = make(chan *job, 4*threads)
		for range threads - 1 {
			go p.serve()
		}
	}
	return p
}

// serve is a worker.
func (p *Pool) serve() {
	for {
		spin(func() bool { return len(p.jobs) > 0 }, p.threads)
		j, ok := <-p.jobs
		if !ok {
			return
		}
		j.work()
	}
}

// Close ends the workers. No loop may run or be started afterwards.
func (p *Pool) Close() {
	if p != nil && p.jobs != nil {
		close(p.jobs)
	}
}

// Threads returns how many bodies of a loop can run at once.
func (p *Pool) Threads() int {
	if p == nil || p.threads < 1 {
		return 1
	}
	return p.threads
}

type job struct {
	body     func(worker, lo, hi int)
	n        int
	share    func(left int) int // how many of the indices that are left a worker takes
	next     atomic.Int64       // first index that nobody has taken
	left     atomic.Int64       // indices not yet worked through
	slots    atomic.Int32
	done     chan struct{}
	panicked atomic.Pointer[any]
}

// work takes pieces until none is left.
func (j *job) work() {
	if int(j.next.Load()) >= j.n {
		return
	}
	worker := int(j.slots.Add(1)) - 1
	for {
		lo := int(j.next.Load())
		if lo >= j.n {
			return
		}
		hi := min(lo+j.share(j.n-lo), j.n)
		if !j.next.CompareAndSwap(int64(lo), int64(hi)) {
			continue
		}
		j.call(worker, lo, hi)
		if j.left.Add(int64(lo-hi)) == 0 {
			close(j.done)
		}
	}
}

func (j *job) call(worker, lo, hi int) {
	defer func() {
		if r := recover(); r != nil {
			var v any = fmt.Sprint(r)
			j.panicked.CompareAndSwap(nil, &v)
		}
	}()
	j.body(worker, lo, hi)
}

// For calls body for pieces [lo,hi) of at most grain indices that together cover [0,n), on up to Threads goroutines,
// and returns when all are done. A body must write only what belongs to its own indices, and what it computes must not
// depend on how the range was cut: then results are the same bits for any number of threads.
func (p *Pool) For(n, grain int, body func(lo, hi int)) {
	if n <= grain {
		if n > 0 {
			body(0, n) // spares the closure below
		}
		return
	}
	p.ForWorker(n, grain, func(_, lo, hi int) { body(lo, hi) })
}

// ForWorker is For for bodies that need scratch memory of their own: worker is below Threads, and no two bodies of
// this loop that run at the same time have the same one.
func (p *Pool) ForWorker(n, grain int, body func(worker, lo, hi int)) {
	p.Guided(n, grain, grain, body)
}

// Guided is ForWorker for long pieces: they have at most most indices, and become shorter towards the end, where one
// worker would otherwise wait for the other's last one, but no shorter than least (besides the last).
func (p *Pool) Guided(n, least, most int, body func(worker, lo, hi int)) {
	if n <= 0 {
		return
	}
	least = max(least, 1)
	most = max(most, least)
	if p.Threads() == 1 || n <= least {
		for lo := 0; lo < n; lo += most {
			body(0, lo, min(lo+most, n))
		}
		return
	}
	parts := 2 * p.threads
	j := &job{body: body, n: n, done: make(chan struct{})}
	j.share = func(left int) int { return max(least, min(most, left/parts)) }
	j.left.Store(int64(n))
offer:
	for range min(p.threads, (n+least-1)/least) - 1 {
		select {
		case p.jobs <- j:
		default:
			break offer // all workers have work waiting: the caller does it alone
		}
	}
	j.work()
	spin(func() bool { return j.left.Load() == 0 }, p.threads)
	<-j.done
	if v := j.panicked.Load(); v != nil {
		panic(*v)
	}
}
