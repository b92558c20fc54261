package finetune

import (
	"fmt"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// cache keeps what the frozen part says about images: in memory, or in a file where that would take too much.
type cache struct {
	cut   []string
	sizes []int // numbers of each value of the cut, for one image
	row   int   // numbers of all
	mem   []float32
	file  *atomicfile.Scratch
	size  int64 // bytes of all images
}

// newCache makes room for n images. shapes are those of the cut's values for one image, with the batch.
func newCache(cut []string, shapes map[string][]int, n, limit int, dir string) (*cache, error) {
	c := &cache{cut: cut}
	for _, v := range cut {
		size := onnx.NumElements(shapes[v])
		c.sizes = append(c.sizes, size)
		c.row += size
	}
	c.size = 4 * int64(c.row) * int64(n)
	if c.size <= int64(limit) {
		c.mem = make([]float32, c.row*n)
		return c, nil
	}
	// Its errors are those of a file that is never seen: its name tells the folder, and what it is for.
	f, err := atomicfile.NewScratch(filepath.Join(dir, "activations"))
	if err != nil {
		return nil, &CacheError{c.size, err}
	}
	c.file = f
	return c, nil
}

// memory returns how many bytes it holds in memory.
func (c *cache) memory() int {
	if c == nil {
		return 0
	}
	return 4 * len(c.mem)
}

// close lets go of the memory or the file.
func (c *cache) close() {
	if c != nil && c.file != nil {
		c.file.Close()
	}
}

// put stores the values of row k of a batch as those of image i.
func (c *cache) put(i int, values []*onnx.Tensor, k int) error {
	at := i * c.row
	for v, size := range c.sizes {
		row := values[v].Float32s()[k*size : (k+1)*size]
		if c.file == nil {
			copy(c.mem[at:], row)
		} else if _, err := c.file.WriteAt(onnx.Of([]int{size}, row).Raw, int64(at)*4); err != nil {
			return &CacheError{c.size, err}
		}
		at += size
	}
	return nil
}

// batch returns the values of images as tensors with those shapes.
func (c *cache) batch(index []int, shapes map[string][]int) ([]*onnx.Tensor, error) {
	out := make([]*onnx.Tensor, len(c.cut))
	for v, name := range c.cut {
		out[v] = onnx.New(onnx.Float, append([]int{len(index)}, shapes[name][1:]...)...)
	}
	for k, i := range index {
		at := i * c.row
		for v, size := range c.sizes {
			raw := out[v].Raw[k*size*4 : (k+1)*size*4]
			if c.file == nil {
				copy(out[v].Float32s()[k*size:], c.mem[at:at+size])
			} else if _, err := c.file.ReadAt(raw, int64(at)*4); err != nil {
				return nil, fmt.Errorf("reading kept activations: %w", err)
			}
			at += size
		}
	}
	return out, nil
}
