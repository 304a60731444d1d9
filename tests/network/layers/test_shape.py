"""Layers that repeat or rearrange: by numpy, with their shapes and step forms."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, shape_of, step, window

X = random(2, 4, 6)
CASES = [
    (read("RepeatVector", n=3), X[:, 0], np.repeat(X[:, :1], 3, 1)),
    (read("Reshape", target_shape=[4, 2, 3]), X, X.reshape(2, 4, 2, 3)),
    (read("Reshape", target_shape=[-1, 3]), X, X.reshape(2, 8, 3)),
    (read("Flatten"), X, X.reshape(2, 24)),
    (read("Permute", dims=[2, 1]), X, X.transpose(0, 2, 1)),
    (read("Permute", dims=[1, 3, 2]), X.reshape(2, 4, 2, 3), X.reshape(2, 4, 2, 3).transpose(0, 1, 3, 2)),
    (read("LastStep"), X, X[:, -1]),
]


@pytest.mark.slow
@pytest.mark.parametrize("layer, x, expected", CASES)
def test_windows_are_as_numpy_has_them(layer, x, expected):
    np.testing.assert_array_equal(window(layer, x), expected)


@pytest.mark.parametrize("layer, x, expected", CASES)
def test_shapes_are_as_numpy_has_them(layer, x, expected):
    assert shape_of(layer, x.shape[1:]) == expected.shape[1:]
    check(layer, x.shape[1:])


@pytest.mark.parametrize("layer, shape, expected", [
    (read("Flatten"), (None, 3), (None,)), (read("Reshape", target_shape=[-1, 2]), (None, 3), (None, 2)),
    (read("LastStep"), (None, 3), (3,)), (read("Permute", dims=[2, 1]), (None, 3), (3, None))])
def test_open_axes_stay_open(layer, shape, expected):
    assert shape_of(layer, shape) == expected


@pytest.mark.slow
def test_steps_are_shaped_and_turned_by_themselves():
    x = random(5, 2, 3)
    found = step([read("Permute", dims=[1, 3, 2]), read("LastStep")], x)
    np.testing.assert_array_equal(found, x.transpose(0, 2, 1))


@pytest.mark.parametrize("layer, shape, said", [
    (read("RepeatVector", n=3), (4, 6), "is RepeatVector and gets .4, 6. per item; it takes a vector"),
    (read("Reshape", target_shape=[5, 2]), (4, 6), "shapes .4, 6. to .5, 2."),
    (read("Permute", dims=[2, 1]), (4,),
     "is Permute and gets .4,. per item; it takes as many axes as it orders"),
    (read("LastStep"), (4,), "takes the last step, and gets .4,., which has none"),
])
def test_what_cannot_be_shaped_is_named(layer, shape, said):
    with pytest.raises(UserError, match="m.h5: layer 'odd' " + said):
        check(layer, shape)


@pytest.mark.parametrize("layer, timed, has", [
    (read("Reshape", target_shape=[4, 2, 3]), True, True),  # the steps stay
    (read("Reshape", target_shape=[8, 3]), True, False), (read("Reshape", target_shape=[8, 3]), False, True),
    (read("Flatten"), True, False), (read("Flatten"), False, True),
    (read("Permute", dims=[2, 1]), True, False), (read("Permute", dims=[1, 2]), True, True),
    (read("RepeatVector", n=2), False, False), (read("LastStep"), True, True),
    (read("LastStep"), False, False)])
def test_what_mixes_the_steps_has_no_step_form(layer, timed, has):
    reason = no_step(layer, (4, 6), timed)
    assert (reason is None) == has
    assert has or "needs the whole sequence" in reason


def test_only_the_last_step_makes_a_sequence_of_what_comes_in():
    assert [kind for kind in sorted(HANDLERS) if kind in (
        "RepeatVector", "Reshape", "Flatten", "Permute", "LastStep") and HANDLERS[kind].takes_steps] == [
            "LastStep"]
