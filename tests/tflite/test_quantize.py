"""Ranges, rounding and the ties that make an int8 model sound."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tflite.quantize import (MOST_APART, Ties, affine, best_scale, factors_of_units, round_weights,
                          through)

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


def test_rounding_by_correlation_beats_rounding_to_nearest():
    rng = np.random.Generator(np.random.PCG64(1))
    rows = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 24)) + 0.1 * rng.normal(size=(2000, 24))
    weights = rng.normal(size=(5, 24))
    step = np.abs(weights).max() / 127
    nearest = np.rint(weights / step)
    found = round_weights(weights, step, rows)
    error = [np.mean((rows @ (weights - w * step).T) ** 2) for w in (found, nearest)]
    assert error[0] < 0.25 * error[1]
    assert found.dtype == np.int8 and np.abs(found).max() <= 127


def test_rounding_without_correlation_stays_near_the_weights():
    weights = np.random.Generator(np.random.PCG64(2)).normal(size=(4, 6))
    found = round_weights(weights, 0.02, np.eye(6))
    assert np.abs(found * 0.02 - weights).max() <= 0.0101


def test_units_of_a_cell_state_get_one_range():
    """Each unit is multiplied to the width of the widest, by at most MOST_APART, in int8 steps."""
    rng = np.random.Generator(np.random.PCG64(3))
    seen = rng.uniform(-1, 1, (4000, 4)) * [1.0, 0.75, 0.5, 0.01]
    factors, scale = factors_of_units(seen)
    assert factors == pytest.approx([1, 4 / 3, 2, MOST_APART], abs=0.02)
    assert np.rint(factors / factors.max() * 127) == pytest.approx(factors / factors.max() * 127)
    assert scale == pytest.approx(1 / 127, rel=0.05)


def test_a_unit_of_one_sign_keeps_its_values_in_range():
    """All units share the zero point 0, whatever their signs."""
    seen = np.linspace(0, 1, 2000)[:, None]
    _, scale = factors_of_units(seen)
    assert np.abs(through(seen, scale, 0) - seen).max() <= 0.51 * scale


def test_a_rare_state_is_not_cut_where_tanh_still_moves():
    seen = np.random.Generator(np.random.PCG64(4)).normal(0, 0.1, (4000, 1))
    seen[7] = 3
    assert factors_of_units(seen)[1] * 127 >= 2
    assert factors_of_units(seen[8:])[1] * 127 < 0.5


def test_ties_grow_together():
    ties = Ties()
    for a, b in ((1, 2), (5, 6), (2, 6)):
        ties.tie(a, b)
    assert ties.groups([1, 2, 3, 5, 6]) == {1: [1, 2, 5, 6], 3: [3]}
