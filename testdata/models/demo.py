#!/usr/bin/env python3
"""Writes what "onnxcnn demo" has built in (internal/demodata) again: a small network that is trained here on seven of the
ten classes of Fashion-MNIST, and pictures of the three classes that it never saw.

  backbone.onnx   pictures of 28x28 as three equal channels; four blocks of convolution, batch normalisation (kept as
                  nodes of their own) and ReLU; global average pooling to 128 features; a classifier of seven classes.
                  The metadata have the labels and the recipe by which a picture becomes the input.
  images.zip      train/CLASS/NNNN.png and val/CLASS/NNNN.png, the first of each class in the order of the test split.
  SHA256SUMS      of both, as sha256sum writes it; a test compares.

usage: demo.py [DIR] [DATA]
DIR is where to write (default: internal/demodata of this repository), DATA the folder with Fashion-MNIST's four files
(default: where the Debian package dataset-fashion-mnist has them). Needs the Python packages torch, onnx, numpy and
Pillow; takes a few minutes on two cores. Everything is seeded: the same versions on the same kind of processor write
the same bytes; others write a network that is as good, but not equal.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import time
import zipfile

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the processor to others

import numpy as np
import onnx
import torch
from PIL import Image
from torch import nn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "internal", "demodata")
DATA = sys.argv[2] if len(sys.argv) > 2 else "/usr/share/datasets/fashion-mnist"

NAMES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]
UNSEEN = ["bag", "sandal", "sneaker"]
SEEN = [n for n in NAMES if n not in UNSEEN]
TRAIN, VAL = 50, 100  # pictures of each unseen class in images.zip

SEED, EPOCHS, BATCH, RATE = 1, 5, 128, 6e-3
MEAN, STD = 0.286, 0.353  # of the training pictures, scaled to 0..1


def read_idx(name):
    with gzip.open(os.path.join(DATA, name + ".gz")) as f:
        data = f.read()
    dims = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dims)


def split(part):
    return read_idx(part + "-images-idx3-ubyte"), read_idx(part + "-labels-idx1-ubyte")


def block(c_in, c_out, stride=1):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            block(3, 16, stride=2), block(16, 32), nn.MaxPool2d(2), block(32, 64), block(64, 128),
            nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(128, len(SEEN))

    def forward(self, x):
        return self.classifier(self.features(x))


def tensor(images):
    """The recipe: (v/255 - MEAN) / STD, the grey values as three channels."""
    x = torch.from_numpy(np.ascontiguousarray(images)).float().div_(255).sub_(MEAN).div_(STD)
    return x.unsqueeze(1).expand(-1, 3, -1, -1)


def augment(x):
    """Mirrors half of the pictures and moves all of a batch by up to two pixels."""
    mirror = torch.rand(len(x)) < 0.5
    x = torch.where(mirror[:, None, None, None], x.flip(3), x)
    dy, dx = torch.randint(0, 5, (2,)).tolist()
    border = (0 - MEAN) / STD
    return nn.functional.pad(x, (2, 2, 2, 2), value=border)[:, :, dy : dy + 28, dx : dx + 28]


def only_seen(images, labels):
    index = np.full(len(NAMES), -1)
    index[[NAMES.index(n) for n in SEEN]] = np.arange(len(SEEN))
    keep = index[labels] >= 0
    return tensor(images[keep]), torch.from_numpy(index[labels[keep]])


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        return np.mean([(net(a).argmax(1) == b).float().mean().item() for a, b in zip(x.split(500), y.split(500))])


def train():
    torch.manual_seed(SEED)
    x, y = only_seen(*split("train"))
    test = only_seen(*split("t10k"))
    net = Backbone()
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    start = time.time()
    for epoch in range(EPOCHS):
        net.train()
        order, total = torch.randperm(len(x)), 0.0
        for i in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[i : i + BATCH]
            loss = nn.functional.cross_entropy(net(augment(x[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (len(x) // BATCH):.4f}, accuracy on the test split "
              f"{accuracy(net, *test):.4f}, {time.time() - start:.0f} s", flush=True)
    return net.eval()


def export(net, path):
    f = io.BytesIO()
    # PRESERVE: the exporter would fold batch normalisation into the convolutions otherwise.
    torch.onnx.export(net, torch.zeros(1, 3, 28, 28), f, opset_version=15, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
    model = onnx.load_from_string(f.getvalue())
    onnx.helper.set_model_props(model, {
        "onnxcnn.labels": json.dumps(SEEN),
        "onnxcnn.preprocess": json.dumps({
            "resize": "exact", "size": [28, 28], "channels": "RGB", "scale": 1 / 255,
            "mean": [MEAN] * 3, "std": [STD] * 3, "layout": "NCHW",
        }),
    })
    model.doc_string = "Trained by testdata/models/demo.py on seven classes of Fashion-MNIST."
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def pack(path):
    images, labels = split("t10k")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:  # PNG is compressed already
        for name in UNSEEN:
            rows = np.flatnonzero(labels == NAMES.index(name))[: TRAIN + VAL]
            for i, row in enumerate(rows):
                f = io.BytesIO()
                Image.fromarray(images[row]).save(f, "PNG", optimize=True)
                part = "train" if i < TRAIN else "val"
                z.writestr(zipfile.ZipInfo(f"{part}/{name}/{i + 1:04}.png"), f.getvalue())


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    export(train(), os.path.join(OUT, "backbone.onnx"))
    pack(os.path.join(OUT, "images.zip"))
    with open(os.path.join(OUT, "SHA256SUMS"), "w") as f:
        for name in ["backbone.onnx", "images.zip"]:
            with open(os.path.join(OUT, name), "rb") as g:
                f.write(f"{hashlib.sha256(g.read()).hexdigest()}  {name}\n")
