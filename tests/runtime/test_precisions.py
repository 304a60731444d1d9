"""One entry per precision, and everything that needs one has it."""
import pytest

from kit.runtime.flatbuffer import FLOAT32, INT8, INT16, INT32, INT64
from kit.runtime.precisions import EXACT, PRECISIONS, of_types


@pytest.mark.parametrize("output, types, name", [
    (FLOAT32, {FLOAT32, INT32}, "float32"), (FLOAT32, {FLOAT32, INT8}, "dynamic"),
    (INT8, {INT8, INT32}, "int8"),
    (INT16, {INT16, INT8, INT64}, "int16x8")])
def test_the_types_of_a_file_tell_its_precision(output, types, name):
    assert of_types(output, types).name == name


def test_every_precision_can_be_made_and_is_bounded():
    from kit.tflite.precisions import MAKERS

    assert list(MAKERS) == list(PRECISIONS) and EXACT in PRECISIONS
    for precision in PRECISIONS.values():
        assert precision.bounded in ("max_abs_diff", "mean_abs_diff") and precision.bound > 0
        assert precision.apart
