"""Input for a model in its own units: from a record with its scaler, a .npy file, or drawn."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError

DRAWN_STEPS = 10000  # samples drawn where no data is given


class Samples(NamedTuple):
    """Sequences of float32 samples, each one unbroken: a record has one per session, and windows
    are many."""

    sequences: object  # (m, L, C), or a list of (L, C) of differing lengths
    steps: int  # length of a window
    drawn: bool  # standard normal, for want of data

    @property
    def given_steps(self):
        """The window's length that the data itself says; None where it is a record."""
        windows = isinstance(self.sequences, np.ndarray) and len(self.sequences) > 1
        return self.sequences.shape[1] if windows else None

    @property
    def lengths(self):
        """(m,) of the sequences."""
        return np.array([len(sequence) for sequence in self.sequences])

    @property
    def starts(self):
        """(m,) places of the sequences' first samples in the stream."""
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]])

    @property
    def stream(self):
        """All samples one after the other (n, C)."""
        if isinstance(self.sequences, np.ndarray):
            return self.sequences.reshape(-1, self.sequences.shape[-1])
        return np.concatenate(self.sequences)

    @property
    def extremes(self):
        """Places in the stream of each channel's smallest and largest sample, sorted."""
        stream = self.stream
        return np.unique(np.concatenate([stream.argmin(0), stream.argmax(0)]))

    def windows(self, count, extremes=False):
        """Up to `count` windows (n, steps, C), evenly spread; with extremes, also each window that
        ends on (or, at a sequence's start, holds) an extreme sample."""
        per_sequence = self.lengths - self.steps + 1
        ends = np.cumsum(per_sequence)
        picks = np.unique(np.linspace(0, ends[-1] - 1, min(count, ends[-1])).astype(int))
        which = np.searchsorted(ends, picks, side="right")
        places = list(zip(which, picks - (ends - per_sequence)[which]))
        if extremes:
            which = np.searchsorted(self.starts, self.extremes, side="right") - 1
            places += [(number, max(0, place - self.starts[number] - self.steps + 1))
                       for number, place in zip(which, self.extremes)]
        return np.stack([self.sequences[sequence][start:start + self.steps]
                         for sequence, start in places])


def read_samples(path, scaler, channels, steps):
    """Samples of a record .csv with its scaler, of .npy windows (n, T, C) or a .npy stream (n, C).

    Without a path: standard normal samples, seeded. UserError where the file does not fit.
    """
    if path is None:
        rng = np.random.Generator(np.random.PCG64(0))
        drawn = rng.standard_normal((1, DRAWN_STEPS, channels), np.float32)
        return Samples(drawn, steps or 50, True)
    if not path.endswith(".npy"):
        return _read_record(path, scaler, channels, steps)
    values = _read_npy(path)
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


def _read_record(path, scaler, channels, steps):
    """The Samples of a record: a sequence for each session that is not shorter than a window."""
    from kit.record.records import read_record
    from kit.record.windows import model_input, read_scaler

    if scaler is None:
        raise UserError("%s: a record needs the scaler of the train part: --scaler scaler.json"
                        % path)
    record = read_record(path)
    values = model_input(record, read_scaler(scaler), path)
    if values.shape[1] != channels:
        raise UserError("%s holds %d channels; the model has %d" % (path, values.shape[1], channels))
    longest = max(stop - start for start, stop in record.bounds)
    steps = steps or min(longest, 50)
    if longest < steps:
        raise UserError("%s: sequences of %d samples are too short for a window of %d"
                        % (path, longest, steps))
    kept = [values[start:stop] for start, stop in record.bounds if stop - start >= steps]
    return Samples(kept[0][None] if len(kept) == 1 else kept, steps, False)
