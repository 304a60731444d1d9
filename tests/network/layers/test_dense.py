"""Dense by hand, and the layers that do nothing."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, shape_of, window


def dense(*arrays, activation="linear"):
    return read("Dense", arrays, units=2, activation=activation)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 5, 3)])
def test_products_along_the_last_axis(shape):
    x, kernel, bias = random(6, *shape), random(3, 2, seed=1), random(2, seed=2)
    np.testing.assert_allclose(window(dense(kernel, bias), x), x @ kernel + bias, atol=1e-5)
    np.testing.assert_allclose(window(dense(kernel, activation="relu"), x),
                               np.maximum(x @ kernel, 0), atol=1e-5)


def test_shapes_and_arrays_are_checked():
    layer = dense(np.ones((3, 2)), np.ones(2))
    assert shape_of(layer, (3,)) == (2,) and shape_of(layer, (None, 3)) == (None, 2)
    check(layer, (None, 3))
    for arrays, shape in (((np.ones((3, 2)), np.ones(3)), (3,)), ((), (3,)),
                          ((np.ones((3, 2)),), (4,))):
        with pytest.raises(UserError, match="the weights of layer 'odd' do not have the shapes"):
            check(dense(*arrays), shape)


def test_how_many_arrays_the_file_holds():
    assert HANDLERS["Dense"].array_counts({}) == (2, 0)
    assert HANDLERS["Dense"].array_counts({"use_bias": False}) == (1, 0)


def test_steps_are_kept():
    layer = dense(np.ones((3, 2)))
    assert no_step(layer) is None and HANDLERS["Dense"].keeps_steps(layer, [(5, 3)])


@pytest.mark.parametrize("kind", ["Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise",
                                  "GaussianDropout", "AlphaDropout", "ActivityRegularization"])
def test_what_does_nothing_at_inference_is_no_layer(kind):
    assert read(kind, rate=0.5) is None
