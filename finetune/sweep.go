package finetune

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/actcache"
	"github.com/onnxcnn/onnxcnn/internal/cpu"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// actStore keeps what the frozen part says about images for later runs. An entry's key has all that it depends on: the
// frozen part with its weights, the recipe, what runs it, and the content of the image. The size of the batch is in it, too:
// it decides on the last bits, and a run shall not depend on what runs there were before.
type actStore struct {
	store *actcache.Store // nil: nothing is kept over runs
	base  [32]byte        // digest of all but the image and the batch
	warn  func(string)    // may be nil
	full  *atomic.Bool    // the run's: an entry could not be written, and no more are
}

// openActivations opens the cache of earlier runs. Without one the run goes on, and computes everything.
func (r *run) openActivations() (*actStore, error) {
	a := &actStore{warn: r.o.Warn, full: &r.cacheFull}
	if r.o.Cache != "auto" || r.trainer.prefix == nil {
		return a, nil
	}
	h := sha256.New()
	if err := r.trainer.writePrefix(h); err != nil {
		return nil, err
	}
	recipe, err := json.Marshal(r.recipe)
	if err != nil {
		return nil, err
	}
	isa, err := cpu.Selected()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(h, "%q %s %d %q %v %q", r.net.Cut, recipe, r.o.MaxPixels, r.o.Provider, isa, build())
	h.Sum(a.base[:0])
	dir := r.o.CacheDir
	if dir == "" {
		dir, err = actcache.Dir()
	}
	if err == nil {
		a.store, err = actcache.Open(dir, r.o.CacheDisk)
	}
	if err != nil {
		a.stop(err)
	}
	return a, nil
}

// stop lets no more be kept.
func (a *actStore) stop(why error) {
	if !a.full.Swap(true) && a.warn != nil {
		a.warn(fmt.Sprintf("activations are not kept for later runs: %v", why))
	}
}

func (a *actStore) close() error {
	if a.store == nil {
		return nil
	}
	return a.store.Close()
}

// build names the version of this program, down to the commit where that is known.
func build() string {
	name := software()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				name += " " + s.Value
			}
		}
	}
	return name
}

// writePrefix writes the frozen part as a model.
func (t *Trainer) writePrefix(w io.Writer) error {
	n := t.net
	nodes, _ := walk.Ancestors(n.Model.Graph.Nodes, n.Cut...)
	g := &onnx.Graph{Inputs: n.Model.Graph.Inputs, Nodes: nodes}
	used := map[string]bool{}
	for _, node := range g.Nodes {
		for in := range node.Uses() {
			used[in] = true
		}
	}
	for _, t := range n.Model.Graph.Initializers {
		if used[t.Name] {
			c := *t
			g.Initializers = append(g.Initializers, &c)
		}
	}
	m := onnx.Model{IRVersion: n.Model.IRVersion, Opsets: n.Model.Opsets, Graph: g}
	return m.Write(w)
}

// keys returns the keys of the images of a batch; nil where an image cannot be read, or nothing is kept.
func (a *actStore) keys(ctx context.Context, l *loader, items []features.Item, index []int) []actcache.Key {
	if a.store == nil {
		return nil
	}
	keys := make([]actcache.Key, len(index))
	var failed atomic.Bool
	l.spread(ctx, len(index), func(k int) {
		f, err := items[index[k]].Open()
		if err != nil {
			failed.Store(true)
			return
		}
		defer f.Close()
		h := sha256.New()
		h.Write(a.base[:])
		fmt.Fprintf(h, " %d ", len(index))
		if _, err := io.Copy(h, f); err != nil {
			failed.Store(true)
		}
		h.Sum(keys[k][:0])
	})
	if failed.Load() || ctx.Err() != nil {
		return nil
	}
	return keys
}

// known reports whether there seem to be entries for all images of a batch.
func (a *actStore) known(keys []actcache.Key) bool {
	return keys != nil && !slices.ContainsFunc(keys, func(k actcache.Key) bool { return !a.store.Has(k) })
}

// load returns the values of a batch, false where one turns out to be missing.
func (a *actStore) load(ctx context.Context, l *loader, n *Network, keys []actcache.Key) ([]*onnx.Tensor, bool) {
	values, sizes, row := n.cutBatch(len(keys))
	var missing atomic.Bool
	l.spread(ctx, len(keys), func(k int) {
		buf := make([]byte, row)
		if !a.store.Get(keys[k], buf) {
			missing.Store(true)
			return
		}
		for v, t := range values {
			copy(t.Raw[k*sizes[v]:(k+1)*sizes[v]], buf[:sizes[v]])
			buf = buf[sizes[v]:]
		}
	})
	return values, !missing.Load() && ctx.Err() == nil
}

// save keeps the values of those images of a batch that could be read. Where one cannot be written it gives up: the next
// run computes them again.
func (a *actStore) save(ctx context.Context, l *loader, keys []actcache.Key, errs []error, values []*onnx.Tensor) {
	if keys == nil || a.full.Load() {
		return
	}
	l.spread(ctx, len(keys), func(k int) {
		if errs[k] != nil {
			return
		}
		var buf []byte
		for _, t := range values {
			size := len(t.Raw) / len(keys)
			buf = append(buf, t.Raw[k*size:(k+1)*size]...)
		}
		if err := a.store.Put(keys[k], buf); err != nil {
			a.stop(err)
		}
	})
}

// cutBatch makes tensors for the values of the cut of so many images, with the bytes that one image takes in each and in all.
func (n *Network) cutBatch(images int) (values []*onnx.Tensor, sizes []int, row int) {
	for _, name := range n.Cut {
		t := onnx.New(onnx.Float, append([]int{images}, n.shapes[name][1:]...)...)
		values = append(values, t)
		sizes = append(sizes, len(t.Raw)/images)
		row += sizes[len(sizes)-1]
	}
	return values, sizes, row
}

// sweep goes through images batch by batch, for what the frozen part says about them.
type sweep struct {
	r       *run
	kept    *actStore
	items   []features.Item
	batches [][]int
	keys    [][]actcache.Key
	next    int // batch that f has not had yet
	f       func(index []int, errs []error, values []*onnx.Tensor) error
}

// cuts runs the images through the frozen part, or takes what earlier runs have kept, and hands them to f batch by batch in
// their order: with an error for each image that cannot be read, in whose place values have nothing of meaning. Where no
// image of a batch can be read values is nil.
func (r *run) cuts(ctx context.Context, items []features.Item, f func(index []int, errs []error, values []*onnx.Tensor) error) error {
	s := &sweep{r: r, items: items, batches: batchesOf(count(len(items)), r.o.Batch), f: f}
	var err error
	if s.kept, err = r.openActivations(); err != nil {
		return err
	}
	var cold []int // batches that have to be computed
	for i, index := range s.batches {
		keys := s.kept.keys(ctx, r.loader, items, index)
		if s.keys = append(s.keys, keys); !s.kept.known(keys) {
			cold = append(cold, i)
		}
	}
	err = s.compute(ctx, cold, func(i int, errs []error, values []*onnx.Tensor) error {
		if err := s.warm(ctx, i); err != nil {
			return err
		}
		s.next = i + 1
		return f(s.batches[i], errs, values)
	})
	if err == nil {
		err = s.warm(ctx, len(s.batches))
	}
	if e := s.kept.close(); err == nil && e != nil && r.o.Warn != nil {
		r.o.Warn(fmt.Sprintf("the cache of activations: %v", e))
	}
	return err
}

// compute runs batches through the frozen part, and keeps what it says.
func (s *sweep) compute(ctx context.Context, list []int, f func(i int, errs []error, values []*onnx.Tensor) error) error {
	var some [][]int
	for _, i := range list {
		some = append(some, s.batches[i])
	}
	at := 0
	return s.r.loader.each(ctx, s.items, some, -1, func(b *images) error {
		i := list[at]
		at++
		if slices.Index(b.errs, nil) < 0 {
			return f(i, b.errs, nil)
		}
		values, err := s.r.trainer.Cut(ctx, b.x)
		if err != nil {
			return err
		}
		s.kept.save(ctx, s.r.loader, s.keys[i], b.errs, values)
		return f(i, b.errs, values)
	})
}

// warm hands over the batches before until that earlier runs have kept.
func (s *sweep) warm(ctx context.Context, until int) error {
	for ; s.next < until; s.next++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := s.next
		errs := make([]error, len(s.batches[i]))
		values, ok := s.kept.load(ctx, s.r.loader, s.r.net, s.keys[i])
		if !ok { // damaged, or removed since it was seen
			err := s.compute(ctx, []int{i}, func(_ int, e []error, v []*onnx.Tensor) error {
				errs, values = e, v
				return nil
			})
			if err != nil {
				return err
			}
		}
		if err := s.f(s.batches[i], errs, values); err != nil {
			return err
		}
	}
	return nil
}
