"""Where two files that should be the same begin to differ, in words a person can use."""
import os

import numpy as np


def first_difference(ours, theirs):
    """One sentence on the first difference between two files of one kind (by their ending)."""
    by_ending = {".csv": _line, ".json": _line, ".html": _line, ".h5": _dataset,
                 ".tflite": _tensor, ".pb": _node}
    how = by_ending.get(os.path.splitext(ours)[1], _byte)
    return how(ours, theirs) or _byte(ours, theirs)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _byte(ours, theirs):
    a, b = _read(ours), _read(theirs)
    at = next((place for place, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return "byte %d of %d and %d" % (at, len(a), len(b))


def _line(ours, theirs):
    a, b = (_read(path).decode("utf-8", "replace").splitlines() for path in (ours, theirs))
    for number, (x, y) in enumerate(zip(a, b), 1):
        if x != y:
            return "line %d: `%s` and `%s`" % (number, x.strip()[:120], y.strip()[:120])
    return "%d and %d lines" % (len(a), len(b)) if len(a) != len(b) else None


def _arrays(name, x, y):
    """A sentence on two arrays that are not the same to the bit, else None."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return "%s is %s%s and %s%s" % (name, x.dtype, x.shape, y.dtype, y.shape)
    if x.tobytes() == y.tobytes():
        return None
    apart = np.flatnonzero(x.ravel() != y.ravel())
    far = np.abs(x.ravel()[apart].astype(float) - y.ravel()[apart].astype(float)).max()
    return "%s: %d of %d numbers, at most %.3g apart" % (name, len(apart), x.size, far)


def _dataset(ours, theirs):
    import h5py

    with h5py.File(ours, "r") as a, h5py.File(theirs, "r") as b:
        names = []
        a.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        for name in names:
            if name not in b:
                return "dataset %s is in one file only" % name
            found = _arrays("dataset " + name, a[name][()], b[name][()])
            if found:
                return found
    return None


def _tensor(ours, theirs):
    from kit.runtime import flatbuffer

    a, b = (flatbuffer.read(_read(path)) for path in (ours, theirs))
    pairs = zip(a["subgraphs"][0]["tensors"], b["subgraphs"][0]["tensors"])
    for place, (x, y) in enumerate(pairs):
        name = "tensor %d (%s)" % (place, x.get("name") or "unnamed")
        for key in ("scale", "zero_point"):
            found = _arrays("%s of %s" % (key, name), *(
                np.asarray(tensor.get("quantization", {}).get(key, [])) for tensor in (x, y)))
            if found:
                return found
        found = _arrays(name, *(
            np.asarray(model["buffers"][tensor.get("buffer", 0)].get("data", []), np.uint8)
            for model, tensor in ((a, x), (b, y))))
        if found:
            return found
    return None


def _node(ours, theirs):
    from kit.tf.tf115 import tf

    graphs = [tf.compat.v1.GraphDef.FromString(_read(path)) for path in (ours, theirs)]
    for x, y in zip(*(graph.node for graph in graphs)):
        if x == y:
            continue
        if x.op == y.op == "Const":
            return _arrays("node " + x.name, *(
                tf.make_ndarray(node.attr["value"].tensor) for node in (x, y)))
        return "node %s (%s) and %s (%s)" % (x.name, x.op, y.name, y.op)
    return None
