"""Run a .tflite file of any form under whichever TFLite runtime is at hand.

Needs numpy and one of tflite_runtime, ai_edge_litert and tensorflow (1.15 or 2.x), and runs under
Python 3.7 and later. Takes and gives float32; quantizes and dequantizes inside.

    model = Model("models/convert/step_int8.tflite")
    forecast = model.stream(samples)  # (n, C) -> (n, ...), the state is carried to the next call
"""
import contextlib
import functools
import os
import tempfile

import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer, verifier
from kit.runtime.forms import FORMS, alone, by_first_input, several
from kit.runtime.runtimes import RUNTIMES, interpreter_class


def _refusing(method):
    """Let what a runtime says while it runs be one sentence, too."""
    @functools.wraps(method)
    def said(*arguments):
        try:
            return method(*arguments)
        except (ValueError, RuntimeError) as error:
            raise UserError("the runtime gives this file up: %s" % " ".join(
                str(error).split())[:200])
    return said


class Model:
    """A .tflite file in a runtime.

    source : path or bytes
    runtime : a key of RUNTIMES; None takes the first that is installed and runs the file
    form : a key of FORMS
    any_length : whether windows may be longer and shorter than the file says
    streams : how many a step model follows at once, see `widen`
    """

    streams = 1

    def __init__(self, source, runtime=None, threads=1):
        _check_runtime(runtime)
        content = _content(source)
        self.runtime, self._interpreter = _running(content, runtime, threads)
        self.any_length = _says_any_length(content) and hasattr(
            self._interpreter, "resize_tensor_input")
        self._describe()
        self.form = _form(source, self.inputs)
        self._at_once = self._data[0].shape[1] if self.form == "chunk" else 1
        self.input_shape, self.output_shape = (
            self._item(ends[0]) for ends in (self._data, self._results))
        self.reset()

    def _describe(self):
        """Note the inputs and outputs as they are now."""
        self.inputs = [_Tensor(item) for item in self._interpreter.get_input_details()]
        self.outputs = [_Tensor(item) for item in self._interpreter.get_output_details()]
        after = {item.plain: item for item in self.outputs}
        self._states = [item for item in self.inputs if "next_" + item.plain in after]
        self._data = [item for item in self.inputs if item not in self._states]
        following = [after["next_" + item.plain] for item in self._states]
        self._results = [item for item in self.outputs if item not in following]
        self._routes = [(before.index, item.index, _requantizer(item, before))
                        for before, item in zip(self._states, following)]

    @_refusing
    def predict(self, windows):
        """float32 (n, T, C), each from the zero state -> float32 (n, ...); all forms but step.

        T is the file's, or any where the file says so. A list of arrays for a model of several
        inputs, and of one of several outputs.
        """
        self._expect(windows, not FORMS[self.form].streams, "predict", "stream")
        if self.any_length:
            self._resize(several(windows)[0].shape)
        run = self._interpreter
        sources, found = self._prepared(windows)
        for number in range(len(found[0])):
            if self.form == "fused":
                run.reset_all_variables()
            for source, values in sources:
                run.set_tensor(source, values[number:number + 1])
            run.invoke()
            for place, result in enumerate(self._results):
                value = run.get_tensor(result.index)[0]
                if value.shape != found[place].shape[1:]:  # of another length, not known before
                    found[place] = np.empty((len(found[place]),) + value.shape, value.dtype)
                found[place][number] = value
        return self._given(found)

    @_refusing
    def stream(self, samples):
        """float32 (n, C) -> float32 (n, ...): the output after each sample; the state is kept.

        A list of arrays for a model of several inputs, and of one of several outputs. Of several
        `streams` a sample of each comes in turn, and so do the outputs.
        """
        self._expect(samples, FORMS[self.form].streams, "stream", "predict")
        if self.form == "chunk":
            return self._in_pieces(samples)
        sources, found = self._prepared(samples)
        (self._in_memory if self._shows_memory() else self._by_calls)(sources, found)
        return self._given(found)

    def _by_calls(self, sources, found):
        """Follow the samples with what every runtime has."""
        run, width = self._interpreter, self.streams
        set_tensor, get_tensor, invoke = run.set_tensor, run.get_tensor, run.invoke
        results = [(values, result.index) for values, result in zip(found, self._results)]
        for number in range(0, len(found[0]), width):
            for source, values in sources:
                set_tensor(source, values[number:number + width])
            for (into, _, _), value in zip(self._routes, self._held):
                set_tensor(into, value)
            invoke()
            for values, result in results:
                values[number:number + width] = get_tensor(result)
            self._held = [get_tensor(after) if convert is None else convert(get_tensor(after))
                          for _, after, convert in self._routes]

    def _shows_memory(self):
        """Whether tensors can be read and written where they are, and none is both in and out."""
        ends = {item.index for item in self.inputs} & {item.index for item in self.outputs}
        return not ends and hasattr(self._interpreter, "tensor") and hasattr(
            getattr(self._interpreter, "_interpreter", None), "Invoke")

    def _in_memory(self, sources, found):
        """The same in half the time, as bytes where the tensors are.

        TensorFlow's own invoke() refuses while anybody looks at them, as memory may move; only
        allocate_tensors() moves it. So what it calls is called.
        """
        def memory(index):
            return _bytes(self._interpreter.tensor(index)())

        invoke = self._interpreter._interpreter.Invoke
        inputs = [(memory(source), _bytes(values)) for source, values in sources]
        results = [(memory(result.index), _bytes(values))
                   for values, result in zip(found, self._results)]
        routes = [(memory(into), memory(after), after, convert)
                  for into, after, convert in self._routes]
        for (into, _, _, _), value in zip(routes, self._held):
            into[:] = _bytes(value)
        here, there = [[place for place, _ in ends] for ends in (inputs, results)]
        rows = [zip(*[_pieces(values, len(place)) for place, values in ends])
                for ends in (inputs, results)]
        for given, wanted in zip(*rows):
            for into, row in zip(here, given):
                into[:] = row
            invoke()
            for row, result in zip(wanted, there):
                row[:] = result
            for into, after, index, convert in routes:
                into[:] = after if convert is None else _bytes(
                    convert(self._interpreter.get_tensor(index)))
        self._held = [np.frombuffer(into, value.dtype).reshape(value.shape).copy()
                      for (into, _, _, _), value in zip(routes, self._held)]

    def _in_pieces(self, samples):
        """stream() of a chunk file: as many samples a call as the file says, at the end fewer."""
        run, found = self._interpreter, [np.empty((0,) + self.output_shape, self._results[0].dtype)]
        if len(samples) % self._at_once and not self.any_length:
            raise UserError("this file takes %d samples at a call in %s, and %d are no multiple of "
                            "that" % (self._at_once, self.runtime, len(samples)))
        for start in range(0, len(samples), self._at_once):
            piece = samples[None, start:start + self._at_once]
            self._resize(piece.shape)
            run.set_tensor(self._data[0].index, self._data[0].quantized(piece))
            for (into, _, _), value in zip(self._routes, self._held):
                run.set_tensor(into, value)
            run.invoke()
            found.append(run.get_tensor(self._results[0].index)[0])
            self._held = [run.get_tensor(after) if convert is None else convert(
                run.get_tensor(after)) for _, after, convert in self._routes]
        return self._given([np.concatenate(found)])

    def _item(self, end):
        """The shape of one window or sample of an input or output."""
        return end.shape[2:] if self.form == "chunk" else end.shape[1:]

    def _prepared(self, given):
        """[(input's index, its values), ...] and empty arrays for the outputs."""
        arrays = several(given)
        sources = [(item.index, item.quantized(values))
                   for item, values in zip(self._data, arrays)]
        return sources, [np.empty((len(arrays[0]),) + item.shape[1:], item.dtype)
                         for item in self._results]

    def _given(self, found):
        return alone([item.dequantized(values) for item, values in zip(self._results, found)])

    def reset(self):
        """Back to the zero state, before the first sample of a stream."""
        self._held = [state.quantized(np.zeros(state.shape, np.float32))
                      for state in self._states]

    @property
    def state(self):
        """What a stream has carried so far, a list of arrays; set, the stream goes on from there."""
        return [np.array(value) for value in self._held]

    @state.setter
    def state(self, values):
        fits = [(value.dtype, value.shape) for value in self._held] == [
            (value.dtype, value.shape) for value in values]
        if not fits:
            raise ValueError("the states of another model")
        self._held = [np.array(value) for value in values]

    @_refusing
    def widen(self, streams):
        """Follow so many streams at once, all from the zero state."""
        for item in self.inputs:
            self._interpreter.resize_tensor_input(item.index, (streams,) + item.shape[1:])
        self._interpreter.allocate_tensors()
        self._describe()
        self.streams = streams
        self.reset()

    def _resize(self, shape):
        """Make the input's time axis as long as that of windows of this shape."""
        if shape[1:] == self.inputs[0].shape[1:]:
            return
        self._interpreter.resize_tensor_input(self.inputs[0].index, (1,) + tuple(shape[1:]))
        self._interpreter.allocate_tensors()
        self._describe()

    def _expect(self, array, right, asked, other):
        if not right:
            raise UserError("a %s model has no %s(); use %s()" % (self.form, asked, other))
        arrays = several(array)
        if len(arrays) != len(self._data):
            raise UserError("the model takes %d arrays (%s), not %d" % (
                len(self._data), ", ".join(item.plain for item in self._data), len(arrays)))
        for item, values in zip(self._data, arrays):
            if self.form != "chunk" and self.any_length and values.ndim == len(item.shape) and (
                    values.shape[1] and values.shape[2:] == item.shape[2:]):
                continue
            if tuple(values.shape[1:]) != self._item(item):
                raise UserError("the model takes %s, not %s, per item"
                                % (self._item(item), tuple(values.shape[1:])))


class _Tensor:
    """What a runtime says of an input or output."""

    def __init__(self, details):
        self.name, self.index = details["name"], details["index"]
        self.plain = self.name.split(":")[0].replace("serving_default_", "")
        self.dtype = np.dtype(details["dtype"])
        self.shape = tuple(int(size) for size in details["shape"])
        self.scale, self.zero_point = details["quantization"]
        if self.dtype != np.float32:
            limits = np.iinfo(self.dtype)
            self._low, self._high = np.float32(limits.min), np.float32(limits.max)
            self._scale, self._zero_point = np.float32(self.scale), np.float32(self.zero_point)

    def quantized(self, values):
        """float32 -> the tensor's type, rounded and saturated; whole numbers as they are."""
        if self.dtype == np.float32 or not self.scale:
            return np.ascontiguousarray(values, self.dtype)
        steps = np.rint(np.asarray(values, np.float32) / self._scale) + self._zero_point
        return np.minimum(np.maximum(steps, self._low), self._high).astype(self.dtype)

    def dequantized(self, values):
        """The tensor's type -> float32."""
        if self.dtype == np.float32 or not self.scale:
            return values
        return (values.astype(np.float32) - self._zero_point) * self._scale


def _bytes(array):
    """The memory of an array, to be read and written as bytes."""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _pieces(memory, size):
    """Successive pieces of so many bytes."""
    starts = range(0, len(memory), size)
    return map(memory.__getitem__, map(slice, starts, range(size, len(memory) + 1, size)))


def _form(source, inputs):
    """The name of a file's form: by the name of its only input, else by what it holds."""
    form = by_first_input(inputs[0].plain)
    if form is not None:
        return form.name
    if len(inputs) == 1:
        raise UserError("%s: the first input is '%s', not one of %s; this file was not made by "
                        "the convert script" % (_name(source), inputs[0].plain, ", ".join(
                            sorted(form.first_input for form in FORMS.values()))))
    model = flatbuffer.read(_content(source))
    graph = model["subgraphs"][0]
    names = {graph["tensors"][place]["name"] for place in graph["inputs"]}
    if any("next_" + name in {graph["tensors"][place]["name"] for place in graph["outputs"]}
           for name in names):
        return "step"
    fused = any(flatbuffer.op_name(code.get("builtin_code", 0)) == "UNIDIRECTIONAL_SEQUENCE_LSTM"
                for code in model["operator_codes"])
    return "fused" if fused else "window"


def _requantizer(after, before):
    """The function from an output's integers to an input's; None where both have one scale."""
    same = (after.dtype, after.scale, after.zero_point) == (
        before.dtype, before.scale, before.zero_point)
    return None if same else lambda values: before.quantized(after.dequantized(values))


def _check_runtime(name):
    if name is not None and name not in RUNTIMES:
        raise UserError("there is no runtime %s; one of %s" % (name, ", ".join(RUNTIMES)))


def _content(source):
    """The bytes of a file, or the bytes that are given; UserError where they are altered or wrong."""
    data, described = (source, False) if isinstance(source, bytes) else verifier.model_file(source)
    if not described:  # a runtime trusts what it reads: a wrong shape ends the process
        verifier.checked(data, _name(source))
    return data


def _says_any_length(content):
    graph = flatbuffer.read(content)["subgraphs"][0]
    return -1 in graph["tensors"][graph["inputs"][0]].get("shape_signature", ())


def _running(content, runtime, threads):
    """(name of the runtime, its interpreter of the file): of the wanted one, or of the first that
    is installed and takes the file; UserError with what the first one says when none does."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    refusal = None
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


@contextlib.contextmanager
def _without_info():
    """Keep a runtime's lines of INFO off the terminal; what else it says comes when it is done."""
    try:
        saved, log = os.dup(2), tempfile.TemporaryFile()
    except OSError:  # no stderr, or nowhere to write
        yield
        return
    with log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            log.seek(0)
            os.write(2, b"".join(line for line in log if not line.startswith(b"INFO:")))


def _load(interpreter, content, threads):
    with _without_info():
        try:
            loaded = interpreter(model_content=content, num_threads=threads)
        except TypeError:  # 1.15 has no num_threads and takes one
            loaded = interpreter(model_content=content)
        loaded.allocate_tensors()
    return loaded


def _name(source):
    return "the model" if isinstance(source, bytes) else source
