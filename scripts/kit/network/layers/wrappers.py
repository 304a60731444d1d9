"""Layers that hold others: Bidirectional, TimeDistributed, RNN of a cell."""
from kit.base.cli import UserError
from kit.network.layers import (activations, attention, convolution, dense, normalisation,
                                recurrent, shape)
from kit.network.layers.handler import Handler, Layer, StepByStep, WHOLE, same
from kit.network.roles import note_steps

CELLS = {**recurrent.HANDLERS, **convolution.CELLS}
INNER = {}  # what TimeDistributed takes
for _module in (dense, activations, normalisation, shape, convolution, attention, recurrent):
    INNER.update(_module.HANDLERS)


def cell_handler(path, name, cell):
    """The handler of a cell's layer: LSTM for LSTMCell."""
    class_name = cell["class_name"].replace("Cell", "")
    if class_name not in recurrent.HANDLERS:
        raise UserError("%s: layer '%s' is RNN of %s; supported cells are LSTMCell, GRUCell, "
                        "SimpleRNNCell and StackedRNNCells of them"
                        % (path, name, cell["class_name"]))
    return recurrent.HANDLERS[class_name]


class RNN(Handler):
    """RNN(LSTMCell(...)) is the same as LSTM(...)."""

    def read(self, path, name, config, arrays):
        handler = cell_handler(path, name, config["cell"])
        return handler.read(path, name, dict(config, **config["cell"]["config"]), arrays)

    def array_counts(self, config):
        cells = config["cell"]["config"].get("cells", [config["cell"]])
        counts = [cell_handler("", "", cell).array_counts(cell["config"]) for cell in cells]
        return tuple(map(sum, zip(*counts)))


class Bidirectional(Handler):
    """Both directions over one input, merged; with merge_mode None two outputs."""

    recurrent = takes_steps = takes_mask = any_length = True

    def read(self, path, name, config, arrays):
        inner, merge = config["layer"], config.get("merge_mode", "concat")
        back = config.get("backward_layer") or dict(inner, config=dict(
            inner["config"], go_backwards=not inner["config"].get("go_backwards")))
        for part in (inner, back):
            if part["class_name"] not in CELLS and part["class_name"] != "RNN":
                raise UserError("%s: layer '%s' is Bidirectional of %s; an LSTM, GRU or SimpleRNN "
                                "is needed" % (path, name, part["class_name"]))
        if merge not in ("concat", "sum", "mul", "ave", None):
            raise UserError("%s: layer '%s' is Bidirectional with merge_mode %s; concat, sum, mul, "
                            "ave or None is needed" % (path, name, merge))
        half = sum(self.part(inner).array_counts(inner["config"]))
        forward = self.part(inner).read(path, name, inner["config"], arrays[:half])
        backward = self.part(back).read(path, name, back["config"], arrays[half:])
        for half in (forward, backward):  # as Keras sets it, whatever the layer itself says
            half.options["zero_output"] = half.options["return_sequences"]
        return Layer("Bidirectional", name, {
            "forward": forward, "backward": backward, "merge": merge,
            "return_sequences": forward.options["return_sequences"],
            "return_state": forward.options["return_state"]}, {})

    def part(self, item):
        return RNN() if item["class_name"] == "RNN" else CELLS[item["class_name"]]

    def array_counts(self, config):
        parts = [config["layer"], config.get("backward_layer") or config["layer"]]
        counts = [self.part(item).array_counts(item["config"]) for item in parts]
        return tuple(map(sum, zip(*counts)))

    def parts(self, layer):
        """The layers of both directions."""
        return layer.options["forward"], layer.options["backward"]

    def handlers(self, layer):
        return [CELLS[cell.class_name] for cell in self.parts(layer)]

    def outputs(self, layer):
        states = sum(len(handler.carried) for handler in self.handlers(layer))
        return 1 + (layer.options["merge"] is None) + states * layer.options["return_state"]

    def takes_state(self, place):
        return place > 0

    def shapes(self, layer, shapes):
        inner = [handler.shape(cell, shapes[0])
                 for handler, cell in zip(self.handlers(layer), self.parts(layer))]
        if layer.options["merge"] == "concat":
            merged = [inner[0][:-1] + (inner[0][-1] + inner[1][-1],)]
        else:
            merged = inner if layer.options["merge"] is None else inner[:1]
        states = [handler.item(cell, shapes[0][1:]) for handler, cell in zip(
            self.handlers(layer), self.parts(layer)) for _ in handler.carried]
        return merged + states * layer.options["return_state"]

    def check(self, path, layer, shapes):
        count = len(self.handlers(layer)[0].carried)
        for handler, cell, states in zip(self.handlers(layer), self.parts(layer),
                                      (shapes[1:1 + count], shapes[1 + count:])):
            handler.check(path, cell, shapes[:1] + states)

    def masks(self, layer, masked):
        return masked[0] and layer.options["return_sequences"]

    def mask(self, call):
        return call.masks[0] if call.layer.options["return_sequences"] else None

    def keeps_steps(self, layer, shapes):
        return layer.options["return_sequences"]

    def no_step(self, layer, timed, shapes):
        return "is Bidirectional, which " + WHOLE

    def no_fused(self, layer):
        reasons = [handler.no_fused(cell) for handler, cell in zip(self.handlers(layer), self.parts(layer))]
        return next(filter(None, reasons), None)

    def fused_activations(self, layer):
        return [activation for handler, cell in zip(self.handlers(layer), self.parts(layer))
                for activation in handler.fused_activations(cell)]

    def window(self, call):
        """The backward direction's sequence is turned round to stand beside the forward one."""
        tf, inputs, given = call.ops.tf, call.steps, call.tensors[1:]
        half = len(given) // 2
        states = {True: given[half:], False: given[:half]}
        forward, backward = self._both(call, lambda cell: CELLS[cell.class_name].unrolled(
            call, cell, inputs, states[cell is call.layer.options["backward"]]))
        last = ()
        if call.layer.options["return_state"]:
            last, forward, backward = forward[1:] + backward[1:], forward[0], backward[0]
        if call.layer.options["return_sequences"]:
            backward = backward[::-1]
        if call.layer.options["merge"] is None:
            return (forward, backward) + last
        if not call.layer.options["return_sequences"]:
            merged = self._merged(call, forward, backward)
        else:
            merged = []
            scopes = []
            for t, pair in enumerate(zip(forward, backward)):
                with tf.name_scope("t%04d" % t) as scope:
                    merged.append(self._merged(call, *pair))
                scopes.append(scope)
            note_steps(merged[0].graph, scopes)
        return (merged,) + last if last else merged

    def fused(self, call):
        def one(cell):
            found = CELLS[cell.class_name].fused_op(call, cell)
            turned = cell.options["go_backwards"] and cell.options["return_sequences"]
            return found[:, ::-1] if turned else found  # as tf.reverse, toco would join both
        both = tuple(self._both(call, one))
        return both if call.layer.options["merge"] is None else self._merged(call, *both)

    def _both(self, call, direction):
        for name, cell in zip(("forward", "backward"), self.parts(call.layer)):
            with call.ops.tf.name_scope(name):
                yield direction(cell)

    def _merged(self, call, a, b):
        tf, mode = call.ops.tf, call.layer.options["merge"]
        if mode == "concat":
            return tf.concat([a, b], -1, name="merged")
        if mode == "mul":
            return tf.multiply(a, b, name="merged")
        total = tf.add(a, b, name="merged")
        return total if mode == "sum" else tf.multiply(total, 0.5, name="half")


class TimeDistributed(StepByStep):
    """A layer on each step. What works along the last axis is that layer itself."""

    takes_steps = True

    def read(self, path, name, config, arrays):
        inner = config["layer"]
        class_name = inner["class_name"]
        if class_name != "TimeDistributed" and class_name not in INNER:
            raise UserError("%s: layer '%s' is TimeDistributed of %s; supported are %s"
                            % (path, name, class_name, ", ".join(INNER)))
        read = (self if class_name == "TimeDistributed" else INNER[class_name]).read(
            path, name, inner["config"], arrays)
        if read is None or class_name in ON_LAST_AXIS and read.options.get("axis", -1) == -1:
            return read
        return Layer("TimeDistributed", name, {"inner": read}, {})

    def array_counts(self, config):
        inner = config["layer"]
        class_name = inner["class_name"]
        return (self if class_name == "TimeDistributed" else INNER[class_name]).array_counts(inner["config"])

    def inner(self, layer):
        inner = layer.options["inner"]
        return (self if inner.class_name == "TimeDistributed" else INNER[inner.class_name]), inner

    def shapes(self, layer, shapes):
        handler, inner = self.inner(layer)
        first = [shape[:1] for shape in shapes][0]
        return [first + tuple(shape) for shape in handler.shapes(inner, [s[1:] for s in shapes])]

    def check(self, path, layer, shapes):
        handler, inner = self.inner(layer)
        if any(len(shape) < 2 for shape in shapes):
            raise UserError("%s: layer '%s' is TimeDistributed and gets %s per item, no steps"
                            % (path, layer.name, shapes[0]))
        handler.check(path, inner, [shape[1:] for shape in shapes])

    def no_step(self, layer, timed, shapes):
        return None

    def window(self, call):
        """All steps of all windows as one batch of the inner layer."""
        tf, (handler, inner) = call.ops.tf, self.inner(call.layer)
        if inner.class_name in ON_LAST_AXIS and len(call.before) == 2:  # of vectors: that is the last
            return handler.window(call._replace(layer=inner))
        sizes, after = [size[1:] for size in call.sizes], call.after[1:]
        rows = [tf.reshape(x, (-1,) + tuple(size), name="steps_as_batch")
                for x, size in zip(call.tensors, sizes)]
        found = handler.window(call._replace(layer=inner, values=rows, sizes=sizes, afters=[after],
                                          masks=[None] * len(rows)))
        found = call.ops.joined(found, after)
        return tf.reshape(found, (-1,) + tuple(call.after), name="steps")

    def step(self, call):
        """On values that come step by step the inner layer; on whole sequences as a window."""
        if not any(call.timed):
            return self.window(call), []
        handler, inner = self.inner(call.layer)
        found = handler.window(call._replace(layer=inner, masks=[None] * len(call.values)))
        return call.ops.joined(found, call.after), []

    def twin(self, keras, layer, values, timed):
        copy = same(layer) if isinstance(layer, keras.layers.TimeDistributed) else (
            keras.layers.TimeDistributed(same(layer)))  # of a model, whose layers are met one by one
        return copy, (copy if any(timed) else keras.layers.TimeDistributed(copy))(values[0])


ON_LAST_AXIS = {**dense.HANDLERS, **activations.HANDLERS, **normalisation.HANDLERS}
HANDLERS = {"RNN": RNN(), "Bidirectional": Bidirectional(), "TimeDistributed": TimeDistributed()}
