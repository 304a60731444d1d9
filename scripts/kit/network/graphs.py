"""The inference graph of each form, in ops that TFLite holds, with the weights as constants.

window : (n, T, C) -> the model's output; the recurrence unrolled, each window from the zero state
step   : (n, C) and the states -> the model's output and the new states; any length, carried state
fused  : as window, with one UNIDIRECTIONAL_SEQUENCE_LSTM per layer in place of the unrolled steps.
         TensorFlow has no such op, only TFLite has: the GraphDef names it as 1.15's OpHint would
         leave it after freezing, and TFLiteConverter.from_frozen_graph reads it although
         TensorFlow itself cannot import it. So no live session and no dynamic_rnn are needed.

What a layer is in each form, its handler says (kit.network.layers). Tensors of step t carry `/t<t>/`
in their name: the quantizer gives all steps one scale by it.
"""
import re
from typing import NamedTuple

from kit.network import ops
from kit.network.description import masked, returned_states, shapes, step_shapes, timed
from kit.network.handlers import HANDLERS
from kit.network.possible import check_fused, check_step
from kit.network.layers.handler import Call
from kit.network.layers.recurrent import FUSED_INPUTS
from kit.tf.tf115 import tf

SINGLE = {"window": "window", "step": "sample", "fused": "sequence"}  # name of an only input


class Ends(NamedTuple):
    """An input or output of a graph."""

    name: str
    shape: tuple  # without the batch
    dtype: str = "float32"
    state_of: object = None  # the layer whose state it carries


def window_graph(network, steps):
    """A tf.Graph from windows (n, steps, ...) to outputs, each from the zero state; its ends.

    Returns (graph, inputs, outputs), the last two lists of Ends.
    """
    graph = tf.Graph()
    with graph.as_default():
        values, inputs = _placeholders(network, steps, "window")
        values = _walk(network, steps, values, lambda handler, call: handler.window(call))
        outputs = _name_outputs(network, values, shapes(network, steps))
    return graph, inputs, outputs


def _placeholders(network, steps, form):
    """(tensors, Ends) of all inputs; an only one is named after the form."""
    names = [item.name for item in network.inputs]
    names = [SINGLE[form]] if len(names) == 1 else names
    ends = [Ends(_scope(name), tuple(item.sized(steps)), item.dtype)
            for name, item in zip(names, network.inputs)]
    return [_placeholder(end) for end in ends], ends


def _placeholder(end):
    return tf.compat.v1.placeholder(tf.as_dtype(end.dtype), (None,) + tuple(end.shape), end.name)


def _scope(name):
    """A name that TensorFlow takes."""
    return re.sub("^[^A-Za-z0-9.]|[^A-Za-z0-9_./-]", "_", name)


def _walk(network, steps, values, build, noted=None):
    """The tensors of all values, for those of the inputs."""
    sizes, masks = shapes(network, steps), [None] * len(values)
    for node in network.nodes:
        handler = HANDLERS[node.layer.class_name]
        call = Call(ops, node.layer, [values[v] for v in node.inputs],
                    [sizes[v] for v in node.inputs], [sizes[v] for v in node.outputs],
                    [masks[v] if handler.takes_mask else None for v in node.inputs], noted=noted)
        with tf.name_scope(_scope(node.layer.name) + "/"):
            call = call._replace(made=handler.mask(call))
            found = build(handler, call)
        values = values + (list(found) if isinstance(found, tuple) else [found])
        masks += [call.made] + [None] * (len(node.outputs) - 1)
    return values


def _name_outputs(network, values, sizes):
    """Ends of the outputs, each made a tensor of its name; an only one is called output."""
    only = len(network.outputs) == 1
    found = []
    for name, value in network.outputs:
        name = "output" if only else name
        tf.identity(ops.joined(values[value], sizes[value]), name=_scope(name))
        found.append(Ends(_scope(name), tuple(sizes[value])))
    return found


def step_graph(network, path="the model"):
    """A tf.Graph from samples (n, ...) and states to outputs and the next states; its ends.

    Returns (graph, inputs, outputs); UserError names the layer that a step cannot hold. States
    that are Inputs of the model keep their names, and a state's next value is called next_<name>.
    """
    check_step(network, path)
    builder = _Steps(network, path)
    with builder.graph.as_default():
        return (builder.graph,) + builder.ends()


class _Steps:
    def __init__(self, network, path):
        self.network, self.graph = network, tf.Graph()
        self.timed, self.sizes = timed(network, path), step_shapes(network, path)
        self.masked = masked(network)
        self.states, self.following, self.number = [], [], 0

    def ends(self):
        network = self.network
        data = [value for value, item in enumerate(network.inputs) if item.state_of is None]
        only = SINGLE["step"] if len(data) == 1 else None
        ends = {value: Ends(_scope(only or network.inputs[value].name), self.sizes[value],
                            network.inputs[value].dtype) for value in data}
        values = [_placeholder(ends[value]) if value in ends else None
                  for value in range(len(network.inputs))]
        masks = [None] * len(values)
        for node in network.nodes:
            found, mask = self.node(node, values, masks)
            values += found
            masks += [mask] + [None] * (len(found) - 1)
        outputs = self.outputs(values)
        for (end, tensor) in zip(self.states, self.following):
            tf.identity(tensor, name="next_" + end.name)
        return (list(ends.values()) + self.states,
                outputs + [end._replace(name="next_" + end.name) for end in self.states])

    def node(self, node, values, masks):
        handler, layer = HANDLERS[node.layer.class_name], node.layer
        sizes = [self.sizes[v] for v in node.inputs]
        names = [self.network.inputs[v].name for place, v in enumerate(node.inputs)
                 if handler.takes_state(place)]
        states = handler.states(layer, sizes[0]) if self.timed[node.inputs[0]] else []
        names = names or ["state_%d_%s" % (self.number, name) for name, _ in states]
        carried = [Ends(_scope(name), tuple(shape), state_of=layer.name)
                   for name, (_, shape) in zip(names, states)]
        held = [_placeholder(end) for end in carried]
        call = Call(ops, layer, [values[v] for v in node.inputs], sizes,
                    [self.sizes[v] for v in node.outputs],
                    [masks[v] if handler.takes_mask or not self.masked[v] else None for v in node.inputs],
                    states=held, timed=[self.timed[v] for v in node.inputs])
        with tf.name_scope(_scope(layer.name) + "/"):
            call = call._replace(made=handler.mask(call))
            found, new = handler.step(call)
        self.states += carried
        self.following += new
        self.number += bool(carried)
        return (list(found) if isinstance(found, tuple) else [found]), call.made

    def outputs(self, values):
        """The outputs that are no states which the model takes as inputs too."""
        network, states = self.network, returned_states(self.network)
        kept = [(name, value) for name, value in network.outputs if value not in states]
        return _name_outputs(network._replace(outputs=kept or network.outputs), [
            ops.joined(value, size) if isinstance(value, list) else value
            for value, size in zip(values, self.sizes)], self.sizes)


# --- the fused form ---------------------------------------------------------------------------


def fused_graph(network, steps, path="the model"):
    """A GraphDef from sequences (n, steps, ...) to outputs, each LSTM one op of TFLite; its ends.

    Returns (definition, inputs, outputs).
    """
    check_fused(network, path)
    graph, noted = tf.Graph(), {}
    with graph.as_default():
        values, inputs = _placeholders(network, steps, "fused")
        values = _walk(network, steps, values, lambda handler, call: handler.fused(call), noted)
        outputs = _name_outputs(network, values, shapes(network, steps))
    return _with_fused_ops(graph.as_graph_def(), noted), inputs, outputs


def _with_fused_ops(definition, noted):
    """The GraphDef with each stand-in made the op; its outputs number 2 are the sequence."""
    for node in definition.node:
        node.input[:] = [name + ":2" if name in noted else name for name in node.input]
        if node.name in noted:
            node.op = "UnidirectionalSequenceLstm"
            node.attr.clear()
            inputs = noted[node.name]
            node.input[:] = [inputs[0] + ":2" if inputs[0] in noted else inputs[0]] + inputs[1:]
            node.attr["_tflite_input_indices"].list.i[:] = FUSED_INPUTS
    return definition
