"""Makes pictures and what torchvision's augmentations make of them on Pillow images: python3 augment.py DIR [small|full].

Writes DIR/augment.json: sources (RGB bytes, base64) and jobs, each an operation with its numbers on a source, and the
result. "small" is what lies in testdata/golden; "full" is what the comparison test makes afresh.
"""
import base64
import json
import os
import sys

import numpy as np
from PIL import Image
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode

out, full = sys.argv[1], sys.argv[2:] == ["full"]
os.makedirs(out, exist_ok=True)
rng = np.random.RandomState(5)


def smooth(h, w):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * 255 // (w - 1), y * 255 // (h - 1), (x * 5 + y * 3) % 256], -1)
    a[h // 4 : h // 2, w // 3 : w // 2] = (250, 20, 60)
    return a.astype(np.uint8)


noise = lambda h, w: rng.randint(0, 256, (h, w, 3), dtype=np.uint8)
dim = lambda h, w: (noise(h, w) // 3 + 40).astype(np.uint8)
sources = [smooth(9, 11), noise(10, 8), dim(5, 7)]
if full:
    sources += [smooth(60, 81), noise(50, 50), dim(64, 48), noise(1, 1), np.full((6, 6, 3), 90, np.uint8)]
images = [Image.fromarray(a) for a in sources]
bilinear = {"interpolation": InterpolationMode.BILINEAR}


def affine(i, turn, dx, dy, zoom, x, y):
    return F.affine(i, turn, [int(dx), int(dy)], zoom, [x, y], **bilinear)


operations = {
    "affine": (affine, [[0, 0, 0, 1, 0, 0], [20, 0, 0, 1, 0, 0], [-33.5, 1, -2, 1.3, 12, 0], [7, 0, 0, 0.6, -20, 15], [0, 2, 1, 1, 0, 0]]),
    "rotate": (lambda i, d: F.rotate(i, d, **bilinear), [[10], [-45], [30]]),
    "slant": (lambda i, x, y: F.affine(i, 0, [0, 0], 1, [np.degrees(np.arctan(x)), np.degrees(np.arctan(y))], center=[0, 0], **bilinear), [[0.3, 0], [0, -0.21]]),
    "perspective": (lambda i, *p: F.perspective(i, *corners(i, p), **bilinear), [[0.3, 0.1, 0.2, 0.25, 0, 0.3, 0.1, 0.2], [0.15, 0.1, 0.4, 0.1, 0.1, 0.25, 0.2, 0.3]]),
    "hflip": (F.hflip, [[]]),
    "vflip": (F.vflip, [[]]),
    "brightness": (F.adjust_brightness, [[0], [0.4], [1.7]]),
    "contrast": (F.adjust_contrast, [[0], [0.4], [1.7]]),
    "saturation": (F.adjust_saturation, [[0], [0.4], [1.7]]),
    "hue": (F.adjust_hue, [[0.5], [-0.5], [0.11], [-0.3]]),
    "sharpness": (F.adjust_sharpness, [[0], [0.5], [1.9]]),
    "autocontrast": (F.autocontrast, [[]]),
    "equalize": (F.equalize, [[]]),
    "posterize": (lambda i, b: F.posterize(i, int(b)), [[1], [4], [8]]),
    "solarize": (F.solarize, [[128], [77.5], [255]]),
    "invert": (F.invert, [[]]),
    "gray": (lambda i: F.to_grayscale(i, 3), [[]]),
    "blur": (lambda i, n, s: F.gaussian_blur(i, [2 * int(n) + 1] * 2, [s, s]), [[1, 0.4], [3, 1], [4, 1.9]]),
}


def corners(i, share):
    """Where the corners are and where they go: inwards by shares of the sides."""
    w, h = i.size
    start = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]
    end = [[x + (1 if x == 0 else -1) * int(share[2 * k] * w), y + (1 if y == 0 else -1) * int(share[2 * k + 1] * h)] for k, (x, y) in enumerate(start)]
    return start, end


jobs = []
for name, (f, numbers) in operations.items():
    for k, image in enumerate(images):
        w, h = image.size
        if name == "blur":
            usable = [n for n in numbers if n[0] < min(w, h)]
        elif name == "perspective":
            usable = numbers if min(w, h) > 1 else []
        else:
            usable = numbers
        for n in usable if full else usable[k % max(len(usable), 1) :][:1]:
            want = np.asarray(f(image, *n).convert("RGB"))
            jobs.append({"Op": name, "Args": n, "Source": k, "Want": base64.b64encode(want.tobytes()).decode()})
with open(os.path.join(out, "augment.json"), "w") as file:
    json.dump({"Sources": [{"H": a.shape[0], "W": a.shape[1], "Pix": base64.b64encode(a.tobytes()).decode()} for a in sources], "Jobs": jobs}, file, indent=0)
