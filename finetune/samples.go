package finetune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/nlpodyssey/safetensors"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// samplesFile has a few images of validation as the network's input, and what the trained network said of them: what
// every later export of the run is compared with.
const samplesFile = "samples.safetensors"

// sampleImages is how many images there are; the batch of one has the first.
const sampleImages = 3

// samples are the images, and the trainer's logits of the first alone and of all together.
type samples struct {
	images        *onnx.Tensor // [3, ...]
	single, batch *onnx.Tensor // [1, K] and [3, K]
}

// fields lists the tensors under their names in the file.
func (s *samples) fields() map[string]**onnx.Tensor {
	return map[string]**onnx.Tensor{"images": &s.images, "single": &s.single, "batch": &s.batch}
}

// first returns the batch of one.
func (s *samples) first() *onnx.Tensor {
	shape := append([]int{1}, s.images.Shape[1:]...)
	return onnx.Of(shape, s.images.Float32s()[:onnx.NumElements(shape)])
}

// takeSamples asks logits about images of validation.
func (r *run) takeSamples(ctx context.Context, logits cutLogits) (*samples, error) {
	var err error
	if r.probe == nil {
		if r.probe, err = r.newProbe(ctx); err != nil {
			return nil, err
		}
	}
	s := &samples{images: r.probe.images}
	if s.single, err = logits(ctx, r.probe.single); err != nil {
		return nil, err
	}
	s.batch, err = logits(ctx, r.probe.batch)
	return s, err
}

// view returns a tensor in the form that a safetensors file takes it.
func view(shape []int, data []float32) (safetensors.TensorView, error) {
	dims := make([]uint64, len(shape))
	for i, d := range shape {
		dims[i] = uint64(d)
	}
	return safetensors.NewTensorView(safetensors.F32, dims, onnx.Of([]int{len(data)}, data).Raw)
}

func (f folder) writeSamples(s *samples) error {
	views := map[string]safetensors.TensorView{}
	for name, t := range s.fields() {
		v, err := view((*t).Shape, (*t).Float32s())
		if err != nil {
			return err
		}
		views[name] = v
	}
	return atomicfile.Write(f.path(samplesFile), func(w io.Writer) error { return safetensors.SerializeToWriter(views, nil, w) })
}

// readSamples reads what writeSamples wrote.
func (f folder) readSamples() (*samples, error) {
	data, err := os.ReadFile(f.path(samplesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w (no %s)", string(f), ErrNoRun, samplesFile)
	}
	if err != nil {
		return nil, err
	}
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not a whole file: %w", f.path(samplesFile), err)
	}
	s, err := parseSamples(st, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path(samplesFile), err)
	}
	return s, nil
}

// parseSamples takes the samples out of a file where their names begin with prefix.
func parseSamples(st safetensors.SafeTensors, prefix string) (*samples, error) {
	s := &samples{}
	for name, into := range s.fields() {
		v, ok := st.Tensor(prefix + name)
		if !ok || v.DType() != safetensors.F32 || len(v.Shape()) < 2 {
			return nil, fmt.Errorf("has no %q", prefix+name)
		}
		var shape []int
		for _, d := range v.Shape() {
			if d < 1 || d > uint64(len(v.Data())) {
				return nil, fmt.Errorf("%q has shape %v", prefix+name, v.Shape())
			}
			shape = append(shape, int(d)) // Deserialize has checked that the data is as long as their product
		}
		t := onnx.New(onnx.Float, shape...)
		copy(t.Raw, v.Data())
		*into = t
	}
	if s.images.Shape[0] != sampleImages || s.batch.Shape[0] != sampleImages || s.single.Shape[0] != 1 || s.single.Shape[1] != s.batch.Shape[1] {
		return nil, fmt.Errorf("images %v with logits %v and %v", s.images.Shape, s.single.Shape, s.batch.Shape)
	}
	return s, nil
}
