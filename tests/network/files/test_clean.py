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
