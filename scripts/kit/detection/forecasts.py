"""What each model file forecasts on a record: Keras .h5, frozen .pb and .tflite of any form.

Files run in processes of their own, and long records in blocks, so that two cores are busy; neither
the number of processes nor the order in which they finish has a part in the result.
"""
import functools
import os

import numpy as np

from kit.base.cli import UserError, progress, read_json
from kit.record.windows import windows_and_next
from kit.runtime.forms import FORMS

BLOCK = 4000  # windows in one piece of work
BATCH = 500


def forecast_all(pool, paths, parts, window_steps, bounds=None):
    """Forecast of each sample from those before it: {path: [(n, C) float32 per part]}.

    pool : kit.base.processes.Processes
    parts : list of (n, C) float32, without gaps; window_steps : samples that a model of open length sees
    bounds : half-open row ranges of each part's sessions, by default one
    The first samples of a session, before which no window fits, have NaN.
    """
    bounds = bounds or [[(0, len(part))] for part in parts]
    forms = dict(zip(paths, pool.map(form_of, paths)))
    work = [piece for path in paths
            for piece in pieces(path, forms[path], parts, window_steps, bounds)]
    forecasts = {path: [np.full(part.shape, np.nan, np.float32) for part in parts]
                 for path in paths}
    results = progress(pool.map(run_piece, work, lambda piece: piece[0]), "forecasts",
                       total=len(work))
    for (path, part, start, stop, _, _), block in zip(work, results):
        if block.shape[1:] != parts[part].shape[1:]:
            raise UserError("%s gives %s per window; a forecast of the %d channels is needed"
                            % (path, block.shape[1:], parts[part].shape[1]))
        forecasts[path][part][start:stop] = block
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


def pieces(path, form_and_steps, parts, window_steps, bounds):
    """Pieces of work: (path, part, start, stop, samples, (form, steps)), as the form needs them."""
    form, own_steps = form_and_steps
    steps = own_steps or window_steps
    for number, part in enumerate(parts):
        for begin, end in bounds[number]:
            block = max(end - begin, 1) if streams(form) else BLOCK
            for start in range(begin + steps, end, block):
                stop = min(start + block, end)
                yield path, number, start, stop, part[start - steps:stop], (form, steps)


def run_piece(piece):
    """Forecasts (stop - start, C) of one piece of work."""
    path, _, _, _, samples, (form, steps) = piece
    model = loaded(path, form)
    if streams(form):  # from a session's first sample on; the output after one forecasts the next
        model.reset()
        return model.stream(samples[:-1])[steps - 1:]
    windows, _ = windows_and_next(samples, steps)
    if form in FORMS:
        return model.predict(windows)
    return np.concatenate([model(np.ascontiguousarray(windows[i:i + BATCH]))
                           for i in range(0, len(windows), BATCH)])


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
