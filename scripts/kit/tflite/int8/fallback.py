"""Float fallback: an operator that has no integer kernel stays float, between DEQUANTIZE and QUANTIZE.

An activation such as gelu is a dozen operators on one tensor, value by value, and some of them do
have integer kernels. Rounding between them would lose what the polynomial computes: so all that is
computed of one tensor alone stays float where one of its operators must.
"""
import numpy as np

# Operators that take a tensor value by value, or row by row, beside constants.
OF_ONE = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARE", "ABS", "NEG", "EXP", "LOG",
          "SQRT", "RSQRT", "ELU", "LEAKY_RELU", "TANH", "LOGISTIC", "GREATER", "GREATER_EQUAL",
          "SELECT", "ZEROS_LIKE", "SOFTMAX", "RESHAPE")
BEYOND = 1e8  # a number that stands for infinity, as in a masked score of attention


def float_places(graph, observed, kernels):
    """The places of all that float operators make.

    kernels : names of the operators that have an integer kernel
    """
    sources, groups, lacking = {}, [], set()
    for operator in graph.operators:
        op_name, outputs = graph.op_name(operator), [int(place) for place in operator["outputs"]]
        computed = {sources.get(int(place), int(place)) for place in operator["inputs"]
                    if place >= 0 and graph.constant(int(place)) is None}
        group = ("alone", outputs[0])
        if op_name in OF_ONE and len(computed) == 1:
            sources[outputs[0]], = computed
            group = ("of", sources[outputs[0]])
        groups.append((group, outputs))
        if op_name not in kernels or any(
                np.abs(observed[place]).max() > BEYOND for place in outputs if place in observed):
            lacking.add(group)
    return {place for group, outputs in groups if group in lacking for place in outputs}


def inside(graph, floats):
    """Those of the places that float operators alone read: they get no integers."""
    ends = {int(place) for place in graph.body["outputs"]}
    read = {int(place) for operator in graph.operators if int(operator["outputs"][0]) not in floats
            for place in operator["inputs"]}
    return floats - ends - read
