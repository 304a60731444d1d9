"""What every kind of layer answers: the reader, the shapes and each form ask it.

A new kind of layer is one class here beside its likes (its names stand in the module's KINDS) and
one entry in tests/test_zoo.py. Reading and shapes know no TensorFlow; the methods that build graphs
get it in a Call, as `call.ops` (kit.network.ops) and `call.ops.tf`.
"""
from typing import NamedTuple

from kit.base.cli import UserError

WHOLE = "needs the whole sequence before its first output; use the window form"


class Layer(NamedTuple):
    """One layer: `options` holds what its kind needs, `weights` float32 arrays by name."""

    kind: str
    name: str
    options: dict
    weights: dict


class Kind:
    """A kind of layer that keeps shapes, has no weights and no states: the base of all others."""

    recurrent = False

    # --- the .h5 ---

    def read(self, path, name, config, arrays):
        """The Layer of a Keras description; None for one that does nothing at inference."""
        raise NotImplementedError

    def array_counts(self, config):
        """How many arrays the file holds: (trainable, others), as if the layer were trainable."""
        return 0, 0

    # --- shapes, without the batch; None stands for an open axis ---

    def shape(self, layer, shape):
        """The output's shape for an input's."""
        return shape

    def step_shape(self, layer, shape):
        """The same of one step, in the step form."""
        return self.shape(layer, shape)

    def check(self, path, layer, shape):
        """UserError where the layer cannot take this shape, or its arrays do not fit it."""

    # --- forms ---

    def states(self, layer):
        """What the step form carries from one call to the next: [(name, shape), ...]."""
        return []

    def no_step(self, layer, after_end):
        """Why there is no step form ("is Flatten over the steps, which ..."); None where there is.

        after_end : an earlier layer has made one vector of the sequence
        """
        return None

    def no_fused(self, layer):
        """(why there is no fused form, what else would help); None where there is."""
        return None

    def fused_activations(self, layer):
        """The activation of each fused op, in the order in which they are built."""
        return []

    def window(self, call):
        """The output in the window form: a tensor (n, ...), or a list of T tensors (n, C)."""
        raise NotImplementedError

    def step(self, call):
        """(output, new states) in the step form, each a tensor (n, ...)."""
        return self.window(call), []

    def fused(self, call):
        """The output in the fused form: a tensor (n, ...)."""
        return self.window(call)


class Pointwise(Kind):
    """A kind that works on vectors, along the last axis of whatever comes."""

    def apply(self, ops, layer, x):
        """The output (rows, C') for x (rows, C)."""
        raise NotImplementedError

    def window(self, call):
        return call.ops.over_last_axis(lambda x: self.apply(call.ops, call.layer, x), call.tensor,
                                       call.before, call.after)


class Dropped(Kind):
    """A layer that does nothing at inference."""

    def read(self, path, name, config, arrays):
        return None


class Recurrence(NamedTuple):
    """What the quantizer needs to know of steps that were built: which tensor plays which part.

    A step's scope and the name given here are the name of a tensor of the graph.
    """

    scopes: list  # of each step, in order; [""] in the step form, whose names are whole
    joined: list = []  # tensors in which a state stands beside what enters, the state last
    doubled: str = None  # 2 s of a candidate 2 s - 1, where s is a sigmoid,
    candidate: str = None  # the candidate itself,
    state: str = None  # the cell state to which it is added through its gate,
    first_state: str = None  # and the same at a window's first step, where there was none before


class Call(NamedTuple):
    """One use of a layer in a graph."""

    ops: object  # the module kit.network.ops
    layer: Layer
    value: object  # what comes in: a tensor (n, ...), or a list of T tensors (n, C)
    before: tuple  # its shape
    after: tuple  # the output's shape
    states: list = []  # the step form: what is carried, tensors
    noted: dict = {}  # the fused form: name of a stand-in -> names of the op's inputs
    recurrences: list = []  # window and step: to which what was built is appended

    @property
    def tensor(self):
        """What comes in as one tensor (n, ...)."""
        return self.ops.joined(self.value, self.before)

    @property
    def steps(self):
        """What comes in as a list of T tensors (n, C)."""
        return self.ops.steps(self.value, self.before)


def check_arrays(path, layer, wanted, needed):
    """UserError unless the layer has the arrays that it needs, in the wanted shapes."""
    if not set(needed) <= set(layer.weights) or any(
            array.shape != wanted[key] for key, array in layer.weights.items()):
        raise UserError("%s: the weights of layer '%s' do not have the shapes that its description "
                        "asks for; the file is damaged" % (path, layer.name))


def check_axis(path, layer, shape, does="works along"):
    """UserError unless the layer's axis is the last one."""
    axis = layer.options.get("axis", -1)
    if axis not in (-1, len(shape)):
        raise UserError("%s: layer '%s' %s axis %s; the last axis is supported"
                        % (path, layer.name, does, axis))
