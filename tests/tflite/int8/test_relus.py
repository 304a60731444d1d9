"""RELU, RELU6 and LEAKY_RELU in operators that have integers: the file computes the same."""
import numpy as np
import pytest

import step_models
from float_graphs import computed, graph_of, put
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.tflite.int8.graph import Graph
from kit.tflite.int8.relus import fuse_relus


def file_of(kind):
    """y = kind(x); the state stays what it is."""
    b = step_models.Builder("float32", 0)
    x, h = b.vector(4, 0, name="sample"), b.vector(4, 0, name="state_0_h")
    y = b.op(kind, [x], b.vector(4, 0, name="output"))
    return b.save([x, h], [y, b.op("TANH", [h], b.vector(4, 0, name="next_state_0_h"))])


@pytest.mark.parametrize("kind, formula", [("RELU", lambda x: np.maximum(x, 0)),
                                           ("RELU6", lambda x: np.clip(x, 0, 6))])
def test_they_compute_the_same_in_an_operator_that_has_integers(kind, formula):
    model = flatbuffer.read(file_of(kind))
    graph = Graph(model)
    fuse_relus(graph)
    assert [graph.op_name(operator) for operator in graph.operators] == ["ADD", "TANH"]
    x = np.float32([[-9, -0.5, 2, 7.5]])
    found = Model(flatbuffer.write(model), "tflite_runtime").stream(x)
    np.testing.assert_array_equal(found, formula(x))


def test_leaky_relu_is_what_both_sides_are():
    graph = graph_of(1, 4)
    put(graph, "LEAKY_RELU", [0], (1, 4), alpha=0.25)
    fuse_relus(graph)
    assert [graph.op_name(operator) for operator in graph.operators] == ["ADD", "MUL", "SUB"]
    x = np.float32([[-9, -0.5, 2, 7.5]])
    np.testing.assert_array_equal(computed(graph, x), np.where(x > 0, x, x / 4))
