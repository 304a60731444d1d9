"""LSTM, GRU and SimpleRNN by hand, in windows, step by step, and what each form cannot hold."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from layer_graphs import SEQ, both, check, no_step, random, read, shape_of, step, window

C, UNITS = 3, 4
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


FUNCTIONS = {"tanh": np.tanh, "sigmoid": sigmoid, "hard_sigmoid": hard_sigmoid,
             "relu": lambda x: np.maximum(x, 0)}


def arrays_of(kind, reset_after=False):
    columns = GATES[kind] * UNITS
    return [random(C, columns), 0.5 * random(UNITS, columns, seed=1),
            random(*((2, columns) if reset_after else (columns,)), seed=2)]


def recurrent(kind, activation="tanh", gate="sigmoid", arrays=None, **config):
    arrays = arrays or arrays_of(kind, config.get("reset_after"))
    return read(kind, arrays, units=UNITS, activation=activation, recurrent_activation=gate, **config)


def by_hand(kind, x, activation="tanh", gate="sigmoid", reset_after=False, counted=None):
    """(outputs (n, T, U), last states) as the papers have it, in float64."""
    kernel, recurrent, bias = (a.astype(np.float64) for a in arrays_of(kind, reset_after))
    act, sig = FUNCTIONS[activation], FUNCTIONS[gate]
    h = c = np.zeros((len(x), UNITS))
    found = []
    for t in range(x.shape[1]):
        if kind == "LSTM":
            i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, -1)
            c = sig(f) * c + sig(i) * act(g)
            h = sig(o) * act(c)
        elif kind == "SimpleRNN":
            h = act(x[:, t] @ kernel + h @ recurrent + bias)
        else:
            into, back = bias if reset_after else (bias, 0 * bias)
            xz, xr, xh = np.split(x[:, t] @ kernel + into, 3, -1)
            hz, hr, hh = np.split(h @ recurrent + back, 3, -1)
            z, r = sig(xz + hz), sig(xr + hr)
            last = recurrent[:, 2 * UNITS:]
            new = act(xh + r * hh) if reset_after else act(xh + (r * h) @ last)
            h = z * h + (1 - z) * new
        found.append(h)
    return np.stack(found, 1), (h, c)


X = random(2, 6, C, seed=7)
CASES = [("LSTM", {}), ("LSTM", {"activation": "relu"}), ("LSTM", {"gate": "hard_sigmoid"}),
         ("GRU", {}), ("GRU", {"reset_after": True}),
         ("GRU", {"activation": "relu", "gate": "hard_sigmoid"}), ("SimpleRNN", {}),
         ("SimpleRNN", {"activation": "relu"})]


@pytest.mark.slow
@pytest.mark.parametrize("kind, options", CASES)
def test_windows_and_steps_are_the_equations(kind, options):
    expected, _ = by_hand(kind, X, **options)
    layer = recurrent(kind, return_sequences=True, **options)
    np.testing.assert_allclose(window(layer, X), expected, atol=1e-5)
    np.testing.assert_allclose(window(recurrent(kind, **options), X), expected[:, -1], atol=1e-5)
    np.testing.assert_allclose(step([layer], X[0]), expected[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(GATES))
def test_from_the_end_to_the_start(kind):
    expected, _ = by_hand(kind, X[:, ::-1])
    layer = recurrent(kind, return_sequences=True, go_backwards=True)
    np.testing.assert_allclose(window(layer, X), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(GATES))
def test_the_second_half_goes_on_from_the_state_of_the_first(kind):
    expected, _ = by_hand(kind, X)
    _, states = by_hand(kind, X[:, :3])
    states = [state.astype(np.float32) for state in states[:len(HANDLERS[kind].carried)]]
    found = window(recurrent(kind, return_sequences=True), np.ascontiguousarray(X[:, 3:]), *states)
    np.testing.assert_allclose(found, expected[:, 3:], atol=1e-5)


@pytest.mark.slow
def test_no_bias_is_a_bias_of_zeros():
    arrays = arrays_of("LSTM")
    zeros = recurrent("LSTM", arrays=arrays[:2] + [np.zeros(4 * UNITS)])
    np.testing.assert_array_equal(window(recurrent("LSTM", arrays=arrays[:2]), X), window(zeros, X))


@pytest.mark.parametrize("kind", sorted(GATES))
def test_shapes_and_outputs(kind):
    states = [(UNITS,)] * len(HANDLERS[kind].carried)
    for sequences, shape in ((False, (UNITS,)), (True, (6, UNITS))):
        layer = recurrent(kind, return_sequences=sequences, return_state=True)
        assert HANDLERS[kind].shapes(layer, [(6, C)]) == [shape] + states
        assert HANDLERS[kind].outputs(layer) == 1 + len(states)
        check(layer, (6, C))
        check(layer, (None, C), *states)
    assert HANDLERS[kind].states(layer, (C,)) == list(zip(HANDLERS[kind].carried, states))
    assert shape_of(recurrent(kind, return_sequences=True), (None, C)) == (None, UNITS)
    assert HANDLERS[kind].array_counts({}) == (3, 0)
    assert HANDLERS[kind].array_counts({"use_bias": False}) == (2, 0)


@pytest.mark.parametrize("shapes, said", [
    ([(C,)], "is LSTM and gets .3,. per item; it takes .steps, channels."),
    ([(6, C + 1)], "do not have the shapes"),
    ([(6, C), (UNITS,)], "gets 1 tensors beside its sequence"),
    ([(6, C), (UNITS,), (UNITS + 1,)], "an initial state is 2 of .4,., and constants are not")])
def test_what_they_cannot_take_is_named(shapes, said):
    with pytest.raises(UserError, match="layer 'odd' .*" + said):
        check(recurrent("LSTM"), *shapes)


def test_a_gru_that_resets_after_has_two_biases():
    check(recurrent("GRU", reset_after=True), (6, C))
    with pytest.raises(UserError, match="do not have the shapes"):
        check(recurrent("GRU", reset_after=True, arrays=arrays_of("GRU")), (6, C))


def test_a_masked_step_repeats_the_output_before_it_or_gives_zeros():
    """Zeros where the layer says so, and in a Bidirectional, whatever the layer says."""
    x, counts = X.copy(), np.array([False, True, False, True, True, False])
    x[:, ~counts] = 0
    masking = read("Masking", mask_value=0)
    held, zero = (window([masking, recurrent("LSTM", zero_output_for_mask=zero, **SEQ)], x)
                  for zero in (False, True))
    np.testing.assert_array_equal(held[:, 2], held[:, 1])
    np.testing.assert_array_equal(zero, held * counts[:, None])
    both_sides = window([masking, both(**SEQ)], x)
    assert not both_sides[:, ~counts].any() and both_sides[:, counts].any(-1).all()


def test_which_have_a_step_form():
    assert no_step(recurrent("LSTM"), (6, C)) is None
    assert "is go_backwards, which needs" in no_step(recurrent("LSTM", go_backwards=True), (6, C))
    assert "steps that are made of one vector" in no_step(recurrent("LSTM"), (6, C), timed=False)


@pytest.mark.parametrize("layer, said", [
    (recurrent("LSTM"), None), (recurrent("LSTM", activation="relu"), None),
    (recurrent("GRU"), "is GRU, and the fused op is an LSTM"),
    (recurrent("LSTM", gate="hard_sigmoid"), "has hard_sigmoid gates, and the fused op has sigmoid"),
    (recurrent("LSTM", activation="elu"), "has the activation elu, and the fused op has tanh, relu")])
def test_which_have_a_fused_form(layer, said):
    reason = HANDLERS[layer.class_name].no_fused(layer)
    assert (reason and reason[0][:len(said)]) == said
    assert HANDLERS["LSTM"].fused_activations(recurrent("LSTM", activation="relu")) == ["relu"]


def test_gates_are_hard_where_an_old_file_does_not_say():
    layer = read("LSTM", arrays_of("LSTM"), units=UNITS, activation="tanh")
    assert layer.options["recurrent_activation"] == "hard_sigmoid"
