"""What an integer precision asks of a file: its types, its fixed scales, its operators' versions."""
from typing import NamedTuple

from kit.runtime.flatbuffer import INT8, INT32


class Scheme(NamedTuple):
    """An integer precision as the kernels of the runtimes want it."""

    type: int  # of inputs, outputs, states and everything between
    limit: int  # the largest step of that type
    bias_type: int
    fixed: dict  # operator -> (scale, zero point) of its output
    versions: dict  # operator -> version; others have one


SIGMOID, TANH = (1 / 256, -128), (1 / 128, 0)
INT8_SCHEME = Scheme(
    INT8, 127, INT32, {"LOGISTIC": SIGMOID, "SOFTMAX": SIGMOID, "TANH": TANH},
    {"FULLY_CONNECTED": 4, "LOGISTIC": 2, "TANH": 2, "SOFTMAX": 2, "MUL": 2, "ADD": 2, "SUB": 2,
     "CONCATENATION": 2, "SPLIT": 2, "TRANSPOSE": 2, "QUANTIZE": 2,
     "SLICE": 2, "STRIDED_SLICE": 2, "PAD": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "GATHER": 2,
     "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3})
