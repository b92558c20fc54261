#!/usr/bin/env python3
"""What the classifiers of torchvision, timm and Keras compute with weights that a formula gives, as JSON.

usage: networks.py [timm/|keras/]NAME[:HEIGHTxWIDTH[:features]]...

For each network the output is, by name: its parameters and running statistics with their shapes, and, where a size is
given, what it (or its child "features") computes of two pictures that the same formula gives, for 7 classes.
"""
import json
import sys
import zlib

import numpy as np


def values(name, n):
    """n numbers between -1 and 1."""
    x = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(zlib.crc32(name.encode()))
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return (x >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -23) - np.float32(1)


def weights(name, shape):
    n = int(np.prod(shape))
    v = values(name, n).reshape(shape)
    if name.endswith(("running_var", "moving_variance")):
        return 1 + np.float32(0.5) * v
    if name.endswith(("running_mean", "moving_mean", "bias", "beta")):
        return np.float32(0.1) * v
    if len(shape) == 1 or name.endswith("layer_scale"):
        return np.float32(0.8) + np.float32(0.3) * v
    return np.float32((6 / np.prod(shape[1:])) ** 0.5) * v


def of_torch(name, size, part):
    import torch

    # The random numbers of the initialisation take time and are not used.
    for init in ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_", "trunc_normal_"):
        setattr(torch.nn.init, init, lambda t, *_, **__: t)
    if name.startswith("timm/"):
        import timm

        model = timm.create_model(name[5:], num_classes=7)
    else:
        import torchvision

        extra = dict(aux_logits=True, init_weights=True) if name == "inception_v3" else {}
        model = getattr(torchvision.models, name)(weights=None, num_classes=7, **extra)
    model.eval()
    shapes = {k: list(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    if not size:
        return shapes, None
    for k, v in model.state_dict().items():
        if k in shapes and k.startswith(part):
            v.copy_(torch.from_numpy(weights(k, tuple(v.shape))))
    x = torch.from_numpy(values("input", 2 * 3 * size[0] * size[1]).reshape(2, 3, *size))
    with torch.no_grad():
        y = model.features(x) if part else model(x)
    return shapes, y.numpy()


def of_keras(name, size):
    """Kernels of convolutions are [out,in,h,w], as in ONNX."""
    import keras

    keras.utils.clear_session()  # names of layers are numbered from the beginning
    model = getattr(keras.applications, name)(weights=None, classes=7, input_shape=(*size, 3))
    shapes = {}
    for v in model.variables:
        shape, kernel = tuple(v.shape), len(v.shape) == 4
        if kernel:
            shape = tuple(shape[i] for i in (3, 2, 0, 1))
        shapes[v.path] = list(shape)
        w = weights(v.path, shape)
        v.assign(w.transpose(2, 3, 1, 0) if kernel else w)
    x = values("input", 2 * 3 * size[0] * size[1]).reshape(2, 3, *size)
    return shapes, np.asarray(model(x.transpose(0, 2, 3, 1), training=False))


def main():
    results = {}
    for arg in sys.argv[1:]:
        name, size, part = (arg + "::").split(":")[:3]
        size = tuple(map(int, size.split("x"))) if size else None
        shapes, y = of_keras(name[6:], size) if name.startswith("keras/") else of_torch(name, size, part)
        results[name] = dict(params=shapes)
        if y is not None:
            results[name]["output"] = y.astype(np.float64).round(7).flatten().tolist()
    json.dump(results, sys.stdout)


main()
