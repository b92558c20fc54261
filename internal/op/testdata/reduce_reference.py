"""Prints one JSON object a line: a node of a pooling, normalising, reducing or transposed-convolution operator with random
attributes and inputs, and what PyTorch and NumPy compute for it. The Go test beside it runs the same nodes."""
import json
import warnings

import numpy as np
import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
rng = np.random.default_rng(7)
NAMES = {"float32": "float32", "float64": "float64", "int64": "int64", "int32": "int32"}


def tensor(a):
    a = np.asarray(a)
    values = [v if np.isfinite(v) else str(v) for v in a.ravel().tolist()]
    return {"type": NAMES[str(a.dtype)], "shape": list(a.shape), "data": values}


def emit(op, attrs, inputs, outputs, opset=22):
    print(json.dumps({
        "op": op, "opset": opset, "attrs": attrs,
        "in": [None if x is None else tensor(x) for x in inputs],
        "out": [None if y is None else tensor(y) for y in outputs],
    }))


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def dtype():
    return [np.float32, np.float32, np.float64][rng.integers(3)]


def window(rank, pads=True, dilate=True):
    kernel = rng.integers(1, 4, rank).tolist()
    stride = rng.integers(1, 4, rank).tolist()
    dilation = rng.integers(1, 3, rank).tolist() if dilate else [1] * rank
    pad = [int(rng.integers(0, k // 2 + 1)) if pads else 0 for k in kernel]
    shape = [int(rng.integers(1, 4)), int(rng.integers(1, 5))]
    shape += [int(rng.integers((k - 1) * d + 1, 13)) for k, d in zip(kernel, dilation)]
    attrs = {"kernel_shape": kernel, "strides": stride, "pads": pad + pad}
    if dilate:
        attrs["dilations"] = dilation
    return shape, attrs, kernel, stride, pad, dilation


for rank in (1, 2, 3):
    for _ in range(12):
        shape, attrs, kernel, stride, pad, dilation = window(rank)
        x = normal(*shape, dtype=dtype())
        ceil = bool(rng.integers(2))
        attrs["ceil_mode"] = int(ceil)
        pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1]
        y, at = pool(torch.tensor(x), kernel, stride, pad, dilation, ceil_mode=ceil, return_indices=True)
        plane = int(np.prod(shape[2:]))
        base = np.arange(shape[0] * shape[1]).reshape([shape[0], shape[1]] + [1] * rank) * plane
        emit("MaxPool", attrs, [x], [y.numpy(), at.numpy() + base])
        emit("MaxPool", attrs, [x], [y.numpy()])

        shape, attrs, kernel, stride, pad, _ = window(rank, dilate=False)
        x = normal(*shape, dtype=dtype())
        include = bool(rng.integers(2))
        attrs["ceil_mode"], attrs["count_include_pad"] = int(ceil), int(include)
        pool = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank - 1]
        y = pool(torch.tensor(x), kernel, stride, pad, ceil_mode=ceil, count_include_pad=include)
        emit("AveragePool", attrs, [x], [y.numpy()])

        shape, attrs, kernel, stride, _, dilation = window(rank, pads=False)
        x = normal(*shape, dtype=np.float64)
        one = torch.ones([1, 1] + kernel, dtype=torch.float64)
        conv = [F.conv1d, F.conv2d, F.conv3d][rank - 1]
        flat = torch.tensor(x).reshape([-1, 1] + shape[2:])
        for p in (1, 2, 3):
            y = conv(flat.abs() ** p, one, None, stride, 0, dilation) ** (1 / p)
            emit("LpPool", {**attrs, "p": p}, [x], [y.reshape([*shape[:2], *y.shape[2:]]).numpy()])
        y = conv(flat, one, None, stride, 0, dilation) / np.prod(kernel)
        emit("AveragePool", attrs, [x], [y.reshape([*shape[:2], *y.shape[2:]]).numpy()])

        group = int(rng.integers(1, 4))
        cin, cout = group * int(rng.integers(1, 7)), int(rng.integers(1, 4))
        kernel, stride = rng.integers(1, 4, rank).tolist(), rng.integers(1, 4, rank).tolist()
        dilation = rng.integers(1, 3, rank).tolist()
        extra = [int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation)]
        pad = [int(rng.integers(0, (k - 1) * d // 2 + 1)) for k, d in zip(kernel, dilation)]
        kind = dtype()
        x = normal(2, cin, *rng.integers(1, 7, rank), dtype=kind)
        w, b = normal(cin, cout, *kernel, dtype=kind), normal(cout * group, dtype=kind)
        conv = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
        try:
            y = conv(torch.tensor(x), torch.tensor(w), torch.tensor(b), stride, pad, extra, group, dilation)
        except RuntimeError:  # nothing is left of the output
            continue
        emit("ConvTranspose", {"strides": stride, "pads": pad + pad, "output_padding": extra, "group": group,
                               "dilations": dilation}, [x, w, b], [y.numpy()])

for _ in range(10):
    kind = dtype()
    groups = int(rng.integers(1, 4))
    c = groups * int(rng.integers(1, 4))
    x = normal(int(rng.integers(1, 4)), c, *rng.integers(2, 6, int(rng.integers(1, 4))), dtype=kind) * 3 + 1
    x = x.astype(kind)
    g, b, m, v = normal(c, dtype=kind), normal(c, dtype=kind), normal(c, dtype=kind), np.abs(normal(c, dtype=kind)) + kind(0.1)
    t = [torch.tensor(a) for a in (x, g, b, m, v)]
    emit("BatchNormalization", {"epsilon": 2 ** -10}, [x, g, b, m, v], [F.batch_norm(t[0], t[3], t[4], t[1], t[2], False, 0, 2 ** -10).numpy()])
    y = F.batch_norm(t[0], None, None, t[1], t[2], True, 0, 1e-5).numpy()
    axes = (0,) + tuple(range(2, x.ndim))
    emit("BatchNormalization", {"training_mode": 1, "momentum": 0.75}, [x, g, b, m, v],
         [y, (m * 0.75 + x.mean(axes) * 0.25).astype(kind), (v * 0.75 + x.var(axes) * 0.25).astype(kind)])
    emit("InstanceNormalization", {}, [x, g, b], [F.instance_norm(t[0], None, None, t[1], t[2], True, 0, 1e-5).numpy()])
    emit("GroupNormalization", {"num_groups": groups}, [x, g, b], [F.group_norm(t[0], groups, t[1], t[2], 1e-5).numpy()])
    gg, gb = normal(groups, dtype=kind), normal(groups, dtype=kind)
    wide = F.group_norm(t[0], groups, torch.tensor(np.repeat(gg, c // groups)), torch.tensor(np.repeat(gb, c // groups)), 1e-5)
    emit("GroupNormalization", {"num_groups": groups}, [x, gg, gb], [wide.numpy()], 18)
    axis = int(rng.integers(1, x.ndim))
    s, o = normal(*x.shape[axis:], dtype=kind), normal(*x.shape[axis:], dtype=kind)
    last = tuple(range(axis, x.ndim))
    inv = 1 / np.sqrt(x.var(last, keepdims=True) + 1e-5)
    emit("LayerNormalization", {"axis": axis}, [x, s, o],
         [F.layer_norm(t[0], x.shape[axis:], torch.tensor(s), torch.tensor(o), 1e-5).numpy(),
          x.mean(last, keepdims=True).astype(np.float32), inv.astype(np.float32)])
    emit("RMSNormalization", {"axis": axis}, [x, s], [(x / np.sqrt((x * x).mean(last, keepdims=True) + 1e-5) * s).astype(kind)], 23)
    size = int(rng.integers(0, 3)) * 2 + 1
    beta = [0.5, 0.75, 0.625, 1.0][rng.integers(4)]
    emit("LRN", {"size": size, "alpha": 0.5, "beta": beta, "bias": 2.0}, [x], [F.local_response_norm(t[0], size, 0.5, beta, 2.0).numpy()])
    emit("MeanVarianceNormalization", {"axes": list(last)}, [x],
         [((x - x.mean(last, keepdims=True)) / (x.std(last, keepdims=True) + 1e-9)).astype(kind)])
    emit("GlobalAveragePool", {}, [x], [x.mean(tuple(range(2, x.ndim)), keepdims=True)])
    emit("GlobalMaxPool", {}, [x], [x.max(tuple(range(2, x.ndim)), keepdims=True)])
    for p in (1, 2, 3):
        emit("GlobalLpPool", {"p": p}, [x], [(np.abs(x) ** p).sum(tuple(range(2, x.ndim)), keepdims=True) ** kind(1 / p)])
    axis = int(rng.integers(-x.ndim, x.ndim))
    for p in (1, 2):
        emit("LpNormalization", {"axis": axis, "p": p}, [x], [F.normalize(t[0], p, axis).numpy()])
    emit("Softmax", {"axis": axis}, [x], [F.softmax(t[0], axis).numpy()])
    emit("LogSoftmax", {"axis": axis}, [x], [F.log_softmax(t[0], axis).numpy()])
    flat = t[0].reshape(int(np.prod(x.shape[:axis % x.ndim])), -1)
    emit("Softmax", {"axis": axis % x.ndim}, [x], [F.softmax(flat, 1).reshape(x.shape).numpy()], 12)
    hard = np.zeros_like(x)
    np.put_along_axis(hard, np.expand_dims(x.argmax(axis), axis), 1, axis)
    emit("Hardmax", {"axis": axis}, [x], [hard])
    z = np.round(x)
    emit("ArgMax", {"axis": axis, "keepdims": 0}, [z], [z.argmax(axis)])
    emit("ArgMin", {"axis": axis, "keepdims": 0}, [z], [z.argmin(axis)])
    back = z.shape[axis] - 1 - np.flip(z, axis).argmax(axis)
    emit("ArgMax", {"axis": axis, "keepdims": 0, "select_last_index": 1}, [z], [back])
    emit("CumSum", {}, [x, np.int64(axis)], [x.cumsum(axis)])
    turned = np.flip(np.flip(x, axis).cumsum(axis), axis)
    emit("CumSum", {"reverse": 1}, [x, np.int64(axis)], [turned])
    emit("CumSum", {"reverse": 1, "exclusive": 1}, [x, np.int64(axis)], [turned - x])

REDUCE = {
    "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod,
    "ReduceL1": lambda x, **k: np.abs(x).sum(**k),
    "ReduceL2": lambda x, **k: np.sqrt((x * x).sum(**k)),
    "ReduceSumSquare": lambda x, **k: (x * x).sum(**k),
    "ReduceLogSum": lambda x, **k: np.log(np.sum(x, **k)),
    "ReduceLogSumExp": lambda x, **k: np.log(np.exp(x).sum(**k)),
}
for name, f in REDUCE.items():
    for i in range(16):
        rank = int(rng.integers(1, 6))
        shape = rng.integers(1, 5, rank)
        if i % 4 == 0 and rank < 4:
            shape[rng.integers(rank)] = 300  # wider than a block
        axes = sorted(rng.choice(rank, int(rng.integers(1, rank + 1)), replace=False).tolist())
        kind = dtype()
        x = normal(*shape, dtype=kind)
        if name == "ReduceLogSum":
            x = np.abs(x)
        if name == "ReduceProd":
            x = (np.abs(x) + kind(0.5)).clip(0.5, 1.5)
        keep = bool(i % 2)
        y = f(x, axis=tuple(axes), keepdims=keep)
        named = [a - rank if rng.integers(2) else a for a in axes]
        emit(name, {"keepdims": int(keep)}, [x, np.array(named, np.int64)], [np.asarray(y, kind)], 18)
        emit(name, {"keepdims": int(keep), "axes": named}, [x], [np.asarray(y, kind)], 11)
        if name in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare"):
            z = rng.integers(-4, 5, shape).astype([np.int64, np.int32][i % 2])
            y = f(z, axis=tuple(axes), keepdims=keep).astype(z.dtype)
            emit(name, {"keepdims": int(keep)}, [z, np.array(named, np.int64)], [y], 18)
