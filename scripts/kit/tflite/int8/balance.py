"""What is joined with a state, multiplied by a constant so that both have one range."""
import numpy as np

from kit.tflite.int8.graph import MOVES, replace
from kit.tflite.int8.masks import Masks
from kit.tflite.int8.ties import tied


def balance(graph, observed, signature, scheme):
    """Multiply what is joined with a state by a constant, so that both have one range.

    The sample's integers stay what they are, and the weights are divided by the constant.
    """
    ranges, done = tied(graph, signature).ranges(observed), set()
    rescaler = Rescaler(graph)
    for part, state in joined_with_states(graph, signature):
        if part not in ranges or state not in ranges:  # a constant: the zero state
            continue
        ratio = max(ranges[part], 1e-6) / max(ranges[state], 1e-6)
        source = rescaler.source(part)
        if not 1 / scheme.same_range < ratio < scheme.same_range and source not in done:
            done |= {source, rescaler.rescale(source, np.float32(1 / ratio))}
    rescaler.finish()


def joined_with_states(graph, signature):
    """[(place of what enters, place of the state), ...] in the order of the operators."""
    wanted = {graph.place(scope + name) for item in signature["steps"]
              for scope in item["scopes"] for name in item.get("joined", ())}
    return [tuple(int(place) for place in operator["inputs"]) for operator in graph.operators
            if int(operator["outputs"][0]) in wanted]


class Rescaler:
    """Puts products with constants into a graph; weights that undo one are made once."""

    def __init__(self, graph):
        self.graph, self.consumers, self.producers = graph, graph.consumers(), graph.producers()
        self.products = {}  # source -> its MUL
        self.valued = Masks(graph).valued()
        self.factors, self.weights = {}, {}  # factor, (weights, column, factor) -> place

    def source(self, place):
        """The tensor that `place` is a part of: back through what only moves values."""
        while place in self.producers and self.graph.op_name(self.producers[place]) in MOVES:
            place = self.graph.moved(self.producers[place])
        return place

    def rescale(self, source, factor):
        """Put source * factor in place of source, undone in the weights; the place of the product,
        or None where something else reads the source too."""
        graph = self.graph
        readers = products(graph, self.consumers, source, self.valued)
        if readers is None:
            return None
        scaled = graph.add_tensor("scaled_" + graph.tensors[source]["name"],
                                  graph.tensors[source]["shape"])
        product = graph.operator("MUL", [source, self._factor(factor)], scaled)
        for operator in self.consumers[source]:
            replace(operator, source, scaled)
        self.products[source], self.producers[scaled] = product, product
        self.consumers[scaled], self.consumers[source] = self.consumers[source], [product]
        for operator, start, width in readers:
            weights = int(operator["inputs"][1])
            replace(operator, weights, self._divided(weights, start, width, factor))
        return scaled

    def _factor(self, factor):
        """The place of a factor."""
        if factor not in self.factors:
            self.factors[factor] = self.graph.add_tensor("factor", (), values=factor)
        return self.factors[factor]

    def _divided(self, weights, start, width, factor):
        """The place of the weights with some of their columns divided by the factor."""
        key = weights, start, factor
        if key not in self.weights:
            values = self.graph.constant(weights).copy()
            values[:, start:start + width] /= factor
            self.weights[key] = self.graph.add_tensor("divided", values.shape, values=values)
        return self.weights[key]

    def finish(self):
        """Put each product after what makes its source."""
        ordered = [self.products[place] for place in self.products if place not in self.producers]
        for operator in self.graph.operators:
            ordered.append(operator)
            ordered += [self.products[int(place)] for place in operator["outputs"]
                        if int(place) in self.products]
        self.graph.operators[:] = ordered


def products(graph, consumers, source, valued=()):
    """[(FULLY_CONNECTED, first column, columns), ...] that read a tensor or parts of it; None when
    something else reads it too, as the graph's outputs do.

    valued : FULLY_CONNECTED operators that look for a value other than 0 in what they read
    """
    found, todo, outputs = [], [(source, 0, None)], set(map(int, graph.body["outputs"]))
    while todo:
        place, start, width = todo.pop()
        if place in outputs:
            return None
        readers = consumers.get(place, ())
        for operator in {id(operator): operator for operator in readers}.values():  # each once
            op_name = graph.op_name(operator)
            if any(operator is other for other in valued):
                return None
            if width is None and (op_name in MOVES or graph.puts_zeros(operator)):
                todo += [(int(out), 0, None) for out in operator["outputs"]]
            elif op_name == "CONCATENATION" and width is None:
                sizes = [int(graph.tensors[p]["shape"][-1]) for p in operator["inputs"]]
                todo += [(int(operator["outputs"][0]), sum(sizes[:which]), sizes[which])
                         for which, part in enumerate(operator["inputs"]) if part == place]
            elif op_name == "FULLY_CONNECTED" and operator["inputs"][0] == place and (
                    graph.constant(int(operator["inputs"][1])) is not None):
                columns = width or int(graph.tensors[place]["shape"][-1])
                found.append((operator, start, columns))
            else:
                return None
    return found
