"""Keras models from every kind of file, and what hostile or damaged ones cost: one sentence."""
import json
import os
import random
import zipfile

import h5py
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.files.arrays import native
from kit.network.files.clean import cleaned
from kit.network.files.keras_file import digest, read_keras
from kit.network.files.lambdas import arithmetic, replacements
from network.test_description import C, UNITS, dense, functional, layer, lstm, write

DAMAGES = (1, 2, 3, 4, 5, 27, 53)  # ways to spoil a file; the last two end HDF5 1.10 by a signal


def entry(item, version="2.11.0", lambdas=None):
    """The cleaned entry of a Sequential's only layer."""
    model = {"class_name": "Sequential", "config": {"layers": [item]}}
    return cleaned("m.h5", model, version, lambdas or {})["config"]["layers"][0]


def graph(*layers, inputs="a", outputs="z"):
    """A functional description: (name, kind, config, inbound nodes)."""
    return {"class_name": "Functional", "config": {
        "name": "m", "input_layers": [[inputs, 0, 0]], "output_layers": [[outputs, 0, 0]],
        "layers": [{"class_name": kind, "name": name, "config": dict(config, name=name),
                    "inbound_nodes": nodes} for name, kind, config, nodes in layers]}}


SOURCE = ("a", "InputLayer", {"batch_shape": [None, 5, C]}, [])


def tensor(name):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


# --- in 1.15's words --------------------------------------------------------------------------


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


# --- Lambda -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text, expected", [
    ("x", (1, 0)), ("x / 255", (1 / 255, 0)), ("2 * x - 1", (2, -1)), ("-(x + 1) * 3", (-3, -3)),
    ("0.5", (0, 0.5)), ("1 - x", (-1, 1))])
def test_arithmetic_of_a_lambda(text, expected):
    assert arithmetic(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["x * x", "1 / x", "f(x)", "x[0]", "x[:, 0]", "x +", "x / 0",
                                  "__import__('os')"])
def test_lambda_that_is_no_line_is_refused_and_never_run(text):
    with pytest.raises(UserError, match="an activation's name, a number, "):
        arithmetic(text)


@pytest.mark.parametrize("text", ["x[:, -1, :]", "x[:,-1]", "x[:, -1, ...]"])
def test_lambda_that_takes_the_last_step(text):
    assert entry(layer("Lambda"), lambdas={"odd": text})["class_name"] == "LastStep"


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


def test_lambda_is_what_the_person_says():
    assert entry(layer("Lambda"), lambdas=replacements(["odd=tanh"])) == {
        "class_name": "Activation", "config": {"name": "odd", "activation": "tanh",
                                               "dtype": "float32"}}
    config = entry(layer("Lambda", batch_input_shape=[None, 5, C]), lambdas={"odd": "0.5"})["config"]
    assert (config["scale"], config["offset"], config["batch_input_shape"]) == (
        0.5, 0, [None, 5, C])
    with pytest.raises(UserError, match="give NAME=WHAT"):
        replacements(["odd"])


# --- weights ----------------------------------------------------------------------------------


def weights_file(path, names=("lstm", "dense")):
    """Weights alone, as model.save_weights writes them in .h5."""
    shapes = {names[0]: [(C, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)],
              names[1]: [(UNITS, 2), (2,)]}
    with h5py.File(str(path), "w") as file:
        file.attrs["layer_names"] = [np.bytes_(name) for name in names]
        for name, arrays in shapes.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [np.bytes_("w%d" % k) for k in range(len(arrays))]
            for k, shape in enumerate(arrays):
                group["w%d" % k] = np.full(shape, k, np.float32)
    return str(path)


def architecture(path, *layers):
    layers = layers or (lstm(use_bias=True), layer("Dropout", "drop"), dense(use_bias=True))
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers},
                                "keras_version": "2.2.4-tf"}))
    return str(path)


@pytest.mark.parametrize("names", [("lstm", "dense"), ("lstm_7", "dense_3")])
def test_weights_find_their_layers_by_name_or_in_order(tmp_path, names):
    weights, model = weights_file(tmp_path / "w.h5", names), architecture(tmp_path / "m.json")
    for file in (read_keras(weights, architecture=model), read_keras(model, weights=weights)):
        assert {name: [a.shape for a in arrays] for name, arrays in file.arrays.items()} == {
            "lstm": [(C, 16), (UNITS, 16), (16,)], "drop": [], "dense": [(UNITS, 2), (2,)]}
    assert digest(*file.sources) != digest(model)


def test_half_of_a_model_says_which_half_is_missing(tmp_path):
    with pytest.raises(UserError, match="weights alone.*--architecture model.json"):
        read_keras(weights_file(tmp_path / "w.h5"))
    with pytest.raises(UserError, match="architecture without weights.*--weights weights.h5"):
        read_keras(architecture(tmp_path / "m.json"))
    with pytest.raises(UserError, match="weights of 2 layers .*architecture has 1 layer with w"):
        read_keras(weights_file(tmp_path / "w.h5"),
                   architecture=architecture(tmp_path / "n.json", dense(use_bias=True)))


@pytest.mark.parametrize("kind, gates", [("LSTM", 4), ("GRU", 3)])
def test_cudnn_arrays_are_those_of_the_plain_layer(kind, gates):
    """One gate of one unit and two inputs, worked by hand; CuDNN sums two biases."""
    rng = np.random.Generator(np.random.PCG64(0))
    kernel, recurrent = rng.normal(0, 1, (2, 3 * gates)), rng.normal(0, 1, (3, 3 * gates))
    bias = rng.normal(0, 1, 6 * gates)
    item = entry(layer("CuDNN" + kind, units=3))
    assert item["class_name"] == kind and item["config"]["recurrent_activation"] == "sigmoid"
    found = native(item, [kernel, recurrent, bias])
    first = kernel[:, :3]  # (2, 3) holds the matrix (3, 2) of CuDNN row by row
    assert found[0][:, :3] == pytest.approx(first.ravel().reshape(3, 2).T)
    assert found[1][:, :3] == pytest.approx(recurrent[:, :3].T)
    halves = bias.reshape(2, -1)
    assert found[2] == pytest.approx(halves.sum(0) if kind == "LSTM" else halves)


# --- damaged and hostile files ----------------------------------------------------------------


def damaged(whole, k):
    """The k-th way to spoil a file: some bytes changed, perhaps the end missing."""
    rng, data = random.Random(k), bytearray(whole)
    for _ in range(rng.choice([1, 4, 30])):
        data[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
    return bytes(data[:rng.choice([len(data)] * 3 + [rng.randrange(len(data))])])


def test_damaged_files_are_read_or_refused(tmp_path):
    """The HDF5 library dies on some of them; the reader's own process does not."""
    whole, died = open(write(tmp_path / "m.h5", [lstm(), dense()]), "rb").read(), 0
    for k in DAMAGES:
        (tmp_path / "x.h5").write_bytes(damaged(whole, k))
        try:
            read_keras(str(tmp_path / "x.h5"))
        except UserError as error:
            died += "the HDF5 library cannot read it" in str(error)
            assert str(tmp_path) in str(error) and "\n" not in str(error)
    assert died


def declared(path, shape, **options):
    """An .h5 whose one weight has this shape and holds nothing of it."""
    write(path, [lstm(), dense()])
    with h5py.File(str(path), "a") as file:
        del file["model_weights/dense/dense/0:0"]
        file["model_weights/dense"].create_dataset("dense/0:0", shape, "f4", **options)
    return str(path)


@pytest.mark.parametrize("shape, options", [
    ((1 << 40,), {}), ((1 << 20, 1 << 30), {}),
    ((1 << 36,), {"chunks": (1 << 20,), "compression": "gzip"}),
])
def test_sizes_are_checked_before_reading(tmp_path, shape, options):
    with pytest.raises(UserError, match="larger than what the file holds"):
        read_keras(declared(tmp_path / "m.h5", shape, **options))


def test_compressed_zeros_are_not_unpacked(tmp_path):
    path = declared(tmp_path / "m.h5", (1 << 24,), chunks=(1 << 20,), compression="gzip")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/dense/0:0"][:] = 0
    assert os.path.getsize(path) < 200000
    with pytest.raises(UserError, match="larger than what the file holds"):
        read_keras(path)


def test_weights_in_another_file_are_not_followed(tmp_path):
    path, other = declared(tmp_path / "m.h5", (1,)), write(tmp_path / "o.h5", [lstm()])
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/0:0"]
        file["model_weights/dense/dense/0:0"] = h5py.ExternalLink(other, "model_weights/lstm/lstm/0:0")
    with pytest.raises(UserError, match="'dense/0:0' are not in this file"):
        read_keras(path)


def keras_zip(path, **members):
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return str(path)


@pytest.mark.parametrize("members, said", [
    ({}, "no config.json in this zip"),
    ({"config__json": "{", "metadata__json": "{}"}, "damaged"),
    ({"config__json": "[" * 100000, "metadata__json": "{}"}, "config.json is damaged"),
    ({"config__json": " " * (1 << 27)}, "config.json says that it is 134217728 bytes"),
    ({"config__json": "{}", "metadata__json": "{}", "model__weights__h5": b"\0" * (1 << 24)},
     "model.weights.h5 says that it is"),
    ({"config__json": "{}", "metadata__json": "{}"}, "no model.weights.h5.*save the model as .h5"),
    ({"config__json": "{}", "metadata__json": "{}", "model__weights__h5": os.urandom(999)},
     "model.weights.h5.: not a Keras .h5 file, or damaged"),
])
def test_hostile_keras_zip(tmp_path, members, said):
    with pytest.raises(UserError, match=said) as error:
        read_keras(keras_zip(tmp_path / "m.keras", **members))
    assert "\n" not in str(error.value)


def test_truncated_keras_zip(tmp_path):
    path = keras_zip(tmp_path / "m.keras", config__json="{}")
    (tmp_path / "cut.keras").write_bytes(open(path, "rb").read()[:60])
    with pytest.raises(UserError, match="cut.keras: damaged"):
        read_keras(str(tmp_path / "cut.keras"))


@pytest.mark.parametrize("text", [
    "{}", "[]", "{", "[" * 100000, '{"class_name": "Sequential"}', '"text"',
    '{"class_name": "Sequential", "config": {"layers": [{}]}}',
    '{"class_name": "Sequential", "config": {"layers": 7}}',
    '{"class_name": "Model", "config": {"layers": [], "input_layers": 3, "output_layers": []}}',
])
def test_architecture_that_is_none_costs_one_sentence(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UserError, match="m.json: .*(damaged|not the architecture)") as error:
        read_keras(weights_file(tmp_path / "w.h5"), architecture=str(tmp_path / "m.json"))
    assert "\n" not in str(error.value)


def test_model_nested_without_end_costs_one_sentence(tmp_path):
    item = dense()
    for _ in range(300):
        item = {"class_name": "Sequential", "config": {"name": "s", "layers": [item]}}
    with pytest.raises(UserError, match="damaged|weights of 2 layers"):
        read_keras(weights_file(tmp_path / "w.h5"), architecture=architecture(
            tmp_path / "m.json", item))


def test_functional_file_is_read_as_one(tmp_path):
    config = functional([[["in", 0, 0, {}]]])
    file = read_keras(write(tmp_path / "m.h5", None, version="2.15.0", config=dict(
        config, class_name="Functional")))
    assert file.description["class_name"] == "Model" and set(file.arrays) == {"in", "lstm", "dense"}


def test_names_that_1_15_does_not_allow_are_replaced(tmp_path):
    layers = (lstm("my layer", use_bias=True), dense("_out", use_bias=True),
              layer("Dropout", "layer_out"))
    file = read_keras(weights_file(tmp_path / "w.h5", ("my layer", "_out")),
                      architecture=architecture(tmp_path / "m.json", *layers))
    assert list(file.arrays) == ["my_layer", "layer_out_", "layer_out"]
    assert [item["config"]["name"] for item in file.description["config"]["layers"]] == list(
        file.arrays)


def test_lists_of_names_that_keras_cut_into_pieces(tmp_path):
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"lstm"], [b"dense"]
        names = file["lstm"].attrs["weight_names"]
        del file["lstm"].attrs["weight_names"]
        file["lstm"].attrs["weight_names0"] = names[:2]
        file["lstm"].attrs["weight_names1"] = names[2:]
    found = read_keras(path, architecture=architecture(tmp_path / "m.json")).arrays
    assert [len(arrays) for arrays in found.values()] == [3, 0, 2]


def test_weights_of_a_model_on_several_gpus_are_one_layer(tmp_path):
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        for name in ("lstm", "dense"):
            file.move(name, "sequential_1/" + name)
        file.attrs["layer_names"] = [b"lambda", b"sequential_1"]
        file.create_group("lambda")
        file["sequential_1"].attrs["weight_names"] = [b"lstm/w0", b"lstm/w1", b"lstm/w2",
                                                      b"dense/w0", b"dense/w1"]
    found = read_keras(path, architecture=architecture(tmp_path / "m.json")).arrays
    assert [len(arrays) for arrays in found.values()] == [3, 0, 2]


@pytest.mark.parametrize("write_it", [
    lambda model: ("m.json", json.dumps(json.dumps(model))),
    lambda model: ("m.json", json.dumps(model["config"])),
    lambda model: ("m.yaml", "class_name: Sequential\nconfig: !!python/tuple\n" + "".join(
        "- %s\n" % json.dumps(item) for item in model["config"]["layers"])),
])
def test_architectures_as_people_keep_them(tmp_path, write_it):
    model = json.loads(open(architecture(tmp_path / "first.json")).read())
    name, text = write_it(model)
    (tmp_path / name).write_text(text)
    found = read_keras(weights_file(tmp_path / "w.h5"), architecture=str(tmp_path / name)).arrays
    assert [len(arrays) for arrays in found.values()] == [3, 0, 2]


@pytest.mark.parametrize("text", [
    "a: &a [x, x]\nb: [*a, *a]", "!!python/object/apply:os.system ['true']", "a: [", "7"])
def test_yaml_makes_nothing_but_data(tmp_path, text):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(UserError, match="not the architecture of a Keras model"):
        read_keras(weights_file(tmp_path / "w.h5"), architecture=str(tmp_path / "m.yaml"))


def test_file_of_keras_1_says_the_way(tmp_path):
    with pytest.raises(UserError, match="written by Keras 1.2.2.*load it once with Keras 2"):
        read_keras(write(tmp_path / "m.h5", [lstm(), dense()], version="1.2.2"))


def keras_3_weights(path, top="layers", slash="/", numbers=(0, 1)):
    """.weights.h5 with branches called after classes: two LSTM cells with their place as values."""
    with h5py.File(str(path), "w") as file:
        for k, number in enumerate(numbers):
            branch = slash.join([top, "lstm" + "_%d" % number * bool(number), "cell"])
            for place, shape in enumerate([(C, 16), (UNITS, 16), (16,)]):
                file["%s/vars/%d" % (branch, place)] = np.full(shape, k, np.float32)
        file["optimizer/vars/0"] = np.zeros(3, np.float32)
    return str(path)


@pytest.mark.parametrize("options", [
    {}, {"slash": "\\"}, {"top": "_layer_checkpoint_dependencies"},
    {"top": "_layer_checkpoint_dependencies", "slash": "\\"}, {"numbers": (0, 2)},
    {"numbers": (2, 10)}])
def test_trees_of_weights_as_versions_and_systems_write_them(tmp_path, options):
    layers = [lstm("first", use_bias=True), layer("Dropout", "d"), lstm("second", use_bias=True)]
    found = read_keras(keras_3_weights(tmp_path / "m.weights.h5", **options),
                       architecture=architecture(tmp_path / "m.json", *layers)).arrays
    assert [[(array.shape, array.max()) for array in arrays] for arrays in found.values()] == [
        [((C, 16), 0), ((UNITS, 16), 0), ((16,), 0)], [],
        [((C, 16), 1), ((UNITS, 16), 1), ((16,), 1)]]
