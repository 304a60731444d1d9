"""Weights in int8: what rounding column after column is worth."""
import numpy as np

from kit.tflite.int8.rounding import round_weights


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
