"""Layer normalisation as L2_NORMALIZATION, which has an int8 kernel where RSQRT has none."""
import numpy as np

from kit.runtime.flatbuffer import INT32


def norm_vectors(graph):
    """a / sqrt(mean(a a) + e) as sqrt(C) times the unit vector of (a, sqrt(C e)), without its end.

    That has the length sqrt(C) sqrt(mean(a a) + e), so both are the same. The mean is a product
    with a matrix of 1 / C whose bias is e, and a is a product too, which can make one number more
    (kit.network.layers.normalisation).
    """
    producers = graph.producers()
    for operator in list(graph.operators):
        variance = _variance(graph, producers, operator)
        if variance is not None:
            place = next(k for k, other in enumerate(graph.operators) if other is operator)
            graph.operators[place:place + 1] = _unit_vector(graph, producers, operator, variance)
    graph.drop_unread()


def _variance(graph, producers, operator):
    """The product that a MUL takes RSQRT of, where it is another product times that; None otherwise."""
    if graph.op_name(operator) != "MUL":
        return None
    apart, root = (producers.get(int(place)) for place in operator["inputs"])
    if apart is None or root is None or graph.op_name(root) != "RSQRT":
        return None
    variance = producers[int(root["inputs"][0])]
    products = [graph.op_name(one) == "FULLY_CONNECTED" and len(one["inputs"]) == 3
                for one in (apart, variance)]
    return variance if all(products) else None


def _unit_vector(graph, producers, operator, variance):
    """The operators that make a MUL's output anew; its first input is a product."""
    apart, (out,) = producers[int(operator["inputs"][0])], map(int, operator["outputs"])
    source, weights, bias = map(int, apart["inputs"])
    name, (rows, width) = graph.tensors[out]["name"], graph.tensors[out]["shape"]
    end = np.sqrt(width * graph.constant(int(variance["inputs"][2]))[:1])  # by the bias alone
    longer = [np.pad(graph.constant(weights), [[0, 1], [0, 0]], "constant"),
              np.append(graph.constant(bias), end).astype(np.float32)]
    longer = [graph.add_tensor(name + "_longer", values.shape, values=values) for values in longer]
    long, unit = (graph.add_tensor(name + part, (rows, width + 1)) for part in ("_long", "_unit"))
    cut = graph.add_tensor(name + "_cut", (rows, width))
    begin, size = (graph.add_tensor(name + part, (2,), INT32, np.array(values, np.int32))
                   for part, values in (("_begin", (0, 0)), ("_size", (-1, width))))
    length = graph.add_tensor(name + "_length", (), values=np.float32(np.sqrt(width)))
    return [dict(apart, inputs=np.array([source] + longer, np.int32),
                 outputs=np.array([long], np.int32)),
            graph.operator("L2_NORMALIZATION", [long], unit),
            graph.operator("SLICE", [unit, begin, size], cut),
            graph.operator("MUL", [cut, length], out)]
