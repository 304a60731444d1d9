"""LSTM, GRU and SimpleRNN: their cells, the recurrence over a window, one step, the fused op.

One cell serves window and step: x and h are joined and multiplied once, for all gates and, as
tanh(z) = 2 sigmoid(2 z) - 1, for the candidate of an LSTM. A step of it is eleven ops, the weights
stand once in the file however long the window is, and an int8 file rounds each sum once. Hoisting
the input projection out of the recurrence was no faster (the input is narrow) and rounds twice in
int8.
"""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.activations import activation
from kit.network.roles import note, note_step, note_steps, parts_noted
from kit.network.layers.handler import Handler, Layer, WHOLE, check_arrays, check_rank, same

FUSED_ACTIVATIONS = ("tanh", "relu", "linear")
# Of the op's 20 inputs: x, four kernels, four recurrent kernels, four biases, h and c.
FUSED_INPUTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19]


class Recurrent(Handler):
    """h(t) = cell(x(t), states(t - 1)); states[0] is the output.

    A masked step leaves the states, and so the output, as they are; with zero_output its output is 0,
    as in a Bidirectional that returns sequences. Inputs after the first are
    initial states; with return_state the last states are outputs after the first.
    """

    recurrent = takes_steps = takes_mask = any_length = True
    gates = None  # how many blocks of units stand side by side in the kernels
    carried = ("h",)

    def cell(self, ops, layer):
        """A function (x, states) -> new states."""
        raise NotImplementedError

    # --- the file ---

    def read(self, path, name, config, arrays):
        options = {
            "activation": activation(path, name, config["activation"]),
            "return_sequences": bool(config.get("return_sequences")),
            "return_state": bool(config.get("return_state")),
            "go_backwards": bool(config.get("go_backwards")),
            "zero_output": bool(config.get("zero_output_for_mask")),
        }
        options.update(self.more_options(path, name, config))
        class_name = type(self).__name__
        return Layer(class_name, name, options, dict(zip(("kernel", "recurrent", "bias"), arrays)))

    def more_options(self, path, name, config):
        found = {"units": config["units"]}
        if self.gates > 1:
            gate = config.get("recurrent_activation", "hard_sigmoid")
            found["recurrent_activation"] = activation(path, name, gate)
        return found

    def array_counts(self, config):
        return 2 + bool(config.get("use_bias", True)), 0

    def outputs(self, layer):
        return 1 + len(self.carried) * layer.options["return_state"]

    def takes_state(self, place):
        return place > 0

    # --- shapes ---

    def item(self, layer, shape):
        """The output's shape at one step, for an input's."""
        return (layer.options["units"],)

    def shape(self, layer, shape):
        item = self.item(layer, shape[1:])
        return shape[:1] + item if layer.options["return_sequences"] else item

    def shapes(self, layer, shapes):
        item = self.item(layer, shapes[0][1:])
        return [self.shape(layer, shapes[0])] + [item] * (self.outputs(layer) - 1)

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 2, "(steps, channels)")
        units = layer.options["units"]
        columns = self.gates * units
        check_arrays(path, layer, {
            "kernel": (shapes[0][-1], columns), "recurrent": (units, columns),
            "bias": self.bias_shape(layer)}, ["kernel", "recurrent"])
        self.check_states(path, layer, shapes)

    def check_states(self, path, layer, shapes):
        item = self.item(layer, shapes[0][1:])
        if len(shapes) not in (1, 1 + len(self.carried)) or any(
                tuple(shape) != tuple(item) for shape in shapes[1:]):
            raise UserError("%s: layer '%s' gets %d tensors beside its sequence, of shapes %s; "
                            "an initial state is %d of %s, and constants are not supported"
                            % (path, layer.name, len(shapes) - 1, shapes[1:], len(self.carried),
                               item))

    def bias_shape(self, layer):
        return (self.gates * layer.options["units"],)

    def arrays(self, layer):
        """Kernel (C, G U), recurrent kernel (U, G U) and bias (G U,), zeros where there is none."""
        bias = np.zeros(self.gates * layer.options["units"], np.float32)
        return (layer.weights["kernel"], layer.weights["recurrent"],
                layer.weights.get("bias", bias))

    # --- masks ---

    def masks(self, layer, masked):
        return masked[0] and layer.options["return_sequences"]

    def mask(self, call):
        return call.masks[0] if call.layer.options["return_sequences"] else None

    # --- forms ---

    def states(self, layer, shape):
        return [(name, self.item(layer, shape)) for name in self.carried]

    def keeps_steps(self, layer, shapes):
        return layer.options["return_sequences"]

    def no_step(self, layer, timed, shapes):
        if layer.options["go_backwards"]:
            return "is go_backwards, which " + WHOLE
        return None if timed[0] else "goes along steps that are made of one vector, and so " + WHOLE

    def no_fused(self, layer):
        return "is %s, and the fused op is an LSTM" % layer.class_name, ""

    def window(self, call):
        return self.unrolled(call, call.layer, call.steps, call.tensors[1:])

    def unrolled(self, call, layer, inputs, states):
        """The recurrence over a list of inputs: the last output, or all of them.

        With return_state a tuple of that and the last states.
        """
        tf, masks = call.ops.tf, call.masks[0] or [None] * len(inputs)
        if layer.options["go_backwards"]:
            inputs, masks = inputs[::-1], masks[::-1]
        cell = self.cell(call.ops, layer)
        given, states = states, states or self.zeros(tf, layer, inputs[0])
        output, outputs = tf.zeros_like(states[0]) if given and masks[0] is not None else None, []
        scopes = []
        for t, (x, mask) in enumerate(zip(inputs, masks)):
            with tf.name_scope("t%04d" % t) as scope:
                new = cell(x, states)
                output = new[0] if output is None else blend(tf, mask, new[0], output, "output")
                states = [blend(tf, mask, *pair, name="held") for pair in zip(new, states)]
                output = output if given and mask is not None else None
                outputs.append(self.shown(tf, layer, mask, new[0], states[0] if output is None else output))
            scopes.append(scope)
        note_steps(states[0].graph, scopes)
        found = outputs if layer.options["return_sequences"] else outputs[-1]
        return (found,) + tuple(states) if layer.options["return_state"] else found

    def shown(self, tf, layer, mask, new, held):
        """The output of a step: the one held, or where this is asked for 0 at a masked step."""
        zero = mask is not None and layer.options["zero_output"]
        return tf.multiply(mask, new, name="shown") if zero else held

    def zeros(self, tf, layer, like):
        shape = tf.stack([tf.shape(like)[0], layer.options["units"]])
        return [tf.fill(shape, 0.0, name="zero_" + state) for state in self.carried]

    def step(self, call):
        graph = call.values[0].graph
        start, held = parts_noted(graph), call.states
        new = self.cell(call.ops, call.layer)(call.values[0], held)
        note_step(graph, start, {} if call.masks[0] is not None else {
            after.op.name: "next_" + before.op.name for before, after in zip(held, new)})
        after = [blend(call.ops.tf, call.masks[0], *pair, name="held")
                 for pair in zip(new, call.states)]
        output = self.shown(call.ops.tf, call.layer, call.masks[0], new[0], after[0])
        return ((output,) + tuple(after) if call.layer.options["return_state"] else output), after

    def twin(self, keras, layer, values, timed):
        """The sequence of outputs, and where they are asked for of the states."""
        if not layer.return_state or not hasattr(layer, "cell"):
            copy = same(layer, return_sequences=True, return_state=False, stateful=False,
                        unroll=False)
            return copy, copy(values[0])
        copy = keras.layers.RNN(showing_states(keras, layer.cell), return_sequences=True)
        both = copy(values[0])
        sizes = [layer.cell.units] * len(self.carried)
        parts = [keras.layers.Lambda(lambda x, k=k: x[..., sum(sizes[:k]):sum(sizes[:k + 1])])(both)
                 for k in range(len(sizes))]
        return copy, (parts[0],) + tuple(parts)


def showing_states(keras, cell):
    """A Keras cell like this one whose output is all its states side by side."""
    class Showing(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.cell = cell.__class__.from_config(cell.get_config())
            self.state_size = self.cell.state_size
            sizes = self.state_size if isinstance(self.state_size, (list, tuple)) else [
                self.state_size]
            self.output_size = sum(sizes)

        def build(self, shape):
            self.cell.build(shape)
            self.built = True

        def call(self, inputs, states):
            _, new = self.cell.call(inputs, states)
            return keras.backend.concatenate(list(new), -1), new
    return Showing()


def blend(tf, mask, new, old, name):
    """new where the mask (n, 1) is 1, old where it is 0; new where there is none.

    Each times its part of 1, so that integers hold both to the bit.
    """
    if mask is None:
        return new
    rest = tf.subtract(tf.constant(np.ones(1, np.float32)), mask, name=name + "_rest")
    return tf.add(tf.multiply(mask, new, name=name + "_new"),
                  tf.multiply(rest, old, name=name + "_old"), name=name)


class LSTM(Recurrent):
    """Hochreiter and Schmidhuber 1997 with forget gates, in Keras' gate order i, f, c, o."""

    gates, carried = 4, ("h", "c")

    def cell(self, ops, layer):
        tf = ops.tf
        kernel, recurrent, bias = self.arrays(layer)
        act = layer.options["activation"]
        i, f, g, o = (np.concatenate([kernel, recurrent, bias[None]])[:, place]
                      for place in np.split(np.arange(4 * layer.options["units"]), 4))
        # each (C + U + 1, U), the bias its last row
        gates = _lstm_gates(ops, i, f, g, o, act, layer.options["recurrent_activation"])

        def cell(x, states):
            h, c = states
            into, keep, out, candidate = gates(  # (n, C + U)
                note("joined", tf.concat([x, h], 1, name="xh")))
            kept = tf.multiply(keep, c, name="kept")
            added = note("first_state", tf.multiply(into, candidate, name="added"))
            c = note("state", tf.add(kept, added, name="c"))
            return [tf.multiply(out, ops.activate(c, act, "squashed"), name="h"), c]
        return cell

    def no_fused(self, layer):
        gates, act = layer.options["recurrent_activation"], layer.options["activation"]
        if gates != "sigmoid":
            return ("has %s gates, and the fused op has sigmoid gates" % gates,
                    ", or train with recurrent_activation='sigmoid'")
        if act not in FUSED_ACTIVATIONS:
            return "has the activation %s, and the fused op has %s" % (
                act, ", ".join(FUSED_ACTIVATIONS)), ""
        return None

    def fused_activations(self, layer):
        return [layer.options["activation"]]

    def fused(self, call):
        return self.fused_op(call, call.layer)

    def fused_op(self, call, layer):
        """A stand-in for the op, noted by its name, and the last step of it where asked."""
        tf, value = call.ops.tf, call.tensor
        kernel, recurrent, bias = (np.split(a, 4, -1) for a in self.arrays(layer))  # i, f, c, o
        steps, units = call.before[0], layer.options["units"]
        if layer.options["go_backwards"]:
            value = tf.reverse(value, [1], name="turned")
        weights = [a.T for a in kernel + recurrent] + bias + [np.zeros((1, units), np.float32)] * 2
        constants = [tf.constant(np.ascontiguousarray(a), tf.float32, name="weight_%d" % place)
                     for place, a in zip(FUSED_INPUTS[1:], weights)]
        outputs = tf.compat.v1.placeholder(tf.float32, (None, steps, units), "fused")
        call.noted[outputs.op.name] = [tensor.op.name for tensor in [value] + constants]
        if layer.options["return_sequences"]:
            return outputs
        return outputs[:, -1]  # counted from the end: right at every length


def _lstm_gates(ops, i, f, g, o, act, gate_act):
    """A function of x beside h: the gates i, f and o and the candidate g."""
    tf = ops.tf
    if (act, gate_act) == ("tanh", "sigmoid"):  # tanh(z) = 2 sigmoid(2 z) - 1: one product for all
        product = _linear_of(ops, [i, f, o, 2 * g], "sigmoid", "gates")

        def together(xh):
            into, keep, out, half = tf.split(product(xh), 4, 1, name="gate")
            double = note("doubled", tf.multiply(half, 2.0, name="double"))
            return into, keep, out, note("candidate", tf.add(double, -1.0, name="candidate"))
        return together
    product = _linear_of(ops, [i, f, o], gate_act, "gates")
    candidate = _linear_of(ops, [g], act, "candidate")
    return lambda xh: tf.split(product(xh), 3, 1, name="gate") + [candidate(xh)]


def _linear_of(ops, parts, activation, name):
    """ops.linear of matrices side by side whose last row is the bias."""
    joint = np.concatenate(parts, 1)
    return ops.linear(joint[:-1], joint[-1], activation, name)


class GRU(Recurrent):
    """Cho 2014, gate order z, r, h; reset_after applies r after the recurrent product (cuDNN)."""

    gates = 3

    def more_options(self, path, name, config):
        return dict(super().more_options(path, name, config),
                    reset_after=bool(config.get("reset_after")))

    def bias_shape(self, layer):
        shape = super().bias_shape(layer)
        return (2,) + shape if layer.options["reset_after"] else shape

    def cell(self, ops, layer):
        tf = ops.tf
        kernel, recurrent, bias = self.arrays(layer)
        units, act = layer.options["units"], layer.options["activation"]
        after = layer.options["reset_after"]
        into, back = bias if after and bias.ndim == 2 else (bias, np.zeros_like(bias))
        joint = np.concatenate([kernel, recurrent])  # (C + U, 3 U)
        gates = ops.linear(joint[:, :2 * units], (into + back)[:2 * units],
                           layer.options["recurrent_activation"], "gates")
        if after:
            from_x = ops.linear(kernel[:, 2 * units:], into[2 * units:], "linear", "from_x")
            from_h = ops.linear(recurrent[:, 2 * units:], back[2 * units:], "linear", "from_h")
        else:
            from_xh = ops.linear(joint[:, 2 * units:], into[2 * units:], act, "candidate")

        def cell(x, states):
            h, = states
            update, reset = tf.split(gates(note("joined", tf.concat([x, h], 1, name="xh"))),
                                     2, 1, name="gate")
            if after:
                total = tf.add(from_x(x), tf.multiply(reset, from_h(h), name="reset_h"), name="sum")
                new = ops.activate(total, act, "candidate")
            else:
                held = tf.multiply(reset, h, name="reset_h")
                new = from_xh(note("joined", tf.concat([x, held], 1, name="xrh")))
            change = tf.multiply(update, tf.subtract(h, new, name="difference"), name="change")
            return [tf.add(new, change, name="h")]
        return cell


class SimpleRNN(Recurrent):
    """Elman 1990: h = act(W x + R h + b)."""

    gates = 1

    def cell(self, ops, layer):
        tf = ops.tf
        kernel, recurrent, bias = self.arrays(layer)
        linear = ops.linear(np.concatenate([kernel, recurrent]), bias,
                            layer.options["activation"], "h")

        def cell(x, states):
            return [linear(note("joined", tf.concat([x, states[0]], 1, name="xh")))]
        return cell


HANDLERS = {"LSTM": LSTM(), "GRU": GRU(), "SimpleRNN": SimpleRNN()}
