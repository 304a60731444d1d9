"""What each model file forecasts on a record: Keras .h5, frozen .pb and .tflite of any form.

Files run in processes of their own, and long records in blocks, so that two cores are busy and memory
stays small; neither the number of processes nor the order in which they finish has a part in the
result.
"""
import functools
import os
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, progress, read_json
from kit.record.windows import windows_and_next
from kit.runtime.forms import FORMS

BLOCK = 4000  # windows in one piece of work
BATCH = 500
STREAMED = 1 << 14  # samples of a stream in memory at once


def forecast_all(pool, paths, parts, window_steps, shelf, bounds=None):
    """Forecast of each sample from those before it: {path: [Kept (n, C) float32 per part]}.

    pool : kit.base.processes.Processes; parts : list of Kept (n, C) float32, without gaps
    window_steps : samples that a model of open length sees; shelf : kit.record.kept.Shelf
    bounds : half-open row ranges of each part's sessions, by default one
    The first samples of a session, before which no window fits, have NaN.
    """
    bounds = bounds or [[(0, len(part))] for part in parts]
    forms = dict(zip(paths, pool.map(form_of, paths)))
    forecasts = {path: [shelf.new(part.shape) for part in parts] for path in paths}
    work = []
    for path in paths:
        steps = forms[path][1] or window_steps
        for found, ranges in zip(forecasts[path], bounds):
            for begin, end in ranges:
                found[begin:min(begin + steps, end)] = np.nan
        work += [(piece, parts[piece.part], forecasts[path][piece.part])
                 for piece in pieces(path, forms[path], window_steps, bounds)]
    for _ in progress(pool.map(run_piece, work, lambda item: item[0].path), "forecasts",
                      total=len(work)):
        pass
    return forecasts


def form_of(path):
    """(form of a model file, keras and frozen among them; its window's length or None)."""
    if path.endswith(".h5"):
        return "keras", None
    if path.endswith(".pb"):
        return "frozen", None
    model = tflite_model(path)
    return model.form, None if FORMS[model.form].streams else int(model.input_shape[0])


def streams(form):
    return form in FORMS and FORMS[form].streams


def tflite_model(path):
    from kit.runtime.interpreter import Model

    try:
        return Model(path)
    except UserError as error:
        raise UserError("%s: %s" % (path, error) if path not in str(error) else str(error))


class Piece(NamedTuple):
    """Samples to forecast in one piece of work: rows [start, stop) of a part."""

    path: str
    part: int
    start: int
    stop: int
    form: str
    steps: int  # samples before `start` that are needed


def pieces(path, form_and_steps, window_steps, bounds):
    """The pieces of work of a file; a stream's is a whole session."""
    form, own_steps = form_and_steps
    steps = own_steps or window_steps
    for number, ranges in enumerate(bounds):
        for begin, end in ranges:
            block = max(end - begin, 1) if streams(form) else BLOCK
            for start in range(begin + steps, end, block):
                yield Piece(path, number, start, min(start + block, end), form, steps)


def run_piece(work):
    """Write the forecasts of a piece: (Piece, the part, the Kept array that they come to)."""
    piece, part, found = work
    model, rows = loaded(piece.path, piece.form), slice(piece.start - piece.steps, piece.stop)
    for start, block in (streamed if streams(piece.form) else of_windows)(model, piece, part, rows):
        if block.shape[1:] != part.shape[1:]:
            raise UserError("%s gives %s per window; a forecast of the %d channels is needed"
                            % (piece.path, block.shape[1:], part.shape[1]))
        found[start:start + len(block)] = block


def of_windows(model, piece, part, rows):
    """(first row, forecasts) of a window before each sample."""
    windows, _ = windows_and_next(part[rows], piece.steps)
    if piece.form in FORMS:
        yield piece.start, model.predict(windows)
    else:
        yield piece.start, np.concatenate([model(np.ascontiguousarray(windows[i:i + BATCH]))
                                           for i in range(0, len(windows), BATCH)])


def streamed(model, piece, part, rows):
    """(first row, forecasts) from a session's first sample on; the output after one forecasts the next."""
    model.reset()
    for first in range(rows.start, rows.stop - 1, STREAMED):
        outputs = model.stream(part[first:min(first + STREAMED, rows.stop - 1)])
        start = max(first + 1, piece.start)
        yield start, outputs[start - first - 1:]


@functools.lru_cache(maxsize=2)
def loaded(path, form):
    """A .tflite Model, or a function from windows to forecasts; kept for the next piece."""
    if form == "keras":
        from kit.tf.tf115 import load_keras

        return load_keras(path).predict_on_batch
    return frozen_graph(path) if form == "frozen" else tflite_model(path)


def frozen_graph(path):
    """A function from windows (n, T, C) to a frozen window graph's output."""
    from kit.tf.tf115 import frozen_session

    signature = read_json(os.path.splitext(path)[0] + ".json")
    names = [signature[side][0]["name"] + ":0" for side in ("outputs", "inputs")]
    with open(path, "rb") as file:
        return frozen_session(file.read()).make_callable(names[0], names[1:])
