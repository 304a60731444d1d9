"""What is joined with a state is brought to its range, and the float file computes the same."""
import numpy as np
import pytest

import step_models
from keras_models import walk
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import INT32
from kit.runtime.interpreter import Model
from kit.tflite.int8.balance import balance, joined_with_states, products
from kit.tflite.int8.graph import Graph
from kit.tflite.int8.schemes import INT8_SCHEME

ENDS = {"inputs": [{"name": "sample"}, {"name": "state_0_h", "role": "state"}],
        "outputs": [{"name": "output"}, {"name": "next_state_0_h", "role": "state"}]}


def rnn_of(directly=True):
    """(Graph, signature) of a SimpleRNN whose sample enters directly, or as part of a RESHAPE."""
    b = step_models.Builder("float32", 3)
    x, h = b.vector(3, 0, name="sample"), b.vector(4, 0, name="state_0_h")
    part = x if directly else b.op("RESHAPE", [x, b.tensor([2], dtype="int32", data=np.int32([1, 3]))],
                                   b.vector(3, 0))
    joined = b.op("CONCATENATION", [part, h], b.vector(7, 0, name="joined"), axis=1)
    after = b.op("TANH", [b.product(joined, 4, b.vector(4, 0))], b.vector(4, 0, name="next_state_0_h"))
    y = b.product(after, 2, b.vector(2, 0, name="output"))
    model = flatbuffer.read(b.save([x, h], [y, after]))
    return Graph(model), dict(ENDS, steps=[{"scopes": [""], "joined": ["joined"]}])


def seen(graph, sample, state):
    """What calibration saw: ranges of the sample and of the state."""
    return {place: np.float32([[top, -top / 2]]) for place, top in (
        (graph.place("sample"), sample), (graph.place("state_0_h"), state),
        (graph.place("next_state_0_h"), state))}


def stream(graph):
    return Model(flatbuffer.write(graph.model), "tflite_runtime").stream(walk(50, 3))


@pytest.mark.parametrize("directly", [True, False])
def test_a_sample_of_another_range_is_multiplied_and_the_weights_undo_it(directly):
    graph, signature = rnn_of(directly)
    before, count = stream(graph), len(graph.operators)
    observed = seen(graph, 8.0, 0.5)
    observed[int(joined_with_states(graph, signature)[0][0])] = observed[graph.place("sample")]
    balance(graph, observed, signature, INT8_SCHEME)
    assert len(graph.operators) == count + 1 and graph.op_name(graph.operators[0]) == "MUL"
    factor = graph.constant(int(graph.operators[0]["inputs"][1]))
    assert float(factor) == pytest.approx(0.5 / 8)
    np.testing.assert_allclose(stream(graph), before, atol=1e-6)


@pytest.mark.parametrize("twice", [True, False], ids=["itself twice", "two parts of it"])
def test_a_product_that_reads_several_parts_of_a_sample_is_undone_in_all_of_them(twice):
    """As in a convolution beside the recurrent layer."""
    graph, signature = rnn_of()
    sample, y = graph.place("sample"), int(graph.body["outputs"][0])
    parts = [sample] * 2
    if not twice:
        parts = [graph.add_tensor("part", (1, 2)) for _ in range(2)]
        begins = [graph.add_tensor("begin", (2,), INT32, np.int32([0, k])) for k in range(2)]
        size = graph.add_tensor("size", (2,), INT32, np.int32([1, 2]))
        graph.operators += [graph.operator("SLICE", [sample, begin, size], part)
                            for begin, part in zip(begins, parts)]
    width = 6 if twice else 4
    joined, found = graph.add_tensor("both", (1, width)), graph.add_tensor("found", (1, 2))
    total = graph.add_tensor("total", (1, 2))
    kernel = np.arange(2 * width, dtype=np.float32).reshape(2, width)
    weights, bias = (graph.add_tensor("w", values.shape, values=values)
                     for values in (kernel, np.zeros(2, np.float32)))
    product = next(one for one in graph.operators if graph.op_name(one) == "FULLY_CONNECTED")
    graph.operators += [graph.operator("CONCATENATION", parts, joined, axis=1),
                        dict(product, inputs=np.int32([joined, weights, bias]),
                             outputs=np.int32([found])),
                        graph.operator("ADD", [y, found], total)]
    graph.tensors[total]["name"], graph.tensors[y]["name"] = "output", "before"
    graph.body["outputs"] = np.int32([total, graph.body["outputs"][1]])
    before, count = stream(graph), len(graph.operators)
    balance(graph, seen(graph, 8.0, 0.5), signature, INT8_SCHEME)
    assert len(graph.operators) == count + 1
    np.testing.assert_allclose(stream(graph), before, rtol=1e-5, atol=1e-5)


def test_a_sample_of_nearly_the_same_range_stays():
    graph, signature = rnn_of()
    for sample in (0.5 * 0.99 * INT8_SCHEME.same_range, 0.5 / INT8_SCHEME.same_range * 1.01):
        count = len(graph.operators)
        balance(graph, seen(graph, sample, 0.5), signature, INT8_SCHEME)
        assert len(graph.operators) == count


def test_what_something_else_reads_stays():
    """Only products undo a factor; of what an ADD reads none is multiplied."""
    graph, signature = rnn_of()
    other = graph.add_tensor("other", (1, 3))
    graph.operators.append({"opcode_index": graph.opcode("ADD", 1), "options_type": 11, "options": {},
                            "inputs": np.int32([graph.place("sample")] * 2), "outputs": np.int32([other])})
    count = len(graph.operators)
    balance(graph, seen(graph, 8.0, 0.5), signature, INT8_SCHEME)
    assert len(graph.operators) == count


def test_products_that_read_a_part_of_what_is_joined_know_their_columns():
    graph, _ = rnn_of()
    (operator, start, width), = products(graph, graph.consumers(), graph.place("state_0_h"))
    assert (start, width) == (3, 4) and graph.constant(int(operator["inputs"][1])).shape == (4, 7)
    after = graph.place("next_state_0_h")
    assert products(graph, graph.consumers(), after) is None, "an output of the graph"
    graph.body["outputs"] = graph.body["outputs"][:1]
    (operator, start, width), = products(graph, graph.consumers(), after)
    assert (start, width) == (0, 4) and graph.constant(int(operator["inputs"][1])).shape == (2, 4)
    assert products(graph, graph.consumers(), int(graph.operators[1]["outputs"][0])) is None, "tanh"
