"""Descriptions of any Keras in the words of 1.15, and a sentence for what 1.15 cannot mean."""
import pytest

from kit.base.cli import UserError
from kit.network.files.clean import cleaned
from keras_files import C, SOURCE, dense, entry, graph, layer, lstm, tensor


def test_what_does_nothing_at_inference_is_left_out_whatever_its_class():
    odd = {"class_name": "Mine>Odd", "module": "mine", "config": {}}
    config = entry(dense(kernel_constraint=odd, bias_regularizer=odd, kernel_initializer=odd,
                         activity_regularizer=odd, quantization_config=None))["config"]
    assert config == {"name": "dense", "units": 2, "activation": "linear", "dtype": "float32"}


@pytest.mark.parametrize("version, said", [("2.15.0", "hard_sigmoid"), ("3.4.1", "hard_sigmoid_3")])
def test_hard_sigmoid_of_keras_3_is_another_function(version, said):
    config = entry(lstm(recurrent_activation="hard_sigmoid"), version)["config"]
    assert config["recurrent_activation"] == said


def test_names_that_changed():
    assert entry(layer("LeakyReLU", negative_slope=0.1))["config"]["alpha"] == 0.1
    shape = entry(layer("InputLayer", batch_shape=[None, 5, C], optional=False))["config"]
    assert shape["batch_input_shape"] == [None, 5, C] and "optional" not in shape
    swish = {"class_name": "function", "config": "silu", "module": "builtins"}
    assert entry(dense(activation=swish))["config"]["activation"] == "swish"


def test_types_are_float32_but_for_inputs():
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    assert entry(dense(dtype=policy))["config"]["dtype"] == "float32"
    assert entry(layer("InputLayer", dtype="int32"))["config"]["dtype"] == "int32"


def test_backward_layer_that_only_mirrors_is_left_out():
    backward = lstm("back", go_backwards=True)
    both = layer("Bidirectional", layer=lstm("fore", go_backwards=False), backward_layer=backward)
    assert "backward_layer" not in entry(both)["config"]
    backward["config"]["units"] = 7
    assert entry(both)["config"]["backward_layer"]["config"]["units"] == 7


def test_connections_of_keras_3_in_the_words_of_1_15():
    config = cleaned("m.keras", graph(
        SOURCE, ("h", "Dense", {}, [{"args": [tensor("a")], "kwargs": {}}]),
        ("r", "LSTM", {}, [{"args": [tensor("a")], "kwargs": {
            "initial_state": [tensor("h"), tensor("h")], "training": False, "mask": None}}]),
        ("z", "Concatenate", {}, [{"args": [[tensor("r"), tensor("h")]], "kwargs": {}}])),
        "3.1.0", {})["config"]
    nodes = {item["name"]: item["inbound_nodes"] for item in config["layers"]}
    assert nodes["r"] == [[["a", 0, 0, {}], ["h", 0, 0, {}], ["h", 0, 0, {}]]]
    assert nodes["z"] == [[["r", 0, 0, {}], ["h", 0, 0, {}]]]


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
    attributes = {key: {"i": str(value)} for key, value in masks.items()}
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


@pytest.mark.parametrize("item, said", [
    (layer("Conv1D", groups=2), "layer 'odd' has groups=2, which 1.15 does not know"),
    (dense(dtype={"class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}}),
     "layer 'dense' was quantized .int8_from_float32.; convert the model as it was before"),
    (layer("Lambda"), "layer 'odd' is a Lambda layer.*not run here.*--replace-lambda odd=tanh"),
])
def test_what_1_15_cannot_mean_is_a_sentence(item, said):
    with pytest.raises(UserError, match=said):
        entry(item)


@pytest.mark.parametrize("item, said", [
    (layer("RepeatVector", n=10 ** 9), "layer 'odd' has n=1000000000; whole numbers from 1 to"),
    (layer("RepeatVector", n=-3), "has n=-3"), (layer("RepeatVector", n=2.5), "has n=2.5"),
    (layer("RepeatVector", n="7"), "has n=7"), (layer("UpSampling1D", size=0), "has size=0"),
    (layer("ZeroPadding1D", padding=[0, 10 ** 9]), "has padding=.0, 1000000000."),
    (lstm(batch_input_shape=[None, 10 ** 9, C]), "has batch_input_shape=.None, 1000000000, 3."),
])
def test_size_that_is_none_is_named_before_anything_is_made(item, said):
    with pytest.raises(UserError, match=said):
        entry(item)
    assert entry(layer("Conv1D", padding="same", kernel_size=[3]))


@pytest.mark.parametrize("layers, said", [
    ([("z", "Dropout", {"rate": 0.5}, [[["a", 0, 0, {"training": True}]]])],
     "layer 'z' is called with training=True"),
    ([("y", "Dense", {}, [[["z", 0, 0, {}]]]), ("z", "Dense", {}, [[["y", 0, 0, {}]]])],
     "'y' waits for what is not there, or for itself"),
    ([("z", "Dense", {}, [[["nobody", 0, 0, {}]]])], "'z' waits for what is not there"),
    ([("z", "TFOpLambda", {"function": "math.sin"}, [[["a", 0, 0, {}]]])],
     "the operator math.sin .'z'. stands between the layers"),
])
def test_graphs_that_cannot_be(layers, said):
    with pytest.raises(UserError, match=said):
        cleaned("m.h5", graph(SOURCE, *layers), "2.11.0", {})


def test_model_that_is_code_says_so():
    with pytest.raises(UserError, match="a class of its own .MyModel.*Python code"):
        cleaned("m", {"class_name": "MyModel", "config": {"units": 3}}, "3.1.0", {})


def test_model_of_keras_1_says_the_way():
    with pytest.raises(UserError, match="written by Keras 1.2.2.*load it once with Keras 2"):
        entry(dense(), version="1.2.2")
