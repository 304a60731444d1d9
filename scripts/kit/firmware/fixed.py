"""TFLite's integer arithmetic in numpy: what the generated C computes, and where tables come from.

A real factor is a 31-bit integer and a power of two, and every kernel rounds its product with it.
Measured on 24,000 samples of a step file: MUL and ADD round twice, the second time half away from
zero, in every runtime; LOGISTIC and TANH are tables of float32 values; FULLY_CONNECTED is rounded

    tflite   once, half up, by tflite-runtime 2.x on a PC
    tf115    twice, by TensorFlow 1.15.5: half up both times, but where weights have fewer than four
             rows or eight columns the second time half away from zero, as read off 54 shapes. Where it
             is installed, evaluate and detect run an int8 file in it
"""
import math

import numpy as np

from kit.base.cli import UserError

ROUNDINGS = {"tflite": "tflite_runtime", "tf115": "tensorflow"}  # and the runtime that does so

# of the runtime's table of sigmoids: entries that are one more than the nearest integer, as read
# off its TANH of all int16 at many scales
ONE_MORE = (
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41,
    43, 44, 45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255)


def half_away(rounding, rows, columns):
    """Whether a product's second rounding is half away from zero."""
    return rounding == "tf115" and (rows < 4 or columns < 8)


def rounding_of(runtime):
    """The key of ROUNDINGS that a runtime rounds by; tflite for all but TensorFlow 1.15."""
    return "tf115" if runtime == ROUNDINGS["tf115"] else "tflite"


def in_float(real):
    """A product or quotient of scales as the kernels compute it, in float32."""
    return float(np.float32(real))


def multiplier(real, single=False):
    """(m, e) so that real is about m 2**-(31 + e), m of 31 bits; QuantizeMultiplier of TFLite.

    single : the kernel has computed it in float32
    """
    real = in_float(real) if single else real
    fraction, exponent = math.frexp(real)
    m = int(math.floor(fraction * 2 ** 31 + 0.5))
    if m == 2 ** 31:
        m, exponent = m // 2, exponent + 1
    return (m, -exponent) if exponent >= -31 else (0, 0)


def scaled(x, m, e):
    """Integers x times m 2**-(31 + e), rounded as MUL and ADD do, as int64."""
    high = (np.asarray(x, np.int64) * (1 << max(-e, 0)) * m + (1 << 30)) >> 31
    return high if e <= 0 else (high + (1 << (e - 1)) + (high >> 63)) >> e


def limits(dtype, activation, scale, zero_point):
    """Lowest and highest integer of an output with a fused activation."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if activation in ("RELU", "RELU6"):
        low = max(low, zero_point)
    if activation == "RELU6":
        high = min(high, zero_point + int(math.floor(6.0 / scale + 0.5)))
    return low, high


def table(function, source, scale, zero_point):
    """int8 function of each int8 input from -128 on, (256,): a float32 value, rounded half away.

    source : (scale, zero point) of the input
    """
    x = ((np.arange(-128, 128) - source[1]).astype(np.float32) * np.float32(source[0]))
    y = function(x.astype(float)).astype(np.float32) * np.float32(1 / scale)
    away = np.copysign(np.floor(np.abs(y) + np.float32(0.5)), y)
    return np.clip(away + zero_point, -128, 127).astype(np.int8)


def interpolation(scale):
    """(m, e) with which an int16 of a scale goes into the table of sigmoids: x m 2**-e, 2**-12 / 3.

    As the kernels prepare it. UserError for the scales with which they leave the table.
    """
    if scale in (2.0 ** -12, 2.0 ** -11):
        raise UserError("a sigmoid or tanh of int16 at the scale %g, where the runtime computes it "
                        "in another way; calibrate on other data" % scale)
    m, e = scale * 4096 * 3, 0
    while m <= 32767 / 2 and e <= 30:
        m, e = 2 * m, e + 1
    return int(m), e


def sigmoids():
    """The table (256,) of int16 sigmoids, uint16: 2**16 / (1 + e**(-i / 24)), as the runtime has it."""
    exact = 65536 / (1 + np.exp(-np.arange(256) / 24))
    return np.minimum(np.rint(exact) + np.isin(np.arange(256), ONE_MORE), 65535).astype(np.uint16)
