"""A network as pieces that are loops over the steps: what each computes, and what between them.

A network whose step form exists is one piece. Others are cut where a layer asks for more than the
steps so far: a Bidirectional is two loops side by side, a layer with go_backwards begins a loop that
runs from the end, a RepeatVector begins one that takes the same vector at every step, and a Flatten
over the steps makes one vector of a sequence.
"""
from typing import NamedTuple

from kit.base.cli import UserError
from kit.network.description import shapes
from kit.network.kinds import KINDS


class Piece(NamedTuple):
    """One loop, or two side by side: networks that each have a step form."""

    networks: tuple  # of Network; none where nothing is done but `flat`
    backwards: tuple  # of bool: from the last step to the first
    sequence: bool  # gives the output of every step, not of the last alone
    merge: object = None  # how two loops' outputs become one: concat, sum, mul or ave
    repeat: object = None  # the number of steps, where the input is one vector
    flat: bool = False  # the input's sequence becomes one vector first


def pieces(network, steps, path="the model"):
    """[Piece, ...] of a Network for windows of `steps`; UserError names the layer in the way."""
    found, pending, whole = [], _Pending(network), True  # whole: the value is a sequence of steps
    for layer, before, after in zip(network.layers, shapes(network, steps),
                                    shapes(network, steps)[1:]):
        if layer.kind == "Bidirectional":
            found += pending.piece(whole)
            whole = layer.options["return_sequences"]
            halves = [layer.options[side] for side in ("forward", "backward")]
            found.append(Piece(
                tuple(_network(network, before[-1], [_forwards(half)]) for half in halves),
                (False, True), whole, layer.options["merge"], pending.repeat))
            pending = _Pending(network)
        elif layer.kind == "RepeatVector":
            found += pending.piece(False)
            pending, whole = _Pending(network, repeat=layer.options["n"]), True
        elif layer.kind in ("Flatten", "Reshape") and whole:
            if len(after) != 1:
                raise UserError("%s: no loop form: layer '%s' makes other steps of the steps; use "
                                "the window form" % (path, layer.name))
            found += pending.piece(True)
            pending, whole = _Pending(network, flat=True), False
        elif KINDS[layer.kind].recurrent:
            if not whole:
                raise UserError("%s: no loop form: layer '%s' takes steps that are made of one "
                                "vector; use the window form" % (path, layer.name))
            if layer.options["go_backwards"]:
                found += pending.piece(True)
                pending = _Pending(network, pending.repeat, backwards=True)
            pending.add(_forwards(layer), before)
            whole = layer.options["return_sequences"]
        else:
            pending.add(layer, before)
    return found + pending.piece(whole)


class _Pending:
    """Layers that will be one piece."""

    def __init__(self, network, repeat=None, backwards=False, flat=False):
        self.network, self.repeat, self.backwards, self.flat = network, repeat, backwards, flat
        self.layers, self.width = [], None

    def add(self, layer, before):
        self.width = before[-1] if self.width is None else self.width
        self.layers.append(layer)

    def piece(self, sequence):
        """[Piece], or nothing where there is no layer."""
        if not self.layers:
            return [Piece((), (), False, flat=True)] if self.flat else []
        repeat, self.repeat = self.repeat, None
        return [Piece((_network(self.network, self.width, self.layers),), (self.backwards,),
                      sequence, None, repeat, self.flat)]


def _network(network, channels, layers):
    return network._replace(steps=None, channels=int(channels), layers=list(layers))


def _forwards(layer):
    return layer._replace(options=dict(layer.options, go_backwards=False))
