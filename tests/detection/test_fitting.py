"""Fitting: spreads, covariances, tails and thresholds, against what is known of drawn records."""
import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kit.detection import fitting, scores
from kit.record import stretches
from toy import CHANNELS, MIX, ONE_REGIME, OPTIONS, fitted, normal_of, toy


def first_residuals(samples, forecasts):
    """Residuals and states of a record that begins a session."""
    return scores.residuals(samples, forecasts, samples, np.full(samples.shape[1], np.nan))


def test_mahalanobis_distance_is_the_known_one():
    samples, forecasts = toy(40000, 1)
    residual, state = first_residuals(samples, forecasts)
    known = ~np.isnan(residual).any(axis=1)
    fitted = fitting.fit_residuals(residual[known], state[known], ONE_REGIME)
    alone, distance = scores.standardise(fitted, residual[known], state[known])
    inverse = np.linalg.inv(0.01 * MIX.T @ MIX)
    expected = np.einsum("nc,cd,nd->n", residual[known], inverse, residual[known])
    assert np.corrcoef(distance, expected)[0, 1] > 0.99
    assert distance.mean() == pytest.approx(CHANNELS, rel=0.02)
    expected_alone = residual[known] @ inverse / np.sqrt(np.diag(inverse))
    assert np.corrcoef(alone[:, 0], expected_alone[:, 0])[0, 1] > 0.99
    assert alone.std(axis=0) == pytest.approx(np.ones(CHANNELS), rel=0.05)


def test_spread_follows_the_state():
    rng = np.random.default_rng(2)
    forecasts = rng.uniform(-1, 1, (20000, 1))
    residual = rng.standard_normal((20000, 1)) * np.exp(0.5 + 1.5 * forecasts)
    samples = forecasts + residual
    _, state = first_residuals(samples, forecasts)
    fitted = fitting.fit_spread(residual, state)
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
    residual, state = first_residuals(samples, forecasts)
    fitted = fitting.fit_residuals(residual, state, np.array([[-1.0, -1.0], [1.0, 1.0]]))
    apart = np.array([[0.2, -0.2]])  # two channels that disagree
    states = [np.concatenate([[[f, f]], [[1, 1]], [[2, 2]]], axis=1) for f in (-1.0, 1.0)]
    tied, free = (scores.standardise(fitted, apart, state)[1][0] for state in states)
    assert tied == pytest.approx(80, rel=0.15)  # 2 * 2^2 / (1 - .9)
    assert free == pytest.approx(8, rel=0.15)


def test_variance_of_a_floor_is_shared_between_residual_and_covariance():
    rng = np.random.default_rng(8)
    residual = fitting.FLOOR * rng.standard_normal((20000, 2)) * [1, 1e-9]
    state, centres = np.zeros((20000, 6)), np.zeros((1, 2))
    fitted = fitting.fit_residuals(residual, state, centres)
    # half the variance of the first is seen, half is the floor; of the second all is the floor
    assert np.exp(fitted["log_scale"]) == pytest.approx(fitting.FLOOR * np.sqrt([2, 1]), rel=0.02)
    assert fitted["inverse_covariances"][0] == pytest.approx(np.eye(2), abs=0.05)


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_pareto_fit_recovers_its_parameters(shape):
    sample = stats.genpareto.rvs(shape, scale=2.0, size=20000, random_state=4)
    found_shape, found_scale = fitting.fit_pareto(sample)
    assert found_shape == pytest.approx(shape, abs=0.05)
    assert found_scale == pytest.approx(2.0, rel=0.06)


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_pareto_surprise_and_level_are_those_of_scipy(shape):
    excess = np.array([0.0, 0.5, 10.0])
    expected = -np.log10(stats.genpareto.sf(excess, shape, scale=2.0))
    assert scores.pareto_surprise(excess, shape, 2.0) == pytest.approx(expected)
    assert fitting.pareto_level(1e-4, shape, 2.0) == pytest.approx(
        stats.genpareto.isf(1e-4, shape, scale=2.0))


def test_pareto_of_nothing():
    assert fitting.fit_pareto(np.empty(0)) == (0.0, 0.0)
    assert fitting.fit_pareto(np.zeros(5)) == (0.0, 0.0)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_surprise_is_minus_log_probability(draw):
    rng = np.random.default_rng(6)
    tail = fitting.fit_tail(getattr(rng, draw)(20000))
    fresh = np.sort(getattr(rng, draw)(200000))
    for decades in (0.5, 1, 2, 3):
        level = fresh[int(len(fresh) * (1 - 10.0 ** -decades))]
        assert scores.surprise(np.array([level]), tail)[0] == pytest.approx(decades, abs=0.15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.integers(0, 5))
def test_surprise_never_falls(values, seed):
    tail = fitting.fit_tail(np.random.default_rng(seed).standard_normal(500))
    assert (np.diff(scores.surprise(np.sort(values), tail)) >= 0).all()


def test_count_tail_calls_more_than_ever_seen_as_rare_as_one_in_n():
    counts = np.zeros(999)
    counts[[3, 50, 700]] = 1
    tail = fitting.fit_count_tail(counts)
    found = scores.surprise(np.array([0.0, 1.0, 2.0, 4.0]), tail)
    assert found == pytest.approx([0, np.log10(1000 / 4), 3, 6])


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_threshold_has_the_wanted_rate(shape):
    rates = []
    for seed in range(20):  # one record alone: a standard deviation of 0.25
        normal = stats.genpareto.rvs(shape, size=50000, random_state=seed)
        threshold = fitting.fit_threshold(normal, 1 / 5000)
        rates.append(stats.genpareto.sf(threshold, shape) * 5000)
    assert np.mean(rates) == pytest.approx(1, abs=0.15)


def test_threshold_counts_a_run_once():
    """Each excursion lasts 5 samples: counting samples would set the threshold too high."""
    rng = np.random.default_rng(10)
    independent = rng.standard_exponential(20000)
    lasting = np.repeat(independent, 5)
    once = fitting.fit_threshold(independent, 1 / 1000)
    assert fitting.fit_threshold(lasting, 1 / 5000) == pytest.approx(once, rel=0.05)


def test_threshold_of_a_constant_score_is_above_it():
    assert fitting.fit_threshold(np.ones(100), 0.01) > 1


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_channel_that_is_missing_in_all_folds_but_one():
    samples, forecasts = toy(4000, 14)
    samples[800:, 1] = np.nan
    detector = fitted(samples, forecasts)
    assert np.isfinite(scores.Scorer(detector).update(*toy(500, 15))).all()


def test_fit_is_the_same_each_time():
    first, second = (fitted(*toy(1000, 21)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_a_record_in_blocks_is_fitted_as_the_whole_of_it(monkeypatch):
    samples, forecasts = toy(900, 36, missing=0.05)
    fit = functools.partial(fitting.fit, samples, forecasts, normal_of(samples, regimes=3), OPTIONS, 0.01,
                            starts=[0, 400, 403])
    whole, found = fit()
    monkeypatch.setattr(stretches, "BLOCK", 11)
    detector, again = fit()
    assert json.dumps(detector) == json.dumps(whole)
    assert (found == again).all()


def test_a_long_record_is_fitted_on_some_of_its_samples(monkeypatch):
    samples, forecasts = toy(4000, 37)
    normal = normal_of(samples)
    whole, _ = fitting.fit(samples, forecasts, normal, OPTIONS, 0.001)
    monkeypatch.setattr(fitting, "AT_MOST_KNOWN", 1000)
    some, _ = fitting.fit(samples, forecasts, normal, OPTIONS, 0.001)
    assert some["residual"]["location"] != whole["residual"]["location"]
    assert some["threshold"] == pytest.approx(whole["threshold"], rel=0.1)


def test_short_records_can_be_fitted():
    samples, forecasts = toy(60, 22)
    detector, found = fitting.fit(samples, forecasts, normal_of(samples, regimes=3), OPTIONS, 0.01)
    assert np.isfinite(detector["threshold"]) and np.isfinite(found).all()


def test_a_statistic_that_never_varies_has_an_inverse_covariance():
    still = np.zeros((50, 1))
    fitted = fitting.fit_residuals(still, still, still[:1])
    assert np.isfinite(fitted["inverse_covariances"]).all() and (fitted["inverse_covariances"] > 0).all()


# ---- what is normal

def test_distances_of_normal_samples_have_a_mean_of_one():
    samples = np.random.default_rng(32).standard_normal((5000, CHANNELS)) @ MIX
    normal = normal_of(samples)
    for aspect in ("plane", "level"):
        squared = np.exp(scores.log_distance(samples, normal[aspect])) - scores.LEAST_DISTANCE
        assert squared.mean() == pytest.approx(1, abs=0.01)


def test_the_plane_is_that_of_the_train_part_and_level_its_covariance():
    rng = np.random.default_rng(33)
    samples = rng.standard_normal((5000, 1)) * [[3.0, 4.0]] + 0.1 * rng.standard_normal((5000, 2))
    normal = normal_of(samples)
    on, off = np.array([[3.0, 4.0]]), np.array([[-0.8, 0.6]])
    on_plane, off_plane, on_level, off_level = (
        float(vector @ normal[aspect] @ vector.T) for aspect in ("plane", "level") for vector in (on, off))
    assert on_plane < 0.01 and off_plane == pytest.approx(100, rel=0.1)
    assert off_level > 30 * on_level  # shrinkage makes them more alike than 100 to 1


def test_scales_that_the_record_cannot_tell_of_are_left_out():
    weights = {n: fitted(*toy(n, 34))["weights"] for n in (50, 400, 4000)}
    assert [len(found) for found in weights.values()] == [2, 3, 4]
    assert weights[4000] == pytest.approx([1, 2 / 5, 2 / 17, 2 / 65], rel=1e-6)


def test_a_session_of_the_record_begins_anew():
    samples = toy(3000, 35)[0]
    samples[:1000, 0] += 30
    normal = normal_of(samples[1000:])
    detector, found = fitting.fit(samples, None, normal, OPTIONS, 1 / 1000, ("plane", "level"),
                                  starts=[0, 1000])
    again = scores.Scorer(detector).update(samples[1000:])
    assert found[1000:] == pytest.approx(again, rel=1e-4)  # a detector has 7 digits


# ---- thresholds of short records

@pytest.mark.parametrize("wanted", [1, 3])
def test_a_short_record_bounds_the_rate_from_above(wanted):
    """Where 1 or 3 alarms are wanted in all the record, nine of ten thresholds keep to the rate."""
    bounded, plain = [], []
    for seed in range(60):
        normal = np.random.default_rng(seed).standard_exponential(2000)
        rate = wanted / len(normal)
        bounded.append(np.exp(-fitting.bounded_threshold(normal, rate)) / rate)
        plain.append(np.exp(-fitting.fit_threshold(normal, rate)) / rate)
    assert np.mean(np.array(bounded) <= 1.05) > 0.8 > np.mean(np.array(plain) <= 1.05)
    assert np.mean(np.array(bounded) <= 3) > 0.97


def test_a_long_record_needs_little_of_a_bound():
    normal = np.random.default_rng(36).standard_exponential(50000)
    assert fitting.bounded_threshold(normal, 1 / 500) == pytest.approx(
        fitting.fit_threshold(normal, 1 / 500), rel=0.04)


def test_bounds_are_the_same_each_time():
    normal = np.random.default_rng(37).standard_exponential(2000)
    assert fitting.bounded_threshold(normal, 0.001) == fitting.bounded_threshold(normal, 0.001)
