"""Layers that repeat or rearrange what they get."""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.handler import Handler, Layer, WHOLE, check_rank, same


class RepeatVector(Handler):
    def read(self, path, name, config, arrays):
        return Layer("RepeatVector", name, {"n": config["n"]}, {})

    def shape(self, layer, shape):
        return (layer.options["n"],) + tuple(shape)

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 1, "a vector")

    def no_step(self, layer, timed, shapes):
        return "is RepeatVector, which " + WHOLE

    def window(self, call):
        return [call.values[0]] * call.layer.options["n"]

    def fused(self, call):
        return call.ops.joined(self.window(call), call.after)


class Reshape(Handler):
    """Where the first axis stays what it was, each step is shaped by itself."""

    def read(self, path, name, config, arrays):
        target = tuple(int(size) for size in config["target_shape"])
        return Layer("Reshape", name, {"target_shape": target}, {})

    def shape(self, layer, shape):
        target = layer.options["target_shape"]
        if -1 not in target or None in shape:
            return tuple(None if size == -1 else size for size in target)
        known = -int(np.prod(target))
        return tuple(int(np.prod(shape)) // known if size == -1 else size for size in target)

    def check(self, path, layer, shapes):
        after = self.shape(layer, shapes[0])
        if None not in tuple(shapes[0]) + tuple(after) and np.prod(after) != np.prod(shapes[0]):
            raise UserError("%s: layer '%s' shapes %s to %s; the file is damaged"
                            % (path, layer.name, tuple(shapes[0]), tuple(after)))

    def keeps_steps(self, layer, shapes):
        after = self.shape(layer, shapes[0])
        return len(shapes[0]) > 0 and shapes[0][0] is not None and shapes[0][0] == after[0]

    def no_step(self, layer, timed, shapes):
        if not any(timed) or self.keeps_steps(layer, shapes):
            return None
        return super().no_step(layer, timed, shapes)

    def window(self, call):
        return call.ops.tf.reshape(call.tensor, (-1,) + tuple(call.after), name="shaped")

    def twin(self, keras, layer, values, timed):
        item = tuple(layer.output_shape[2 if any(timed) else 1:])
        return reshaped(keras, values[0], item)


def reshaped(keras, value, item):
    """Keras' layer, and its output, that shapes each step (n, T, ...) to an item."""
    known = tuple(-1 if size is None else size for size in item)
    layer = keras.layers.Lambda(lambda x: keras.backend.reshape(
        x, (keras.backend.shape(x)[0], keras.backend.shape(x)[1]) + known),
        output_shape=(None,) + item)
    return layer, layer(value)


class Flatten(Reshape):
    def read(self, path, name, config, arrays):
        return Layer("Flatten", name, {}, {})

    def shape(self, layer, shape):
        return (None if None in shape else int(np.prod(shape)),)

    def check(self, path, layer, shapes):
        pass

    def keeps_steps(self, layer, shapes):
        return False


class Permute(Handler):
    """Axes in another order; `dims` counts them from 1."""

    def read(self, path, name, config, arrays):
        return Layer("Permute", name, {"dims": tuple(config["dims"])}, {})

    def shape(self, layer, shape):
        return tuple(shape[axis - 1] for axis in layer.options["dims"])

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], len(layer.options["dims"]), "as many axes as it orders")

    def keeps_steps(self, layer, shapes):
        return layer.options["dims"][0] == 1

    def no_step(self, layer, timed, shapes):
        return None if self.keeps_steps(layer, shapes) else super().no_step(layer, timed, shapes)

    def window(self, call):
        return call.ops.tf.transpose(call.tensor, (0,) + call.layer.options["dims"],
                                     name="permuted")

    def step(self, call):
        if not any(call.timed):
            return self.window(call), []
        order = [axis - 1 for axis in call.layer.options["dims"]]
        return call.ops.tf.transpose(call.values[0], order, name="permuted"), []

    def twin(self, keras, layer, values, timed):
        copy = same(layer)
        return copy, (copy if any(timed) else keras.layers.TimeDistributed(copy))(values[0])


class LastStep(Handler):
    """The last step of a sequence, x[:, -1]; in the step form, each as it comes."""

    takes_steps = True

    def read(self, path, name, config, arrays):
        return Layer("LastStep", name, {}, {})

    def shape(self, layer, shape):
        return tuple(shape[1:])

    def check(self, path, layer, shapes):
        if len(shapes[0]) < 2:
            raise UserError("%s: layer '%s' takes the last step, and gets %s, which has none"
                            % (path, layer.name, tuple(shapes[0])))

    def no_step(self, layer, timed, shapes):
        return None if any(timed) else super().no_step(layer, [True], shapes)

    def window(self, call):
        if isinstance(call.values[0], list):
            return call.values[0][-1]
        begin = [0, call.before[0] - 1] + [0] * len(call.after)
        last = call.ops.tf.slice(call.tensor, begin, [-1, 1] + list(call.after), name="last")
        return call.ops.tf.reshape(last, (-1,) + tuple(call.after), name="vector")

    def step(self, call):
        return call.values[0], []

    def twin(self, keras, layer, values, timed):
        copy = keras.layers.Activation("linear")
        return copy, copy(values[0])


HANDLERS = {"RepeatVector": RepeatVector(), "Flatten": Flatten(), "Reshape": Reshape(),
         "Permute": Permute(), "LastStep": LastStep()}
