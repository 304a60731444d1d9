"""Which operators stay float, and what a file with some of them computes."""
import numpy as np
import pytest

from float_graphs import computed, graph_of, put
from kit.runtime.flatbuffer import FLOAT32
from kit.tflite.int8.emit import emit
from kit.tflite.int8.fallback import float_places, inside
from kit.tflite.int8.schemes import INT8_SCHEME, INT16X8_SCHEME

KERNELS = ("FULLY_CONNECTED", "MUL", "TANH", "CONCATENATION")
WIDTH = 4
X = np.linspace(-2, 2, WIDTH, dtype=np.float32)[None]
EYE, ZEROS = np.eye(WIDTH, dtype=np.float32), np.zeros(WIDTH, np.float32)


def activation():
    """x -> product -> z tanh(exp z), of which a product reads: (graph, places by name)."""
    graph = graph_of(1, WIDTH)
    z = put(graph, "FULLY_CONNECTED", [0, EYE, ZEROS], X.shape)
    exp = put(graph, "EXP", [z], X.shape)
    tanh = put(graph, "TANH", [exp], X.shape)
    value = put(graph, "MUL", [z, tanh], X.shape)
    put(graph, "FULLY_CONNECTED", [value, EYE, ZEROS], X.shape)
    return graph, {"z": z, "exp": exp, "tanh": tanh, "value": value}


def test_all_that_is_computed_of_one_tensor_stays_float_where_one_operator_must():
    graph, places = activation()
    floats = float_places(graph, {}, KERNELS)
    assert floats == {places[name] for name in ("exp", "tanh", "value")}
    assert inside(graph, floats) == {places["exp"], places["tanh"]}
    assert not float_places(graph, {}, KERNELS + ("EXP",))


def test_an_operator_of_two_tensors_stays_float_alone():
    graph = graph_of(1, WIDTH)
    a, b = (put(graph, "FULLY_CONNECTED", [0, EYE, ZEROS], X.shape) for _ in range(2))
    most = put(graph, "MAXIMUM", [a, b], X.shape)
    put(graph, "MUL", [most, a], X.shape)
    assert float_places(graph, {}, KERNELS) == {most}


def test_a_number_that_stands_for_infinity_stays_float():
    graph = graph_of(1, WIDTH)
    a = put(graph, "MUL", [0, np.full(WIDTH, 1e9, np.float32)], X.shape)
    b = put(graph, "TANH", [a], X.shape)
    assert float_places(graph, {a: np.full((1, WIDTH), 1e9)}, KERNELS) == {a, b}


@pytest.mark.parametrize("scheme, near", [(INT8_SCHEME, 0.06), (INT16X8_SCHEME, 0.01)])
def test_the_file_computes_between_dequantize_and_quantize(scheme, near):
    graph, places = activation()
    floats = float_places(graph, {}, KERNELS)
    wanted = X * np.tanh(np.exp(X))
    step = 4 / (2 * scheme.limit)
    ends = {place: (step, 0) for place in (0, places["z"], places["value"], int(graph.body["outputs"][0]))}
    observed = dict.fromkeys(ends, X)
    emit(graph, observed, ends, scheme, floats=floats)
    assert [graph.op_name(operator) for operator in graph.body["operators"]] == [
        "FULLY_CONNECTED", "DEQUANTIZE", "EXP", "TANH", "MUL", "QUANTIZE", "FULLY_CONNECTED"]
    assert {graph.tensors[place].get("type", 0) for place in inside(graph, floats)} <= {FLOAT32}
    steps = np.rint(X / np.float32(step)).astype({"int8": np.int8, "int16x8": np.int16}[scheme.name])
    assert computed(graph, steps) * step == pytest.approx(wanted, abs=near)
