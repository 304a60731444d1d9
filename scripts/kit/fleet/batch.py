"""A step model over many sensors in lock step: one call of the runtime takes a sample of each.

Each sensor gets the bits that it would get alone. That is the doing of the runtime's kernels
(XNNPACK's), which nobody promises, so it is looked at whenever a model is given another width.
"""
import numpy as np

from kit.base.cli import UserError
from kit.detection.stream import step_model
from kit.runtime.interpreter import Model

FULL = 0.75  # of the slots: with fewer sensors than that, the model is given a narrower width
PROOF_STEPS, PROOF_STREAMS = 24, 3


class Slot:
    """What a model has carried for one sensor; a kit.detection.stream.StreamDetector's model."""

    def __init__(self, batch):
        self.state = batch.zero

    def reset(self):
        """Left to `Batch.step`, which knows at which sample."""


class Batch:
    """A step model that follows any number of sensors.

    path : of a .tflite file
    """

    def __init__(self, path):
        self._model, self._alone = Model(path), step_model(path)
        self._proven = {1}
        self.zero = self._alone.state

    def step(self, samples, slots, begins):
        """Outputs [(n, C) float32, ...] after each sample of each sensor; the slots go on.

        samples : [(n, C) float32, ...] ; slots : [Slot, ...]
        begins : [rows, ...] on which a session of the sensor begins, from the zero state
        """
        self._fit(len(slots))
        model, lengths = self._model, [len(rows) for rows in samples]
        width, channels = model.streams, samples[0].shape[1]
        rows = np.zeros((max(lengths), width, channels), np.float32)
        for number, values in enumerate(samples):
            rows[:len(values), number] = values
        states = [np.concatenate([slot.state[place] for slot in slots]
                                 + [zero] * (width - len(slots)))
                  for place, zero in enumerate(self.zero)]
        outputs = np.empty(rows.shape, np.float32)
        edges = sorted({0}.union(lengths, *begins))
        for start, stop in zip(edges, edges[1:]):
            for number, fresh in enumerate(begins):
                if start in fresh:
                    for state, zero in zip(states, self.zero):
                        state[number] = zero[0]
            model.state = states
            outputs[start:stop] = model.stream(
                rows[start:stop].reshape(-1, channels)).reshape(stop - start, width, channels)
            states = model.state
            for number, slot in enumerate(slots):
                if lengths[number] == stop:
                    slot.state = [state[number:number + 1].copy() for state in states]
        return [outputs[:length, number] for number, length in enumerate(lengths)]

    def _fit(self, sensors):
        """Give the model a width that these sensors fill, unless the one it has will do."""
        if not FULL * self._model.streams <= sensors <= self._model.streams:
            self._model.widen(sensors)
            if sensors not in self._proven:
                self._prove(sensors)
                self._proven.add(sensors)

    def _prove(self, width):
        """UserError unless sensors in this width have the bits that they have alone."""
        rng = np.random.Generator(np.random.PCG64(width))
        rows = rng.standard_normal((PROOF_STEPS, width) + tuple(self._alone.input_shape), np.float32)
        found = self._model.stream(rows.reshape((-1,) + rows.shape[2:])).reshape(rows.shape[:2] + (-1,))
        for number in np.linspace(0, width - 1, min(width, PROOF_STREAMS)).astype(int):
            self._alone.reset()
            if self._alone.stream(rows[:, number]).tobytes() != found[:, number].tobytes():
                raise UserError(
                    "%s gives a sensor other bits among %d than alone: take --batch 1"
                    % (self._model.runtime, width))
        self._model.reset()
