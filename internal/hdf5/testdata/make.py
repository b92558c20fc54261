"""Makes HDF5 files and expect.json, which says what h5py reads in them.

  python3 make.py DIR         the small files that are kept beside this script
  python3 make.py DIR large   files with every kind of group and of chunk index
"""
import gzip
import json
import os
import sys

import h5py
import numpy as np

out, large = sys.argv[1], len(sys.argv) > 2
expect = {}


def listed(v):
    if isinstance(v, h5py.Empty):
        return []
    if isinstance(v, (bytes, str)):
        return [v.decode() if isinstance(v, bytes) else v]
    return [x.decode() if isinstance(x, bytes) else x for x in np.asarray(v).reshape(-1).tolist()]


def record(name):
    entries = {}

    def add(path, obj):
        for k, v in obj.attrs.items():
            entries["%s@%s" % (path, k)] = {"shape": list(np.shape(v)) if not isinstance(v, h5py.Empty) else [0], "values": listed(v)}
        if isinstance(obj, h5py.Dataset):
            v = obj[()]
            entries[path] = {"shape": list(obj.shape or ([] if obj.shape == () else [0])), "values": listed(v)}

    with h5py.File(os.path.join(out, name), "r") as f:
        add("/", f)
        f.visititems(lambda p, o: add("/" + p, o))
    expect[name] = entries


def file(name, **kw):
    return h5py.File(os.path.join(out, name), "w", **kw)


def numbers(dtype, shape):
    n = int(np.prod(shape))
    return ((np.arange(n) * 37 % 101) - (0 if np.dtype(dtype).kind == "u" else 50)).astype(dtype).reshape(shape)


def everything(f):
    """Every type, layout and filter."""
    f.attrs["text"] = "Grüße"
    f.attrs["fixed"] = np.bytes_("fixed")
    f.attrs["names"] = np.array([b"conv", b"dense_1"])
    f.attrs.create("variable", ["a", "", "long enough"], dtype=h5py.string_dtype())
    f.attrs["number"] = np.int16(-3)
    f.attrs["big"] = np.array([1.5, -2.5], ">f8")
    f.attrs["flag"] = np.bool_(True)
    f.attrs["empty"] = h5py.Empty("f4")
    f.attrs["none"] = np.zeros(0, "f4")
    for t in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "u1", "<u2", ">u2", "<u4", ">u8"]:
        f.create_dataset("types/" + t.replace("<", "le_").replace(">", "be_"), data=numbers(t, (2, 3)))
    f.create_dataset("types/bool", data=np.array([True, False, True]))
    f.create_dataset("types/fixed", data=np.array([b"ab", b"cde"]))
    f.create_dataset("types/variable", data=["x", "", "yz"], dtype=h5py.string_dtype())
    f.create_dataset("types/scalar", data=np.float32(2.5))
    f.create_dataset("types/scalar_text", data="one text")
    f.create_dataset("types/null", data=h5py.Empty("f4"))
    f.create_dataset("types/nothing", data=np.zeros((0, 3), "f4"))
    f.create_dataset("unwritten", shape=(2, 2), dtype="f4")
    f.create_dataset("filled", shape=(3,), dtype=">i4", fillvalue=7)
    f.create_dataset("chunks/plain", data=numbers("f4", (5, 7)), chunks=(2, 3))
    f.create_dataset("chunks/gzip", data=numbers("f4", (5, 7)), chunks=(2, 3), compression="gzip")
    f.create_dataset("chunks/all", data=numbers(">f4", (5, 7)), chunks=(2, 3), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("chunks/checksum", data=numbers("u1", (5, 7)), chunks=(5, 7), fletcher32=True)
    d = f.create_dataset("chunks/holes", shape=(6, 6), dtype="f4", chunks=(2, 2), fillvalue=-1)
    d[2:4, 2:4] = 5
    d = f.create_dataset("chunks/less", data=numbers("f4", (8,)), chunks=(3,), maxshape=(20,))
    d.resize((4,))
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, p).write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 2, 3], "f4"))
    f["soft"] = h5py.SoftLink("/chunks/plain")
    f["group/relative"] = h5py.SoftLink("deeper/end")
    f["group/deeper/end"] = np.arange(3)
    f["hard"] = f["filled"]
    f["committed"] = np.dtype("<f4")
    f.create_dataset("of_committed", data=np.ones(2, "f4"), dtype=f["committed"])


def arrays(f):
    """Every chunk index of the newest format; the older ones have one kind only."""
    f.create_dataset("single", data=numbers("f4", (3, 4)), chunks=(3, 4))
    f.create_dataset("single_gzip", data=numbers("f4", (3, 4)), chunks=(3, 4), compression="gzip")
    f.create_dataset("fixed", data=numbers("i2", (3, 7)), chunks=(2, 2), maxshape=(4, 9))
    f.create_dataset("fixed_gzip", data=numbers("i2", (3, 7)), chunks=(2, 2), compression="gzip")
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_chunk((2, 3))
    p.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    h5py.h5d.create(f.id, b"implicit", h5py.h5t.STD_I16LE, h5py.h5s.create_simple((5, 7), (9, 9)), p).write(
        h5py.h5s.ALL, h5py.h5s.ALL, numbers("i2", (5, 7)))
    f.create_dataset("extensible", data=numbers("i2", (40, 3)), chunks=(1, 2), maxshape=(None, 5))
    f.create_dataset("extensible_second", data=numbers("i2", (3, 40)), chunks=(2, 1), maxshape=(6, None))
    f.create_dataset("extensible_gzip", data=numbers("f4", (3, 40)), chunks=(2, 1), maxshape=(6, None), compression="gzip", shuffle=True)
    f.create_dataset("tree", data=numbers("i2", (9, 11)), chunks=(2, 2), maxshape=(None, None))
    f.create_dataset("tree_gzip", data=numbers("i2", (9, 11)), chunks=(2, 2), maxshape=(None, None), compression="gzip")
    if large:
        f.create_dataset("fixed_pages", data=numbers("i2", (2, 1500)), chunks=(1, 1))
        f.create_dataset("fixed_pages_gzip", data=numbers("i2", (2, 1500)), chunks=(1, 2), compression="gzip", maxshape=(4, 3000))
        d = f.create_dataset("fixed_holes", shape=(5000,), dtype="i2", chunks=(1,), fillvalue=3)
        d[4100:4110] = 9
        f.create_dataset("extensible_long", data=numbers("u1", (3000,)), chunks=(1,), maxshape=(None,))
        d = f.create_dataset("extensible_paged", shape=(133500,), dtype="u1", chunks=(1,), maxshape=(None,), fillvalue=1)
        d[131000:132000] = 8
        d[133499] = 9
        f.create_dataset("tree_deep", data=numbers("u1", (60, 50)), chunks=(1, 1), maxshape=(None, None))


def many(f):
    """Groups and attributes that are too many for the compact form."""
    for i in range(700 if large else 20):
        f.create_dataset("many/%s_%04d" % ("n" * (i % 40), i), data=np.int32(i))
    g = f.create_group("attributes")
    for i in range(300 if large else 12):
        g.attrs["a%03d" % i] = np.full(i % 5, i, "i4")
    g = f.create_group("ordered", track_order=True)
    for i in range(12):
        g.attrs["z%02d" % (11 - i)] = i
        g.create_group("g%02d" % (11 - i)).attrs["i"] = i
    deep = f
    for i in range(20):
        deep = deep.create_group("d")
    deep["end"] = 1.5
    if f.libver[0] == "v110" or f.libver[0] == "latest":
        g.attrs["huge"] = np.full(20000, 7, dtype="i4")  # over 64 KiB
        g.attrs["long"] = "x" * 100


def refused(f):
    """What a reader should not follow, or cannot read."""
    f["links/external"] = h5py.ExternalLink("/etc/passwd", "/x")
    f["links/cycle"] = h5py.SoftLink("/links/cycle2")
    f["links/cycle2"] = h5py.SoftLink("cycle")
    f["links/dangling"] = h5py.SoftLink("/nowhere")
    f["circle/a"] = np.float32(1)
    f["circle/self"] = f["circle"]
    f.create_dataset("storage", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])
    v = h5py.VirtualLayout(shape=(4,), dtype="f4")
    v[:] = h5py.VirtualSource("other.h5", "d", shape=(4,))
    f.create_virtual_dataset("virtual", v)
    f.create_dataset("bomb", shape=(40000, 40000), dtype="f4", chunks=(1000, 1000), compression="gzip")
    for i in range(50):
        f.create_dataset("bombs/%d" % i, shape=(235929600,), dtype="f4", chunks=(1 << 20,), compression="gzip")
    for i in range(5):
        f.create_dataset("sum/%d" % i, shape=(15 << 20,), dtype="u1", chunks=(1 << 20,), compression="gzip")
    f.create_dataset("zeros", data=np.zeros(4 << 20, "u1"), chunks=(4 << 20,), compression="gzip")
    f.create_dataset("contiguous", shape=(40000, 40000), dtype="f4")
    f.create_dataset("countless", shape=(1 << 40, 1 << 40), dtype="u1", chunks=(1, 1))
    f.create_dataset("lzf", data=np.arange(10), chunks=(10,), compression="lzf")
    f.create_dataset("scale", data=np.arange(10), chunks=(10,), scaleoffset=0)
    f.create_dataset("compound", data=np.zeros(2, [("a", "f4"), ("b", "i2")]))
    f.create_dataset("complex", data=np.zeros(2, "c8"))
    f.create_dataset("sequences", shape=(2,), dtype=h5py.vlen_dtype("i4"))
    f.create_dataset("fine", data=np.float32([1, 2]))
    f.attrs["compound"] = np.zeros(2, [("a", "f4")])
    f.attrs["fine"] = "fine"


def make(name, fill, **kw):
    with file(name, **kw) as f:
        fill(f)
    record(name)


make("earliest.h5", everything, libver="earliest")
make("latest.h5", arrays, libver="latest")
make("groups.h5", many, libver="latest")
if large:
    make("latest_types.h5", everything, libver="latest")
    make("earliest_chunks.h5", arrays, libver="earliest")
    make("many_earliest.h5", many, libver="earliest")
    make("many_latest.h5", many, libver="latest")
    make("many_v108.h5", many, libver=("v108", "v108"))
    make("types_v108.h5", everything, libver=("v108", "v108"))
    make("user_block.h5", everything, userblock_size=1024)
    make("order.h5", everything, track_order=True)
    with file("swmr.h5", libver="latest") as f:
        f.create_dataset("d", data=numbers("f4", (4,)), chunks=(2,), maxshape=(None,))
        f.swmr_mode = True
        f["d"].resize((9,))
        f["d"][4:] = 1
    record("swmr.h5")

if not large:
    with file("refused.h5", libver="earliest") as f:
        refused(f)
    for name in [*expect, "refused.h5"]:
        path = os.path.join(out, name)
        with open(path, "rb") as f, open(path + ".gz", "wb") as z, gzip.GzipFile("", "wb", 9, z, 0) as g:
            g.write(f.read())
        os.remove(path)
    expect["groups.h5"].pop("/ordered@huge")
with open(os.path.join(out, "expect.json"), "w") as f:
    json.dump(expect, f, separators=(",", ":"), ensure_ascii=False)
