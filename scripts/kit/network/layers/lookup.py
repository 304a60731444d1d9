"""Layers that begin a model: Embedding of whole numbers, Masking of steps without a measurement."""
import numpy as np

from kit.network.layers.handler import Layer, StepByStep, check_arrays, same

MANY = np.float32(1e30)  # any difference of float32 times this is more than 6


class Embedding(StepByStep):
    """Row x of a table; with mask_zero, x = 0 is a step that does not count."""

    def read(self, path, name, config, arrays):
        options = {"rows": config["input_dim"], "width": config["output_dim"],
                   "mask_zero": bool(config.get("mask_zero"))}
        return Layer("Embedding", name, options, dict(zip(("table",), arrays)))

    def array_counts(self, config):
        return 1, 0

    def limit(self, layer):
        return layer.options["rows"]

    def shape(self, layer, shape):
        return tuple(shape) + (layer.options["width"],)

    def check(self, path, layer, shapes):
        check_arrays(path, layer, {"table": (layer.options["rows"], layer.options["width"])},
                     ["table"])

    def masks(self, layer, masked):
        return layer.options["mask_zero"]

    def mask(self, call):
        if not call.layer.options["mask_zero"]:
            return None
        counted = np.ones((call.layer.options["rows"], 1), np.float32)
        counted[0] = 0
        found = call.ops.tf.gather(counted, call.values[0], name="counts")
        return call.ops.each_step(found, tuple(call.before) + (1,), lambda one: one)

    def window(self, call):
        table = call.ops.tf.constant(call.layer.weights["table"], name="table")
        return call.ops.tf.gather(table, call.values[0], name="rows")

    def twin(self, keras, layer, values, timed):
        copy = same(layer, input_length=None)
        return copy, copy(values[0])


class Masking(StepByStep):
    """A step whose channels all are mask_value does not count; its channels become 0."""

    def read(self, path, name, config, arrays):
        return Layer("Masking", name, {"value": float(config["mask_value"])}, {})

    def masks(self, layer, masked):
        return True

    def mask(self, call):
        return call.ops.each_step(call.values[0], call.before, lambda one: counts(
            call.ops, one, call.layer.options["value"]))

    def window(self, call):
        if call.layer.options["value"] == 0:
            return call.values[0]
        tf = call.ops.tf
        return [tf.multiply(*pair, name="masked") for pair in zip(call.steps, call.made)]

    def step(self, call):
        if call.layer.options["value"] == 0:
            return call.values[0], []
        return call.ops.tf.multiply(call.values[0], call.made, name="masked"), []


def counts(ops, x, value):
    """The mask (n, 1) of one step (n, C): 1 where a channel is not `value`, 0 elsewhere."""
    tf, width = ops.tf, int(x.shape[-1])
    sides = np.concatenate([np.eye(width), -np.eye(width)], 1).astype(np.float32)
    bias = np.repeat(np.float32([-value, value]), width)
    apart = ops.linear(sides, bias, "relu", "apart")(x)  # (n, 2 C): |x - value| by its sides
    many = ops.linear(np.full((2 * width, 1), MANY, np.float32), np.zeros(1, np.float32), "relu6",
                      "many")(apart)
    return tf.multiply(many, tf.constant(np.full(1, 1 / 6, np.float32)), name="counts")


HANDLERS = {"Embedding": Embedding(), "Masking": Masking()}
