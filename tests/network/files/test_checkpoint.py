"""SavedModel folders and checkpoints of 1.15 itself; those without layers, and those not whole."""
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from kit.base.cli import UserError
from kit.network.files import checkpoint
from kit.network.files.keras_file import read_keras
from network.newer_files import T


def field(number, content):
    """One field of a protobuf message: bytes, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    more = [value >> shift & 127 | 128 for shift in range(7, 64, 7) if value >> shift]
    low = [value & 127 | (128 if more else 0)] + more
    return bytes(low[:-1] + [low[-1] & 127])


def metadata(path, description):
    """keras_metadata.pb as Keras 2.5 to 2.15 write it; its class is not in 1.15."""
    nodes = [field(3, name) + field(5, json.dumps(content).encode()) + field(2, 300)
             for name, content in ((b"root.layer-0", {}), (b"root", description))]
    (path / "keras_metadata.pb").write_bytes(b"".join(field(1, node) for node in nodes))
    return path


@pytest.fixture
def no_arrays(monkeypatch):
    """Reads descriptions alone, without TensorFlow."""
    monkeypatch.setattr(checkpoint, "_tree", lambda prefix: prefix)


def test_the_description_in_a_folder_of_newer_kerases(tmp_path, no_arrays):
    shape = {"class_name": "TensorShape", "items": [None, 5, {"class_name": "__tuple__", "items": [1]}]}
    stored = checkpoint.read_folder(str(metadata(tmp_path, {
        "class_name": "Sequential", "keras_version": "2.11.0",
        "config": {"name": "a name longer than 127 bytes " * 9, "build_input_shape": shape}})))
    assert stored.description["config"]["build_input_shape"] == [None, 5, [1]]
    assert stored.version == "2.11.0"
    assert stored.tree == str(tmp_path / "variables" / "variables")


@pytest.mark.parametrize("description, said", [
    ({"class_name": "Function"}, "this SavedModel holds operators and arrays, and no description"),
    ([1], "no description of layers")])
def test_a_folder_without_layers_says_the_way(tmp_path, no_arrays, description, said):
    with pytest.raises(UserError, match=said):
        checkpoint.read_folder(str(metadata(tmp_path, description)))


@pytest.mark.parametrize("data, said", [
    (b"\x0a", "damaged"), (b"\xff" * 11, "damaged"), (b"\x0d\0", "damaged"), (b"", "no description of the"),
    (field(1, field(3, b"root") + field(5, b"{")), "description in this folder is damaged")])
def test_damaged_metadata_costs_one_sentence(tmp_path, no_arrays, data, said):
    (tmp_path / "keras_metadata.pb").write_bytes(data)
    with pytest.raises(UserError, match=said) as error:
        checkpoint.read_folder(str(tmp_path))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_every_way_to_name_a_checkpoint(tmp_path):
    for ending in (".index", ".data-00000-of-00001", ".meta"):
        (tmp_path / ("model.ckpt" + ending)).write_bytes(b"")
    prefix = str(tmp_path / "model.ckpt")
    for ending in ("", ".index", ".data-00000-of-00001", ".meta"):
        assert checkpoint.checkpoint_prefix(prefix + ending) == prefix
    assert checkpoint.checkpoint_prefix(str(tmp_path)) is None
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt"\n')
    assert checkpoint.checkpoint_prefix(str(tmp_path)) == prefix
    assert checkpoint.checkpoint_prefix(str(tmp_path / "other")) is None


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_recipe_for_a_checkpoint_gives_the_model_of_the_graph(tmp_path):
    """The Python block of docs/converting.md, run on what BasicLSTMCell and dense leave."""
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
