"""One entry per form, precision and runtime, and everything that needs one has it."""
import pytest

from kit.runtime.flatbuffer import FLOAT32, INT8, INT32
from kit.runtime.forms import FORMS, by_first_input
from kit.runtime.precisions import EXACT, PRECISIONS, of_types
from kit.runtime.runtimes import RUNTIMES


@pytest.mark.parametrize("output, types, name", [
    (FLOAT32, {FLOAT32, INT32}, "float32"), (FLOAT32, {FLOAT32, INT8}, "dynamic"),
    (INT8, {INT8, INT32}, "int8")])
def test_the_types_of_a_file_tell_its_precision(output, types, name):
    assert of_types(output, types).name == name


def test_the_first_input_tells_a_form():
    assert all(by_first_input(form.first_input) is form for form in FORMS.values())
    assert by_first_input("serving_default_x") is None


def test_every_precision_can_be_made_and_is_bounded():
    from kit.tflite.precisions import MAKERS

    assert list(MAKERS) == list(PRECISIONS) and EXACT in PRECISIONS
    for precision in PRECISIONS.values():
        assert precision.bounded in ("max_abs_diff", "mean_abs_diff") and precision.bound > 0
        assert precision.apart


def test_what_a_runtime_refuses_is_a_precision():
    for runtime in RUNTIMES.values():
        assert set(runtime.refuses) <= set(PRECISIONS)
