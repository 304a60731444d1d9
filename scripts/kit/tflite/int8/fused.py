"""A fused LSTM in int8: UNIDIRECTIONAL_SEQUENCE_LSTM with a cell state of 16 bits.

The kernel is that of LiteRT, tflite-runtime and TFLite Micro (8x8_16); 1.15 has none. x and the
output are int8, every weight has one scale, biases are int32 in units of x times its weights.

h is symmetric: tflite-runtime's reset_all_variables writes zero bytes, whatever the zero point is,
and a window would begin at another state. The cell state's scale is a power of two and at most
2^-9, or two of the three compute something else without a word; the verifier looks at that, and at
the scale of h, which the output, the state and the fifth intermediate share.
"""
import numpy as np

from kit.runtime.flatbuffer import INT8, INT16, INT32
from kit.tflite.int8.graph import described
from kit.tflite.int8.rounding import mean_loss, round_weights, step_of
from kit.tflite.int8.scales import HEADROOM, symmetric_scale, through

OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"
KERNELS, RECURRENT, BIASES = slice(1, 5), slice(5, 9), slice(12, 16)  # inputs, gates i, f, c, o
H, C = 18, 19
INTERMEDIATES = 5
COARSEST = 2.0 ** -9


def output_scales(graph, observed):
    """Place -> (scale, zero point) of the output of each fused LSTM."""
    outputs = [int(operator["outputs"][0]) for operator in graph.operators
               if graph.op_name(operator) == OPERATOR]
    return {place: symmetric_scale(float(np.abs(observed[place]).max())) for place in outputs}


def write_lstm(graph, operator, observed, scales):
    """Put integers in place of the operator's weights, biases and states."""
    inputs, out = [int(place) for place in operator["inputs"]], int(operator["outputs"][0])
    x, h = (observed[place].reshape((-1,) + tuple(graph.tensors[place]["shape"][1:]))
            for place in (inputs[0], out))  # (n, T, C), (n, T, U)
    before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], 1)
    gates = [[graph.constant(place) for place in inputs[part]]
             for part in (KERNELS, RECURRENT, BIASES)]
    top = float(np.abs(cells(x, before, *gates)).max())
    rows = [values.reshape(-1, values.shape[-1]) for values in (x, before)]
    for number, (kernel, recurrent, bias) in enumerate(zip(*gates)):
        places = [inputs[part][number] for part in (KERNELS, RECURRENT, BIASES)]
        written = _gate(kernel, recurrent, bias, rows, (scales[inputs[0]], scales[out]))
        for part, place, (values, scale) in zip((KERNELS, RECURRENT, BIASES), places, written):
            inputs[part.start + number] = graph.add_tensor(
                graph.tensors[place]["name"], values.shape, INT32 if part is BIASES else INT8,
                values, (scale, 0))
    graph.tensors[inputs[H]].update(type=INT8, quantization=described(scales[out]))
    graph.tensors[inputs[C]].update(type=INT16, quantization=described((cell_scale(top), 0)))
    between = graph.add_tensor("between", (0,), INT8, None, scales[out])
    operator.update(inputs=np.array(inputs, np.int32),
                    intermediates=np.full(INTERMEDIATES, between, np.int32))


def cell_scale(top):
    """The cell state's scale: a power of two that holds HEADROOM times what was seen."""
    return float(min(COARSEST, 2.0 ** np.ceil(np.log2(max(HEADROOM * top, 1e-6) / 32768))))


def cells(x, before, kernels, recurrents, biases):
    """The cell state (n, T, U) at each step, from x (n, T, C) and h of the step before (n, T, U)."""
    i, f, g, o = (x @ kernel.T + before @ recurrent.T + bias
                  for kernel, recurrent, bias in zip(kernels, recurrents, biases))
    found = _sigmoid(i) * np.tanh(g)
    keep = _sigmoid(f)
    for t in range(1, found.shape[1]):
        found[:, t] += keep[:, t] * found[:, t - 1]
    return found


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _gate(kernel, recurrent, bias, rows, scales):
    """[(integers, scale), ...] of the two weights and the bias of a gate.

    Both weights are rounded as one matrix, in steps of each, so that errors are carried over from
    the columns of x to those of h; the bias takes up what is lost in the mean.
    """
    weights, width = (kernel, recurrent), kernel.shape[1]
    steps = [step_of(values) for values in weights]
    rounded = np.split(round_weights(
        np.concatenate([values / step for values, step in zip(weights, steps)], 1), 1.0,
        np.concatenate([values * step for values, step in zip(rows, steps)], 1)), [width], 1)
    lost = sum(mean_loss(values, whole * step, seen, through(seen.astype(np.float64), *scale))
               for values, whole, step, seen, scale in zip(weights, rounded, steps, rows, scales))
    unit = float(np.float32(np.float32(scales[0][0]) * np.float32(steps[0])))
    whole = np.clip(np.rint((bias + lost) / unit), -2 ** 31, 2 ** 31 - 1).astype(np.int32)
    return list(zip(rounded, steps)) + [(whole, unit)]
