"""A network as pieces that are loops over the steps: what each computes, and what between them.

A network whose step form exists is one piece. A path of others is cut where a layer asks for more than
the steps so far: a Bidirectional is two loops side by side, a layer with go_backwards begins a loop that
runs from the end, a RepeatVector begins one that takes the same vector at every step, and a Flatten
over the steps makes one vector of a sequence. In any other graph each recurrent layer is a loop, and
what stands between them (attention, pooling, skips) takes whole sequences of one length.
"""
from typing import NamedTuple

from kit.base.cli import UserError
from kit.network.description import Input, Network, Node, masked, path_of, shapes, timed
from kit.network.handlers import HANDLERS
from kit.network.layers.handler import Layer, Pointwise, StepByStep

LOOKUPS = ("Embedding", "Masking")  # begin a network, and make its mask


class Piece(NamedTuple):
    """One loop, or two side by side: networks that each have a step form."""

    networks: tuple  # of Network, of one vector where no layer is recurrent; none for `flat` alone
    backwards: tuple  # of bool: from the last step to the first
    sequence: bool  # gives the output of every step, not of the last alone
    merge: object = None  # how two loops' outputs become one: concat, sum, mul or ave
    repeat: object = None  # the number of steps, where the input is one vector
    flat: bool = False  # the input's sequence becomes one vector first
    sources: object = None  # what it takes: 0 the window, k what the piece k - 1 makes; None the last
    whole: bool = False  # no loop: takes all that its sources are at once


def pieces(network, steps, path="the model"):
    """[Piece, ...] of a Network for windows of `steps`; UserError names the layer in the way."""
    if len(network.inputs) > 1 or len(network.outputs) > 1:
        raise UserError("%s: no loop form: the model has %d inputs and %d outputs, and a loop has "
                        "one of each; use the window or the step form"
                        % (path, len(network.inputs), len(network.outputs)))
    refused = []
    for found in (_path, _graph):
        try:
            return found(network, steps, path)
        except UserError as error:
            refused.append(error)
    raise refused[_forks(network.nodes) is not None]


def _path(network, steps, path):
    """The pieces of what is one loop, or a path of layers; UserError where it is neither."""
    only = network.inputs[0]
    if not only.timed:
        raise UserError("%s: no loop form: input '%s' of %s has no steps that a recurrent layer goes "
                        "along one by one; use the window form" % (path, only.name, only.shape))
    try:
        whole = timed(network, path)[network.outputs[0][1]]
    except UserError as error:
        if len(only.shape) != 2 and only.dtype != "int32":
            raise UserError(str(error).replace("no step form", "no loop form"))
        return _cut(network, steps, path)
    for layer in network.layers:
        reason = HANDLERS[layer.class_name].no_loop(layer)
        if reason:
            raise UserError("%s: no loop form: layer '%s' %s" % (path, layer.name, reason))
    if whole and len(shapes(network, steps)[network.outputs[0][1]]) != 2:
        raise UserError("%s: no loop form: each step's output is no vector; use the window or the "
                        "step form" % path)
    return [Piece((network,), (False,), whole)]


def _graph(network, steps, path):
    """The pieces of a graph: a loop for each recurrent layer, and whole sequences between them."""
    sizes, places, found = shapes(network, steps), {0: 0}, []  # value -> its number for `sources`
    masks = masked(network)
    for node in network.nodes:
        loop, source, before = _is_loop(node, sizes), node.inputs[0], []
        if any(masks[value] for value in node.inputs) and _follows_mask(node.layer):
            before = _up_to(network, source) if loop else []
            if not before:
                raise UserError("%s: no loop form: layer '%s' needs the mask of a loop before its own; "
                                "use the window form" % (path, node.layer.name))
            source = 0
        if not loop:
            continue
        _reach(network, sizes, places, found, source, path)
        halves = [node.layer.options.get(side) for side in ("forward", "backward")]
        halves = halves if node.layer.class_name == "Bidirectional" else [node.layer]
        found.append(Piece(
            tuple(_network(sizes[source][1:], before + [_forwards(half)]) for half in halves),
            tuple(half.options["go_backwards"] for half in halves),
            node.layer.options["return_sequences"], node.layer.options.get("merge"),
            sources=(places[source],)))
        places[node.outputs[0]] = len(found)
    _reach(network, sizes, places, found, network.outputs[0][1], path)
    return found


def _follows_mask(layer):
    """Whether it computes something else where there is a mask, and does not only hand it on."""
    handler = HANDLERS[layer.class_name]
    return handler.takes_mask and not isinstance(handler, StepByStep)


def _up_to(network, value):
    """The layers of a path of step-by-step ones from the input to a value; none where it is no such path."""
    nodes = network.nodes[:value]
    steps = all(isinstance(HANDLERS[node.layer.class_name], StepByStep) for node in nodes)
    return [node.layer for node in nodes] if steps and _forks(nodes) is None else []


def _is_loop(node, sizes):
    """Whether it is a recurrent layer along vectors, whose states nobody gives or wants."""
    layer = node.layer
    return len(node.inputs) == len(node.outputs) == 1 and len(sizes[node.inputs[0]]) == 2 and (
        layer.class_name in ("LSTM", "GRU", "SimpleRNN")
        or layer.class_name == "Bidirectional" and _mergeable(layer))


def _reach(network, sizes, places, found, value, path):
    """Add the piece that makes a value of those that have places, unless it has one itself."""
    if value in places:
        return
    nodes, wanted = [], {value}
    for node in reversed(network.nodes):
        if wanted & (set(node.outputs) - set(places)):
            nodes.insert(0, node)
            wanted |= set(node.inputs)
    for node in nodes:
        if HANDLERS[node.layer.class_name].recurrent:
            raise UserError("%s: no loop form: layer '%s' is %s, and what goes in or comes out of it is "
                            "no single sequence of vectors; use the window form"
                            % (path, node.layer.name, node.layer.class_name))
    sources = sorted(wanted & set(places))
    numbers = {source: number for number, source in enumerate(sources)}
    for node in nodes:
        numbers.update((made, len(numbers) + k) for k, made in enumerate(node.outputs))
    inputs = [Input("value_%d" % source, tuple(sizes[source]), timed=False,
                    **(_words(network.inputs[0]) if source == 0 else {})) for source in sources]
    inner = Network(inputs, [Node(node.layer, *(tuple(numbers[v] for v in values) for values in (
        node.inputs, node.outputs))) for node in nodes], [("output", numbers[value])])
    found.append(Piece((inner,), (False,), False, sources=tuple(places[v] for v in sources), whole=True))
    places[value] = len(found)


def _words(item):
    return {"dtype": item.dtype, "limit": item.limit}


def _cut(network, steps, path):
    """The pieces of a network that has no step form: a path of layers."""
    fork = _forks(network.nodes)
    if fork:
        raise UserError("%s: no loop form: layer '%s' stands where the path of layers forks or "
                        "joins; use the window form" % (path, fork.layer.name))
    sizes = shapes(network, steps)
    found, pending, whole = [], _Pending(), True  # whole: the value is a sequence of steps
    for layer, before, after, mask in zip(
            map(_as_dense, network.layers), sizes, sizes[1:], masked(network)):
        turns = layer.class_name == "Bidirectional" or layer.options.get("go_backwards")
        if mask and _follows_mask(layer) and (
                not pending.masks or turns and pending.recurrent):
            raise UserError("%s: no loop form: layer '%s' needs the mask of a loop before its own; use "
                            "the window form" % (path, layer.name))
        if turns and not (mask or pending.item == () and not pending.recurrent):
            found, pending = found + pending.piece(whole), _Pending(pending.repeat)
        if layer.class_name == "Bidirectional" and _mergeable(layer):
            whole = layer.options["return_sequences"]
            item = before[-1:] if pending.item is None else pending.item
            halves = [layer.options[side] for side in ("forward", "backward")]
            found.append(Piece(
                tuple(_network(item, pending.layers + [_forwards(half)]) for half in halves),
                (False, True), whole, layer.options["merge"], pending.repeat))
            pending = _Pending()
        elif layer.class_name == "RepeatVector":
            found += pending.piece(False)
            pending, whole = _Pending(repeat=layer.options["n"]), True
        elif layer.class_name in ("Flatten", "Reshape") and whole and len(after) == 1:
            found += pending.piece(True)
            pending, whole = _Pending(flat=True), False
        elif layer.class_name in ("LSTM", "GRU", "SimpleRNN") and whole:
            pending.backwards = pending.backwards or layer.options["go_backwards"]
            pending.add(_forwards(layer), before)
            whole = layer.options["return_sequences"]
        elif isinstance(HANDLERS[layer.class_name], Pointwise) or layer.class_name in LOOKUPS or (
                not whole and not HANDLERS[layer.class_name].recurrent):
            pending.add(layer, before)
        else:
            raise UserError("%s: no loop form: layer '%s' is %s, which needs all steps at once; use "
                            "the window form" % (path, layer.name, layer.class_name))
    return found + pending.piece(whole)


def _forks(nodes):
    """The first node at which they are no path from the input on; None where they are one."""
    return next((node for place, node in enumerate(nodes)
                 if (node.inputs, node.outputs) != ((place,), (place + 1,))), None)


def _as_dense(layer):
    """A convolution of one step as the Dense that it is."""
    options = layer.options
    if layer.class_name not in ("Conv1D", "SeparableConv1D") or (
            (options["strides"], options["kernel"]) != ((1,), 1)):
        return layer
    return Layer("Dense", layer.name, {"units": options["filters"],
                                       "activation": options["activation"]},
                 dict(layer.weights, kernel=layer.weights["kernel"][0]))


def _mergeable(layer):
    """Whether both directions are of one class, forward and backward, and become one."""
    forward, backward = (layer.options[side] for side in ("forward", "backward"))
    return layer.options["merge"] is not None and backward.options["go_backwards"] and (
        not forward.options["go_backwards"])


class _Pending:
    """Layers that will be one piece."""

    def __init__(self, repeat=None, backwards=False, flat=False):
        self.repeat, self.backwards, self.flat = repeat, backwards, flat
        self.layers, self.item = [], None  # item: the shape of a step of what comes in

    def add(self, layer, before):
        if not self.layers:
            self.item = before[1:] if layer.class_name in LOOKUPS else before[-1:]
        self.layers.append(layer)

    @property
    def masks(self):
        """Whether it makes a mask."""
        return any(HANDLERS[layer.class_name].masks(layer, [False]) for layer in self.layers)

    @property
    def recurrent(self):
        return any(HANDLERS[layer.class_name].recurrent for layer in self.layers)

    def piece(self, sequence):
        """[Piece], or nothing where there is no layer."""
        if not self.layers:
            return [Piece((), (), False, flat=True)] if self.flat else []
        repeat, self.repeat = self.repeat, None
        return [Piece((_network(self.item, self.layers),), (self.backwards,),
                      sequence, None, repeat, self.flat)]


def _network(item, layers):
    """The Network of Layers in a row, for steps (or one vector, where none is recurrent) of a shape."""
    steps = any(HANDLERS[layer.class_name].recurrent for layer in layers)
    return path_of(layers, (None,) * steps + tuple(map(int, item)))


def _forwards(layer):
    return layer._replace(options=dict(layer.options, go_backwards=False))
