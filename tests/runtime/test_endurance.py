"""Long streams: a model that drifts, one that never forgets, one that does, and the real files."""
import os

import numpy as np
import pytest

from conftest import ROOT
import soak
from kit.runtime.endurance import PHASES, Soak, forgotten_after, saturated
from keras_models import save_forecaster, walk


class Filter:
    """y = keep * y + x, as a step model of one channel; `creep` is added at each step."""

    def __init__(self, keep, creep=0.0):
        self.keep, self.creep, self.outputs = keep, creep, [None]
        self.reset()

    def reset(self):
        self.state = [np.zeros((1, 1), np.float32)]

    def stream(self, samples):
        y, found = float(self.state[0][0, 0]), []
        for x in np.clip(samples[:, 0], -8, 8):
            y = self.keep * y + float(x) + self.creep
            found.append(y)
        self.state = [np.array([[y]], np.float32)]
        return np.array(found, np.float32)[:, None]


class Restless(Filter):
    """The same with an error that differs for ever after another start, as that of rounding does."""

    def reset(self):
        self.state = [np.zeros((1, 2), np.float32)]

    def stream(self, samples):
        (y, z), found = self.state[0][0].tolist(), []
        for x in np.clip(samples[:, 0], -8, 8):
            y, z = self.keep * y + float(x), np.sin(50 * z + 1)
            found.append(y + 0.2 * z)
        self.state = [np.array([[y, z]], np.float32)]
        return np.array(found, np.float32)[:, None]


def result(model, total=12000):
    test = Soak(model, Filter(model.keep), walk(500, 1), total)
    phases = [test.piece() for _ in range(test.pieces)]
    assert sorted(set(phases), key=PHASES.index) == list(PHASES)
    return test.found()


def test_a_model_that_forgets_needs_no_reset():
    found = result(Filter(0.9))
    assert found["error_of_std"]["record again"] < 1e-6
    # 3 * 0.9 ^ n is below a thousandth of the spread of about 4 after 63 samples
    assert 40 < found["forgotten_after_samples"] < 80
    assert found["advice"].startswith("no reset is needed")


def test_a_model_that_never_forgets_is_to_be_reset():
    found = result(Filter(1.0))
    assert found["forgotten_after_samples"] is None and found["advice"].startswith("reset")


def test_a_start_that_moves_the_output_less_than_the_files_own_error_is_forgotten():
    found = result(Restless(0.9))
    assert found["error_of_std"]["record"] > 0.01
    assert 0 < found["forgotten_after_samples"] < 80
    assert forgotten_after(Restless(0.9), walk(500, 1), np.random.default_rng(0)) is None


def test_a_start_that_moves_it_more_is_not():
    assert result(Restless(1.0))["forgotten_after_samples"] is None


def test_an_error_that_grows_is_told():
    found = result(Filter(0.99999, creep=1e-3))
    assert found["error_of_std"]["record again"] > 2 * found["error_of_std"]["record"]
    assert found["advice"].startswith("reset")


def test_saturation_counts_both_ends_of_the_type():
    assert saturated(np.array([-128, 127, 0, 5], np.int8)) == 0.5
    assert saturated(np.array([32767, 0], np.int16)) == 0.5
    assert saturated(np.array([1e9], np.float32)) == 0


@pytest.mark.slow
def test_the_step_files_hold_over_a_short_soak(tmp_path, capsys):
    import convert

    h5 = save_forecaster(tmp_path / "model.h5")
    np.save(str(tmp_path / "stream.npy"), walk(3000))
    for precision in ("float32", "int8"):
        convert.main([h5, "-o", str(tmp_path / ("step_%s.tflite" % precision)),
                      "--calibration", str(tmp_path / "stream.npy")])
    runtime = "tflite_runtime" if not os.path.exists(
        os.path.join(ROOT, ".venv-litert")) else "ai_edge_litert"
    soak.main([str(tmp_path), "--record", str(tmp_path / "stream.npy"), "--samples", "20000",
               "--runtime", runtime, "--out", str(tmp_path / "soak")])
    said = capsys.readouterr().out
    assert said.count("no reset is needed") == 2 and "step_int8" in said
