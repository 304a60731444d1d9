"""What is written for a product."""
import numpy as np
import pytest

from kit.runtime.flatbuffer import FLOAT32
from kit.tflite.int8.emit import emit
from kit.tflite.int8.graph import Graph
from kit.tflite.int8.schemes import INT8_SCHEME

FULLY_CONNECTED = 9


def product(weights, bias):
    """A Graph of one FULLY_CONNECTED: x (1, in) -> y (1, out)."""
    graph = Graph({"operator_codes": [{"builtin_code": FULLY_CONNECTED}], "buffers": [{}],
                   "subgraphs": [{"tensors": [], "operators": []}]})
    places = [graph.add_tensor("x", (1, weights.shape[1])),
              graph.add_tensor("w", weights.shape, FLOAT32, weights),
              graph.add_tensor("b", bias.shape, FLOAT32, bias),
              graph.add_tensor("y", (1, len(weights)))]
    graph.operators.append({"inputs": np.array(places[:3], np.int32),
                            "outputs": np.array(places[3:], np.int32)})
    return graph


def values(graph, place):
    """The steps of an integer constant, and its scale."""
    tensor = graph.tensors[place]
    raw = graph.model["buffers"][tensor["buffer"]]["data"]
    steps = raw.view({9: np.int8, 2: np.int32}[tensor["type"]]).reshape(tensor["shape"])
    return steps * float(tensor["quantization"]["scale"][0])


def test_bias_takes_up_what_saturated_inputs_lose_in_the_mean():
    """Inputs beyond the range are cut; the mean of the product is that of the float one."""
    rng = np.random.Generator(np.random.PCG64(6))
    weights = rng.normal(size=(3, 4)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    rows = rng.exponential(size=(5000, 4)).astype(np.float32)
    graph = product(weights, bias)
    emit(graph, {0: rows}, {0: (2 / 127, 0), 3: (0.1, 0)}, INT8_SCHEME)
    _, rounded, new_bias = (int(place) for place in graph.body["operators"][0]["inputs"])
    seen = np.clip(rows, 0, 2)
    found = seen.mean(0) @ values(graph, rounded).T + values(graph, new_bias)
    assert found == pytest.approx((rows @ weights.T).mean(0) + bias, abs=0.005)
