"""A Keras .h5 file read into a plain description: layers in order, weights as numpy arrays.

Reads the file itself (h5py), so it needs no TensorFlow and can say in one sentence what no TFLite
file can hold. Understands tf.keras 1.15 files: Sequential and single-path functional models.
"""
import json
from itertools import islice
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "softmax", "elu", "selu",
               "softplus", "softsign", "exponential")
SUPPORTED = ("LSTM, GRU, SimpleRNN, Bidirectional, RepeatVector, TimeDistributed, Dense, Dropout, "
             "BatchNormalization, Activation, ReLU, LeakyReLU, ELU, Softmax, Flatten and Reshape")
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
DROPPED = ("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
           "ActivityRegularization")  # do nothing at inference
NESTED = ("Sequential", "Model")  # a model as a layer of another


class Layer(NamedTuple):
    """One layer: `options` holds what its kind needs, `weights` float32 arrays by name."""

    kind: str
    name: str
    options: dict
    weights: dict


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


# --- one reader per kind of layer -------------------------------------------------------------


def _layers(path, file, item):
    """The Layers of one entry of the description: none, one, or those of a nested model."""
    leaves = _leaves(path, item)
    for leaf in leaves:
        _refuse_unknown(path, leaf)
    arrays = _arrays(path, file, _name(item))
    parts = _shares(leaves, arrays) if item["class_name"] in NESTED else [arrays]
    read = [READERS[leaf["class_name"]](path, _name(leaf), leaf["config"], part)
            for leaf, part in zip(leaves, parts) if leaf["class_name"] in READERS]
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
    kind, config = item["class_name"], item["config"]
    inner = config.get("layer", config.get("cell"))
    if inner:
        trainable, others = _array_counts(inner)
        both = 2 if kind == "Bidirectional" else 1
        trainable, others = both * trainable, both * others
    elif kind == "BatchNormalization":
        trainable, others = config["scale"] + config["center"], 2
    else:
        matrices = {"Dense": 1}.get(kind, 2 if kind.replace("Cell", "") in RECURRENT else 0)
        trainable, others = matrices and matrices + config["use_bias"], 0
    return (trainable, others) if config.get("trainable", True) else (0, trainable + others)


def _refuse_unknown(path, item):
    kind, name = item["class_name"], _name(item)
    if kind in DROPPED or kind == "InputLayer":
        return
    if kind == "Masking":
        raise UserError(
            "%s: layer '%s' is Masking, which no TFLite form here holds; convert the model without "
            "it to the step form, and feed that only the samples that are not masked"
            % (path, name))
    if kind in ("Lambda", "Embedding", "CuDNNLSTM", "CuDNNGRU") or kind not in READERS:
        raise UserError("%s: layer '%s' is %s, which cannot be converted; supported are %s"
                        % (path, name, _article(kind), SUPPORTED))


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


def _activation(path, name, value):
    if isinstance(value, dict) or value not in ACTIVATIONS:
        raise UserError("%s: layer '%s' has the activation %s; supported are %s"
                        % (path, name, value, ", ".join(ACTIVATIONS)))
    return value


def _recurrent(kind):
    def read(path, name, config, arrays):
        options = {
            "units": config["units"],
            "activation": _activation(path, name, config["activation"]),
            "return_sequences": bool(config.get("return_sequences")),
            "go_backwards": bool(config.get("go_backwards")),
        }
        if config.get("return_state"):
            raise UserError("%s: layer '%s' has return_state=True, which makes a model of several "
                            "outputs; set it to False" % (path, name))
        if config.get("time_major"):
            raise UserError("%s: layer '%s' has time_major=True; rebuild it with the batch first"
                            % (path, name))
        if kind != "SimpleRNN":
            gate = config.get("recurrent_activation", "hard_sigmoid")
            options["recurrent_activation"] = _activation(path, name, gate)
        if kind == "GRU":
            options["reset_after"] = bool(config.get("reset_after"))
        weights = dict(zip(("kernel", "recurrent", "bias"), arrays))
        return Layer(kind, name, options, weights)
    return read


def _rnn(path, name, config, arrays):
    """RNN(LSTMCell(...)) is the same as LSTM(...)."""
    cell = config["cell"]
    kind = cell["class_name"].replace("Cell", "")
    if kind not in RECURRENT:
        raise UserError("%s: layer '%s' is RNN of %s; supported cells are LSTMCell, GRUCell and "
                        "SimpleRNNCell" % (path, name, cell["class_name"]))
    return _recurrent(kind)(path, name, dict(config, **cell["config"]), arrays)


def _bidirectional(path, name, config, arrays):
    inner, merge = config["layer"], config.get("merge_mode", "concat")
    if inner["class_name"] not in RECURRENT or merge not in ("concat", "sum", "mul", "ave"):
        raise UserError("%s: layer '%s' is Bidirectional of %s with merge_mode %s; an LSTM, GRU or "
                        "SimpleRNN with concat, sum, mul or ave is needed"
                        % (path, name, inner["class_name"], merge))
    if inner["config"].get("go_backwards"):
        raise UserError("%s: layer '%s' is Bidirectional of a layer with go_backwards; set "
                        "go_backwards to False" % (path, name))
    read, half = _recurrent(inner["class_name"]), len(arrays) // 2
    forward = read(path, name, inner["config"], arrays[:half])
    backward = read(path, name, dict(inner["config"], go_backwards=True), arrays[half:])
    return Layer("Bidirectional", name, {"forward": forward, "backward": backward, "merge": merge,
                                         "return_sequences": forward.options["return_sequences"]},
                 {})


def _dense(path, name, config, arrays):
    activation = _activation(path, name, config["activation"])
    return Layer("Dense", name, {"units": config["units"], "activation": activation},
                 dict(zip(("kernel", "bias"), arrays)))


def _time_distributed(path, name, config, arrays):
    inner = config["layer"]
    kind = inner["class_name"]
    if kind in DROPPED:
        return None
    if kind not in ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax",
                    "BatchNormalization"):
        raise UserError("%s: layer '%s' is TimeDistributed of %s; TimeDistributed(Dense) is "
                        "supported" % (path, name, kind))
    read = READERS[kind](path, name, inner["config"], arrays)
    return read._replace(options=dict(read.options, axis=-1)) if "axis" in read.options else read


def _batch_normalization(path, name, config, arrays):
    """y = scale * x + offset, from gamma, beta and the moving statistics."""
    axis = config["axis"]
    arrays = list(arrays)
    gamma = arrays.pop(0) if config.get("scale", True) else 1.0
    beta = arrays.pop(0) if config.get("center", True) else 0.0
    mean, variance = (a.astype(np.float64) for a in arrays[:2])  # renorm keeps more, for training
    scale = gamma / np.sqrt(variance + config["epsilon"])
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    return Layer("Affine", name, {"axis": axis}, {
        "scale": scale.astype(np.float32), "offset": (beta - mean * scale).astype(np.float32)})


def _plain(kind, option=None):
    def read(path, name, config, arrays):
        return Layer(kind, name, {option: config[option]} if option else {}, {})
    return read


def _activation_layer(path, name, config, arrays):
    return Layer("Activation", name,
                 {"activation": _activation(path, name, config["activation"])}, {})


def _relu(path, name, config, arrays):
    slope = float(np.asarray(config.get("negative_slope", 0) or 0))
    top = config.get("max_value")
    if (config.get("threshold") or 0) != 0 or top not in (None, 6) or (slope and top):
        raise UserError("%s: layer '%s' is ReLU with a threshold or a max_value other than 6"
                        % (path, name))
    if slope:
        return Layer("LeakyReLU", name, {"alpha": slope}, {})
    return Layer("Activation", name, {"activation": "relu6" if top else "relu"}, {})


def _leaky_relu(path, name, config, arrays):
    return Layer("LeakyReLU", name, {"alpha": float(np.asarray(config["alpha"]))}, {})


def _elu(path, name, config, arrays):
    if float(np.asarray(config.get("alpha", 1))) != 1:
        raise UserError("%s: layer '%s' is ELU with an alpha other than 1, which TFLite fixes"
                        % (path, name))
    return Layer("Activation", name, {"activation": "elu"}, {})


def _softmax(path, name, config, arrays):
    return Layer("Activation", name, {"activation": "softmax", "axis": config.get("axis", -1)}, {})


READERS = {
    "LSTM": _recurrent("LSTM"), "GRU": _recurrent("GRU"), "SimpleRNN": _recurrent("SimpleRNN"),
    "RNN": _rnn, "Bidirectional": _bidirectional, "TimeDistributed": _time_distributed,
    "Dense": _dense, "BatchNormalization": _batch_normalization,
    "RepeatVector": _plain("RepeatVector", "n"), "Flatten": _plain("Flatten"),
    "Reshape": _plain("Reshape", "target_shape"), "Activation": _activation_layer,
    "ReLU": _relu, "LeakyReLU": _leaky_relu, "ELU": _elu, "Softmax": _softmax,
}


# --- shapes along the path --------------------------------------------------------------------


def _check_path(path, network):
    """Follow the rank through the layers: UserError where a layer gets what it cannot take."""
    if not any(layer.kind in RECURRENT + ("Bidirectional",) for layer in network.layers):
        raise UserError("%s: no recurrent layer (LSTM, GRU, SimpleRNN) in this model; "
                        "TFLiteConverter.from_keras_model_file takes it as it is" % path)
    for layer, shape in zip(network.layers, shapes(network, network.steps)):
        rank = len(shape)
        if layer.kind == "Affine" and layer.options["axis"] not in (-1, rank):
            raise UserError("%s: layer '%s' normalises axis %s; the last axis is supported"
                            % (path, layer.name, layer.options["axis"]))
        if layer.options.get("axis", -1) not in (-1, rank):
            raise UserError("%s: layer '%s' works along axis %s; the last axis is supported"
                            % (path, layer.name, layer.options["axis"]))
        for part in (layer.options.get("forward", layer), layer.options.get("backward", layer)):
            _check_weights(path, layer.name, part, shape[-1])


def _check_weights(path, name, layer, width):
    """UserError where arrays do not fit the layer's units and the width of what comes in."""
    units = layer.options.get("units")
    columns = GATES.get(layer.kind, 1) * units if units else width
    wanted = {"kernel": (width, columns), "recurrent": (units, columns)}
    needed = {"Dense": {"kernel"}, "Affine": set()}.get(layer.kind, {"kernel", "recurrent"})
    if units and not needed <= set(layer.weights) or any(
            array.shape != wanted.get(key, array.shape[:-1] + (columns,))
            for key, array in layer.weights.items()):
        raise UserError("%s: the weights of layer '%s' do not have the shapes that its description "
                        "asks for; the file is damaged" % (path, name))


def shapes(network, steps):
    """The shape without batch before each layer, and at last the output's; steps None: open."""
    shape, found = (steps, network.channels), []
    for layer in network.layers:
        found.append(shape)
        shape = _shape_after(layer, shape)
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
        shape = (layer.options["units"],) if layer.kind in RECURRENT else _shape_after(layer, shape)
    return found + [shape]


def _shape_after(layer, shape):
    if layer.kind in RECURRENT:
        units = (layer.options["units"],)
        return shape[:1] + units if layer.options["return_sequences"] else units
    if layer.kind == "Bidirectional":
        inner = _shape_after(layer.options["forward"], shape)
        width = inner[-1] * (2 if layer.options["merge"] == "concat" else 1)
        return inner[:-1] + (width,)
    if layer.kind == "Dense":
        return shape[:-1] + (layer.options["units"],)
    if layer.kind == "RepeatVector":
        return (layer.options["n"],) + shape
    if layer.kind == "Flatten":
        return (None if None in shape else int(np.prod(shape)),)
    if layer.kind == "Reshape":
        return _reshaped(layer.options["target_shape"], shape)
    return shape


def _reshaped(target, shape):
    target = tuple(int(size) for size in target)
    if -1 not in target or None in shape:
        return tuple(None if size == -1 else size for size in target)
    known = -int(np.prod(target))
    return tuple(int(np.prod(shape)) // known if size == -1 else size for size in target)
