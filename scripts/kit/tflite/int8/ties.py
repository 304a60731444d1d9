"""Tensors that must have one scale."""
import numpy as np

from kit.runtime.forms import states_of
from kit.tflite.int8.graph import MOVES
from kit.tflite.int8.masks import Masks


class Ties:
    """Tensors that must have one scale, as sets that grow together."""

    def __init__(self):
        self.parent = {}

    def find(self, item):
        while self.parent.setdefault(item, item) != item:
            item = self.parent[item]
        return item

    def tie(self, a, b):
        a, b = self.find(a), self.find(b)
        self.parent[max(a, b)] = min(a, b)

    def groups(self, items):
        found = {}
        for item in items:
            found.setdefault(self.find(item), []).append(item)
        return found

    def ranges(self, observed):
        """Place -> the largest absolute value in its group."""
        found = {}
        for members in self.groups(observed).values():
            top = max(float(np.abs(observed[place]).max()) for place in members)
            found.update((place, top) for place in members)
        return found


def tied(graph, signature):
    """What has one scale for certain: a state in and out, one role at every step, moved values."""
    ties, first = Ties(), {}
    for place, role in graph.roles(signature).items():
        ties.tie(first.setdefault(role, place), place)
    for before, after in zip(states_of(signature["inputs"]), states_of(signature["outputs"])):
        ties.tie(graph.places[before["name"]], graph.places[after["name"]])
    for operator in graph.operators:
        if graph.op_name(operator) in MOVES:
            for out in operator["outputs"]:
                ties.tie(graph.moved(operator), int(out))
    Masks(graph).tie(ties)
    return ties
