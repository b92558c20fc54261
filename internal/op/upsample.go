package op

import "errors"

func init() {
	register(Def{Type: "Upsample", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 1, New: newUpsample})
}

// newUpsample makes Upsample, the forerunner of Resize: nearest (the element before) or linear, coordinates asymmetric.
// Scales are attributes of height and width up to opset 6, one attribute up to 8 and then an input. Opset 10 put
// Resize in its place.
func newUpsample(s *Spec) (Op, error) {
	mode := s.String("mode", "nearest")
	if mode == "bilinear" { // its name in opset 1
		mode = "linear"
	}
	u := resize{sampling: sampling{mode: mode, coords: "asymmetric", nearest: "simple"}, policy: "stretch"}
	if s.Opset >= 10 {
		s.Warn("opset %d has Resize in the place of Upsample", s.Opset)
	}
	err := oneOfNames("mode", mode, "nearest", "linear")
	if len(s.Node.Inputs) == 2 {
		u.inputs.scales = 1
		return u, err
	}
	u.scales = s.Floats("scales")
	if u.scales == nil && s.Has("height_scale") && s.Has("width_scale") {
		u.scales = []float32{1, 1, s.Float("height_scale", 1), s.Float("width_scale", 1)}
	}
	if u.scales == nil {
		return nil, errors.New("scales are missing")
	}
	return u, err
}
