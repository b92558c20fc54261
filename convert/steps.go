package convert

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Steps are changes to a model, made in the order in which the fields stand. The zero value changes nothing.
type Steps struct {
	Float32       bool        // single precision, of a model in half precision (see [Float32])
	Height, Width int         // of the input; 0 leaves them
	At            string      // only the part that computes this layer (see [At])
	NoHead        bool        // without the last layer (see [NoHead])
	NewHead       int         // classes of a new last layer (see [NewHead]); 0 leaves it
	Seed          uint64      // of its random numbers
	FoldBN        bool        // batch normalisations folded into the convolutions before them
	DynamicBatch  bool        // a free batch (see [DynamicBatch])
	Bake          *Preprocess // preprocessing inside (see [BakePreprocess]); nil leaves it outside
	Opset         int         // version of the ONNX operators (see [Opset]); 0 leaves it
	Float16       bool        // half precision (see [Float16])
}

// StepsReport says what the steps have done.
type StepsReport struct {
	Folded int         `json:"folded,omitempty"` // batch normalisations
	Half   *HalfReport `json:"half,omitempty"`
}

// Apply makes the changes. The given model is not changed.
func (s Steps) Apply(m *onnx.Model) (*onnx.Model, StepsReport, error) {
	var report StepsReport
	if s.Float32 && s.Float16 {
		return nil, report, errors.New("single and half precision exclude each other")
	}
	if s.NoHead && s.NewHead > 0 || s.At != "" && (s.NoHead || s.NewHead > 0) {
		return nil, report, errors.New("a layer to cut at, no head and a new head exclude each other")
	}
	for _, step := range []struct {
		name string
		on   bool
		do   func() error
	}{
		{"float32", s.Float32, func() (err error) { m, err = Float32(m); return err }},
		{"input size", s.Height != 0 || s.Width != 0, func() (err error) { m, err = InputSize(m, s.Height, s.Width); return err }},
		{"cut", s.At != "", func() (err error) { m, err = At(m, s.At); return err }},
		{"no head", s.NoHead, func() (err error) { m, err = NoHead(m); return err }},
		{"new head", s.NewHead != 0, func() (err error) { m, err = NewHead(m, s.NewHead, s.Seed); return err }},
		{"fold BN", s.FoldBN, func() (err error) { m, report.Folded, err = graph.FoldBatchNorm(m); return err }},
		{"free batch", s.DynamicBatch, func() (err error) { m, err = DynamicBatch(m); return err }},
		{"preprocessing", s.Bake != nil, func() (err error) { m, err = BakePreprocess(m, *s.Bake); return err }},
		{"opset", s.Opset != 0, func() (err error) { m, err = Opset(m, s.Opset); return err }},
		{"float16", s.Float16, func() error {
			half, r, err := Float16(m)
			m, report.Half = half, &r
			return err
		}},
	} {
		if !step.on {
			continue
		}
		if err := step.do(); err != nil {
			return nil, report, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return m, report, nil
}

// KeepsResults reports whether the steps leave inputs and outputs as they are, so that what the model computes can be
// compared before and after.
func (s Steps) KeepsResults() bool {
	return s.Height == 0 && s.Width == 0 && s.At == "" && !s.NoHead && s.NewHead == 0 && s.Bake == nil
}
