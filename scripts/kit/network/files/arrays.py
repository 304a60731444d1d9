"""The weights in a file, handed to the layers that they belong to, in the order of Keras 1.15.

Files keep them in three ways. Flat: per top-level layer one list, a nested model's trainable arrays
first (.h5 of every Keras). As a tree whose branches are called after classes and counted (.keras,
.weights.h5). As a tree whose branches are called layer-0, layer-1, ... (checkpoints, SavedModel).
Each becomes {"outer/inner": [arrays]} here, one entry per layer that is no model itself.
"""
import re
from functools import reduce
from itertools import islice
from operator import mul
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, counted
from kit.network.handlers import HANDLERS


class Stored(NamedTuple):
    """What one file holds, as it is there; None for what it does not hold."""

    description: object  # Keras' own description of the model, a dict
    version: object  # of the Keras that wrote it, "" where the file does not say
    flat: object  # {top-level layer: [arrays]}
    tree: object  # Node


class Node(NamedTuple):
    """One branch of a tree of weights: its own arrays in order, and what is below it by name."""

    arrays: list
    below: dict


def count(shape):
    """How many numbers an array of this shape has, without overflow."""
    return reduce(mul, map(int, shape), 1)


def is_model(item):
    """Is this entry of a description a model, so a layer that holds layers?"""
    return isinstance(item["config"], list) or "layers" in item["config"]


def layers_of(model):
    """The entries of a model's layers; Keras before 2.2.3 wrote a Sequential as a bare list."""
    config = model["config"]
    return config if isinstance(config, list) else config["layers"]


def name_of(item):
    """The name of a layer or a nested model in a description."""
    config = item["config"]
    named = config if isinstance(config, dict) and "name" in config else item
    return named.get("name", item["class_name"])


def leaves(item, prefix=""):
    """(path, entry) of each layer in a description that is no model itself, nested ones too."""
    path = prefix + name_of(item)
    inner = item["config"].get("layer") if isinstance(item["config"], dict) else None
    if is_model(item):
        for layer in layers_of(item):
            yield from leaves(layer, path + "/")
    elif inner and is_model(inner):  # TimeDistributed of a model
        yield from leaves(inner, path + "/")
    else:
        yield path, item


def by_leaf(path, described, model, stored):
    """{path of the leaf: [arrays]}; UserError where the file's weights are of other layers.

    described : the model in the words of the Keras that wrote it, whose classes name the branches
    model : the same in the words of 1.15
    """
    if stored.tree is not None:
        return dict(_from_tree(described, stored.tree, ""))
    filled = {name: arrays for name, arrays in stored.flat.items() if arrays}
    layers = layers_of(model)
    if stored.description is None:  # weights alone
        parts = [leaf for layer in layers for leaf in leaves(layer)]
        if len(filled) == 1 and sum(map(len, filled.values())) == sum(
                sum(array_counts(item)) for _, item in parts):
            return _shares(path, parts, *filled.values())  # of multi_gpu_model: one layer of all
        filled = _named(path, layers, filled)
    found = {}
    for layer in layers:
        found.update(_shares(path, list(leaves(layer)), filled.get(name_of(layer), [])))
    return found


# --- flat: one list per top-level layer -------------------------------------------------------


def _named(path, layers, filled):
    """Arrays by the layers' names; in order, as Keras, where the names are of another session."""
    owners = [name_of(layer) for layer in layers
              if any(sum(array_counts(leaf)) for _, leaf in leaves(layer))]
    if set(owners) == set(filled):
        return filled
    if len(owners) != len(filled):
        raise UserError(
            "%s: weights of %s (%s), where the architecture has %s with weights (%s)"
            % (path, counted(len(filled), "layer"), _listed(filled), counted(len(owners), "layer"),
               _listed(owners)))
    return dict(zip(owners, filled.values()))


def _listed(names):
    names = list(names)
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)


def _shares(path, parts, arrays):
    """{path of the leaf: its arrays} of one list; a nested model keeps its trainable ones first."""
    if len(parts) == 1:
        return {parts[0][0]: arrays}
    if any(item["class_name"] not in HANDLERS and item["class_name"] != "InputLayer"
           for _, item in parts):
        return {}  # whoever reads the description names the class
    counts = [array_counts(item) for _, item in parts]
    if sum(map(sum, counts)) != len(arrays):
        raise UserError("%s: %d arrays in model '%s', whose layers have %d; the file is damaged"
                        % (path, len(arrays), parts[0][0].split("/")[0], sum(map(sum, counts))))
    first = sum(trainable for trainable, _ in counts)
    trainable, others = iter(arrays[:first]), iter(arrays[first:])
    return {name: list(islice(trainable, count)) + list(islice(others, rest))
            for (name, _), (count, rest) in zip(parts, counts)}


def array_counts(item):
    """How many arrays a layer has: (trainable, others); none for a class that is not known here."""
    handler = HANDLERS.get(item["class_name"])
    trainable, others = handler.array_counts(item["config"]) if handler else (0, 0)
    return (trainable, others) if item["config"].get("trainable", True) else (0, trainable + others)


# --- trees ------------------------------------------------------------------------------------


def _from_tree(model, node, prefix):
    layers = layers_of(model)
    for layer, branch in zip(layers, _branches(model, node, layers)):
        path, inner = prefix + name_of(layer), layer
        if branch and not is_model(layer) and isinstance(layer["config"].get("layer"), dict):
            inner = layer["config"]["layer"]
            if is_model(inner):  # TimeDistributed of a model
                path, branch = "%s/%s" % (path, name_of(inner)), branch.below.get("layer")
        if branch and is_model(inner):
            yield from _from_tree(inner, branch, path + "/")
        elif branch:
            yield path, _collected(layer, branch)


def _branches(model, node, items):
    """The Node of each of a model's layers or of a cell's cells, None where there is none."""
    if "layer-0" in node.below:
        return _numbered(items, node)
    for name in ("layers", "_layer_checkpoint_dependencies"):
        if name in node.below:
            node = node.below[name]
            break
    if all(name.isdigit() for name in node.below):
        return [node.below.get(str(k)) for k in range(len(items))]
    queues = {}
    for name in sorted(node.below, key=_count):
        queues.setdefault(re.sub(r"_\d+$", "", name), []).append(node.below[name])
    queues = {name: iter(nodes) for name, nodes in queues.items()}
    return [next(queues.get(_snake_case(item["class_name"]), iter(())), None) for item in items]


def _numbered(items, node):
    """A Sequential counts its InputLayer or not, and describes it or not, each in some versions."""
    class_names = [item["class_name"] for item in items]
    given = class_names.count("InputLayer") if len(node.below) < len(items) else 0
    first = max(0, len(node.below) - len(items)) - given
    return [node.below.get("layer-%d" % (k + first)) for k in range(len(items))]


def _count(name):
    """lstm, lstm_1, lstm_2, ..., lstm_10 in this order."""
    ending = re.search(r"_(\d+)$", name)
    return int(ending.group(1)) if ending else 0


def _snake_case(name):
    """As Keras 3 calls the branch of a class."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _collected(item, node):
    """All arrays of a layer: its own, then those of its cell, or of its two directions."""
    config, arrays = item["config"], list(node.arrays)
    if "cells" in config and "cells" in node.below:
        pairs = zip(config["cells"], _branches(item, node.below["cells"], config["cells"]))
        return arrays + [a for cell, branch in pairs if branch for a in _collected(cell, branch)]
    both = "forward_layer" in node.below
    for key in ("cell", "forward_layer", "backward_layer", "layer"):
        inner = config.get("cell" if key == "cell" else "layer", item)
        if key in node.below and not (both and key == "layer"):
            arrays += _collected(inner, node.below[key])
    return arrays


# --- layouts of other layers ------------------------------------------------------------------


def native(item, arrays):
    """The arrays as 1.15 holds them: those of Normalization without its count, and of CuDNNLSTM and
    CuDNNGRU as those of LSTM and GRU (reset_after).

    CuDNN keeps a bias for the input and one for the state. Its kernels are transposed per gate, the
    input's in Fortran order (tensorflow/python/keras/saving/hdf5_format.py).
    """
    class_name, config = item["class_name"], item["config"]
    if "constants" in item:
        return [np.asarray(a, np.float32).ravel() for a in item["constants"] or arrays[:2]]
    if class_name == "Bidirectional":
        half = len(arrays) // 2
        return [a for part in (arrays[:half], arrays[half:])
                for a in native(config["layer"], part)]
    gates = {"LSTM": 4, "GRU": 3}.get(class_name)
    if gates is None or len(arrays) != 3 or arrays[1].ndim != 2:
        return arrays
    kernel, recurrent, bias = arrays
    if bias.shape != (2 * gates * len(recurrent),):
        return arrays
    kernel = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, 1)]
    recurrent = [k.T for k in np.split(recurrent, gates, 1)]
    bias = bias.reshape(2, -1)
    return [np.hstack(kernel), np.hstack(recurrent), bias.sum(0) if class_name == "LSTM" else bias]
