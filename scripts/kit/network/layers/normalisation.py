"""Normalisation by moving statistics."""
import numpy as np

from kit.network.layers.kind import Layer, Pointwise, check_arrays, check_axis


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
        return config["scale"] + config["center"], 2

    def check(self, path, layer, shape):
        check_axis(path, layer, shape, "normalises")
        check_arrays(path, layer, {"scale": shape[-1:], "offset": shape[-1:]}, ())

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


KINDS = {"BatchNormalization": BatchNormalization()}
