package finetune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// readable leaves out the images that cannot be read, and keeps the activations of the others where they stay the same.
func (r *run) readable(ctx context.Context) error {
	var err error
	if r.train, err = r.scan(ctx, r.data.Train, r.o.Augment.IsNone() && r.o.Mix.IsNone()); err != nil {
		return err
	}
	start := time.Now()
	if r.val, err = r.scan(ctx, r.data.Val, true); err != nil {
		return err
	}
	r.budget.scan = time.Since(start)
	if err := everyClass(r.train.items, r.data.Classes); err != nil {
		return errors.Join(append([]error{err}, r.skipped...)...)
	}
	if len(r.val.items) == 0 {
		return errors.Join(append([]error{errors.New("none of the images for validation can be read")}, r.skipped...)...)
	}
	return nil
}

// scan reads all images of a part once. Those that cannot be read have no place in it.
func (r *run) scan(ctx context.Context, items []features.Item, same bool) (*part, error) {
	p := &part{all: items}
	keep := same && (r.o.Cache == "auto" || r.head != nil)
	if keep {
		var err error
		if p.cache, err = newCache(r.net.Cut, r.net.shapes, len(items), r.o.CacheMemory, string(r.dir)); err != nil {
			return nil, err
		}
	}
	phase := "check"
	if keep {
		phase = "features"
	}
	done := 0
	read := func(index []int, errs []error, values []*onnx.Tensor) error {
		for k, i := range index {
			if errs[k] != nil {
				r.skipped = append(r.skipped, fmt.Errorf("%s: %w", items[i].Path, errs[k]))
				r.unread = append(r.unread, items[i].Name())
				continue
			}
			if keep {
				if err := p.cache.put(len(p.items), values, k); err != nil {
					return err
				}
			}
			p.items = append(p.items, items[i])
		}
		done += len(index)
		r.tell(Progress{Phase: phase, Done: done, Total: len(items)})
		return nil
	}
	if keep {
		return p, r.cuts(ctx, items, read)
	}
	return p, r.loader.each(ctx, items, batchesOf(count(len(items)), r.o.Batch), -1, func(b *images) error {
		return read(b.index, b.errs, nil)
	})
}

// keep computes the kept activations of the images anew, after the cut has moved. The batches are those of scan, images
// that cannot be read included, since the size of a batch decides on the last bits: a run that goes on in this phase scans.
func (r *run) keep(ctx context.Context) error {
	for _, p := range []*part{r.train, r.val} {
		if p.cache == nil {
			continue
		}
		p.cache.close()
		var err error
		if p.cache, err = newCache(r.net.Cut, r.net.shapes, len(p.all), r.o.CacheMemory, string(r.dir)); err != nil {
			return err
		}
		at, done := 0, 0
		err = r.cuts(ctx, p.all, func(index []int, errs []error, values []*onnx.Tensor) error {
			for k, i := range index {
				if errs[k] != nil {
					continue
				}
				if at == len(p.items) || p.items[at].Path != p.all[i].Path {
					return fmt.Errorf("%s: it could not be read before", p.all[i].Path)
				}
				if err := p.cache.put(at, values, k); err != nil {
					return err
				}
				at++
			}
			done += len(index)
			r.tell(Progress{Phase: "features", Done: done, Total: len(p.all)})
			return nil
		})
		if err == nil && at < len(p.items) {
			err = fmt.Errorf("%s: it cannot be read any more", p.items[at].Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) tell(p Progress) {
	if r.o.Progress != nil {
		r.o.Progress(p)
	}
}
