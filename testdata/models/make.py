#!/usr/bin/env python3
"""Writes the tiny models of this folder again. They are small enough to be checked by hand.

usage: make.py [DIR]        (default: the folder that this script lies in; needs the Python package onnx)
"""
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def weight(name, *shape):
    """Values -3 to 3 in turn, scaled so that activations keep their size."""
    n = int(np.prod(shape))
    fan_in = max(1, n // shape[0])
    v = ((np.arange(n) * 5) % 7 - 3).astype(np.float32) / np.float32(2 * np.sqrt(fan_in))
    return numpy_helper.from_array(v.reshape(shape), name)


def save(name, nodes, inputs, outputs, weights=(), opset=13, meta=None, ir=7, check=True, domains=()):
    def value(v):
        return helper.make_tensor_value_info(v[0], TensorProto.FLOAT, v[1])

    graph = helper.make_graph(nodes, name, [value(v) for v in inputs], [value(v) for v in outputs], list(weights))
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="make.py", ir_version=ir)
    if meta:
        helper.set_model_props(model, meta)
    if check:
        onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.path.join(OUT, name + ".onnx"))


def node(op, scope, inputs, output, **attrs):
    return helper.make_node(op, inputs, [output], name=f"{scope}/{op}", **attrs)


def tiny():
    """A network as PyTorch exports them: two blocks of convolutions and a classifier for pictures of 16x16."""
    nodes = [
        node("Conv", "/features/features.0", ["input", "features.0.weight", "features.0.bias"], "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "/features/features.1", ["c1"], "r1"),
        node("MaxPool", "/features/features.2", ["r1"], "p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "/features/features.3", ["p1", "features.3.weight", "features.3.bias"], "c2", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "/features/features.4", ["c2"], "r2"),
        node("MaxPool", "/features/features.5", ["r2"], "p2", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "", ["p2"], "flat"),
        node("Gemm", "/classifier/classifier.0", ["flat", "classifier.0.weight", "classifier.0.bias"], "g1", transB=1),
        node("Relu", "/classifier/classifier.1", ["g1"], "r3"),
        node("Gemm", "/classifier/classifier.2", ["r3", "classifier.2.weight", "classifier.2.bias"], "output", transB=1),
    ]
    weights = [
        weight("features.0.weight", 4, 3, 3, 3), weight("features.0.bias", 4),
        weight("features.3.weight", 8, 4, 3, 3), weight("features.3.bias", 8),
        weight("classifier.0.weight", 10, 128), weight("classifier.0.bias", 10),
        weight("classifier.2.weight", 3, 10), weight("classifier.2.bias", 3),
    ]
    meta = {
        "onnxcnn.labels": json.dumps(["circle", "square", "star"]),
        "onnxcnn.preprocess": json.dumps({
            "resize": "exact", "size": [16, 16], "channels": "RGB", "scale": 1 / 255,
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "layout": "NCHW",
        }),
    }
    inputs, outputs = [("input", ["batch", 3, 16, 16])], [("output", ["batch", 3])]
    save("tiny", nodes, inputs, outputs, weights)
    save("tiny_described", nodes, inputs, outputs, weights, meta=meta)  # says what it takes and what it tells


def two_inputs():
    """Sum and product of two arrays: several inputs and outputs, a fixed batch, no scopes in the names."""
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"], name="add"), helper.make_node("Mul", ["a", "b"], ["product"], name="mul")]
    save("two_inputs", nodes, [("a", [1, 2]), ("b", [1, 2])], [("sum", [1, 2]), ("product", [1, 2])])


def unsupported():
    """Three operators that no runtime of CNNs has, beside one that all have."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("Foo", ["r"], ["f"], name="foo", domain="com.example"),
        helper.make_node("ZipMap", ["f"], ["z"], name="zip", domain="ai.onnx.ml"),
        helper.make_node("Bar", ["z"], ["y"], name="bar", domain="com.example"),
    ]
    save("unsupported", nodes, [("x", [1, 2])], [("y", [1, 2])], domains=["com.example", "ai.onnx.ml"], check=False)


tiny()
two_inputs()
unsupported()
