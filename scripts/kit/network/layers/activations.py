"""Activations, by name inside other layers and as layers of their own."""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.handler import Layer, Pointwise, StepByStep, WHOLE, check_axis

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer 2017, as in Keras


def _hard_sigmoid(ops, x, name):
    """As a product with the unit matrix: of scalars in a row toco makes an abort."""
    width = int(x.shape[-1])
    if len(x.shape) > 2:
        return _scaled_relu6(ops, x, 1.2, 3, 1 / 6, name)
    return ops.linear(np.eye(width, dtype=np.float32), np.zeros(width, np.float32), "hard_sigmoid",
                      name)(x)


def _softplus(ops, x, name):
    """log(1 + e^x), safe for large |x|."""
    tf = ops.tf
    return tf.add(tf.nn.relu(x), tf.math.log(tf.exp(tf.negative(tf.abs(x))) + 1.0), name=name)


def _softsign(ops, x, name):
    return ops.tf.divide(x, ops.tf.abs(x) + 1.0, name=name)


def _selu(ops, x, name):
    tf = ops.tf
    negative = tf.multiply(tf.exp(tf.negative(tf.nn.relu(tf.negative(x)))) - 1.0, SELU_ALPHA)
    return tf.multiply(tf.add(tf.nn.relu(x), negative), SELU_SCALE, name=name)


def _scaled_relu6(ops, x, slope, offset, factor, name):
    """factor * relu6(slope x + offset)."""
    tf = ops.tf
    moved = tf.add(tf.multiply(x, ops.row(x, slope)), ops.row(x, offset))
    return tf.multiply(tf.nn.relu6(moved), ops.row(x, factor), name=name)


def _gelu(ops, x, name):
    """x Phi(x) = relu(x) - |x| q, where q = Phi(-|x|) by Abramowitz and Stegun 7.1.26 (2e-7)."""
    tf, size = ops.tf, ops.tf.abs(x)
    t = tf.divide(ops.row(x, 1), tf.add(tf.multiply(size, ops.row(x, 0.3275911 / 2 ** 0.5)),
                                        ops.row(x, 1)))
    q = ops.row(x, 0.5 * 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0):
        q = tf.add(tf.multiply(t, q), ops.row(x, 0.5 * coefficient))
    bell = tf.exp(tf.multiply(tf.multiply(x, x), ops.row(x, -0.5)))
    return tf.subtract(tf.nn.relu(x), tf.multiply(size, tf.multiply(q, bell)), name=name)


def _hard_tanh(ops, x, name):
    return ops.tf.subtract(_scaled_relu6(ops, x, 3, 3, 1 / 3, name + "_up"), ops.row(x, 1),
                           name=name)


# name -> a function of (kit.network.ops, x, name), in operators that TFLite has
ACTIVATIONS = {
    "linear": lambda ops, x, name: ops.tf.identity(x, name=name),
    "tanh": lambda ops, x, name: ops.tf.tanh(x, name=name),
    "sigmoid": lambda ops, x, name: ops.tf.sigmoid(x, name=name),
    "hard_sigmoid": _hard_sigmoid,
    "relu": lambda ops, x, name: ops.tf.nn.relu(x, name=name),
    "softmax": lambda ops, x, name: ops.tf.nn.softmax(x, name=name),
    "elu": lambda ops, x, name: ops.tf.nn.elu(x, name=name),
    "selu": _selu,
    "softplus": _softplus,
    "softsign": _softsign,
    "exponential": lambda ops, x, name: ops.tf.exp(x, name=name),
    "relu6": lambda ops, x, name: ops.tf.nn.relu6(x, name=name),
    "swish": lambda ops, x, name: ops.tf.multiply(x, ops.tf.sigmoid(x), name=name),
    "gelu": _gelu,
    "mish": lambda ops, x, name: ops.tf.multiply(
        x, ops.tf.tanh(_softplus(ops, x, name + "_softplus")), name=name),
    "hard_swish": lambda ops, x, name: ops.tf.multiply(
        x, _scaled_relu6(ops, x, 1, 3, 1 / 6, name + "_gate"), name=name),
    "hard_sigmoid_3": lambda ops, x, name: _scaled_relu6(ops, x, 1, 3, 1 / 6, name),
    "hard_tanh": _hard_tanh,
    "leaky_relu": lambda ops, x, name: ops.tf.nn.leaky_relu(x, 0.2, name=name),
}


def activation(path, name, value):
    """An activation's name, known here, or the Layer that stands for it; UserError that names the
    layer `name` otherwise."""
    if isinstance(value, dict) and value.get("class_name") in HANDLERS:
        return HANDLERS[value["class_name"]].read(path, name, value["config"], [])
    if isinstance(value, dict) or value not in ACTIVATIONS:
        raise UserError("%s: layer '%s' has the activation %s; supported are %s"
                        % (path, name, value, ", ".join(ACTIVATIONS)))
    return value


class Activation(Pointwise):
    def read(self, path, name, config, arrays):
        return Layer("Activation", name,
                     {"activation": activation(path, name, config["activation"])}, {})

    def check(self, path, layer, shapes):
        check_axis(path, layer, shapes[0])

    def apply(self, ops, layer, x):
        return ops.activate(x, layer.options["activation"], "activation")


class ReLU(Pointwise):
    """x from `threshold` to `max_value`, slope (x - threshold) below, max_value above."""

    def read(self, path, name, config, arrays):
        slope = float(np.asarray(config.get("negative_slope", 0) or 0))
        top, threshold = config.get("max_value"), float(config.get("threshold") or 0)
        if not slope and not threshold and top in (None, 6):
            return Layer("Activation", name, {"activation": "relu" if top is None else "relu6"}, {})
        if not threshold and top is None:
            return Layer("LeakyReLU", name, {"alpha": slope}, {})
        return Layer("ReLU", name, {"slope": slope, "threshold": threshold,
                                    "top": None if top is None else float(top)}, {})

    def apply(self, ops, layer, x):
        tf, (slope, threshold, top) = ops.tf, (
            layer.options[key] for key in ("slope", "threshold", "top"))
        if threshold:
            found = tf.where(tf.greater_equal(x, threshold), x, tf.zeros_like(x))
        else:
            found = tf.nn.relu(x)
        if top is not None:
            found = tf.subtract(found, tf.nn.relu(tf.subtract(x, ops.row(x, top))), name="cut")
        if slope:
            below = tf.nn.relu(tf.subtract(ops.row(x, threshold), x))
            found = tf.subtract(found, tf.multiply(below, ops.row(x, slope)), name="leaky")
        return tf.identity(found, name="activation")


class ThresholdedReLU(Pointwise):
    """x above theta, 0 elsewhere."""

    def read(self, path, name, config, arrays):
        return Layer("ThresholdedReLU", name, {"theta": float(np.asarray(config["theta"]))}, {})

    def apply(self, ops, layer, x):
        tf = ops.tf
        return tf.where(tf.greater(x, layer.options["theta"]), x, tf.zeros_like(x),
                        name="activation")


class ELU(Pointwise):
    def read(self, path, name, config, arrays):
        alpha = float(np.asarray(config.get("alpha", 1)))
        if alpha == 1:
            return Layer("Activation", name, {"activation": "elu"}, {})
        return Layer("ELU", name, {"alpha": alpha}, {})

    def apply(self, ops, layer, x):
        tf = ops.tf
        below = tf.subtract(tf.exp(tf.negative(tf.nn.relu(tf.negative(x)))), ops.row(x, 1))
        scaled = tf.multiply(below, ops.row(x, layer.options["alpha"]))
        return tf.add(tf.nn.relu(x), scaled, name="activation")


class PReLU(StepByStep):
    """x above 0, alpha x below; alpha of the shape of one item, 1 along shared axes."""

    def read(self, path, name, config, arrays):
        return Layer("PReLU", name, {}, dict(zip(("alpha",), arrays)))

    def array_counts(self, config):
        return 1, 0

    def check(self, path, layer, shapes):
        alpha = layer.weights.get("alpha", np.zeros(()))
        if alpha.ndim != len(shapes[0]) or any(
                size not in (1, whole, whole or size) for size, whole in zip(
                    alpha.shape, shapes[0])):
            raise UserError("%s: the weights of layer '%s' do not have the shapes that its "
                            "description asks for; the file is damaged" % (path, layer.name))

    def no_step(self, layer, timed, shapes):
        if any(timed) and layer.weights["alpha"].shape[0] != 1:
            return "is PReLU with a slope of its own for each step, and so %s; or train with " \
                "shared_axes=[1]" % WHOLE
        return None

    def keeps_steps(self, layer, shapes):
        return True

    def window(self, call):
        return self.slopes(call, call.tensor, call.layer.weights["alpha"])

    def step(self, call):
        alpha = call.layer.weights["alpha"]
        return self.slopes(call, call.values[0], alpha[0] if any(call.timed) else alpha), []

    def slopes(self, call, x, alpha):
        tf = call.ops.tf
        below = tf.nn.relu(tf.multiply(x, call.ops.row(x, -1)))
        below = tf.multiply(below, tf.constant(alpha))
        return tf.subtract(tf.nn.relu(x), below, name="activation")


class Softmax(Activation):
    def read(self, path, name, config, arrays):
        return Layer("Activation", name,
                     {"activation": "softmax", "axis": config.get("axis", -1)}, {})


class LeakyReLU(Pointwise):
    def read(self, path, name, config, arrays):
        return Layer("LeakyReLU", name, {"alpha": float(np.asarray(config["alpha"]))}, {})

    def apply(self, ops, layer, x):
        return ops.tf.nn.leaky_relu(x, layer.options["alpha"], name="leaky")


HANDLERS = {"Activation": Activation(), "ReLU": ReLU(), "LeakyReLU": LeakyReLU(), "ELU": ELU(),
         "Softmax": Softmax(), "PReLU": PReLU(), "ThresholdedReLU": ThresholdedReLU()}
