"""Windows of any length in one file: right at every length, back and forth in one interpreter."""
import os

import numpy as np
import pytest

import convert
from conftest import ROOT
from kit.base.cli import UserError
from kit.bench.worker import Worker
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.runtime.runtimes import RUNTIMES
from keras_models import CHANNELS, save_forecaster, walk

pytestmark = pytest.mark.slow
LENGTHS = (50, 1, 7, 200, 20, 1000, 50, 7)  # longer and shorter than the file's 50, and back
RESIZING = ["tensorflow", "tflite_runtime", "ai_edge_litert"]
BOUNDS = {"float32": 1e-5, "dynamic": 0.1, "int8": 0.4}  # another computation is 0.8 and more
FILES = ["fused_float32", "fused_dynamic", "fused_int8", "loop_float32", "loop_dynamic", "loop_int8"]
TAGGERS = ["fused_float32", "fused_int8", "loop_float32", "loop_int8"]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A folder of files made for windows of 50, and Keras' output for each of LENGTHS."""
    folder = tmp_path_factory.mktemp("lengths")
    h5 = save_forecaster(folder / "model.h5")
    steps = ["step_float32", "step_dynamic", "step_int8"]
    return folder, np.stack(files_and_outputs(folder, h5, FILES + steps))


def files_and_outputs(folder, h5, names):
    """Write the files, and a window for each of LENGTHS; [what Keras makes of it, ...]."""
    np.save(str(folder / "stream.npy"), walk(3000, seed=77))
    for name in names:
        convert.main([h5, "-o", str(folder / (name + ".tflite")), "--window-steps", "50",
                      "--calibration", str(folder / "stream.npy")])
    from kit.tf.tf115 import load_keras

    keras, expected = load_keras(h5), []
    for number, length in enumerate(LENGTHS):
        window = walk(length, seed=number)[None]
        np.save(str(folder / ("%d.npy" % number)), window)
        expected.append(keras.predict(window)[0])
    return expected


def save_tagger(path):
    """A model of both directions with an output for each step."""
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    tf.compat.v1.set_random_seed(1)
    layers, options = tf.keras.layers, {"recurrent_activation": "sigmoid", "return_sequences": True}
    model = tf.keras.Sequential([
        layers.Bidirectional(layers.LSTM(5, **options), input_shape=(None, CHANNELS)),
        layers.LSTM(4, **options), layers.TimeDistributed(layers.Dense(2))])
    model.save(str(path))
    return str(path)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """The same of a model that gives an output for each step."""
    folder = tmp_path_factory.mktemp("tagger")
    h5 = save_tagger(folder / "model.h5")
    return folder, files_and_outputs(folder, h5, TAGGERS)


def outputs(folder, name, runtime):
    """[the file's output for each of LENGTHS], one after the other in one interpreter."""
    if name == "fused_int8" and runtime == "tensorflow":
        pytest.skip("1.15 has no such kernel")
    venv = RUNTIMES[runtime].venv
    if not os.path.exists(os.path.join(ROOT, venv, "bin", "python")):
        pytest.skip("no %s: run `make runtimes`" % venv)
    windows = [str(folder / ("%d.npy" % number)) for number in range(len(LENGTHS))]
    found = [str(folder / ("%d_%s_%s.npy" % (number, name, runtime)))
             for number in range(len(LENGTHS))]
    with Worker(venv, "kit.bench.contenders") as worker:
        worker.ask("run_all", runtime=runtime, model=str(folder / (name + ".tflite")),
                   samples=windows, outputs=found)
    return [np.load(path)[0] for path in found]


@pytest.mark.parametrize("runtime", RESIZING)
@pytest.mark.parametrize("name", FILES)
def test_every_length_in_one_interpreter(case, name, runtime):
    folder, expected = case
    bound = BOUNDS[name.split("_")[1]] * expected.std()
    assert np.abs(np.stack(outputs(folder, name, runtime)) - expected).max() < bound


@pytest.mark.parametrize("runtime", RESIZING)
@pytest.mark.parametrize("name", TAGGERS)
def test_every_step_of_every_length(tagger, name, runtime):
    folder, expected = tagger
    bound = BOUNDS[name.split("_")[1]] * np.concatenate(expected).std()
    for found, wanted in zip(outputs(folder, name, runtime), expected):
        assert found.shape == wanted.shape and np.abs(found - wanted).max() < bound


@pytest.mark.parametrize("precision", ["float32", "dynamic", "int8"])
@pytest.mark.parametrize("length", [1, 50, 60])
def test_a_loop_is_the_step_file_from_the_zero_state_to_the_bit(case, precision, length):
    window = walk(length, seed=5)
    for runtime in ("tensorflow", "tflite_runtime"):
        loop, step = (Model(str(case[0] / ("%s_%s.tflite" % (form, precision))), runtime)
                      for form in ("loop", "step"))
        assert np.array_equal(loop.predict(window[None])[0], step.stream(window)[-1])


@pytest.mark.parametrize("name", FILES)
def test_the_file_says_that_its_length_is_open(case, name):
    graph = flatbuffer.read((case[0] / (name + ".tflite")).read_bytes())["subgraphs"][0]
    source = graph["tensors"][graph["inputs"][0]]
    assert list(source["shape"]) == [1, 50, CHANNELS]
    assert list(source["shape_signature"]) == [1, -1, CHANNELS]


def test_a_file_of_one_length_refuses_others(case, tmp_path):
    convert.main([str(case[0] / "model.h5"), "-o", str(tmp_path / "window_float32.tflite"),
                  "--window-steps", "6"])
    with pytest.raises(UserError, match=r"takes \(6, 3\), not \(7, 3\)"):
        Model(str(tmp_path / "window_float32.tflite")).predict(walk(7)[None])
