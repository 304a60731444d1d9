"""Run a .tflite file of any form under whichever TFLite runtime is at hand.

Needs numpy and one of tflite_runtime, ai_edge_litert and tensorflow (1.15 or 2.x), and runs under
Python 3.7 and later. Takes and gives float32; quantizes and dequantizes inside.

    model = Model("models/convert/step_int8.tflite")
    forecast = model.stream(samples)  # (n, C) -> (n, ...), the state is carried to the next call
"""
import importlib
import os
import warnings

import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer

RUNTIMES = {"tflite_runtime": "tflite_runtime.interpreter",
            "ai_edge_litert": "ai_edge_litert.interpreter",
            "tensorflow": "tensorflow"}
# By the first input's name.
FORMS = {"window": "window", "sequence": "fused", "sample": "step", "series": "loop"}


class Model:
    """A .tflite file in a runtime.

    source : path or bytes
    runtime : a key of RUNTIMES; None takes the first that can be imported
    form : "window", "fused", "step" or "loop"
    """

    def __init__(self, source, runtime=None, threads=1):
        self.runtime, interpreter = _interpreter_class(runtime)
        self._interpreter, self.any_length = _load(interpreter, source, threads)
        self._describe()
        name = self.inputs[0].name.split(":")[0].replace("serving_default_", "")
        if name not in FORMS:
            raise UserError("%s: the first input is '%s', not one of %s; this file was not made by "
                            "the convert script" % (_name(source), name, ", ".join(sorted(FORMS))))
        self.form = FORMS[name]
        self.input_shape = self.inputs[0].shape[1:]
        self._states = self.inputs[1:]
        self._routes = [(before.index, after.index, _requantizer(after, before))
                        for before, after in zip(self._states, self.outputs[1:])]
        self.reset()

    def predict(self, windows):
        """float32 (n, T, C), each from the zero state -> float32 (n, ...); all forms but step.

        T is the file's, or any where the file says so.
        """
        self._expect(windows, self.form != "step", "predict", "stream")
        self._resize(windows.shape)
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
        self._expect(samples, self.form == "step", "stream", "predict")
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

    def _resize(self, shape):
        """Make the input's time axis as long as that of windows of this shape."""
        if shape[1:] == self.inputs[0].shape[1:]:
            return
        self._interpreter.resize_tensor_input(self.inputs[0].index, (1,) + tuple(shape[1:]))
        self._interpreter.allocate_tensors()
        self._describe()

    def _describe(self):
        run = self._interpreter
        self.inputs = [_Tensor(item) for item in run.get_input_details()]
        self.outputs = [_Tensor(item) for item in run.get_output_details()]

    def _expect(self, array, right, asked, other):
        if not right:
            raise UserError("a %s model has no %s(); use %s()" % (self.form, asked, other))
        if self.any_length and array.ndim == 3 and len(array[0]) and (
                array.shape[2:] == self.input_shape[1:]):
            return
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


def _interpreter_class(runtime):
    """(name, Interpreter class) of the wanted runtime, or of the first that is there."""
    if runtime is not None and runtime not in RUNTIMES:
        raise UserError("there is no runtime %s; one of %s" % (runtime, ", ".join(RUNTIMES)))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in RUNTIMES if runtime is None else [runtime]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                module = importlib.import_module(RUNTIMES[name])
            except ImportError:
                continue
        return name, (module.lite if name == "tensorflow" else module).Interpreter
    raise UserError("no TFLite runtime here: install %s" % (runtime or "one of " + ", ".join(
        RUNTIMES)))


def _load(interpreter, source, threads):
    """(interpreter, whether the length of its window is open)."""
    if not isinstance(source, bytes):
        try:
            with open(source, "rb") as file:
                source = file.read()
        except OSError as error:
            raise UserError("%s: %s" % (source, error.strerror))
    # 1.15 loads a file that was cut off, and reads what lies behind it
    graph = flatbuffer.read(source)["subgraphs"][0]
    any_length = -1 in graph["tensors"][graph["inputs"][0]].get("shape_signature", ())
    try:
        try:
            loaded = interpreter(model_content=source, num_threads=threads)
        except TypeError:  # 1.15 has no num_threads and takes one
            loaded = interpreter(model_content=source)
        loaded.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UserError("the runtime refuses this file: %s" % " ".join(str(error).split())[:200])
    return loaded, any_length and hasattr(loaded, "resize_tensor_input")


def _name(source):
    return "the model" if isinstance(source, bytes) else source
