"""What an integer precision asks of a file: its types, its ranges, its operators' versions."""
from typing import Callable, NamedTuple

import numpy as np

from kit.runtime.flatbuffer import INT8, INT16, INT32, INT64
from kit.tflite.int8.scales import best_scale, power_of_two, symmetric_scale, widened

NUMPY = {INT8: np.int8, INT16: np.int16, INT32: np.int32, INT64: np.int64}


class Scheme(NamedTuple):
    """An integer precision as the kernels of the runtimes want it."""

    name: str  # of the precision
    type: int  # of inputs, outputs, states and everything between
    limit: int  # the largest step of that type
    bias_type: int
    fixed: dict  # operator -> (scale, zero point) of its output
    versions: dict  # operator -> version; others have one
    options: dict  # operator -> options beside the float file's
    scale: Callable  # (scale, zero point) for values; see best_scale
    constant_scale: Callable  # (scale, zero point) for a constant's largest value
    fine: bool  # 8 bits are few: ranges are cut where that pays, states are equalised
    same_range: float  # parts of a joined vector whose ranges differ by less share a scale
    doubled: tuple  # (scale, zero point) of 2 s, s a sigmoid, that keeps every step of s,
    candidate: tuple  # and of 2 s - 1
    mask: tuple  # of a mask, from 0 to 1


SIGMOID, TANH = (1 / 256, -128), (1 / 128, 0)
UNIT = (1 / 32768, 0)
INT8_SCHEME = Scheme(
    "int8", INT8, 127, INT32, {"LOGISTIC": SIGMOID, "SOFTMAX": SIGMOID, "TANH": TANH,
                                         "L2_NORMALIZATION": TANH},
    {"FULLY_CONNECTED": 4, "LOGISTIC": 2, "TANH": 2, "SOFTMAX": 2, "MUL": 2, "ADD": 2, "SUB": 2,
     "CONCATENATION": 2, "SPLIT": 2, "TRANSPOSE": 2, "QUANTIZE": 2, "DEQUANTIZE": 2,
     "SLICE": 2, "STRIDED_SLICE": 2, "REVERSE_V2": 3, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2,
     "GATHER": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "L2_NORMALIZATION": 2}, {},
    best_scale, symmetric_scale, True, 1.4, (1 / 128, -128), (1 / 128, 0), (1 / 255, -128))
INT16X8_SCHEME = Scheme(
    "int16x8", INT16, 32767, INT64, dict.fromkeys(("LOGISTIC", "SOFTMAX", "TANH"), UNIT),
    {"FULLY_CONNECTED": 4, "LOGISTIC": 3, "TANH": 3, "SOFTMAX": 3, "MUL": 4, "ADD": 3, "SUB": 3,
     "CONCATENATION": 3, "SPLIT": 4, "TRANSPOSE": 2, "QUANTIZE": 2, "DEQUANTIZE": 3, "SLICE": 4, "GATHER": 2,
     "MAX_POOL_2D": 3, "AVERAGE_POOL_2D": 3, "CONV_2D": 4, "DEPTHWISE_CONV_2D": 5},
    {"ADD": {"pot_scale_int16": False}, "SUB": {"pot_scale_int16": False}},  # as TF 2 writes it
    widened, power_of_two, False, 8.0, (2 / 32768, 0), UNIT, (1 / 32767, 0))
SCHEMES = {scheme.name: scheme for scheme in (INT8_SCHEME, INT16X8_SCHEME)}
