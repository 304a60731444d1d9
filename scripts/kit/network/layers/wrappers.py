"""Layers that hold others: Bidirectional, TimeDistributed, RNN of a cell."""
from kit.base.cli import UserError
from kit.network.layers import activations, dense, normalisation, recurrent
from kit.network.layers.kind import Kind, Layer, Recurrence, WHOLE

CELLS = recurrent.KINDS
ON_STEPS = {**dense.KINDS, **activations.KINDS, **normalisation.KINDS}  # TimeDistributed takes


class RNN(Kind):
    """RNN(LSTMCell(...)) is the same as LSTM(...)."""

    def read(self, path, name, config, arrays):
        cell = config["cell"]
        kind = cell["class_name"].replace("Cell", "")
        if kind not in CELLS:
            raise UserError("%s: layer '%s' is RNN of %s; supported cells are LSTMCell, GRUCell "
                            "and SimpleRNNCell" % (path, name, cell["class_name"]))
        return CELLS[kind].read(path, name, dict(config, **cell["config"]), arrays)

    def array_counts(self, config):
        cell = config["cell"]
        return CELLS[cell["class_name"].replace("Cell", "")].array_counts(cell["config"])


class Bidirectional(Kind):
    """Both directions over one input, merged."""

    recurrent = True

    def read(self, path, name, config, arrays):
        inner, merge = config["layer"], config.get("merge_mode", "concat")
        if inner["class_name"] not in CELLS or merge not in ("concat", "sum", "mul", "ave"):
            raise UserError("%s: layer '%s' is Bidirectional of %s with merge_mode %s; an LSTM, "
                            "GRU or SimpleRNN with concat, sum, mul or ave is needed"
                            % (path, name, inner["class_name"], merge))
        if inner["config"].get("go_backwards"):
            raise UserError("%s: layer '%s' is Bidirectional of a layer with go_backwards; set "
                            "go_backwards to False" % (path, name))
        read, half = CELLS[inner["class_name"]].read, len(arrays) // 2
        forward = read(path, name, inner["config"], arrays[:half])
        backward = read(path, name, dict(inner["config"], go_backwards=True), arrays[half:])
        return Layer("Bidirectional", name, {
            "forward": forward, "backward": backward, "merge": merge,
            "return_sequences": forward.options["return_sequences"]}, {})

    def array_counts(self, config):
        inner = config["layer"]
        trainable, others = CELLS[inner["class_name"]].array_counts(inner["config"])
        return 2 * trainable, 2 * others

    def shape(self, layer, shape):
        forward = layer.options["forward"]
        inner = CELLS[forward.kind].shape(forward, shape)
        width = inner[-1] * (2 if layer.options["merge"] == "concat" else 1)
        return inner[:-1] + (width,)

    def check(self, path, layer, shape):
        for cell in self.parts(layer):
            CELLS[cell.kind].check(path, cell, shape)

    def parts(self, layer):
        """The layers of both directions."""
        return layer.options["forward"], layer.options["backward"]

    def no_step(self, layer, after_end):
        return "is Bidirectional, which " + WHOLE

    def no_fused(self, layer):
        reasons = [CELLS[cell.kind].no_fused(cell) for cell in self.parts(layer)]
        return next(filter(None, reasons), None)

    def fused_activations(self, layer):
        return [activation for cell in self.parts(layer)
                for activation in CELLS[cell.kind].fused_activations(cell)]

    def window(self, call):
        """The backward direction's sequence is turned round to stand beside the forward one."""
        tf, inputs = call.ops.tf, call.steps
        forward, backward = self._both(call, lambda cell: CELLS[cell.kind].unrolled(
            call, cell, inputs))
        if not call.layer.options["return_sequences"]:
            return self._merged(call, forward, backward)
        merged, scopes = [], []
        for t, pair in enumerate(zip(forward, backward[::-1])):
            with tf.name_scope("t%04d" % t) as scope:
                merged.append(self._merged(call, *pair))
            scopes.append(scope)
        call.recurrences.append(Recurrence(scopes))
        return merged

    def fused(self, call):
        def one(cell):
            found = CELLS[cell.kind].fused_op(call, cell)
            turned = cell.options["go_backwards"] and cell.options["return_sequences"]
            return found[:, ::-1] if turned else found  # as tf.reverse, toco would join both
        return self._merged(call, *self._both(call, one))

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


class TimeDistributed(Kind):
    """A layer on each step: what works along the last axis is that layer itself."""

    def read(self, path, name, config, arrays):
        inner = config["layer"]
        kind = inner["class_name"]
        if kind not in ON_STEPS:
            raise UserError("%s: layer '%s' is TimeDistributed of %s; TimeDistributed(Dense) is "
                            "supported" % (path, name, kind))
        read = ON_STEPS[kind].read(path, name, inner["config"], arrays)
        if read is None or "axis" not in read.options:
            return read
        return read._replace(options=dict(read.options, axis=-1))

    def array_counts(self, config):
        inner = config["layer"]
        return ON_STEPS[inner["class_name"]].array_counts(inner["config"])


KINDS = {"RNN": RNN(), "Bidirectional": Bidirectional(), "TimeDistributed": TimeDistributed()}
