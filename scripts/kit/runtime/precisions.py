"""The precisions of a .tflite file: its types, how near it must come to Keras. One entry each.

How a model of each is made stands in kit.tflite.precisions, under the same name.
"""
from typing import NamedTuple

from kit.runtime.flatbuffer import FLOAT16, FLOAT32, INT8, INT16


class Precision(NamedTuple):
    """A precision of a network as a file."""

    name: str  # as in step_int8.tflite
    ends: int  # type of inputs, outputs and states, of flatbuffer.TYPES
    weights: int  # type of the large constants
    calibrated: bool  # is made with data
    bounded: str  # what of the difference to Keras is bounded, and
    bound: float  # how large it may be, in standard deviations of the output
    apart: dict  # how far two runtimes may differ: key of runtimes.json -> largest value
    meaning: str


PRECISIONS = {precision.name: precision for precision in (
    Precision("float32", FLOAT32, FLOAT32, False, "max_abs_diff", 1e-5,
              {"max_of_std": 1e-5},  # sums in another order
              "as trained"),
    Precision("float16", FLOAT32, FLOAT16, False, "mean_abs_diff", 0.002,
              {"max_of_std": 1e-5},  # unpacked to the same float32
              "float16 weights, everything else float"),
    Precision("dynamic", FLOAT32, INT8, False, "mean_abs_diff", 0.05,
              {"mean_of_std": 1e-2},  # kernels round the activations by rules of their own
              "int8 weights, everything else float"),
    Precision("int8", INT8, INT8, True, "mean_abs_diff", 0.1,
              {"mean_counts": 1.0, "max_counts": 8.0},  # a rounding may fall the other way
              "everything int8"),
    Precision("int16x8", INT16, INT8, True, "mean_abs_diff", 0.05,
              {"mean_counts": 4.0, "max_counts": 40.0},  # the same, in steps 256 times as fine
              "int8 weights, everything else int16"),
)}
EXACT = "float32"  # what the others are compared with


def of_types(output, types):
    """The Precision of a file with this type of output, and these types of tensors."""
    return next(found for found in reversed(list(PRECISIONS.values()))
                if found.ends == output and found.weights in types)
