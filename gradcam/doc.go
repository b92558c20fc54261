// Package gradcam shows what a network looks at: class activation maps (Grad-CAM and its family), gradients by the
// pixels, occlusion, and the feature maps of any layer.
//
// It works on any ONNX file of a convolutional classifier, frozen or foreign: an [Explainer] needs the graph and a recipe
// for the images. What lies before the layer runs on the inference engine, and only what lies behind it is compiled with
// gradients, so that Grad-CAM costs little more than a prediction.
//
//	x, err := gradcam.New(model, gradcam.Options{})
//	im, err := x.Image(ctx, picture)
//	m, err := x.Explain(ctx, im, "gradcam", im.Predicted)
//	view, err := im.View(2)
//	overlay, err := gradcam.Overlay(view, m, gradcam.Style{})
package gradcam
