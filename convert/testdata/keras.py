"""Makes models in the formats that Keras and TensorFlow.js write, and what they compute by formulas in NumPy.

  python3 keras.py DIR

DIR gets a folder of files and cases.json: for each file its inputs and outputs (names of arrays in cases.npz, maps in the
order NHWC).
"""
import io
import json
import math
import os
import re
import sys
import zipfile

import h5py
import numpy as np

out = sys.argv[1]
arrays, cases = {}, []
rng = np.random.default_rng(7)


# The layers, by their definitions, on maps [N,H,W,C].

def span(k, d):
    return (k - 1) * d + 1


def padded(x, k, s, d, padding, value):
    if padding == "same":
        p = []
        for n, k_, s_, d_ in zip(x.shape[1:3], k, s, d):
            total = max((math.ceil(n / s_) - 1) * s_ + span(k_, d_) - n, 0)
            p.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), p[0], p[1], (0, 0)], constant_values=value)
    return x


def windows(x, k, s, d):
    """[N, OH, OW, KH, KW, C]"""
    oh = (x.shape[1] - span(k[0], d[0])) // s[0] + 1
    ow = (x.shape[2] - span(k[1], d[1])) // s[1] + 1
    w = np.empty((x.shape[0], oh, ow, k[0], k[1], x.shape[3]))
    for i in range(oh):
        for j in range(ow):
            a, b = i * s[0], j * s[1]
            w[:, i, j] = x[:, a:a + span(k[0], d[0]):d[0], b:b + span(k[1], d[1]):d[1]]
    return w


def conv(x, k, s=(1, 1), d=(1, 1), padding="valid", groups=1):
    w = windows(padded(x, k.shape[:2], s, d, padding, 0), k.shape[:2], s, d)
    ci, co = x.shape[3] // groups, k.shape[3] // groups
    return np.concatenate([np.einsum("nijabc,abco->nijo", w[..., g * ci:(g + 1) * ci], k[..., g * co:(g + 1) * co]) for g in range(groups)], -1)


def depthwise(x, k, s=(1, 1), d=(1, 1), padding="valid"):
    w = windows(padded(x, k.shape[:2], s, d, padding, 0), k.shape[:2], s, d)
    y = np.einsum("nijabc,abcm->nijcm", w, k)
    return y.reshape(y.shape[:3] + (-1,))


def conv_transpose(x, k, s, padding, output_padding=None):
    """The gradient of the convolution that makes a map of x's size of the output, as TensorFlow defines it."""
    size, start = [], []
    for i in range(2):
        n, k_ = x.shape[1 + i], k.shape[i]
        if output_padding is None:
            size.append(n * s[i] if padding == "same" else n * s[i] + max(k_ - s[i], 0))
        else:
            p = k_ // 2 if padding == "same" else 0
            size.append((n - 1) * s[i] + k_ - 2 * p + output_padding[i])
        total = max((n - 1) * s[i] + k_ - size[i], 0) if padding == "same" else 0
        start.append(total // 2)
    y = np.zeros((x.shape[0], size[0], size[1], k.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            for a in range(k.shape[0]):
                for b in range(k.shape[1]):
                    r, c = i * s[0] + a - start[0], j * s[1] + b - start[1]
                    if 0 <= r < size[0] and 0 <= c < size[1]:
                        y[:, r, c] += x[:, i, j] @ k[a, b].T
    return y


def pool(x, k, s, padding, average):
    w = windows(padded(x, k, s, (1, 1), padding, np.nan), k, s, (1, 1))
    return np.nanmean(w, (3, 4)) if average else np.nanmax(w, (3, 4))


def resize(x, size, mode="bilinear"):
    """With the centres of pixels at one half; what would lie outside counts for nothing (cubic: Keys with a = -0.5)."""
    for axis, n in ((1, size[0]), (2, size[1])):
        have = x.shape[axis]
        at = (np.arange(n) + 0.5) * have / n - 0.5
        d = np.abs(at[:, None] - np.arange(have)[None])
        if mode == "nearest":
            m = np.eye(have)[np.floor(at + 0.5).astype(int)]
        elif mode == "bilinear":
            d = np.abs(np.clip(at, 0, have - 1)[:, None] - np.arange(have)[None])
            m = np.maximum(1 - d, 0)
        else:
            m = np.where(d <= 1, 1.5 * d ** 3 - 2.5 * d ** 2 + 1, np.where(d < 2, -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2, 0))
            m = m / m.sum(1, keepdims=True)
        x = np.moveaxis(np.tensordot(m, x, (1, axis)), 0, axis)
    return x


def middle(x, h, w):
    t, l = (x.shape[1] - h) // 2, (x.shape[2] - w) // 2
    return x[:, t:t + h, l:l + w]


def fit(x, c):
    """Resizing: cropped or padded to the new proportions before, where that is asked for."""
    h, w, th, tw = x.shape[1], x.shape[2], c["height"], c["width"]
    if c.get("crop_to_aspect_ratio"):
        x = middle(x, min(h, w * th // tw), min(w, h * tw // th))
    if c.get("pad_to_aspect_ratio"):
        y = np.full((len(x), max(h, w * th // tw), max(w, h * tw // th), x.shape[3]), float(c.get("fill_value", 0)))
        t, l = (y.shape[1] - h) // 2, (y.shape[2] - w) // 2
        y[:, t:t + h, l:l + w] = x
        x = y
    return resize(x, (th, tw), c.get("interpolation", "bilinear"))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def relu(x, slope=0.0, most=None, threshold=0.0):
    y = np.where(x > threshold, x, slope * (x - threshold))
    return y if most is None else np.minimum(y, most)


erf = np.vectorize(math.erf)
sigmoid = lambda x: 1 / (1 + np.exp(-x))
softplus = lambda x: np.log1p(np.exp(x))


def act(name, version=2):
    hard6 = lambda x: np.clip(x / 6 + 0.5, 0, 1)
    return {
        "linear": lambda x: x, "relu": relu, "relu6": lambda x: relu(x, most=6), "sigmoid": sigmoid, "tanh": np.tanh,
        "softplus": softplus, "softsign": lambda x: x / (1 + abs(x)), "exponential": np.exp,
        "elu": lambda x: np.where(x > 0, x, np.expm1(x)), "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
        "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        "hard_sigmoid": hard6 if version == 3 else lambda x: np.clip(0.2 * x + 0.5, 0, 1),
        "swish": lambda x: x * sigmoid(x), "silu": lambda x: x * sigmoid(x), "hard_silu": lambda x: x * hard6(x),
        "log_sigmoid": lambda x: np.log(sigmoid(x)), "hard_tanh": lambda x: np.clip(x, -1, 1), "tanh_shrink": lambda x: x - np.tanh(x),
        "hard_shrink": lambda x: np.where(abs(x) > 0.5, x, 0), "soft_shrink": lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
        "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2, "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
        "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, "mish": lambda x: x * np.tanh(softplus(x)),
        "softmax": softmax, "log_softmax": lambda x: np.log(softmax(x)), "leaky_relu": lambda x: relu(x, 0.2),
    }[name]


# What a layer computes, from its configuration and its weights (in the order in which Keras keeps them).

def two(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def evaluate(cls, c, w, xs, version):
    x = xs[0]
    k, s = two(c.get("kernel_size", 1)), two(c.get("strides", 1) or c.get("pool_size", 1))
    d, p = two(c.get("dilation_rate", 1)), c.get("padding", "valid")
    a = act(c.get("activation", "linear"), version) if isinstance(c.get("activation", "linear"), str) else None
    w = dict(w)
    bias = w.get("bias", 0)
    if cls == "Conv2D":
        return a(conv(x, w["kernel"], s, d, p, c.get("groups", 1)) + bias)
    if cls == "DepthwiseConv2D":
        return a(depthwise(x, w["depthwise_kernel"], s, d, p) + bias)
    if cls == "SeparableConv2D":
        return a(conv(depthwise(x, w["depthwise_kernel"], s, d, p), w["pointwise_kernel"]) + bias)
    if cls == "Conv2DTranspose":
        return a(conv_transpose(x, w["kernel"], s, p, None if c.get("output_padding") is None else two(c["output_padding"])) + bias)
    if cls == "Dense":
        return a(x @ w["kernel"] + bias)
    if cls == "Activation":
        return a(x)
    if cls == "ReLU":
        return relu(x, c.get("negative_slope", 0), c.get("max_value"), c.get("threshold", 0))
    if cls == "LeakyReLU":
        return relu(x, c.get("alpha", c.get("negative_slope", 0.3)))
    if cls == "ELU":
        return np.where(x > 0, x, c["alpha"] * np.expm1(x))
    if cls == "ThresholdedReLU":
        return np.where(x > c["theta"], x, 0)
    if cls == "PReLU":
        return np.where(x > 0, x, w["alpha"] * x)
    if cls == "Softmax":
        return softmax(x, c["axis"])
    if cls == "BatchNormalization":
        y = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + c.get("epsilon", 1e-3))
        return y * w.get("gamma", 1) + w.get("beta", 0)
    if cls == "LayerNormalization":
        axis = tuple(two(c["axis"])[:1]) if isinstance(c["axis"], int) else tuple(c["axis"])
        y = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + c.get("epsilon", 1e-3))
        return y * w.get("gamma", 1) + w.get("beta", 0)
    if cls == "GroupNormalization":
        g = c["groups"] if c["groups"] > 0 else x.shape[-1]
        y = x.reshape(len(x), -1, g, x.shape[-1] // g)
        y = (y - y.mean((1, 3), keepdims=True)) / np.sqrt(y.var((1, 3), keepdims=True) + c.get("epsilon", 1e-3))
        return y.reshape(x.shape) * w.get("gamma", 1) + w.get("beta", 0)
    if cls == "RMSNormalization":
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c.get("epsilon", 1e-6)) * w["scale"]
    if cls == "UnitNormalization":
        return x / np.sqrt((x * x).sum(c["axis"] if isinstance(c["axis"], int) else tuple(c["axis"]), keepdims=True))
    if cls in ("AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D"):
        k = tuple(n // o for n, o in zip(x.shape[1:3], two(c["output_size"])))
        return pool(x, k, k, "valid", cls == "AdaptiveAveragePooling2D")
    if cls == "Resizing":
        return fit(x, c)
    if cls == "CenterCrop":
        if x.shape[1] >= c["height"] and x.shape[2] >= c["width"]:
            return middle(x, c["height"], c["width"])
        return fit(x, dict(c, crop_to_aspect_ratio=True))
    if cls == "RandomCrop" and version < 3:
        return fit(x, dict(c, crop_to_aspect_ratio=True))
    if cls == "LayerScale":
        return x * w["variable_3"]
    if cls == "CustomScaleLayer":
        return x + xs[1] * c["scale"]
    if cls == "Normalization":
        m, v = w.get("mean", c.get("mean")), w.get("variance", c.get("variance"))
        std = np.maximum(np.sqrt(np.array(v)), 1e-7)
        return x * std + m if c.get("invert") else (x - np.array(m)) / std
    if cls == "Rescaling":
        return x * np.array(c["scale"]) + np.array(c["offset"])
    if cls in ("MaxPooling2D", "AveragePooling2D"):
        k = two(c["pool_size"])
        return pool(x, k, two(c["strides"]) if c.get("strides") else k, p, cls[0] == "A")
    if cls == "GlobalAveragePooling2D":
        return x.mean((1, 2), keepdims=c.get("keepdims", False))
    if cls == "GlobalMaxPooling2D":
        return x.max((1, 2), keepdims=c.get("keepdims", False))
    if cls == "ZeroPadding2D":
        return np.pad(x, [(0, 0)] + [tuple(q) for q in c["padding"]] + [(0, 0)])
    if cls == "Cropping2D":
        (t, b), (l, r) = c["cropping"]
        return x[:, t:x.shape[1] - b, l:x.shape[2] - r]
    if cls == "UpSampling2D":
        f = two(c["size"])
        return resize(x, (x.shape[1] * f[0], x.shape[2] * f[1]), c.get("interpolation", "nearest"))
    if cls == "Flatten":
        return x.reshape(len(x), -1)
    if cls == "Reshape":
        return x.reshape([len(x)] + list(c["target_shape"]))
    if cls == "Permute":
        return x.transpose([0] + list(c["dims"]))
    if cls == "Concatenate":
        return np.concatenate(xs, c.get("axis", -1))
    merge = {"Add": sum, "Multiply": math.prod, "Average": lambda v: sum(v) / len(v), "Subtract": lambda v: v[0] - v[1],
             "Maximum": lambda v: np.maximum.reduce(v), "Minimum": lambda v: np.minimum.reduce(v)}
    if cls in merge:
        return merge[cls](xs)
    assert cls in ("Dropout", "SpatialDropout2D", "GaussianNoise", "RandomFlip", "RandomCrop", "Identity"), cls
    return x


def shapes(cls, c, x):
    """The weights that Keras makes for a layer: names with shapes, in its order."""
    n = x.shape[-1]
    k = two(c.get("kernel_size", 1))
    bias = [("bias", (c.get("filters", c.get("units", n * c.get("depth_multiplier", 1))),))] if c.get("use_bias", True) else []
    m = c.get("depth_multiplier", 1)
    if cls == "Conv2D":
        return [("kernel", k + (n // c.get("groups", 1), c["filters"]))] + bias
    if cls == "DepthwiseConv2D":
        return [("depthwise_kernel", k + (n, m))] + bias
    if cls == "SeparableConv2D":
        return [("depthwise_kernel", k + (n, m)), ("pointwise_kernel", (1, 1, n * m, c["filters"]))] + bias
    if cls == "Conv2DTranspose":
        return [("kernel", k + (c["filters"], n))] + bias
    if cls == "Dense":
        return [("kernel", (n, c["units"]))] + bias
    if cls == "BatchNormalization":
        return [(v, (n,)) for v in (["gamma"] if c.get("scale", True) else []) + (["beta"] if c.get("center", True) else [])
                + ["moving_mean", "moving_variance"]]
    if cls == "LayerNormalization":
        shape = (n,) if isinstance(c["axis"], int) else tuple(x.shape[a] for a in c["axis"])
        return [(v, shape) for v in (["gamma"] if c.get("scale", True) else []) + (["beta"] if c.get("center", True) else [])]
    if cls == "GroupNormalization":
        return [(v, (n,)) for v in (["gamma"] if c.get("scale", True) else []) + (["beta"] if c.get("center", True) else [])]
    if cls in ("RMSNormalization", "LayerScale"):
        return [("scale" if cls[0] == "R" else "variable_3", (n,))]
    if cls == "PReLU":
        return [("alpha", tuple(1 if i + 1 in (c["shared_axes"] or []) else d for i, d in enumerate(x.shape[1:])))]
    if cls == "Normalization" and "mean" not in c:
        return [("mean", (n,)), ("variance", (n,)), ("count", ())]
    return []


class Net:
    """A functional model, evaluated while it is built."""

    def __init__(self, version=2, batch=2):
        self.version, self.batch = version, batch
        self.layers, self.values, self.inputs = [], {}, []

    def input(self, *shape, name=None, **kw):
        name = name or "input_%d" % (len(self.inputs) + 1)
        x = rng.standard_normal((self.batch,) + shape).astype("f4").astype("f8") * 2
        declared = [None] + [None if kw.get("open") and i < 2 else d for i, d in enumerate(shape)]
        self.layers.append({"class": "InputLayer", "name": name, "config": {"batch_shape": declared}, "calls": [], "weights": []})
        self.inputs.append(name)
        self.values[name, 0] = x
        return (name, 0)

    def __call__(self, cls, *ins, name=None, weights=None, **config):
        known = [l for l in self.layers if l["name"] == name]
        xs = [self.values[i] for i in ins]
        if known:
            l = known[0]
        else:
            name = name or "%s_%d" % (snake(cls), len(self.layers))
            if weights is None:
                weights = []
                for n, s in shapes(cls, config, xs[0]):
                    v = rng.standard_normal(s)
                    weights.append((n, (v * v + 0.1 if "variance" in n else v).astype("f4").astype("f8")))
            l = {"class": cls, "name": name, "config": config, "calls": [], "weights": weights}
            self.layers.append(l)
        l["calls"].append(list(ins))
        key = (name, len(l["calls"]) - 1)
        self.values[key] = evaluate(cls, l["config"], l["weights"], xs, self.version)
        return key

    def model(self, net, outputs, *ins, name, cls="Functional"):
        """Uses another net as a layer."""
        known = [l for l in self.layers if l["name"] == name]
        l = known[0] if known else {"class": cls, "name": name, "net": net, "outputs": outputs, "config": {}, "calls": [], "weights": []}
        if not known:
            self.layers.append(l)
        l["calls"].append(list(ins))
        key = (name, len(l["calls"]) - 1)
        values = dict(zip([(i, 0) for i in net.inputs], [self.values[i] for i in ins]))
        for layer in net.layers:
            for i, call in enumerate(layer["calls"]):
                values[layer["name"], i] = evaluate(layer["class"], layer["config"], layer["weights"], [values[v] for v in call], self.version)
        self.values[key] = values[outputs[0]]
        return key


# The forms of the files.

def snake(cls):
    s = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", cls)
    return re.sub("([a-z])([A-Z])", r"\1_\2", s).lower()


def functional(net, outputs, style, name="model"):
    layers = []
    for l in net.layers:
        if "net" in l:
            config = functional(l["net"], l["outputs"], style, l["name"])["config"]
            if l["class"] == "Sequential":
                config = {"name": l["name"], "layers": [
                    {"class_name": x["class_name"], "config": x["config"]} for x in config["layers"]]}
        else:
            config = dict(l["config"], name=l["name"], trainable=True, dtype="float32")
            if l["class"] == "InputLayer" and style != 3:
                config["batch_input_shape"] = config.pop("batch_shape")
        first = 1 if "net" in l and style == 2 else 0
        calls = []
        for call in l["calls"]:
            refs = []
            for n, i in call:
                source = [x for x in net.layers if x["name"] == n][0]
                refs.append((n, i + (1 if "net" in source and style == 2 else 0), 0))
            if style == 3:
                tensors = [{"class_name": "__keras_tensor__", "config": {"shape": [None], "dtype": "float32", "keras_history": list(r)}} for r in refs]
                args = tensors if len(tensors) == 1 else [tensors]
                calls.append({"args": args, "kwargs": {"training": False} if l["class"] == "BatchNormalization" else {}})
            else:
                calls.append([list(r) + [{}] for r in refs])
        layers.append({"class_name": l["class"], "name": l["name"], "config": config, "inbound_nodes": calls})
    ends = []
    for n, i in outputs:
        source = [x for x in net.layers if x["name"] == n][0]
        ends.append([n, i + (1 if "net" in source and style == 2 else 0), 0])
    starts = [[n, 0, 0] for n in net.inputs]
    if style == 3 and len(ends) == 1:
        ends = ends[0]
    if style == 3 and len(starts) == 1:
        starts = starts[0]
    return {"class_name": "Functional" if style == 3 else "Model",
            "config": {"name": name, "layers": layers, "input_layers": starts, "output_layers": ends}}


def flat_weights(l, prefix):
    """The names and arrays of a layer, and of those in it."""
    if "net" in l:
        return [w for x in l["net"].layers for w in flat_weights(x, prefix + [l["name"]])]
    return [(prefix + [l["name"], n], v) for n, v in l["weights"]]


def put_h5(group, net, colon=":0", scoped=False):
    group.attrs["layer_names"] = [l["name"].encode() for l in net.layers]
    for l in net.layers:
        g = group.create_group(l["name"])
        names = []
        for path, v in flat_weights(l, []):
            name = "/".join(path if scoped else path[-2:]) + colon
            names.append(name.encode())
            g[name] = v.astype("f4")
        g.attrs["weight_names"] = names


def h5(path, net, outputs, style=2, **kw):
    with h5py.File(path, "w", **kw) as f:
        f.attrs["keras_version"] = "3.4.1" if style == 3 else "2.4.0"
        f.attrs["backend"] = "tensorflow"
        text = json.dumps(functional(net, outputs, style))
        f.attrs["model_config"] = text if style == 3 else text.encode()
        put_h5(f.create_group("model_weights"), net, "" if style == 3 else ":0", style == 3)
        f["optimizer_weights/Adam/iter:0"] = 1


def put_vars(f, net, path, container):
    used = {}
    for l in net.layers:
        kind = snake("Functional" if l["class"] == "Model" else l["class"])
        at = "%s%s/%s%s" % (path, container, kind, "_%d" % used[kind] if used.get(kind) else "")
        used[kind] = used.get(kind, 0) + 1
        if "net" in l:
            put_vars(f, l["net"], at + "/", container)
            continue
        g = f.create_group(at + "/vars")
        if container == "layers":
            g.attrs["name"] = l["name"]
        for i, (_, v) in enumerate(l["weights"]):
            g[str(i)] = v.astype("f4")
        if l["class"] == "Dropout":
            f[at + "/seed_generator/vars/0"] = np.zeros(2, "u4")


def archive(path, net, outputs, style=3):
    b = io.BytesIO()
    with h5py.File(b, "w", libver="latest") as f:
        put_vars(f, net, "", "layers" if style == 3 else "_layer_checkpoint_dependencies")
        f["optimizer/vars/0"] = np.int64(3)
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("metadata.json", json.dumps({"keras_version": "3.4.1" if style == 3 else "2.13.1", "date_saved": "x"}))
        z.writestr("config.json", json.dumps(functional(net, outputs, style)))
        z.writestr("model.weights.h5", b.getvalue())


def tfjs(path, net, outputs):
    os.mkdir(path)
    data, entries = b"", []
    for l in net.layers:
        for names, v in flat_weights(l, []):
            data += np.asarray(v, "f4").tobytes()
            entries.append({"name": "/".join(names), "shape": list(v.shape), "dtype": "float32"})
    cut = len(data) // 2 + 1
    for name, part in (("a.bin", data[:cut]), ("b.bin", data[cut:])):
        with open(os.path.join(path, name), "wb") as f:
            f.write(part)
    with open(os.path.join(path, "model.json"), "w") as f:
        json.dump({"format": "layers-model", "modelTopology": {"keras_version": "2.4.0", "model_config": functional(net, outputs, 2)},
                   "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": entries}]}, f)


def record(name, file, net, outputs, alike=None):
    def keep(key, v):
        arrays[key] = np.asarray(v, "f4")
        return key
    cases.append({"name": name, "net": alike or name, "file": file,
                  "in": [keep("%s.in%d" % (name, i), net.values[n, 0]) for i, n in enumerate(net.inputs)],
                  "out": [keep("%s.out%d" % (name, i), net.values[o]) for i, o in enumerate(outputs)]})


FORMS = {
    "h5": lambda p, n, o: h5(p + ".h5", n, o) or p + ".h5",
    "h5_3": lambda p, n, o: h5(p + "_3.h5", n, o, 3, libver="latest") or p + "_3.h5",
    "keras": lambda p, n, o: archive(p + ".keras", n, o) or p + ".keras",
    "keras_2": lambda p, n, o: archive(p + "_2.keras", n, o, 2) or p + "_2.keras",
    "tfjs": lambda p, n, o: tfjs(p + "_tfjs", n, o) or p + "_tfjs/model.json",
}


def case(name, build, forms=None, version=2):
    net = Net(3 if version == 3 else 2)
    outputs = build(net)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for form in forms or (["h5_3", "keras"] if version == 3 else ["h5", "keras_2", "tfjs"]):
        record(name + "_" + form, FORMS[form](os.path.join(out, name), net, outputs), net, outputs, name)
    return net, outputs


def single(name, cls, shape=(7, 6, 4), forms=("h5",), version=2, **config):
    case(name, lambda n: n(cls, n.input(*shape), name="layer", **config), forms, version)


# The cases. Those of one layer come in one form each.

for i, c in enumerate([
    dict(filters=5, kernel_size=[3, 3]), dict(filters=5, kernel_size=[3, 2], strides=[2, 2], padding="same", activation="relu"),
    dict(filters=3, kernel_size=[4, 3], padding="same", use_bias=False), dict(filters=6, kernel_size=[2, 2], dilation_rate=[2, 2], padding="same"),
    dict(filters=6, kernel_size=[3, 3], groups=2, activation="sigmoid"), dict(filters=2, kernel_size=[3, 3], strides=[3, 2], padding="same"),
]):
    single("conv%d" % i, "Conv2D", **c)
for i, c in enumerate([
    dict(kernel_size=[3, 3]), dict(kernel_size=[3, 3], strides=[2, 2], padding="same", depth_multiplier=2, activation="tanh"),
    dict(kernel_size=[1, 1], depth_multiplier=2, use_bias=False),
]):
    single("depthwise%d" % i, "DepthwiseConv2D", **c)
single("separable0", "SeparableConv2D", filters=5, kernel_size=[3, 3], strides=[2, 2], padding="same", depth_multiplier=2, activation="relu")
single("separable1", "SeparableConv2D", filters=3, kernel_size=[2, 3], use_bias=False, forms=("keras",), version=3)
for i, c in enumerate([
    dict(kernel_size=[3, 3], strides=[2, 2], padding="same"), dict(kernel_size=[2, 2], strides=[2, 2]),
    dict(kernel_size=[2, 2], strides=[3, 3], padding="same"), dict(kernel_size=[4, 4], strides=[2, 2], padding="same"),
    dict(kernel_size=[3, 4], strides=[2, 1]), dict(kernel_size=[2, 1], strides=[3, 2]), dict(kernel_size=[3, 3], padding="same", activation="elu"),
    dict(kernel_size=[3, 3], strides=[2, 2], padding="same", output_padding=[1, 1]), dict(kernel_size=[3, 3], strides=[2, 2], output_padding=[1, 0]),
    dict(kernel_size=[3, 3], strides=[2, 2], padding="same", output_padding=[0, 0]),
]):
    single("transpose%d" % i, "Conv2DTranspose", filters=3, **c)
for i, c in enumerate([dict(), dict(scale=False, epsilon=0.1), dict(center=False), dict(scale=False, center=False, axis=[3])]):
    single("norm%d" % i, "BatchNormalization", **c)
    single("norm_keras%d" % i, "BatchNormalization", forms=("keras",), version=3, **c)
single("norm_rows", "BatchNormalization", (5,), axis=1)
for i, c in enumerate([
    dict(pool_size=[2, 2]), dict(pool_size=[3, 3], strides=[1, 1], padding="same"), dict(pool_size=[3, 2], strides=[2, 2], padding="same"),
    dict(pool_size=[2, 3], strides=[3, 1]), dict(pool_size=[2, 2], strides=None, padding="same"),
]):
    single("max%d" % i, "MaxPooling2D", **c)
    single("average%d" % i, "AveragePooling2D", **c)
for cls in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
    single(snake(cls), cls)
    single(snake(cls) + "_keep", cls, keepdims=True)
single("pad", "ZeroPadding2D", padding=[[0, 1], [2, 3]])
single("crop", "Cropping2D", cropping=[[0, 1], [2, 0]])
single("dense", "Dense", (5,), units=3, activation="softmax")
single("dense_map", "Dense", units=3, activation="softmax")
single("dense_rows", "Dense", (4, 5), units=3, activation="relu")
single("rescaling", "Rescaling", scale=1 / 127.5, offset=-1)
single("rescaling_list", "Rescaling", scale=[1.0, 2.0, 3.0, 4.0], offset=[0.5, 0.0, 0.0, 1.0])
single("normalization", "Normalization", axis=-1)
single("normalization_keras", "Normalization", axis=-1, forms=("keras",), version=3)
single("normalization_config", "Normalization", mean=[1.0, 2.0, 3.0, 4.0], variance=[4.0, 1.0, 0.25, 0.0], axis=-1)
single("normalization_invert", "Normalization", mean=2.0, variance=9.0, axis=None, invert=True)
single("layer_norm", "LayerNormalization", axis=[3])
single("layer_norm_map", "LayerNormalization", axis=[1, 2, 3], epsilon=0.1)
single("layer_norm_bare", "LayerNormalization", axis=-1, scale=False, center=False)
single("layer_norm_rows", "LayerNormalization", (6,), axis=-1, center=False)
for i, c in enumerate([dict(groups=2), dict(groups=-1, scale=False), dict(groups=1, center=False, epsilon=0.1), dict(groups=4)]):
    single("group_norm%d" % i, "GroupNormalization", axis=-1, **c)
single("group_norm_rows", "GroupNormalization", (6,), groups=3, axis=-1)
single("rms_norm", "RMSNormalization", axis=-1, forms=("keras",), version=3)
single("unit_norm", "UnitNormalization", axis=-1)
single("unit_norm_map", "UnitNormalization", axis=[1, 2, 3])
single("unit_norm_flat", "UnitNormalization", (2, 3, 5), axis=[2])
single("adaptive_average", "AdaptiveAveragePooling2D", (6, 8, 3), output_size=[3, 2])
single("adaptive_max", "AdaptiveMaxPooling2D", (6, 8, 3), output_size=2)
for mode in ("nearest", "bilinear", "bicubic"):
    single("resize_up_" + mode, "Resizing", height=11, width=9, interpolation=mode)
    single("resize_down_" + mode, "Resizing", height=3, width=4, interpolation=mode)
    single("up_" + mode, "UpSampling2D", size=[2, 3], interpolation=mode)
single("resize_same", "Resizing", height=7, width=6)
single("resize_crop", "Resizing", height=4, width=8, crop_to_aspect_ratio=True)
single("resize_pad", "Resizing", height=4, width=8, pad_to_aspect_ratio=True, fill_value=2.5)
single("center_crop", "CenterCrop", height=4, width=3)
single("center_crop_small", "CenterCrop", height=9, width=9)
single("layer_scale", "LayerScale", projection_dim=4)
single("layer_scale_keras", "LayerScale", projection_dim=4, forms=("keras",), version=3)
case("custom_scale", lambda n: n("CustomScaleLayer", n.input(3, 4, 2), n.input(3, 4, 2), name="layer", scale=0.2), ["h5"])
single("identity", "Identity", forms=("keras",), version=3)
single("random_crop", "RandomCrop", height=3, width=2, forms=("keras",), version=3)
single("random_crop_2", "RandomCrop", height=3, width=2)
single("permute", "Permute", dims=[3, 1, 2])
single("permute_rows", "Permute", (3, 5), dims=[2, 1])
single("reshape_rows", "Reshape", target_shape=[-1, 4])
single("reshape_map", "Reshape", target_shape=[6, 4, 7])
single("reshape_row", "Reshape", target_shape=[168])
single("reshape_up", "Reshape", (12,), target_shape=[2, 2, 3])
single("flatten", "Flatten", forms=("h5", "keras_2", "tfjs"))
single("softmax_axis", "Softmax", axis=2)
single("softmax_last", "Softmax", axis=-1)
for i, c in enumerate([dict(), dict(max_value=1.5), dict(negative_slope=0.1), dict(negative_slope=0.2, max_value=1.0, threshold=0.5), dict(threshold=1.0)]):
    single("relu%d" % i, "ReLU", **c)
single("leaky", "LeakyReLU", alpha=0.25)
single("leaky_keras", "LeakyReLU", negative_slope=0.25, forms=("keras",), version=3)
single("elu_layer", "ELU", alpha=0.5)
single("thresholded", "ThresholdedReLU", theta=0.7)
single("prelu", "PReLU", shared_axes=[1, 2])
single("prelu_map", "PReLU", shared_axes=None)
for a in ("linear relu relu6 sigmoid tanh softplus softsign exponential elu selu hard_sigmoid swish gelu mish softmax leaky_relu").split():
    single("activation_" + a, "Activation", (4, 3, 3), activation=a)
for a in ("hard_sigmoid silu hard_silu celu log_softmax log_sigmoid hard_tanh tanh_shrink hard_shrink soft_shrink squareplus "
          "sparse_sigmoid").split():
    single("activation3_" + a, "Activation", (4, 3, 3), activation=a, forms=("keras",), version=3)


def classifier(between):
    """A network whose rows come from a map of several pixels and channels (case 31)."""
    def build(n):
        x = n("Conv2D", n.input(6, 5, 3), name="conv", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same", activation="relu")
        x = n("MaxPooling2D", x, name="pool", pool_size=[2, 2])
        x = between(n, x)
        x = n("Dense", x, name="fc1", units=5, activation="relu")
        return n("Dense", n("Dropout", x, name="drop2", rate=0.5), name="fc2", units=3, activation="softmax")
    return build


big = {"name": "conv_", "filters": 4, "kernel_size": [2, 2], "padding": "same"}
case("flatten_dense", classifier(lambda n, x: n("Flatten", n("Conv2D", n("UpSampling2D", x, size=[2, 2]), **big), name="flat")))
case("flatten_dense", classifier(lambda n, x: n("Flatten", n("Conv2D", n("UpSampling2D", x, size=[2, 2]), **big), name="flat")), version=3)
case("flatten_between", classifier(lambda n, x: n("BatchNormalization", n("Dropout", n("Activation", n("Flatten", n(
    "UpSampling2D", x, size=[2, 2])), activation="tanh"), rate=0.3))), ["h5"])
case("flatten_reshape", classifier(lambda n, x: n("Flatten", n("Conv2D", n("Reshape", n("Flatten", n(
    "UpSampling2D", x, size=[2, 2])), target_shape=[2, 2, 4]), filters=3, kernel_size=[1, 2]))), ["h5"])
case("flatten_concat", classifier(lambda n, x: n("Concatenate", n("Flatten", n("UpSampling2D", x, size=[2, 2])), n("GlobalMaxPooling2D", x))), ["h5"])
case("flatten_add", classifier(lambda n, x: n("Add", n("Flatten", n("UpSampling2D", x, size=[2, 2])), n("Flatten", n(
    "Conv2D", n("UpSampling2D", x, size=[2, 2]), filters=4, kernel_size=[1, 1])))), ["h5"])
case("global_pool", classifier(lambda n, x: n("GlobalAveragePooling2D", n("UpSampling2D", x, size=[2, 2]))), ["h5", "keras_2"])
case("squeeze", classifier(lambda n, x: n("Reshape", n("Conv2D", n("Reshape", n("GlobalAveragePooling2D", x), target_shape=[1, 1, 4]),
                                                filters=6, kernel_size=[1, 1]), target_shape=[6])), ["h5"])


def padded_conv(n):  # case 31 (e)
    x = n("ZeroPadding2D", n.input(6, 6, 3), name="pad", padding=[[0, 1], [0, 1]])
    return n("Conv2D", x, name="conv", filters=2, kernel_size=[3, 3], strides=[2, 2])


case("padded_conv", padded_conv, ["h5"])


def merges(n):
    a, b = n.input(4, 5, 3), n.input(4, 5, 3)
    c = n("Conv2D", a, name="side", filters=3, kernel_size=[1, 1])
    gate = n("Dense", n("GlobalAveragePooling2D", a, keepdims=True), name="gate", units=3, activation="sigmoid")
    return [n("Add", a, b, c, name="add"), n("Multiply", a, gate, name="mul"), n("Average", a, b, name="ave"), n("Maximum", a, b, c, name="max"),
            n("Minimum", a, b, name="min"), n("Subtract", a, b, name="sub"), n("Concatenate", a, b, c, name="cat", axis=-1),
            n("Concatenate", a, b, name="rows", axis=1), a]


case("merges", merges)
case("merges", merges, version=3)


def shared(n):
    a, b = n.input(4, 5, 3), n.input(4, 5, 3)
    x, y = n("Conv2D", a, name="twice", filters=2, kernel_size=[3, 3], activation="relu"), None
    y = n("Conv2D", b, name="twice")
    return n("Dense", n("Concatenate", n("Flatten", x), n("Flatten", y), name="cat"), name="fc", units=2)


case("shared", shared)
case("shared", shared, version=3)


def nested(n):
    sub = Net(n.version)
    x = sub("Conv2D", sub.input(4, 5, 3, name="inner_in"), name="conv", filters=2, kernel_size=[3, 3], activation="relu")
    x = sub("BatchNormalization", x, name="bn")
    a, b = n.input(4, 5, 3), n.input(4, 5, 3)
    u, v = n.model(sub, [x], a, name="base"), n.model(sub, [x], b, name="base")
    head = Net(n.version)
    h = head("Dense", head("Flatten", head.input(2, 3, 2, name="head_in"), name="flat"), name="conv", units=3)
    head.layers[1]["name"] = "flat"
    return n("Dense", n.model(head, [h], n("Add", u, v, name="add"), name="head", cls="Sequential"), name="bn", units=2)


def slashes(n):
    """As in DenseNet of keras.applications: names of layers with slashes, whose ends are alike."""
    sub = Net(n.version)
    x = sub("Conv2D", sub.input(4, 5, 3, name="inner_in"), name="a/conv", filters=2, kernel_size=[3, 3])
    x = sub("Conv2D", sub("BatchNormalization", x, name="a/bn"), name="a/b/conv", filters=4, kernel_size=[1, 2])
    x = sub("Conv2D", x, name="conv", filters=3, kernel_size=[2, 1])
    return n("Conv2D", n.model(sub, [x], n.input(4, 5, 3), name="base"), name="b/conv", filters=2, kernel_size=[1, 1])


case("nested", nested)
case("nested", nested, version=3)
case("slashes", slashes)
case("slashes", slashes, version=3)
case("open_size", lambda n: n("GlobalAveragePooling2D", n("Conv2D", n.input(6, 5, 3, open=True), name="c", filters=2, kernel_size=[3, 3],
                                                         strides=[2, 2], padding="same")))


def sequential(name, layers, shape, style):
    """Sequential models: their forms changed most."""
    net = Net(3 if style == 3 else 2)
    x = net.input(*shape)
    for cls, kw in layers:
        x = net(cls, x, **kw)
    listed = []
    for i, l in enumerate(net.layers[1:]):
        config = dict(l["config"], name=l["name"])
        if i == 0 and style in (1, 2):
            config["batch_input_shape"] = [None] + list(shape)
        listed.append({"class_name": l["class"], "config": config})
    if style == 3:
        listed.insert(0, {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None] + list(shape), "name": "in"}})
    config = {1: listed, 2: {"name": "s", "layers": listed}, 3: {"name": "s", "layers": listed},
              4: {"name": "s", "layers": listed, "build_input_shape": [None] + list(shape)}}[style]
    path = os.path.join(out, "%s_%d.h5" % (name, style))
    with h5py.File(path, "w") as f:
        f.attrs["keras_version"] = "3.0.0" if style == 3 else "2.2.0"
        f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        net.layers = net.layers[1:]
        put_h5(f.create_group("model_weights"), net)
    record("%s_%d" % (name, style), path, net, [x])


small = [("Conv2D", dict(name="c", filters=3, kernel_size=[2, 2], activation="relu")), ("Flatten", dict(name="f")), ("Dense", dict(name="d", units=2))]
for style in (1, 2, 3, 4):
    sequential("sequential", small, (4, 5, 2), style)


# Keras 3's own ways to say an activation.
def described(n):
    x = n.input(3, 3, 2)
    y = n("Activation", x, name="act", activation="relu")
    z = n("ReLU", y, name="six", max_value=1.0)
    n.layers[-2]["config"]["activation"] = {"module": "keras.activations", "class_name": "function", "config": "relu", "registered_name": "relu"}
    n.layers[-1]["class"], n.layers[-1]["config"] = "Activation", {"activation": {
        "module": "keras.layers", "class_name": "ReLU", "config": {"max_value": 1.0, "name": "r"}, "registered_name": None}}
    return z


case("described", described, ["keras"], version=3)


def numbers(version):
    """Code that computes with tensors and numbers becomes layers with numbers as arguments."""
    net = Net(version)
    a = net.input(3, 3, 2)
    b = net("Rescaling", net("Rescaling", a, name="plus", scale=1.0, offset=3.0), name="times", scale=0.5, offset=0.0)
    c = net("Add", a, b, name="both")
    described = functional(net, [c], version)
    if version == 3:
        for l, cls, v in ((described["config"]["layers"][1], "Add", 3.0), (described["config"]["layers"][2], "Multiply", 0.5)):
            l["class_name"], l["config"] = cls, {"name": l["name"]}
            l["inbound_nodes"][0]["args"].append(v)
    else:
        for l, f, v in zip(described["config"]["layers"][1:], ("__operators__.add", "math.multiply"), (3.0, 0.5)):
            l["class_name"], l["config"] = "TFOpLambda", {"name": l["name"], "function": f}
            l["inbound_nodes"][0][0][3] = {"y": v, "name": None}
        last = described["config"]["layers"][3]
        last["class_name"], last["config"] = "TFOpLambda", {"name": "both", "function": "__operators__.add"}
    path = os.path.join(out, "numbers%d.h5" % version)
    with h5py.File(path, "w") as f:
        f.attrs["model_config"] = json.dumps(described)
        put_h5(f.create_group("model_weights"), net)
    record("numbers%d" % version, path, net, [c])


numbers(2)
numbers(3)


def channels_first():
    """Maps are [N,C,H,W] in the model; Flatten gives rows in the order (h,w,c) all the same."""
    net = Net()
    x = net.input(5, 4, 3)
    y = net("Conv2D", x, name="c", filters=4, kernel_size=[3, 2], strides=[2, 1], padding="same", activation="relu", data_format="channels_first")
    y = net("BatchNormalization", y, name="n", axis=1)
    y = net("MaxPooling2D", y, name="p", pool_size=[2, 2], data_format="channels_first")
    f = net("Dense", net("Flatten", y, name="f", data_format="channels_first"), name="d", units=3)
    g = net("GlobalAveragePooling2D", y, name="g", data_format="channels_first")
    net.layers[0]["config"]["batch_shape"] = [None, 3, 5, 4]
    path = os.path.join(out, "first.h5")
    h5(path, net, [f, g, y])
    record("channels_first", path, net, [f, g, y])


channels_first()


def keras1_merge():
    """The layer of Keras 1 that did all of it, and padding in its forms."""
    net = Net()
    a, b = net.input(4, 4, 2), net.input(4, 4, 2)
    outputs, modes = [], []
    for mode, cls in (("sum", "Add"), ("mul", "Multiply"), ("ave", "Average"), ("max", "Maximum"), ("concat", "Concatenate")):
        outputs.append(net(cls, a, b, name=mode))
        net.layers[-1]["class"], net.layers[-1]["config"] = "Merge", {"mode": mode, "concat_axis": -1}
    for i, (p, q) in enumerate([(2, [[2, 2], [2, 2]]), ([1, 2], [[1, 1], [2, 2]]), ([1, 2, 3, 0], [[1, 2], [3, 0]]), (None, [[1, 1], [1, 1]])]):
        outputs.append(net("ZeroPadding2D", a, name="pad%d" % i, padding=q))
        net.layers[-1]["config"] = {"padding": p}
    path = os.path.join(out, "merge.h5")
    h5(path, net, outputs, 1)
    record("keras1_merge", path, net, outputs)


def keras1(name, order, backend=None):
    """Keras 1 has other names for everything."""
    net = Net()
    x = net.input(6, 5, 3)
    y = net("Conv2D", x, name="convolution2d_1", filters=4, kernel_size=[3, 2], strides=[2, 1], padding="same", activation="relu")
    y = net("BatchNormalization", y, name="batchnormalization_1", epsilon=1e-5)
    y = net("MaxPooling2D", y, name="maxpooling2d_1", pool_size=[2, 2], strides=[1, 1])
    y = net("Dense", net("GlobalAveragePooling2D", y, name="g"), name="dense_1", units=3, activation="softmax")
    first = order == "th"
    k = dict(net.layers[1]["weights"])["kernel"]
    if backend == "theano":
        k = k[::-1, ::-1]
    saved = {"convolution2d_1": [("W", k.transpose(3, 2, 0, 1) if first else k), ("b", dict(net.layers[1]["weights"])["bias"])],
             "batchnormalization_1": list(zip(["gamma", "beta", "running_mean", "running_std"], [v for _, v in net.layers[2]["weights"]])),
             "dense_1": list(zip(["W", "b"], [v for _, v in net.layers[5]["weights"]]))}
    config = [
        {"class_name": "Convolution2D", "config": {"name": "convolution2d_1", "nb_filter": 4, "nb_row": 3, "nb_col": 2, "subsample": [2, 1],
         "border_mode": "same", "dim_ordering": order, "bias": True, "activation": "relu",
         "batch_input_shape": [None, 3, 6, 5] if first else [None, 6, 5, 3]}},
        {"class_name": "BatchNormalization", "config": {"name": "batchnormalization_1", "mode": 0, "axis": 1 if first else -1, "epsilon": 1e-5}},
        {"class_name": "MaxPooling2D", "config": {"name": "maxpooling2d_1", "pool_size": [2, 2], "strides": [1, 1], "border_mode": "valid", "dim_ordering": order}},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "g", "dim_ordering": order}},
        {"class_name": "Dense", "config": {"name": "dense_1", "output_dim": 3, "bias": True, "activation": "softmax"}},
    ]
    path = os.path.join(out, name + ".h5")
    with h5py.File(path, "w") as f:
        f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        if backend:
            f.attrs["backend"] = backend.encode()
        g = f.create_group("model_weights")
        g.attrs["layer_names"] = [c["config"]["name"].encode() for c in config]
        for c in config:
            n = c["config"]["name"]
            h = g.create_group(n)
            h.attrs["weight_names"] = [("%s_%s" % (n, w)).encode() for w, _ in saved.get(n, [])]
            for w, v in saved.get(n, []):
                h["%s_%s" % (n, w)] = v.astype("f4")
    record(name, path, net, [y])


keras1_merge()
keras1("keras1_tf", "tf")
keras1("keras1_th", "th")
keras1("keras1_theano", "th", "theano")



def container(name, write, half=False):
    """The network of one convolution and a dense layer, as write puts it into a file (case 32)."""
    net = Net()
    x = net.input(5, 4, 2)
    w = lambda n, *s: (n, rng.standard_normal(s).astype("f2" if half else "f4").astype("f8"))
    weights = {"conv": [w("kernel", 2, 2, 2, 3), w("bias", 3)], "fc": [w("kernel", 36, 2), w("bias", 2)]}
    path = os.path.join(out, name + ".h5")
    with h5py.File(path, "w", libver="earliest") as f:
        write(f.create_group("model_weights"), weights)  # which may round them
        y = net("Conv2D", x, name="conv", filters=3, kernel_size=[2, 2], weights=weights["conv"])
        y = net("Dense", net("Flatten", y, name="flat"), name="fc", units=2, weights=weights["fc"])
        f.attrs["model_config"] = json.dumps(functional(net, [y], 2)).encode()
    record(name, path, net, [y], "container")


def groups(g, layers, put, names=np.bytes_, split=0, at="%s/%s:0"):
    all_names = np.array(list(layers), names) if names is np.bytes_ else list(layers)

    def attr(o, key, values):
        kw = {} if names is np.bytes_ else {"dtype": h5py.string_dtype()}
        if not split:
            o.attrs.create(key, values, **kw)
        for i in range(len(values) if split else 0):
            o.attrs.create("%s%d" % (key, i), values[i:i + 1], **kw)

    attr(g, "layer_names", all_names)
    for layer, weights in layers.items():
        h = g.create_group(layer)
        paths = [at % (layer, n) for n, _ in weights]
        attr(h, "weight_names", np.array(paths, names) if names is np.bytes_ else paths)
        for p, (_, v) in zip(paths, weights):
            put(h, p, v)


def plain_array(dtype):
    return lambda h, p, v: h.create_dataset(p, data=v.astype(dtype))


def packed(h, p, v):
    h.create_dataset(p, data=v.astype("f4"), chunks=tuple(max(d // 2, 1) for d in v.shape), compression="gzip", shuffle=True, fletcher32=True)


container("names_fixed", lambda g, l: groups(g, l, plain_array("f4")))
container("names_variable", lambda g, l: groups(g, l, plain_array("f4"), str))
container("names_split", lambda g, l: groups(g, l, plain_array("f4"), split=1))
container("names_split_variable", lambda g, l: groups(g, l, plain_array("f4"), str, split=1))
container("names_nested", lambda g, l: groups(g, l, plain_array("f4"), at="model_1/%s/%s:0"))
container("names_other_order", lambda g, l: groups(g, dict(reversed(list(l.items()))), plain_array("f4")))
container("arrays_packed", lambda g, l: groups(g, l, packed))
container("arrays_big_endian", lambda g, l: groups(g, l, plain_array(">f4")))
container("arrays_half", lambda g, l: groups(g, l, plain_array("f2")), half=True)
container("arrays_double", lambda g, l: groups(g, l, plain_array(">f8")))


def bfloat(g, layers):
    """Keras 3 writes bfloat16 as opaque bytes, and says so in an attribute."""
    def put(h, p, v):
        d = h.create_dataset(p, data=(v.astype("f4").view("u4") >> 16).astype("u2").view("V2"))
        d.attrs["dtype"] = "bfloat16"
    for weights in layers.values():
        for i, (n, v) in enumerate(weights):
            v[...] = (v.astype("f4").view("u4") & 0xffff0000).view("f4")
    groups(g, layers, put)


def whole(g, layers):
    for weights in layers.values():
        for n, v in weights:
            v[...] = np.round(3 * v)
    groups(g, layers, lambda h, p, v: h.create_dataset(p, data=v.astype("i2" if "bias" in p else "i8")))


def only_listed(g, layers):
    """What is in the file without being named is not the model's."""
    groups(g, layers, plain_array("f4"))
    g["conv/scalar"] = 1.0


container("arrays_unlisted", only_listed)
container("arrays_bfloat", bfloat)
container("arrays_whole", whole)
cases, kept = [], cases
container("wrong_shape", lambda g, l: groups(g, dict(l, conv=[("kernel", np.zeros((2, 2, 2, 4))), l["conv"][1]]), plain_array("f4")))
container("missing_bias", lambda g, l: groups(g, dict(l, fc=l["fc"][:1]), plain_array("f4")))
container("unused", lambda g, l: groups(g, dict(l, extra=[("kernel", np.zeros((2, 3)))]), plain_array("f4")))
container("scalar", lambda g, l: groups(g, dict(l, fc=[l["fc"][0], ("bias", np.float32(1))]), plain_array("f4")))
cases = kept

# The weights of one network by themselves, in the layouts of Keras 2 and 3.
net, ends = Net(3), None
x = net.input(6, 5, 3)
x = net("Conv2D", x, name="c", filters=4, kernel_size=[3, 2], use_bias=False)
x = net("BatchNormalization", x, name="n", scale=False)
x = net("DepthwiseConv2D", x, name="d", kernel_size=[2, 2], depth_multiplier=2)
x = net("SeparableConv2D", x, name="s", filters=3, kernel_size=[2, 2])
x = net("Dense", net("GlobalAveragePooling2D", x, name="g"), name="f", units=2)
case("whole", lambda n: (n.__dict__.update(net.__dict__), x)[1], ["h5"])
with h5py.File(os.path.join(out, "two.weights.h5"), "w") as f:
    put_h5(f, net)
archive(os.path.join(out, "archive.keras"), net, [x])
with open(os.path.join(out, "whole.json"), "w") as f:
    json.dump(dict(functional(net, [x], 3), module="keras.src.models.functional"), f)
for form in ("layers", "_layer_checkpoint_dependencies"):
    with h5py.File(os.path.join(out, form + ".weights.h5"), "w") as f:
        put_vars(f, net, "", form)

# Code that computes with tensors: operations of Keras 3, layers TFOpLambda and SlicingOpLambda of Keras 2. "<m>" is a map, "<n>"
# another, "<r>" are rows, "<f>" a map that was flattened.
m, m2, r = (rng.standard_normal((2,) + s).astype("f4").astype("f8") for s in ((5, 6, 4), (5, 6, 4), (3,)))
f = m.reshape(2, -1)
slice3 = lambda *v: {"class_name": "__slice__", "config": dict(zip(("start", "stop", "step"), v))}
array3 = lambda v: {"class_name": "__numpy__", "config": {"value": v, "dtype": "float32"}}
every, dots = slice3(None, None, None), {"class_name": "__ellipsis__", "config": {}}
four = [1.0, 2.0, 3.0, 4.0]
mean = np.array([0.5, 1.0, -1.0, 2.0])
OPS = [  # class, configuration, arguments, keywords, result
    ("TrueDivide", {}, ["<m>", 4.0], {}, m / 4), ("TrueDivide", {}, [2.0, "<f>"], {}, 2 / f), ("Subtract", {}, [1.0, "<m>"], {}, 1 - m),
    ("Subtract", {}, ["<m>", "<n>"], {}, m - m2), ("Add", {}, ["<m>", array3(four)], {}, m + four), ("Add", {}, ["<m>", 3], {}, m + 3),
    ("Multiply", {}, ["<m>", array3([[[[2.0]], [[3.0]], [[4.0]], [[5.0]], [[6.0]]]])], {}, m * np.arange(2.0, 7)[None, :, None, None]),
    ("Multiply", {}, ["<r>", array3([[1.0, 2.0, 3.0]])], {}, r * [1, 2, 3]), ("Add", {}, ["<f>", array3(list(range(120)))], {}, f + np.arange(120)),
    ("Maximum", {}, ["<m>", 0.5], {}, np.maximum(m, 0.5)), ("Minimum", {}, ["<m>", "<n>"], {}, np.minimum(m, m2)),
    ("Power", {}, ["<m>", 2], {}, m ** 2), ("Negative", {}, ["<m>"], {}, -m), ("Absolute", {}, ["<f>"], {}, abs(f)), ("Square", {}, ["<m>"], {}, m * m),
    ("Exp", {}, ["<m>"], {}, np.exp(m)), ("Relu", {}, ["<m>"], {}, relu(m)), ("Relu6", {}, ["<m>"], {}, relu(m, most=6)),
    ("LeakyRelu", {"negative_slope": 0.1}, ["<m>"], {}, relu(m, 0.1)), ("Sigmoid", {}, ["<m>"], {}, sigmoid(m)), ("Silu", {}, ["<m>"], {}, m * sigmoid(m)),
    ("Gelu", {"approximate": False}, ["<m>"], {}, act("gelu")(m)), ("HardSilu", {}, ["<m>"], {}, act("hard_silu")(m)),
    ("Gelu", {"approximate": True}, ["<m>"], {}, m / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (m + 0.044715 * m ** 3)))),
    ("Elu", {"alpha": 0.5}, ["<m>"], {}, np.where(m > 0, m, 0.5 * np.expm1(m))), ("Softmax", {"axis": 1}, ["<m>"], {}, softmax(m, 1)),
    ("Clip", {"x_min": -0.5, "x_max": 1}, ["<m>"], {}, np.clip(m, -0.5, 1)), ("Cast", {"dtype": "float32"}, ["<m>"], {}, m),
    ("Mean", {"axis": [1, 2], "keepdims": True}, ["<m>"], {}, m.mean((1, 2), keepdims=True)), ("Mean", {"axis": [1, 2], "keepdims": False}, ["<m>"], {}, m.mean((1, 2))),
    ("Max", {"axis": -1, "keepdims": False, "initial": None}, ["<m>"], {}, m.max(-1)), ("Sum", {"axis": 1, "keepdims": False}, ["<m>"], {}, m.sum(1)),
    ("Min", {"axis": -1, "keepdims": True}, ["<f>"], {}, f.min(-1, keepdims=True)), ("Sum", {"axis": 3, "keepdims": True}, ["<m>"], {}, m.sum(3, keepdims=True)),
    ("Reshape", {"newshape": [-1, 5, 24]}, ["<m>"], {}, m.reshape(2, 5, 24)), ("Reshape", {"newshape": [-1, 6, 5, 4]}, ["<f>"], {}, f.reshape(2, 6, 5, 4)),
    ("Transpose", {"axes": [0, 3, 1, 2]}, ["<m>"], {}, m.transpose(0, 3, 1, 2)), ("ExpandDims", {"axis": 1}, ["<r>"], {}, r[:, None]),
    ("ExpandDims", {"axis": -1}, ["<m>"], {}, m[..., None]), ("Flip", {"axis": -1}, ["<m>"], {}, m[..., ::-1]), ("Flip", {"axis": [1]}, ["<f>"], {}, f[:, ::-1]),
    ("Pad", {"pad_width": [[0, 0], [1, 0], [2, 3], [0, 1]], "mode": "constant"}, ["<m>"], {"constant_values": 1.5},
     np.pad(m, [(0, 0), (1, 0), (2, 3), (0, 1)], constant_values=1.5)),
    ("Pad", {"pad_width": [[0, 0], [1, 2], [0, 0], [0, 0]], "mode": "reflect"}, ["<m>"], {}, np.pad(m, [(0, 0), (1, 2), (0, 0), (0, 0)], "reflect")),
    ("GetItem", {}, ["<m>", [dots, slice3(None, None, -1)]], {}, m[..., ::-1]), ("GetItem", {}, ["<m>", [dots, 1]], {}, m[..., 1]),
    ("GetItem", {}, ["<m>", [every, slice3(1, -1, None), slice3(None, None, 2)]], {}, m[:, 1:-1, ::2]), ("GetItem", {}, ["<m>", [every, -1]], {}, m[:, -1]),
    ("GetItem", {}, ["<m>", [every, slice3(4, 0, -2), 2, slice3(None, 2, None)]], {}, m[:, 4:0:-2, 2, :2]),
    ("GetItem", {}, ["<f>", [every, slice3(3, 9, None)]], {}, f[:, 3:9]),
    ("Stack", {"axis": 1}, [["<r>", "<r>"]], {}, np.stack([r, r], 1)), ("Concatenate", {"axis": -1}, [["<m>", "<n>"]], {}, np.concatenate([m, m2], -1)),
    ("Normalize", {"axis": -1, "order": 2, "epsilon": None}, ["<m>"], {}, m / np.sqrt((m * m).sum(-1, keepdims=True))),
    ("Resize", {"size": [7, 3], "interpolation": "bilinear", "antialias": False}, ["<m>"], {}, resize(m, (7, 3))),
]
all2, dots2 = {"start": None, "stop": None, "step": None}, {"class_name": "__ellipsis__"}
FUNCTIONS = [  # the function, its first argument, the others, result
    ("math.truediv", "<m>", {"y": 127.5, "name": None}, m / 127.5), ("math.subtract", 1.0, {"y": "<m>", "name": None}, 1 - m),
    ("math.subtract", "<m>", {"y": "<n>"}, m - m2), ("nn.bias_add", "<m>", {"bias": list(mean), "data_format": "NHWC"}, m + mean),
    ("__operators__.add", "<f>", {"y": 3.0}, f + 3), ("__operators__.getitem", "<m>", {"slice_spec": [dots2, {"start": None, "stop": None, "step": -1}]}, m[..., ::-1]),
    ("__operators__.getitem", "<m>", {"slice_spec": [all2, {"start": 1, "stop": 4, "step": None}, 0]}, m[:, 1:4, 0]),
    ("math.reduce_mean", "<m>", {"axis": [1, 2]}, m.mean((1, 2))), ("nn.relu", "<m>", {"name": None}, relu(m)), ("nn.leaky_relu", "<m>", {"alpha": 0.3}, relu(m, 0.3)),
    ("concat", ["<m>", "<n>"], {"axis": -1}, np.concatenate([m, m2], -1)), ("stack", ["<r>", "<r>"], {"axis": 1}, np.stack([r, r], 1)),
    ("reshape", "<m>", {"shape": [-1, 120]}, f), ("compat.v1.transpose", "<m>", {"perm": [0, 3, 1, 2], "name": "transpose", "conjugate": False}, m.transpose(0, 3, 1, 2)),
    ("image.resize", "<m>", {"size": [7, 3]}, resize(m, (7, 3))), ("math.maximum", "<m>", {"y": "<n>"}, np.maximum(m, m2)),
    ("math.pow", "<m>", {"y": 2}, m ** 2), ("clip_by_value", "<m>", {"clip_value_min": -1, "clip_value_max": 0.5}, np.clip(m, -1, 0.5)),
    ("cast", "<m>", {"dtype": "float32"}, m), ("expand_dims", "<r>", {"axis": 1}, r[:, None]),
    ("pad", "<m>", {"paddings": [[0, 0], [1, 1], [0, 0], [0, 0]]}, np.pad(m, [(0, 0), (1, 1), (0, 0), (0, 0)])),
]


def put(v, tensor):
    """Puts tensors for their names."""
    if isinstance(v, str) and v[0] == "<":
        return tensor(v[1:-1])
    return [put(x, tensor) for x in v] if isinstance(v, list) else v


def computing(name, style, modules=True):
    layers = [{"class_name": "InputLayer", "name": n, "config": {"name": n, "batch_input_shape": [None] + list(v.shape[1:])}, "inbound_nodes": []}
              for n, v in (("m", m), ("n", m2), ("r", r))]
    values = {"m": m, "n": m2, "r": r}
    outputs = []

    def three(n, i=0):
        return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [n, 0, i]}}

    def add(n, cls, config, nodes, value, tensor=0, module="keras.src.ops.numpy"):
        layers.append({"class_name": cls, "name": n, "config": dict(config, name=n), "inbound_nodes": nodes})
        if style == 3 and modules:
            layers[-1]["module"] = module
        outputs.append([n, 0, tensor])
        arrays["%s.%s" % (name, n)] = np.asarray(value, "f4")

    add("f", "Flatten", {}, [{"args": [three("m")], "kwargs": {}}] if style == 3 else [[["m", 0, 0, {}]]], f, module="keras.layers")
    if style == 3:
        for i, (cls, config, args, kw, value) in enumerate(OPS):
            add("%s_%d" % (cls, i), cls, config, [{"args": put(args, three), "kwargs": put(kw, three)}], value)
        add("parts", "Split", {"indices_or_sections": 2, "axis": -1}, [{"args": [three("m")], "kwargs": {}}], m[..., 2:], 1)
        add("planes", "Stack", {"axis": -1}, [{"args": [[three("GetItem_%d" % i) for i, o in enumerate(OPS) if o[2][1:] == [[dots, 1]]] * 2], "kwargs": {}}],
            np.stack([m[..., 1]] * 2, -1))
        add("squeezed", "Squeeze", {"axis": 3}, [{"args": [three([l["name"] for l in layers if l["class_name"] == "Sum" and l["config"]["axis"] == 3][0])], "kwargs": {}}], m.sum(3))
    else:
        two = lambda n: [n, 0, 0]
        for i, (function, first, kw, value) in enumerate(FUNCTIONS):
            kw = {k: put(v, two) for k, v in kw.items()}
            if isinstance(first, list):
                nodes = [[two(x[1:-1]) + [kw] for x in first]]
            else:
                nodes = [(two(first[1:-1]) if isinstance(first, str) else ["_CONSTANT_VALUE", -1, first]) + [kw]]
            add("tf.%s_%d" % (function, i), "SlicingOpLambda" if "getitem" in function else "TFOpLambda", {"function": function}, nodes, value)
    config = {"class_name": "Functional", "config": {"name": name, "layers": layers, "input_layers": [[n, 0, 0] for n in "mnr"],
                                                     "output_layers": {o[0]: o for o in outputs} if style == 3 else outputs}}
    if style == 3:
        outputs.sort()
    path = os.path.join(out, name + ".h5")
    with h5py.File(path, "w") as h:
        h.attrs["keras_version"] = "3.15.1" if style == 3 else "2.15.0"
        h.attrs["model_config"] = json.dumps(config)
        h.create_group("model_weights").attrs["layer_names"] = [l["name"].encode() for l in layers]
        for l in layers:
            h["model_weights"].create_group(l["name"]).attrs["weight_names"] = []
    for n, v in values.items():
        arrays["%s.%s" % (name, n)] = np.asarray(v, "f4")
    cases.append({"name": name, "net": name, "file": path, "in": ["%s.%s" % (name, n) for n in "mnr"], "out": ["%s.%s" % (name, o[0]) for o in outputs]})


computing("operations", 3)
computing("operations_h5", 3, modules=False)
computing("functions", 2)

np.savez(os.path.join(out, "cases.npz"), **arrays)
with open(os.path.join(out, "cases.json"), "w") as f:
    json.dump(cases, f)
