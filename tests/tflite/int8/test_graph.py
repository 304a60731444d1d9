"""The look-ups that a rewrite needs, on a step file written by hand."""
import numpy as np
import pytest

import step_models
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import INT8
from kit.tflite.int8.graph import Graph, described, only_used_codes, replace


@pytest.fixture
def graph():
    return Graph(flatbuffer.read(step_models.lstm("float32", channels=3, units=5)))


def operators(graph, kind):
    return [operator for operator in graph.operators if graph.op_name(operator) == kind]


def test_constants_have_their_values_and_shapes(graph):
    product = operators(graph, "FULLY_CONNECTED")[0]
    source, weights, bias = map(int, product["inputs"])
    assert graph.constant(source) is None
    assert graph.constant(weights).shape == (20, 8) and graph.constant(bias).dtype == np.float32
    axis = int(operators(graph, "SPLIT")[0]["inputs"][0])
    assert graph.constant(axis).tolist() == 1 and graph.constant(axis).dtype == np.int32


def test_who_reads_and_who_writes(graph):
    state = graph.place("state_0_h")
    assert [graph.op_name(operator) for operator in graph.consumers()[state]] == ["CONCATENATION"]
    after = graph.place("next_state_0_c")
    assert graph.op_name(graph.producers()[after]) == "ADD"
    assert {graph.op_name(operator) for operator in graph.consumers()[after]} == {"MUL"}
    assert state not in graph.producers()


def test_the_first_name_that_the_converter_kept(graph):
    assert graph.place("lost", "output") == graph.places["output"]
    with pytest.raises(UserError, match="the converter lost the tensor lost"):
        graph.place("lost", "gone")


def test_roles_are_the_recurrence_and_the_name_within_a_step(graph):
    for place, name in enumerate(["a/t0000/c", "a/t0001/c", "b/t0000/x/c", "a/c", "t0000/c"]):
        graph.tensors[place]["name"] = name
    signature = {"steps": [{"scopes": ["a/t0000/", "a/t0001/"]}, {"scopes": ["b/t0000/"]},
                           {"scopes": [""]}]}
    assert graph.roles(signature) == {0: (0, "c"), 1: (0, "c"), 2: (1, "x/c")}


def test_what_is_moved(graph):
    split, = operators(graph, "SPLIT")
    assert graph.op_name(graph.producers()[graph.moved(split)]) == "LOGISTIC", "the second input"


def test_a_new_tensor_and_a_new_operator(graph):
    count, codes = len(graph.tensors), len(graph.model["operator_codes"])
    place = graph.add_tensor("new", (2,), INT8, np.int8([-1, 2]), (0.5, -3))
    assert place == count
    tensor = graph.tensors[place]
    assert graph.model["buffers"][tensor["buffer"]]["data"].tolist() == [255, 2]
    assert tensor["quantization"]["scale"].tolist() == [0.5]
    assert tensor["quantization"]["zero_point"].tolist() == [-3]
    assert described((0.5, -3))["zero_point"].dtype == np.int64
    known = graph.operator("MUL", [0, 1], place)
    assert graph.op_name(known) == "MUL" and len(graph.model["operator_codes"]) == codes
    assert all(operator is not known for operator in graph.operators)
    assert graph.opcode("MUL", 4) == codes and graph.opcode("MUL", 4) == codes


def test_an_operator_reads_another_tensor(graph):
    operator = {"inputs": np.array([3, 7, 3], np.int32)}
    replace(operator, 3, 9)
    assert operator["inputs"].tolist() == [9, 7, 9] and operator["inputs"].dtype == np.int32


def test_codes_that_no_operator_has_are_dropped(graph):
    kinds = [graph.op_name(operator) for operator in graph.operators]
    before = len(graph.model["operator_codes"])
    graph.operators[:] = [operator for operator in graph.operators if graph.op_name(operator) != "TANH"]
    only_used_codes(graph.model)
    assert len(graph.model["operator_codes"]) == before - 1
    assert [graph.op_name(operator) for operator in graph.operators] == [
        kind for kind in kinds if kind != "TANH"]
