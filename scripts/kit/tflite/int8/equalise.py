"""The units of an LSTM's cell state in one range, and a candidate that loses nothing."""
import numpy as np

from kit.tflite.int8.graph import replace
from kit.tflite.int8.scales import best_scale

MOST_APART = 2.0  # most that a unit of a cell state is finer than the widest
LEAST_RANGE = 2.0  # of a cell state: rarer states, such as faults lead to, have a tanh of their own


def equalise(graph, observed, signature, scheme):
    """Multiply each unit of an LSTM's cell state, so that all units use the range of int8.

    Returns place -> (scale, zero point) of what it gave a range of its own: the states, and 2 s
    and 2 s - 1 of each candidate, s a sigmoid, whose scales keep every step of s. The constants 2
    and 1 take up the factors of the units, and the state is divided again before the TANH that
    reads it.
    """
    fixed, consumers, producers = {}, graph.consumers(), graph.producers()
    outputs = {int(place) for place in graph.body["outputs"]}
    for recurrence in signature["steps"]:
        if "candidate" not in recurrence:
            continue
        states = _states(graph, recurrence)
        squashers = [[reader for reader in consumers[state] if graph.op_name(reader) == "TANH"]
                     for state in states]
        if not all(squashers) or signature["form"] == "window" and set(states) & outputs:
            fixed.update(exact(graph, recurrence, scheme))  # the model gives the state as it is
            continue
        seen = np.concatenate([observed[state] for state in states])  # (n, U)
        factors, scale = factors_of_units(seen)
        fixed.update((state, (scale, 0)) for state in states)
        shrink = graph.add_tensor("shrink", (1, len(factors)), values=1 / factors)
        for state, readers in zip(states, squashers):
            _divide(graph, state, shrink, readers)
        two = graph.add_tensor("double", (1, len(factors)), values=2 * factors)
        one = graph.add_tensor("offset", (1, len(factors)), values=-factors)
        for role, constant in (("doubled", two), ("candidate", one)):
            for scope in recurrence["scopes"]:
                _put_constant(graph, producers[graph.place(scope + recurrence[role])], constant)
        fixed.update(exact(graph, recurrence, scheme, float(factors.max())))
    return fixed


def exact_candidates(graph, signature, scheme):
    """Place -> (scale, zero point) of 2 s and 2 s - 1 of every candidate, as they are."""
    return {place: scale for recurrence in signature["steps"] if "candidate" in recurrence
            for place, scale in exact(graph, recurrence, scheme).items()}


def exact(graph, recurrence, scheme, factor=1.0):
    """The same of one recurrence, where the largest factor of a unit is this one."""
    return {graph.place(scope + recurrence[role]): (factor * scale, zero_point)
            for role, (scale, zero_point) in (("doubled", scheme.doubled),
                                              ("candidate", scheme.candidate))
            for scope in recurrence["scopes"]}


def _states(graph, recurrence):
    """The place of the cell state at each step."""
    names = [[scope + recurrence[role] for role in ("state", "first_state") if role in recurrence]
             for scope in recurrence["scopes"]]
    return [graph.place(*both) for both in names]


def _put_constant(graph, operator, place):
    replace(operator, next(int(old) for old in operator["inputs"]
                           if graph.constant(int(old)) is not None), place)


def factors_of_units(seen):
    """What each unit's state (n, U) is multiplied by, and the scale of int8 that all then share.

    1 for the widest unit and at most MOST_APART, in 127 steps, so that int8 holds it.
    """
    both = np.concatenate([seen, -seen])  # the zero point is no unit's own: it stays 0
    scales = np.array([best_scale(unit, {"TANH"}, symmetric=True)[0] for unit in both.T])
    scales = np.maximum(scales, np.minimum(np.abs(seen).max(0), LEAST_RANGE) / 127)
    factors = np.minimum(scales.max() / scales, MOST_APART)
    step = factors.max() / 127
    return (np.rint(factors / step) * step).astype(np.float32), float(scales.max())


def _divide(graph, state, shrink, readers):
    """Put state * shrink before the operators that read the state itself."""
    tensor = graph.tensors[state]
    whole = graph.add_tensor(tensor["name"] + "_whole", tensor["shape"])
    for reader in readers:
        replace(reader, state, whole)
    before = next(k for k, operator in enumerate(graph.operators) if operator is readers[0])
    graph.operators.insert(before, graph.operator("MUL", [state, shrink], whole))
