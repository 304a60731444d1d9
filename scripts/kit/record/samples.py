"""Input for a model in its own units: from a record with its scaler, a .npy file, or drawn."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError

DRAWN_STEPS = 10000  # samples drawn where no data is given
DRAWN_ITEMS = 300  # for a model that is more than one sequence


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
    def joined(self):
        """Whether the sequences are windows, which the stream joins."""
        return self.given_steps is not None

    @property
    def walks(self):
        """Each sequence as a tuple of one array (L, C): of its only input."""
        return [(sequence,) for sequence in self.sequences]

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

    def first(self, count):
        """The first `count` windows (n, steps, C) of the data, fewer where it has fewer."""
        places = [(sequence, start) for sequence in self.sequences
                  for start in range(min(count, len(sequence) - self.steps + 1))]
        return np.stack([sequence[start:start + self.steps] for sequence, start in places[:count]])

    def windows(self, count, extremes=False):
        """Up to `count` windows (n, steps, C), evenly spread; with extremes, also each window that
        ends on (or, at a sequence's start, holds) an extreme sample."""
        per_sequence = lengths_of(self) - self.steps + 1
        ends = np.cumsum(per_sequence)
        picks = np.unique(np.linspace(0, ends[-1] - 1, min(count, ends[-1])).astype(int))
        which = np.searchsorted(ends, picks, side="right")
        places = list(zip(which, picks - (ends - per_sequence)[which]))
        if extremes:
            starts = starts_of(self)
            which = np.searchsorted(starts, self.extremes, side="right") - 1
            places += [(number, max(0, place - starts[number] - self.steps + 1))
                       for number, place in zip(which, self.extremes)]
        return np.stack([self.sequences[sequence][start:start + self.steps]
                         for sequence, start in places])


class Parts(NamedTuple):
    """Items for a model of several inputs, or of one that is no sequence of vectors."""

    arrays: list  # of each input (m, ...), in the model's order
    timed: list  # of each input, whether its first axis is steps
    kept: list  # of each input, whether it is a state, which the step form keeps itself
    drawn: bool

    steps = None  # the model says how long its sequences are
    joined = True

    @property
    def given_steps(self):
        """The length of the sequences that were given; None where they were drawn."""
        given = [values.shape[1] for values, timed in zip(self.arrays, self.timed) if timed]
        return None if self.drawn or not given else given[0]

    def first(self, count):
        """The first `count` items: an array per input, or the only one."""
        found = [values[:count] for values in self.arrays]
        return found[0] if len(found) == 1 else found

    def windows(self, count, extremes=False):
        """Up to `count` items, evenly spread: an array per input, or the only one."""
        picks = np.unique(np.linspace(0, len(self.arrays[0]) - 1, count).astype(int))
        found = [values[picks] for values in self.arrays]
        return found[0] if len(found) == 1 else found

    @property
    def sequences(self):
        """Items as (m, steps, ...) per input that is no state; what has no steps is repeated.

        Items of one step are steps of one sequence: their states go on from one to the next.
        """
        steps = min(values.shape[1] for values, timed in zip(self.arrays, self.timed) if timed)
        found = [values[:, :steps] if timed else np.repeat(values[:, None], steps, 1)
                 for values, timed, kept in zip(self.arrays, self.timed, self.kept) if not kept]
        found = [values.swapaxes(0, 1) if steps == 1 else values for values in found]
        return found[0] if len(found) == 1 else found

    @property
    def walks(self):
        """Each item as a tuple of its inputs' arrays (steps, ...)."""
        arrays = self.sequences if isinstance(self.sequences, list) else [self.sequences]
        return list(zip(*arrays))

    @property
    def stream(self):
        """All steps one after the other (n, ...): an array per input, or the only one."""
        if not isinstance(self.sequences, list):
            return self.sequences.reshape((-1,) + self.sequences.shape[2:])
        return [values.reshape((-1,) + values.shape[2:]) for values in self.sequences]

    @property
    def extremes(self):
        """No places: which step is an extreme one is not known of several inputs."""
        return []


def lengths_of(samples):
    """(m,) lengths of the sequences of Samples or Parts."""
    return np.array([len(walk[0]) for walk in samples.walks])


def starts_of(samples):
    """(m,) places of the sequences' first samples in the stream."""
    return np.concatenate([[0], np.cumsum(lengths_of(samples))[:-1]]).astype(int)


def read_inputs(path, scaler, inputs, steps):
    """Samples or Parts for a model's inputs (kit.network.description.Input).

    path : a record .csv with its scaler; .npy windows (n, T, ...) or a stream (n, ...); .npz with
    an array for each input by its name. Without one: standard normal samples, seeded. UserError
    where the file does not fit.
    """
    only = inputs[0]
    if len(inputs) == 1 and len(only.shape) == 2 and only.timed and only.dtype == "float32":
        return read_samples(path, scaler, only.shape[1], steps)
    if path is None:
        return _parts(inputs, [_drawn(item, steps, seed) for seed, item in enumerate(inputs)], True)
    data = [item for item in inputs if item.state_of is None]
    if path.endswith(".npz"):
        given = _read_npz(path, inputs)
    elif len(data) == 1:
        given = {data[0].name: _read_npy(path) if path.endswith(".npy") else _read_record(
            path, scaler)}
    else:
        raise UserError("%s: the model has %d inputs; give an .npz with an array for each (%s)"
                        % (path, len(data), ", ".join(item.name for item in data)))
    arrays = [_fitted(path, item, given[item.name], steps) if item.name in given else None
              for item in inputs]
    count = min(len(values) for values in arrays if values is not None)
    arrays = [_drawn(item, steps, seed, count) if values is None else values[:count]
              for seed, (item, values) in enumerate(zip(inputs, arrays))]
    return _parts(inputs, arrays, False)


def _parts(inputs, arrays, drawn):
    return Parts(arrays, [item.timed for item in inputs],
                 [item.state_of is not None for item in inputs], drawn)


def _drawn(item, steps, seed, count=None):
    """(m, ...) of standard normal values, of whole numbers below the limit, or of states."""
    rng = np.random.Generator(np.random.PCG64(seed))
    shape = item.sized(steps or 50)
    count = count or DRAWN_ITEMS
    if item.dtype == "int32":
        return rng.integers(0, item.limit, (count,) + shape).astype(np.int32)
    values = rng.standard_normal((count,) + shape, np.float32)
    return values if item.state_of is None else np.tanh(values)


def _read_npz(path, inputs):
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError) as error:
        raise UserError("%s: %s" % (path, getattr(error, "strerror", None) or "no .npz of arrays"))
    missing = [item.name for item in inputs if item.state_of is None and item.name not in given]
    if missing:
        raise UserError("%s: no array '%s' in it; it holds %s"
                        % (path, missing[0], ", ".join(sorted(given))))
    return {name: _numbers(path, values) for name, values in given.items()}


def _fitted(path, item, values, steps):
    """(m, ...) as the input takes it: a stream is cut into windows, an axis of 1 is put last."""
    shape = item.sized(steps) if steps else item.shape
    if shape[:1] == (None,) and values.ndim == len(shape) + 1:
        shape = values.shape[1:2] + shape[1:]
    if values.shape[1:] + (1,) == shape:
        values = values[..., None]
    if item.timed and values.shape[1:] == shape[1:] and None not in shape[:1]:
        whole = len(values) // shape[0]
        values = values[:whole * shape[0]].reshape((whole,) + shape)
    if values.shape[1:] != tuple(shape) or not len(values):
        raise UserError("%s holds %s for input '%s'; items of %s are needed"
                        % (path, values.shape, item.name, tuple(shape)))
    if item.dtype == "int32":
        if (values != np.rint(values)).any() or not 0 <= values.min() <= values.max() < item.limit:
            raise UserError("%s: input '%s' takes whole numbers from 0 to %d, not %g to %g"
                            % (path, item.name, item.limit - 1, values.min(), values.max()))
        return values.astype(np.int32)
    return values


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
    return _numbers(path, values)


def _numbers(path, values):
    """float32, checked to be finite."""
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
