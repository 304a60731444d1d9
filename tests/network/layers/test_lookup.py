"""Rows of a table, and steps that do not count."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import check, no_step, random, read, shape_of, step, window

UNITS = 2
RNN = [random(3, UNITS, seed=1), random(UNITS, UNITS, seed=2), random(UNITS, seed=3)]


def rnn(**config):
    return read("SimpleRNN", RNN, units=UNITS, activation="tanh", **config)


def by_hand(x, counted):
    """The states of a SimpleRNN after each step of one window, held where a step does not count."""
    kernel, recurrent, bias = RNN
    h, found = np.zeros(UNITS), []
    for row, counts in zip(x, counted):
        h = np.tanh(row @ kernel + h @ recurrent + bias) if counts else h
        found.append(h)
    return np.array(found)


def embedding(table, **config):
    return read("Embedding", [table], input_dim=len(table), output_dim=table.shape[1], **config)


@pytest.mark.slow
def test_whole_numbers_are_rows_of_the_table():
    table, x = random(5, 3), np.array([[0, 4, 1, 1]], np.int32)
    np.testing.assert_array_equal(window(embedding(table), x), table[x])


@pytest.mark.slow
def test_zero_is_a_step_that_does_not_count_where_it_is_masked():
    table, x = random(5, 3), np.array([[0, 4, 0, 0, 1]], np.int32)
    found = window([embedding(table, mask_zero=True), rnn(return_sequences=True)], x)
    np.testing.assert_allclose(found[0], by_hand(table[x[0]], x[0] != 0), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, -1.5])
def test_a_step_whose_channels_all_are_the_value_does_not_count(value):
    x = random(6, 3)
    x[[0, 3, 4]], x[1, 0], x[2, :2] = value, value, value  # rows 1 and 2 have it in part
    counted = [False, True, True, False, False, True]
    layers = [read("Masking", mask_value=value), rnn(return_sequences=True)]
    np.testing.assert_allclose(window(layers, x[None])[0], by_hand(x, counted), atol=1e-6)
    np.testing.assert_allclose(step(layers, x), by_hand(x, counted), atol=1e-6)


@pytest.mark.slow
def test_channels_of_a_step_that_does_not_count_become_zero():
    x = np.float32([[[-1, -1], [-1, 2], [1e-6 - 1, -1]]])
    found = window(read("Masking", mask_value=-1), x)
    np.testing.assert_array_equal(found, x * [[[0], [1], [1]]])


def test_shapes_limits_and_arrays():
    layer = embedding(np.ones((5, 3)))
    assert shape_of(layer, (None,)) == (None, 3)
    assert HANDLERS["Embedding"].limit(layer) == 5 and HANDLERS["Masking"].limit(read(
        "Masking", mask_value=0)) is None
    check(layer, (4,))
    with pytest.raises(UserError, match="the weights of layer 'odd' do not have the shapes"):
        check(layer._replace(options=dict(layer.options, rows=6)), (4,))


def test_who_masks():
    for layer, masks in ((embedding(np.ones((5, 3))), False), (read("Masking", mask_value=0), True),
                         (embedding(np.ones((5, 3)), mask_zero=True), True)):
        assert HANDLERS[layer.class_name].masks(layer, [False]) == masks
        assert no_step(layer) is None
