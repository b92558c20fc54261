#!/usr/bin/env python3
"""Computes class activation maps and gradients by the published formulas with PyTorch.

usage: torch_maps.py OUT.npz MODEL PREFIX CLASS LAYER...

PREFIX.pth and PREFIX.in.npy are the weights and the images of torchvision's MODEL; the first image is explained. Each LAYER
is a module's name. Maps are written as METHOD:LAYER, not rectified. With the LAYER "pixels" there are "saliency" and "guided",
gradients by the pixels.
"""
import sys

import numpy as np
import torch
import torchvision

torch.backends.mkldnn.enabled = False  # its Winograd flips a few Relus
torch.set_num_threads(2)

out, name, prefix, cls, layers = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]
pixels = "pixels" in layers
layers = [n for n in layers if n != "pixels"]
model = getattr(torchvision.models, name)(weights=None)
model.load_state_dict(torch.load(prefix + ".pth"))
model.eval().requires_grad_(False)
for m in model.modules():
    if isinstance(m, torch.nn.ReLU):
        m.inplace = False
x = torch.from_numpy(np.load(prefix + ".in.npy")[:1])
result = {}

for layer in layers:
    kept = {}

    def hook(_m, _i, o):
        kept["a"] = o.detach().requires_grad_(True)
        return kept["a"]

    handle = model.get_submodule(layer).register_forward_hook(hook)
    y = model(x)
    handle.remove()
    y[0, cls].backward()
    a = kept["a"][0].detach().double()
    g = kept["a"].grad[0].double()
    result["logits"] = y.detach().numpy()
    spatial = (1, 2)
    result[f"gradcam:{layer}"] = (g.mean(spatial)[:, None, None] * a).sum(0)
    alpha = g**2 / (2 * g**2 + a.sum(spatial, keepdim=True) * g**3)
    alpha = torch.where(g != 0, alpha, torch.zeros(()).double())
    result[f"gradcam++:{layer}"] = ((alpha * g.clamp(min=0)).sum(spatial)[:, None, None] * a).sum(0)
    result[f"hirescam:{layer}"] = (g * a).sum(0)
    total = a.sum(spatial)
    weight = torch.where(total != 0, (g * a).sum(spatial) / total, torch.zeros(()).double())
    result[f"xgradcam:{layer}"] = (weight[:, None, None] * a).sum(0)
    result[f"layercam:{layer}"] = (g.clamp(min=0) * a).sum(0)
    flat = a.reshape(a.shape[0], -1).T
    _, _, vh = torch.linalg.svd(flat, full_matrices=False)
    p = flat @ vh[0]
    result[f"eigencam:{layer}"] = (p * torch.sign(p.sum())).reshape(a.shape[1:])


def pixel_gradient():
    pixels = x.clone().requires_grad_(True)
    model(pixels)[0, cls].backward()
    return pixels.grad[0]


if pixels:
    result["saliency"] = pixel_gradient()
    for m in model.modules():
        if isinstance(m, torch.nn.ReLU):
            m.register_full_backward_hook(lambda _m, grad_in, _o: (grad_in[0].clamp(min=0),))
    result["guided"] = pixel_gradient()

np.savez(out, **{k: np.asarray(v, dtype=np.float32) for k, v in result.items()})
