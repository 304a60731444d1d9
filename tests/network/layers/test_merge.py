"""One value of several: by hand, with the shapes that fit and the sentences for those that do not."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, shape_of, window

X, Y, Z = random(2, 4, 3), random(2, 4, 3, seed=1), random(2, 4, 3, seed=2)
PAIRWISE = {"Add": X + Y + Z, "Multiply": X * Y * Z, "Average": (X + Y + Z) / 3,
            "Maximum": np.maximum(np.maximum(X, Y), Z), "Minimum": np.minimum(np.minimum(X, Y), Z)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(PAIRWISE))
def test_element_by_element(kind):
    np.testing.assert_allclose(window(read(kind), X, Y, Z), PAIRWISE[kind], atol=1e-6)


@pytest.mark.slow
def test_the_second_is_subtracted_and_what_is_one_wide_is_broadcast():
    np.testing.assert_array_equal(window(read("Subtract"), X, Y), X - Y)
    np.testing.assert_array_equal(window(read("Add"), X, Y[:, :1]), X + Y[:, :1])


@pytest.mark.slow
@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_side_by_side_along_an_axis(axis):
    np.testing.assert_array_equal(window(read("Concatenate", axis=axis), X, Y),
                                  np.concatenate([X, Y], axis))


def unit(x, axis):
    return x / np.sqrt((x * x).sum(axis, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize("axes, x, y, formula", [
    (1, X, Y, "nka,nkb->nab"), (2, X, Y, "nak,nbk->nab"), ([2, 1], X, random(2, 3, 5), "nak,nkb->nab"),
    (-1, X, Y, "nak,nbk->nab"), ([2, 1], X, Y[:, 0], "nak,nk->na"), (1, X[:, 0], Y[:, 0], "nk,nk->n")])
@pytest.mark.parametrize("normalize", [False, True])
def test_products_along_one_axis_of_each(axes, x, y, formula, normalize):
    a, b = (axes, axes) if isinstance(axes, int) else axes
    given = (unit(x, a), unit(y, b)) if normalize else (x, y)
    expected = np.einsum(formula, *given)
    expected = expected[:, None] if formula.endswith("->n") else expected
    found = window(read("Dot", axes=axes, normalize=normalize), x, y)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_shapes():
    assert shape_of(read("Add"), (None, 3), (4, 1)) == (None, 3)
    assert shape_of(read("Add"), (1, 3), (4, 1)) == (4, 3)
    assert shape_of(read("Concatenate"), (None, 3), (4, 2)) == (4, 5)
    assert shape_of(read("Concatenate", axis=1), (None, 3), (4, 3)) == (None, 3)
    assert shape_of(read("Dot", axes=1), (3,), (3,)) == (1,)


@pytest.mark.parametrize("layer, shapes, said", [
    (read("Add"), [(4, 3), (3,)], "is Add of inputs of different ranks"),
    (read("Add"), [(4, 3), (4, 2)], "is Add of shapes that do not fit.*--window-steps"),
    (read("Concatenate"), [(4, 3), (5, 3)], "is Concatenate along axis -1 of shapes that do not fit"),
    (read("Concatenate", axis=3), [(4, 3), (4, 3)], "is Concatenate along axis 3"),
    (read("Dot", axes=1), [(4, 3), (5, 3)], "is Dot of .* along axes .1, 1."),
    (read("Dot", axes=1), [(4, 3, 2), (4, 3, 2)], "is Dot .*two inputs of at most two axes beside the batch"),
])
def test_shapes_that_do_not_fit_are_named(layer, shapes, said):
    with pytest.raises(UserError, match="m.h5: layer 'odd' " + said):
        check(layer, *shapes)


def test_shapes_that_fit():
    check(read("Add"), (None, 3), (4, 1))
    check(read("Concatenate"), (4, 3), (None, 2))
    check(read("Dot", axes=[2, 1]), (4, 3), (3, 5))


def test_two_sequences_have_a_step_form_and_one_beside_a_vector_has_none():
    add = HANDLERS["Add"]
    assert add.no_step(read("Add"), [True, True], [(5, 3)] * 2) is None
    assert add.no_step(read("Add"), [False, False], [(3,)] * 2) is None
    assert "joins a sequence with what is none" in add.no_step(
        read("Add"), [True, False], [(5, 3), (1, 3)])
    assert "is Concatenate over the steps" in no_step(read("Concatenate", axis=1))
    assert no_step(read("Concatenate", axis=2)) is None
    assert "is Dot over the steps" in no_step(read("Dot", axes=1))


def test_masks_of_all_count_and_sequences_one_after_the_other_take_none():
    assert HANDLERS["Add"].masks(read("Add"), [False, True])
    assert not HANDLERS["Dot"].masks(read("Dot", axes=1), [True, True])
    HANDLERS["Concatenate"].check_mask("m.h5", read("Concatenate"))
    with pytest.raises(UserError, match="layer 'odd' joins masked sequences one after the other"):
        HANDLERS["Concatenate"].check_mask("m.h5", read("Concatenate", axis=1))
