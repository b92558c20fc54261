package zoo

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Pretrained is one file of pretrained weights, with what is known of it.
type Pretrained struct {
	Name    string `json:"name"` // "resnet50_v2"; the architecture's name stands for its default file
	Arch    string `json:"arch"`
	Default bool   `json:"default"` // the file that the architecture's name stands for
	URL     string `json:"url"`
	Bytes   int64  `json:"bytes,omitempty"` // size, where it is known exactly
	// MiB is the size in units of 2^20 bytes as published, with three decimals; 0 where none is.
	MiB float64 `json:"mib,omitempty"`
	// SHA256 is the checksum in hexadecimal: all 64 digits, or the first 8 where only those are published (in the name of
	// the file).
	SHA256  string  `json:"sha256"`
	Licence string  `json:"licence"`
	Top1    float64 `json:"top1,omitempty"` // accuracy on ImageNet's validation images in percent, as published; 0 where none is
	Top5    float64 `json:"top5,omitempty"`
	Recipe  string  `json:"recipe"` // name of the recipe of its pictures
	Source  string  `json:"source"` // who publishes it, and what they call it
	Classes int     `json:"classes"`
}

// File is the name of the file.
func (p Pretrained) File() string { return p.URL[strings.LastIndexByte(p.URL, '/')+1:] }

// FullChecksum reports whether all of the checksum is known.
func (p Pretrained) FullChecksum() bool { return len(p.SHA256) == 64 }

// Size describes the size for people.
func (p Pretrained) Size() string {
	switch {
	case p.Bytes > 0:
		return fmt.Sprintf("%.1f MB", float64(p.Bytes)/1e6)
	case p.MiB > 0:
		return fmt.Sprintf("%.1f MB", p.MiB*(1<<20)/1e6)
	}
	return "unknown"
}

// checkSize reports a size that is not the published one.
func (p Pretrained) checkSize(n int64) error {
	if p.Bytes > 0 && n != p.Bytes {
		return fmt.Errorf("has %d bytes, want %d", n, p.Bytes)
	}
	// The published size is rounded to three decimals.
	if p.Bytes == 0 && p.MiB > 0 && math.Abs(float64(n)/(1<<20)-p.MiB) > 0.00051 {
		return fmt.Errorf("has %d bytes (%.3f MiB), want %.3f MiB", n, float64(n)/(1<<20), p.MiB)
	}
	return nil
}

// maxDownload bounds files whose size is not published.
const maxDownload = 1 << 30

// limit is the size above which a file cannot be this one.
func (p Pretrained) limit() int64 {
	switch {
	case p.Bytes > 0:
		return p.Bytes
	case p.MiB > 0:
		return int64((p.MiB + 0.001) * (1 << 20))
	}
	return maxDownload
}

// The terms under which weights are published. Training data have terms of their own.
const (
	torchvisionLicence = "BSD-3-Clause; terms of the training data (ImageNet) may apply"
	timmLicence        = "Apache-2.0; terms of the training data (ImageNet) may apply"
)

// torchvisionFiles are the files of torchvision's weights: architecture, version, file, checksum, bytes (0: not known),
// MiB, accuracies, and recipe, from torchvision's own tables. Of an architecture the last one is the default, as there.
var torchvisionFiles = []struct {
	arch, version, file, sha256 string
	bytes                       int64
	mib, top1, top5             float64
	recipe                      string
}{
	{"vgg11", "v1", "vgg11-8a719046.pth",
		"8a719046", 0, 506.84, 69.02, 88.628, "torchvision-v1"},
	{"vgg11_bn", "v1", "vgg11_bn-6002323d.pth",
		"6002323d", 0, 506.881, 70.37, 89.81, "torchvision-v1"},
	{"vgg13", "v1", "vgg13-19584684.pth",
		"19584684", 0, 507.545, 69.928, 89.246, "torchvision-v1"},
	{"vgg13_bn", "v1", "vgg13_bn-abd245e5.pth",
		"abd245e5", 0, 507.59, 71.586, 90.374, "torchvision-v1"},
	{"vgg16", "v1", "vgg16-397923af.pth",
		"397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553433881, 527.796, 71.592, 90.382, "torchvision-v1"},
	{"vgg16_bn", "v1", "vgg16_bn-6c64b313.pth",
		"6c64b313", 0, 527.866, 73.36, 91.516, "torchvision-v1"},
	{"vgg19", "v1", "vgg19-dcbb9e9d.pth",
		"dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 0, 548.051, 72.376, 90.876, "torchvision-v1"},
	{"vgg19_bn", "v1", "vgg19_bn-c79401a0.pth",
		"c79401a0", 0, 548.143, 74.218, 91.842, "torchvision-v1"},
	{"resnet18", "v1", "resnet18-f37072fd.pth",
		"f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec", 46830571, 44.661, 69.758, 89.078, "torchvision-v1"},
	{"resnet34", "v1", "resnet34-b627a593.pth",
		"b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f", 0, 83.275, 73.314, 91.42, "torchvision-v1"},
	{"resnet50", "v1", "resnet50-0676ba61.pth",
		"0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a", 102530333, 97.781, 76.13, 92.862, "torchvision-v1"},
	{"resnet50", "v2", "resnet50-11ad3fa6.pth",
		"11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca", 102540417, 97.79, 80.858, 95.434, "torchvision-v2"},
	{"resnet101", "v1", "resnet101-63fe2227.pth",
		"63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a", 0, 170.511, 77.374, 93.546, "torchvision-v1"},
	{"resnet101", "v2", "resnet101-cd907fc2.pth",
		"cd907fc2a0de2292b2ba2b27d2216bc672d84632d1cf20058d01c0c03b5e020e", 0, 170.53, 81.886, 95.78, "torchvision-v2"},
	{"resnet152", "v1", "resnet152-394f9c45.pth",
		"394f9c45966e3651a89bbb78a48410a6755854ce4a5ab64927cf1c7247f85e58", 0, 230.434, 78.312, 94.046, "torchvision-v1"},
	{"resnet152", "v2", "resnet152-f82ba261.pth",
		"f82ba261", 0, 230.474, 82.284, 96.002, "torchvision-v2"},
	{"resnext50_32x4d", "v1", "resnext50_32x4d-7cdf4587.pth",
		"7cdf4587", 0, 95.789, 77.618, 93.698, "torchvision-v1"},
	{"resnext50_32x4d", "v2", "resnext50_32x4d-1a0047aa.pth",
		"1a0047aa", 0, 95.833, 81.198, 95.34, "torchvision-v2"},
	{"resnext101_32x8d", "v1", "resnext101_32x8d-8ba56ff5.pth",
		"8ba56ff5", 0, 339.586, 79.312, 94.526, "torchvision-v1"},
	{"resnext101_32x8d", "v2", "resnext101_32x8d-110c445d.pth",
		"110c445d", 0, 339.673, 82.834, 96.228, "torchvision-v2"},
	{"resnext101_64x4d", "v1", "resnext101_64x4d-173b62eb.pth",
		"173b62eb", 0, 319.318, 83.246, 96.454, "torchvision-v2"},
	{"wide_resnet50_2", "v1", "wide_resnet50_2-95faca4d.pth",
		"95faca4d", 0, 131.82, 78.468, 94.086, "torchvision-v1"},
	{"wide_resnet50_2", "v2", "wide_resnet50_2-9ba9bcbe.pth",
		"9ba9bcbe", 0, 263.124, 81.602, 95.758, "torchvision-v2"},
	{"wide_resnet101_2", "v1", "wide_resnet101_2-32ee1156.pth",
		"32ee1156", 0, 242.896, 78.848, 94.284, "torchvision-v1"},
	{"wide_resnet101_2", "v2", "wide_resnet101_2-d733dc28.pth",
		"d733dc28", 0, 484.747, 82.51, 96.02, "torchvision-v2"},
	{"inception_v3", "v1", "inception_v3_google-0cc3c7bd.pth",
		"0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef", 108949747, 103.903, 77.294, 93.45, "inception-v3-weights"},
	{"mobilenet_v2", "v1", "mobilenet_v2-b0353104.pth",
		"b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889", 14212972, 13.555, 71.878, 90.286, "torchvision-v1"},
	{"mobilenet_v2", "v2", "mobilenet_v2-7ebf99e0.pth",
		"7ebf99e03e254b273379b23edca7ec0da9f48273b23a332b93c1c99d49e86e8f", 0, 13.598, 72.154, 90.822, "torchvision-v2"},
	{"mobilenet_v3_large", "v1", "mobilenet_v3_large-8738ca79.pth",
		"8738ca797c879b547d18bbd15da5736ff2557b2036a9af72225393ca61759a04", 0, 21.114, 74.042, 91.34, "torchvision-v1"},
	{"mobilenet_v3_large", "v2", "mobilenet_v3_large-5c1a4163.pth",
		"5c1a416349c4cf298f2a6a5e2600ed0ee55e604713578f5e74e6bc8bcaef7997", 0, 21.107, 75.274, 92.566, "torchvision-v2"},
	{"mobilenet_v3_small", "v1", "mobilenet_v3_small-047dcff4.pth",
		"047dcff4addef86ea5bc2eff13c9614dc11f47ab1160d0a71a25e7db994f4e1f", 0, 9.829, 67.668, 87.402, "torchvision-v1"},
	{"efficientnet_b0", "v1", "efficientnet_b0_rwightman-7f5810bc.pth",
		"7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934", 0, 20.451, 77.692, 93.532, "efficientnet-b0"},
	{"efficientnet_b1", "v1", "efficientnet_b1_rwightman-bac287d4.pth",
		"bac287d4", 0, 30.134, 78.642, 94.186, "efficientnet-b1"},
	{"efficientnet_b1", "v2", "efficientnet_b1-c27df63c.pth",
		"c27df63c", 0, 30.136, 79.838, 94.934, "efficientnet-b1-v2"},
	{"efficientnet_b2", "v1", "efficientnet_b2_rwightman-c35c1473.pth",
		"c35c1473", 0, 35.174, 80.608, 95.31, "efficientnet-b2"},
	{"efficientnet_b3", "v1", "efficientnet_b3_rwightman-b3899882.pth",
		"b3899882", 0, 47.184, 82.008, 96.054, "efficientnet-b3"},
	{"densenet121", "v1", "densenet121-a639ec97.pth",
		"a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395", 32342954, 30.845, 74.434, 91.972, "torchvision-v1"},
	{"squeezenet1_1", "v1", "squeezenet1_1-b8a52dc0.pth",
		"b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b", 0, 4.729, 58.178, 80.624, "torchvision-v1"},
	{"alexnet", "v1", "alexnet-owt-7be5be79.pth",
		"7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02", 244408911, 233.087, 56.522, 79.066, "torchvision-v1"},
	{"convnext_tiny", "v1", "convnext_tiny-983f1562.pth",
		"983f1562536e84ff750a1576fb08e54de751dbf2e17c0d8a4a13704341fdcd3d", 0, 109.119, 82.52, 96.146, "convnext-tiny"},
}

// timmFiles are files of pytorch-image-models, with the accuracies of its own table of results.
var timmFiles = []struct {
	arch, file, sha256 string
	top1, top5         float64
	recipe             string
}{
	{"efficientnet_lite0", "efficientnet_lite0_ra-37913777.pth", "37913777", 75.48, 92.522, "timm"},
	{"tf_efficientnet_lite0", "tf_efficientnet_lite0-0aa007d2.pth", "0aa007d2", 74.83, 92.172, "timm-inception"},
	{"tf_efficientnet_lite1", "tf_efficientnet_lite1-bde8b488.pth", "bde8b488", 76.644, 93.23, "tf-efficientnet-lite1"},
	{"tf_efficientnet_lite2", "tf_efficientnet_lite2-dcccb7df.pth", "dcccb7df", 77.464, 93.75, "tf-efficientnet-lite2"},
}

var pretrained = listPretrained()

func listPretrained() []Pretrained {
	var all []Pretrained
	for i, f := range torchvisionFiles {
		all = append(all, Pretrained{Name: f.arch + "_" + f.version, Arch: f.arch,
			Default: i+1 == len(torchvisionFiles) || torchvisionFiles[i+1].arch != f.arch,
			URL:     "https://download.pytorch.org/models/" + f.file, Bytes: f.bytes, MiB: f.mib, SHA256: f.sha256, Licence: torchvisionLicence,
			Top1: f.top1, Top5: f.top5, Recipe: f.recipe, Source: "torchvision IMAGENET1K_" + strings.ToUpper(f.version), Classes: 1000})
	}
	for _, f := range timmFiles {
		all = append(all, Pretrained{Name: f.arch + "_timm", Arch: f.arch, Default: true,
			URL:    "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/" + f.file,
			SHA256: f.sha256, Licence: timmLicence, Top1: f.top1, Top5: f.top5, Recipe: f.recipe, Source: "timm " + f.arch, Classes: 1000})
	}
	return all
}

// Pretraineds lists the files of pretrained weights that are known.
func Pretraineds() []Pretrained { return slices.Clone(pretrained) }

// LookupPretrained returns the file of that name; an architecture's name stands for its default file. Case, "-", "_" and
// "." make no difference.
func LookupPretrained(name string) (Pretrained, bool) {
	key := plainName(name)
	for _, p := range pretrained {
		if plainName(p.Name) == key || p.Default && plainName(p.Arch) == key {
			return p, true
		}
	}
	return Pretrained{}, false
}
