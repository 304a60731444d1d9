"""Keras files written by hand, without TensorFlow."""
import json

import h5py
import numpy as np

from kit.network.files.clean import cleaned

UNITS, C = 4, 3


def lstm(name="lstm", **options):
    config = {"name": name, "units": UNITS, "activation": "tanh",
              "recurrent_activation": "sigmoid", "batch_input_shape": [None, None, C]}
    return {"class_name": "LSTM", "config": dict(config, **options)}


def dense(name="dense", **options):
    return {"class_name": "Dense", "config": dict(
        {"name": name, "units": 2, "activation": "linear"}, **options)}


def layer(kind, name="odd", **options):
    return {"class_name": kind, "config": dict({"name": name}, **options)}


WEIGHTS = {"lstm": [(C, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)], "dense": [(UNITS, 2), (2,)]}


def write(path, layers, version="2.2.4-tf", weights=WEIGHTS, config=None, fill=0.5):
    """An .h5 as Keras writes it."""
    with h5py.File(str(path), "w") as file:
        file.attrs["keras_version"] = np.bytes_(version)
        file.attrs["model_config"] = np.bytes_(json.dumps(
            config or {"class_name": "Sequential", "config": {"layers": layers}}))
        for name, arrays in weights.items():
            group = file.create_group("model_weights/" + name)
            names = ["%s/%d:0" % (name, k) for k in range(len(arrays))]
            group.attrs["weight_names"] = [np.bytes_(n) for n in names]
            for n, shape in zip(names, arrays):
                group[n] = np.full(shape, fill, np.float32)
    return str(path)


def functional(inbound, inputs=(("in", 0, 0),), outputs=(("dense", 0, 0),)):
    layers = [dict(layer("InputLayer", "in", batch_input_shape=[None, 5, C]), inbound_nodes=[]),
              dict(lstm(), inbound_nodes=inbound), dict(dense(), inbound_nodes=[
                  [["lstm", 0, 0, {}]]])]
    for item in layers:
        item["name"] = item["config"]["name"]
    return {"class_name": "Model", "config": {
        "layers": layers, "input_layers": [list(i) for i in inputs],
        "output_layers": [list(o) for o in outputs]}}


def entry(item, version="2.11.0", lambdas=None):
    """The cleaned entry of a Sequential's only layer."""
    model = {"class_name": "Sequential", "config": {"layers": [item]}}
    return cleaned("m.h5", model, version, lambdas or {})["config"]["layers"][0]


def graph(*layers, inputs="a", outputs="z"):
    """A functional description: (name, kind, config, inbound nodes)."""
    return {"class_name": "Functional", "config": {
        "name": "m", "input_layers": [[inputs, 0, 0]], "output_layers": [[outputs, 0, 0]],
        "layers": [{"class_name": kind, "name": name, "config": dict(config, name=name),
                    "inbound_nodes": nodes} for name, kind, config, nodes in layers]}}


SOURCE = ("a", "InputLayer", {"batch_shape": [None, 5, C]}, [])


def tensor(name):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def weights_file(path, names=("lstm", "dense")):
    """Weights alone, as model.save_weights writes them in .h5."""
    shapes = {names[0]: [(C, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)],
              names[1]: [(UNITS, 2), (2,)]}
    with h5py.File(str(path), "w") as file:
        file.attrs["layer_names"] = [np.bytes_(name) for name in names]
        for name, arrays in shapes.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [np.bytes_("w%d" % k) for k in range(len(arrays))]
            for k, shape in enumerate(arrays):
                group["w%d" % k] = np.full(shape, k, np.float32)
    return str(path)


def architecture(path, *layers):
    layers = layers or (lstm(use_bias=True), layer("Dropout", "drop"), dense(use_bias=True))
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers},
                                "keras_version": "2.2.4-tf"}))
    return str(path)
