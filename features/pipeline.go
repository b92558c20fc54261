package features

import (
	"context"
	"sync"

	"github.com/onnxcnn/onnxcnn/zoo"
)

// pipeline decodes images ahead of the network. One goroutine hands out jobs, workers decode each into slots of memory
// of its own, and one goroutine puts what they decoded in order and fills batches. Slots and batches go round, so
// however long the data set, memory stays the same.
type pipeline struct {
	x      *Extractor
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	slots chan []float32   // free memory for one image's input each
	free  chan *inputBatch // batches that may be filled
	full  chan *inputBatch // batches for the network
}

// job is one image on its way.
type job struct {
	item  Item
	slots [][]float32 // one a view
	err   error
	ready chan struct{} // closed when slots or err are set
}

// inputBatch is the network's input for a batch of rows.
type inputBatch struct {
	data    []float32
	items   []Item
	views   []int
	skipped []Skip
	images  int   // images that are finished with this batch
	err     error // ends the stream
}

func (x *Extractor) startPipeline(ctx context.Context, d *Dataset) *pipeline {
	p := &pipeline{x: x}
	p.ctx, p.cancel = context.WithCancel(ctx)
	const batches = 2 // one runs, one is filled
	views := x.o.Views
	slots := 2 * x.o.Workers * views
	size := x.imageSize()
	p.slots = make(chan []float32, slots)
	for range slots {
		p.slots <- make([]float32, size)
	}
	p.free = make(chan *inputBatch, batches)
	p.full = make(chan *inputBatch, batches)
	for range batches {
		p.free <- &inputBatch{data: make([]float32, x.o.Batch*size)}
	}
	jobs, order := make(chan *job, slots), make(chan *job, slots)
	p.done.Go(func() { p.handOut(d, views, jobs, order) })
	for range x.o.Workers {
		p.done.Go(func() {
			for j := range jobs {
				if j.err = p.ctx.Err(); j.err == nil {
					j.err = x.decode(j)
				}
				close(j.ready)
			}
		})
	}
	p.done.Go(func() { p.fill(order) })
	return p
}

// stop ends the goroutines and waits for them.
func (p *pipeline) stop() {
	p.cancel()
	p.done.Wait()
}

// handOut makes a job of each image. It takes the memory for all views at once: workers that each wait for one more
// slot could wait for each other.
func (p *pipeline) handOut(d *Dataset, views int, jobs, order chan<- *job) {
	defer close(jobs)
	defer close(order)
	for _, it := range d.Items {
		j := &job{item: it, ready: make(chan struct{}), slots: make([][]float32, views)}
		for v := range views {
			select {
			case j.slots[v] = <-p.slots:
			case <-p.ctx.Done():
				return
			}
		}
		// There are as many places in the channels as slots: these never wait.
		jobs <- j
		order <- j
	}
}

// fill puts decoded images into batches.
func (p *pipeline) fill(order <-chan *job) {
	defer close(p.full)
	b := p.empty()
	for j := range order {
		<-j.ready
		if b == nil || p.ctx.Err() != nil {
			return
		}
		switch {
		case j.err != nil && p.x.o.Strict:
			b.err = &Skip{j.item, j.err}
			p.full <- b
			return
		case j.err != nil:
			b.skipped = append(b.skipped, Skip{j.item, j.err})
		default:
			for v, image := range j.slots {
				if len(b.items) == p.x.o.Batch {
					p.full <- b
					if b = p.empty(); b == nil {
						return
					}
				}
				copy(b.data[len(b.items)*len(image):], image)
				b.items = append(b.items, j.item)
				b.views = append(b.views, v)
			}
		}
		b.images++
		for _, s := range j.slots {
			p.slots <- s
		}
		if len(b.items) == p.x.o.Batch {
			p.full <- b
			b = p.empty()
		}
	}
	if b != nil && b.images > 0 {
		p.full <- b
	}
}

// empty waits for a batch that may be filled; nil when the stream has ended.
func (p *pipeline) empty() *inputBatch {
	select {
	case b := <-p.free:
		return b
	case <-p.ctx.Done():
		return nil
	}
}

// next returns the next batch, nil after the last.
func (p *pipeline) next() (*inputBatch, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case b, ok := <-p.full:
		if !ok {
			return nil, p.ctx.Err()
		}
		return b, b.err
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// recycle gives a batch back for filling.
func (p *pipeline) recycle(b *inputBatch) {
	*b = inputBatch{data: b.data, items: b.items[:0], views: b.views[:0]}
	p.free <- b
}

// decode reads a job's image and renders its views.
func (x *Extractor) decode(j *job) error {
	f, err := j.item.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	picture, err := zoo.Decode(f, zoo.DecodeOptions{MaxPixels: x.o.MaxPixels, StoredOrientation: x.recipe.StoredOrientation})
	if err != nil {
		return err
	}
	for view, dst := range j.slots {
		if x.o.Augment.IsNone() {
			err = x.recipe.Render(picture, dst)
		} else {
			// The name inside the data set, so that it does not matter where the folder lies.
			err = x.recipe.RenderAugmented(picture, dst, x.o.Augment, zoo.ViewSeed(x.o.Seed, j.item.name, view))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
