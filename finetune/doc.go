// Package finetune trains a network on images of new classes, starting from one that was trained before.
//
// [Split] cuts the network's own classifier off, puts a new head on what remains, the base, and divides the result at
// the first layer that is to be trained. What lies before never changes: it runs on the inference plan, its activations
// are kept over the epochs where images are not changed at random, and its weights, normalisation statistics included,
// are in the result byte by byte.
//
// [Run] is the whole way from a folder of images to a run folder with the trained network. A [Trainer] is its core, for
// programs with data or a loop of their own.
package finetune
