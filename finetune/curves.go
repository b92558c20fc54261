package finetune

import (
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
