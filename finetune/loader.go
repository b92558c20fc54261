package finetune

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// loader makes the network's input of images, a batch ahead of who needs it.
type loader struct {
	recipe    zoo.Recipe
	augment   zoo.Augment
	seed      uint64
	workers   int
	maxPixels int
}

// images is a batch of images on the way into the network.
type images struct {
	index []int // which images of the list
	x     *onnx.Tensor
	errs  []error // by image, of those that cannot be read
}

// each decodes the images of the batches in turn and hands them to f. Those of a view of -1 are not changed at random;
// else each becomes what the seed, its name and the view decide. The memory of a batch is used again after f.
func (l *loader) each(ctx context.Context, items []features.Item, batches [][]int, view int, f func(*images) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	free, ready := make(chan *images, 2), make(chan *images, 1)
	for range cap(free) {
		free <- &images{}
	}
	done.Go(func() {
		defer close(ready)
		for _, index := range batches {
			select {
			case b := <-free:
				l.decode(ctx, b, items, index, view)
				select {
				case ready <- b:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	for b := range ready {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
		free <- b
	}
	return ctx.Err()
}

// decode fills a batch.
func (l *loader) decode(ctx context.Context, b *images, items []features.Item, index []int, view int) {
	shape := append([]int{len(index)}, l.recipe.Shape()...)
	if b.x == nil || b.x.Shape[0] != len(index) {
		b.x = onnx.New(onnx.Float, shape...)
	}
	b.index, b.errs = index, make([]error, len(index))
	size := onnx.NumElements(shape[1:])
	x := b.x.Float32s()
	l.spread(ctx, len(index), func(k int) { b.errs[k] = l.read(items[index[k]], view, x[k*size:(k+1)*size]) })
}

// spread calls f for 0, 1, ... n-1 from as many goroutines as images are decoded by at once.
func (l *loader) spread(ctx context.Context, n int, f func(k int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(l.workers, n) {
		wg.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= n || ctx.Err() != nil {
					return
				}
				f(k)
			}
		})
	}
	wg.Wait()
}

// read decodes one image.
func (l *loader) read(it features.Item, view int, dst []float32) error {
	p, err := l.picture(it)
	if err != nil {
		return err
	}
	if view < 0 || l.augment.IsNone() {
		return l.recipe.Render(p, dst)
	}
	return l.recipe.RenderAugmented(p, dst, l.augment, zoo.ViewSeed(l.seed, it.Name(), view))
}

func (l *loader) picture(it features.Item) (*zoo.Picture, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return zoo.Decode(f, zoo.DecodeOptions{MaxPixels: l.maxPixels, StoredOrientation: l.recipe.StoredOrientation})
}

// firstError returns what is wrong with the first image of a batch that cannot be read.
func (b *images) firstError(items []features.Item) error {
	for k, err := range b.errs {
		if err != nil {
			return fmt.Errorf("%s: %w", items[b.index[k]].Path, err)
		}
	}
	return nil
}

// batchesOf divides an order into batches.
func batchesOf(order []int, size int) [][]int {
	var out [][]int
	for at := 0; at < len(order); at += size {
		out = append(out, order[at:min(at+size, len(order))])
	}
	return out
}

// trainingBatches divides an order into batches for training: how says what becomes of the last one, as [Options.LastBatch]
// does, and norms whether normalisations use the statistics of the batch.
func trainingBatches(order []int, size int, how string, norms bool) [][]int {
	out := batchesOf(order, size)
	n := len(out)
	switch {
	case n < 2:
	case how == "drop" && len(out[n-1]) < size:
		out = out[:n-1]
	case how == "auto" && norms && len(out[n-1]) == 1:
		out[n-2] = order[(n-2)*size:]
		out = out[:n-1]
	}
	return out
}

// count returns 0, 1, ... n-1.
func count(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
