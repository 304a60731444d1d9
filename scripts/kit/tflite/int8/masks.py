"""Masks of steps in integers: exactly 0 or 1, and what they hold stays to the bit what it was.

A mask is made from a vector x by |x - value| and a product with a factor so large that it is a step
function (kit.network.layers.lookup), or read from a table of 0 and 1. In integers one step of x is
the least that it can differ by: the distance is counted in steps, and the factor takes one to the
end of the range.
"""
import numpy as np

from kit.tflite.int8.graph import MOVES

LARGE = 1e29  # no weight of a model is


class Masks:
    """The masks of a graph, by their places."""

    def __init__(self, graph):
        self.graph, self.consumers, producers = graph, graph.consumers(), graph.producers()
        self.jumps = [operator for operator in graph.operators if self._is_jump(operator)]
        self.distances = [producers[int(jump["inputs"][0])] for jump in self.jumps]
        sixths = [reader for jump in self.jumps
                  for reader in self.consumers[int(jump["outputs"][0])]]
        tables = [operator for operator in graph.operators if self._is_table(operator)]
        self.counts = [operator for operator in graph.operators if self._counts_calls(operator)]
        self.places = self._made_of(
            [int(made["outputs"][0]) for made in sixths + tables + self.counts]
            + [int(count["inputs"][0]) for count in self.counts])

    def _is_jump(self, operator):
        if self.graph.op_name(operator) != "FULLY_CONNECTED":
            return False
        weights = self.graph.constant(int(operator["inputs"][1]))
        return weights is not None and weights.flat[0] > LARGE

    def _is_table(self, operator):
        if self.graph.op_name(operator) != "GATHER":
            return False
        table = self.graph.constant(int(operator["inputs"][0]))
        return table is not None and table.shape[-1] == 1 and set(np.unique(table)) <= {0, 1}

    def _counts_calls(self, operator):
        """Whether it counts the calls to a strided layer (kit.network.layers.convolution)."""
        return self.graph.op_name(operator) == "FULLY_CONNECTED" and self.graph.tensors[
            int(operator["inputs"][0])]["name"].endswith("_phase")

    def _made_of(self, places):
        """These, what only moves them, what they leave of 1, and masks through masks."""
        found, before = set(places), 0
        while len(found) > before:
            before = len(found)
            for operator in self.graph.operators:
                computed = {int(place) for place in operator["inputs"]
                            if self.graph.constant(int(place)) is None}
                if computed and computed <= found and self.graph.op_name(operator) in (
                        tuple(MOVES) + ("SUB", "MUL", "ADD")):
                    found |= {int(out) for out in operator["outputs"]}
        return found

    def tie(self, ties):
        """Give what a mask lets through, and the sum of two such, the scale of what it was."""
        let_through = {}
        for operator in self.graph.operators:
            inputs, (out, *_) = map(int, operator["inputs"]), map(int, operator["outputs"])
            values = [place for place in inputs if place not in self.places]
            if self.graph.op_name(operator) == "MUL" and len(values) == 1 and out not in self.places:
                let_through[out] = values[0]
            elif self.graph.op_name(operator) != "ADD" or not set(values) <= set(let_through):
                continue
            for value in values:
                if self.graph.constant(value) is None:
                    ties.tie(value, out)

    def valued(self):
        """The distances to another value than 0."""
        return [distance for distance in self.distances
                if self.graph.constant(int(distance["inputs"][2])).any()]

    def show(self, observed):
        """Let the values that mean a mask be among what calibration saw."""
        for source, weights, bias in (map(int, item["inputs"]) for item in self.distances):
            for value in set(self._values(weights, bias)) - {0.0}:
                rows = observed[source]
                observed[source] = np.concatenate([rows, np.full_like(rows[:1], value)])

    def settle(self, scales, scheme):
        """Give distances and jumps the scales and weights that count in steps; the places of those
        weights, which are rounded as they stand."""
        exact = {int(count["inputs"][1]) for count in self.counts}
        known, unit = {}, scheme.mask[0]
        for distance, jump in zip(self.distances, self.jumps):
            source, weights, bias = map(int, distance["inputs"])
            step = scales[source][0] * float(np.abs(self.graph.constant(weights)).max())
            scales[int(distance["outputs"][0])] = step, scheme.mask[1]
            scales[int(jump["outputs"][0])] = 6 * unit, scheme.mask[1]
            key = weights, bias, scales[source]
            if key not in known:
                whole = np.rint(self._values(weights, bias) / scales[source][0]) * scales[source][0]
                known[key] = (self._made(-whole * self._factors(weights)), self._made(
                    np.full(self.graph.constant(int(jump["inputs"][1])).shape, 6 / step)))
            distance["inputs"][2], jump["inputs"][1] = known[key]
            exact |= {weights, int(jump["inputs"][1])}
        return exact

    def _factors(self, weights):
        """Of each row the one number that is not 0."""
        rows = self.graph.constant(weights)
        return rows[np.arange(len(rows)), np.abs(rows).argmax(1)]

    def _values(self, weights, bias):
        return -self.graph.constant(bias) / self._factors(weights)

    def _made(self, values):
        return self.graph.add_tensor("counted", values.shape, values=values.astype(np.float32))
