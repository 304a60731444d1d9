"""TFLite Micro behind the methods of TFLite's interpreter; needs its environment."""
import os

import numpy as np
import pytest

import convert
from conftest import ROOT
from keras_models import CHANNELS, save_forecaster, walk
from kit.bench.worker import Worker
from kit.runtime.interpreter import Model
from kit.runtime.runtimes import RUNTIMES

MICRO = RUNTIMES["tflite_micro"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not os.path.exists(os.path.join(ROOT, MICRO.venv)), reason="no .venv-tflm: `make runtimes`")]


def test_a_stream_in_micro_is_that_of_1_15(tmp_path):
    source, path = save_forecaster(tmp_path / "model.h5"), str(tmp_path / "step_float32.tflite")
    convert.main([source, "-o", path])
    samples, output = str(tmp_path / "stream.npy"), str(tmp_path / "output.npy")
    np.save(samples, walk(50))
    with Worker(MICRO.venv, "kit.bench.contenders") as worker:
        worker.ask("run", runtime=MICRO.package, model=path, samples=samples, output=output)
    expected = Model(path, "tensorflow").stream(walk(50))
    assert expected.shape == (50, CHANNELS) and np.abs(np.load(output) - expected).max() < 1e-5
