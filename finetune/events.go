package finetune

import "github.com/onnxcnn/onnxcnn/internal/tfevents"

// openEvents starts a file for TensorBoard, for epochs from first on.
func (f folder) openEvents(first int) (*tfevents.Writer, error) {
	return tfevents.Create(string(f), first)
}

// writeEvents adds an epoch to the file.
func writeEvents(w *tfevents.Writer, e Epoch) error {
	return w.Write(e.Epoch,
		tfevents.Scalar{Tag: "loss/train", Value: e.TrainLoss}, tfevents.Scalar{Tag: "loss/validation", Value: e.ValLoss},
		tfevents.Scalar{Tag: "accuracy/train", Value: e.TrainAcc}, tfevents.Scalar{Tag: "accuracy/validation", Value: e.ValAcc},
		tfevents.Scalar{Tag: "learning_rate", Value: e.LR}, tfevents.Scalar{Tag: "seconds", Value: e.Seconds})
}
