"""Layers as Keras' files describe them, one or a few; their graphs, run in TensorFlow."""
import numpy as np

from kit.network.description import Input, Network, Node, path_of, shapes
from kit.network.handlers import HANDLERS

C, T = 3, 6
SEQ = dict(return_sequences=True)


def read(kind, arrays=(), **config):
    """The Layer called odd of a description; None where it does nothing."""
    return HANDLERS[kind].read("m.h5", "odd", config, [np.asarray(a, np.float32) for a in arrays])


def random(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32)


def lstm(units=4, inputs=C, **config):
    arrays = [random(inputs, 4 * units), random(units, 4 * units), random(4 * units)]
    return read("LSTM", arrays, **dict(dict(units=units, activation="tanh",
                                            recurrent_activation="sigmoid"), **config))


def dense(inputs, units=2):
    return read("Dense", [random(inputs, units)], units=units, activation="linear")


def both(merge_mode="concat", **config):
    inner = {"class_name": "LSTM", "config": dict(units=4, activation="tanh", **config)}
    arrays = [random(C, 16), random(4, 16), random(16)] * 2
    return read("Bidirectional", arrays, layer=inner, merge_mode=merge_mode)


def shape_of(layer, *given):
    """The shape of the first output for those of the inputs, without the batch."""
    return tuple(HANDLERS[layer.class_name].shapes(layer, list(given))[0])


def check(layer, *given):
    """UserError where the layer cannot take these shapes."""
    HANDLERS[layer.class_name].check("m.h5", layer, list(given))


def no_step(layer, shape=(5, 3), timed=True):
    """Why there is no step form, or None."""
    return HANDLERS[layer.class_name].no_step(layer, [timed], [shape])


def window(layers, *values):
    """The first output (n, ...) of the window graph of Layers in a row, the first of which takes
    the values (n, ...)."""
    from kit.network.graphs import window_graph
    from kit.tf.tf115 import session

    first, *rest = layers if isinstance(layers, list) else [layers]
    count = len(values)
    nodes = [Node(first, tuple(range(count)), (count,))] + [
        Node(layer, (count + k,), (count + k + 1,)) for k, layer in enumerate(rest)]
    dtypes = ["int32" if value.dtype.kind == "i" else "float32" for value in values]
    network = Network([Input("in_%d" % k, value.shape[1:], dtype)
                       for k, (value, dtype) in enumerate(zip(values, dtypes))],
                      nodes, [("output", count + len(rest))])
    graph, inputs, _ = window_graph(network, None)
    with graph.as_default(), session(graph=graph) as run:
        found = run.run("output:0", {end.name + ":0": value for end, value in zip(inputs, values)})
    assert found.shape[1:] == tuple(shapes(network, None)[network.outputs[0][1]]), "as declared"
    return found


def step(layers, stream):
    """The outputs after each of the samples (n, ...) of the step graph of Layers in a row."""
    from kit.network.forms import frozen

    return frozen(path_of(layers, (None,) + stream.shape[1:]), "step", None).stream(stream)
