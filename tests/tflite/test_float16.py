"""Weights in float16: the file computes what float32 weights of the same values do, to the bit."""
import numpy as np
import pytest

import step_models
from keras_models import walk
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT16
from kit.runtime.interpreter import Model
from kit.tflite.float16 import LARGEST, halved
from kit.tflite.int8.graph import Graph

KINDS = ["lstm", "gru", "rnn"]


def weights_of(model):
    """Places of the matrices of products."""
    graph = Graph(model)
    return sorted({int(operator["inputs"][1]) for operator in graph.operators
                   if graph.op_name(operator) == "FULLY_CONNECTED"})


def changed(data, change):
    """The file with `change` of each matrix."""
    model = flatbuffer.read(data)
    tensors = model["subgraphs"][0]["tensors"]
    for place in weights_of(model):
        buffer = model["buffers"][tensors[place]["buffer"]]
        buffer["data"] = change(buffer["data"].view(np.float32)).astype(np.float32).view(np.uint8)
    return flatbuffer.write(model)


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_with_rounded_weights(kind):
    data = step_models.MODELS[kind]("float32")
    samples = walk(60, Model(data, "tflite_runtime").input_shape[-1])
    expected = Model(changed(data, lambda values: values.astype(np.float16)), "tflite_runtime")
    found = Model(flatbuffer.write(halved(flatbuffer.read(data))), "tflite_runtime")
    np.testing.assert_array_equal(found.stream(samples), expected.stream(samples))


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_alone_are_halved_and_unpacked_once(kind):
    model = flatbuffer.read(step_models.MODELS[kind]("float32"))
    whole = weights_of(model)
    sizes = [int(np.prod(model["subgraphs"][0]["tensors"][place]["shape"])) for place in whole]
    graph = Graph(halved(model))
    packed = [tensor for tensor in graph.tensors if tensor.get("type", 0) == FLOAT16]
    assert [len(model["buffers"][tensor["buffer"]]["data"]) for tensor in packed] == [
        2 * size for size in sizes]
    unpacking = [operator for operator in graph.operators if graph.op_name(operator) == "DEQUANTIZE"]
    assert len(unpacking) == len(whole) and graph.operators[:len(whole)] == unpacking
    biases = {int(operator["inputs"][2]) for operator in graph.operators
              if graph.op_name(operator) == "FULLY_CONNECTED"}
    assert all(graph.constant(place).dtype == np.float32 for place in biases)


def test_a_matrix_that_two_products_share_is_unpacked_once():
    b = step_models.Builder("float32", 0)
    x, h = b.vector(3, 0, name="sample"), b.vector(3, 0, name="state_0_h")
    weights, bias = b.constant(np.eye(3), 1), b.constant(np.zeros(3), 1)
    y, after = (b.op("FULLY_CONNECTED", [source, weights, bias], b.vector(3, 0, name=name), activation=0)
                for source, name in ((x, "output"), (h, "next_state_0_h")))
    graph = Graph(halved(flatbuffer.read(b.save([x, h], [y, after]))))
    assert [graph.op_name(operator) for operator in graph.operators] == [
        "DEQUANTIZE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    assert len({int(operator["inputs"][1]) for operator in graph.operators[1:]}) == 1


def test_a_matrix_that_float16_cannot_hold_stays_float32():
    data = step_models.lstm("float32")
    first = weights_of(flatbuffer.read(data))[0]
    model = flatbuffer.read(data)
    buffer = model["buffers"][model["subgraphs"][0]["tensors"][first]["buffer"]]
    values = buffer["data"].view(np.float32).copy()
    values[0] = np.nextafter(np.float32(LARGEST), np.float32(np.inf))
    buffer["data"] = values.view(np.uint8)
    graph = Graph(halved(model))
    unpacked = [graph.op_name(operator) for operator in graph.operators].count("DEQUANTIZE")
    assert unpacked == len(weights_of(flatbuffer.read(data))) - 1
