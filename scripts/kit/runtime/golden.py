"""A golden stream: inputs and what they must give, so that a device proves its interpreter in a call.

Real samples in the file's own integers or float32, a stretch in which the sample is held (a gap of
the log), and a reset after which the states are zero again; for a file of windows, two windows. The
CRC-32 is of all outputs and then of the states, little-endian, in the order in which they are
listed: equal when every bit is, and else `check` says how far apart they are.

numpy and any one TFLite runtime.
"""
import zlib

import numpy as np

from kit.base.cli import UserError
from kit.runtime.forms import FORMS
from kit.runtime.precisions import PRECISIONS

SAMPLES, HELD, RESET = 24, (7, 11), 16  # samples; those of [7, 11) repeat number 6; reset before 16
WINDOWS = 2


def golden_stream(model, precision, inputs):
    """The golden stream of a Model, as the .golden.json holds it.

    inputs : samples (n, C) of a stream, or windows (n, T, C), in the model's units; where they are
        few they are repeated
    """
    streams = FORMS[model.form].streams
    size = (SAMPLES if streams else WINDOWS,) + inputs.shape[1:]
    given = np.resize(inputs, size).astype(np.float32)
    if streams:
        given[HELD[0]:HELD[1]] = given[HELD[0] - 1]
    given = model.inputs[0].quantized(given)
    outputs, states = computed(model, given)
    about = {"held": list(HELD), "reset_before": RESET} if streams else {}
    return dict({"form": model.form, "precision": precision, "type": str(given.dtype),
                 "computed_by": model.runtime, "within": PRECISIONS[precision].apart}, **about,
                inputs=_listed(given), outputs=_listed(outputs),
                states=[_listed(state) for state in states], crc32=crc32(outputs, states))


def computed(model, given):
    """(outputs, states) of inputs in the file's own type; the states are those at the end, and
    before them those before the reset."""
    values = model.inputs[0].dequantized(given)
    if not FORMS[model.form].streams:
        return model.outputs[0].quantized(model.predict(values)), []
    model.reset()
    first = model.stream(values[:RESET])
    states = list(model.state)
    model.reset()
    outputs = np.concatenate([first, model.stream(values[RESET:])])
    return model.outputs[0].quantized(outputs), states + list(model.state)


def check(model, expected):
    """{"same_bits", and how far apart: "max_of_std", "mean_of_std" or in counts, "right"}."""
    ends = model.inputs[0], model.outputs[0]
    given, wanted = (_numbers(expected[key], end.dtype, key)
                     for key, end in zip(("inputs", "outputs"), ends))
    size = SAMPLES if FORMS[model.form].streams else WINDOWS
    if (model.form, str(ends[0].dtype), (size,) + model.input_shape, (size,) + model.output_shape) != (
            expected["form"], expected["type"], given.shape, wanted.shape):
        raise UserError("the golden stream is of another file: of the %s form, in %s, with inputs "
                        "%s" % (expected["form"], expected["type"], given.shape))
    held = [_numbers(state, given.dtype, "states") for state in expected["states"]]
    if crc32(wanted, held) != expected["crc32"]:
        raise UserError("the golden stream was altered: its crc32 is not that of its outputs")
    outputs, states = computed(model, given)
    if [state.shape for state in states] != [state.shape for state in held]:
        raise UserError("the golden stream is of another file: its states have other shapes")
    difference = np.abs(outputs.astype(np.float64) - wanted)
    unit = 1.0 if outputs.dtype != np.float32 else float(np.std(wanted.astype(np.float64))) or 1.0
    words = "counts" if outputs.dtype != np.float32 else "of_std"
    found = {"max_" + words: difference.max() / unit, "mean_" + words: difference.mean() / unit}
    if states:
        found["max_of_states"] = max(np.abs(a.astype(np.float64) - b).max()
                                     for a, b in zip(states, held))
    right = all(found[key] <= most for key, most in expected["within"].items() if key in found)
    return dict(found, same_bits=crc32(outputs, states) == expected["crc32"], right=bool(right))


def crc32(outputs, states):
    """CRC-32 of the outputs and the states, little-endian."""
    raw = b"".join(np.ascontiguousarray(a, a.dtype.newbyteorder("<")).tobytes()
                   for a in [outputs] + list(states))
    return zlib.crc32(raw) & 0xffffffff


def _numbers(values, dtype, what):
    """What `_listed` gave, as an array; UserError where it is none."""
    try:
        found = np.array(values, np.float64)
        kept = found.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        found = np.array(np.nan)
    if not np.isfinite(found).all() or (dtype != np.float32 and (kept != found).any()):
        raise UserError("the golden stream was altered: its %s are not numbers of type %s"
                        % (what, np.dtype(dtype)))
    return kept


def _listed(values):
    """Nested lists whose numbers read back as they were."""
    if values.dtype == np.float32:
        return np.vectorize(lambda value: float("%.9g" % value), otypes=[object])(values).tolist()
    return values.tolist()
