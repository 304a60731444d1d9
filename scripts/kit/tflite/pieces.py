"""The pieces of a loop form, each with its finished step model.

A piece after the first is calibrated on what the float pieces before it make of the calibration
windows, so that an int8 loop is one throughout.
"""
import numpy as np

from kit.record.samples import Parts, Samples
from kit.runtime.interpreter import Model
from kit.runtime.precisions import EXACT
from kit.tflite import loop, toco

WINDOWS = 400  # of the calibration data that pieces see


def finished(pieces, make, precision, calibration, steps):
    """[(Piece, [Step, ...]), ...] of [Piece, ...].

    make : a function (Network, precision, Samples or None) -> Step
    calibration : Samples, or None where the precision needs none
    """
    if [len(piece.networks) for piece in pieces] == [1]:  # along the record, as for the step form
        return [(pieces[0], [make(pieces[0].networks[0], precision, calibration)])]
    built, before = [], []
    values = [calibration and calibration.windows(WINDOWS, extremes=True)]
    for piece in pieces:
        given = [values[number] for number in piece.sources or (len(values) - 1,)]
        built.append((piece, [
            make(network, precision, calibration and _samples(piece, given, backwards))
            for network, backwards in zip(piece.networks, piece.backwards)]))
        if piece is not pieces[-1]:
            if calibration is not None:
                before.append((piece, [make(network, EXACT, None) for network in piece.networks]))
            values.append(_outputs(before, values[0], steps) if before else None)
    return built


def _samples(piece, given, backwards):
    """What calibrates one network of a piece, of the values (n, ...) that come to it."""
    if piece.whole:
        return Parts([values[:, None] for values in given], [True] * len(given),
                     [False] * len(given), False)
    rows = _rows(piece, given[0])
    return Samples(np.ascontiguousarray(rows[:, ::-1] if backwards else rows), rows.shape[1], False)


def _rows(piece, values):
    """What the piece takes (n, T, K) of the values that come to it: (n, T, C) or (n, C)."""
    if piece.flat:
        return values.reshape(len(values), 1, -1)
    if values.ndim == 2 and values.dtype != np.int32:  # no words
        return np.repeat(values[:, None], piece.repeat or 1, 1)
    return values


def _outputs(built, windows, steps):
    """What these pieces make of windows (n, T, C)."""
    return Model(toco.packed(*loop.looped(built, steps, windows.shape[2:]))).predict(windows)
