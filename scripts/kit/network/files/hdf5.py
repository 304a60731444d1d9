"""Keras' .h5 files read as plain data: whole models, weights alone, and both layouts of weights.

The HDF5 library dies on some damaged files, and believes what a file says about sizes. So it runs in
a process of its own (this module as a program), whose end by a signal is a sentence, and sizes are
checked before reading. Not a fork: in one of a process with TensorFlow's threads, reading hung.
"""
import io
import json
import os
import pickle
import re
import resource
import subprocess
import sys

import numpy as np

from kit.base.cli import UserError
from kit.network.files.arrays import Node, Stored, count

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_RATIO = 64  # of an array's bytes to what is stored of it, if it is compressed
READ_SECONDS = 120  # of CPU time; a gigabyte takes two


def read(path, data=None):
    """What a .h5 file holds (or `data`, its bytes, which `path` names); UserError if damaged."""
    root = os.path.abspath(__file__).partition("/kit/network/")[0]
    done = subprocess.run(
        [sys.executable, "-m", "kit.network.files.hdf5", path, str(READ_SECONDS)] + ["-"] * bool(data),
        input=data, env=dict(os.environ, PYTHONPATH=root), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    if done.returncode:
        raise UserError("%s: damaged; the HDF5 library cannot read it" % path)
    outcome = pickle.loads(done.stdout)
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def main(path, seconds, *data):
    """The other process: what read() returns or raises, pickled, to stdout."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    data = sys.stdin.buffer.read() if data else None
    pickle.dump(_outcome(path, lambda: _stored(path, data)), sys.stdout.buffer, protocol=4)


def _outcome(path, function):
    try:
        return function()
    except UserError as error:
        return error
    except OSError:
        return UserError("%s: not a Keras .h5 file, or damaged" % path)
    except MemoryError:
        return UserError("%s: too large for this machine's memory" % path)
    except Exception as error:  # h5py raises whatever it stumbles on
        return UserError("%s: damaged (%s: %s)" % (
            path, type(error).__name__, " ".join(str(error).split())[:100]))


def _stored(path, data):
    import h5py

    with h5py.File(io.BytesIO(data) if data else path, "r") as file:
        reader = _Reader(path, file, len(data) if data else os.path.getsize(path))
        description = _text(file.attrs.get("model_config"))
        version = _text(file.attrs.get("keras_version")) or ""
        weights = file.get("model_weights", file)
        if _names(weights, "layer_names"):
            return Stored(_json(path, description), version, reader.flat(weights), None)
        if "model_weights" in file:  # files of other hands name the layers by their groups alone
            return Stored(_json(path, description), version, reader.groups(weights), None)
        if any(re.match(r"(layers|_layer_checkpoint_dependencies)(\\|$)", name) for name in file):
            return Stored(_json(path, description), version, None, reader.tree(file, 0))
        raise UserError("%s: no Keras model in this file; it was not written by model.save(...) or "
                        "model.save_weights(...)" % path)


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _names(group, key):
    """A list of names in a group's attributes, which Keras cuts into key0, key1, ... if long."""
    keys = [key] if key in group.attrs else [
        key + str(k) for k in range(len(group.attrs)) if key + str(k) in group.attrs]
    return [_text(name) for key in keys for name in group.attrs[key]]


def _json(path, text):
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("%s: the model's description in the file is damaged" % path)


def _unfolded(below):
    """Branches called "layers\\lstm\\cell", as Windows writes them, as branches of branches."""
    found = {name: node for name, node in below.items() if "\\" not in name}
    for name in sorted(set(below) - set(found)):  # outer ones before inner ones
        branches, parts = found, name.split("\\")
        for part in parts[:-1]:
            branches = branches.setdefault(part, Node([], {})).below
        known = branches.get(parts[-1], Node([], {}))
        branches[parts[-1]] = Node(known.arrays + below[name].arrays,
                                   dict(known.below, **below[name].below))
    return found


class _Reader:
    """Reads arrays of one open file, and no more bytes than such a file can hold."""

    def __init__(self, path, file, size):
        self.path, self.file, self.size = path, file, size
        self.left = LARGEST_RATIO * size

    def flat(self, group):
        """{layer: [arrays]} in the order of the file's own list."""
        return {name: self.layer(group[name]) for name in _names(group, "layer_names")}

    def groups(self, group):
        return {name: self.layer(group[name]) for name in group}

    def layer(self, group):
        names = _names(group, "weight_names")
        for name in names:
            if name not in group:
                raise UserError("%s: the weights '%s' are missing; the file is damaged"
                                % (self.path, name))
        return [self.array(name, group[name]) for name in names
                if "seed_generator_state" not in name]

    def tree(self, group, depth):
        """A group of Keras 3's layout as a Node; what training left aside."""
        if depth > 32:
            raise UserError("%s: groups within groups without end; the file is damaged" % self.path)
        own = group.get("vars", {})
        arrays = [self.array(name, own[name]) for name in sorted(own, key=int)]
        below = {name: self.tree(group[name], depth + 1) for name in group
                 if name not in ("vars", "optimizer", "metrics", "seed_generator")
                 and hasattr(group[name], "keys")}
        return Node(arrays, _unfolded(below))

    def array(self, name, item):
        """One array as float32; UserError where the file says that it is larger than it can be."""
        if not hasattr(item, "shape") or item.file.filename != self.file.filename or (
                item.is_virtual or item.external):
            raise UserError("%s: the weights '%s' are not in this file" % (self.path, name))
        size = item.dtype.itemsize * count(item.shape)
        stored = min(item.id.get_storage_size(), self.size)
        self.left -= size
        if size > stored * (LARGEST_RATIO if item.chunks else 1) or self.left < 0:
            raise UserError("%s: the weights '%s' of shape %s are larger than what the file holds "
                            "of them; it is damaged" % (self.path, name, item.shape))
        if item.attrs.get("dtype") == "bfloat16":  # the upper half of a float32
            return (item[()].view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        if item.dtype.kind not in "fiu":
            raise UserError("%s: the weights '%s' are no numbers (%s)"
                            % (self.path, name, item.dtype))
        with np.errstate(over="ignore"):
            return np.asarray(item[()], np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
