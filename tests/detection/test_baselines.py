"""The simple detectors by worked values, and the floors."""
import tracemalloc

import numpy as np
import pytest

from kit.detection import baselines
from kit.record import stretches


def test_rolling_z_worked():
    samples = np.array([[1.0], [3.0], [2.0], [6.0], [4.0]])
    found = baselines.rolling_z(samples, 2)
    assert np.isnan(found[:2]).all()
    assert found[2:, 0] == pytest.approx([0, 7, 0])  # against (1, 3), (3, 2), (2, 6)


def test_rolling_z_of_a_flat_stretch_is_finite():
    samples = np.zeros((10, 1))
    samples[8] = 0.05
    found = baselines.rolling_z(samples, 4)
    assert found[7, 0] == 0 and found[8, 0] == pytest.approx(5)


def test_rolling_z_takes_the_worst_channel_and_holds_gaps():
    samples = np.array([[1.0, 0.0], [3.0, 0.0], [np.nan, 0.5]])
    assert baselines.rolling_z(samples, 2)[2, 0] == pytest.approx(50)


def test_global_max_z_worked():
    samples = np.array([[1.0, -3.0], [np.nan, 0.5]])
    assert baselines.global_max_z(samples).tolist() == [[3], [1]]


def test_pca_residual_is_the_distance_to_the_plane():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((1000, 1)) * [[3.0, 4.0]]
    axes = baselines.fit_pca(plane + 0.01 * rng.standard_normal((1000, 2)), 0.9)
    assert axes.shape == (2, 1)
    found = baselines.pca_residual(np.array([[3.0, 4.0], [-4.0, 3.0]]), axes)
    assert found[:, 0] == pytest.approx([0, 25], abs=0.05)


def test_rolling_z_of_a_long_record_is_that_of_its_end():
    samples = np.random.default_rng(5).standard_normal((10 ** 6, 1)).astype(np.float32) + 3
    found = baselines.rolling_z(samples, 50)[-1000:]
    np.testing.assert_allclose(found, baselines.rolling_z(samples[-1100:], 50)[-1000:], rtol=1e-6)


def test_a_record_in_blocks_is_the_whole_record(monkeypatch):
    samples = np.random.default_rng(7).standard_normal((300, 2)).astype(np.float32)
    samples[::17] = np.nan
    forest = baselines.fit_isolation_forest(samples, 5, 7)
    axes = baselines.fit_pca(samples, 0.9)

    def outputs():
        return [baselines.rolling_z(samples, 20), baselines.pca_residual(samples, axes),
                baselines.isolation(forest, samples)]

    whole = outputs()
    monkeypatch.setattr(stretches, "BLOCK", 13)  # shorter than the window
    for found, expected in zip(outputs(), whole):
        np.testing.assert_array_equal(found, expected)


def test_windows_of_a_long_record_are_not_all_held_at_once():
    samples = np.random.default_rng(6).standard_normal((10 ** 6, 2)).astype(np.float32)
    tracemalloc.start()
    model = baselines.fit_linear_forecaster(samples, 50, 1.0)
    found = baselines.linear_forecasts(model, samples, 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250e6  # all windows are 400 MB, and were held more than once
    few = baselines.linear_forecasts(model, samples[-100:], 50)
    np.testing.assert_allclose(found[-50:], few[-50:], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_pca_leaves_a_residual_of_channels_that_do_not_correlate(channels):
    samples = np.random.default_rng(4).standard_normal((1000, channels))
    axes = baselines.fit_pca(samples, 0.9)  # two axes would be needed for this share
    assert axes.shape == (channels, channels - 1)
    assert baselines.pca_residual(samples, axes).mean() == pytest.approx(1, rel=0.1)


def test_linear_forecaster_finds_a_linear_rule():
    rng = np.random.default_rng(1)
    samples = np.zeros((2000, 2))
    for t in range(2, 2000):
        samples[t] = [0.5 * samples[t - 1, 1] - 0.3 * samples[t - 2, 0], 0.9 * samples[t - 1, 0]]
        samples[t] += rng.standard_normal(2)
    model = baselines.fit_linear_forecaster(samples, 3, 1e-6)
    found = baselines.linear_forecasts(model, samples, 3)
    assert np.isnan(found[:3]).all()
    assert found[3:, 1] == pytest.approx(0.9 * samples[2:-1, 0], abs=0.3)
    assert np.mean(np.square(samples - found)[3:]) == pytest.approx(1, rel=0.1)


def test_a_forecast_does_not_see_its_sample():
    rng = np.random.default_rng(2)
    samples = rng.standard_normal((300, 2))
    model = baselines.fit_linear_forecaster(samples, 5, 1.0)
    changed = samples.copy()
    changed[100:] += 10
    before, after = (baselines.linear_forecasts(model, s, 5) for s in (samples, changed))
    assert (before[5:101] == after[5:101]).all() and (before[101] != after[101]).all()


def test_isolation_forest_finds_a_jump_and_is_the_same_each_time():
    rng = np.random.default_rng(3)
    train, test = rng.standard_normal((2, 1000, 2))
    test[500] = 8
    found = [baselines.isolation(baselines.fit_isolation_forest(train, 50, 7), test)
             for _ in range(2)]
    assert (found[0] == found[1]).all()
    assert found[0].argmax() in (500, 501)


def test_one_liners_worked():
    samples = np.array([[1.0, 2.0], [-3.0, 2.0]])
    found = {name: np.transpose([column(number) for number in range(6)]).tolist()
             for name, column in baselines.one_liners(samples).items()}
    assert found["channel_threshold"] == [[1, 2, -1, -2, 1, 2], [-3, 2, 3, -2, 3, 2]]
    assert found["difference_threshold"] == [[0] * 6, [-4, 0, 4, 0, 4, 0]]


def test_floors():
    found = baselines.floors(4, np.random.default_rng(4))
    assert found["floor_all"].tolist() == [1, 1, 1, 1]
    assert found["floor_position"].tolist() == [0, 0.25, 0.5, 0.75]
    assert ((found["floor_random"] >= 0) & (found["floor_random"] < 1)).all()
