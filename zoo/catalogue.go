package zoo

import "slices"

// Constants of the ImageNet training set: mean and standard deviation of values in 0..1, in the order R, G, B.
var (
	imageNetMean = [3]float64{0.485, 0.456, 0.406}
	imageNetStd  = [3]float64{0.229, 0.224, 0.225}
	ones         = [3]float64{1, 1, 1}
	halves       = [3]float64{0.5, 0.5, 0.5}
)

const (
	perUnit  = 1.0 / 255   // 0..255 to 0..1
	perRange = 1.0 / 127.5 // 0..255 to 0..2
)

// torch is the recipe of a torchvision weight: shorter side, centre crop, ImageNet's mean and deviation.
func torch(name string, resize, crop int, interpolation string) Recipe {
	return Recipe{
		Name: name, Resize: "shorter", ResizeTo: []int{resize}, Interpolation: interpolation, Size: [2]int{crop, crop},
		Channels: "RGB", Scale: perUnit, Mean: imageNetMean, Std: imageNetStd, Layout: "NCHW",
	}
}

// keras is the recipe of a Keras application: the picture is resized to the input's size, whatever its proportions.
func keras(name string, size int, channels string, scale float64, mean, std [3]float64) Recipe {
	return Recipe{
		Name: name, Resize: "exact", Interpolation: "bilinear", Size: [2]int{size, size},
		Channels: channels, Scale: scale, Mean: mean, Std: std, Layout: "NHWC",
	}
}

// with returns r changed by f.
func with(r Recipe, f func(*Recipe)) Recipe {
	f(&r)
	return r
}

// recipes is the catalogue, in the order in which it is listed. torchvision's values are those of its weights'
// transforms; the constants of Keras are those of its imagenet_utils.preprocess_input.
var recipes = []Recipe{
	torch("torchvision-v1", 256, 224, "bilinear"), // IMAGENET1K_V1 of VGG, ResNet, DenseNet, MobileNet, SqueezeNet, ...
	torch("torchvision-v2", 232, 224, "bilinear"), // IMAGENET1K_V2
	torch("inception-v3", 342, 299, "bilinear"),   // for graphs that turn ImageNet's constants into those below, as torchvision's pretrained one does
	with(torch("inception-v3-weights", 342, 299, "bilinear"), func(r *Recipe) { r.Mean, r.Std = halves, halves }),
	torch("efficientnet-b0", 256, 224, "bicubic"),
	torch("efficientnet-b1", 256, 240, "bicubic"),
	torch("efficientnet-b1-v2", 255, 240, "bilinear"),
	torch("efficientnet-b2", 288, 288, "bicubic"),
	torch("efficientnet-b3", 320, 300, "bicubic"),
	torch("efficientnet-b4", 384, 380, "bicubic"),
	torch("efficientnet-b5", 456, 456, "bicubic"),
	torch("efficientnet-b6", 528, 528, "bicubic"),
	torch("efficientnet-b7", 600, 600, "bicubic"),
	torch("efficientnet-v2-s", 384, 384, "bilinear"),
	torch("efficientnet-v2-m", 480, 480, "bilinear"),
	with(torch("efficientnet-v2-l", 480, 480, "bicubic"), func(r *Recipe) { r.Mean, r.Std = halves, halves }),
	torch("convnext-tiny", 236, 224, "bilinear"),
	torch("convnext-small", 230, 224, "bilinear"),
	torch("convnext-base", 232, 224, "bilinear"), // convnext-large too
	torch("timm", 256, 224, "bicubic"),           // timm's default: crop fraction 0.875
	with(torch("timm-inception", 256, 224, "bicubic"), func(r *Recipe) { r.Mean, r.Std = halves, halves }),
	with(torch("tf-efficientnet-lite1", 272, 240, "bicubic"), func(r *Recipe) { r.Mean, r.Std = halves, halves }),
	with(torch("tf-efficientnet-lite2", 292, 260, "bicubic"), func(r *Recipe) { r.Mean, r.Std = halves, halves }),
	keras("keras-caffe", 224, "BGR", 1, [3]float64{103.939, 116.779, 123.68}, ones),                          // VGG, ResNet
	keras("keras-tf", 224, "RGB", perRange, ones, ones),                                                      // MobileNet, ResNetV2, NASNet
	keras("keras-tf-299", 299, "RGB", perRange, ones, ones),                                                  // InceptionV3, Xception, InceptionResNetV2
	keras("keras-torch", 224, "RGB", perUnit, imageNetMean, imageNetStd),                                     // DenseNet
	keras("unit", 224, "RGB", perUnit, [3]float64{}, ones),                                                   // values 0..1
	with(keras("unit-gray", 28, "GRAY", perUnit, [3]float64{}, ones), func(r *Recipe) { r.Layout = "NCHW" }), // digits of MNIST
	keras("raw", 224, "RGB", 1, [3]float64{}, ones),                                                          // values 0..255: Keras EfficientNet, ConvNeXt, MobileNetV3
}

// RecipeByName returns a recipe of the catalogue.
func RecipeByName(name string) (Recipe, bool) {
	for _, r := range recipes {
		if r.Name == name {
			r.ResizeTo = slices.Clone(r.ResizeTo)
			return r, true
		}
	}
	return Recipe{}, false
}

// RecipeNames lists the catalogue.
func RecipeNames() []string {
	names := make([]string, len(recipes))
	for i, r := range recipes {
		names[i] = r.Name
	}
	return names
}
