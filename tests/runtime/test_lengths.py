"""Windows of any length in one file: right at every length, back and forth in one interpreter."""
import os

import numpy as np
import pytest

import convert
from conftest import ROOT
from kit.base.cli import UserError
from kit.bench.contenders import RUNTIMES
from kit.bench.worker import Worker
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from keras_models import CHANNELS, save_forecaster, walk

pytestmark = pytest.mark.slow
LENGTHS = (50, 1, 7, 200, 20, 1000, 50, 7)  # longer and shorter than the file's 50, and back
RESIZING = ["tf 1.15.5", "tflite", "litert"]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A folder of files made for windows of 50, and Keras' output for each of LENGTHS."""
    folder = tmp_path_factory.mktemp("lengths")
    h5 = save_forecaster(folder / "model.h5")
    for name in ("fused_float32", "fused_dynamic"):
        convert.main([h5, "-o", str(folder / (name + ".tflite")), "--window-steps", "50"])
    from kit.tf.tf115 import load_keras

    keras, expected = load_keras(h5), []
    for number, length in enumerate(LENGTHS):
        window = walk(length, seed=number)[None]
        np.save(str(folder / ("%d.npy" % number)), window)
        expected.append(keras.predict(window)[0])
    return folder, np.stack(expected)


def outputs(folder, name, column):
    """The file's output for each of LENGTHS, one after the other in one interpreter."""
    venv, runtime = RUNTIMES[column]
    if not os.path.exists(os.path.join(ROOT, venv, "bin", "python")):
        pytest.skip("no %s: run `make runtimes`" % venv)
    windows = [str(folder / ("%d.npy" % number)) for number in range(len(LENGTHS))]
    found = [str(folder / ("%d_%s_%s.npy" % (number, name, runtime)))
             for number in range(len(LENGTHS))]
    with Worker(venv, "kit.bench.contenders") as worker:
        worker.ask("run_all", runtime=runtime, model=str(folder / (name + ".tflite")),
                   samples=windows, outputs=found)
    return np.stack([np.load(path)[0] for path in found])


@pytest.mark.parametrize("column", RESIZING)
@pytest.mark.parametrize("name, bound", [("fused_float32", 1e-5), ("fused_dynamic", 0.1)])
def test_every_length_in_one_interpreter(case, name, bound, column):
    folder, expected = case
    assert np.abs(outputs(folder, name, column) - expected).max() < bound * expected.std()


def test_the_file_says_that_its_length_is_open(case):
    graph = flatbuffer.read((case[0] / "fused_float32.tflite").read_bytes())["subgraphs"][0]
    source = graph["tensors"][graph["inputs"][0]]
    assert list(source["shape"]) == [1, 50, CHANNELS]
    assert list(source["shape_signature"]) == [1, -1, CHANNELS]


def test_a_file_of_one_length_refuses_others(case, tmp_path):
    convert.main([str(case[0] / "model.h5"), "-o", str(tmp_path / "window_float32.tflite"),
                  "--window-steps", "6"])
    with pytest.raises(UserError, match=r"takes \(6, 3\), not \(7, 3\)"):
        Model(str(tmp_path / "window_float32.tflite")).predict(walk(7)[None])
