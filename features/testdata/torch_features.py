"""Computes features with PyTorch, for comparison.

usage: torch_features.py DIR IMAGE...

Builds a ResNet18 with fixed random weights, exports it to DIR/resnet18.onnx, and writes what its global pool gives for
the images, preprocessed with torchvision's transforms, to DIR/features.npy, and the images without loss to
DIR/png/00.png, 01.png, ...
"""
import os
import sys

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision import transforms

torch.manual_seed(3)
torch.set_num_threads(1)
net = torchvision.models.resnet18(weights=None).eval()
images = [Image.open(p).convert("RGB") for p in sys.argv[2:]]
os.mkdir(os.path.join(sys.argv[1], "png"))
for i, image in enumerate(images):
    image.save(os.path.join(sys.argv[1], "png", f"{i:02}.png"), compress_level=1)
prepare = transforms.Compose([
    transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])
x = torch.stack([prepare(i) for i in images])
with torch.no_grad():
    # Statistics of the images themselves: with those of a new network all images look alike.
    net.train()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.momentum = 1.0
    net(x[:4])
    net.eval()
    features = torch.nn.Sequential(*list(net.children())[:-1])(x).flatten(1)
    torch.onnx.export(net, x[:1], os.path.join(sys.argv[1], "resnet18.onnx"), input_names=["input"], output_names=["output"], opset_version=13,
                      dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
np.save(os.path.join(sys.argv[1], "features.npy"), features.numpy())
