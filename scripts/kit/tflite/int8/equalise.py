"""The units of an LSTM's cell state in one range, and a candidate that loses nothing."""
import numpy as np

from kit.tflite.int8.graph import replace
from kit.tflite.int8.scales import best_scale
from kit.tflite.int8.ties import tied

MOST_APART = 2.0  # most that a unit of a cell state is finer than the widest
LEAST_RANGE = 2.0  # of a cell state: rarer states, such as faults lead to, have a tanh of their own


def equalise(graph, observed, signature):
    """Multiply each unit of an LSTM's cell state, so that all units use the range of int8.

    Returns place -> (scale, zero point) of what it gave a range of its own: the states, and 2 s
    and 2 s - 1 of each candidate, s a sigmoid, whose scales keep every step of s. The constants 2
    and 1 take up the factors of the units, and the state is divided again before the TANH that
    reads it.
    """
    ties, consumers = tied(graph, signature), graph.consumers()
    fixed, cells = {}, {}
    for double, candidate in _candidates(graph):
        cells.setdefault(ties.find(int(candidate["outputs"][0])), []).append((double, candidate))
    for steps in cells.values():
        states = [_cell_state(graph, consumers, candidate) for _, candidate in steps]
        squashers = [[reader for reader in consumers.get(state, ())
                      if graph.kind(reader) == "TANH"] for state in states]
        factors = np.ones(1, np.float32)
        if all(squashers):
            seen = np.concatenate([observed[state] for state in states])  # (n, U)
            factors, scale = factors_of_units(seen)
            fixed.update((state, (scale, 0)) for state in states)
            shrink = graph.add_tensor("shrink", (1, len(factors)), values=1 / factors)
            for state, readers in zip(states, squashers):
                _divide(graph, state, shrink, readers)
        two = graph.add_tensor("double", (1, len(factors)), values=2 * factors)
        one = graph.add_tensor("offset", (1, len(factors)), values=-factors)
        top = float(factors.max())
        for double, candidate in steps:
            _put_constant(graph, double, two)
            _put_constant(graph, candidate, one)
            fixed[int(double["outputs"][0])] = top / 128, -128
            fixed[int(candidate["outputs"][0])] = top / 128, 0
    return fixed


def _candidates(graph):
    """[(MUL, ADD), ...] of each 2 s - 1."""
    producers, found = graph.producers(), []
    for operator in graph.operators:
        if graph.kind(operator) == "ADD" and _factor(graph, operator) == -1:
            double = producers.get(_variable(graph, operator))
            if double is not None and graph.kind(double) == "MUL" and _factor(graph, double) == 2:
                found.append((double, operator))
    return found


def _factor(graph, operator):
    """The number that an operator of two inputs has for a constant; else None."""
    constants = [graph.constant(int(place)) for place in operator["inputs"]]
    numbers = [float(values) for values in constants if values is not None and values.size == 1]
    return numbers[0] if len(numbers) == 1 else None


def _variable(graph, operator):
    """The place of an operator's computed input."""
    return next(int(place) for place in operator["inputs"] if graph.constant(int(place)) is None)


def _put_constant(graph, operator, place):
    replace(operator, next(int(old) for old in operator["inputs"]
                           if graph.constant(int(old)) is not None), place)


def _cell_state(graph, consumers, candidate):
    """The place of the state that a candidate is added to; at the first step, its own share."""
    added = int(consumers[int(candidate["outputs"][0])][0]["outputs"][0])
    sums = [reader for reader in consumers.get(added, ()) if graph.kind(reader) == "ADD"]
    return int(sums[0]["outputs"][0]) if sums else added


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
    graph.operators.insert(before, graph.product(state, shrink, whole))
