"""What Keras itself computes, as the reference of every converted form, and the distance to it."""

import numpy as np

from kit.base.cli import UserError
from kit.network.description import NESTED
from kit.network.layers.recurrent import KINDS as RECURRENT
from kit.runtime.forms import FORMS
from kit.runtime.interpreter import Model
from kit.runtime.precisions import EXACT, PRECISIONS
from kit.tf.tf115 import load_keras, tf

WINDOWS, STREAM_SAMPLES = 400, 10000  # compared on so many


class OutsideBound(UserError):
    """The converted model computes something else than Keras."""


class Reference:
    """Keras' own output on given samples, computed once, when it is first asked for."""

    def __init__(self, path, samples):
        self.path, self.samples, self._known = path, samples, {}

    def inputs(self, form):
        """What is compared: windows (n, T, C), or for the step form a stream (n, C)."""
        if FORMS[form].streams:
            return self.samples.stream[:STREAM_SAMPLES]
        return self.samples.windows(WINDOWS)

    def outputs(self, form):
        """Keras' output for inputs(form): (n, ...)."""
        streams = FORMS[form].streams
        key = "stream" if streams else "windows"
        if key not in self._known:
            compute = keras_stream if streams else keras_windows
            self._known[key] = compute(load_keras(self.path), self.inputs(form))
        return self._known[key]


def proven(data, precision, reference, part_of_std=None):
    """The difference of .tflite bytes to Keras; UserError beyond the bound.

    It is measured in 1.15's interpreter; of a file that this refuses, in tflite-runtime.
    """
    model = Model(data)
    inputs = reference.inputs(model.form)
    found = (model.stream if FORMS[model.form].streams else model.predict)(inputs)
    measured = judged(found, reference.outputs(model.form), precision, part_of_std)
    return measured if model.runtime == "tensorflow" else dict(measured, runtime=model.runtime)


def keras_windows(model, windows):
    """Keras' output for windows (n, T, C): (n, ...)."""
    batch = model.input_shape[0] or 128  # a stateful model has a batch of its own
    if batch == 128:
        return model.predict(np.ascontiguousarray(windows), batch_size=batch)
    return np.concatenate([_from_zero(model, windows[k:k + batch], batch)
                           for k in range(0, len(windows), batch)])


def _from_zero(model, windows, batch):
    """A stateful model's output for one batch of windows, its last one filled up."""
    model.reset_states()
    full = np.resize(windows, (batch,) + windows.shape[1:])
    return model.predict(full, batch_size=batch)[:len(windows)]


def keras_stream(model, samples):
    """Keras' output after each of the samples (n, C), the state carried: (n, ...).

    One long sequence through a twin of the model whose layers keep their sequences.
    """
    return twin(model).predict(samples[None])[0]


def twin(model):
    """The model on an open time axis, every layer giving its output at each step."""
    layers = list(_leaves(model))
    copies = [_twin_layer(layer) for layer in layers]
    shape = (None, int(model.input_shape[-1]))
    result = tf.keras.Sequential([tf.keras.layers.InputLayer(shape)] + copies)
    for layer, copy in zip(layers, copies):
        copy.set_weights(layer.get_weights())
    return result


def _leaves(model):
    """The layers from input to output, those of a nested model in its place."""
    for layer in model.layers:
        if layer.__class__.__name__ in NESTED:
            yield from _leaves(layer)
        elif layer.__class__.__name__ != "InputLayer":
            yield layer


def _twin_layer(layer):
    config = layer.get_config()
    for key in ("batch_input_shape", "name"):
        config.pop(key, None)
    kind = layer.__class__.__name__
    if kind in RECURRENT or kind == "RNN":
        config.update(return_sequences=True, stateful=False, unroll=False)
    for described in (config, config.get("layer", {}).get("config", {})):
        if "moving_mean_initializer" in described:  # BatchNormalization, perhaps TimeDistributed
            described["axis"] = -1
    copy = layer.__class__.from_config(config)
    return tf.keras.layers.TimeDistributed(copy) if kind in ("Flatten", "Reshape") else copy


def distance(found, reference):
    """The difference to the reference: mean, max, the output's spread, and how it moves in time."""
    if found.shape != reference.shape:
        raise UserError("the converted model gives %s per item, Keras gives %s"
                        % (found.shape[1:], reference.shape[1:]))
    difference = np.abs(found.astype(np.float64) - reference)
    tenth = max(1, len(difference) // 10)
    return {"count": len(reference), "output_std": float(np.std(reference.astype(np.float64))),
            "mean_abs_diff": float(difference.mean()), "max_abs_diff": float(difference.max()),
            "first_tenth_mean_abs_diff": float(difference[:tenth].mean()),
            "last_tenth_mean_abs_diff": float(difference[-tenth:].mean())}


def float_bound(measured):
    """The largest difference that a float form may show."""
    return PRECISIONS[EXACT].bound * max(1.0, measured["output_std"])


def judged(found, reference, precision, part_of_std=None):
    """The distance with its bound; UserError when it is outside.

    part_of_std : the bound in place of the precision's own, in standard deviations of the output;
    that of float32 stays as it is, and is of the maximum and of no less than 1
    """
    if not np.isfinite(reference).all():
        raise UserError("Keras itself gives values that are not finite here: this model's states "
                        "grow without end on this data")
    measured = distance(found, reference)
    kind, usual = PRECISIONS[precision].bounded, PRECISIONS[precision].bound
    bound = float_bound(measured) if precision == EXACT else (
        measured["output_std"] * (usual if part_of_std is None else part_of_std))
    if not measured[kind] <= bound:  # NaN is outside too
        raise OutsideBound("the %s model differs from Keras: %s %.3g is above the bound of %.3g; "
                           "no file was written" % (precision, kind, measured[kind], bound))
    return rounded(dict(measured, bound_on=kind, bound=bound))


def rounded(measured):
    """Floats to six significant digits, for files that are compared byte by byte."""
    return {key: float("%.6g" % value) if isinstance(value, float) else value
            for key, value in measured.items()}
