"""The factors that bring the units of a cell state to one range."""
import numpy as np
import pytest

from kit.tflite.int8.equalise import MOST_APART, factors_of_units
from kit.tflite.int8.scales import through


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
