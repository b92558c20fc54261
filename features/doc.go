// Package features turns images into the feature vectors that a network computes for them: it finds the images of a
// data set, decodes them beside the running network, and writes what a layer says about each to a file.
//
//	data, err := features.Open("photos/train")
//	...
//	x, err := features.New(model, features.Options{At: "avgpool"})
//	...
//	defer x.Close()
//	for batch, err := range x.Batches(ctx, data) {
//		...
//	}
//
// # Data sets
//
// A folder with sub-folders is a folder of classes: each sub-folder is a class, whatever lies below it belongs to it,
// and the classes are numbered in the byte order of their names, on every system the same ("1", "10", "2", "B", "a"),
// as torchvision has it. A folder without sub-folders is flat: its images have no label (-1). Images that lie beside
// class folders have none either. A folder that holds train and val (or validation), and perhaps test, is a split:
// the classes are those inside; see [Dataset.Split].
//
// In a folder, what is no image by its name is ignored: hidden entries (their names start with a dot), the __MACOSX
// folder of zip files, and files whose extension is not one of [Extensions], compared without regard to case. What is
// inside a file decides how it is decoded, not its extension. A class without an image is left out. [Dataset.Notes]
// tells of everything that was left out.
//
// Links are followed, but a linked folder is entered once a class at most, and never from inside itself.
//
// An image that cannot be decoded leaves no row: it is reported as a [Skip], and rows and paths stay aligned.
//
// # Classes
//
// [Classifier] tells the classes that the network was trained on. [FitCentroids] learns others from a few rows of features
// of each.
package features
