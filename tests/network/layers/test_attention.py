"""Attention over sequences by hand: products, sums, what comes later."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, shape_of, window


def softmax(scores):
    found = np.exp(scores - scores.max(-1, keepdims=True))
    return found / found.sum(-1, keepdims=True)


QUERY, VALUE, KEY = random(2, 4, 3), random(2, 5, 6, seed=1), random(2, 5, 3, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("arrays, factor", [([], 1), ([0.3], 0.3)])
def test_products_weigh_the_values(arrays, factor):
    scores = factor * np.einsum("nqd,nkd->nqk", QUERY, KEY)
    found = window(read("Attention", arrays), QUERY, VALUE, KEY)
    np.testing.assert_allclose(found, softmax(scores) @ VALUE, atol=1e-5)


@pytest.mark.slow
def test_values_are_their_own_keys_and_causal_attention_sees_none_that_come_later():
    x = random(2, 4, 3, seed=3)
    scores = np.einsum("nqd,nkd->nqk", QUERY, x)
    np.testing.assert_allclose(window(read("Attention"), QUERY, x), softmax(scores) @ x, atol=1e-5)
    scores[:, ~np.tri(4, dtype=bool)] = -np.inf
    causal = read("Attention", causal=True)
    np.testing.assert_allclose(window(causal, QUERY, x), softmax(scores) @ x, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [None, random(3, seed=4)])
def test_a_sum_weighs_the_values(scale):
    total = np.tanh(QUERY[:, :, None] + KEY[:, None])
    scores = (total * (1 if scale is None else scale)).sum(-1)
    layer = read("AdditiveAttention", [] if scale is None else [scale])
    np.testing.assert_allclose(window(layer, QUERY, VALUE, KEY), softmax(scores) @ VALUE, atol=1e-5)


def test_the_output_has_the_steps_of_the_query_and_the_channels_of_the_value():
    layer = read("Attention")
    assert shape_of(layer, (4, 3), (5, 6), (5, 3)) == (4, 6)
    check(layer, (4, 3), (5, 3))
    for shapes in ([(4, 3)], [(3,), (5, 3)], [(4, 3)] * 4):
        with pytest.raises(UserError, match="layer 'odd' is Attention of .*a query, a value and perhaps"):
            check(layer, *shapes)


def test_it_needs_the_whole_sequence():
    assert "is Attention, which needs the whole sequence" in no_step(read("Attention"))


def test_how_many_arrays_the_file_holds():
    """Keras gives the sum a scale unless it is told not to, and the product none."""
    for kind, usual in (("Attention", 0), ("AdditiveAttention", 1)):
        assert HANDLERS[kind].array_counts({}) == (usual, 0)
        assert HANDLERS[kind].array_counts({"use_scale": True}) == (1, 0)
        assert HANDLERS[kind].array_counts({"use_scale": False}) == (0, 0)
