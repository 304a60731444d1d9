"""The detector: gaps, tails, thresholds, and that pieces of a record score as the whole does."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import ROOT
from kit.detection import scores
from kit.record.stretches import hold_last, runs

OPTIONS = {"time_constants": [3, 8], "energy_time_constant": 8, "fading": 0.9}
CHANNELS = 3
MIX = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 2.0]])  # 1 and 2 agree, 3 is alone
ONE_REGIME = np.zeros((1, CHANNELS))


def toy(n, seed, missing=0.0):
    """(samples, forecasts): a smooth signal, residuals of covariance MIX'MIX."""
    rng = np.random.default_rng(seed)
    forecasts = np.sin(np.arange(n)[:, None] / [20, 30, 50])
    samples = forecasts + 0.1 * rng.standard_normal((n, CHANNELS)) @ MIX
    samples[rng.random(samples.shape) < missing] = np.nan
    forecasts[:10] = np.nan
    return samples, forecasts


@pytest.fixture(scope="module")
def detector():
    return scores.fit(*toy(8000, 0, 0.0005), ONE_REGIME, OPTIONS, 1 / 1000)[0]


def scored(detector, samples, forecasts):
    return scores.Scorer(detector).update(samples, forecasts)


# ---- gaps

def test_imputed_sample_has_the_distance_of_its_observed_part():
    covariance = MIX.T @ MIX
    precision = np.linalg.inv(covariance)[None]
    z = np.array([[1.0, np.nan, -2.0], [np.nan, np.nan, np.nan]])
    filled = scores.impute(z, precision, np.zeros(2, int))
    seen = z[0, [0, 2]]
    expected = seen @ np.linalg.inv(covariance[np.ix_([0, 2], [0, 2])]) @ seen
    assert filled[0] @ precision[0] @ filled[0] == pytest.approx(expected)
    assert filled[0, [0, 2]].tolist() == [1, -2]
    assert filled[1].tolist() == [0, 0, 0]


def test_missing_counts_worked():
    missing = np.array([[1, 0], [1, 0], [0, 0]], bool)
    counts, state = scores.missing_counts(missing, 0.0)
    assert counts.tolist() == [[1], [1.875], [1.625]]  # 1.640625 in whole eighths
    assert state.tolist() == [1.875 * 0.875, 0]


def test_glitches_are_normal_and_a_dropout_is_not(detector):
    samples, forecasts = toy(3000, 5)
    samples[500, 1] = np.nan
    samples[1000:1010, 1] = np.nan
    found = scored(detector, samples, forecasts)
    assert np.isfinite(found).all()
    assert found[500] < detector["threshold"] < found[1002:1010].min()


def test_all_channels_missing(detector):
    samples = np.full((30, CHANNELS), np.nan)
    found = scored(detector, samples, np.zeros((30, CHANNELS)))
    assert np.isfinite(found).all() and found[-1] > detector["threshold"]


# ---- residuals

def test_mahalanobis_distance_is_the_known_one():
    samples, forecasts = toy(40000, 1)
    residual, state, _ = scores.observe(samples, forecasts, None, True)
    known = ~np.isnan(residual).any(axis=1)
    fitted = scores.fit_residuals(residual[known], state[known], ONE_REGIME)
    alone, distance = scores.standardise(fitted, residual[known], state[known])
    precision = np.linalg.inv(0.01 * MIX.T @ MIX)
    expected = np.einsum("nc,cd,nd->n", residual[known], precision, residual[known])
    assert np.corrcoef(distance, expected)[0, 1] > 0.99
    assert distance.mean() == pytest.approx(CHANNELS, rel=0.02)
    expected_alone = residual[known] @ precision / np.sqrt(np.diag(precision))
    assert np.corrcoef(alone[:, 0], expected_alone[:, 0])[0, 1] > 0.99
    assert alone.std(axis=0) == pytest.approx(np.ones(CHANNELS), rel=0.05)


def test_spread_follows_the_state():
    rng = np.random.default_rng(2)
    forecasts = rng.uniform(-1, 1, (20000, 1))
    residual = rng.standard_normal((20000, 1)) * np.exp(0.5 + 1.5 * forecasts)
    _, state, _ = scores.observe(forecasts + residual, forecasts, None, True)
    fitted = scores.fit_spread(residual, state)
    z = residual / np.exp(fitted["log_scale"] + scores.product(state, fitted["state_weights"]))
    low, high = z[forecasts[:, 0] < -0.5], z[forecasts[:, 0] > 0.5]
    assert z.std() == pytest.approx(1, rel=0.02)
    assert low.std() == pytest.approx(high.std(), rel=0.15)


def test_each_regime_has_its_own_covariance():
    rng = np.random.default_rng(3)
    forecasts = np.repeat([[-1.0, -1.0], [1.0, 1.0]], 5000, axis=0)
    pair = rng.standard_normal((10000, 2))
    pair[:5000, 1] = 0.9 * pair[:5000, 0] + np.sqrt(1 - 0.81) * pair[:5000, 1]
    samples = forecasts + 0.1 * pair
    residual, state, _ = scores.observe(samples, forecasts, None, True)
    fitted = scores.fit_residuals(residual, state, np.array([[-1.0, -1.0], [1.0, 1.0]]))
    apart = np.array([[0.2, -0.2]])  # two channels that disagree
    states = [np.concatenate([[[f, f]], [[1, 1]], [[2, 2]]], axis=1) for f in (-1.0, 1.0)]
    tied, free = (scores.standardise(fitted, apart, state)[1][0] for state in states)
    assert tied == pytest.approx(80, rel=0.15)  # 2 * 2^2 / (1 - .9)
    assert free == pytest.approx(8, rel=0.15)


def test_a_channel_that_stood_still_may_move_by_a_floor():
    samples, forecasts = toy(4000, 6)
    samples[:, 2] = forecasts[:, 2] = 0  # never moved, and was forecast exactly
    detector, _ = scores.fit(samples, forecasts, ONE_REGIME, OPTIONS, 1 / 1000)
    for move, odd in ((2 * scores.FLOOR, False), (20 * scores.FLOOR, True)):
        again, expected = toy(1000, 7)
        again[:, 2] = expected[:, 2] = 0
        again[500, 2] = move
        assert (scored(detector, again, expected)[500] > detector["threshold"]) == odd


def test_variance_of_a_floor_is_shared_between_residual_and_covariance():
    rng = np.random.default_rng(8)
    residual = scores.FLOOR * rng.standard_normal((20000, 2)) * [1, 1e-9]
    state, centres = np.zeros((20000, 6)), np.zeros((1, 2))
    fitted = scores.fit_residuals(residual, state, centres)
    # half the variance of the first is seen, half is the floor; of the second all is the floor
    assert np.exp(fitted["log_scale"]) == pytest.approx(scores.FLOOR * np.sqrt([2, 1]), rel=0.02)
    assert fitted["precisions"][0] == pytest.approx(np.eye(2), abs=0.05)


def test_a_switch_does_not_outshout_the_other_channels():
    """Rare large residuals of one channel are normal, a few deviations of another are not."""
    def record(n, seed):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, CHANNELS))
        z[:, 2] *= np.where(rng.random(n) < 0.005, 30, 0.1)
        return z, np.zeros((n, CHANNELS))

    detector, _ = scores.fit(*record(10000, 9), ONE_REGIME, OPTIONS, 1 / 1000)
    samples, forecasts = record(2000, 10)
    normal = scored(detector, samples, forecasts)
    samples[1000, 0] = 7
    found = scored(detector, samples, forecasts)
    assert (normal > detector["threshold"]).mean() < 0.01
    assert found[1000] > detector["threshold"]


def test_channel_units_worked():
    assert scores.channel_units(np.array([0.1, 3.3, 4.0, 20.0])).tolist() == [1, 1, 1, 5]


def test_nearest_centre():
    centres = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert scores.nearest(np.array([[1.0, 1.0], [3.0, 3.0]]), centres).tolist() == [0, 1]


# ---- tails and thresholds

@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_pareto_fit_recovers_its_parameters(shape):
    sample = stats.genpareto.rvs(shape, scale=2.0, size=20000, random_state=4)
    found_shape, found_scale = scores.fit_pareto(sample)
    assert found_shape == pytest.approx(shape, abs=0.05)
    assert found_scale == pytest.approx(2.0, rel=0.06)


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_pareto_surprise_and_level_are_those_of_scipy(shape):
    excess = np.array([0.0, 0.5, 10.0])
    expected = -np.log10(stats.genpareto.sf(excess, shape, scale=2.0))
    assert scores.pareto_surprise(excess, shape, 2.0) == pytest.approx(expected)
    assert scores.pareto_level(1e-4, shape, 2.0) == pytest.approx(
        stats.genpareto.isf(1e-4, shape, scale=2.0))


def test_pareto_of_nothing():
    assert scores.fit_pareto(np.empty(0)) == (0.0, 1e-9)
    assert scores.fit_pareto(np.zeros(5)) == (0.0, 1e-9)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_surprise_is_minus_log_probability(draw):
    rng = np.random.default_rng(6)
    tail = scores.fit_tail(getattr(rng, draw)(20000))
    fresh = np.sort(getattr(rng, draw)(200000))
    for decades in (0.5, 1, 2, 3):
        level = fresh[int(len(fresh) * (1 - 10.0 ** -decades))]
        assert scores.surprise(np.array([level]), tail)[0] == pytest.approx(decades, abs=0.15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.integers(0, 5))
def test_surprise_never_falls(values, seed):
    tail = scores.fit_tail(np.random.default_rng(seed).standard_normal(500))
    assert (np.diff(scores.surprise(np.sort(values), tail)) >= 0).all()


def test_count_tail_calls_more_than_ever_seen_as_rare_as_one_in_n():
    counts = np.zeros(999)
    counts[[3, 50, 700]] = 1
    tail = scores.fit_count_tail(counts)
    found = scores.surprise(np.array([0.0, 1.0, 2.0, 4.0]), tail)
    assert found == pytest.approx([0, np.log10(1000 / 4), 3, 6])


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_threshold_has_the_wanted_rate(shape):
    rates = []
    for seed in range(20):  # one record alone: a standard deviation of 0.25
        normal = stats.genpareto.rvs(shape, size=50000, random_state=seed)
        threshold = scores.fit_threshold(normal, 1 / 5000)
        rates.append(stats.genpareto.sf(threshold, shape) * 5000)
    assert np.mean(rates) == pytest.approx(1, abs=0.15)


def test_threshold_counts_a_run_once():
    """Each excursion lasts 5 samples: counting samples would set the threshold too high."""
    rng = np.random.default_rng(10)
    independent = rng.standard_exponential(20000)
    lasting = np.repeat(independent, 5)
    once = scores.fit_threshold(independent, 1 / 1000)
    assert scores.fit_threshold(lasting, 1 / 5000) == pytest.approx(once, rel=0.05)


def test_threshold_of_a_constant_score_is_above_it():
    assert scores.fit_threshold(np.ones(100), 0.01) > 1


# ---- the whole

def test_normal_data_alarm_at_about_the_wanted_rate(detector):
    found = scored(detector, *toy(100000, 11, 0.0005))
    alarms = len(runs(found >= detector["threshold"]))
    assert 30 < alarms < 250  # 100 are wanted; 8 peaks of the validation part decide


def test_a_perfect_forecaster_has_no_alarms(detector):
    forecasts = toy(2000, 12)[1]
    found = scored(detector, np.nan_to_num(forecasts), forecasts)
    assert found.max() < detector["threshold"]


def test_faults_score_above_the_threshold(detector):
    for fault in ("spike", "bias", "burst"):
        samples, forecasts = toy(1000, 13)
        rows = {"spike": slice(500, 501), "bias": slice(500, 540), "burst": slice(500, 520)}[fault]
        size = {"spike": 1.2, "bias": 0.35, "burst": 0}[fault]
        samples[rows, 0] += size
        if fault == "burst":
            samples[rows, 0] += 0.4 * np.random.default_rng(14).standard_normal(20)
        found = scored(detector, samples, forecasts)
        assert found[rows].max() > detector["threshold"], fault


def test_a_change_that_the_channels_share_is_less_odd_than_one_of_a_single_sensor(detector):
    samples, forecasts = toy(1000, 15)
    agreed, alone = samples.copy(), samples.copy()
    agreed[500] += 0.4 * MIX[0]  # the direction in which 1 and 2 move together
    alone[500, 0] += 0.4
    assert scored(detector, alone, forecasts)[500] > scored(detector, agreed, forecasts)[500] + 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 399), min_size=1, max_size=6, unique=True), st.integers(0, 9))
def test_pieces_score_as_the_whole(cuts, seed):
    detector = scores.fit(*toy(2000, 0), ONE_REGIME, OPTIONS, 1 / 1000)[0]
    samples, forecasts = toy(400, seed, 0.02)
    bounds = [0] + sorted(cuts) + [400]
    scorer = scores.Scorer(detector)
    pieces = [scorer.update(samples[a:b], forecasts[a:b]) for a, b in zip(bounds, bounds[1:])]
    assert (np.concatenate(pieces) == scored(detector, samples, forecasts)).all()


def test_sample_by_sample_scores_as_the_whole_with_regimes():
    samples, forecasts = toy(3000, 16, 0.01)
    centres = scores.fit_centres(hold_last(samples), 4)
    detector = scores.fit(samples, forecasts, centres, OPTIONS, 1 / 1000)[0]
    scorer = scores.Scorer(detector)
    single = [scorer.update(samples[t:t + 1], forecasts[t:t + 1])[0] for t in range(600)]
    assert single == scored(detector, samples[:600], forecasts[:600]).tolist()
    assert scorer.update(samples[:0], forecasts[:0]).shape == (0,)


def test_an_enormous_score_fades_in_some_samples(detector):
    samples, forecasts = toy(400, 11)
    samples[100] = 1e6
    found = scored(detector, samples, forecasts)
    assert found[100] > 1000
    assert (found[140:200] < detector["threshold"]).all()


def test_the_future_has_no_part_in_a_score(detector):
    samples, forecasts = toy(500, 17)
    changed = samples.copy()
    changed[300:] += 5
    assert (scored(detector, samples, forecasts)[:300]
            == scored(detector, changed, forecasts)[:300]).all()


def test_a_statistic_that_never_moves_gives_no_alarm():
    statistic = np.zeros((1000, 1))
    detector, found = scores.fit(toy(1000, 12)[0], statistic, None, OPTIONS, 1 / 1000)
    assert not (found >= detector["threshold"]).any()
    moved = scored(detector, toy(1000, 13)[0], statistic + 1)
    assert (moved >= detector["threshold"]).all()


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_channel_that_is_missing_in_all_folds_but_one():
    samples, forecasts = toy(4000, 14)
    samples[800:, 1] = np.nan
    detector, _ = scores.fit(samples, forecasts, ONE_REGIME, OPTIONS, 1 / 1000)
    assert np.isfinite(scored(detector, *toy(500, 15))).all()


def test_a_detector_survives_json(detector):
    again = json.loads(json.dumps(detector))
    samples, forecasts = toy(500, 18, 0.01)
    assert (scored(again, samples, forecasts) == scored(detector, samples, forecasts)).all()


def test_a_statistic_is_scored_upwards_only():
    rng = np.random.default_rng(19)
    samples, statistic = np.zeros((4000, 2)), rng.standard_normal((4000, 1))
    detector, _ = scores.fit(samples, statistic, None, OPTIONS, 1 / 1000)
    fresh = rng.standard_normal((400, 1))
    fresh[100], fresh[300] = -9, 9
    found = scores.Scorer(detector).update(samples[:400], fresh)
    assert found[100] < detector["threshold"] < found[300]


def test_no_sample_is_forecast_no_alarm(detector):
    samples, forecasts = toy(100, 20)
    assert scored(detector, samples, np.full_like(forecasts, np.nan)).max() < 1


def test_fit_is_the_same_each_time():
    first, second = (scores.fit(*toy(1000, 21), ONE_REGIME, OPTIONS, 0.001) for _ in range(2))
    assert json.dumps(first[0]) == json.dumps(second[0])


def test_short_records_can_be_fitted():
    samples, forecasts = toy(60, 22)
    centres = scores.fit_centres(hold_last(samples), 3)
    detector, found = scores.fit(samples, forecasts, centres, OPTIONS, 0.01)
    assert np.isfinite(detector["threshold"]) and np.isfinite(found).all()


def test_scoring_imports_numpy_alone():
    code = ("import sys, kit.detection.scores; "
            "sys.exit(', '.join(m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules))")
    folder = os.path.join(ROOT, "scripts")
    found = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=folder),
                           stderr=subprocess.PIPE, universal_newlines=True)
    assert found.stderr.strip() == ""


def test_a_statistic_that_never_varies_has_a_precision():
    still = np.zeros((50, 1))
    fitted = scores.fit_residuals(still, still, still[:1])
    assert np.isfinite(fitted["precisions"]).all() and (fitted["precisions"] > 0).all()
