"""PAD as CONCATENATION."""
import numpy as np
import pytest

from float_graphs import computed, graph_of, put
from kit.tflite.int8.padding import join_zeros


@pytest.mark.parametrize("sides", [
    [[0, 0], [2, 0], [0, 0]], [[0, 0], [1, 1], [0, 0]], [[0, 0], [0, 3], [1, 0]]])
def test_zeros_are_joined_where_they_were_put(sides):
    x = np.random.Generator(np.random.PCG64(1)).normal(size=(1, 4, 3)).astype(np.float32)
    graph, sides = graph_of(*x.shape), np.array(sides, np.int32)
    put(graph, "PAD", [0, sides], tuple(np.array(x.shape) + sides.sum(1)))
    join_zeros(graph)
    assert {graph.op_name(operator) for operator in graph.operators} == {"CONCATENATION"}
    assert (computed(graph, x) == np.pad(x, sides, "constant")).all()
