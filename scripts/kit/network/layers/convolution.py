"""Convolutions, pooling and padding along one and two axes, and the LSTM of convolutions.

A convolution along the steps is a product with k samples side by side: one FULLY_CONNECTED for all
steps, and in the step form one for the last k samples, of which k - 1 are a state.
"""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.activations import activation
from kit.network.layers.handler import Handler, Layer, check_arrays, check_rank, same
from kit.network.layers.recurrent import LSTM, blend
from kit.network.roles import note

ONE_DIMENSION, TWO_DIMENSIONS = "(steps, channels)", "(rows, columns, channels)"


def refuse_channels_first(path, name, config):
    if config.get("data_format", "channels_last") == "channels_first":
        raise UserError("%s: layer '%s' has its channels first; TFLite has them last: build the "
                        "model with data_format='channels_last'" % (path, name))


def numbers(value, count):
    """Keras' int or tuple as a tuple."""
    return (int(value),) * count if isinstance(value, int) else tuple(int(v) for v in value)


def options_of(config, count):
    return {"strides": numbers(config.get("strides", 1), count), "padding": config["padding"],
            "dilation": numbers(config.get("dilation_rate", 1), count)}


def length(size, kernel, stride, dilation, padding):
    """How many outputs there are along an axis; None where it is open."""
    if size is None:
        return None if stride > 1 or padding == "valid" else size
    reach = (kernel - 1) * dilation + 1 if padding == "valid" else 1
    return (size - reach) // stride + 1


class Strided(Handler):
    """A layer that may give an output every few steps alone.

    In the step form a state counts them, one of its numbers 1, and the output has a mask: 1 where
    there is a new one. Where it is 0 the output is the last one, another state, and what follows
    holds its states, as at a masked step.
    """

    def is_slow(self, layer):
        """Whether the step form has outputs at some calls only."""
        return self.pace(layer) != (0, 1)

    def phases(self, layer, width):
        """The last output, of so many channels, and the state that counts, where there are such."""
        return [("last", (width,)), ("phase", (sum(self.pace(layer)),))] if self.is_slow(layer) else []

    def onward(self, layer):
        """The matrix and the numbers that make the next count of one: v A + b.

        It begins with all zeros, and then goes to its first place.
        """
        first, every = self.pace(layer)
        matrix = np.eye(first + every, k=1, dtype=np.float32)
        matrix[-1, first] += 1
        matrix[:, 0] -= 1
        return matrix, np.eye(first + every, dtype=np.float32)[0]

    def mask(self, call):
        """Where there is a new output, in the step form."""
        if not any(call.timed) or not self.is_slow(call.layer):
            return call.masks[0]
        (matrix, start), first = self.onward(call.layer), self.pace(call.layer)[0]
        new = call.ops.linear(matrix[:, first:first + 1], start[first:first + 1], "linear", "new")(
            call.states[-1])
        return new if call.masks[0] is None else call.ops.tf.multiply(call.masks[0], new, name="both")

    def along(self, call, reach, output):
        """(output, new states) of a step: `output` of the last reach + 1 samples side by side."""
        tf, x, width, after = call.ops.tf, call.values[0], call.before[-1], []
        seen = tf.concat([call.states[0], x], 1, name="seen") if reach else x
        if reach:
            later = tf.slice(seen, [0, width], [-1, reach * width], name="later")
            after.append(blend(tf, call.masks[0], later, call.states[0], name="held"))
        found = output(seen)
        if self.is_slow(call.layer):
            found = blend(tf, call.made, found, call.states[-2], name="repeated")
            count = call.ops.linear(*self.onward(call.layer), "linear", "count")(call.states[-1])
            after += [found, blend(tf, call.masks[0], count, call.states[-1], name="held")]
        return found, after

    def no_loop(self, layer):
        if self.is_slow(layer):
            return "is %s with an output every %d steps; use the window form" % (
                layer.class_name, self.pace(layer)[1])
        return None


class Conv1D(Strided):
    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        options = dict(options_of(config, 1), kernel=numbers(config["kernel_size"], 1)[0],
                       filters=config["filters"],
                       activation=activation(path, name, config["activation"]))
        return Layer("Conv1D", name, options, dict(zip(("kernel", "bias"), arrays)))

    def array_counts(self, config):
        return 1 + bool(config.get("use_bias", True)), 0

    def shape(self, layer, shape):
        options = layer.options
        size = length(shape[0], options["kernel"], options["strides"][0], options["dilation"][0],
                      options["padding"])
        return size, options["filters"]

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 2, ONE_DIMENSION)
        options = layer.options
        check_arrays(path, layer, {
            "kernel": (options["kernel"], shapes[0][-1], options["filters"]),
            "bias": (options["filters"],)}, ["kernel"])

    def bias(self, layer):
        return layer.weights.get("bias", np.zeros(layer.options["filters"], np.float32))

    def product(self, call):
        """The function of (rows, k C) that a convolution is."""
        kernel = call.layer.weights["kernel"]
        return call.ops.linear(kernel.reshape(-1, kernel.shape[-1]), self.bias(call.layer),
                               call.layer.options["activation"], "convolution")

    def window(self, call):
        options, ops = call.layer.options, call.ops
        size, kernel, stride = call.before[0], options["kernel"], options["strides"][0]
        gap, count, x = options["dilation"][0], call.after[0], call.tensor
        missing = max(0, (count - 1) * stride + (kernel - 1) * gap + 1 - size)
        left = {"valid": 0, "causal": (kernel - 1) * gap, "same": missing // 2}[options["padding"]]
        right = missing - left if options["padding"] == "same" else 0
        if left or right:
            x = ops.tf.pad(x, [[0, 0], [left, right], [0, 0]], name="padded")
        parts = [ops.part(x, j * gap, count, stride) for j in range(kernel)]
        joined = parts[0] if kernel == 1 else ops.tf.concat(parts, 2, name="samples")
        return ops.over_last_axis(self.product(call), joined,
                                  (count, kernel * call.before[1]), call.after)

    def keeps_steps(self, layer, shapes):
        options = layer.options
        return options["padding"] != "same" or options["kernel"] == 1

    def no_step(self, layer, timed, shapes):
        if not any(timed):
            return None
        if layer.options["padding"] == "same" and layer.options["kernel"] > 1:
            return "is %s with padding='same', which looks ahead; use the window form, or train " \
                "with padding='causal'" % layer.class_name
        return None

    def pace(self, layer):
        """Without strides a valid one begins with samples of zero."""
        stride = layer.options["strides"][0]
        return (self.reach(layer) if layer.options["padding"] == "valid" else 0, stride) if (
            stride > 1) else (0, 1)

    def no_loop(self, layer):
        if self.is_slow(layer):
            return super().no_loop(layer)
        if layer.options["padding"] == "valid" and self.reach(layer):
            return "is %s with padding='valid', and a loop would begin with samples of zero; use " \
                "the window form, or train with padding='causal'" % layer.class_name
        return None

    def reach(self, layer):
        return (layer.options["kernel"] - 1) * layer.options["dilation"][0]

    def states(self, layer, shape):
        reach = self.reach(layer)
        samples = [("samples", (reach * shape[-1],))] if reach and len(shape) == 1 else []
        return samples + self.phases(layer, layer.options["filters"])

    def step(self, call):
        if not any(call.timed):
            return self.window(call), []
        tf, width, gap = call.ops.tf, call.before[-1], call.layer.options["dilation"][0]
        reach = self.reach(call.layer)

        def output(seen):
            taps = seen if gap == 1 or not reach else tf.concat(
                [tf.slice(seen, [0, k * width], [-1, width]) for k in range(0, reach + 1, gap)], 1)
            return self.product(call)(taps)
        return self.along(call, reach, output)

    def twin(self, keras, layer, values, timed):
        config = layer.get_config()
        begins_with_zeros = config["padding"] == "valid" and tuple(config["strides"]) == (1,)
        changed = {"padding": "causal"} if begins_with_zeros else {}
        copy = same(layer, **(changed if any(timed) else {}))
        return copy, (copy if any(timed) else keras.layers.TimeDistributed(copy))(values[0])


class SeparableConv1D(Conv1D):
    """Read as the Conv1D that it is: its two kernels multiplied."""

    def read(self, path, name, config, arrays):
        arrays = list(arrays)
        if len(arrays) >= 2:
            depth, point = arrays[:2]  # (k, C, M), (1, C M, F)
            both = np.einsum("kcm,cmf->kcf", depth.astype(np.float64), point.reshape(
                depth.shape[1], depth.shape[2], -1).astype(np.float64))
            arrays = [both.astype(np.float32)] + arrays[2:]
        return super().read(path, name, config, arrays)

    def array_counts(self, config):
        return 2 + bool(config.get("use_bias", True)), 0


class Pooling(Strided):
    """The largest or the mean of windows along one axis or two."""

    def __init__(self, rank, mean=False):
        self.rank, self.mean = rank, mean

    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        size = numbers(config["pool_size"], self.rank)
        handler = "%sPooling%dD" % (("Max", "Average")[self.mean], self.rank)
        return Layer(handler, name, {
            "size": size, "strides": numbers(config.get("strides") or size, self.rank),
            "padding": config["padding"]}, {})

    def shape(self, layer, shape):
        options = layer.options
        return tuple(length(axis, size, stride, 1, options["padding"]) for axis, size, stride in zip(
            shape, options["size"], options["strides"])) + tuple(shape[-1:])

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], self.rank + 1, (
            ONE_DIMENSION, TWO_DIMENSIONS)[self.rank - 1])

    def window(self, call):
        """Steps are rows of one column."""
        options, ones = call.layer.options, (1,) * (2 - self.rank)
        x = call.tensor if self.rank == 2 else call.ops.tf.reshape(
            call.tensor, (-1, call.before[0], 1, call.before[1]))
        found = call.ops.pool(x, self.mean, options["size"] + ones, options["strides"] + ones,
                              options["padding"])
        return found if self.rank == 2 else call.ops.tf.reshape(
            found, (-1,) + tuple(call.after), name="pooled")

    def keeps_steps(self, layer, shapes):
        return self.rank == 1 and layer.options["padding"] == "valid"

    def no_step(self, layer, timed, shapes):
        return None if self.keeps_steps(layer, shapes) else super().no_step(layer, timed, shapes)

    def pace(self, layer):
        return layer.options["size"][0] - 1, layer.options["strides"][0]

    def states(self, layer, shape):
        if self.rank == 2 or len(shape) != 1:
            return []
        before = layer.options["size"][0] - 1
        return ([("samples", (before * shape[-1],))] if before else []) + self.phases(
            layer, shape[-1])

    def step(self, call):
        if not any(call.timed):
            return self.window(call), []
        tf, size, width = call.ops.tf, call.layer.options["size"][0], call.before[-1]

        def output(seen):
            found = call.ops.pool(tf.reshape(seen, (-1, size, 1, width)), self.mean, (size, 1),
                                  (1, 1), "valid")
            return tf.reshape(found, (-1, width), name="pooled")
        return self.along(call, size - 1, output)


class GlobalPooling(Handler):
    """The largest or the mean over all steps, or over all rows and columns."""

    def __init__(self, rank, mean=False):
        self.rank, self.mean = rank, mean
        self.takes_mask = mean

    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        class_name = "Global%sPooling%dD" % (("Max", "Average")[self.mean], self.rank - 1)
        return Layer(class_name, name, {}, {})

    def shape(self, layer, shape):
        return tuple(shape[-1:])

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], self.rank, (
            ONE_DIMENSION, TWO_DIMENSIONS)[self.rank - 2])

    def masks(self, layer, masked):
        return False

    def mask(self, call):
        return None

    def window(self, call):
        """A mean as a product, which rounds once in int8; over a mask, of the steps that count."""
        tf, steps, width = call.ops.tf, int(np.prod(call.before[:-1])), call.before[-1]
        if not self.mean:
            found = call.ops.pool(tf.reshape(call.tensor, (-1, steps, 1, width)), False, (steps, 1),
                                  (1, 1), "valid")
            return tf.reshape(found, (-1, width), name="largest")
        mean = call.ops.linear(np.full((steps, 1), 1 / steps, np.float32), np.zeros(1, np.float32),
                               "linear", "mean")
        mask = call.masks[0]
        x = call.tensor if mask is None else call.ops.joined([
            tf.multiply(*pair, name="kept") for pair in zip(call.steps, mask)], call.before)
        rows = tf.transpose(tf.reshape(x, (-1, steps, width)), [0, 2, 1])
        means = tf.reshape(mean(tf.reshape(rows, (-1, steps))), (-1, width), name="means")
        return means if mask is None else tf.divide(
            means, mean(tf.concat(mask, 1, name="counts")), name="of_those")


class UpSampling1D(Handler):
    """Each step `size` times."""

    def read(self, path, name, config, arrays):
        return Layer("UpSampling1D", name, {"size": int(config["size"])}, {})

    def shape(self, layer, shape):
        return (shape[0] and shape[0] * layer.options["size"],) + tuple(shape[1:])

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 2, ONE_DIMENSION)

    def window(self, call):
        return [step for step in call.steps for _ in range(call.layer.options["size"])]

    def fused(self, call):
        return call.ops.joined(self.window(call), call.after)


class Borders(Handler):
    """Zeros put around, or borders cut off: `cropping` or `padding` of a pair per axis."""

    def __init__(self, class_name, rank):
        self.class_name, self.rank, self.crops = class_name, rank, class_name.startswith("Cropping")

    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        value = config["cropping" if self.crops else "padding"]
        value = [value] if self.rank == 1 else value
        pairs = [numbers(pair, 2) for pair in (
            [value] * self.rank if isinstance(value, int) else value)]
        return Layer(self.class_name, name, {"pairs": pairs}, {})

    def shape(self, layer, shape):
        sign = -1 if self.crops else 1
        return tuple(size and size + sign * sum(pair) for size, pair in zip(
            shape, layer.options["pairs"])) + tuple(shape[self.rank:])

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], self.rank + 1, (
            ONE_DIMENSION, TWO_DIMENSIONS)[self.rank - 1])

    def window(self, call):
        tf, pairs = call.ops.tf, call.layer.options["pairs"]
        if self.crops:
            begin = [0] + [pair[0] for pair in pairs] + [0]
            return tf.slice(call.tensor, begin, [-1] + list(call.after), name="cropped")
        return tf.pad(call.tensor, [[0, 0]] + [list(pair) for pair in pairs] + [[0, 0]],
                      name="padded")


# --- rows and columns -------------------------------------------------------------------------


class Conv2D(Handler):
    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        options = dict(options_of(config, 2), kernel=numbers(config["kernel_size"], 2),
                       filters=config.get("filters"),
                       activation=activation(path, name, config["activation"]))
        return Layer(type(self).__name__, name, options, dict(zip(("kernel", "bias"), arrays)))

    def array_counts(self, config):
        return 1 + bool(config.get("use_bias", True)), 0

    def shape(self, layer, shape):
        options = layer.options
        return tuple(length(size, kernel, stride, gap, options["padding"])
                     for size, kernel, stride, gap in zip(
                         shape, options["kernel"], options["strides"], options["dilation"])) + (
            self.width(layer, shape),)

    def width(self, layer, shape):
        return layer.options["filters"]

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 3, TWO_DIMENSIONS)
        width = self.width(layer, shapes[0])
        check_arrays(path, layer, {"kernel": self.kernel_shape(layer, shapes[0]),
                                   "bias": (width,)}, ["kernel"])

    def kernel_shape(self, layer, shape):
        return layer.options["kernel"] + (shape[-1], layer.options["filters"])

    def window(self, call):
        layer, options = call.layer, call.layer.options
        bias = layer.weights.get("bias", np.zeros(call.after[-1], np.float32))
        return call.ops.convolution_of(
            layer.weights["kernel"], bias, options["strides"], options["padding"],
            options["dilation"], options["activation"], "convolution",
            depthwise=layer.class_name == "DepthwiseConv2D")(call.tensor)


class SeparableConv2D(Conv2D):
    """Read as the Conv2D that it is: its two kernels multiplied."""

    def read(self, path, name, config, arrays):
        arrays = list(arrays)
        if len(arrays) >= 2:
            depth, point = arrays[:2]  # (k, k, C, M), (1, 1, C M, F)
            both = np.einsum("ijcm,cmf->ijcf", depth.astype(np.float64), point.reshape(
                depth.shape[2], depth.shape[3], -1).astype(np.float64))
            arrays = [both.astype(np.float32)] + arrays[2:]
        return super().read(path, name, config, arrays)._replace(class_name="Conv2D")

    def array_counts(self, config):
        return 2 + bool(config.get("use_bias", True)), 0


class DepthwiseConv2D(Conv2D):
    def read(self, path, name, config, arrays):
        read = super().read(path, name, config, arrays)
        return read._replace(options=dict(read.options, depth=int(config["depth_multiplier"])))

    def width(self, layer, shape):
        return shape[-1] * layer.options["depth"]

    def kernel_shape(self, layer, shape):
        return layer.options["kernel"] + (shape[-1], layer.options["depth"])


class ConvLSTM2D(LSTM):
    """Shi 2015 without peepholes: the products of an LSTM are convolutions; gates i, f, c, o."""

    def read(self, path, name, config, arrays):
        refuse_channels_first(path, name, config)
        return super().read(path, name, config, arrays)

    def more_options(self, path, name, config):
        gate = config.get("recurrent_activation", "hard_sigmoid")
        return dict(options_of(config, 2), filters=config["filters"],
                    kernel=numbers(config["kernel_size"], 2),
                    recurrent_activation=activation(path, name, gate))

    def item(self, layer, shape):
        read = layer._replace(options=dict(layer.options))
        return Conv2D().shape(read, shape)

    def check(self, path, layer, shapes):
        check_rank(path, layer, shapes[0], 4, "(steps, rows, columns, channels)")
        kernel, filters = layer.options["kernel"], layer.options["filters"]
        check_arrays(path, layer, {
            "kernel": kernel + (shapes[0][-1], 4 * filters),
            "recurrent": kernel + (filters, 4 * filters), "bias": (4 * filters,)},
            ["kernel", "recurrent"])
        self.check_states(path, layer, shapes)

    def no_fused(self, layer):
        return "is ConvLSTM2D, and the fused op is an LSTM", ""

    def fused_activations(self, layer):
        return []

    def zeros(self, tf, layer, like):
        shape = self.item(layer, tuple(int(size) for size in like.shape[1:]))
        full = tf.stack([tf.shape(like)[0]] + [int(size) for size in shape])
        return [tf.fill(full, 0.0, name="zero_" + state) for state in self.carried]

    def cell(self, ops, layer):
        """Gates and candidate are one convolution each of x and h side by side, where both are
        convolved in one way; else each is the sum of two."""
        tf, options = ops.tf, layer.options
        act, gate_act = options["activation"], options["recurrent_activation"]
        bias = layer.weights.get("bias", np.zeros(4 * options["filters"], np.float32))
        i, f, g, o = np.split(np.arange(4 * options["filters"]), 4)
        alike = options["padding"] == "same" and options["strides"] == options["dilation"] == (1, 1)
        sums = self._joined if alike else self._apart
        gates = sums(ops, layer, bias, np.concatenate([i, f, o]), gate_act, "gates")
        candidate = sums(ops, layer, bias, g, act, "candidate")

        def cell(x, states):
            h, c = states
            given = [note("joined", tf.concat([x, h], 3, name="xh"))] if alike else [x, h]
            into, keep, out = tf.split(gates(*given), 3, 3, name="gate")
            added = tf.multiply(into, candidate(*given), name="added")
            c = tf.add(tf.multiply(keep, c, name="kept"), added, name="c")
            return [tf.multiply(out, ops.activate(c, act, "squashed"), name="h"), c]
        return cell

    def _joined(self, ops, layer, bias, columns, activation, name):
        """A function of x and h side by side."""
        kernel = np.concatenate([layer.weights["kernel"], layer.weights["recurrent"]], 2)
        return ops.convolution_of(kernel[..., columns], bias[columns], (1, 1), "same", (1, 1),
                                  activation, name)

    def _apart(self, ops, layer, bias, columns, activation, name):
        """A function of x and of h."""
        options = layer.options
        from_x = ops.convolution_of(layer.weights["kernel"][..., columns], bias[columns],
                                    options["strides"], options["padding"], options["dilation"],
                                    "linear", name + "_x")
        from_h = ops.convolution_of(layer.weights["recurrent"][..., columns],
                                    np.zeros(len(columns), np.float32), (1, 1), "same", (1, 1),
                                    "linear", name + "_h")
        return lambda x, h: ops.activate(ops.tf.add(from_x(x), from_h(h), name=name + "_sum"),
                                         activation, name)


CELLS = {"ConvLSTM2D": ConvLSTM2D()}
HANDLERS = {
    "Conv1D": Conv1D(), "SeparableConv1D": SeparableConv1D(), "MaxPooling1D": Pooling(1),
    "AveragePooling1D": Pooling(1, True), "GlobalMaxPooling1D": GlobalPooling(2),
    "GlobalAveragePooling1D": GlobalPooling(2, True), "UpSampling1D": UpSampling1D(),
    "Conv2D": Conv2D(), "SeparableConv2D": SeparableConv2D(),
    "DepthwiseConv2D": DepthwiseConv2D(), "MaxPooling2D": Pooling(2),
    "AveragePooling2D": Pooling(2, True), "GlobalMaxPooling2D": GlobalPooling(3),
    "GlobalAveragePooling2D": GlobalPooling(3, True), "ConvLSTM2D": CELLS["ConvLSTM2D"],
}
HANDLERS.update((class_name, Borders(class_name, rank)) for class_name, rank in (
    ("ZeroPadding1D", 1), ("Cropping1D", 1), ("ZeroPadding2D", 2), ("Cropping2D", 2)))
