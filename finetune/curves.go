package finetune

import (
	"image/color"
	"io"

	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// writeCurves draws loss and accuracy over the epochs into curves.png.
func (f folder) writeCurves(history []Epoch) error {
	return atomicfile.Write(f.path("curves.png"), func(w io.Writer) error { return metrics.WriteCurves(w, Curves(history)) })
}

// Curves returns the part of a history that is drawn.
func Curves(history []Epoch) []metrics.Epoch {
	out := make([]metrics.Epoch, len(history))
	for i, e := range history {
		out[i] = metrics.Epoch{Epoch: e.Epoch, TrainLoss: e.TrainLoss, TrainAcc: e.TrainAcc, ValLoss: e.ValLoss, ValAcc: e.ValAcc}
	}
	return out
}

var (
	trainColor = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	valColor   = color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
)
