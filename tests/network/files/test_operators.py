"""Operators between layers, as 1.15 to 3 write them, as the layers that compute the same."""
import pytest

from kit.base.cli import UserError
from kit.network.files.clean import cleaned
from keras_files import SOURCE, graph, tensor


@pytest.mark.parametrize("node, version, expected", [
    ({"args": [tensor("a"), 2.0], "kwargs": {}}, "3.1.0", (2.0, 0.0)),
    ([["a", 0, 0, {"y": 2.0, "name": None}]], "2.11.0", (2.0, 0.0)),
    ([["_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}]], "2.11.0", (2.0, 0.0)),
])
def test_arithmetic_with_a_number_becomes_rescaling(node, version, expected):
    multiply = dict(function="math.multiply") if version < "3" else {}
    model = graph(SOURCE, ("z", "TFOpLambda" if multiply else "Multiply", multiply, [node]))
    model["config"]["layers"][1]["module"] = "keras.src.ops.numpy"
    item = cleaned("m", model, version, {})["config"]["layers"][1]
    assert item["class_name"] == "Rescaling"
    assert (item["config"]["scale"], item["config"]["offset"]) == expected
    assert item["inbound_nodes"] == [[["a", 0, 0, {}]]]


def test_subtraction_from_a_number_turns_the_sign():
    model = graph(SOURCE, ("z", "Subtract", {}, [{"args": [1.0, tensor("a")], "kwargs": {}}]))
    model["config"]["layers"][1]["module"] = "keras.src.ops.numpy"
    config = cleaned("m", model, "3.1.0", {})["config"]["layers"][1]["config"]
    assert (config["scale"], config["offset"]) == (-1.0, 1.0)


WHOLE, FROM_2 = {"start": None, "stop": None, "step": None}, {"start": 2, "stop": None, "step": None}


@pytest.mark.parametrize("places, is_last", [
    ([WHOLE, -1, WHOLE], True), ([WHOLE, -1], True), ([WHOLE, 0, WHOLE], False),
    ([WHOLE, FROM_2, WHOLE], False), ([WHOLE, -1, FROM_2], False), ([WHOLE], False)])
@pytest.mark.parametrize("version", ["2.15.0", "3.1.0"])
def test_slice_that_takes_the_last_step(places, is_last, version):
    model = graph(SOURCE, ("z", "SlicingOpLambda", {"function": "__operators__.getitem"}, [
        ["a", 0, 0, {"slice_spec": places}]]))
    if version[0] == "3":
        slices = [{"class_name": "__slice__", "config": place} if isinstance(place, dict) else place
                  for place in places]
        model = graph(SOURCE, ("z", "GetItem", {}, [{"args": [tensor("a"), slices], "kwargs": {}}]))
        model["config"]["layers"][1]["module"] = "keras.src.ops.numpy"
    if is_last:
        item = cleaned("m", model, version, {})["config"]["layers"][1]
        assert item["class_name"] == "LastStep" and item["inbound_nodes"] == [[["a", 0, 0, {}]]]
    else:
        with pytest.raises(UserError, match="of slices the last step"):
            cleaned("m", model, version, {})


def of_1_15(op, constants, **masks):
    """The cleaned entry of an operator as 1.15 writes it, on the input."""
    attributes = {key: {"b": value} if isinstance(value, bool) else {"i": str(value)}
                  for key, value in masks.items()}
    model = graph(SOURCE, ("z", "TensorFlowOpLayer", {"constants": constants, "node_def": {
        "op": op, "input": ["a", "b", "c", "d"][:1 + len(constants)], "attr": attributes}},
        [[["a", 0, 0, {}]]]))
    model["config"]["layers"][1]["config"]["name"] = "other"
    return cleaned("m", model, "2.2.4-tf", {})["config"]["layers"][1]


@pytest.mark.parametrize("op, constants, expected", [
    ("AddV2", {"1": 0.5}, (1, 0.5)), ("Sub", {"0": 0.5}, (-1, 0.5)), ("Sub", {"1": 0.5}, (1, -0.5)),
    ("Mul", {"0": 3}, (3, 0)), ("RealDiv", {"1": 4.0}, (0.25, 0))])
def test_arithmetic_of_1_15_with_a_number_becomes_rescaling(op, constants, expected):
    item = of_1_15(op, constants)
    assert item["class_name"] == "Rescaling" and item["config"]["name"] == item["name"] == "z"
    assert (item["config"]["scale"], item["config"]["offset"]) == expected


def test_an_array_is_no_tensor_and_no_number():
    with pytest.raises(UserError, match="the operator AddV2 .'z'. stands between"):
        of_1_15("AddV2", {"1": [0.5, 0.5, 0.5]})


ALL_OF_3, LAST = {"begin_mask": 5, "end_mask": 5}, {"1": [0, -1, 0], "2": [0, 0, 0], "3": [1, 1, 1]}


@pytest.mark.parametrize("constants, masks, is_last", [
    (LAST, {}, True), (dict(LAST, **{"1": [0, -2, 0]}), {}, False), (LAST, {"begin_mask": 1}, False),
    (LAST, {"shrink_axis_mask": 0}, False), (dict(LAST, **{"3": [1, 1, 2]}), {}, False),
    ({"1": [0, -1], "2": [0, 0], "3": [1, 1]}, {"begin_mask": 1, "end_mask": 1}, True)])
def test_slice_of_1_15_that_takes_the_last_step(constants, masks, is_last):
    masks = dict({"shrink_axis_mask": 2, "ellipsis_mask": 0, "new_axis_mask": 0}, **dict(ALL_OF_3, **masks))
    if is_last:
        assert of_1_15("StridedSlice", constants, **masks)["class_name"] == "LastStep"
    else:
        with pytest.raises(UserError, match="of slices the last step"):
            of_1_15("StridedSlice", constants, **masks)


def of_keras_2(function, **keywords):
    model = graph(SOURCE, ("z", "TFOpLambda", {"function": function}, [["a", 0, 0, keywords]]))
    return cleaned("m", model, "2.11.0", {})["config"]["layers"][1]


def of_keras_3(kind, **config):
    model = graph(SOURCE, ("z", kind, config, [{"args": [tensor("a")], "kwargs": {}}]))
    model["config"]["layers"][1]["module"] = "keras.src.ops.nn"
    return cleaned("m", model, "3.1.0", {})["config"]["layers"][1]


@pytest.mark.parametrize("item, activation", [
    (lambda: of_1_15("Relu", {}), "relu"), (lambda: of_keras_2("nn.relu", name=None), "relu"),
    (lambda: of_keras_2("math.sigmoid"), "sigmoid"), (lambda: of_keras_3("Tanh"), "tanh"),
    (lambda: of_keras_3("Silu"), "swish")])
def test_functions_of_one_value_are_activations(item, activation):
    assert item()["class_name"] == "Activation" and item()["config"]["activation"] == activation


@pytest.mark.parametrize("item, kind", [
    (lambda: of_1_15("Mean", {"1": 1}, keep_dims=False), "Average"),
    (lambda: of_1_15("Max", {"1": [1]}, keep_dims=False), "Max"),
    (lambda: of_keras_2("math.reduce_mean", axis=1), "Average"),
    (lambda: of_keras_3("Max", axis=1, keepdims=False), "Max"),
    (lambda: of_1_15("Mean", {"1": 2}, keep_dims=False), None),
    (lambda: of_1_15("Mean", {"1": 1}, keep_dims=True), None),
    (lambda: of_keras_2("math.reduce_mean", axis=-1), None), (lambda: of_keras_2("math.reduce_max"), None),
    (lambda: of_keras_3("Mean", axis=1, keepdims=True), None)])
def test_the_mean_and_the_largest_over_the_steps_are_global_pooling(item, kind):
    if kind:
        assert item()["class_name"] == "Global%sPooling1D" % kind
        assert item()["inbound_nodes"] == [[["a", 0, 0, {}]]]
    else:
        with pytest.raises(UserError, match="the operator .* over the steps mean and max"):
            item()
