"""Activations, by name inside other layers and as layers of their own."""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.kind import Layer, Pointwise, check_axis

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer 2017, as in Keras


def _hard_sigmoid(ops, x, name):
    """As a product with the unit matrix: of scalars in a row toco makes an abort."""
    width = int(x.shape[-1])
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
}


def activation(path, name, value):
    """An activation's name, known here; UserError that names the layer `name` otherwise."""
    if isinstance(value, dict) or value not in ACTIVATIONS:
        raise UserError("%s: layer '%s' has the activation %s; supported are %s"
                        % (path, name, value, ", ".join(ACTIVATIONS)))
    return value


class Activation(Pointwise):
    def read(self, path, name, config, arrays):
        return Layer("Activation", name,
                     {"activation": activation(path, name, config["activation"])}, {})

    def check(self, path, layer, shape):
        check_axis(path, layer, shape)

    def apply(self, ops, layer, x):
        return ops.activate(x, layer.options["activation"], "activation")


class ReLU(Activation):
    def read(self, path, name, config, arrays):
        slope = float(np.asarray(config.get("negative_slope", 0) or 0))
        top = config.get("max_value")
        if (config.get("threshold") or 0) != 0 or top not in (None, 6) or (slope and top):
            raise UserError("%s: layer '%s' is ReLU with a threshold or a max_value other than 6"
                            % (path, name))
        if slope:
            return Layer("LeakyReLU", name, {"alpha": slope}, {})
        return Layer("Activation", name, {"activation": "relu6" if top else "relu"}, {})


class ELU(Activation):
    def read(self, path, name, config, arrays):
        if float(np.asarray(config.get("alpha", 1))) != 1:
            raise UserError("%s: layer '%s' is ELU with an alpha other than 1, which TFLite fixes"
                            % (path, name))
        return Layer("Activation", name, {"activation": "elu"}, {})


class Softmax(Activation):
    def read(self, path, name, config, arrays):
        return Layer("Activation", name,
                     {"activation": "softmax", "axis": config.get("axis", -1)}, {})


class LeakyReLU(Pointwise):
    def read(self, path, name, config, arrays):
        return Layer("LeakyReLU", name, {"alpha": float(np.asarray(config["alpha"]))}, {})

    def apply(self, ops, layer, x):
        return ops.tf.nn.leaky_relu(x, layer.options["alpha"], name="leaky")


KINDS = {"Activation": Activation(), "ReLU": ReLU(), "LeakyReLU": LeakyReLU(), "ELU": ELU(),
         "Softmax": Softmax()}
