"""The inference graph of each form, in ops that TFLite holds, with the weights as constants.

window : (n, T, C) -> the model's output; the recurrence unrolled, each window from the zero state
step   : (n, C) and the states -> the model's output and the new states; any length, carried state
fused  : as window, with one UNIDIRECTIONAL_SEQUENCE_LSTM per layer in place of the unrolled steps.
         TensorFlow has no such op, only TFLite has: the GraphDef names it as 1.15's OpHint would
         leave it after freezing, and TFLiteConverter.from_frozen_graph reads it although
         TensorFlow itself cannot import it. So no live session and no dynamic_rnn are needed.

One cell serves window and step: x and h are joined and multiplied once, for all gates and, as
tanh(z) = 2 sigmoid(2 z) - 1, for the candidate of an LSTM. A step of it is eleven ops, the weights
stand once in the file however long the window is, and an int8 file rounds each sum once. Hoisting
the input projection out of the recurrence was no faster (the input is narrow) and rounds twice in
int8.

Tensors of step t carry `/t<t>/` in their name: the quantizer gives all steps one scale by it.
hard_sigmoid(z) is relu6(1.2 z + 3) / 6 with 1.2 and 3 folded into weights and bias: as Keras writes
it, it becomes MINIMUM and MAXIMUM, on whose types 1.15's kernels stumble.
"""
import numpy as np

from kit.base.cli import UserError
from kit.network.description import RECURRENT, shapes, step_shapes
from kit.tf.tf115 import tf

STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "SimpleRNN": ("h",)}
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer 2017, as in Keras
MAX_WINDOW_STEPS = 2000  # an unrolled graph beyond this takes minutes to convert


def window_graph(network, steps):
    """A tf.Graph from `window` (n, steps, C) to `output`, each window from the zero state."""
    graph = tf.Graph()
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, steps, network.channels), "window")
        sizes = shapes(network, steps)
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            with tf.name_scope(layer.name + "/"):
                value = _window_layer(layer, value, before, after)
        tf.identity(_joined(value, sizes[-1]), name="output")
    return graph


def step_graph(network, path="the model"):
    """A tf.Graph from `sample` (n, C) and states to `output` and the next states; and the states.

    Returns (graph, [(name, units), ...]); UserError names the layer that a step cannot hold.
    """
    check_step(network, path)
    graph, states, following = tf.Graph(), [], []
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, network.channels), "sample")
        sizes, number = step_shapes(network), 0
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            if layer.kind not in RECURRENT:
                with tf.name_scope(layer.name + "/"):
                    value = _window_layer(layer, value, before, after)
                continue
            units = layer.options["units"]
            names = ["state_%d_%s" % (number, state) for state in STATES[layer.kind]]
            held = [tf.compat.v1.placeholder(tf.float32, (None, units), name) for name in names]
            with tf.name_scope(layer.name + "/"):
                new = _cell(layer)(value, held)
            states += [(name, units) for name in names]
            following += list(zip(names, new))
            value, number = new[0], number + 1
        tf.identity(value, name="output")
        for name, tensor in following:
            tf.identity(tensor, name="next_" + name)
    return graph, states


def check_step(network, path):
    """UserError with the layer and the form that works where the step form cannot exist."""
    whole = "needs the whole sequence before its first output; use the window form"
    ended = None  # the layer that made one vector of the sequence
    for layer in network.layers:
        if layer.kind in ("Bidirectional", "RepeatVector") or layer.options.get("go_backwards"):
            what = "go_backwards" if layer.kind in RECURRENT else layer.kind
            raise UserError("%s: no step form: layer '%s' is %s, which %s"
                            % (path, layer.name, what, whole))
        if layer.kind in ("Flatten", "Reshape"):
            if ended is None:
                raise UserError("%s: no step form: layer '%s' is %s over the steps, which %s"
                                % (path, layer.name, layer.kind, whole))
            if layer.kind == "Reshape" and any(_later(network, layer, RECURRENT)):
                raise UserError("%s: no step form: layer '%s' makes a sequence of one vector, and "
                                "what follows %s" % (path, layer.name, whole))
        if layer.kind in RECURRENT and not layer.options["return_sequences"]:
            ended = layer


def _later(network, layer, kinds):
    after = network.layers[network.layers.index(layer) + 1:]
    return [item for item in after if item.kind in kinds]


# --- layers of the window form ----------------------------------------------------------------
# A value is a tensor (n, ...) or, between recurrent layers, a list of T tensors (n, C).


def _window_layer(layer, value, before, after):
    if layer.kind in RECURRENT:
        return _unrolled(layer, _steps(value, before))
    if layer.kind == "Bidirectional":
        return _bidirectional(layer, _steps(value, before))
    if layer.kind == "RepeatVector":
        return [value] * layer.options["n"]
    if layer.kind in ("Flatten", "Reshape"):
        return tf.reshape(_joined(value, before), (-1,) + tuple(after), name="shaped")
    return _over_last_axis(layer, _joined(value, before), before, after)


def _steps(value, shape):
    """A sequence as a list of T tensors (n, C)."""
    if isinstance(value, list):
        return value
    steps, width = shape
    if steps == 1:
        return [tf.reshape(value, (-1, width), name="steps")]
    return tf.split(tf.reshape(value, (-1, steps * width), name="flat"), steps, 1, name="steps")


def _joined(value, shape):
    """A list of T tensors (n, C) as one tensor (n, T, C); a tensor as it is."""
    if not isinstance(value, list):
        return value
    flat = value[0] if len(value) == 1 else tf.concat(value, 1, name="joined")
    return tf.reshape(flat, (-1,) + tuple(shape), name="sequence")


def _over_last_axis(layer, value, before, after):
    """A layer that works on vectors, applied along the last axis of (n, ..., C)."""
    if len(before) == 1:
        return _pointwise(layer, value)
    if layer.kind == "Affine":  # toco would move a product with a vector to before the reshape
        layer = layer._replace(kind="Dense", options={"activation": "linear"}, weights={
            "kernel": np.diag(layer.weights["scale"]), "bias": layer.weights["offset"]})
    flat = tf.reshape(value, (-1, before[-1]), name="rows")
    return tf.reshape(_pointwise(layer, flat), (-1,) + tuple(after), name="sequence")


def _unrolled(layer, inputs):
    """The recurrence over a list of inputs: the last output, or all of them."""
    if layer.options["go_backwards"]:
        inputs = inputs[::-1]
    cell, states, outputs = _cell(layer), _zeros(layer, inputs[0]), []
    for t, x in enumerate(inputs):
        with tf.name_scope("t%04d" % t):
            states = cell(x, states)
        outputs.append(states[0])
    return outputs if layer.options["return_sequences"] else outputs[-1]


def _zeros(layer, like):
    shape = tf.stack([tf.shape(like)[0], layer.options["units"]])
    return [tf.fill(shape, 0.0, name="zero_" + state) for state in STATES[layer.kind]]


def _bidirectional(layer, inputs):
    """Both directions; the backward one's sequence is turned round to stand beside the forward."""
    with tf.name_scope("forward"):
        forward = _unrolled(layer.options["forward"], inputs)
    with tf.name_scope("backward"):
        backward = _unrolled(layer.options["backward"], inputs)
    if not layer.options["return_sequences"]:
        return _merge(layer.options["merge"], forward, backward)
    merged = []
    for t, pair in enumerate(zip(forward, backward[::-1])):
        with tf.name_scope("t%04d" % t):
            merged.append(_merge(layer.options["merge"], *pair))
    return merged


def _merge(mode, a, b):
    if mode == "concat":
        return tf.concat([a, b], -1, name="merged")
    if mode == "mul":
        return tf.multiply(a, b, name="merged")
    total = tf.add(a, b, name="merged")
    return total if mode == "sum" else tf.multiply(total, 0.5, name="half")


# --- the fused form ---------------------------------------------------------------------------

FUSED_ACTIVATIONS = ("tanh", "relu", "linear")
# Of the op's 20 inputs: x, four kernels, four recurrent kernels, four biases, h and c.
FUSED_INPUTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19]


def fused_graph(network, steps, path="the model"):
    """A GraphDef from `sequence` (n, steps, C) to `output`, each LSTM one op of TFLite."""
    check_fused(network, path)
    graph, ops = tf.Graph(), {}
    with graph.as_default():
        value = tf.compat.v1.placeholder(tf.float32, (None, steps, network.channels), "sequence")
        sizes = shapes(network, steps)
        for layer, before, after in zip(network.layers, sizes, sizes[1:]):
            with tf.name_scope(layer.name + "/"):
                value = _fused_layer(layer, value, before, after, ops)
        tf.identity(value, name="output")
    return _with_fused_ops(graph.as_graph_def(), ops)


def check_fused(network, path):
    """UserError with the layer and the form that works where the fused op cannot compute it."""
    others = "use the window%s form" % (" or the step" if _has_step(network, path) else "")
    for layer in network.layers:
        cells = [layer] if layer.kind != "Bidirectional" else [
            layer.options["forward"], layer.options["backward"]]
        for cell in cells:
            if cell.kind in ("GRU", "SimpleRNN"):
                raise UserError("%s: no fused form: layer '%s' is %s, and the fused op is an LSTM; "
                                "%s" % (path, layer.name, cell.kind, others))
            gates = cell.options.get("recurrent_activation", "sigmoid")
            if gates != "sigmoid":
                raise UserError("%s: no fused form: layer '%s' has %s gates, and the fused op has "
                                "sigmoid gates; %s, or train with recurrent_activation='sigmoid'"
                                % (path, layer.name, gates, others))
            if cell.kind == "LSTM" and cell.options["activation"] not in FUSED_ACTIVATIONS:
                raise UserError("%s: no fused form: layer '%s' has the activation %s, and the "
                                "fused op has %s; %s"
                                % (path, layer.name, cell.options["activation"],
                                   ", ".join(FUSED_ACTIVATIONS), others))


def _has_step(network, path):
    try:
        check_step(network, path)
    except UserError:
        return False
    return True


def fused_activations(network):
    """The activation of each fused op in the order of the graph; 1.15 writes tanh for all."""
    cells = [cell for layer in network.layers for cell in (
        [layer.options["forward"], layer.options["backward"]] if layer.kind == "Bidirectional"
        else [layer])]
    return [cell.options["activation"] for cell in cells if cell.kind == "LSTM"]


def _fused_layer(layer, value, before, after, ops):
    if layer.kind == "LSTM":
        return _fused_lstm(layer, value, before, ops)
    if layer.kind == "Bidirectional":
        with tf.name_scope("forward"):
            forward = _fused_lstm(layer.options["forward"], value, before, ops)
        with tf.name_scope("backward"):
            backward = _fused_lstm(layer.options["backward"], value, before, ops)
            if layer.options["return_sequences"]:
                backward = backward[:, ::-1]  # as tf.reverse, toco would join both directions
        return _merge(layer.options["merge"], forward, backward)
    if layer.kind == "RepeatVector":
        return _joined([value] * layer.options["n"], after)
    return _window_layer(layer, value, before, after)


def _fused_lstm(layer, value, before, ops):
    """A stand-in for the op, noted in `ops` by its name, and the last step of it where asked."""
    kernel, recurrent, bias = (np.split(a, 4, -1) for a in _arrays(layer, 4))  # i, f, c, o
    steps, units = before[0], layer.options["units"]
    if layer.options["go_backwards"]:
        value = tf.reverse(value, [1], name="turned")
    weights = [a.T for a in kernel + recurrent] + bias + [np.zeros((1, units), np.float32)] * 2
    constants = [tf.constant(np.ascontiguousarray(a), tf.float32, name="weight_%d" % place)
                 for place, a in zip(FUSED_INPUTS[1:], weights)]
    outputs = tf.compat.v1.placeholder(tf.float32, (None, steps, units), "fused")
    ops[outputs.op.name] = [tensor.op.name for tensor in [value] + constants]
    if layer.options["return_sequences"]:
        return outputs
    return outputs[:, -1]  # counted from the end: right at every length


def _with_fused_ops(definition, ops):
    """The GraphDef with each stand-in made the op; its outputs number 2 are the sequence."""
    for node in definition.node:
        node.input[:] = [name + ":2" if name in ops else name for name in node.input]
        if node.name in ops:
            node.op = "UnidirectionalSequenceLstm"
            node.attr.clear()
            inputs = ops[node.name]
            node.input[:] = [inputs[0] + ":2" if inputs[0] in ops else inputs[0]] + inputs[1:]
            node.attr["_tflite_input_indices"].list.i[:] = FUSED_INPUTS
    return definition


# --- cells: (x, states) -> new states, states[0] is the output --------------------------------


def _cell(layer):
    return {"LSTM": _lstm_cell, "GRU": _gru_cell, "SimpleRNN": _simple_cell}[layer.kind](layer)


def _lstm_cell(layer):
    """Hochreiter and Schmidhuber 1997 with forget gates, in Keras' gate order i, f, c, o."""
    kernel, recurrent, bias = _arrays(layer, 4)
    act = layer.options["activation"]
    i, f, g, o = (np.concatenate([kernel, recurrent, bias[None]])[:, place] for place in np.split(
        np.arange(4 * layer.options["units"]), 4))  # each (C + U + 1, U), the bias its last row
    gates = _lstm_gates(i, f, g, o, act, layer.options["recurrent_activation"])

    def cell(x, states):
        h, c = states
        into, keep, out, candidate = gates(tf.concat([x, h], 1, name="xh"))  # (n, C + U)
        c = tf.add(tf.multiply(keep, c, name="kept"),
                   tf.multiply(into, candidate, name="added"), name="c")
        return [tf.multiply(out, _activate(c, act, "squashed"), name="h"), c]
    return cell


def _lstm_gates(i, f, g, o, act, gate_act):
    """A function of x beside h: the gates i, f and o and the candidate g."""
    if (act, gate_act) == ("tanh", "sigmoid"):  # tanh(z) = 2 sigmoid(2 z) - 1: one product for all
        product = _linear_of([i, f, o, 2 * g], "sigmoid", "gates")

        def together(xh):
            into, keep, out, half = tf.split(product(xh), 4, 1, name="gate")
            double = tf.multiply(half, 2.0, name="double")
            return into, keep, out, tf.add(double, -1.0, name="candidate")
        return together
    product, candidate = _linear_of([i, f, o], gate_act, "gates"), _linear_of([g], act, "candidate")
    return lambda xh: tf.split(product(xh), 3, 1, name="gate") + [candidate(xh)]


def _linear_of(parts, activation, name):
    """_linear of matrices side by side whose last row is the bias."""
    joint = np.concatenate(parts, 1)
    return _linear(joint[:-1], joint[-1], activation, name)


def _gru_cell(layer):
    """Cho 2014, gate order z, r, h; reset_after applies r after the recurrent product (cuDNN)."""
    kernel, recurrent, bias = _arrays(layer, 3)
    units, act = layer.options["units"], layer.options["activation"]
    after = layer.options["reset_after"]
    into, back = bias if after and bias.ndim == 2 else (bias, np.zeros_like(bias))
    joint = np.concatenate([kernel, recurrent])  # (C + U, 3 U)
    gates = _linear(joint[:, :2 * units], (into + back)[:2 * units],
                    layer.options["recurrent_activation"], "gates")
    if after:
        from_x = _linear(kernel[:, 2 * units:], into[2 * units:], "linear", "from_x")
        from_h = _linear(recurrent[:, 2 * units:], back[2 * units:], "linear", "from_h")
    else:
        from_xh = _linear(joint[:, 2 * units:], into[2 * units:], act, "candidate")

    def cell(x, states):
        h, = states
        update, reset = tf.split(gates(tf.concat([x, h], 1, name="xh")), 2, 1, name="gate")
        if after:
            total = tf.add(from_x(x), tf.multiply(reset, from_h(h), name="reset_h"), name="sum")
            new = _activate(total, act, "candidate")
        else:
            held = tf.multiply(reset, h, name="reset_h")
            new = from_xh(tf.concat([x, held], 1, name="xrh"))
        change = tf.multiply(update, tf.subtract(h, new, name="difference"), name="change")
        return [tf.add(new, change, name="h")]
    return cell


def _simple_cell(layer):
    """Elman 1990: h = act(W x + R h + b)."""
    kernel, recurrent, bias = _arrays(layer, 1)
    linear = _linear(np.concatenate([kernel, recurrent]), bias, layer.options["activation"], "h")

    def cell(x, states):
        return [linear(tf.concat([x, states[0]], 1, name="xh"))]
    return cell


def _arrays(layer, gates):
    """Kernel (C, G U), recurrent kernel (U, G U) and bias (G U,), zeros where there is none."""
    weights = layer.weights
    bias = weights.get("bias", np.zeros(gates * layer.options["units"], np.float32))
    return weights["kernel"], weights["recurrent"], bias


# --- what works on vectors --------------------------------------------------------------------


def _linear(kernel, bias, activation, name):
    """A function x -> activation(x @ kernel + bias) whose constants are made once."""
    scaled = activation == "hard_sigmoid"
    if scaled:
        kernel, bias = np.float32(1.2) * kernel, np.float32(1.2) * bias + np.float32(3)
        sixth = np.full(kernel.shape[1], 1 / 6, np.float32)  # toco loses a state times a scalar
    kernel = tf.constant(kernel, tf.float32, name=name + "/kernel")
    bias = tf.constant(bias, tf.float32, name=name + "/bias")

    def apply(x):
        if activation == "linear":
            return tf.nn.bias_add(tf.matmul(x, kernel), bias, name=name)
        total = tf.nn.bias_add(tf.matmul(x, kernel), bias, name=name + "_sum")
        if scaled:
            return tf.multiply(tf.nn.relu6(total, name=name + "_times_6"), sixth, name=name)
        return _activate(total, activation, name)
    return apply


def _pointwise(layer, x):
    if layer.kind == "Dense":
        kernel = layer.weights["kernel"]
        bias = layer.weights.get("bias", np.zeros(kernel.shape[1], np.float32))
        return _linear(kernel, bias, layer.options["activation"], "dense")(x)
    if layer.kind == "Affine":
        scaled = tf.multiply(x, tf.constant(layer.weights["scale"]), name="scaled")
        return tf.add(scaled, tf.constant(layer.weights["offset"]), name="normalised")
    if layer.kind == "LeakyReLU":
        return tf.nn.leaky_relu(x, layer.options["alpha"], name="leaky")
    if layer.kind == "Activation":
        return _activate(x, layer.options["activation"], "activation")
    raise AssertionError(layer.kind)


def _activate(x, activation, name):
    """Keras' activation in ops that TFLite has."""
    if activation == "hard_sigmoid":  # of scalars in a row toco makes an abort
        width = int(x.shape[-1])
        return _linear(np.eye(width, dtype=np.float32), np.zeros(width, np.float32), activation,
                       name)(x)
    if activation == "softplus":  # log(1 + e^x), safe for large |x|
        return tf.add(tf.nn.relu(x), tf.math.log(tf.exp(tf.negative(tf.abs(x))) + 1.0), name=name)
    if activation == "softsign":
        return tf.divide(x, tf.abs(x) + 1.0, name=name)
    if activation == "selu":
        negative = tf.multiply(tf.exp(tf.negative(tf.nn.relu(tf.negative(x)))) - 1.0, SELU_ALPHA)
        return tf.multiply(tf.add(tf.nn.relu(x), negative), SELU_SCALE, name=name)
    functions = {"linear": tf.identity, "tanh": tf.tanh, "sigmoid": tf.sigmoid, "relu": tf.nn.relu,
                 "relu6": tf.nn.relu6, "softmax": tf.nn.softmax, "elu": tf.nn.elu,
                 "exponential": tf.exp}
    return functions[activation](x, name=name)
