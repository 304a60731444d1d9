"""Dense, and the layers that do nothing at inference."""
import numpy as np

from kit.network.layers.activations import activation
from kit.network.layers.handler import Dropped, Layer, Pointwise, check_arrays


class Dense(Pointwise):
    def read(self, path, name, config, arrays):
        options = {"units": config["units"],
                   "activation": activation(path, name, config["activation"])}
        return Layer("Dense", name, options, dict(zip(("kernel", "bias"), arrays)))

    def array_counts(self, config):
        return 1 + bool(config.get("use_bias", True)), 0

    def shape(self, layer, shape):
        return tuple(shape[:-1]) + (layer.options["units"],)

    def check(self, path, layer, shapes):
        units = layer.options["units"]
        check_arrays(path, layer, {"kernel": (shapes[0][-1], units), "bias": (units,)}, ["kernel"])

    def apply(self, ops, layer, x):
        kernel = layer.weights["kernel"]
        bias = layer.weights.get("bias", np.zeros(kernel.shape[1], np.float32))
        return ops.linear(kernel, bias, layer.options["activation"], "dense")(x)


HANDLERS = {"Dense": Dense()}
HANDLERS.update((name, Dropped()) for name in (
    "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "SpatialDropout2D", "ActivityRegularization"))
