"""Alarms that two computations of one detector share, with values worked out by hand."""
import numpy as np
import pytest

from kit.detection.certificate import changes, margin


def flags(text):
    return np.array([sign == "#" for sign in text])


@pytest.mark.parametrize("found, reference, counts", [
    ("..##..#..", "..##..#..", (2, 0, 0)),
    ("...##.#..", "..##..#..", (2, 0, 0)),  # it began later
    ("..##.....", "..##..#..", (1, 0, 1)),
    ("#.##..#..", "..##..#..", (2, 1, 0)),
    ("..#####..", "..##..#..", (2, 0, 0)),  # one long alarm for both
    ("....##...", "..##..#..", (0, 1, 2)),  # beside both
    (".........", ".........", (0, 0, 0)),
])
def test_changes(found, reference, counts):
    assert tuple(changes(flags(found), flags(reference)).values()) == counts


def test_margin_is_the_nearest_score_on_either_side():
    assert margin(np.array([np.nan, 0.5, 1.75, 2.5]), 2.0) == 0.25
    assert margin(np.array([np.nan]), 2.0) is None
