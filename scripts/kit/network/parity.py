"""What Keras itself computes, as the reference of every converted form, and the distance to it."""
import json

import numpy as np

from kit.base.cli import UserError
from kit.network.description import paces, read_network, returned_states, step_shapes, timed
from kit.network.files.build import ACTIVATIONS, built, in_float64, leaves
from kit.network.handlers import HANDLERS
from kit.record.samples import Samples
from kit.runtime.forms import FORMS, alone, several
from kit.runtime.interpreter import Model
from kit.runtime.precisions import EXACT, PRECISIONS
from kit.tf.tf115 import tf

WINDOWS, STREAM_SAMPLES = 400, 10000  # compared on so many
TAIL = 4.0  # the 99th percentile's bound, in bounds of the mean; of a normal error it is 3.2 means
LENGTHS, LENGTH_WINDOWS = (1, 7, 20, 200, 1000), 8  # where any length is right, these steps too
GROWN = 10  # times as far spread as usual
MOST_TIMES = 5  # the bound: further off, a file may still be of use
ROUNDINGS = 10  # times what Keras' own rounding loses, that a float file may lose


class OutsideBound(UserError):
    """The converted model computes something else than Keras."""


class Reference:
    """Keras' own output on given samples, computed once, when it is first asked for."""

    def __init__(self, file, samples):
        self.file, self.samples, self._known = file, samples, {}

    def inputs(self, form):
        """What is compared: windows (n, T, C), or for the step form a stream (n, C).

        A list of them for a model of several inputs.
        """
        if FORMS[form].streams:
            return alone([values[:STREAM_SAMPLES] for values in several(self.samples.stream)])
        return self.samples.windows(WINDOWS)

    def outputs(self, form):
        """Keras' output for inputs(form): (n, ...)."""
        key = "stream" if FORMS[form].streams else "windows"
        if key not in self._known:
            self._known[key] = self._computed(form, built(self.file))
        return self._known[key]

    def rounding(self, form):
        """How far Keras' float32 is from its float64 on inputs(form), at most."""
        key = "rounding of stream" if FORMS[form].streams else "rounding of windows"
        if key not in self._known:
            with in_float64():
                exact = self._computed(form, built(self.file, "float64"))
            self._known[key] = max(float(np.abs(one - other).max()) for one, other in zip(
                several(exact), several(self.outputs(form))))
        return self._known[key]

    def _computed(self, form, model):
        """A Keras model's output for inputs(form)."""
        if FORMS[form].streams:
            return keras_stream(model, read_network(self.file), self.inputs(form))
        return keras_windows(model, self.inputs(form))

    def at_other_lengths(self):
        """[(windows (n, T, C), Keras' output), ...] for each T of LENGTHS that the data has."""
        if "lengths" not in self._known:
            stream, model = self.samples.stream, opened(built(self.file))
            windows = [Samples(stream[None], steps, False).windows(LENGTH_WINDOWS)
                       for steps in LENGTHS if steps <= len(stream)]
            try:
                self._known["lengths"] = [(some, model.predict(some)) for some in windows]
            except (ValueError, tf.errors.InvalidArgumentError):  # a Reshape that says how many steps
                self._known["lengths"] = []
        return self._known["lengths"]

    def rounding_at(self, windows, expected):
        """The rounding on windows of another length, and Keras' output for them."""
        with in_float64():
            exact = opened(built(self.file, "float64")).predict(windows)
        return float(np.abs(exact - expected).max())


def proven(data, precision, reference, bound_factor=1.0):
    """The difference of .tflite bytes to Keras; UserError beyond the bound.

    It is measured in 1.15's interpreter; of a file that this refuses, in tflite-runtime.
    """
    model = Model(data)
    inputs = reference.inputs(model.form)
    found = (model.stream if FORMS[model.form].streams else model.predict)(inputs)
    expected = reference.outputs(model.form)
    found = alone([one[len(one) - len(other):]  # those that Keras has, from the first output on
                   for one, other in zip(several(found), several(expected))])
    try:
        found = judged(found, expected, precision, bound_factor)
    except OutsideBound:
        if precision == EXACT:
            found = judged(found, expected, precision, rounding=reference.rounding(model.form))
        elif model.form == "step" and reference.rounding("step") > float_bound(
                distance(several(found)[0], several(expected)[0])):
            found = judged(*from_zero(model, reference), precision, bound_factor)
            found.update(keras_rounding=reference.rounding("step"), compared_from_zero=True)
        else:
            raise
    if model.runtime != "tensorflow":
        found["runtime"] = model.runtime
    if model.any_length and not FORMS[model.form].streams:
        found["other_lengths"] = at_lengths(model, precision, reference, found["output_std"])
    return found


def from_zero(model, reference):
    """(what a step model gives for the windows, each from the zero state, what Keras does).

    Where a model magnifies roundings, two streams of it that differ in one rounding have nothing in
    common after a while, and only so long a stretch as the model was made for says how near they are.
    """
    expected, found = reference.outputs("window"), []
    for window in zip(*several(reference.inputs("window"))):
        model.reset()
        found.append(several(model.stream(alone(list(window)))))
    model.reset()
    return alone([np.stack([one if one.shape == wanted.shape[1:] else one[-1] for one in each])
                  for each, wanted in zip(zip(*found), several(expected))]), expected


def at_lengths(model, precision, reference, usual_std):
    """[{"steps", "mean_abs_diff", "max_abs_diff"}, ...] of windows of LENGTHS.

    UserError where an exact file is outside its bound. Lengths at which the states of Keras itself
    have grown without end (a relu does that) are left out: nothing is near then.
    """
    found = []
    for windows, expected in reference.at_other_lengths():
        if not np.std(expected.astype(np.float64)) < GROWN * usual_std:
            continue
        measured = distance(model.predict(windows), expected)
        measured["output_std"] = max(usual_std, measured["output_std"])
        bound = float_bound(measured)
        if precision == EXACT and not measured["max_abs_diff"] <= bound:
            bound = float_bound(measured, reference.rounding_at(windows, expected))
        if precision == EXACT and not measured["max_abs_diff"] <= bound:
            raise OutsideBound("the %s model differs from Keras on windows of %d steps: %.3g is "
                               "above the bound of %.3g; no file was written" % (
                                   precision, windows.shape[1], measured["max_abs_diff"], bound))
        found.append(rounded(dict(steps=windows.shape[1], **{
            key: measured[key] for key in ("mean_abs_diff", "max_abs_diff")})))
    return found


def keras_windows(model, windows):
    """Keras' output for windows (n, T, C): (n, ...); lists for several inputs and outputs."""
    batch = model.inputs[0].shape.as_list()[0]
    inputs = [np.ascontiguousarray(values) for values in several(windows)]
    if batch is None:
        return model.predict(alone(inputs), batch_size=128)
    parts = [several(_from_zero(model, [values[k:k + batch] for values in inputs], batch))
             for k in range(0, len(inputs[0]), batch)]
    return alone([np.concatenate(outputs) for outputs in zip(*parts)])


def _from_zero(model, windows, batch):
    """A stateful model's output for one batch of windows, its last one filled up."""
    model.reset_states()
    full = [np.resize(values, (batch,) + values.shape[1:]) for values in windows]
    found = several(model.predict(alone(full), batch_size=batch))
    return alone([values[:len(windows[0])] for values in found])


def keras_stream(model, network, samples):
    """Keras' output after each of the samples (n, C), the state carried: (n, ...).

    Where strides make the first one wait, from that on; between two the last one is repeated.

    One long sequence through a twin of the model whose layers keep their sequences.
    """
    found = several(twin(model, network).predict([values[None] for values in several(samples)]))
    pace, count = paces(network), len(several(samples)[0])
    slow = [pace[value] for _, value in network.outputs if value not in returned_states(network)]
    return alone([np.repeat(output[0], every, 0)[:count - first]
                  for output, (first, every) in zip(found, slow)])


def twin(model, network):
    """The model on an open time axis, every layer giving its output at each step.

    States that the model takes begin at zero, and those that it gives are left out.
    """
    keras, sizes, steps = tf.keras, step_shapes(network), timed(network)
    originals = dict(leaves(model, ""))
    with keras.utils.custom_object_scope(ACTIVATIONS):
        values = [None if item.state_of else keras.layers.Input((None,) + tuple(size))
                  for item, size in zip(network.inputs, sizes)]
        inputs, copies = [value for value in values if value is not None], []
        for node in network.nodes:
            original = originals.get(node.layer.name) or _cell(originals, node.layer.name)
            given = [values[v] for v in node.inputs if values[v] is not None]
            copy, value = HANDLERS[node.layer.class_name].twin(
                keras, original, given, [steps[v] for v in node.inputs])
            copies.append((copy, original))
            found = list(value) if isinstance(value, tuple) else [value]
            values += found + [None] * (len(node.outputs) - len(found))
    outputs = [values[v] for _, v in network.outputs if v not in returned_states(network)]
    if any(value is None for value in outputs):
        raise UserError("the difference to Keras cannot be measured step by step: an output of the "
                        "model is the state of a layer; use the window form")
    result = keras.Model(inputs, outputs)
    for copy, original in copies:
        copy.set_weights(original.get_weights())
    return result


def _cell(originals, name):
    """The layer of one cell of an RNN of several, by the name that it has in the network."""
    name, _, number = name.rpartition("/cell_")
    stack = originals[name]
    cell = stack.cell.cells[int(number)]
    layer = tf.keras.layers.RNN(cell.__class__.from_config(cell.get_config()),
                                return_state=stack.return_state)
    layer.build((None, None, cell.weights[0].shape.as_list()[0]))
    layer.set_weights(tf.keras.backend.batch_get_value(cell.weights))
    return layer


def opened(model):
    """The model on an open time axis."""
    def walk(item):
        if isinstance(item, dict):
            return {key: False if key in ("stateful", "unroll") else
                    [None, None] + value[2:] if key == "batch_input_shape" else walk(value)
                    for key, value in item.items()}
        return [walk(value) for value in item] if isinstance(item, list) else item

    with tf.keras.utils.custom_object_scope(ACTIVATIONS):
        found = tf.keras.models.model_from_json(json.dumps(walk(json.loads(model.to_json()))))
    found.set_weights(model.get_weights())
    return found


def distance(found, reference):
    """The difference to the reference: mean, max, the output's spread, and how it moves in time."""
    if found.shape != reference.shape:
        raise UserError("the converted model gives %s per item, Keras gives %s"
                        % (found.shape[1:], reference.shape[1:]))
    difference = np.abs(found.astype(np.float64) - reference)
    tenth = max(1, len(difference) // 10)
    return {"count": len(reference), "output_std": float(np.std(reference.astype(np.float64))),
            "mean_abs_diff": float(difference.mean()), "max_abs_diff": float(difference.max()),
            "p99_abs_diff": float(np.percentile(difference, 99)),
            "first_tenth_mean_abs_diff": float(difference[:tenth].mean()),
            "last_tenth_mean_abs_diff": float(difference[-tenth:].mean())}


def float_bound(measured, rounding=0.0):
    """The largest difference that a float form may show.

    rounding : how far Keras' own float32 is from the exact result. Where a model magnifies
    roundings, two orders of one sum differ by as much.
    """
    usual = PRECISIONS[EXACT].bound * max(1.0, measured["output_std"])
    return max(usual, min(ROUNDINGS * rounding, PRECISIONS["int8"].bound * measured["output_std"]))


def judged(found, reference, precision, bound_factor=1.0, rounding=0.0):
    """The distance with its bound; UserError when it is outside.

    bound_factor : times the precision's own bound, which is in standard deviations of the output;
    that of float32 stays as it is, and is of the maximum and of no less than 1
    rounding : as in float_bound
    """
    if isinstance(reference, list):
        return _worst([judged(*pair, precision, bound_factor, rounding)
                       for pair in zip(found, reference)])
    if not np.isfinite(reference).all():
        raise UserError("Keras itself gives values that are not finite here: this model's states "
                        "grow without end on this data, or it divides by zero, as in the mean of a "
                        "window whose steps are all masked")
    measured = distance(found, reference)
    statistic, usual = PRECISIONS[precision].bounded, PRECISIONS[precision].bound
    bound = float_bound(measured, rounding) if precision == EXACT else (
        measured["output_std"] * usual * bound_factor)
    bounds = [(statistic, bound)] + [("p99_abs_diff", TAIL * bound)] * (precision != EXACT)
    for key, largest in bounds:
        if not measured[key] <= largest:  # NaN is outside too
            times = max(measured[each] / max(most, 1e-30) for each, most in bounds)
            way = _way(precision, rounding, times, found, measured["output_std"])
            raise OutsideBound("the %s model differs from Keras: %s %.3g is above the bound of %.3g; no "
                               "file was written%s" % (precision, key, measured[key], largest, way))
    measured.update(bound_on=statistic, bound=bound, **({"keras_rounding": rounding} if rounding else {}))
    if precision != EXACT:
        measured["p99_bound"] = TAIL * bound
    return rounded(measured)


def _way(precision, rounding, times, found, spread):
    """What to do about it, or why it is so. times : the bound, so large is the difference"""
    if precision == EXACT:
        return "; the model magnifies roundings: Keras' own float32 is %.2g from float64 here" % (
            rounding) if rounding else ""
    text = ""
    if precision == "int8":
        steps = np.diff(np.unique(found))
        text = "; its outputs are spread by %.2g of their steps of 8 bits, and int16x8 has 256 times as " \
            "many" % (spread / steps.min() if len(steps) else 0)
    if times < MOST_TIMES:
        text += ("; --bound-factor (convert.bound_factor in params.yaml) of %.1f times what it is "
                 "allows it, and `evaluate` measures what that costs" % (np.ceil(10 * times) / 10))
    return text


def _worst(outputs):
    """The facts of the output that comes nearest to its bound, with those of all beside."""
    worst = max(outputs, key=lambda item: item[item["bound_on"]] / max(item["bound"], 1e-30))
    return dict(worst, outputs=outputs)


def rounded(measured):
    """Floats to six significant digits, for files that are compared byte by byte."""
    return {key: float("%.6g" % value) if isinstance(value, float) else value
            for key, value in measured.items()}
