"""The forms of a network as frozen graphs: bytes, and the names, shapes and types at both ends."""
from typing import NamedTuple

import numpy as np

from kit.network import graphs
from kit.network.description import any_length
from kit.network.files.keras_file import digest
from kit.network.possible import check_window, fused_activations
from kit.network.roles import noted
from kit.runtime.forms import alone, several
from kit.tf.tf115 import frozen_session


class Frozen(NamedTuple):
    """A frozen GraphDef; the batch is open in the graph and 1 in the shapes given here."""

    form: str
    bytes: bytes
    inputs: list  # of {"name", "shape", "type"}, the sample or the window first
    outputs: list  # in the same order: the model's output, then each state's next value
    activations: list  # of the fused ops, in order
    any_length: bool  # whether the fused form's windows may be longer or shorter than `inputs` says
    steps: list  # records of kit.network.roles; none in the fused form

    def signature(self, *sources):
        """What the .json beside the .pb holds, for the files that the network was read from."""
        fused = {"fused_activations": self.activations, "any_length": self.any_length}
        return dict({"form": self.form, "inputs": self.inputs, "outputs": self.outputs,
                     "steps": self.steps, "source_sha256": digest(*sources)},
                    **(fused if self.form == "fused" else {}))

    def predict(self, windows):
        """The graph's outputs for windows (n, T, C): as many as it has, of as many inputs."""
        feeds = dict(zip([item["name"] + ":0" for item in self.inputs], several(windows)))
        with self._session() as run:
            return alone([run.run(item["name"] + ":0", feeds) for item in self.outputs])

    def stream(self, samples):
        """The graph's outputs after each of the samples (n, C), from the zero state."""
        states = [np.zeros(item["shape"], np.float32) for item in self.inputs
                  if item["role"] == "state"]
        fetches = [item["name"] + ":0" for item in self.outputs]
        found = []
        with self._session() as run:
            step = run.make_callable(fetches, [item["name"] + ":0" for item in self.inputs])
            for sample in zip(*several(samples)):
                results = step(*(np.asarray(part)[None] for part in sample), *states)
                count = len(results) - len(states)
                outputs, states = results[:count], results[count:]
                found.append([output[0] for output in outputs])
        return alone([np.stack(output) for output in zip(*found)])

    def _session(self):
        return frozen_session(self.bytes)


def frozen(network, form, steps, path="the model"):
    """The network in one form; UserError names the layer that the form cannot hold."""
    if form == "step":
        graph, inputs, outputs = graphs.step_graph(network, path)
    elif form == "window":
        check_window(network, steps, path)
        graph, inputs, outputs = graphs.window_graph(network, steps)
    else:
        definition, inputs, outputs = graphs.fused_graph(network, steps, path)
    definition = definition if form == "fused" else graph.as_graph_def()
    definition.ClearField("library")
    return Frozen(form, definition.SerializeToString(deterministic=True),
                  _described(inputs), _described(outputs), fused_activations(network),
                  any_length(network), [] if form == "fused" else noted(graph))


def _described(ends):
    return [dict({"name": end.name, "shape": [1] + [int(size) for size in end.shape],
                  "type": end.dtype, "role": "state" if end.state_of else "data"},
                 **({"layer": end.state_of} if end.state_of else {})) for end in ends]
