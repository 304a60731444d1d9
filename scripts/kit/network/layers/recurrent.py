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
from kit.network.layers.kind import Kind, Layer, Recurrence, WHOLE, check_arrays

FUSED_ACTIVATIONS = ("tanh", "relu", "linear")
# Of the op's 20 inputs: x, four kernels, four recurrent kernels, four biases, h and c.
FUSED_INPUTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19]


class Recurrent(Kind):
    """h(t) = cell(x(t), states(t - 1)); states[0] is the output."""

    recurrent = True
    gates = None  # how many blocks of units stand side by side in the kernels
    carried = ("h",)

    def cell(self, ops, layer):
        """A function (x, states) -> new states."""
        raise NotImplementedError

    def read(self, path, name, config, arrays):
        if config.get("return_state"):
            raise UserError("%s: layer '%s' has return_state=True, which makes a model of several "
                            "outputs; set it to False" % (path, name))
        if config.get("time_major"):
            raise UserError("%s: layer '%s' has time_major=True; rebuild it with the batch first"
                            % (path, name))
        options = {
            "units": config["units"],
            "activation": activation(path, name, config["activation"]),
            "return_sequences": bool(config.get("return_sequences")),
            "go_backwards": bool(config.get("go_backwards")),
        }
        options.update(self.more_options(path, name, config))
        kind = type(self).__name__
        return Layer(kind, name, options, dict(zip(("kernel", "recurrent", "bias"), arrays)))

    def more_options(self, path, name, config):
        return {}

    def array_counts(self, config):
        return 2 + config["use_bias"], 0

    def shape(self, layer, shape):
        units = (layer.options["units"],)
        return shape[:1] + units if layer.options["return_sequences"] else units

    def step_shape(self, layer, shape):
        return (layer.options["units"],)

    def check(self, path, layer, shape):
        units = layer.options["units"]
        columns = self.gates * units
        check_arrays(path, layer, {"kernel": (shape[-1], columns), "recurrent": (units, columns),
                                   "bias": self.bias_shape(layer)}, ["kernel", "recurrent"])

    def bias_shape(self, layer):
        return (self.gates * layer.options["units"],)

    def arrays(self, layer):
        """Kernel (C, G U), recurrent kernel (U, G U) and bias (G U,), zeros where there is none."""
        bias = np.zeros(self.gates * layer.options["units"], np.float32)
        return (layer.weights["kernel"], layer.weights["recurrent"],
                layer.weights.get("bias", bias))

    def states(self, layer):
        return [(name, (layer.options["units"],)) for name in self.carried]

    def no_step(self, layer, after_end):
        return "is go_backwards, which " + WHOLE if layer.options["go_backwards"] else None

    def no_fused(self, layer):
        return "is %s, and the fused op is an LSTM" % layer.kind, ""

    def window(self, call):
        return self.unrolled(call, call.layer, call.steps)

    def unrolled(self, call, layer, inputs):
        """The recurrence over a list of inputs: the last output, or all of them."""
        tf = call.ops.tf
        if layer.options["go_backwards"]:
            inputs = inputs[::-1]
        cell, states, outputs = self.cell(call.ops, layer), self.zeros(tf, layer, inputs[0]), []
        scopes = []
        for t, x in enumerate(inputs):
            with tf.name_scope("t%04d" % t) as scope:
                states = cell(x, states)
            outputs.append(states[0])
            scopes.append(scope)
        call.recurrences.append(Recurrence(scopes, **self.roles(layer)))
        return outputs if layer.options["return_sequences"] else outputs[-1]

    def zeros(self, tf, layer, like):
        shape = tf.stack([tf.shape(like)[0], layer.options["units"]])
        return [tf.fill(shape, 0.0, name="zero_" + state) for state in self.carried]

    def step(self, call):
        new = self.cell(call.ops, call.layer)(call.tensor, call.states)
        call.recurrences.append(Recurrence([""], **self.step_roles(call)))
        return new[0], new

    def roles(self, layer):
        """The fields of a Recurrence beside its scopes: names within a step."""
        return {"joined": ["xh"]}

    def step_roles(self, call):
        """The same with whole names."""
        scope = call.ops.tf.compat.v1.get_default_graph().get_name_scope() + "/"
        roles = self.roles(call.layer)
        return dict(roles, joined=[scope + name for name in roles["joined"]])


class LSTM(Recurrent):
    """Hochreiter and Schmidhuber 1997 with forget gates, in Keras' gate order i, f, c, o."""

    gates, carried = 4, ("h", "c")

    def more_options(self, path, name, config):
        gate = config.get("recurrent_activation", "hard_sigmoid")
        return {"recurrent_activation": activation(path, name, gate)}

    def cell(self, ops, layer):
        tf = ops.tf
        kernel, recurrent, bias = self.arrays(layer)
        act = layer.options["activation"]
        i, f, g, o = (np.concatenate([kernel, recurrent, bias[None]])[:, place]
                      for place in np.split(np.arange(4 * layer.options["units"]), 4))
        # each (C + U + 1, U), the bias its last row
        gates = _lstm_gates(ops, i, f, g, o, layer)

        def cell(x, states):
            h, c = states
            into, keep, out, candidate = gates(tf.concat([x, h], 1, name="xh"))  # (n, C + U)
            c = tf.add(tf.multiply(keep, c, name="kept"),
                       tf.multiply(into, candidate, name="added"), name="c")
            return [tf.multiply(out, ops.activate(c, act, "squashed"), name="h"), c]
        return cell

    def roles(self, layer):
        if not _doubles(layer):
            return super().roles(layer)
        return {"joined": ["xh"], "doubled": "double", "candidate": "candidate", "state": "c",
                "first_state": "added"}

    def step_roles(self, call):
        roles = super().step_roles(call)
        if _doubles(call.layer):  # the converter keeps the name of an output
            scope = call.ops.tf.compat.v1.get_default_graph().get_name_scope() + "/"
            roles.update(doubled=scope + "double", candidate=scope + "candidate",
                         state="next_" + call.states[1].op.name, first_state=None)
        return roles

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
        last = tf.slice(outputs, [0, steps - 1, 0], [-1, 1, units], name="last")
        return tf.reshape(last, (-1, units), name="vector")


def _doubles(layer):
    """True where the candidate is 2 s - 1: tanh(z) = 2 sigmoid(2 z) - 1, one product for all."""
    options = layer.options
    return (options["activation"], options["recurrent_activation"]) == ("tanh", "sigmoid")


def _lstm_gates(ops, i, f, g, o, layer):
    """A function of x beside h: the gates i, f and o and the candidate g."""
    tf = ops.tf
    if _doubles(layer):
        product = _linear_of(ops, [i, f, o, 2 * g], "sigmoid", "gates")

        def together(xh):
            into, keep, out, half = tf.split(product(xh), 4, 1, name="gate")
            double = tf.multiply(half, 2.0, name="double")
            return into, keep, out, tf.add(double, -1.0, name="candidate")
        return together
    product = _linear_of(ops, [i, f, o], layer.options["recurrent_activation"], "gates")
    candidate = _linear_of(ops, [g], layer.options["activation"], "candidate")
    return lambda xh: tf.split(product(xh), 3, 1, name="gate") + [candidate(xh)]


def _linear_of(ops, parts, activation, name):
    """ops.linear of matrices side by side whose last row is the bias."""
    joint = np.concatenate(parts, 1)
    return ops.linear(joint[:-1], joint[-1], activation, name)


class GRU(Recurrent):
    """Cho 2014, gate order z, r, h; reset_after applies r after the recurrent product (cuDNN)."""

    gates = 3

    def more_options(self, path, name, config):
        gate = config.get("recurrent_activation", "hard_sigmoid")
        return {"recurrent_activation": activation(path, name, gate),
                "reset_after": bool(config.get("reset_after"))}

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
            update, reset = tf.split(gates(tf.concat([x, h], 1, name="xh")), 2, 1, name="gate")
            if after:
                total = tf.add(from_x(x), tf.multiply(reset, from_h(h), name="reset_h"), name="sum")
                new = ops.activate(total, act, "candidate")
            else:
                held = tf.multiply(reset, h, name="reset_h")
                new = from_xh(tf.concat([x, held], 1, name="xrh"))
            change = tf.multiply(update, tf.subtract(h, new, name="difference"), name="change")
            return [tf.add(new, change, name="h")]
        return cell

    def roles(self, layer):
        return {"joined": ["xh"] if layer.options["reset_after"] else ["xh", "xrh"]}


class SimpleRNN(Recurrent):
    """Elman 1990: h = act(W x + R h + b)."""

    gates = 1

    def cell(self, ops, layer):
        tf = ops.tf
        kernel, recurrent, bias = self.arrays(layer)
        linear = ops.linear(np.concatenate([kernel, recurrent]), bias,
                            layer.options["activation"], "h")

        def cell(x, states):
            return [linear(tf.concat([x, states[0]], 1, name="xh"))]
        return cell


KINDS = {"LSTM": LSTM(), "GRU": GRU(), "SimpleRNN": SimpleRNN()}
