"""The integer arithmetic against exact fractions."""
from fractions import Fraction

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.firmware import fixed


@pytest.mark.parametrize("real", [0.5, 1.0, 0.3, 1e-4, 3.7, 0.9999999999])
def test_a_multiplier_is_the_real_number_to_31_bits(real):
    m, e = fixed.multiplier(real)
    assert 2 ** 30 <= m < 2 ** 31
    assert abs(m * 2.0 ** -(31 + e) / real - 1) <= 2.0 ** -31


def test_a_multiplier_that_vanishes_is_zero():
    assert fixed.multiplier(2.0 ** -40) == (0, 0)


def half_away(value):
    whole = abs(value) + Fraction(1, 2)
    return (whole.numerator // whole.denominator) * (1 if value >= 0 else -1)


def test_scaled_rounds_twice_the_second_time_half_away_from_zero():
    rng = np.random.Generator(np.random.PCG64(1))
    for _ in range(300):
        x, e = int(rng.integers(-2 ** 20, 2 ** 20)), int(rng.integers(1, 12))
        m = int(rng.integers(2 ** 30, 2 ** 31))
        first = Fraction(x * m, 2 ** 31) + Fraction(1, 2)
        high = first.numerator // first.denominator
        assert fixed.scaled(x, m, e) == half_away(Fraction(high, 2 ** e))
    assert list(fixed.scaled([3, -3, 1, -1], 1 << 30, 1)) == [1, -1, 1, 0]  # worked by hand
    assert fixed.scaled(5, 1 << 30, -2) == 10  # 5 * 4 / 2


@pytest.mark.parametrize("activation, expected", [
    ("NONE", (-128, 127)), ("RELU", (-20, 127)), ("RELU6", (-20, 100))])
def test_limits_of_a_fused_activation(activation, expected):
    assert fixed.limits(np.int8, activation, 0.05, -20) == expected


def test_a_table_holds_the_function_of_every_byte():
    made = fixed.table(np.tanh, (0.02, 3), 1 / 128, 0)
    x = (np.arange(-128, 128) - 3) * 0.02
    assert np.abs(made / 128 - np.tanh(x)).max() <= 0.51 / 128
    assert made[128 + 3] == 0 and (np.diff(made.astype(int)) >= 0).all()


def test_the_table_of_int16_sigmoids_is_near_the_function_and_rises():
    exact = 65536 / (1 + np.exp(-np.arange(256) / 24))
    made = fixed.sigmoids().astype(float)
    assert np.abs(made - exact).max() < 1.2 and (np.diff(made) >= 0).all()


@pytest.mark.parametrize("scale", [0.3e-3, 7.8e-5, 2.0 ** -10])
def test_an_int16_goes_into_the_table_at_its_place(scale):
    m, e = fixed.interpolation(scale)
    assert 2 ** 14 <= m + 1 and m < 2 ** 15
    assert abs(m * 2.0 ** -e / (scale * 4096 * 3) - 1) < 1e-4


def test_a_scale_at_which_the_runtime_leaves_its_table_is_refused():
    with pytest.raises(UserError, match="at the scale 0.000244141"):
        fixed.interpolation(2.0 ** -12)
