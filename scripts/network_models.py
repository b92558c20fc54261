#!/usr/bin/env python3
"""Exports further torchvision classifiers with seeded random weights, to measure and compare the engine with.

usage: network_models.py OUT_DIR [MODEL ...]
       (default: mobilenet_v2 efficientnet_b0 densenet121 convnext_tiny)

For each model OUT_DIR gets
  NAME.onnx     eval export, BatchNorm folded into Conv by the exporter (opset 13, dynamic batch)
  NAME.in.npy   input, float32 [2,3,224,224]
  NAME.out.npy  output of the model in eval mode, float32 [2,1000]

Needs PyTorch and torchvision (Debian: apt-get install python3-torch python3-torchvision, then /usr/bin/python3;
or the PyPI wheels). Nothing is downloaded.
"""
import os
import sys

import numpy as np
import torch
import torchvision


def seed_weights(model):
    for m in model.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            if m.bias is not None:
                torch.nn.init.uniform_(m.bias, -0.05, 0.05)
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 1.0)
            torch.nn.init.uniform_(m.bias, -0.1, 0.1)
            torch.nn.init.uniform_(m.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 2.0)


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    for name in sys.argv[2:] or ["mobilenet_v2", "efficientnet_b0", "densenet121", "convnext_tiny"]:
        torch.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None)
        seed_weights(model)
        model.eval()
        x = torch.randn(2, 3, 224, 224)
        with torch.no_grad():
            y = model(x)
        p = os.path.join(out, name)
        dyn = {"input": {0: "batch"}, "output": {0: "batch"}}
        torch.onnx.export(model, x, p + ".onnx", opset_version=13, input_names=["input"], output_names=["output"], dynamic_axes=dyn)
        np.save(p + ".in.npy", x.numpy())
        np.save(p + ".out.npy", y.numpy())
        print(f"{name}: {sum(q.numel() for q in model.parameters())} parameters, |output| mean {y.abs().mean():.4f}")


main()
