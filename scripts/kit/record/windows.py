"""From a record to what a model sees: held gaps, standard deviations, windows. numpy alone."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, read_json
from kit.base.expect import Number, Text, expect
from kit.record.stretches import blocks, hold_last

INPUT_LIMIT = 8.0  # standard deviations: rare pulses of 50 would leave int8 few steps for the rest


class Scaler(NamedTuple):
    """Mean and standard deviation of each channel on the train part."""

    channels: list  # C names
    mean: np.ndarray  # (C,) float64, in the channel's unit
    std: np.ndarray  # (C,) float64, in the channel's unit

    def standardise(self, values):
        """(n, C) values in their units -> (n, C) float32 in standard deviations, NaN kept."""
        return ((values - self.mean) / self.std).astype(np.float32)


def fit_scaler(record):
    """The Scaler of a record; UserError when a channel never moves."""
    mean, std = np.nanmean(record.values, 0), np.nanstd(record.values, 0)
    for name, deviation in zip(record.channels, std):
        if not deviation > 0:
            raise UserError("channel %s is constant in the train part: leave the column out" % name)
    return Scaler(record.channels, mean, std)


def scaler_to_json(scaler):
    """What scaler.json holds."""
    return {"channels": scaler.channels, "mean": np.asarray(scaler.mean, float).tolist(),
            "std": np.asarray(scaler.std, float).tolist()}


def read_scaler(path):
    """The Scaler of a scaler.json; UserError naming what no train part gives."""
    content = read_json(path)
    expect(content, {"channels": [Text], "mean": [Number()], "std": [Number(above=0)]}, path)
    lengths = {key: len(content[key]) for key in ("channels", "mean", "std")}
    if len(set(lengths.values())) > 1 or len(set(content["channels"])) < lengths["channels"]:
        raise UserError("%s: one mean and one std for each channel, and each channel once, are "
                        "needed; it has %s" % (path, ", ".join(
                            "%d %s" % (count, key) for key, count in lengths.items())))
    return Scaler(content["channels"], np.array(content["mean"]), np.array(content["std"]))


def held(samples, before=None):
    """What a model sees of standardised samples (n, C): gaps held, nothing beyond INPUT_LIMIT.

    before : (C,) what it saw last, see `hold_last`
    """
    return np.clip(hold_last(samples, before), -INPUT_LIMIT, INPUT_LIMIT)


def model_input(record, scaler, path="the record"):
    """A record as a model sees it, (n, C) float32 in standard deviations (`held`)."""
    if record.channels != scaler.channels:
        raise UserError("%s has the channels %s, but the model was trained on %s"
                        % (path, ", ".join(record.channels), ", ".join(scaler.channels)))
    filled = np.empty(record.values.shape, np.float32)
    for first, stop in record.bounds:
        last = None
        for rows in blocks(first, stop):
            filled[rows] = held(scaler.standardise(record.values[rows]), last)
            last = filled[rows][-1]
    return filled


def windows_and_next(samples, n_steps, stride=1, bounds=None):
    """Windows (m, n_steps, C) and the sample after each (m, C), as views of samples (n, C).

    bounds : half-open row ranges of the sessions, which no window spans; then copies
    """
    if bounds is not None and len(bounds) > 1:
        pairs = [windows_and_next(samples[a:b], n_steps, stride) for a, b in bounds
                 if b - a > n_steps]
        if not pairs:
            raise UserError("no session is longer than a window of %d samples" % n_steps)
        return tuple(np.concatenate(arrays) for arrays in zip(*pairs))
    if len(samples) <= n_steps:
        raise UserError("%d samples are too few for a window of %d and the sample after it"
                        % (len(samples), n_steps))
    step, item = samples.strides
    count = len(samples) - n_steps
    views = np.lib.stride_tricks.as_strided(
        samples, (count, n_steps, samples.shape[1]), (step, step, item), writeable=False)
    return views[::stride], samples[n_steps:][::stride]
