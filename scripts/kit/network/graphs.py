"""The inference graph of each form, in ops that TFLite holds, with the weights as constants.

window : (n, T, C) -> the model's output; the recurrence unrolled, each window from the zero state
step   : (n, C) and the states -> the model's output and the new states; any length, carried state
fused  : as window, with one UNIDIRECTIONAL_SEQUENCE_LSTM per layer in place of the unrolled steps.
         TensorFlow has no such op, only TFLite has: the GraphDef names it as 1.15's OpHint would
         leave it after freezing, and TFLiteConverter.from_frozen_graph reads it although
         TensorFlow itself cannot import it. So no live session and no dynamic_rnn are needed.

What a layer is in each form, its kind says (kit.network.layers), and which tensors play which part
in its steps: the quantizer rests on that.
"""
from kit.base.cli import UserError
from kit.network import ops
from kit.network.description import shapes, step_shapes
from kit.network.kinds import KINDS
from kit.network.layers.kind import Call, WHOLE
from kit.network.layers.recurrent import FUSED_INPUTS
from kit.tf.tf115 import tf

MAX_WINDOW_STEPS = 2000  # an unrolled graph beyond this takes minutes to convert


def window_graph(network, steps):
    """A tf.Graph from `window` (n, steps, C) to `output`, each window from the zero state.

    Returns (graph, [Recurrence, ...]).
    """
    graph, recurrences = tf.Graph(), []
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, steps, network.channels), "window")
        sizes = shapes(network, steps)
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            with tf.name_scope(layer.name + "/"):
                value = KINDS[layer.kind].window(Call(ops, layer, value, before, after,
                                                      recurrences=recurrences))
        tf.identity(ops.joined(value, sizes[-1]), name="output")
    return graph, recurrences


def step_graph(network, path="the model"):
    """A tf.Graph from `sample` (n, C) and states to `output` and the next states; and the states.

    Returns (graph, [(name, shape), ...], [Recurrence, ...]); UserError names the layer that a step cannot hold.
    """
    check_step(network, path)
    graph, states, following, recurrences = tf.Graph(), [], [], []
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, network.channels), "sample")
        sizes, number = step_shapes(network), 0
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            kind = KINDS[layer.kind]
            carried = [("state_%d_%s" % (number, name), shape)
                       for name, shape in kind.states(layer)]
            held = [tf.compat.v1.placeholder(tf.float32, (None,) + shape, name)
                    for name, shape in carried]
            with tf.name_scope(layer.name + "/"):
                value, new = kind.step(Call(ops, layer, value, before, after, held,
                                             recurrences=recurrences))
            states += carried
            following += new
            number += bool(carried)
        tf.identity(value, name="output")
        for (name, _), tensor in zip(states, following):
            tf.identity(tensor, name="next_" + name)
    return graph, states, recurrences


def check_step(network, path):
    """UserError with the layer and the form that works where the step form cannot exist."""
    after_end, shaped = False, None  # a layer made one vector of the sequence; one shaped it again
    for layer in network.layers:
        kind = KINDS[layer.kind]
        if shaped and kind.recurrent:
            raise UserError("%s: no step form: layer '%s' makes a sequence of one vector, and what "
                            "follows %s" % (path, shaped, WHOLE))
        reason = kind.no_step(layer, after_end)
        if reason:
            raise UserError("%s: no step form: layer '%s' %s" % (path, layer.name, reason))
        if layer.kind == "Reshape":
            shaped = layer.name
        after_end = after_end or (kind.recurrent and not layer.options["return_sequences"])


# --- the fused form ---------------------------------------------------------------------------


def fused_graph(network, steps, path="the model"):
    """A GraphDef from `sequence` (n, steps, C) to `output`, each LSTM one op of TFLite."""
    check_fused(network, path)
    graph, noted = tf.Graph(), {}
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, steps, network.channels), "sequence")
        sizes = shapes(network, steps)
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            with tf.name_scope(layer.name + "/"):
                value = KINDS[layer.kind].fused(Call(ops, layer, value, before, after, [], noted))
        tf.identity(value, name="output")
    return _with_fused_ops(graph.as_graph_def(), noted)


def check_fused(network, path):
    """UserError with the layer and the form that works where the fused op cannot compute it."""
    for layer in network.layers:
        reason = KINDS[layer.kind].no_fused(layer)
        if reason:
            others = "window or the step" if _has_step(network, path) else "window"
            raise UserError("%s: no fused form: layer '%s' %s; use the %s form%s"
                            % (path, layer.name, reason[0], others, reason[1]))


def _has_step(network, path):
    try:
        check_step(network, path)
    except UserError:
        return False
    return True


def fused_activations(network):
    """The activation of each fused op in the order of the graph; 1.15 writes tanh for all."""
    return [activation for layer in network.layers
            for activation in KINDS[layer.kind].fused_activations(layer)]


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
