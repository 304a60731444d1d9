"""A detector for a step model of one's own: what is fitted, and what is refused."""
import numpy as np
import pytest

import fit_detector
from kit.base.cli import UserError
from kit.record.records import Record


class LastSample:
    """A step model whose forecast is the sample that it saw, and a count of its resets."""

    def __init__(self):
        self.resets = 0

    def reset(self):
        self.resets += 1

    def stream(self, samples):
        return samples.copy()


def test_forecasts_are_the_outputs_one_sample_later_and_begin_with_a_session():
    samples, model = np.arange(12.0)[:, None], LastSample()
    bounds = [(0, 6), (6, 8), (8, 12)]
    outputs = fit_detector.streamed(model, samples, bounds)
    found = fit_detector.forecasts_of(outputs, bounds, 2)
    expected = [np.nan] * 2 + [1, 2, 3, 4] + [np.nan] * 2 + [np.nan] * 2 + [9, 10]
    np.testing.assert_array_equal(found[:, 0], expected)
    assert model.resets == 3


def test_the_threshold_comes_from_what_the_scaler_has_not_seen(monkeypatch):
    rng = np.random.Generator(np.random.PCG64(1))
    values = rng.normal(5, 2, (4000, 2))
    record = Record((60 * np.arange(4000)).astype("datetime64[s]"), ["a", "b"], values,
                    np.zeros(4000, int))
    monkeypatch.setattr(fit_detector, "outputs_of", lambda model, samples, bounds, python: (
        np.zeros(samples.shape, np.float32), "none"))
    options = {"false_alarms_per_day": 1, "regimes": 1, "pca_variance": 0.9, "fading": 0.9,
               "time_constants": [3], "energy_time_constants": [8], "time_scales": [8]}
    scaler = fit_detector.fit_scaler(fit_detector.halves(record)[0])
    detector, _ = fit_detector.fit("m.tflite", record, scaler, 60.0, 12, options, None)
    np.testing.assert_allclose(scaler.mean, values[:2000].mean(0))
    assert (detector["warm_up_samples"], detector["interval_s"]) == (12, 60.0)
    assert 1 < detector["threshold"] < 6
    with pytest.raises(UserError, match="samples after the warm-up are too few"):
        fit_detector.fit("m.tflite", Record(record.time[:400], ["a", "b"], values[:400],
                                            np.zeros(400, int)), scaler, 60.0, 12, options, None)


def test_what_is_no_step_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="m.h5: no such file"):
        fit_detector.step_file("m.h5", None, None, "int8", str(tmp_path))
    with pytest.raises(UserError, match="nowhere"):
        fit_detector.outputs_of("m.tflite", np.zeros((1, 1)), [(0, 1)], str(tmp_path / "nowhere"))
