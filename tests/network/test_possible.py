"""Which forms a network has, and in one sentence why not the others."""
import pytest

from kit.base.cli import UserError
from kit.network import possible
from kit.network.description import Input, Network, Node, path_of
from layer_graphs import C, SEQ, T, both, dense, lstm, random, read


def path(*layers, shape=(T, C)):
    return path_of(layers, shape)


PLAIN, OPEN = path(lstm(), dense(4)), path(lstm(), dense(4), shape=(None, C))


def gru():
    return read("GRU", [random(C, 12), random(4, 12), random(12)], units=4, activation="tanh",
                recurrent_activation="sigmoid")


@pytest.mark.parametrize("network, asked, steps", [
    (PLAIN, None, T), (PLAIN, T, T), (OPEN, 9, 9), (OPEN, 1, 1)])
def test_the_length_of_a_window(network, asked, steps):
    assert possible.window_steps(network, asked, "m.h5") == steps


@pytest.mark.parametrize("network, asked, said", [
    (OPEN, None, "time axis is undefined; say how long a window is with --window-steps"),
    (PLAIN, 9, "the model takes windows of 6 samples, not of 9"),
    (OPEN, 0, "a window of 0 samples; at least 1 is needed")])
def test_a_length_that_cannot_be(network, asked, said):
    with pytest.raises(UserError, match=said):
        possible.window_steps(network, asked, "m.h5")


def test_steps_of_all_recurrent_layers_are_counted_those_of_both_directions_twice():
    assert possible.unrolled_steps(PLAIN, T) == T
    assert possible.unrolled_steps(path(both(**SEQ), lstm(inputs=8)), T) == 3 * T
    assert possible.unrolled_steps(path(lstm(), read("RepeatVector", n=T), lstm(inputs=4)), T) == 2 * T


def test_a_window_that_is_too_long_says_what_works():
    possible.check_window(OPEN, possible.MOST_STEPS, "m.h5")
    with pytest.raises(UserError, match="m.h5: no window form: 2001 steps .*; up to 2000 are; use the "
                                        "loop or the fused or the step or the chunk form"):
        possible.check_window(OPEN, possible.MOST_STEPS + 1, "m.h5")


def test_a_window_that_is_too_long_of_a_network_without_another_form_is_to_be_shorter():
    one, two = (both(recurrent_activation="hard_sigmoid", **SEQ) for _ in range(2))
    network = Network([Input("a", (None, C)), Input("b", (None, C))],
                      [Node(one, (0,), (2,)), Node(two, (1,), (3,))], [("a_out", 2), ("b_out", 3)])
    with pytest.raises(UserError, match="up to 2000 are; take shorter windows, as there is no other form"):
        possible.check_window(network, possible.MOST_STEPS, "m.h5")


def with_state(inputs=("x", "h"), timed=True):
    """An RNN that begins with a state: an input of its own, or a Dense of one."""
    rnn = read("SimpleRNN", [random(C, 4), random(4, 4), random(4)], units=4, activation="tanh")
    return Network([Input("x", (None, C)), Input("h", (4,), timed=False, state_of="odd")],
                   [Node(rnn, (0, 1), (2,))], [("output", 2)])


def test_the_step_form():
    assert possible.why_not(PLAIN, "step", None) is None
    assert possible.why_not(with_state(), "step", None) is None
    shared = with_state()._replace(inputs=[Input("x", (None, C)), Input("h", (4,), timed=False)])
    assert "layer 'odd' begins with a state that is computed, or read by others too" in (
        possible.why_not(shared, "step", None))
    assert "layer 'odd' is Bidirectional, which needs" in possible.why_not(path(both()), "step", None)
    repeated = path(read("RepeatVector", n=T), lstm(inputs=4), shape=(4,))
    assert "layer 'odd' is RepeatVector, which needs" in possible.why_not(repeated, "step", None)
    untimed = Network([Input("x", (C,), timed=False)], [Node(dense(C), (0,), (1,))], [("output", 1)])
    assert possible.why_not(untimed, "step", None, "m") == (
        "m: no step form: no input is a sequence; use the window form")


@pytest.mark.parametrize("network, said", [
    (path(gru()), "layer 'odd' is GRU, and the fused op is an LSTM; use the window or the step form"),
    (path(both(recurrent_activation="hard_sigmoid")), "layer 'odd' has hard_sigmoid gates, and the fused "
     "op has sigmoid gates; use the window form, or train with recurrent_activation='sigmoid'"),
    (path(read("Masking", mask_value=0), lstm()), "goes along a masked sequence, and the fused op has no m"),
    (path(lstm(return_state=True)), "takes or gives a state, which the fused op keeps to itself"),
    (path(dense(C)), "no fused form: no LSTM in this model; use the window form")])
def test_why_there_is_no_fused_form(network, said):
    with pytest.raises(UserError, match="m.h5: no fused form: .*" + said.replace("no fused form: ", "")):
        possible.check_fused(network, "m.h5")


def test_the_activations_of_the_fused_ops():
    network = path(lstm(**SEQ), both(recurrent_activation="sigmoid"))
    assert possible.fused_activations(network) == ["tanh", "tanh", "tanh"]
    assert possible.why_not(PLAIN, "fused", T) is None and possible.why_not(PLAIN, "none", T) is None


def test_what_a_person_reads():
    lines = possible.explained(OPEN, 9, "m.h5")
    assert lines[0] == "m.h5" and lines[2:4] == ["inputs", "  input                float32 (?, 3), sequence"]
    assert lines[5].split()[:6] == ["odd", "LSTM", "(9,", "3)", "->", "(4)"]
    assert "units=4" in lines[5] and "return_sequences" not in lines[5]
    assert lines[-6:] == ["forms"] + [
        "  %-8s yes" % form for form in ("window", "loop", "step", "chunk", "fused")]
    assert "say how long a window is" in possible.verdict(OPEN, "window", None, "m.h5")
    assert possible.verdict(OPEN, "step", None, "m.h5") == "yes"


def test_the_state_of_a_layer_is_told_from_a_sequence():
    assert "  h                    float32 (4), state of layer 'odd'" in possible.explained(with_state(), 5)
