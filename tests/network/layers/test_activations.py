"""Activations by name and as layers: worked values, and what is refused."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from kit.network.layers.activations import ACTIVATIONS, activation
from layer_graphs import check, no_step, random, read, step, window

X = np.array([-30, -4, -2.5, -1, -0.3, 0, 0.3, 1, 2.5, 4, 30], np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def erf(x):
    """By its series, for |x| < 4; 1 beyond."""
    if abs(x) > 4:
        return np.sign(x)
    total, term = 0.0, x
    for n in range(200):
        total += term / (2 * n + 1)
        term *= -x * x / (n + 1)
    return 2 / np.pi ** 0.5 * total


BY_HAND = {
    "linear": lambda x: x, "tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard_sigmoid_3": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6, "hard_tanh": lambda x: np.clip(x, -1, 1),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(0, x), "softsign": lambda x: x / (1 + abs(x)),
    "exponential": np.exp, "relu6": lambda x: np.clip(x, 0, 6), "swish": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * np.array([0.5 * (1 + erf(v / 2 ** 0.5)) for v in x]),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x)}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_the_formulas(name):
    found = window(read("Activation", activation=name), X[None].astype(np.float32))
    np.testing.assert_allclose(found[0], BY_HAND[name](X), rtol=2e-6, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hard_sigmoid", "gelu"])
def test_activations_hold_over_sequences(name):
    x = np.stack([X, X[::-1]])
    found = window(read("Activation", activation=name), x[None].astype(np.float32))
    np.testing.assert_allclose(found[0], [BY_HAND[name](row) for row in x], rtol=2e-6, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind, config, expected", [
    ("ReLU", {}, np.maximum(X, 0)), ("ReLU", {"max_value": 6.0}, np.clip(X, 0, 6)),
    ("ReLU", {"negative_slope": 0.1}, np.where(X > 0, X, 0.1 * X)),
    ("ReLU", {"max_value": 2, "negative_slope": 0.1, "threshold": 0.5},
     np.where(X >= 2, 2, np.where(X >= 0.5, X, 0.1 * (X - 0.5)))),
    ("LeakyReLU", {"alpha": 0.3}, np.where(X > 0, X, 0.3 * X)),
    ("ELU", {"alpha": 0.5}, np.where(X > 0, X, 0.5 * np.expm1(np.minimum(X, 0)))),
    ("ThresholdedReLU", {"theta": 1.0}, np.where(X > 1, X, 0)),
])
def test_layers_are_the_formulas_of_keras(kind, config, expected):
    found = window(read(kind, **config), X[None].astype(np.float32))
    np.testing.assert_allclose(found[0], expected, rtol=2e-6, atol=2e-6)


@pytest.mark.slow
def test_a_slope_for_each_step_and_channel():
    x, alpha = random(2, 4, 3), np.abs(random(4, 3, seed=1))
    expected = np.where(x > 0, x, alpha * x)
    np.testing.assert_allclose(window(read("PReLU", [alpha]), x), expected, rtol=1e-6)
    shared = read("PReLU", [alpha[:1]])
    found = step([shared, read("LastStep")], x[0])
    np.testing.assert_allclose(found, np.where(x[0] > 0, x[0], alpha[:1] * x[0]), rtol=1e-6)


@pytest.mark.parametrize("kind, config, simpler", [
    ("ReLU", {}, ("Activation", {"activation": "relu"})),
    ("ReLU", {"max_value": 6.0, "negative_slope": [0.0]}, ("Activation", {"activation": "relu6"})),
    ("ReLU", {"negative_slope": 0.25}, ("LeakyReLU", {"alpha": 0.25})),
    ("ELU", {}, ("Activation", {"activation": "elu"})),
    ("Softmax", {"axis": 1}, ("Activation", {"activation": "softmax", "axis": 1})),
])
def test_a_layer_is_read_as_the_simplest_that_it_is(kind, config, simpler):
    assert read(kind, **config)[::2] == simpler


def test_an_activation_is_a_name_or_a_layer():
    assert activation("m.h5", "odd", "tanh") == "tanh"
    leaky = {"class_name": "LeakyReLU", "config": {"alpha": 0.5}}
    assert activation("m.h5", "odd", leaky).options == {"alpha": 0.5}
    for value in ("my_own", {"class_name": "Mine", "config": {}}):
        with pytest.raises(UserError, match="m.h5: layer 'odd' has the activation .*; supported are lin"):
            activation("m.h5", "odd", value)


def test_softmax_along_another_axis_is_refused():
    check(read("Softmax", axis=2), (4, 3))
    with pytest.raises(UserError, match="layer 'odd' works along axis 1; the last axis is supported"):
        check(read("Softmax", axis=1), (4, 3))


def test_slopes_that_differ_from_step_to_step_have_no_step_form():
    own, shared = read("PReLU", [np.ones((5, 3))]), read("PReLU", [np.ones((1, 3))])
    assert "shared_axes=[1]" in no_step(own) and no_step(own, timed=False) is None
    assert no_step(shared) is None
    check(own, (5, 3))
    with pytest.raises(UserError, match="the weights of layer 'odd' do not have the shapes"):
        check(own, (4, 3))


def test_pointwise_layers_take_sequences_of_any_length():
    assert all(HANDLERS[kind].any_length for kind in ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax"))
    assert not HANDLERS["PReLU"].any_length
