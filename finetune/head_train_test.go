package finetune_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestHeadsTrain goes through every activation and a normalisation: the loss of a batch falls, and the running
// statistics of the head move.
func TestHeadsTrain(t *testing.T) {
	for _, head := range []string{"linear", "16,relu", "16,leakyrelu", "16,elu", "16,selu", "16,tanh", "16,sigmoid", "16,softplus",
		"16,relu6", "16,gelu", "16,silu", "16,hardswish", "16,batchnorm,relu,dropout=0.1", "batchnorm"} {
		n, err := finetune.Split(backbone(t), 2, finetune.NetOptions{Head: head})
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		trainer, err := finetune.NewTrainer(n, finetune.TrainerOptions{OptimOptions: finetune.OptimOptions{LR: 0.02}})
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		x := onnx.New(onnx.Float, append([]int{4}, n.Shape...)...)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range x.Float32s() {
			x.Float32s()[i] = rng.Float32()
		}
		ctx := context.Background()
		cut, err := trainer.Cut(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		targets, err := trainer.Targets([]int{0, 1, 1, 0})
		if err != nil {
			t.Fatal(err)
		}
		var first, last float64
		for i := range 20 {
			s, err := trainer.Step(ctx, cut, targets, 1)
			if err != nil {
				t.Fatalf("%s: %v", head, err)
			}
			if last = s.Loss; i == 0 {
				first = s.Loss
			}
		}
		if last >= first {
			t.Errorf("%s: the loss went from %v to %v", head, first, last)
		}
		m, err := trainer.Export(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range m.Graph.Initializers {
			if w.Name == "head.1.running_mean" && w.Float32s()[0] == 0 {
				t.Errorf("%s: the running mean has not moved", head)
			}
		}
		trainer.Close()
	}
}
