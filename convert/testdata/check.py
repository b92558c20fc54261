"""Has onnx.checker look at every model of a folder: python3 check.py FOLDER"""
import glob
import sys

import onnx
from onnx import checker, defs, shape_inference

bad = seen = newer = 0
for file in sorted(glob.glob(sys.argv[1] + "/*.onnx")):
    model = onnx.load(file)
    if max(o.version for o in model.opset_import if o.domain == "") > defs.onnx_opset_version() or model.ir_version > onnx.IR_VERSION:
        newer += 1
        continue
    seen += 1
    try:
        checker.check_model(model, full_check=True)
        shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception as e:
        bad += 1
        print(file + ":", e)
print(seen, "checked,", bad, "bad,", newer, "newer than the checker")
sys.exit(1 if bad or not seen else 0)
