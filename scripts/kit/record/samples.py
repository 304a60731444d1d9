"""Input for a model in its own units: from a record with its scaler, a .npy file, or drawn."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError

DRAWN_STEPS = 10000  # samples drawn where no data is given


class Samples(NamedTuple):
    """Sequences of float32 samples, each one unbroken: a record is one, windows are many."""

    sequences: np.ndarray  # (m, L, C)
    steps: int  # length of a window
    drawn: bool  # standard normal, for want of data

    @property
    def given_steps(self):
        """The window's length that the data itself says; None for one long sequence."""
        return self.sequences.shape[1] if len(self.sequences) > 1 else None

    @property
    def stream(self):
        """All samples one after the other (n, C)."""
        return self.sequences.reshape(-1, self.sequences.shape[-1])

    @property
    def extremes(self):
        """Places in the stream of each channel's smallest and largest sample, sorted."""
        stream = self.stream
        return np.unique(np.concatenate([stream.argmin(0), stream.argmax(0)]))

    def windows(self, count, extremes=False):
        """Up to `count` windows (n, steps, C), evenly spread; with extremes, also each window that
        ends on (or, at a sequence's start, holds) an extreme sample."""
        length = self.sequences.shape[1]
        per_sequence = length - self.steps + 1
        total = per_sequence * len(self.sequences)
        picks = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
        places = [(pick // per_sequence, pick % per_sequence) for pick in picks]
        if extremes:
            places += [(place // length, max(0, place % length - self.steps + 1))
                       for place in self.extremes]
        return np.stack([self.sequences[sequence, start:start + self.steps]
                         for sequence, start in places])


def read_samples(path, scaler, channels, steps):
    """Samples of a record .csv with its scaler, of .npy windows (n, T, C) or a .npy stream (n, C).

    Without a path: standard normal samples, seeded. UserError where the file does not fit.
    """
    if path is None:
        rng = np.random.Generator(np.random.PCG64(0))
        drawn = rng.standard_normal((1, DRAWN_STEPS, channels), np.float32)
        return Samples(drawn, steps or 50, True)
    values = _read_npy(path) if path.endswith(".npy") else _read_record(path, scaler)
    sequences = values[None] if values.ndim == 2 else values
    if sequences.ndim != 3 or sequences.shape[2] != channels or not len(sequences):
        raise UserError("%s holds %s; windows (n, steps, %d) or a stream (n, %d) are needed"
                        % (path, values.shape, channels, channels))
    steps = steps or (sequences.shape[1] if values.ndim == 3 else min(sequences.shape[1], 50))
    if sequences.shape[1] < steps:
        raise UserError("%s: sequences of %d samples are too short for a window of %d"
                        % (path, sequences.shape[1], steps))
    return Samples(sequences, steps, False)


def _read_npy(path):
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)  # a declared size costs nothing
    except Exception as error:  # the header is Python source, and numpy lets its parser's errors out
        reason = getattr(error, "strerror", None) or "not a .npy file of numbers"
        raise UserError("%s: %s" % (path, reason))
    if not isinstance(values, np.ndarray):
        raise UserError("%s: an archive; give one array, saved with numpy.save" % path)
    if values.dtype.kind not in "fiu":
        raise UserError("%s: holds %s; real numbers are needed" % (path, values.dtype))
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserError("%s: every value must be a finite number of float32" % path)
    return values


def _read_record(path, scaler):
    from kit.record.records import read_record
    from kit.record.windows import model_input, read_scaler

    if scaler is None:
        raise UserError("%s: a record needs the scaler of the train part: --scaler scaler.json"
                        % path)
    return model_input(read_record(path), read_scaler(scaler), path)
