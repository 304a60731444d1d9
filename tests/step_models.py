"""Small step files written by hand, LSTM, GRU and SimpleRNN, without TensorFlow."""
import numpy as np

from kit.runtime import flatbuffer

CODES = {name: code for code, name in flatbuffer.BUILTIN.items()}
TYPES = {name: code for code, name in flatbuffer.TYPES.items()}
OPTIONS = {"FULLY_CONNECTED": 8, "CONCATENATION": 10, "ADD": 11, "RESHAPE": 17, "MUL": 21,
           "SUB": 28, "SPLIT": 35}
VERSIONS = {"float32": {"SPLIT": 3},
            "int8": dict(FULLY_CONNECTED=4, SPLIT=3, CONCATENATION=2, ADD=2, MUL=2, SUB=2,
                         LOGISTIC=2, TANH=2, RESHAPE=1, QUANTIZE=2, RELU=2),
            "int16": dict(FULLY_CONNECTED=4, SPLIT=4, CONCATENATION=3, ADD=2, MUL=4, SUB=2,
                          LOGISTIC=3, TANH=3, RESHAPE=1)}
SIGMOID = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0), "float32": (0, 0)}
TANH = {"int8": (1 / 128, 0), "int16": (1 / 32768, 0), "float32": (0, 0)}


class Builder:
    """Collects tensors and operators; `save` gives the bytes."""

    def __init__(self, dtype, seed):
        self.dtype, self.tensors, self.ops = dtype, [], []
        self.buffers = [{}]
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.steps = 256 if dtype == "int16" else 1  # how much finer a number is than int8

    def tensor(self, shape, scale=0.0, zero_point=0, name=None, data=None, dtype=None):
        item = {"shape": np.array(shape, np.int32), "type": TYPES[dtype or self.dtype],
                "name": name or "t%d" % len(self.tensors), "buffer": 0}
        if self.dtype != "float32" and scale:
            scales = np.ravel(scale).astype(np.float32)
            item["quantization"] = {"scale": scales,
                                    "zero_point": np.full(len(scales), zero_point, np.int64)}
        if data is not None:
            item["buffer"] = len(self.buffers)
            self.buffers.append({"data": np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)})
        self.tensors.append(item)
        return len(self.tensors) - 1

    def vector(self, size, scale, zero_point=0, name=None):
        """An activation; its scale is meant for int8."""
        if self.dtype == "int16":
            zero_point = 0
        return self.tensor([1, size], scale / self.steps, zero_point, name)

    def fixed(self, size, quantized, name=None):
        return self.tensor([1, size], quantized[0], quantized[1], name)

    def constant(self, values, scale):
        values = np.asarray(values, np.float32)
        if self.dtype == "float32":
            return self.tensor(values.shape, data=values)
        scale = scale / self.steps
        whole = np.rint(values / scale).astype({"int8": np.int8, "int16": np.int16}[self.dtype])
        return self.tensor(values.shape, scale, data=whole)

    def op(self, kind, inputs, outputs, **options):
        outputs = [outputs] if isinstance(outputs, int) else outputs
        self.ops.append((kind, inputs, outputs, options))
        return outputs[0]

    def scale_of(self, place):
        return float(self.tensors[place]["quantization"]["scale"][0])

    def product(self, source, rows, out, activation=0, odd=False):
        """A FULLY_CONNECTED with random weights and bias."""
        columns = int(self.tensors[source]["shape"][-1])
        real = self.rng.normal(0, 0.8 / columns ** 0.5, (rows, columns)).astype(np.float32)
        bias = self.rng.normal(0, 0.3, rows).astype(np.float32)
        if self.dtype == "float32":
            weights, bias = self.tensor(real.shape, data=real), self.tensor([rows], data=bias)
        else:
            scale = float(np.abs(real).max()) / 127
            kind = "int32" if self.dtype == "int8" else "int64"
            whole = np.rint(bias / (scale * self.scale_of(source))).astype(kind)
            bias = self.tensor([rows], scale * self.scale_of(source), data=whole, dtype=kind)
            weights = self.tensor(real.shape, scale, data=np.rint(real / scale).astype(np.int8),
                                  dtype="int8")
        return self.op("FULLY_CONNECTED", [source, weights, bias], out, activation=activation)

    def save(self, inputs, outputs):
        kinds = sorted({kind for kind, *_ in self.ops})
        model = {"version": 3, "description": "", "buffers": self.buffers, "operator_codes": [
            {"builtin_code": CODES[kind], "version": VERSIONS[self.dtype].get(kind, 1)}
            for kind in kinds], "subgraphs": [{
                "tensors": self.tensors, "inputs": np.array(inputs, np.int32),
                "outputs": np.array(outputs, np.int32), "operators": [
                    dict({"opcode_index": kinds.index(kind), "inputs": np.array(ins, np.int32),
                          "outputs": np.array(outs, np.int32)},
                         **({"options_type": OPTIONS[kind], "options": options}
                            if kind in OPTIONS else {}))
                    for kind, ins, outs, options in self.ops]}]}
        return flatbuffer.write(model)


def lstm(dtype, channels=3, units=5, seed=1, per_unit=False):
    """LSTM and Dense: sample, h, c -> forecast, h, c; the candidate is 2 sigmoid - 1."""
    b = Builder(dtype, seed)
    x = b.vector(channels, 0.05, 7, "sample")
    h, c = b.vector(units, 0.05, 0, "state_0_h"), b.vector(units, 0.05, 0, "state_0_c")
    joined = b.op("CONCATENATION", [b.op("MUL", [x, b.constant([[1.0]], 1 / 100)],
                                         b.vector(channels, 0.05)), h],
                  b.vector(channels + units, 0.05), axis=1)
    z = b.product(joined, 4 * units, b.vector(4 * units, 0.12, 3))
    s = b.op("LOGISTIC", [z], b.fixed(4 * units, SIGMOID[dtype]))
    i, f, g, o = [b.fixed(units, SIGMOID[dtype]) for _ in range(4)]
    b.op("SPLIT", [b.tensor([], dtype="int32", data=np.array(1, np.int32)), s], [i, f, g, o],
         num_splits=4)
    twos = np.full((1, units), 2.0) + per_unit * np.linspace(-1, 0, units)
    twice = b.op("MUL", [g, b.constant(twos, 2 / 127)], b.vector(units, 1 / 64, -128))
    candidate = b.op("ADD", [twice, b.constant(-twos / 2, 1 / 127)], b.vector(units, 1 / 64, 1))
    kept = b.op("MUL", [f, c], b.vector(units, 0.05))
    fresh = b.op("MUL", [i, candidate], b.vector(units, 1 / 110, 3))
    c = b.op("ADD", [kept, fresh], b.vector(units, 0.05, 0, "next_state_0_c"))
    shown = b.op("TANH", [b.op("MUL", [c, b.constant([[1.0]], 1 / 127)], b.vector(units, 0.05))],
                 b.fixed(units, TANH[dtype]))
    h = b.op("MUL", [o, shown], b.vector(units, 0.05, 0, "next_state_0_h"))
    y = b.product(h, channels, b.vector(channels, 0.03, -9, "output"))
    return b.save([0, 1, 2], [y, h, c])


def gru(dtype, channels=2, units=4, seed=2):
    """GRU and Dense: the old state is read after parts of the new one are there."""
    b = Builder(dtype, seed)
    x, h = b.vector(channels, 0.05, 0, "sample"), b.vector(units, 0.05, 0, "state_0_h")
    joined = b.op("CONCATENATION", [x, h], b.vector(channels + units, 0.05), axis=1)
    s = b.op("LOGISTIC", [b.product(joined, 2 * units, b.vector(2 * units, 0.05))],
             b.fixed(2 * units, SIGMOID[dtype]))
    update, reset = b.fixed(units, SIGMOID[dtype]), b.fixed(units, SIGMOID[dtype])
    b.op("SPLIT", [b.tensor([], dtype="int32", data=np.array(1, np.int32)), s], [update, reset],
         num_splits=2)
    kept = b.op("MUL", [reset, h], b.vector(units, 0.05))
    joined = b.op("CONCATENATION", [x, kept], b.vector(channels + units, 0.05), axis=1)
    new = b.op("TANH", [b.product(joined, units, b.vector(units, 0.04))],
               b.fixed(units, TANH[dtype]))
    apart = b.op("SUB", [h, new], b.vector(units, 0.05))
    h_next = b.op("ADD", [b.op("MUL", [update, apart], b.vector(units, 0.03)), new],
                  b.vector(units, 0.05, 0, "next_state_0_h"))
    y = b.product(h_next, channels, b.vector(channels, 0.03, 5, "output"))
    return b.save([0, 1], [y, h_next])


def rnn(dtype, channels=2, units=3, seed=3):
    """SimpleRNN with a fused ReLU, whose state is its output; then a Dense with ReLU6."""
    b = Builder(dtype, seed)
    x, h = b.vector(channels, 0.05, 0, "sample"), b.vector(units, 0.05, 0, "state_0_h")
    joined = b.op("CONCATENATION", [x, h], b.vector(channels + units, 0.05), axis=1)
    h_next = b.product(joined, units, b.vector(units, 0.05, 0, "next_state_0_h"), activation=1)
    hidden = b.product(h_next, 4, b.vector(4, 0.05, -20), activation=3)
    flat = b.op("RESHAPE", [hidden, b.tensor([2], dtype="int32", data=np.array([1, 4], np.int32))],
                b.vector(4, 0.05, -20))
    y = b.product(flat, channels, b.vector(channels, 0.03, 5, "output"))
    return b.save([0, 1], [y, h_next])


def bare(dtype, units=3, seed=4):
    """A SimpleRNN alone: the forecast is the state."""
    b = Builder(dtype, seed)
    x, h = b.vector(units, 0.05, 0, "sample"), b.vector(units, 0.05, 0, "state_0_h")
    joined = b.op("CONCATENATION", [x, h], b.vector(2 * units, 0.05), axis=1)
    h_next = b.op("TANH", [b.product(joined, units, b.vector(units, 0.04))],
                  b.fixed(units, TANH[dtype], "next_state_0_h"))
    return b.save([0, 1], [h_next, h_next])


MODELS = {"lstm": lstm, "lstm_per_unit": lambda dtype: lstm(dtype, per_unit=True, units=6),
          "lstm_odd": lambda dtype: lstm(dtype, channels=1, units=1, seed=9), "gru": gru,
          "rnn": rnn, "bare": bare}
ENDS = {"lstm": (["sample", "state_0_h", "state_0_c"], ["output", "next_state_0_h", "next_state_0_c"]),
        "gru": (["sample", "state_0_h"], ["output", "next_state_0_h"]),
        "rnn": (["sample", "state_0_h"], ["output", "next_state_0_h"]),
        "bare": (["sample", "state_0_h"], ["next_state_0_h", "next_state_0_h"])}


def signature(kind):
    """What freeze would say of the ends of a step file."""
    return {end: [{"name": name, "role": "state" if number else "data"}
                  for number, name in enumerate(names)]
            for end, names in zip(("inputs", "outputs"), ENDS[kind])}
