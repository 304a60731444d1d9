"""Normalisation by hand: moving statistics, each vector's own, constants."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, window

GAMMA, BETA, MEAN = random(3), random(3, seed=1), random(3, seed=2)
VARIANCE = np.float32([0.5, 2.0, 1e-4])


def batch(arrays, axis=-1, **config):
    return read("BatchNormalization", arrays, axis=axis, epsilon=0.01, **config)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3,), (4, 3)])
@pytest.mark.parametrize("arrays, config, gamma, beta", [
    ([GAMMA, BETA, MEAN, VARIANCE], {}, GAMMA, BETA),
    ([BETA, MEAN, VARIANCE], {"scale": False}, 1, BETA),
    ([GAMMA, MEAN, VARIANCE], {"center": False}, GAMMA, 0),
    ([MEAN, VARIANCE], {"center": False, "scale": False}, 1, 0)])
def test_moving_statistics(shape, arrays, config, gamma, beta):
    x = random(5, *shape, seed=3)
    expected = gamma * (x - MEAN) / np.sqrt(VARIANCE + 0.01) + beta
    np.testing.assert_allclose(window(batch(arrays, **config), x), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3,), (4, 3)])
@pytest.mark.parametrize("arrays, config, gamma, beta", [
    ([GAMMA, BETA], {}, GAMMA, BETA), ([BETA], {"scale": False}, 1, BETA),
    ([GAMMA], {"center": False}, GAMMA, 0)])
def test_each_vector_by_its_own_statistics(shape, arrays, config, gamma, beta):
    x = random(5, *shape, seed=3)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    layer = read("LayerNormalization", arrays, axis=[-1], epsilon=0.01, **config)
    expected = gamma * (x - mean) / np.sqrt(variance + 0.01) + beta
    np.testing.assert_allclose(window(layer, x), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_rescaling(shape):
    x = random(5, *shape)
    found = window(read("Rescaling", scale=-0.5, offset=2), x)
    np.testing.assert_allclose(found, 2 - 0.5 * x, atol=1e-6)


def test_scale_and_offset_are_those_of_the_statistics():
    """(x - 3) / sqrt(15.99 + 0.01) * 2 + 1 = x / 2 - 1 / 2."""
    layer = batch(np.reshape([2, 1, 3, 15.99], (4, 1)))
    assert layer.weights["scale"] == pytest.approx([0.5])
    assert layer.weights["offset"] == pytest.approx([-0.5])


@pytest.mark.parametrize("layer", [batch([GAMMA, BETA, MEAN, VARIANCE], axis=1),
                                   read("LayerNormalization", [GAMMA], axis=[1], epsilon=0.01)])
def test_axes_and_arrays_are_checked(layer):
    check(layer, (3,))
    with pytest.raises(UserError, match="layer 'odd' normalises axis 1; the last axis is supported"):
        check(layer, (4, 3))
    with pytest.raises(UserError, match="the weights of layer 'odd' do not have the shapes"):
        check(layer, (2,))


def test_how_many_arrays_the_file_holds():
    """Of the moving statistics none is trained."""
    for kind, others in (("BatchNormalization", 2), ("LayerNormalization", 0)):
        assert HANDLERS[kind].array_counts({}) == (2, others)
        assert HANDLERS[kind].array_counts({"scale": False}) == (1, others)
    assert HANDLERS["Rescaling"].array_counts({}) == (0, 0)


def test_each_step_is_normalised_by_itself():
    assert no_step(read("Rescaling", scale=1, offset=0)) is None
