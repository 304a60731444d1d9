"""Normalisation by moving statistics, by each vector's own, and by constants."""
import numpy as np

from kit.network.layers.handler import Layer, Pointwise, check_arrays, check_axis, same


class BatchNormalization(Pointwise):
    """y = scale * x + offset, from gamma, beta and the moving statistics."""

    def read(self, path, name, config, arrays):
        axis = config["axis"]
        arrays = list(arrays)
        gamma = arrays.pop(0) if config.get("scale", True) else 1.0
        beta = arrays.pop(0) if config.get("center", True) else 0.0
        mean, variance = (a.astype(np.float64) for a in arrays[:2])  # renorm keeps more
        scale = gamma / np.sqrt(variance + config["epsilon"])
        axis = axis[0] if isinstance(axis, (list, tuple)) else axis
        return Layer("BatchNormalization", name, {"axis": axis}, {
            "scale": scale.astype(np.float32), "offset": (beta - mean * scale).astype(np.float32)})

    def array_counts(self, config):
        return config.get("scale", True) + config.get("center", True), 2

    def check(self, path, layer, shapes):
        check_axis(path, layer, shapes[0], "normalises")
        check_arrays(path, layer, {"scale": shapes[0][-1:], "offset": shapes[0][-1:]}, ())

    def apply(self, ops, layer, x):
        scaled = ops.tf.multiply(x, ops.tf.constant(layer.weights["scale"]), name="scaled")
        return ops.tf.add(scaled, ops.tf.constant(layer.weights["offset"]), name="normalised")

    def window(self, call):
        """Over a sequence as a product: toco would move one with a vector to before the reshape."""
        if len(call.before) == 1:
            return self.apply(call.ops, call.layer, call.tensor)
        weights = call.layer.weights

        def product(x):
            return call.ops.linear(np.diag(weights["scale"]), weights["offset"], "linear",
                                   "dense")(x)
        return call.ops.over_last_axis(product, call.tensor, call.before, call.after)


    def twin(self, keras, layer, values, timed):
        copy = same(layer, axis=-1)
        return copy, copy(values[0])


class LayerNormalization(Pointwise):
    """Ba 2016: each vector less its mean, by its own standard deviation.

    Means are products with a matrix: one operator, whatever the rank.
    """

    def read(self, path, name, config, arrays):
        axis, arrays = config["axis"], list(arrays)
        axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        weights = {name: arrays.pop(0) for name, has in (
            ("gamma", config.get("scale", True)), ("beta", config.get("center", True)))
            if has and arrays}
        options = {"axis": axis, "epsilon": float(config["epsilon"])}
        return Layer("LayerNormalization", name, options, weights)

    def array_counts(self, config):
        return config.get("scale", True) + config.get("center", True), 0

    def check(self, path, layer, shapes):
        check_axis(path, layer, shapes[0], "normalises")
        check_arrays(path, layer, {"gamma": shapes[0][-1:], "beta": shapes[0][-1:]}, ())

    def apply(self, ops, layer, x):
        tf, width = ops.tf, int(x.shape[-1])
        zeros, mean = np.zeros(width, np.float32), np.full((width, width), 1 / width)
        apart = ops.linear(np.eye(width) - mean, zeros, "linear", "apart")(x)
        variance = ops.linear(mean, zeros + np.float32(layer.options["epsilon"]), "linear",
                              "variance")(tf.multiply(apart, apart, name="squares"))
        found = tf.multiply(apart, tf.math.rsqrt(variance), name="normal")
        for key, function in (("gamma", tf.multiply), ("beta", tf.add)):
            if key in layer.weights:
                found = function(found, tf.constant(layer.weights[key]), name=key + "_applied")
        return found

    def twin(self, keras, layer, values, timed):
        copy = same(layer, axis=-1)
        return copy, copy(values[0])


class Rescaling(Pointwise):
    """y = scale * x + offset, two numbers; as a product, as toco loses a state times a number."""

    def read(self, path, name, config, arrays):
        return Layer("Rescaling", name, {"scale": float(config["scale"]),
                                         "offset": float(config["offset"])}, {})

    def apply(self, ops, layer, x):
        width = int(x.shape[-1])
        kernel = np.diag(np.full(width, layer.options["scale"], np.float32))
        bias = np.full(width, layer.options["offset"], np.float32)
        return ops.linear(kernel, bias, "linear", "rescaled")(x)


HANDLERS = {"BatchNormalization": BatchNormalization(), "Rescaling": Rescaling(),
         "LayerNormalization": LayerNormalization()}
