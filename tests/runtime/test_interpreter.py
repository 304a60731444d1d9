"""Running a .tflite: the state of a stream, the zero state of a window, rounding and saturation."""
import os
import subprocess
import sys

import numpy as np
import pytest

import convert
import step_models
from kit.base.cli import UserError
from kit.runtime.interpreter import Model, _load, _Tensor
from keras_models import CHANNELS, STEPS, save_forecaster, walk


def tensor(scale, zero_point, dtype=np.int8):
    return _Tensor({"name": "x", "index": 0, "dtype": dtype, "shape": np.array([1, 3]),
                    "quantization": (scale, zero_point)})


def test_quantizing_rounds_and_saturates():
    assert tensor(0.5, -3).quantized(np.array([0.0, 0.74, 0.76, 1e9, -1e9])).tolist() == [
        -3, -2, -1, 127, -128]


def test_dequantizing_undoes_it():
    values = np.array([-2.0, 0.5, 3.5], np.float32)
    assert tensor(0.5, 7).dequantized(tensor(0.5, 7).quantized(values)).tolist() == values.tolist()


def test_importing_it_needs_no_tensorflow():
    code = "import sys, kit.runtime.interpreter; print([m for m in ('tensorflow', 'pandas', 'sklearn') " \
           "if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd="scripts", stdout=subprocess.PIPE,
                          check=True, universal_newlines=True).stdout
    assert said.strip() == "[]"


def test_unknown_runtime_and_foreign_file(tmp_path):
    with pytest.raises(UserError, match="there is no runtime torch"):
        Model(b"", "torch")


@pytest.mark.parametrize("kind", sorted(step_models.MODELS))
def test_in_the_runtime_s_memory_a_stream_is_what_it_is_by_calls(kind, monkeypatch):
    blob = step_models.MODELS[kind]("int8")
    model = Model(blob, "tflite_runtime")
    samples = np.random.default_rng(3).standard_normal((60,) + model.input_shape).astype(np.float32)
    assert model._shows_memory()
    pieces = [model.stream(samples[:25]), model.stream(samples[25:25]), model.stream(samples[25:])]
    states = model.state
    model.reset()
    monkeypatch.setattr(Model, "_shows_memory", lambda self: False)
    assert np.concatenate(pieces).tobytes() == model.stream(samples).tobytes()
    assert [state.tobytes() for state in states] == [state.tobytes() for state in model.state]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """name -> path of a .tflite of the small forecaster."""
    folder = tmp_path_factory.mktemp("interpreter")
    h5 = save_forecaster(folder / "model.h5")
    np.save(str(folder / "stream.npy"), walk(1000))
    for name in ("step_float32", "step_int8", "window_float32", "fused_float32", "window_int8"):
        convert.main([h5, "-o", str(folder / (name + ".tflite")), "--window-steps", str(STEPS),
                      "--calibration", str(folder / "stream.npy")])
    return lambda name: str(folder / (name + ".tflite"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step_float32", "step_int8"])
def test_stream_in_pieces_is_the_stream_in_one(files, name):
    samples, model = walk(90, seed=8), Model(files(name))
    whole = model.stream(samples)
    model.reset()
    pieces = [model.stream(samples[a:b]) for a, b in ((0, 1), (1, 40), (40, 40), (40, 90))]
    assert np.array_equal(whole, np.concatenate(pieces))
    assert not np.array_equal(whole, model.stream(samples))  # it went on from where it was


@pytest.mark.slow
@pytest.mark.parametrize("name", ["window_float32", "fused_float32", "window_int8"])
def test_every_window_starts_from_zero(files, name):
    windows = walk(20 * STEPS, seed=9).reshape(20, STEPS, CHANNELS)
    model = Model(files(name))
    assert model.form == name.split("_")[0]
    assert np.array_equal(model.predict(windows)[::-1], model.predict(windows[::-1]))


@pytest.mark.slow
def test_window_and_stream_agree_from_the_zero_state(files):
    window = walk(STEPS, seed=10)
    stream = Model(files("step_float32")).stream(window)
    assert np.abs(Model(files("window_float32")).predict(window[None])[0] - stream[-1]).max() < 1e-5


@pytest.mark.slow
def test_wrong_call_and_wrong_shape_are_named(files):
    with pytest.raises(UserError, match=r"a step model has no predict\(\); use stream"):
        Model(files("step_float32")).predict(walk(STEPS)[None])
    with pytest.raises(UserError, match=r"takes \(6, 3\), not \(5, 3\)"):
        Model(files("window_float32")).predict(walk(5)[None])
    with pytest.raises(UserError, match="runtime refuses|damaged"):
        data = open(files("step_int8"), "rb").read()
        Model(data[:len(data) // 2])


def test_what_a_runtime_says_comes_through_but_for_information(capfd):
    class Talking:
        def __init__(self, model_content, num_threads):
            os.write(2, b"INFO: Created a delegate\nERROR: a warning of its own\n")

        def allocate_tensors(self):
            raise ValueError("no")

    with pytest.raises(ValueError):
        _load(Talking, b"", 1)
    assert capfd.readouterr().err == "ERROR: a warning of its own\n"
