"""Layers that repeat or rearrange what they get."""
import numpy as np

from kit.network.layers.kind import Kind, Layer, WHOLE


class RepeatVector(Kind):
    def read(self, path, name, config, arrays):
        return Layer("RepeatVector", name, {"n": config["n"]}, {})

    def shape(self, layer, shape):
        return (layer.options["n"],) + shape

    def no_step(self, layer, after_end):
        return "is RepeatVector, which " + WHOLE

    def window(self, call):
        return [call.value] * call.layer.options["n"]

    def fused(self, call):
        return call.ops.joined(self.window(call), call.after)


class Reshape(Kind):
    def read(self, path, name, config, arrays):
        return Layer("Reshape", name, {"target_shape": config["target_shape"]}, {})

    def shape(self, layer, shape):
        target = tuple(int(size) for size in layer.options["target_shape"])
        if -1 not in target or None in shape:
            return tuple(None if size == -1 else size for size in target)
        known = -int(np.prod(target))
        return tuple(int(np.prod(shape)) // known if size == -1 else size for size in target)

    def no_step(self, layer, after_end):
        return None if after_end else "is %s over the steps, which %s" % (layer.kind, WHOLE)

    def window(self, call):
        return call.ops.tf.reshape(call.tensor, (-1,) + tuple(call.after), name="shaped")


class Flatten(Reshape):
    def read(self, path, name, config, arrays):
        return Layer("Flatten", name, {}, {})

    def shape(self, layer, shape):
        return (None if None in shape else int(np.prod(shape)),)


KINDS = {"RepeatVector": RepeatVector(), "Flatten": Flatten(), "Reshape": Reshape()}
