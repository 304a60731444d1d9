"""Layers that make one value of several."""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.handler import Handler, Layer, WHOLE, as_batch, same


class Merge(Handler):
    """One value of several, element by element, with numpy's broadcasting."""

    takes_mask = True

    def combine(self, tf, tensors):
        raise NotImplementedError

    def shapes(self, layer, shapes):
        ranks = max(map(len, shapes))
        padded = [(1,) * (ranks - len(shape)) + tuple(shape) for shape in shapes]
        return [tuple(None if None in sizes else max(sizes) for sizes in zip(*padded))]

    def check(self, path, layer, shapes):
        if len(set(map(len, shapes))) > 1:
            raise UserError("%s: layer '%s' is %s of inputs of different ranks, %s"
                            % (path, layer.name, layer.class_name, shapes))
        for sizes in zip(*shapes):
            if len(set(sizes) - {1, None}) > 1:
                raise UserError("%s: layer '%s' is %s of shapes that do not fit, %s; if their "
                                "steps are open, say --window-steps"
                                % (path, layer.name, layer.class_name, shapes))

    def masks(self, layer, masked):
        return any(masked)

    def mask(self, call):
        """A step counts where it counts in all that have a mask."""
        masks = [mask for mask in call.masks if mask is not None]
        found = masks[0] if masks else None
        for other in masks[1:]:
            product = call.ops.tf.multiply
            found = ([product(a, b, name="both") for a, b in zip(found, other)]
                     if isinstance(found, list) else product(found, other, name="both"))
        return found

    def keeps_steps(self, layer, shapes):
        return True

    def no_step(self, layer, timed, shapes):
        return None if all(timed) or not any(timed) else (
            "joins a sequence with what is none, which " + WHOLE)

    def window(self, call):
        return self.combine(call.ops.tf, call.tensors)

    def twin(self, keras, layer, values, timed):
        copy = same(layer)
        return copy, copy(values)


class Pairwise(Merge):
    def __init__(self, class_name):
        self.class_name = class_name

    def read(self, path, name, config, arrays):
        return Layer(self.class_name, name, {}, {})

    def combine(self, tf, tensors):
        function = {"Add": tf.add, "Subtract": tf.subtract, "Multiply": tf.multiply,
                    "Maximum": tf.maximum, "Minimum": tf.minimum, "Average": tf.add}[self.class_name]
        found = tensors[0]
        for number, other in enumerate(tensors[1:]):
            found = function(found, other, name="%s_%d" % (self.class_name.lower(), number))
        if self.class_name == "Average":
            width = int(found.shape[-1])  # as a row: toco loses some products with a scalar
            share = np.full(width, 1 / len(tensors), np.float32)
            found = tf.multiply(found, tf.constant(share), name="average")
        return found


class Concatenate(Merge):
    def read(self, path, name, config, arrays):
        return Layer("Concatenate", name, {"axis": config.get("axis", -1)}, {})

    def axis(self, layer, shape):
        """Without the batch, counted from the start."""
        axis = layer.options["axis"]
        return axis - 1 if axis > 0 else len(shape) + axis

    def shapes(self, layer, shapes):
        axis, sizes = self.axis(layer, shapes[0]), [shape[:] for shape in shapes]
        along = [shape[axis] for shape in sizes]
        total = None if None in along else sum(along)
        others = [tuple(s for s in sizes_of if s is not None) or (None,)
                  for sizes_of in zip(*sizes)]
        return [tuple(total if k == axis else values[0] for k, values in enumerate(others))]

    def check(self, path, layer, shapes):
        axis = self.axis(layer, shapes[0])
        rest = {len(shape) for shape in shapes}
        if len(rest) > 1 or not 0 <= axis < len(shapes[0]) or any(
                len({shape[k] for shape in shapes} - {None}) > 1
                for k in range(len(shapes[0])) if k != axis):
            raise UserError("%s: layer '%s' is Concatenate along axis %s of shapes that do not "
                            "fit, %s" % (path, layer.name, layer.options["axis"], shapes))

    def check_mask(self, path, layer):
        if layer.options["axis"] == 1:
            raise UserError("%s: layer '%s' joins masked sequences one after the other, which is "
                            "not supported" % (path, layer.name))

    def keeps_steps(self, layer, shapes):
        return self.axis(layer, shapes[0]) > 0

    def no_step(self, layer, timed, shapes):
        if any(timed) and self.axis(layer, shapes[0]) == 0:
            return "is Concatenate over the steps, which " + WHOLE
        return super().no_step(layer, timed, shapes)

    def window(self, call):
        axis = self.axis(call.layer, call.sizes[0]) + 1
        return call.ops.tf.concat(call.tensors, axis, name="concatenated")

    def step(self, call):
        axis = self.axis(call.layer, call.sizes[0]) + 1  # sizes without the steps, if timed
        if any(call.timed) and call.layer.options["axis"] > 0:
            axis -= 1
        return call.ops.tf.concat(call.values, axis, name="concatenated"), []

    def twin(self, keras, layer, values, timed):
        axis = layer.get_config()["axis"]
        copy = same(layer, axis=axis if any(timed) or axis < 0 else axis + 1)
        return copy, copy(values)


class Dot(Merge):
    """Products along one axis of each: (n, a, k), (n, b, k) -> (n, a, b)."""

    def read(self, path, name, config, arrays):
        axes = config["axes"]
        axes = [axes, axes] if isinstance(axes, int) else list(axes)
        return Layer("Dot", name, {"axes": axes, "normalize": bool(config.get("normalize"))}, {})

    def axes(self, layer, shapes):
        return [axis - 1 if axis > 0 else len(shape) + axis
                for axis, shape in zip(layer.options["axes"], shapes)]

    def shapes(self, layer, shapes):
        a, b = self.axes(layer, shapes)
        found = [size for k, size in enumerate(shapes[0]) if k != a]
        found += [size for k, size in enumerate(shapes[1]) if k != b]
        return [tuple(found) or (1,)]

    def check(self, path, layer, shapes):
        a, b = self.axes(layer, shapes)
        if len(shapes) != 2 or max(map(len, shapes)) > 2 or shapes[0][a] != shapes[1][b]:
            raise UserError("%s: layer '%s' is Dot of %s along axes %s; two inputs of at most two "
                            "axes beside the batch are supported"
                            % (path, layer.name, shapes, layer.options["axes"]))

    def masks(self, layer, masked):
        return False

    def mask(self, call):
        return None

    def keeps_steps(self, layer, shapes):
        return False

    def no_step(self, layer, timed, shapes):
        return "is Dot over the steps, which " + WHOLE if any(timed) else None

    def window(self, call):
        tf, (a, b) = call.ops.tf, self.axes(call.layer, call.sizes)
        x, y = call.tensors
        if call.layer.options["normalize"]:
            x, y = (t * tf.math.rsqrt(tf.maximum(tf.reduce_sum(
                t * t, axis + 1, keepdims=True), 1e-12)) for t, axis in ((x, a), (y, b)))
        if len(call.sizes[0]) == len(call.sizes[1]) == 1:
            return tf.reduce_sum(tf.multiply(x, y), 1, keepdims=True, name="dot")
        wide = [len(size) for size in call.sizes]
        x = x if wide[0] == 2 else tf.reshape(x, (-1, 1) + tuple(call.sizes[0]))
        y = y if wide[1] == 2 else tf.reshape(y, (-1, 1) + tuple(call.sizes[1]))
        a, b = a + (wide[0] == 1), b + (wide[1] == 1)
        found = call.ops.batch_product(x, y, a == 0, b == 1)
        return tf.reshape(found, (-1,) + tuple(call.after), name="dot")

    def twin(self, keras, layer, values, timed):
        return as_batch(keras, same(layer), values, layer.output_shape[1:])


HANDLERS = {class_name: Pairwise(class_name) for class_name in (
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")}
HANDLERS.update(Concatenate=Concatenate(), Dot=Dot())
