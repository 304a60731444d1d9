"""Keras models from every kind of file: as their Keras wrote them, as people keep them, damaged."""
import argparse
import hashlib
import json
import os

import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.network.files.keras_file import add_arguments, digest, read_asked, read_keras
from kit.runtime.interpreter import Model
from keras_files import architecture, dense, functional, layer, lstm, weights_file, write
from network.newer_files import T, WHOLE, opened


def test_weights_and_architecture_from_two_files_in_either_order(tmp_path):
    weights, model = weights_file(tmp_path / "w.h5"), architecture(tmp_path / "m.json")
    for file in (read_keras(weights, architecture=model), read_keras(model, weights=weights)):
        assert {name: len(arrays) for name, arrays in file.arrays.items()} == {
            "lstm": 3, "drop": 0, "dense": 2}
        assert set(file.sources) == {weights, model}


def test_the_digest_of_one_file_is_its_hash_and_of_several_one_of_all(tmp_path):
    for name, text in (("a.h5", "a"), ("ck.index", "i"), ("ck.data-00000-of-00001", "d"), ("ck2", "x")):
        (tmp_path / name).write_text(text)
    a, ck = str(tmp_path / "a.h5"), str(tmp_path / "ck")
    hashes = {text: hashlib.sha256(text.encode()).hexdigest() for text in "aid"}

    def of_all(texts):
        return hashlib.sha256("".join(hashes[text] for text in texts).encode()).hexdigest()

    assert digest(a) == hashes["a"]
    assert digest(ck) == of_all("di") and digest(a, ck) == of_all("adi")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "1").write_text("i")
    (tmp_path / "folder" / "2").write_text("a")
    assert digest(str(tmp_path / "folder")) == of_all("ai")


@pytest.mark.parametrize("name, said", [
    ("m.tflite", "is converted already; a Keras model is needed"),
    ("frozen.pb", "a frozen graph holds operators and arrays, and no description of layers"),
    ("m.txt", "not a Keras file, or damaged; .h5, .keras, a SavedModel folder")])
def test_files_of_other_kinds_say_what_is_needed(tmp_path, name, said):
    (tmp_path / name).write_text("no model")
    with pytest.raises(UserError, match=name + ": .*" + said):
        read_keras(str(tmp_path / name))
    with pytest.raises(UserError, match="gone.h5: No such file"):
        read_keras(str(tmp_path / "gone.h5"))


def test_options_of_scripts_reach_the_reader(tmp_path):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    model = architecture(tmp_path / "m.json", lstm(use_bias=True), layer("Lambda", "act"),
                         dense(use_bias=True))
    args = parser.parse_args(["--architecture", model, "--replace-lambda", "act=tanh"])
    file = read_asked(weights_file(tmp_path / "w.h5"), args)
    assert [item["class_name"] for item in file.description["config"]["layers"]] == [
        "LSTM", "Activation", "Dense"]


def test_half_of_a_model_says_which_half_is_missing(tmp_path):
    with pytest.raises(UserError, match="weights alone.*--architecture model.json"):
        read_keras(weights_file(tmp_path / "w.h5"))
    with pytest.raises(UserError, match="architecture without weights.*--weights weights.h5"):
        read_keras(architecture(tmp_path / "m.json"))


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WHOLE if name[0] == "3"] + [
    "2_functional.h5", "2_nested_saved_model", "2_gru_before.h5", "2_hard_sigmoid.h5",
    "2_arithmetic.h5", "2_last_step.h5"])
def test_converted_model_computes_what_its_keras_computed(folder, tmp_path, name):
    _, x, y = opened(folder, name)
    np.save(str(tmp_path / "x.npy"), np.repeat(x, 20, 0))
    np.save(str(tmp_path / "y.npy"), np.repeat(y, 20, 0))
    out = str(tmp_path / "window_float32.tflite")
    convert.main([os.path.join(folder, name), "--validation", str(tmp_path / "x.npy"),
                  "--expected", str(tmp_path / "y.npy"), "-o", out])
    with open(out, "rb") as file:
        model = Model(file.read(), "tensorflow")
    given = x.astype(np.int32) if "embedding" in name else x
    assert np.abs(model.predict(given) - y).max() < 1e-5


@pytest.mark.slow
def test_custom_things_in_a_file_of_1_15_do_nothing(tmp_path):
    from kit.tf.tf115 import load_keras, tf

    class Odd(tf.keras.constraints.Constraint):
        def __call__(self, w):
            return w

    tf.keras.backend.clear_session()
    layers = tf.keras.layers
    model = tf.keras.Sequential([
        layers.LSTM(3, kernel_constraint=Odd(), input_shape=(T, 2)), layers.Dense(1)])
    model.compile("adam", lambda true, predicted: true - predicted)
    model.save(str(tmp_path / "m.h5"))
    with pytest.raises(UserError, match="cannot load"):
        load_keras(str(tmp_path / "m.h5"))
    assert [item.class_name for item in read_network(str(tmp_path / "m.h5")).layers] == ["LSTM", "Dense"]


@pytest.mark.slow
def test_scripts_take_weights_with_their_architecture(folder, tmp_path):
    import freeze

    computed = np.load(os.path.join(folder, "3.npz"))
    np.save(str(tmp_path / "x.npy"), np.repeat(computed["functional.x"], 20, 0))
    np.save(str(tmp_path / "y.npy"), np.repeat(computed["functional.y"], 20, 0))
    model = [os.path.join(folder, "3_functional.weights.h5"), "--architecture",
             os.path.join(folder, "3_functional.json"), "--expected", str(tmp_path / "y.npy")]
    freeze.main(model + ["--form", "step", "--windows", str(tmp_path / "x.npy"),
                         "--out", str(tmp_path)])
    out = str(tmp_path / "step_float32.tflite")
    convert.main(model + ["--validation", str(tmp_path / "x.npy"), "-o", out])
    written = open(out, "rb").read()
    convert.main([str(tmp_path / "step.pb"), "--keras"] + model + [
        "--validation", str(tmp_path / "x.npy"), "-o", out])
    assert open(out, "rb").read() == written
