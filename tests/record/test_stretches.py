"""Runs of what is marked, gaps of what is missing."""
import numpy as np

from kit.record import stretches
from kit.record.stretches import hold_last, runs


def test_runs():
    assert runs([0, 1, 1, 0, 1]).tolist() == [[1, 3], [4, 5]]
    assert runs([]).shape == runs([0, 0]).shape == (0, 2)


def test_hold_last_worked():
    nan = np.nan
    held = hold_last(np.array([[nan, 1], [2, nan], [nan, nan], [3, 4.0]]))
    assert held.tolist() == [[0, 1], [2, 1], [2, 1], [3, 4]]
    assert hold_last(np.array([[nan, nan]]), np.array([5.0, 6.0])).tolist() == [[5, 6]]


def test_a_gap_is_held_from_one_block_to_the_next(monkeypatch):
    samples = np.random.default_rng(1).standard_normal((50, 2))
    samples[np.random.default_rng(2).random((50, 2)) < 0.5] = np.nan
    whole = hold_last(samples)
    monkeypatch.setattr(stretches, "BLOCK", 3)
    assert (hold_last(samples) == whole).all() and np.isnan(samples).any()


def test_hold_last_keeps_float32_and_its_argument():
    samples = np.array([[1], [np.nan]], np.float32)
    assert hold_last(samples).dtype == np.float32
    assert np.isnan(samples[1, 0])
