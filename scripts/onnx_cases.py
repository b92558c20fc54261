"""Writes the cases of ONNX's backend tests that are programs in its Python package.

python onnx_cases.py FOLDER writes FOLDER/KIND/NAME/model.onnx and test_data_set_N/{input,output}_K.pb.
"""

import pathlib
import sys

import onnx
import onnx.backend.test.case.model
import onnx.backend.test.case.node
from onnx import numpy_helper


def proto(value, declared):
    """What a value is in a file: tensors, and lists, dictionaries and optional values of them."""
    if isinstance(value, onnx.TensorProto):
        return value
    kind = declared.type.WhichOneof("value")
    to_proto = {
        "tensor_type": numpy_helper.from_array,
        "sequence_type": numpy_helper.from_list,
        "map_type": numpy_helper.from_dict,
        "optional_type": numpy_helper.from_optional,
    }[kind]
    return to_proto(value, declared.name)


def write(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    graph = case.model.graph
    for n, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{n}"
        data.mkdir()
        for name, values, declared in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for k, value in enumerate(values):
                (data / f"{name}_{k}.pb").write_bytes(proto(value, declared[k]).SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    count = 0
    for package in (onnx.backend.test.case.node, onnx.backend.test.case.model):
        for case in package.collect_testcases():
            if case.kind == "real":
                continue  # only the address of a network
            write(case, root / case.kind / case.name)
            count += 1
    print(f"onnx {onnx.__version__}: {count} cases")


main()
