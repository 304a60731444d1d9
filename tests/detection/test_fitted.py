"""detectors.json from elsewhere: what would mean never an alarm, or a traceback, is refused."""
import copy
import json

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.detection.fitted import read_detector
from kit.detection.fitting import fit, fit_normal

CHANNELS = 2


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.Generator(np.random.PCG64(3))
    samples = rng.standard_normal((600, CHANNELS)).astype(np.float32)
    outputs = samples + rng.standard_normal(samples.shape).astype(np.float32)
    options = {"time_constants": [8], "energy_time_constants": [8], "time_scales": [1, 16],
               "fading": 0.9, "regimes": 2, "pca_variance": 0.9}
    normal = fit_normal(samples, samples, options)
    detector, _ = fit(samples, outputs, normal, options, 1e-3)
    return dict(detector, warm_up_samples=10, interval_s=60.0)


def written(folder, detector):
    (folder / "detectors.json").write_text(json.dumps({"step_int8": detector}))
    return str(folder / "detectors.json")


def test_what_evaluate_writes_is_read(fitted, tmp_path):
    detector = read_detector(written(tmp_path, fitted), "step_int8", CHANNELS)
    assert detector["threshold"] == fitted["threshold"]


@pytest.mark.parametrize("key, value, sentence", [
    ("threshold", float("nan"), "step_int8.threshold is NaN"),
    ("threshold", float("inf"), "step_int8.threshold is Infinity"),
    ("threshold", None, "step_int8.threshold is null"),
    ("interval_s", 0, "step_int8.interval_s is 0; a finite number above 0"),
    ("interval_s", -60, "step_int8.interval_s is -60"),
    ("interval_s", 1e9, "step_int8.interval_s is 1000000000.0"),
    ("fading", 2, "step_int8.fading is 2; .* at most 1"),
    ("warm_up_samples", -1, "step_int8.warm_up_samples is -1; a whole number at least 0"),
    ("channels", 3, "step_int8.channels is 3; 2 are scored"),
    ("weights", [0.0, 1.0], r"step_int8.weights\[0\] is 0.0; a finite number above 0"),
    ("residual.location", [1.0], "step_int8.residual.location has the shape .1,.; C is needed .C = 2"),
    ("residual.clip", [1.0, 1e308], r"step_int8.residual.clip\[1\] is 1e\+308; a finite number"),
    ("residual.norms", [[0.0, 1.0]], r"step_int8.residual.norms\[0\]\[0\] is 0.0; a finite number above 0"),
    ("residual.state_weights", [[1.0, 2.0], [1.0]], "state_weights has the shape of rows of unequal length"),
    ("plane.matrix", [[1.0, 0.0]], "step_int8.plane.matrix has the shape .1, 2.; C × C is needed"),
    ("level.usual", None, "step_int8.level.usual is null"),
    ("residual.tails", [], r"step_int8.residual.tails is \[\]; a list"),
    ("missing.tails", [{"knots": [2, 1], "decades": [0, 1], "shape": 0, "scale": 1}],
     r"tails\[0\].knots falls"),
    ("missing.tails", [{"knots": [1, 2], "decades": [0], "shape": 0, "scale": 1}], "2 knots and 1 decades"),
    ("level.tails", [{"knots": [1], "decades": [0], "shape": 0, "scale": 1}],
     "level.tails has 1 tails; 2 are needed"),
    ("missing.tails", [{"knots": ["<b>"], "decades": [0], "shape": 0, "scale": 1}],
     r'tails\[0\].knots\[0\] is "<b>"'),
])
def test_a_damaged_detector_is_refused_by_key(fitted, tmp_path, key, value, sentence):
    detector = copy.deepcopy(fitted)
    *parts, last = key.split(".")
    place = detector
    for part in parts:
        place = place[part]
    place[last] = value
    with pytest.raises(UserError, match="detectors.json: .*" + sentence):
        read_detector(written(tmp_path, detector), "step_int8", CHANNELS)


def test_a_missing_key_and_another_number_of_channels_are_named(fitted, tmp_path):
    lacking = copy.deepcopy(fitted)
    del lacking["residual"]["inverse_covariances"]
    with pytest.raises(UserError, match="the key step_int8.residual.inverse_covariances is missing"):
        read_detector(written(tmp_path, lacking), "step_int8", CHANNELS)
    with pytest.raises(UserError, match="channels is 2; 3 are scored"):
        read_detector(written(tmp_path, fitted), "step_int8", 3)


def test_the_detectors_that_are_there_are_named(fitted, tmp_path):
    with pytest.raises(UserError, match="has no detector window_int8; it has step_int8"):
        read_detector(written(tmp_path, fitted), "window_int8", CHANNELS)
