"""Run a .tflite file of any form under whichever TFLite runtime is at hand.

Needs numpy and one of tflite_runtime, ai_edge_litert and tensorflow (1.15 or 2.x), and runs under
Python 3.7 and later. Takes and gives float32; quantizes and dequantizes inside.

    model = Model("models/convert/step_int8.tflite")
    forecast = model.stream(samples)  # (n, C) -> (n, ...), the state is carried to the next call
"""
import os

import numpy as np

from kit.base.cli import UserError
from kit.runtime import verifier
from kit.runtime.forms import FORMS, by_first_input
from kit.runtime.runtimes import RUNTIMES, interpreter_class


class Model:
    """A .tflite file in a runtime.

    source : path or bytes
    runtime : a key of RUNTIMES; None takes the first that is installed and runs the file
    form : a key of FORMS
    """

    def __init__(self, source, runtime=None, threads=1):
        self.runtime, self._interpreter = _running(source, runtime, threads)
        self.inputs = [_Tensor(item) for item in self._interpreter.get_input_details()]
        self.outputs = [_Tensor(item) for item in self._interpreter.get_output_details()]
        name = self.inputs[0].name.split(":")[0].replace("serving_default_", "")
        form = by_first_input(name)
        if form is None:
            raise UserError("%s: the first input is '%s', not one of %s; this file was not made by "
                            "the convert script" % (_name(source), name, ", ".join(
                                sorted(form.first_input for form in FORMS.values()))))
        self.form = form.name
        self.input_shape = self.inputs[0].shape[1:]
        self._states = self.inputs[1:]
        self._routes = [(before.index, after.index, _requantizer(after, before))
                        for before, after in zip(self._states, self.outputs[1:])]
        self.reset()

    def predict(self, windows):
        """float32 (n, T, C), each from the zero state -> float32 (n, ...); window and fused."""
        self._expect(windows, not FORMS[self.form].streams, "predict", "stream")
        run, source, result = self._interpreter, self.inputs[0], self.outputs[0]
        quantized = source.quantized(windows)
        found = np.empty((len(windows),) + result.shape[1:], result.dtype)
        for number in range(len(windows)):
            if self.form == "fused":
                run.reset_all_variables()
            run.set_tensor(source.index, quantized[number:number + 1])
            run.invoke()
            found[number] = run.get_tensor(result.index)[0]
        return result.dequantized(found)

    def stream(self, samples):
        """float32 (n, C) -> float32 (n, ...): the output after each sample; the state is kept."""
        self._expect(samples, FORMS[self.form].streams, "stream", "predict")
        run, source, result = self._interpreter, self.inputs[0], self.outputs[0]
        quantized = source.quantized(samples)
        found = np.empty((len(samples),) + result.shape[1:], result.dtype)
        set_tensor, get_tensor, invoke = run.set_tensor, run.get_tensor, run.invoke
        for number in range(len(samples)):
            set_tensor(source.index, quantized[number:number + 1])
            for (into, _, _), value in zip(self._routes, self._held):
                set_tensor(into, value)
            invoke()
            found[number] = get_tensor(result.index)[0]
            self._held = [get_tensor(after) if convert is None else convert(get_tensor(after))
                          for _, after, convert in self._routes]
        return result.dequantized(found)

    def reset(self):
        """Back to the zero state, before the first sample of a stream."""
        self._held = [state.quantized(np.zeros(state.shape, np.float32))
                      for state in self._states]

    def _expect(self, array, right, asked, other):
        if not right:
            raise UserError("a %s model has no %s(); use %s()" % (self.form, asked, other))
        if tuple(array.shape[1:]) != tuple(self.input_shape):
            raise UserError("the model takes %s, not %s, per item"
                            % (tuple(self.input_shape), tuple(array.shape[1:])))


class _Tensor:
    """What a runtime says of an input or output."""

    def __init__(self, details):
        self.name, self.index = details["name"], details["index"]
        self.dtype = np.dtype(details["dtype"])
        self.shape = tuple(int(size) for size in details["shape"])
        self.scale, self.zero_point = details["quantization"]
        if self.dtype != np.float32:
            limits = np.iinfo(self.dtype)
            self._low, self._high = np.float32(limits.min), np.float32(limits.max)
            self._scale, self._zero_point = np.float32(self.scale), np.float32(self.zero_point)

    def quantized(self, values):
        """float32 -> the tensor's type, rounded and saturated."""
        if self.dtype == np.float32:
            return np.ascontiguousarray(values, np.float32)
        steps = np.rint(np.asarray(values, np.float32) / self._scale) + self._zero_point
        return np.minimum(np.maximum(steps, self._low), self._high).astype(self.dtype)

    def dequantized(self, values):
        """The tensor's type -> float32."""
        if self.dtype == np.float32:
            return values
        return (values.astype(np.float32) - self._zero_point) * self._scale


def _requantizer(after, before):
    """The function from an output's integers to an input's; None where both have one scale."""
    same = (after.dtype, after.scale, after.zero_point) == (
        before.dtype, before.scale, before.zero_point)
    return None if same else lambda values: before.quantized(after.dequantized(values))


def _content(source):
    """The bytes of a file, or the bytes that are given; UserError where they are altered or wrong."""
    data, described = (source, False) if isinstance(source, bytes) else verifier.model_file(source)
    if not described:  # a runtime trusts what it reads: a wrong shape ends the process
        verifier.checked(data, _name(source))
    return data


def _running(source, runtime, threads):
    """(name of the runtime, its interpreter of the file): of the wanted one, or of the first that
    is installed and takes the file; UserError with what the first one says when none does."""
    if runtime is not None and runtime not in RUNTIMES:
        raise UserError("there is no runtime %s; one of %s" % (runtime, ", ".join(RUNTIMES)))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    content, refusal = _content(source), None
    for name in RUNTIMES if runtime is None else [runtime]:
        try:
            return name, _load(interpreter_class(RUNTIMES[name]), content, threads)
        except ImportError:
            continue
        except (ValueError, RuntimeError) as error:
            refusal = refusal or error
    if refusal is not None:
        raise UserError("the runtime refuses this file: %s" % " ".join(str(refusal).split())[:200])
    raise UserError("no TFLite runtime here: install %s" % (runtime or "one of " + ", ".join(
        RUNTIMES)))


def _load(interpreter, content, threads):
    try:
        loaded = interpreter(model_content=content, num_threads=threads)
    except TypeError:  # 1.15 has no num_threads and takes one
        loaded = interpreter(model_content=content)
    loaded.allocate_tensors()
    return loaded


def _name(source):
    return "the model" if isinstance(source, bytes) else source
