"""A Keras .h5 file read into a plain description: layers in order, weights as numpy arrays.

Reads the file itself (h5py), so it needs no TensorFlow and can say in one sentence what no TFLite
file can hold. Understands tf.keras 1.15 files: Sequential and single-path functional models.
"""
import json
from itertools import islice
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError
from kit.network.kinds import KINDS

NESTED = ("Sequential", "Model")  # a model as a layer of another


class Network(NamedTuple):
    """A path of layers from a sequence (steps, channels) to the output; steps None: any length."""

    steps: object
    channels: int
    layers: list


def read_network(path):
    """The network in an .h5 file; UserError names the layer and says what would work."""
    import h5py

    try:
        open(path, "rb").close()
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    try:
        with h5py.File(path, "r") as file:
            return _network(path, file)
    except OSError:
        raise UserError("%s: not a Keras .h5 file, or damaged" % path)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError("%s: damaged, or not as tf.keras 1.15 writes it (%s: %s)"
                        % (path, type(error).__name__, " ".join(str(error).split())[:100]))


def _network(path, file):
    config, version = _model_config(path, file)
    _refuse_newer(path, version)
    configs, shape = _path_of_layers(path, config)
    layers = [layer for item in configs for layer in _layers(path, file, item)]
    if not shape or len(shape) != 3 or shape[2] is None:
        raise UserError("%s: the model's input is %s; a sequence (batch, steps, channels) with a "
                        "known number of channels is needed"
                        % (path, tuple(shape or ()) or "not declared"))
    network = Network(shape[1], shape[2], layers)
    _check_path(path, network)
    return network


def _model_config(path, file):
    if "model_config" not in file.attrs or "model_weights" not in file:
        hint = ("it holds weights alone: save the whole model with model.save(...)"
                if "layer_names" in file.attrs else "it was not written by model.save(...)")
        raise UserError("%s: no Keras model in this file; %s" % (path, hint))
    text = file.attrs["model_config"]
    try:
        config = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except ValueError:
        raise UserError("%s: the model's description in the file is damaged" % path)
    version = file.attrs.get("keras_version", b"?")
    return config, version.decode() if isinstance(version, bytes) else str(version)


def _refuse_newer(path, version):
    """tf.keras of TF 1.13 to 2.1 writes 2.1 or 2.2.x; later ones write what 1.15 cannot load."""
    numbers = [int(n) if n.isdigit() else 0 for n in version.split("-")[0].split(".")[:2]]
    if numbers > [2, 2]:
        raise UserError(
            "%s: written by Keras %s, newer than TensorFlow 1.15; rebuild the model in 1.15 with "
            "the same layers, load the weights with model.set_weights and save it there"
            % (path, version))


def _path_of_layers(path, config):
    """Layer configs from input to output, and the input's shape (batch, steps, channels)."""
    kind = config.get("class_name")
    if kind == "Sequential":
        body = config["config"]
        layers = body["layers"] if isinstance(body, dict) else body
        shape = (body.get("build_input_shape") if isinstance(body, dict) else None)
    elif kind == "Model":
        layers, shape = _functional_path(path, config["config"]), None
    else:
        raise UserError("%s: a %s model; Sequential or a functional Model is needed" % (path, kind))
    if layers[0]["class_name"] in NESTED:
        return layers, _path_of_layers(path, layers[0])[1]
    return layers, layers[0]["config"].get("batch_input_shape", shape)


def _functional_path(path, body):
    """The layers of a functional model in order; UserError where the path forks or joins."""
    if len(body["input_layers"]) != 1 or len(body["output_layers"]) != 1:
        raise UserError("%s: a model of several inputs or outputs; one path from one input to one "
                        "output is needed" % path)
    by_name = {item["name"]: item for item in body["layers"]}
    name, layers = body["output_layers"][0][0], []
    while True:
        item = by_name[name]
        layers.append(item)
        nodes = item["inbound_nodes"]
        if not nodes:
            break
        if len(nodes) != 1 or len(nodes[0]) != 1:
            raise UserError("%s: layer '%s' has several inputs or is used twice; one path from "
                            "input to output is needed" % (path, name))
        name = nodes[0][0][0]
    if len(layers) != len(body["layers"]):
        raise UserError("%s: the layers do not form one path from input to output" % path)
    return layers[::-1]


# --- the layers ------------------------------------------------------------------------------


def _layers(path, file, item):
    """The Layers of one entry of the description: none, one, or those of a nested model."""
    leaves = _leaves(path, item)
    for leaf in leaves:
        _refuse_unknown(path, leaf)
    arrays = _arrays(path, file, _name(item))
    parts = _shares(leaves, arrays) if item["class_name"] in NESTED else [arrays]
    read = [KINDS[leaf["class_name"]].read(path, _name(leaf), leaf["config"], part)
            for leaf, part in zip(leaves, parts) if leaf["class_name"] in KINDS]
    return [layer for layer in read if layer is not None]


def _name(item):
    return item["config"].get("name", item["class_name"])


def _leaves(path, item):
    """A layer as it is; the layers of a nested model from its input to its output."""
    if item["class_name"] not in NESTED:
        return [item]
    leaves = [leaf for inner in _path_of_layers(path, item)[0] for leaf in _leaves(path, inner)]
    return [dict(leaf, config=dict(leaf["config"], name="%s/%s" % (_name(item), _name(leaf))))
            for leaf in leaves]


def _shares(leaves, arrays):
    """The arrays of each layer in a nested model, which keeps all trainable ones first."""
    counts = [_array_counts(leaf) for leaf in leaves]
    first = sum(trainable for trainable, _ in counts)
    trainable, others = iter(arrays[:first]), iter(arrays[first:])
    return [list(islice(trainable, count)) + list(islice(others, rest)) for count, rest in counts]


def _array_counts(item):
    """How many arrays a layer has: (trainable, others)."""
    kind, config = KINDS.get(item["class_name"]), item["config"]
    trainable, others = kind.array_counts(config) if kind else (0, 0)
    return (trainable, others) if config.get("trainable", True) else (0, trainable + others)


def _refuse_unknown(path, item):
    kind, name = item["class_name"], _name(item)
    if kind in KINDS or kind == "InputLayer":
        return
    if kind == "Masking":
        raise UserError(
            "%s: layer '%s' is Masking, which no TFLite form here holds; convert the model without "
            "it to the step form, and feed that only the samples that are not masked"
            % (path, name))
    raise UserError("%s: layer '%s' is %s, which cannot be converted; supported are %s"
                    % (path, name, _article(kind), ", ".join(KINDS)))


def _article(kind):
    reasons = {"Lambda": "a Lambda layer (Python code, not a description)",
               "CuDNNLSTM": "CuDNNLSTM (rebuild it as LSTM with sigmoid gates)",
               "CuDNNGRU": "CuDNNGRU (rebuild it as GRU with reset_after)"}
    return reasons.get(kind, kind)


def _arrays(path, file, layer):
    """The layer's arrays in Keras' order, checked to be finite."""
    group = file["model_weights"]
    if layer not in group:
        return []
    names = [n.decode() if isinstance(n, bytes) else n
             for n in group[layer].attrs.get("weight_names", [])]
    arrays = []
    for name in names:
        if name not in group[layer]:
            raise UserError("%s: the weights '%s' are missing; the file is damaged" % (path, name))
        arrays.append(np.asarray(group[layer][name], np.float32))
        if not np.isfinite(arrays[-1]).all():
            raise UserError("%s: the weights '%s' of layer '%s' are not all finite; the training "
                            "diverged" % (path, name, layer))
    return arrays


# --- shapes along the path --------------------------------------------------------------------


def _check_path(path, network):
    """Follow the shapes through the layers: UserError where a layer gets what it cannot take."""
    if not any(KINDS[layer.kind].recurrent for layer in network.layers):
        raise UserError("%s: no recurrent layer (LSTM, GRU, SimpleRNN) in this model; "
                        "TFLiteConverter.from_keras_model_file takes it as it is" % path)
    for layer, shape in zip(network.layers, shapes(network, network.steps)):
        KINDS[layer.kind].check(path, layer, shape)


def shapes(network, steps):
    """The shape without batch before each layer, and at last the output's; steps None: open."""
    shape, found = (steps, network.channels), []
    for layer in network.layers:
        found.append(shape)
        shape = KINDS[layer.kind].shape(layer, shape)
    return found + [shape]


def any_length(network):
    """Whether the layers hold for windows of any length: no Flatten or Reshape over the steps."""
    return not any(layer.kind in ("Flatten", "Reshape") and None in shape
                   for layer, shape in zip(network.layers, shapes(network, None)))


def step_shapes(network):
    """The shape of one step before each layer, and at last the output's, in the step form."""
    shape, found = (network.channels,), []
    for layer in network.layers:
        found.append(shape)
        shape = KINDS[layer.kind].step_shape(layer, shape)
    return found + [shape]
