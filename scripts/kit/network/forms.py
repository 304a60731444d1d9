"""The forms of a network as frozen graphs: bytes, and the names, shapes and types at both ends."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError
from kit.base.digest import sha256
from kit.network import graphs
from kit.network.description import shapes, step_shapes
from kit.runtime.forms import FORMS
from kit.tf.tf115 import frozen_session


class Frozen(NamedTuple):
    """A frozen GraphDef; the batch is open in the graph and 1 in the shapes given here."""

    form: str
    bytes: bytes
    inputs: list  # of {"name", "shape", "type"}, the sample or the window first
    outputs: list  # in the same order: the model's output, then each state's next value
    activations: list  # of the fused ops, in order
    recurrences: list  # of kit.network.layers.kind.Recurrence; none in the fused form

    def signature(self, source):
        """What the .json beside the .pb holds."""
        fused = {"fused_activations": self.activations} if self.form == "fused" else {}
        parts = [{key: value for key, value in recurrence._asdict().items() if value}
                 for recurrence in self.recurrences]
        return dict({"form": self.form, "inputs": self.inputs, "outputs": self.outputs,
                     "recurrences": parts, "source_sha256": sha256(source)}, **fused)

    def predict(self, windows):
        """The graph's output for windows (n, T, C)."""
        with self._session() as run:
            return run.run("output:0", {self.inputs[0]["name"] + ":0": windows})

    def stream(self, samples):
        """The graph's output after each of the samples (n, C), from the zero state."""
        states = [np.zeros(item["shape"], np.float32) for item in self.inputs[1:]]
        fetches = [item["name"] + ":0" for item in self.outputs]
        found = []
        with self._session() as run:
            step = run.make_callable(fetches, [item["name"] + ":0" for item in self.inputs])
            for sample in samples:
                output, *states = step(sample[None], *states)
                found.append(output[0])
        return np.stack(found)

    def _session(self):
        return frozen_session(self.bytes)


def window_steps(network, asked, path):
    """The window's length: the model's own, or what was asked where its time axis is open."""
    if network.steps is None and asked is None:
        raise UserError("%s: the model's time axis is undefined; say how long a window is with "
                        "--window-steps" % path)
    if None not in (network.steps, asked) and network.steps != asked:
        raise UserError("%s: the model takes windows of %d samples, not of %d"
                        % (path, network.steps, asked))
    steps = network.steps or asked
    if not 1 <= steps <= graphs.MAX_WINDOW_STEPS:
        raise UserError("a window of %d samples: 1 to %d can be unrolled; use the step form, which "
                        "takes any length" % (steps, graphs.MAX_WINDOW_STEPS))
    return steps


def frozen(network, form, steps, path="the model"):
    """The network in one form; UserError names the layer that the form cannot hold."""
    recurrences = []
    if form == "step":
        graph, states, recurrences = graphs.step_graph(network, path)
        inputs = [("sample", (network.channels,))] + states
        outputs = [("output", step_shapes(network)[-1])] + [
            ("next_" + name, shape) for name, shape in states]
        definition = graph.as_graph_def()
    elif form == "window":
        graph, recurrences = graphs.window_graph(network, steps)
        definition = graph.as_graph_def()
    else:
        definition = graphs.fused_graph(network, steps, path)
    if form != "step":
        inputs = [(FORMS[form].first_input, (steps, network.channels))]
        outputs = [("output", shapes(network, steps)[-1])]
    definition.ClearField("library")
    return Frozen(form, definition.SerializeToString(deterministic=True),
                  _described(inputs), _described(outputs), graphs.fused_activations(network), recurrences)


def _described(ends):
    return [{"name": name, "shape": [1] + [int(size) for size in shape], "type": "float32"}
            for name, shape in ends]
