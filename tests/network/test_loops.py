"""A network as pieces that are loops: where it is cut, and what each piece is."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.description import Input, Network, Node, path_of
from kit.network.loops import pieces
from layer_graphs import C, SEQ, T, both, dense, lstm, read

REPEAT = read("RepeatVector", n=T)


def cut(*layers, shape=(T, C)):
    """[(kinds of layers of each network, backwards, sequence, merge, repeat, flat), ...]."""
    return [([[layer.class_name for layer in network.layers] for network in piece.networks],) + piece[1:6]
            for piece in pieces(path_of(layers, shape), T)]


def test_what_has_a_step_form_is_one_piece():
    assert cut(lstm(), dense(4)) == [([["LSTM", "Dense"]], (False,), False, None, None, False)]
    assert cut(lstm(**SEQ), dense(4)) == [([["LSTM", "Dense"]], (False,), True, None, None, False)]


def test_two_directions_are_two_loops_side_by_side():
    assert cut(both(**SEQ), lstm(inputs=8), dense(4)) == [
        ([["LSTM"], ["LSTM"]], (False, True), True, "concat", None, False),
        ([["LSTM", "Dense"]], (False,), False, None, None, False)]
    forward, backward = pieces(path_of([both()], (T, C)), T)[0].networks
    assert not forward.layers[0].options["go_backwards"] and not backward.layers[0].options[
        "go_backwards"], "the loop itself turns round"
    assert forward.inputs[0].shape == (None, C)


def test_a_layer_that_runs_from_the_end_begins_a_loop():
    assert cut(dense(C, C), lstm(go_backwards=True), dense(4)) == [
        ([["Dense"]], (False,), True, None, None, False),
        ([["LSTM", "Dense"]], (True,), False, None, None, False)]


def test_an_autoencoder_takes_the_same_vector_at_every_step():
    assert cut(lstm(), REPEAT, lstm(inputs=4, **SEQ), dense(4, C)) == [
        ([["LSTM"]], (False,), False, None, None, False),
        ([["LSTM", "Dense"]], (False,), True, None, T, False)]


def test_a_flatten_over_the_steps_makes_one_vector():
    found = cut(lstm(**SEQ), read("Flatten"), dense(4 * T))
    assert found == [([["LSTM"]], (False,), True, None, None, False),
                     ([["Dense"]], (False,), False, None, None, True)]
    assert cut(lstm(**SEQ), read("Flatten"))[1] == ([], (), False, None, None, True)
    last = pieces(path_of([lstm(**SEQ), read("Flatten"), dense(4 * T)], (T, C)), T)[-1]
    assert last.networks[0].inputs[0].shape == (4 * T,)


def shown(network):
    """[(kinds of layers, what each piece takes, whether whole sequences), ...]."""
    return [(["+".join(layer.class_name for layer in part.layers) for part in piece.networks],
             piece.sources, piece.whole) for piece in pieces(network, T)]


def test_in_a_graph_each_recurrent_layer_is_a_loop_and_the_rest_takes_whole_sequences():
    """A skip round two directions, then attention of the sum by what came in, and its last step."""
    nodes = [Node(dense(C, 8), (0,), (1,)), Node(both(**SEQ), (1,), (2,)),
             Node(read("Add"), (1, 2), (3,)), Node(read("Attention"), (3, 1), (4,)),
             Node(lstm(inputs=8), (4,), (5,))]
    network = Network([Input("x", (T, C))], nodes, [("output", 5)])
    assert shown(network) == [
        (["Dense"], (0,), True), (["LSTM", "LSTM"], (1,), False),
        (["Add+Attention"], (1, 2), True), (["LSTM"], (3,), False)]
    add = pieces(network, T)[2].networks[0]
    assert [item.shape for item in add.inputs] == [(T, 8)] * 2 and not add.inputs[0].timed
    assert [node.inputs for node in add.nodes] == [(0, 1), (2, 0)]


def test_a_path_with_a_layer_that_takes_whole_sequences_is_such_a_graph():
    assert shown(path_of([both(**SEQ), read("GlobalMaxPooling1D")], (T, C))) == [
        (["LSTM", "LSTM"], (0,), False), (["GlobalMaxPooling1D"], (1,), True)]


@pytest.mark.parametrize("nodes, said", [
    ([Node(both(None), (0,), (1, 2)), Node(dense(4), (1,), (3,))],
     "layer 'odd' is Bidirectional, and what goes in or comes out of it is no single sequence"),
    ([Node(read("Masking", mask_value=0), (0,), (1,)), Node(both(**SEQ), (1,), (2,)),
      Node(read("GlobalAveragePooling1D"), (2,), (3,))], "layer 'odd' needs the mask of a loop"),
])
def test_what_is_in_the_way_is_named(nodes, said):
    network = Network([Input("x", (T, C))], nodes, [("output", 3)])
    with pytest.raises(UserError, match="m.h5: no loop form: " + said):
        pieces(network, T, "m.h5")


def test_a_loop_has_one_input_of_vectors_or_words_and_one_output():
    one = path_of([lstm()], (T, C))
    two = one._replace(outputs=one.outputs * 2)
    with pytest.raises(UserError, match="the model has 1 inputs and 2 outputs, and a loop has one"):
        pieces(two, T)
    words = path_of([read("Embedding", [np.ones((5, C))], input_dim=5, output_dim=C), lstm()], (T,))
    assert [len(piece.networks) for piece in pieces(words, T)] == [1]
