"""Models as Keras 2 and 3 write them, against what those compute (make_newer_files.py made both)."""
import os
import zipfile

import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.network.files.keras_file import read_keras
from kit.record.samples import Samples
from kit.runtime.interpreter import Model

pytestmark = pytest.mark.slow
STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "newer_files.zip")
T = 6
MODELS = ("functional", "nested", "lstm", "gru", "gru_before", "rnn", "bidirectional",
          "hard_sigmoid", "cells", "activations", "stacked_cells", "convolution", "embedding",
          "arithmetic", "normalised", "last_step")
WHOLE = [keras + "_" + name + ending for keras, ending in (("2", ".h5"), ("3", ".keras"))
         for name in MODELS]
FORMATS = [keras + "_" + name + ending for name in ("functional", "nested") for keras, ending in (
    ("3", ".h5"), ("3", ".weights.h5"), ("2", ".keras"), ("2", ".weights.h5"), ("2", "_flat.h5"),
    ("2", "_checkpoint"), ("2", "_checkpoint.index"), ("2", "_saved_model"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newer")
    with zipfile.ZipFile(STORED) as file:
        file.extractall(str(folder))
    return str(folder)


def opened(folder, name):
    """(KerasFile, inputs, outputs) of a stored model."""
    keras, model = name[0], max((m for m in MODELS if name[2:].startswith(m)), key=len)
    alone = any(word in name for word in (".weights.", "_flat", "_checkpoint"))
    computed = np.load(os.path.join(folder, keras + ".npz"))
    file = read_keras(os.path.join(folder, name), architecture=os.path.join(
        folder, "%s_%s.json" % (keras, model)) if alone else None)
    return file, computed[model + ".x"], computed[model + ".y"]


@pytest.mark.parametrize("name", WHOLE + FORMATS)
def test_model_built_in_1_15_computes_what_its_keras_computed(folder, name):
    from kit.network.files.build import built

    file, x, y = opened(folder, name)
    assert y.std() > 0.01
    assert np.abs(built(file).predict(x) - y).max() < 1e-6


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


# --- what 1.15 itself writes ------------------------------------------------------------------


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    """(folder, model.h5) of a small model of 1.15."""
    from keras_models import save_forecaster

    folder = tmp_path_factory.mktemp("own")
    return folder, save_forecaster(folder / "model.h5")


def same_model(file, path):
    from kit.network.files.build import built
    from kit.tf.tf115 import load_keras

    x = np.random.Generator(np.random.PCG64(0)).standard_normal((4, T, 3), np.float32)
    expected = load_keras(path).predict(x)
    return np.abs(built(file).predict(x) - expected).max() == 0


@pytest.mark.parametrize("kind", ["export", "tf", "checkpoint"])
def test_folders_of_1_15(forecaster, kind):
    from kit.tf.tf115 import load_keras, tf

    folder, path = forecaster
    model, out, more = load_keras(path), str(folder / kind), {}
    if kind == "export":
        tf.keras.experimental.export_saved_model(model, out)
    elif kind == "tf":
        model.save(out, save_format="tf")
    else:
        model.save_weights(out, save_format="tf")
        (folder / "model.json").write_text(model.to_json())
        more = {"architecture": str(folder / "model.json")}
    assert same_model(read_keras(out, **more), path)


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
    assert [item.kind for item in read_network(str(tmp_path / "m.h5")).layers] == ["LSTM", "Dense"]


def test_saved_model_of_a_function_has_no_layers(tmp_path):
    from kit.tf.tf115 import session, tf

    with tf.Graph().as_default(), session() as run:
        x = tf.compat.v1.placeholder(tf.float32, (None, 3))
        w = tf.compat.v1.get_variable("w", (3, 2))
        y = tf.matmul(x, w, name="y")
        run.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(run, str(tmp_path / "sm"), {"x": x}, {"y": y})
        tf.compat.v1.train.Saver().save(run, str(tmp_path / "model.ckpt"))
        definition = tf.compat.v1.graph_util.convert_variables_to_constants(
            run, run.graph_def, ["y"])
    (tmp_path / "frozen.pb").write_bytes(definition.SerializeToString())
    for name in ("sm", "sm/saved_model.pb", "model.ckpt", "model.ckpt.meta", "frozen.pb"):
        with pytest.raises(UserError, match="no description of layers.*From a checkpoint"):
            read_keras(str(tmp_path / name))


@pytest.mark.parametrize("cut", ["variables.index", "variables.data*"])
def test_folder_that_is_not_whole_costs_one_sentence(forecaster, tmp_path, cut):
    from kit.tf.tf115 import load_keras

    load_keras(forecaster[1]).save(str(tmp_path / "sm"), save_format="tf")
    place = max((tmp_path / "sm" / "variables").glob(cut), key=lambda path: path.stat().st_size)
    data = place.read_bytes()
    for left in (data[:len(data) // 2], None):
        place.write_bytes(left) if left is not None else place.unlink()
        with pytest.raises(UserError, match="damaged|not whole|No such") as error:
            read_keras(str(tmp_path / "sm"))
        assert "\n" not in str(error.value)


def test_recipe_for_a_checkpoint_gives_the_model_of_the_graph(tmp_path):
    """The Python block of docs/converting.md, run on what BasicLSTMCell and dense leave."""
    import re
    import subprocess
    import sys

    from conftest import ROOT
    from kit.network.files.build import built
    from kit.tf.tf115 import session, tf

    rng = np.random.Generator(np.random.PCG64(0))
    windows = rng.standard_normal((5, T, 3), np.float32)
    with tf.Graph().as_default(), session() as run:
        x = tf.compat.v1.placeholder(tf.float32, (None, T, 3))
        cell = tf.compat.v1.nn.rnn_cell.BasicLSTMCell(4)
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        y = tf.compat.v1.layers.dense(outputs[:, -1], 2)
        run.run(tf.compat.v1.global_variables_initializer())
        for variable in tf.compat.v1.global_variables():
            variable.load(rng.standard_normal(variable.shape.as_list(), np.float32), run)
        tf.compat.v1.train.Saver().save(run, str(tmp_path / "model.ckpt"))
        expected = run.run(y, {x: windows})
    with open(os.path.join(ROOT, "docs", "converting.md")) as file:
        block, = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
    subprocess.run([sys.executable, "-c", block], cwd=str(tmp_path), check=True,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = built(read_keras(str(tmp_path / "model.h5"))).predict(windows)
    assert np.abs(found - expected).max() < 1e-6


def test_stored_outputs_are_held_against_the_reference(folder, tmp_path):
    from kit.network.expected import check_expected

    file, x, y = opened(folder, "3_functional.keras")
    samples = Samples(x, T, False)
    np.save(str(tmp_path / "right.npy"), y)
    check_expected(str(tmp_path / "right.npy"), file, samples)
    np.savez(str(tmp_path / "right.npz"), out=y)
    check_expected(str(tmp_path / "right.npz"), file, samples)
    for name, values, said in (("other", y + 1e-4, "differs from these outputs by 0.0001, more"),
                               ("wide", y[:, :1], "where the model gives .5, 2."),
                               ("long", np.repeat(y, 2, 0), "where the model gives .5, 2."),
                               ("none", y[:0], "a row for each window"),
                               ("nan", y * np.nan, "differs from these outputs by nan"),
                               ("text", np.array(["a"]), "outputs as numbers are needed")):
        np.save(str(tmp_path / (name + ".npy")), values)
        with pytest.raises(UserError, match=said):
            check_expected(str(tmp_path / (name + ".npy")), file, samples)
    (tmp_path / "bad.npz").write_bytes(b"PK\3\4 and no more")
    for name, said in (("bad.npz", "not a .npy or .npz file"), ("gone.npy", "No such file")):
        with pytest.raises(UserError, match=said):
            check_expected(str(tmp_path / name), file, samples)


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
