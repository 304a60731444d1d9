"""What the handler of a class of layers answers: the reader, the shapes and each form ask it.

A new class of layers is one handler here beside its likes (its names stand in the module's HANDLERS) and
one entry in tests/test_zoo.py. Reading and shapes know no TensorFlow; the methods that build graphs
get it in a Call, as `call.ops` (kit.network.ops) and `call.ops.tf`.
"""
from typing import NamedTuple

from kit.base.cli import UserError

WHOLE = "needs the whole sequence before its first output; use the window form"


class Layer(NamedTuple):
    """One layer: `options` holds what its handler needs, `weights` float32 arrays by name."""

    class_name: str
    name: str
    options: dict
    weights: dict


class Handler:
    """Handler of layers with one input and one output that works over all axes at once.

    Shapes are without the batch; None stands for an open axis.
    """

    recurrent = False
    any_length = False  # works on sequences of any length
    takes_steps = False  # the first axis of what comes in is steps, whatever the model is

    # --- the file ---

    def read(self, path, name, config, arrays):
        """The Layer of a Keras description; None for one that does nothing at inference."""
        raise NotImplementedError

    def array_counts(self, config):
        """How many arrays the file holds: (trainable, others), as if the layer were trainable."""
        return 0, 0

    def outputs(self, layer):
        """How many values the layer makes."""
        return 1

    def takes_state(self, place):
        """Whether the input in this place is an initial state."""
        return False

    def limit(self, layer):
        """One more than the largest whole number that the layer looks up; None for other layers."""
        return None

    # --- shapes ---

    def shape(self, layer, shape):
        """The output's shape for an input's."""
        return shape

    def shapes(self, layer, shapes):
        """The shapes of all outputs for those of all inputs."""
        return [self.shape(layer, shapes[0])]

    def check(self, path, layer, shapes):
        """UserError where the layer cannot take these shapes, or its arrays do not fit them."""

    # --- masks: of a sequence, which steps count ---

    takes_mask = False  # a layer that takes none sees all steps, and what follows it has no mask

    def masks(self, layer, masked):
        """Whether the output carries a mask, for whether the inputs do."""
        return masked[0] and self.takes_mask

    def check_mask(self, path, layer):
        """UserError where the layer takes no sequence with a mask."""

    def mask(self, call):
        """The output's mask: as call.masks."""
        return call.masks[0]

    # --- forms ---

    def states(self, layer, shape):
        """What the step form carries from one call to the next: [(name, shape), ...]."""
        return []

    def keeps_steps(self, layer, shapes):
        """Whether the output has the steps of the input, one for one."""
        return False

    def no_step(self, layer, timed, shapes):
        """Why there is no step form ("is Flatten over the steps, which ..."); None where there is.

        timed : of each input, whether it comes step by step
        """
        return "is %s over the steps, which %s" % (layer.class_name, WHOLE) if any(timed) else None

    def pace(self, layer):
        """(calls before the first output, calls from one output to the next) of the step form."""
        return 0, 1

    def no_loop(self, layer):
        """Why a loop of the step form would compute something else; None where it would not."""
        return None

    def no_fused(self, layer):
        """(why there is no fused form, what else would help); None where there is."""
        return None

    def fused_activations(self, layer):
        """The activation of each fused op, in the order in which they are built."""
        return []

    def window(self, call):
        """The output in the window form: a tensor (n, ...), or a list of T tensors (n, ...).

        A tuple of them where the layer has several outputs.
        """
        raise NotImplementedError

    def step(self, call):
        """(output, new states) in the step form, each a tensor (n, ...)."""
        return self.window(call), []

    def fused(self, call):
        """The output in the fused form: a tensor (n, ...)."""
        return self.window(call)

    # --- the reference ---

    def twin(self, keras, layer, values, timed):
        """What Keras computes at each step: values and output have a time axis, timed or not.

        keras : the module tf.keras
        layer : the Keras layer, of the model as it was saved
        """
        copy = same(layer)
        return copy, (copy if any(timed) else keras.layers.TimeDistributed(copy))(values[0])


def same(layer, **changes):
    """A new Keras layer of the same description; its weights are set when it is built."""
    config = dict(layer.get_config(), **changes)
    config.pop("batch_input_shape", None)
    config.pop("name", None)
    return layer.__class__.from_config(config)


def as_batch(keras, copy, values, after):
    """A Lambda and its output: a layer without weights on each step of several (n, T, ...)."""
    backend = keras.backend

    def apply(given):
        steps = backend.shape(given[0])[1]
        rows = [backend.reshape(x, (-1,) + tuple(x.shape.as_list()[2:])) for x in given]
        return backend.reshape(copy(rows), (-1, steps) + tuple(after))
    layer = keras.layers.Lambda(apply, output_shape=(None,) + tuple(after))
    return layer, layer(values)


class StepByStep(Handler):
    """Handler of layers that treat each step by itself."""

    takes_mask = True

    def keeps_steps(self, layer, shapes):
        return True

    def no_step(self, layer, timed, shapes):
        return None


class Pointwise(StepByStep):
    """Handler of layers that work on vectors, along the last axis of whatever comes."""

    any_length = True

    def apply(self, ops, layer, x):
        """The output (rows, C') for x (rows, C)."""
        raise NotImplementedError

    def window(self, call):
        return call.ops.over_last_axis(lambda x: self.apply(call.ops, call.layer, x), call.tensor,
                                       call.before, call.after)


class Dropped(Handler):
    """A layer that does nothing at inference."""

    def read(self, path, name, config, arrays):
        return None


class Call(NamedTuple):
    """One use of a layer in a graph."""

    ops: object  # the module kit.network.ops
    layer: Layer
    values: list  # what comes in: tensors (n, ...), or lists of T tensors (n, ...)
    sizes: list  # their shapes
    afters: list  # the outputs' shapes
    masks: list  # of each value: None, or a list of T masks (n, 1); in the step form one (n, 1)
    made: object = None  # the output's mask
    states: list = []  # the step form: what is carried, tensors
    timed: list = []  # the step form: of each value, whether it is one step of a sequence
    noted: dict = {}  # the fused form: name of a stand-in -> names of the op's inputs

    @property
    def before(self):
        return self.sizes[0]

    @property
    def after(self):
        return self.afters[0]

    @property
    def tensor(self):
        """What comes in as one tensor (n, ...)."""
        return self.ops.joined(self.values[0], self.sizes[0])

    @property
    def tensors(self):
        """All that comes in, each as one tensor."""
        return [self.ops.joined(*pair) for pair in zip(self.values, self.sizes)]

    @property
    def steps(self):
        """What comes in as a list of T tensors (n, ...)."""
        return self.ops.steps(self.values[0], self.sizes[0])


def check_arrays(path, layer, wanted, needed):
    """UserError unless the layer has the arrays that it needs, in the wanted shapes."""
    if not set(needed) <= set(layer.weights) or any(
            array.shape != tuple(wanted[key]) for key, array in layer.weights.items()):
        raise UserError("%s: the weights of layer '%s' do not have the shapes that its description "
                        "asks for; the file is damaged" % (path, layer.name))


def check_axis(path, layer, shape, does="works along"):
    """UserError unless the layer's axis is the last one."""
    axis = layer.options.get("axis", -1)
    if axis not in (-1, len(shape)):
        raise UserError("%s: layer '%s' %s axis %s; the last axis is supported"
                        % (path, layer.name, does, axis))


def check_rank(path, layer, shape, rank, what):
    """UserError unless what comes in has this rank, without the batch."""
    if len(shape) != rank:
        raise UserError("%s: layer '%s' is %s and gets %s per item; it takes %s"
                        % (path, layer.name, layer.class_name, tuple(shape), what))
