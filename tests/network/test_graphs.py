"""The graph of each form: its ends by name, its steps, and one computation in all forms."""
import pytest

from kit.base.cli import UserError
from kit.network.description import Input, Network, Node, path_of
from layer_graphs import C, SEQ, T, dense, lstm, random, read

pytestmark = pytest.mark.slow


@pytest.fixture
def graphs():
    from kit.network import graphs

    return graphs


def ends_of(ends):
    return [(end.name, end.shape, end.dtype, end.state_of) for end in ends]


STACK = [lstm(**SEQ), lstm(inputs=4), dense(4)]


def named(layers, *names):
    return [layer._replace(name=name) for layer, name in zip(layers, names)]


def test_the_only_input_is_named_after_the_form(graphs):
    network = path_of(STACK, (None, C))
    _, inputs, outputs = graphs.window_graph(network, T)
    assert ends_of(inputs) == [("window", (T, C), "float32", None)]
    assert ends_of(outputs) == [("output", (2,), "float32", None)]
    _, inputs, _ = graphs.fused_graph(network, T)
    assert inputs[0].name == "sequence"


def test_states_are_counted_by_layer_and_return_as_the_next(graphs):
    network = path_of(named(STACK, "one", "two", "dense"), (None, C))
    _, inputs, outputs = graphs.step_graph(network)
    assert [(end.name, end.shape, end.state_of) for end in inputs] == [
        ("sample", (C,), None), ("state_0_h", (4,), "one"), ("state_0_c", (4,), "one"),
        ("state_1_h", (4,), "two"), ("state_1_c", (4,), "two")]
    assert [end.name for end in outputs] == [
        "output", "next_state_0_h", "next_state_0_c", "next_state_1_h", "next_state_1_c"]


def with_states():
    """An RNN whose first state is an input of the model and whose last one an output."""
    rnn = read("SimpleRNN", [random(C, 4), random(4, 4), random(4)], units=4, activation="tanh",
               return_state=True)
    return Network([Input("x", (None, C)), Input("my h", (4,), timed=False, state_of="odd")],
                   [Node(rnn, (0, 1), (2, 3))], [("y", 2), ("last", 3)])


def test_states_that_the_model_takes_keep_their_names_and_what_it_gives_is_the_next(graphs):
    _, inputs, outputs = graphs.step_graph(with_states())
    assert [(end.name, end.state_of) for end in inputs] == [("sample", None), ("my_h", "odd")]
    assert [end.name for end in outputs] == ["output", "next_my_h"]


def test_several_inputs_and_outputs_keep_their_names(graphs):
    add = read("Add")
    network = Network([Input("a b", (C,)), Input("c.d", (C,))], [Node(add, (0, 1), (2,))],
                      [("sum", 2), ("again", 2)])
    _, inputs, outputs = graphs.window_graph(network, None)
    assert [end.name for end in inputs] == ["a_b", "c.d"]
    assert [end.name for end in outputs] == ["sum", "again"]


def test_every_step_has_its_number_in_its_tensors_names(graphs):
    from kit.network.roles import noted

    graph, _, _ = graphs.window_graph(path_of(named(STACK, "one", "two", "dense"), (None, C)), T)
    names = {node.name for node in graph.as_graph_def().node}
    assert all("%s/t%04d/c" % (layer, t) in names for layer in ("one", "two") for t in range(T))
    first, second = noted(graph)
    assert first["scopes"] == ["one/t%04d/" % t for t in range(T)]
    assert {"joined", "doubled", "candidate", "state", "first_state"} <= set(first)
    assert all(first["scopes"][1] + first[role] in names for role in ("candidate", "state"))


def test_a_fused_graph_has_an_op_for_each_lstm_with_its_weights_as_constants(graphs):
    definition, _, _ = graphs.fused_graph(path_of(STACK, (None, C)), T)
    nodes = {node.name: node for node in definition.node}
    fused = [node for node in definition.node if node.op == "UnidirectionalSequenceLstm"]
    assert len(fused) == 2 and all(len(node.input) == 15 for node in fused)
    assert fused[1].input[0] == fused[0].name + ":2", "the sequence is the third output"
    assert all(nodes[name].op == "Const" for name in fused[0].input[1:])
    assert list(fused[0].attr["_tflite_input_indices"].list.i) == [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19]


def test_what_a_form_cannot_hold_is_named(graphs):
    backwards = path_of([lstm(go_backwards=True)], (None, C))
    with pytest.raises(UserError, match="m.h5: no step form: layer 'odd' is go_backwards"):
        graphs.step_graph(backwards, "m.h5")
    gates = lstm()
    gates.options["recurrent_activation"] = "hard_sigmoid"
    with pytest.raises(UserError, match="m.h5: no fused form: layer 'odd' has hard_sigmoid gates"):
        graphs.fused_graph(path_of([gates], (None, C)), T, "m.h5")
