"""A Keras model as a plain description: layers in order, weights as numpy arrays.

Needs no TensorFlow, and can say in one sentence what no TFLite file can hold. Understands
Sequential and single-path functional models, as kit.network.files gives them.
"""
from typing import NamedTuple

from kit.base.cli import UserError
from kit.network.files.keras_file import read_keras
from kit.network.kinds import KINDS

NESTED = ("Sequential", "Model")  # a model as a layer of another


class Network(NamedTuple):
    """A path of layers from a sequence (steps, channels) to the output; steps None: any length."""

    steps: object
    channels: int
    layers: list


def read_network(file):
    """The network of a KerasFile, or of the file at a path; UserError names the layer and says what
    would work."""
    file = read_keras(file) if isinstance(file, str) else file
    try:
        return _network(file.path, file)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError("%s: damaged, or not as Keras writes it (%s: %s)"
                        % (file.path, type(error).__name__, " ".join(str(error).split())[:100]))


def _network(path, file):
    configs, shape = _path_of_layers(path, file.description)
    layers = [layer for item in configs for layer in _layers(path, file.arrays, item)]
    if not shape or len(shape) != 3 or shape[2] is None:
        raise UserError("%s: the model's input is %s; a sequence (batch, steps, channels) with a "
                        "known number of channels is needed"
                        % (path, tuple(shape or ()) or "not declared"))
    network = Network(shape[1], shape[2], layers)
    _check_path(path, network)
    return network


def _path_of_layers(path, config):
    """Layer configs from input to output, and the input's shape (batch, steps, channels)."""
    body, shape = config["config"], None
    if config["class_name"] == "Sequential":
        layers, shape = body["layers"], body.get("build_input_shape")
    else:
        layers = _functional_path(path, body)
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


def _layers(path, arrays, item):
    """The Layers of one entry of the description: none, one, or those of a nested model."""
    leaves = _leaves(path, item)
    for leaf in leaves:
        _refuse_unknown(path, leaf)
    read = [KINDS[leaf["class_name"]].read(path, _name(leaf), leaf["config"], arrays[_name(leaf)])
            for leaf in leaves if leaf["class_name"] in KINDS]
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
                    % (path, name, kind, ", ".join(KINDS)))


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


def step_shapes(network):
    """The shape of one step before each layer, and at last the output's, in the step form."""
    shape, found = (network.channels,), []
    for layer in network.layers:
        found.append(shape)
        shape = KINDS[layer.kind].step_shape(layer, shape)
    return found + [shape]
