"""Ranges: zero is exact, ends are held, and tails are given up where nothing reads them."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tflite.int8.scales import HEADROOM, affine, best_scale, power_of_two, through, widened

FLOATS = st.floats(0.01, 1000)


@given(FLOATS, FLOATS)
def test_zero_is_exact_and_the_ends_are_in_range(low, high):
    scale, zero_point = affine(-low, high)
    assert -128 <= zero_point <= 127
    assert through(np.array([0.0]), scale, zero_point)[0] == 0
    ends = np.array([-low, high])
    assert np.abs(through(ends, scale, zero_point) - ends).max() <= 0.51 * scale


def test_symmetric_range_has_no_offset():
    assert affine(-2.54, 2.54) == (pytest.approx(0.02), 0)


def test_values_beyond_the_range_saturate():
    assert through(np.array([9.0, -9.0]), 0.01, 0).tolist() == pytest.approx([1.27, -1.28])


def test_range_before_tanh_gives_up_its_tails():
    values = np.linspace(-8, 8, 4001)
    scale, zero_point = best_scale(values, {"TANH"})
    full, _ = affine(-8, 8)
    assert scale < 0.6 * full
    assert best_scale(values, whole=True)[0] == full


def test_error_after_the_nonlinearity_is_what_counts():
    values = np.random.Generator(np.random.PCG64(0)).normal(0, 2, 5000)
    error = {reader: np.mean((np.tanh(through(values, *best_scale(values, {reader})))
                              - np.tanh(values)) ** 2) for reader in ("TANH", "ADD")}
    assert error["TANH"] < 0.8 * error["ADD"]


def test_tensor_that_is_always_zero_gets_a_sound_scale():
    assert best_scale(np.zeros(10))[0] > 1e-3


def test_the_range_of_int16_is_twice_what_was_seen():
    scale, zero_point = widened(np.array([-3.0, 1.0]))
    assert zero_point == 0 and scale * 32767 == pytest.approx(HEADROOM * 3)
    assert widened(np.zeros(3)) == (1 / 32768, 0)


@pytest.mark.parametrize("value", [1.0, 2.0, 0.5, -1.0])
def test_powers_of_two_are_exact(value):
    scale, _ = power_of_two(abs(value))
    assert value / scale == round(value / scale) and abs(value / scale) <= 32767
