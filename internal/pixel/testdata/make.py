"""Makes images and what Pillow and torchvision make of them: python3 make.py DIR [small|full].

Writes DIR/jobs.json, a list of jobs: a file, how it is resized and cropped, and the RGB bytes that result (base64).
"small" is what lies in testdata/golden; "full" is what the comparison test makes afresh. tolerance is the largest
difference of a byte that is allowed: 0 for lossless formats; decoders of lossy ones may round differently.
"""
import base64
import json
import os
import struct
import sys

import numpy as np
from PIL import Image, ImageOps
import torch
from torchvision.transforms import functional as F
from torchvision.transforms.functional import InterpolationMode

out, full = sys.argv[1], sys.argv[2:] == ["full"]
os.makedirs(out, exist_ok=True)
rng = np.random.RandomState(7)
jobs = []
FILTERS = ["bilinear", "bicubic", "nearest", "box", "hamming", "lanczos"]


def noise(h, w, c=3):
    return rng.randint(0, 256, (h, w, c), dtype=np.uint8)


def smooth(h, w):
    """A picture with edges and gradients, as photographs have."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * 255 // max(w - 1, 1), y * 255 // max(h - 1, 1), (x * 7 + y * 3) % 256], -1)
    a[h // 4 : h // 2, w // 3 : w // 2] = (250, 20, 60)
    return a.astype(np.uint8)


def save(name, img, **options):
    img.save(os.path.join(out, name), **options)
    return name


def reference(name, orient):
    img = Image.open(os.path.join(out, name))
    img.seek(0) if getattr(img, "is_animated", False) else None
    if orient:
        img = ImageOps.exif_transpose(img)
    if img.mode == "I" or img.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(img).astype(np.int64) >> 8).astype(np.uint8)).convert("RGB")
    if img.mode in ("RGBA", "LA", "PA") or "transparency" in img.info:
        img = img.convert("RGBA")
        white = Image.new("RGB", img.size, (255, 255, 255))
        white.paste(img, mask=img.getchannel("A"))
        return white
    return img.convert("RGB")


def job(name, rule="none", to=(), filter="bilinear", crop=None, orient=False, alias=False, tolerance=0):
    img = reference(name, orient)
    mode = InterpolationMode(filter)
    if alias:
        t = torch.from_numpy(np.asarray(img).copy()).permute(2, 0, 1)[None].float()
        t = torch.nn.functional.interpolate(t, size=to, mode="bilinear", align_corners=False)
        img = Image.fromarray(t[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
        tolerance = 1
    elif rule == "shorter":
        img = F.resize(img, to[0], mode)
    elif rule == "exact":
        img = F.resize(img, list(to), mode)
    if crop is None:
        crop = (img.size[1], img.size[0])
    img = F.center_crop(img, list(crop))
    jobs.append(dict(file=name, rule=rule, to=list(to), filter=filter, alias=alias, orient=orient, h=crop[0], w=crop[1],
                     tolerance=tolerance, want=base64.b64encode(img.tobytes()).decode()))


# Resizing: odd sizes, shrinking and growing, every filter.
sizes = [(13, 9, 5, 7), (7, 11, 10, 8), (6, 5, 6, 3), (5, 6, 3, 6)]
if full:
    sizes += [(97, 203, 31, 60), (203, 97, 60, 31), (1, 1, 4, 5), (1, 300, 3, 40), (300, 1, 40, 3), (64, 64, 64, 64),
              (50, 40, 120, 97), (255, 256, 56, 56), (33, 500, 70, 2)]
for h, w, th, tw in sizes:
    name = save(f"noise{h}x{w}.png", Image.fromarray(noise(h, w)))
    for f in FILTERS:
        job(name, "exact", (th, tw), f)
    job(name, "exact", (th, tw), alias=True)

# Shorter side and centre crop, with the rounding of both, and padding.
shorter = [(13, 9, 8, 6, 7), (9, 13, 7, 5, 5), (9, 13, 4, 6, 9), (5, 5, 5, 4, 2)]
if full:
    shorter += [(375, 500, 256, 224, 224), (500, 333, 171, 150, 150), (224, 224, 256, 224, 224), (255, 256, 256, 224, 224),
                (256, 255, 232, 224, 224), (1, 1, 256, 224, 224), (1, 300, 32, 28, 28), (300, 1, 32, 28, 28), (199, 467, 342, 299, 299)]
for h, w, side, ch, cw in shorter:
    name = save(f"smooth{h}x{w}.png", Image.fromarray(smooth(h, w)))
    for f in FILTERS if full and h < 300 else ["bilinear", "bicubic"]:
        job(name, "shorter", (side,), f, (ch, cw))
    job(name, "none", (), crop=(ch, cw))
    job(name, "none", (), crop=(h + 3, w + 4))

# Formats without loss.
h, w = (37, 51) if full else (5, 7)
rgb, a = Image.fromarray(smooth(h, w)), Image.fromarray(noise(h, w, 1)[:, :, 0])
rgba = rgb.copy()
rgba.putalpha(a)
gray = rgb.convert("L")
la = gray.copy()
la.putalpha(a)
palette = rgb.quantize(16)
gray16 = Image.fromarray((noise(h, w, 1)[:, :, 0].astype(np.int32) * 255 + 99).astype(np.uint16))
for name, img, options in [
    ("rgb.png", rgb, {}), ("rgba.png", rgba, {}), ("gray.png", gray, {}), ("la.png", la, {}), ("palette.png", palette, {}),
    ("palette4.png", rgb.quantize(4), {"bits": 2}), ("bits.png", gray.convert("1"), {}), ("gray16.png", gray16, {}),
    ("trns.png", palette, {"transparency": 3}), ("trnsrgb.png", rgb, {"transparency": tuple(smooth(h, w)[1, 2].tolist())}),
    ("rgb.bmp", rgb, {}), ("gray.bmp", gray, {}), ("palette.bmp", palette, {}), ("rgb.gif", palette, {}), ("gray.gif", gray, {}),
    ("rgb.tif", rgb, {}), ("lzw.tif", rgb, {"compression": "tiff_lzw"}), ("deflate.tif", rgb, {"compression": "tiff_adobe_deflate"}),
    ("packbits.tif", rgb, {"compression": "packbits"}), ("gray.tif", gray, {}), ("rgba.tif", rgba, {}), ("gray16.tif", gray16, {}),
    ("bits.tif", gray.convert("1"), {"compression": "group4"}), ("palette.tif", palette, {}),
    ("lossless.webp", rgb, {"lossless": True}), ("losslessalpha.webp", rgba, {"lossless": True, "exact": True}),
]:
    job(save(name, img, **options))
frames = [Image.fromarray(noise(h, w)).quantize(64) for _ in range(3)]
job(save("animated.gif", frames[0], save_all=True, append_images=frames[1:], duration=50, loop=0))
job(save("animated.webp", rgb, save_all=True, append_images=[f.convert("RGB") for f in frames], lossless=True, duration=50))

# EXIF orientation.
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    job(save(f"exif{o}.png", rgb, exif=exif), orient=True)
    if o in (3, 6) or full:
        job(save(f"exif{o}.webp", rgb, exif=exif, lossless=True), orient=True)
        job(save(f"exif{o}.jpg", rgb, exif=exif, quality=95, subsampling=0), orient=True, tolerance=2)
        job(save(f"exif{o}.png", rgb, exif=exif), "shorter", (h - 2,), "bicubic", (h - 3, h - 3), orient=True)

# Formats with loss: sizes that end inside a block and inside a chroma sample.
lossy = [(19, 21)] + ([(64, 96), (41, 33), (17, 2), (3, 3), (90, 1)] if full else [])
for h, w in lossy:
    img = Image.fromarray(smooth(h, w))
    for name, options in [("444", {"subsampling": 0}), ("422", {"subsampling": 1}), ("420", {"subsampling": 2}),
                          ("progressive", {"subsampling": 2, "progressive": True})]:
        job(save(f"{name}-{h}x{w}.jpg", img, quality=90, **options), tolerance=4)
    job(save(f"gray-{h}x{w}.jpg", img.convert("L"), quality=90), tolerance=2)
    job(save(f"cmyk-{h}x{w}.jpg", img.convert("CMYK"), quality=90), tolerance=4)
    job(save(f"lossy-{h}x{w}.webp", img, quality=90), tolerance=3)
    alpha = img.copy()
    alpha.putalpha(Image.fromarray(smooth(h, w)[:, :, 2]))
    job(save(f"lossyalpha-{h}x{w}.webp", alpha, quality=90), tolerance=3)

json.dump(jobs, open(os.path.join(out, "jobs.json"), "w"), indent=0)
