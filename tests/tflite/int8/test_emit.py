"""What is written for a product."""
import numpy as np
import pytest

from float_graphs import computed, graph_of, put
from kit.runtime.flatbuffer import FLOAT32, INT8
from kit.tflite.int8.emit import emit
from kit.tflite.int8.graph import Graph
from kit.tflite.int8.schemes import INT8_SCHEME, INT16X8_SCHEME, NUMPY

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


def test_a_layer_that_is_used_twice_takes_up_the_loss_of_each_input_by_itself():
    """Its bias is one for each scale: of inputs that are not cut nothing is lost."""
    weights, bias = np.ones((1, 2), np.float32), np.zeros(1, np.float32)
    small, large = (np.full((5, 2), value, np.float32) for value in (0.5, 2))
    graph = product(weights, bias)
    other = [graph.add_tensor("x2", (1, 2)), graph.add_tensor("y2", (1, 1))]
    graph.operators.append(dict(graph.operators[0], inputs=np.array([other[0], 1, 2], np.int32),
                                outputs=np.array(other[1:], np.int32)))
    scales = {0: (0.5 / 127, 0), 3: (0.1, 0), other[0]: (2 / 127, 0), other[1]: (0.1, 0)}
    emit(graph, {0: small, other[0]: large}, scales, INT8_SCHEME)
    for operator in graph.body["operators"]:
        assert values(graph, int(operator["inputs"][2])) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("scheme", [INT8_SCHEME, INT16X8_SCHEME], ids=lambda scheme: scheme.name)
def test_a_product_of_two_computed_tensors_has_the_second_in_int8_around_zero(scheme):
    """As in attention: x x'."""
    rng = np.random.Generator(np.random.PCG64(6))
    x = rng.uniform(0, 1, (5, 3)).astype(np.float32)
    graph = graph_of(5, 3)
    y = put(graph, "FULLY_CONNECTED", [0, 0], (5, 5))
    step, offset = 1 / scheme.limit, -10 if scheme is INT8_SCHEME else 0
    emit(graph, {0: x, y: x @ x.T}, {0: (step, offset), y: (3 * step, offset)}, scheme)
    moved, product = graph.body["operators"]
    weights = graph.tensors[int(product["inputs"][1])]
    assert (graph.op_name(moved), weights["type"]) == ("QUANTIZE", INT8)
    assert weights["quantization"]["zero_point"] == [0]
    steps = np.rint(x / np.float32(step)) + offset
    found = computed(graph, steps.astype(NUMPY[scheme.type])) - np.float32(offset)
    assert found * 3 * step == pytest.approx(x @ x.T, abs=0.02)
