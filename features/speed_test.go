package features

import (
	"context"
	"errors"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSpeed(t *testing.T) {
	for _, c := range []struct {
		name    string
		images  []int
		rounds  int
		run     func(*onnx.Tensor) (*onnx.Tensor, error)
		wantErr bool
	}{
		{"three images, two rounds", []int{10, 20, 30}, 2, identity, false},
		{"one round at least", []int{10}, 0, identity, false},
		{"no images", nil, 1, identity, true},
		{"an image that cannot be read", []int{10, -1}, 1, identity, true},
		{"a network that fails", []int{10}, 1, func(*onnx.Tensor) (*onnx.Tensor, error) { return nil, errors.New("broken") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, f := small(t, Options{Batch: 2}, c.run)
			s, err := x.Speed(context.Background(), shades(t, c.images...), c.rounds)
			if (err != nil) != c.wantErr {
				t.Fatalf("%+v, %v", s, err)
			}
			if c.wantErr {
				return
			}
			if s.Images != len(c.images) || s.Files <= 0 || s.Network <= 0 || s.Decode <= 0 {
				t.Errorf("%+v", s)
			}
			// Each round runs all images in batches twice: alone, and after decoding.
			if want := (max(c.rounds, 1) + 1) * 2 * ((len(c.images) + 1) / 2); len(f.batches) != want {
				t.Errorf("%d batches ran, want %d", len(f.batches), want)
			}
		})
	}
	x, _ := small(t, Options{}, identity)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := x.Speed(ctx, shades(t, 1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
