"""Sets of tensors that have one scale."""
from kit.tflite.int8.ties import Ties


def test_ties_grow_together():
    ties = Ties()
    for a, b in ((1, 2), (5, 6), (2, 6)):
        ties.tie(a, b)
    assert ties.groups([1, 2, 3, 5, 6]) == {1: [1, 2, 5, 6], 3: [3]}
