"""What every kind answers by itself, and the checks that all share."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.layers import handler
from kit.network.layers.handler import Call, Handler, Layer, Pointwise, StepByStep, check_arrays, check_axis
from kit.network.layers.handler import check_rank

LAYER = Layer("Mine", "odd", {"axis": 2}, {"kernel": np.zeros((3, 2)), "bias": np.zeros(2)})
WANTED = {"kernel": (3, 2), "bias": (2,)}


def test_arrays_are_those_that_the_description_asks_for():
    check_arrays("m.h5", LAYER, WANTED, ["kernel"])
    check_arrays("m.h5", LAYER._replace(weights={"kernel": np.zeros((3, 2))}), WANTED, ["kernel"])
    for wanted, weights in ((WANTED, {"bias": np.zeros(2)}), (dict(WANTED, kernel=(2, 3)), LAYER.weights)):
        with pytest.raises(UserError, match="m.h5: the weights of layer 'odd' do not have the shapes"):
            check_arrays("m.h5", LAYER._replace(weights=weights), wanted, ["kernel"])


def test_the_last_axis_counts_from_either_end():
    for axis, shape in ((2, (5, 3)), (-1, (5, 3)), (1, (3,))):
        check_axis("m.h5", LAYER._replace(options={"axis": axis}), shape)
    check_axis("m.h5", LAYER._replace(options={}), (5, 3))
    for axis, shape in ((1, (5, 3)), (2, (3,)), ([1, 2], (5, 3))):
        with pytest.raises(UserError, match="layer 'odd' normalises axis .*; the last axis is supported"):
            check_axis("m.h5", LAYER._replace(options={"axis": axis}), shape, "normalises")


def test_the_rank_is_named():
    check_rank("m.h5", LAYER, (5, 3), 2, "(steps, channels)")
    with pytest.raises(UserError, match=r"'odd' is Mine and gets \(3,\) per item; it takes \(steps, ch"):
        check_rank("m.h5", LAYER, (3,), 2, "(steps, channels)")


def test_a_kind_that_says_nothing_has_no_step_form_over_steps():
    """Only one that treats each step by itself has."""
    assert "is Mine over the steps, which needs the whole sequence" in Handler().no_step(
        LAYER, [True], [(5, 3)])
    assert Handler().no_step(LAYER, [False], [(3,)]) is None
    assert StepByStep().no_step(LAYER, [True], [(5, 3)]) is None
    assert (Handler().keeps_steps(LAYER, []), StepByStep().keeps_steps(LAYER, [])) == (False, True)
    assert (StepByStep.any_length, Pointwise.any_length) == (False, True)


def test_a_mask_goes_on_where_each_step_is_treated_by_itself():
    call = Call(None, LAYER, [], [], [], ["mask", None])
    assert StepByStep().mask(call) == "mask"
    assert [kind().masks(LAYER, [True, False]) for kind in (StepByStep, Handler)] == [True, False]
    assert not StepByStep().masks(LAYER, [False, True])


def test_a_call_gives_sequences_as_one_tensor_or_step_by_step():
    class Ops:
        joined = staticmethod(lambda value, size: ("joined", value, size))
        steps = staticmethod(lambda value, size: ("steps", value, size))

    call = Call(Ops, LAYER, ["a", "b"], [(5, 3), (5, 2)], [(5, 1), (4,)], [None, None])
    assert (call.before, call.after) == ((5, 3), (5, 1))
    assert call.tensor == ("joined", "a", (5, 3)) and call.steps == ("steps", "a", (5, 3))
    assert call.tensors == [("joined", "a", (5, 3)), ("joined", "b", (5, 2))]


def test_the_same_layer_anew_has_no_name_and_no_shape_of_its_own():
    class Keras:
        def __init__(self, **config):
            self.config = config

        get_config = lambda self: self.config  # noqa: E731

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    found = handler.same(Keras(name="odd", units=3, axis=1, batch_input_shape=[None, 3]), axis=-1)
    assert found.config == {"units": 3, "axis": -1}
