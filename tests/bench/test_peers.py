"""Peers have the weights that they were given: their files compute what the numpy loop does."""
import os

import numpy as np
import pytest

from conftest import ROOT
from kit.bench.contenders import Numpy
from kit.bench.worker import Worker

STEPS = 6
pytestmark = pytest.mark.slow


def asked(venv, module, command, **arguments):
    if not os.path.exists(os.path.join(ROOT, venv, "bin", "python")):
        pytest.skip("no %s: run `make bench`" % venv)
    with Worker(venv, module) as worker:
        return worker.ask(command, **arguments)


@pytest.fixture
def windows(tmp_path):
    """(path, array) of eight windows."""
    values = np.random.default_rng(6).normal(0, 1, (8, STEPS, 3)).astype(np.float32)
    np.save(str(tmp_path / "windows.npy"), values)
    return str(tmp_path / "windows.npy"), values


def difference(weights, windows, venv, tmp_path, contender, **arguments):
    """Of a contender's output from the numpy loop's, in its standard deviations."""
    output = str(tmp_path / "out.npy")
    asked(venv, "kit.bench.contenders", "load", name="peer", contender=contender, samples=windows[0],
          output=output, **arguments)
    expected = Numpy(weights).outputs(windows[1])
    return np.abs(np.load(output).reshape(expected.shape) - expected).max() / expected.std()


@pytest.mark.parametrize("precision, bound", [("float32", 1e-5), ("dynamic", 0.1)])
def test_an_onnx_file_has_the_gates_in_its_own_order(weights, windows, tmp_path, precision, bound):
    path = str(tmp_path / "peer.onnx")
    size = asked(".venv-peers", "kit.bench.peers", "onnx", weights=weights, steps=STEPS,
                 precision=precision, output=path)
    assert size == os.path.getsize(path)
    assert difference(weights, windows, ".venv-peers", tmp_path, "onnx", path=path) < bound


def test_an_int8_file_of_tensorflow_2_runs_as_it_is(weights, windows, tmp_path):
    """Its fused LSTM is of int8 throughout, which no file of ours may be (kit.runtime.verifier)."""
    path = str(tmp_path / "peer.tflite")
    size = asked(".venv-peers", "kit.bench.peers", "tf2", weights=weights, steps=STEPS, keras="2",
                 precision="int8", calibration=windows[0], output=path)
    assert size == os.path.getsize(path)
    assert difference(weights, windows, ".venv-litert", tmp_path, "foreign", path=path) < 0.2
