"""What a process of kit.bench.worker does in its environment: run a model, time it.

Needs numpy and what the asked contender needs; runs under CPython 3.7 and later. A contender is
made once, run on given input (so that what is timed is known to be right), and then called over
and over with its last input.
"""
import ctypes
import gc
import time

import numpy as np

from kit.runtime import interpreter
from kit.runtime.forms import FORMS
from kit.runtime.verifier import model_file
from kit.tflite.chunk import InPieces

_loaded = {}


def run(runtime, model, samples, output):
    """The output of a .tflite file for windows (n, T, C) or a stream (n, C), .npy to .npy."""
    run_all(runtime, model, [samples], [output])


def run_all(runtime, model, samples, outputs):
    """The same for several .npy files, one after the other in one interpreter."""
    contender = TFLite(model, runtime)
    for source, target in zip(samples, outputs):
        np.save(target, contender.outputs(np.load(source)))


def load(name, contender, samples, output, **arguments):
    """Make a contender, run it on samples (.npy), keep its output (.npy)."""
    _loaded[name] = CONTENDERS[contender](**arguments)
    np.save(output, _loaded[name].outputs(np.load(samples)))


def measure(name, seconds):
    """Microseconds of this process' CPU time per call, over about that many seconds.

    CPU time, so that others on the machine count as little as can be.
    """
    calls = _loaded[name].calls
    gc.disable()
    calls(3)  # its weights into the caches
    count, taken = 1, _nanoseconds(calls, 1)
    while taken < 0.5e9 * seconds and count < 1e7:
        count = max(count + 1, int(min(10, 1e9 * seconds / max(taken, 1)) * count))
        taken = _nanoseconds(calls, count)
    return taken / count / 1e3


def _nanoseconds(calls, count):
    start = time.process_time_ns()
    calls(count)
    return time.process_time_ns() - start


class TFLite:
    """A .tflite file; a call is invoke() alone."""

    def __init__(self, path, runtime):
        self.model = interpreter.Model(path, runtime)
        self._raw = self.model._interpreter
        self._micro = runtime == "tflite_micro"  # its inputs do not outlive a call

    def outputs(self, samples):
        self._first = samples
        return _whole(self.model)(samples)

    def calls(self, count):
        raw, model = self._raw, self.model
        if not self._micro:
            for _ in range(count):
                raw.invoke()
            return
        first = np.resize(self._first, model.inputs[0].shape)
        inputs = [model.inputs[0].quantized(first)] + list(model._held)
        for _ in range(count):
            for index, value in enumerate(inputs):
                raw.set_tensor(index, value)
            raw.invoke()


class Live(TFLite):
    """A .tflite file as a program follows a stream with it, quantization and state in Python.

    at_once : samples, or windows of the newest samples, that are given with one call
    by_calls : whether tensors are copied by the runtime's own calls, where they could be reached
    in_pieces : a step file as detect runs it: in its chunk form
    """

    def __init__(self, path, runtime, at_once, by_calls=False, in_pieces=False):
        super().__init__(path, runtime)
        if by_calls:
            self.model._shows_memory = lambda: False
        self._at_once = at_once
        if in_pieces:
            self.model = InPieces(self.model, model_file(path)[0])
        self._call = self.model.stream if in_pieces else _whole(self.model)

    def outputs(self, samples):
        self._items = np.resize(samples, (max(self._at_once, len(samples)),) + samples.shape[1:])
        return self._call(samples)

    def calls(self, count):
        call, items, size = self._call, self._items, self._at_once
        for _ in range(count // size):
            call(items[:size])
        if count % size:
            call(items[:count % size])


def _whole(model):
    """The method that gives a file's outputs for all samples, or all windows."""
    return model.stream if FORMS[model.form].streams else model.predict


class Foreign:
    """Another converter's window file in LiteRT, with whatever operators and types it has."""

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self._raw = Interpreter(path, num_threads=1)
        self._raw.allocate_tensors()
        self._source, self._target = (interpreter._Tensor(ends[0]) for ends in (
            self._raw.get_input_details(), self._raw.get_output_details()))

    def outputs(self, samples):
        found = []
        for sample in samples:
            self._raw.reset_all_variables()
            self._raw.set_tensor(self._source.index, self._source.quantized(sample[None]))
            self.calls(1)
            found.append(self._target.dequantized(self._raw.get_tensor(self._target.index))[0])
        return np.stack(found)

    def calls(self, count):
        raw = self._raw
        for _ in range(count):
            raw.invoke()


class Onnx:
    """An ONNX file in onnxruntime, one thread, inputs and outputs bound beforehand."""

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        self._binding.bind_output("output")

    def outputs(self, samples):
        found = []
        for sample in samples:
            self._binding.bind_cpu_input("window", np.ascontiguousarray(sample[:, None]))
            self.calls(1)
            found.append(self._binding.copy_outputs_to_cpu()[0][0])
        return np.stack(found)

    def calls(self, count):
        for _ in range(count):
            self._session.run_with_iobinding(self._binding)


class Numpy:
    """The recurrence as a loop in numpy."""

    def __init__(self, weights):
        w = np.load(weights)
        self._kernel, self._bias = np.concatenate([w["kernel"], w["recurrent"]]), w["bias"]
        self._dense, self._dense_bias = w["dense"], w["dense_bias"]
        self._units = len(w["recurrent"])

    def outputs(self, samples):
        self._last = samples[-1]
        return np.stack([self._window(sample) for sample in samples])

    def calls(self, count):
        for _ in range(count):
            self._window(self._last)

    def stream(self, samples):
        """The output after each of the samples (n, C)."""
        return np.stack(list(self._states(samples))) @ self._dense + self._dense_bias

    def _window(self, window):
        *_, h = self._states(window)
        return h @ self._dense + self._dense_bias

    def _states(self, samples):
        h = c = np.zeros(self._units, np.float32)
        for x in samples:
            i, f, g, o = (np.concatenate([x, h]) @ self._kernel + self._bias).reshape(4, -1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            yield h


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


class C:
    """scripts/kit/bench/bench_step.c, compiled; form "window", "step" (both looping in C) or "call"
    (one step for each call from Python, as an interpreter is called)."""

    def __init__(self, library, weights, form):
        w, self._form, self._library = np.load(weights), form, ctypes.CDLL(library)
        kernel = np.concatenate([w["kernel"], w["recurrent"]])  # (C + U, 4 U)
        self._model = _aligned(np.concatenate([a.ravel() for a in (
            kernel, w["bias"], w["dense"], w["dense_bias"])]))
        self._y = np.zeros(len(w["dense_bias"]), np.float32)
        self._xh, self._c = _aligned(np.zeros(len(kernel))), _aligned(np.zeros(len(w["recurrent"])))

    def outputs(self, samples):
        found = []
        for sample in samples:
            self._call = self._bound(np.ascontiguousarray(sample))
            self._call(1)
            found.append(self._y.copy())
        return np.stack(found)

    def _bound(self, sample):
        held = [self._model, sample] + (
            [self._y] if self._form == "window" else [self._xh, self._c, self._y])
        function = self._library.window if self._form == "window" else self._library.sample
        function.restype = None
        places = [ctypes.c_void_p(array.ctypes.data) for array in held]
        self._held = held
        return lambda count: function(*places, ctypes.c_long(count))

    def calls(self, count):
        if self._form != "call":
            self._call(count)
            return
        call = self._call
        for _ in range(count):
            call(1)


PEAK = 160  # multiply-adds in a call of Peak


class Peak:
    """PEAK fused multiply-adds of float32 a call: what the core can do at most."""

    def __init__(self, library):
        library = ctypes.CDLL(library)
        self._peak, self._rounds = library.peak, PEAK // library.round_size()
        self._peak.restype = ctypes.c_float

    def outputs(self, samples):
        return samples

    def calls(self, count):
        self._peak(ctypes.c_float(0.5), ctypes.c_float(0.1), ctypes.c_long(count * self._rounds))


def _aligned(values):
    """A float32 copy that starts on 64 bytes."""
    room = np.zeros(values.size + 16, np.float32)
    start = (-room.ctypes.data // 4) % 16
    room[start:start + values.size] = values
    return room[start:start + values.size]


CONTENDERS = {"tflite": TFLite, "live": Live, "foreign": Foreign, "onnx": Onnx, "numpy": Numpy,
         "c": C, "peak": Peak}
COMMANDS = {"run": run, "run_all": run_all, "load": load, "measure": measure}
