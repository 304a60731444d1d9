"""Operators on one element: int8 in numpy against real numbers, C against numpy, and refusals."""
import subprocess
import typing

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.firmware import devices, fixed, numbers, pieces
from kit.firmware.source import LIBRARIES
from machines import GCC, WARNINGS, needs, write


class Op(typing.NamedTuple):
    op_name: str
    inputs: tuple
    outputs: tuple
    activation: str = "NONE"
    options: dict = {}


class Tensor(typing.NamedTuple):
    scale: float
    zero_point: int


A, B, OUT = Tensor(0.05, 7), Tensor(0.03, -20), Tensor(0.08, 4)
TENSORS = [A, B, OUT]
BYTES = np.arange(-128, 128)
REAL = {"MUL": lambda a, b: a * b, "ADD": lambda a, b: a + b, "SUB": lambda a, b: a - b,
        "QUANTIZE": lambda a: a, "RELU": lambda a: np.maximum(a, 0),
        "RELU6": lambda a: np.clip(a, 0, 6)}


def op_of(kind, **more):
    return Op(kind, (0, 1) if kind in ("MUL", "ADD", "SUB") else (0,), (2,), **more)


def arguments(kind):
    """All bytes, or all pairs of them."""
    return np.repeat(BYTES, 256), np.tile(BYTES, 256) if len(op_of(kind).inputs) > 1 else None


def of_pairs(kind):
    return [values for values in arguments(kind) if values is not None]


def real(values, tensor):
    return (values - tensor.zero_point) * tensor.scale


@pytest.mark.parametrize("kind", sorted(REAL))
def test_int8_is_the_real_number_to_half_a_step_and_saturates(kind):
    """MUL and ADD round twice: a little more than half a step."""
    given = of_pairs(kind)
    found = numbers.Int8("tflite").evaluate(op_of(kind), TENSORS, given)
    exact = REAL[kind](*(real(values, tensor) for values, tensor in zip(given, TENSORS)))
    inside = np.clip(exact / OUT.scale + OUT.zero_point, -128, 127)
    assert np.abs(found - inside).max() <= 0.52
    assert (found.min(), found.max()) == (np.rint(inside.min()), np.rint(inside.max()))


def test_an_activation_is_a_bound():
    found = numbers.Int8("tflite").evaluate(op_of("ADD", activation="RELU"), TENSORS, of_pairs("ADD"))
    assert found.min() == OUT.zero_point and found.max() == 127


@pytest.mark.parametrize("kind, curve, out", [
    ("TANH", np.tanh, Tensor(1 / 128, 0)),
    ("LOGISTIC", lambda x: 1 / (1 + np.exp(-x)), Tensor(1 / 256, -128))])
def test_curves_are_tables(kind, curve, out):
    found = numbers.Int8("tflite").evaluate(Op(kind, (0,), (1,)), [A, out], [BYTES])
    exact = curve(real(BYTES, A)) / out.scale + out.zero_point
    assert np.abs(found - np.clip(exact, -128, 127)).max() <= 0.51


MAIN = """
#include <stdio.h>
int main(void)
{
    int32_t a, b;
    for (a = -128; a < 128; a++)
        for (b = -128; b < 128; b++)
            putchar((int)(uint8_t)(%s));
    return 0;
}
"""


@pytest.mark.parametrize("kind", ["MUL", "ADD", "SUB"])
@pytest.mark.parametrize("scales", [(0.05, 0.03, 0.08), (0.02, 0.02, 0.02), (1.0, 0.5, 0.01)])
def test_the_c_expression_computes_what_numpy_does(kind, scales, tmp_path):
    needs("gcc")
    tensors = [tensor._replace(scale=scale) for tensor, scale in zip(TENSORS, scales)]
    ours = numbers.Int8("tflite")
    text = ours.expression(op_of(kind), tensors, ["a", "b"])
    write(tmp_path, "one.c", pieces.named(
        "#include <stdint.h>\n#include <string.h>\n" + pieces.called(LIBRARIES["int8"], text)
        + MAIN % text, "probe"))
    devices.tool(GCC + WARNINGS + ["one.c", "-o", "one"], str(tmp_path))
    found = np.frombuffer(subprocess.check_output([str(tmp_path / "one")]), np.int8)
    np.testing.assert_array_equal(found, ours.evaluate(op_of(kind), tensors, of_pairs(kind)))


@pytest.mark.parametrize("kind, names, activation, text", [
    ("ADD", ["a", "b"], "NONE", "(a + b)"), ("ADD", ["a", "b"], "RELU", "NAME_larger((a + b), 0.0f)"),
    ("SQUARE", ["a"], "NONE", "(a * a)"),
    ("LEAKY_RELU", ["a"], "NONE", "(NAME_larger(a, 0.0f) - 0.25f * NAME_larger(-a, 0.0f))")])
def test_float_expressions(kind, names, activation, text):
    op = Op(kind, (0, 1), (2,), activation, {"alpha": 0.25})
    assert numbers.Float(None).expression(op, [], names) == text


@pytest.mark.parametrize("value, text", [(1, "1.0f"), (0.1, "0.100000001f"), (1e6, "1000000.0f"),
                                         (1e-20, "9.99999968e-21f")])
def test_a_literal_is_the_float32(value, text):
    value = np.float32(value)
    assert numbers.literal(value) == text and np.float32(text[:-1]) == value


@pytest.mark.parametrize("width, up", [(1, 8), (8, 8), (9, 16)])
def test_columns_in_memory(width, up):
    assert numbers.rounded_up(width) == up


def test_a_state_in_another_scale_is_the_nearest_and_its_index_unsigned():
    before, after = Tensor(0.04, -5), Tensor(0.05, 3)
    table = numbers.Int8("tflite").rescaled(after, before)
    for value in (-128, -1, 0, 3, 127):
        exact = (value - 3) * 0.05 / 0.04 - 5
        assert abs(table[value % 256] - np.clip(exact, -128, 127)) <= 0.5001


@pytest.mark.parametrize("dtype, rounding, exponents, name", [
    ("Int8", "tflite", [2, 5], "NAME_round_tflite"), ("Int8", "tflite", [1, 5], "NAME_round_tflite_any"),
    ("Int8", "tf115", [1], "NAME_round_tf115"), ("Int16", "tflite", [], ""), ("Float", "tf115", [], "")])
def test_which_function_rounds(dtype, rounding, exponents, name):
    kind = getattr(numbers, dtype)(rounding)
    kind.exponents = exponents
    assert kind.round_function() == name


def test_sixteen_bits_have_a_multiplier_of_fifteen():
    for factor in (0.5, 0.3, 1e-4, 3.7):
        m, e = numbers.Int16("tflite").multiplier(factor)
        assert 2 ** 14 <= m < 2 ** 15
        assert m * 2.0 ** -(15 + e) == pytest.approx(factor, rel=2.0 ** -14)
        assert fixed.multiplier(factor)[1] == e


@pytest.mark.parametrize("asked, sentence", [
    (lambda: numbers.Float(None).expression(Op("MEAN", (0,), (1,)), [], ["a"]), "operator MEAN in float32"),
    (lambda: numbers.Int8("tflite").expression(Op("EXP", (0,), (1,)), [], ["a"]), "operator EXP in int8"),
    (lambda: numbers.Int8("tflite").softmax(None, None, None, None), "SOFTMAX in int8"),
    (lambda: numbers.Int16("tf115").round_function(), "1.15 has no int16 kernels: take --rounding tflite")])
def test_what_c_does_not_hold_is_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        asked()


def test_a_product_finer_than_its_sums_is_rounded_as_tflite_alone():
    kind = numbers.Int8("tf115")
    kind.exponents = [0]
    with pytest.raises(UserError, match="C rounds that one as tflite alone"):
        kind.round_function()


def test_states_are_rescaled_in_int8_alone():
    class State(typing.NamedTuple):
        name: str

    with pytest.raises(UserError, match="the state 'h' has one scale as an input and another as an out"):
        numbers.Int16("tflite").rescaled(None, State("h"))
