package features

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Speed is how fast features come from image files, beside the two things that they wait for. Rates are medians, in
// images a second.
type Speed struct {
	Images  int
	Files   float64 // from files to features
	Network float64 // the network alone, on batches that are ready
	Decode  float64 // decoding, resizing and normalising alone, by all workers
}

// Speed measures an extraction: as many rounds as are asked for (at least one), each of which decodes all images, runs
// the network on as many batches, and extracts all features, after one round that fills the caches. An image that
// cannot be read is an error.
func (x *Extractor) Speed(ctx context.Context, d *Dataset, rounds int) (Speed, error) {
	if len(d.Items) == 0 {
		return Speed{}, errors.New("no images to measure with")
	}
	turns := [...]func() error{
		func() error { return x.decodeAll(ctx, d) },
		func() error { return x.networkAlone(ctx, len(d.Items)) },
		func() error { return x.extractAll(ctx, d) },
	}
	var rates [len(turns)][]float64
	for round := range max(rounds, 1) + 1 {
		for i, turn := range turns {
			start := time.Now()
			if err := turn(); err != nil {
				return Speed{}, err
			}
			if rate := float64(len(d.Items)) / time.Since(start).Seconds(); round > 0 {
				rates[i] = append(rates[i], rate)
			}
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	return Speed{Images: len(d.Items), Decode: median(rates[0]), Network: median(rates[1]), Files: median(rates[2])}, nil
}

// decodeAll makes the network's input of every image, and throws it away.
func (x *Extractor) decodeAll(ctx context.Context, d *Dataset) error {
	var next atomic.Int64
	var done sync.WaitGroup
	errs := make([]error, x.o.Workers)
	for w := range errs {
		done.Go(func() {
			j := &job{}
			for range x.o.Views {
				j.slots = append(j.slots, make([]float32, x.imageSize()))
			}
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(d.Items) {
					return
				}
				j.item = d.Items[i]
				if errs[w] = ctx.Err(); errs[w] == nil {
					if err := x.decode(j); err != nil {
						errs[w] = &Skip{j.item, err}
					}
				}
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

// networkAlone runs the network on batches of zeros, for that many images.
func (x *Extractor) networkAlone(ctx context.Context, images int) error {
	data := make([]float32, x.o.Batch*x.imageSize())
	for left := images * x.o.Views; left > 0; left -= x.o.Batch {
		if _, _, err := x.run(ctx, data, min(left, x.o.Batch)); err != nil {
			return err
		}
	}
	return nil
}

// extractAll computes the features of every image, and throws them away.
func (x *Extractor) extractAll(ctx context.Context, d *Dataset) error {
	for b, err := range x.Batches(ctx, d) {
		if err != nil {
			return err
		}
		if len(b.Skipped) > 0 {
			return &b.Skipped[0]
		}
	}
	return nil
}
