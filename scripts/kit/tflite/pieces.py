"""The pieces of a loop form, each with its finished step model.

A piece after the first is calibrated on what the float pieces before it make of the calibration
windows, so that an int8 loop is one throughout.
"""
import numpy as np

from kit.network import forms
from kit.record.samples import Samples
from kit.runtime.interpreter import Model
from kit.tflite import loop, toco

WINDOWS = 400  # of the calibration data that pieces see


def finished(pieces, make, exact, calibration, steps):
    """[(Piece, [Step, ...]), ...] of [Piece, ...].

    make, exact : functions (frozen graph, Samples or None) -> Model dict, of the wanted precision
        and of float32
    calibration : Samples, or None where the precision needs none
    """
    if [len(piece.networks) for piece in pieces] == [1]:  # along the record, as for the step form
        return [(pieces[0], [_step(pieces[0].networks[0], make, calibration)])]
    built, before = [], []
    values = windows = calibration and calibration.windows(WINDOWS, extremes=True)
    for piece in pieces:
        rows = values if calibration is None else _rows(piece, values)
        built.append((piece, [
            _step(network, make, rows if rows is None else _samples(rows, backwards))
            for network, backwards in zip(piece.networks, piece.backwards)]))
        if calibration is not None and piece is not pieces[-1]:
            before.append((piece, [_step(network, exact) for network in piece.networks]))
            values = _outputs(before, windows, steps)
    return built


def _step(network, make, samples=None):
    graph = forms.frozen(network, "step", None)
    return loop.Step(make(graph, samples), {"inputs": graph.inputs, "outputs": graph.outputs})


def _rows(piece, values):
    """What the piece takes (n, T, K) of the values that come to it: (n, T, C) or (n, C)."""
    if piece.flat:
        return values.reshape(len(values), 1, -1)
    if values.ndim == 2:
        return np.repeat(values[:, None], piece.repeat or 1, 1)
    return values


def _samples(rows, backwards):
    return Samples(np.ascontiguousarray(rows[:, ::-1] if backwards else rows), rows.shape[1], False)


def _outputs(built, windows, steps):
    """What these pieces make of windows (n, T, C)."""
    return Model(toco.packed(*loop.looped(built, steps, windows.shape[-1]))).predict(windows)
