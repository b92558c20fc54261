"""Prints one JSON object a line: a convolution with random attributes and operands, and the gradients that PyTorch's
autograd computes for it. The Go test beside it computes the same gradients."""
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
rng = np.random.default_rng(11)


def tensor(a):
    a = np.asarray(a)
    return {"type": str(a.dtype), "shape": list(a.shape), "data": a.ravel().tolist()}


def emit(x, w, group, stride, pad, dilation, dtype):
    rank = len(x) - 2
    x = torch.tensor(rng.standard_normal(x).astype(dtype), requires_grad=True)
    w = torch.tensor(rng.standard_normal(w).astype(dtype), requires_grad=True)
    b = torch.zeros(w.shape[0], dtype=w.dtype, requires_grad=True)
    padded = F.pad(x, [p for i in reversed(range(rank)) for p in (pad[i], pad[rank + i])])
    y = [F.conv1d, F.conv2d, F.conv3d][rank - 1](padded, w, b, stride, 0, dilation, group)
    dy = torch.tensor(rng.standard_normal(y.shape).astype(dtype))
    y.backward(dy)
    print(json.dumps({
        "group": group, "strides": stride, "pads": pad[:rank], "dilations": dilation,
        "x": tensor(x.detach()), "w": tensor(w.detach()), "dy": tensor(dy),
        "dx": tensor(x.grad), "dw": tensor(w.grad), "db": tensor(b.grad),
    }))


for rank in (1, 2, 3):
    for i in range(20):
        kernel = rng.integers(1, 5, rank).tolist()
        stride = rng.integers(1, 4, rank).tolist()
        dilation = rng.integers(1, 4, rank).tolist()
        pad = rng.integers(0, 4, 2 * rank).tolist()
        space = [max(1, (k - 1) * d + 1) + int(rng.integers(0, 6)) for k, d in zip(kernel, dilation)]
        group = int(rng.integers(1, 4))
        inputs, outputs = group * int(rng.integers(1, 5)), group * int(rng.integers(1, 5))
        n = int(rng.integers(1, 4))
        emit([n, inputs] + space, [outputs, inputs // group] + kernel, group, stride, pad, dilation, "float64" if i % 3 == 0 else "float32")

# Shapes of networks: 3x3 with many channels, depthwise, the first layer, the bottleneck's 1x1 with stride 2.
emit([2, 32, 14, 11], [48, 32, 3, 3], 1, [1, 1], [1] * 4, [1, 1], "float32")
emit([2, 16, 9, 9], [16, 1, 3, 3], 16, [1, 1], [1] * 4, [1, 1], "float32")
emit([2, 16, 9, 9], [16, 1, 5, 5], 16, [2, 2], [2] * 4, [1, 1], "float32")
emit([1, 3, 33, 31], [16, 3, 7, 7], 1, [2, 2], [3] * 4, [1, 1], "float32")
emit([2, 24, 14, 14], [32, 24, 1, 1], 1, [2, 2], [0] * 4, [1, 1], "float32")
