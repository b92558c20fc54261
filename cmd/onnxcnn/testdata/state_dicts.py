"""Writes the state dict of torchvision's networks, with random weights, and what they compute of a picture:

python3 state_dicts.py FOLDER NAME...    makes NAME.pth, and NAME.npz with "input" and "output"
"""
import sys

import numpy as np
import torch
import torchvision

folder = sys.argv[1]
for name in sys.argv[2:]:
    torch.manual_seed(7)
    more = {"aux_logits": True, "init_weights": False} if name in ("inception_v3", "googlenet") else {}
    net = getattr(torchvision.models, name)(weights=None, num_classes=11, **more).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    size = 299 if name == "inception_v3" else 224
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        y = net(x)
    torch.save({"state_dict": {"module." + k: v for k, v in net.state_dict().items()}, "epoch": 3}, f"{folder}/{name}.pth")
    np.savez(f"{folder}/{name}.npz", input=x.numpy(), output=y.numpy())
