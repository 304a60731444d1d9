"""Layer normalisation without RSQRT."""
import numpy as np
import pytest

from float_graphs import computed, graph_of, put
from kit.tflite.int8.normalise import norm_vectors

ROWS, WIDTH = 3, 5


@pytest.mark.parametrize("epsilon", [1e-3, 0.5])
def test_a_vector_by_its_length_is_by_the_root_of_its_variance(epsilon):
    x = np.random.Generator(np.random.PCG64(2)).normal(size=(ROWS, WIDTH)).astype(np.float32)
    mean, zeros = np.full((WIDTH, WIDTH), 1 / WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    graph = graph_of(ROWS, WIDTH)
    apart = put(graph, "FULLY_CONNECTED", [0, np.eye(WIDTH, dtype=np.float32) - mean, zeros], x.shape)
    squares = put(graph, "MUL", [apart, apart], x.shape)
    variance = put(graph, "FULLY_CONNECTED", [
        squares, mean, zeros + np.float32(epsilon)], x.shape)
    root = put(graph, "RSQRT", [variance], x.shape)
    put(graph, "MUL", [apart, root], x.shape)
    norm_vectors(graph)
    kinds = [graph.op_name(operator) for operator in graph.operators]
    assert kinds == ["FULLY_CONNECTED", "L2_NORMALIZATION", "SLICE", "MUL"]
    found = computed(graph, x)
    x -= x.mean(1, keepdims=True)
    wanted = x / np.sqrt((x ** 2).mean(1, keepdims=True) + epsilon)
    assert found == pytest.approx(wanted, abs=1e-6)


def test_a_vector_by_a_length_that_is_no_variance_stays_as_it_is():
    """As in Dot with normalize=True."""
    graph = graph_of(1, WIDTH)
    weights = np.eye(WIDTH, dtype=np.float32)
    product = put(graph, "FULLY_CONNECTED", [0, weights, np.zeros(WIDTH, np.float32)], (1, WIDTH))
    root = put(graph, "RSQRT", [put(graph, "SQUARE", [product], (1, WIDTH))], (1, WIDTH))
    put(graph, "MUL", [product, root], (1, WIDTH))
    before = [graph.op_name(operator) for operator in graph.operators]
    norm_vectors(graph)
    assert [graph.op_name(operator) for operator in graph.operators] == before
