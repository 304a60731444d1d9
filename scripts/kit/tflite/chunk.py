"""A step file given many samples a call: its chunk form, made from the file's own bytes on the spot.

A program that follows a stream in Python spends most of a sample's time between two calls of the
interpreter; in a chunk the loop is the interpreter's. numpy and any one TFLite runtime.
"""
import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.tflite.loop import AT_ONCE, Step, chunked


def chunk_of(data, count=AT_ONCE):
    """The .tflite bytes of the chunk form, for `count` samples a call, of those of a step file."""
    model = flatbuffer.read(data)
    graph, = model["subgraphs"]
    inputs, outputs = ([{"name": graph["tensors"][place]["name"]} for place in graph[end]]
                       for end in ("inputs", "outputs"))
    return flatbuffer.write(chunked(Step(model, {"inputs": inputs, "outputs": outputs}), count)[0])


class InPieces:
    """The Model of a step file, and where AT_ONCE samples or more come at once, of its chunk form.

    The bits are the same; where they are not, or the runtime refuses the chunk, the step file runs.
    """

    def __init__(self, step, data):
        self._step, self._chunk = step, None
        self.reset = step.reset
        try:
            chunk = Model(chunk_of(data), step.runtime)
        except UserError:
            return
        if _same_bits(step, chunk):
            self._chunk = chunk

    @property
    def in_pieces(self):
        """Whether the chunk form runs."""
        return self._chunk is not None

    @property
    def state(self):
        return self._step.state

    @state.setter
    def state(self, values):
        self._step.state = values

    def stream(self, samples):
        """float32 (n, C) -> float32 (n, K): the output after each sample; the state is kept."""
        whole = len(samples) - len(samples) % AT_ONCE
        if self._chunk is None or not whole:
            return self._step.stream(samples)
        self._chunk.state = self._step.state
        found = self._chunk.stream(samples[:whole])
        self._step.state = self._chunk.state
        return np.concatenate([found, self._step.stream(samples[whole:])])


def _same_bits(step, chunk):
    """Whether both give the same outputs and states for some samples."""
    samples = np.random.Generator(np.random.PCG64(0)).standard_normal(
        (2 * AT_ONCE,) + step.input_shape, np.float32)
    both = []
    for model in (step, chunk):
        model.reset()
        both.append([model.stream(samples)] + model.state)
        model.reset()
    return all(np.array_equal(*pair) for pair in zip(*both))
