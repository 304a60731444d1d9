"""Layers that hold others: both directions by their parts, a layer on each step, cells as layers."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from kit.network.layers.handler import Layer
from layer_graphs import check, no_step, random, read, shape_of, step, window

C, UNITS = 3, 2
X = random(2, 5, C, seed=9)
ARRAYS = [random(C, UNITS), random(UNITS, UNITS, seed=1), random(UNITS, seed=2)]
BACK = [random(C, UNITS, seed=3), random(UNITS, UNITS, seed=4), random(UNITS, seed=5)]


def rnn(**config):
    return {"class_name": "SimpleRNN", "config": dict(units=UNITS, activation="tanh", **config)}


def both(merge_mode="concat", **config):
    return read("Bidirectional", ARRAYS + BACK, layer=rnn(**config), merge_mode=merge_mode)


def one_way(arrays, x, **config):
    return window(read("SimpleRNN", arrays, **rnn(**config)["config"]), np.ascontiguousarray(x))


@pytest.mark.slow
@pytest.mark.parametrize("mode, merged", [
    ("concat", lambda a, b: np.concatenate([a, b], -1)), ("sum", np.add), ("mul", np.multiply),
    ("ave", lambda a, b: (a + b) / 2), (None, lambda a, b: a)])
@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions_stand_side_by_side_in_time(mode, merged, sequences):
    forward = one_way(ARRAYS, X, return_sequences=sequences)
    backward = one_way(BACK, X[:, ::-1], return_sequences=sequences)
    backward = backward[:, ::-1] if sequences else backward
    found = window(both(mode, return_sequences=sequences), X)
    np.testing.assert_allclose(found, merged(forward, backward), atol=1e-6)


def test_shapes_and_outputs_of_both_directions():
    assert shape_of(both(), (5, C)) == (2 * UNITS,)
    assert shape_of(both("sum", return_sequences=True), (None, C)) == (None, UNITS)
    apart = both(None, return_state=True)
    assert HANDLERS["Bidirectional"].shapes(apart, [(5, C)]) == [(UNITS,)] * 4
    assert HANDLERS["Bidirectional"].outputs(apart) == 4 and HANDLERS["Bidirectional"].outputs(both()) == 1
    assert HANDLERS["Bidirectional"].array_counts({"layer": rnn()}) == (6, 0)
    check(both(), (5, C))
    with pytest.raises(UserError, match="the weights of layer 'odd' do not have the shapes"):
        check(both(), (5, C + 1))


def test_which_forms_both_directions_have():
    assert "is Bidirectional, which needs the whole sequence" in no_step(both())
    assert "is SimpleRNN, and the fused op is an LSTM" in HANDLERS["Bidirectional"].no_fused(both())[0]


@pytest.mark.parametrize("config, said", [
    (dict(layer={"class_name": "Mine", "config": {}}), "is Bidirectional of Mine; an LSTM, GRU or Sim"),
    (dict(layer=rnn(), merge_mode="max"), "with merge_mode max; concat, sum, mul, ave or None")])
def test_directions_that_are_not_read_are_named(config, said):
    with pytest.raises(UserError, match="layer 'odd' is Bidirectional.*" + said.partition("l ")[2]):
        read("Bidirectional", ARRAYS + BACK, **config)


def test_an_rnn_of_a_cell_is_the_layer():
    cell = {"class_name": "SimpleRNNCell", "config": {"units": UNITS, "activation": "tanh"}}
    layer = read("RNN", ARRAYS, cell=cell, return_sequences=True)
    assert layer.class_name == "SimpleRNN" and layer.options["return_sequences"]
    stack = {"class_name": "StackedRNNCells", "config": {"cells": [cell, {
        "class_name": "LSTMCell", "config": {"use_bias": False}}]}}
    assert HANDLERS["RNN"].array_counts({"cell": stack}) == (5, 0)
    with pytest.raises(UserError, match="layer 'odd' is RNN of MyCell; supported cells are LSTMCell"):
        read("RNN", cell={"class_name": "MyCell", "config": {}})


# --- TimeDistributed --------------------------------------------------------------------------


def each(kind, arrays=(), **config):
    return read("TimeDistributed", arrays, layer={"class_name": kind, "config": config})


def test_what_works_along_the_last_axis_is_the_layer_itself():
    dense = each("Dense", [np.ones((C, 2))], units=2, activation="linear")
    assert dense.class_name == "Dense" and each("Dropout", rate=0.5) is None
    nested = read("TimeDistributed", layer={"class_name": "TimeDistributed", "config": {
        "layer": {"class_name": "Flatten", "config": {}}}})
    assert nested.options["inner"].options["inner"].class_name == "Flatten"
    assert shape_of(nested, (7, 4, 2, 3)) == (7, 4, 6)
    with pytest.raises(UserError, match="layer 'odd' is TimeDistributed of Mine; supported are Dense"):
        each("Mine")


@pytest.mark.slow
def test_a_layer_on_each_step():
    x, kernel = random(2, 5, 4, C), random(2, C, 6, seed=1)
    layer = each("Conv1D", [kernel], kernel_size=2, filters=6, activation="linear", padding="valid")
    expected = x[:, :, :-1] @ kernel[0] + x[:, :, 1:] @ kernel[1]
    np.testing.assert_allclose(window(layer, x), expected, atol=1e-5)
    np.testing.assert_allclose(step([layer], x[0]), expected[0], atol=1e-5)


def test_shapes_of_a_layer_on_each_step():
    layer = each("Flatten")
    assert shape_of(layer, (None, 4, 3)) == (None, 12) and no_step(layer, (5, 4, 3)) is None
    check(layer, (None, 4, 3))
    with pytest.raises(UserError, match="layer 'odd' is TimeDistributed and gets .4,. per item, no st"):
        check(layer, (4,))
    assert HANDLERS["TimeDistributed"].array_counts({"layer": rnn()}) == (3, 0)
    assert isinstance(layer.options["inner"], Layer)
