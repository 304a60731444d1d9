"""Graphs of a few operators, made by hand and run as they are."""
import numpy as np

from kit.runtime import flatbuffer
from kit.tflite.int8.graph import Graph

OPTIONS = {"FULLY_CONNECTED": 8, "PAD": 22, "LEAKY_RELU": 75}


def graph_of(*shape):
    """An empty Graph with the input x of this shape, at place 0."""
    graph = Graph({"version": 3, "operator_codes": [], "buffers": [{}],
                   "subgraphs": [{"tensors": [], "operators": [], "inputs": [0], "outputs": []}]})
    graph.add_tensor("x", shape)
    return graph


def put(graph, kind, inputs, shape, **options):
    """Add an operator whose inputs are places or constants; its output's place, now the graph's."""
    out = graph.add_tensor(kind.lower(), shape)
    places = [item if isinstance(item, int) else graph.add_tensor(
        "c", item.shape, flatbuffer.INT32 if item.dtype == np.int32 else flatbuffer.FLOAT32, item)
        for item in inputs]
    operator = {"opcode_index": graph.opcode(kind, 1), "inputs": np.array(places, np.int32),
                "outputs": np.array([out], np.int32)}
    known = dict({"MUL": 21}, **OPTIONS)
    if kind in known:
        operator.update(options_type=known[kind], options=options)
    graph.operators.append(operator)
    graph.body["outputs"] = np.array([out], np.int32)
    return out


def computed(graph, x):
    """What the graph makes of x."""
    from tflite_runtime.interpreter import Interpreter

    body = dict(graph.body, inputs=np.array([0], np.int32))
    run = Interpreter(model_content=flatbuffer.write(dict(graph.model, subgraphs=[body])))
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], x)
    run.invoke()
    return run.get_tensor(run.get_output_details()[0]["index"])
