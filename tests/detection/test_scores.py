"""Scoring: evidence of each kind, gaps, sessions, and that pieces of a record score as the whole."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from kit.detection import fitting, scores
from kit.record.stretches import runs
from toy import CHANNELS, MIX, OPTIONS, fitted, toy


@pytest.fixture(scope="module")
def detector():
    return fitted(*toy(8000, 0, 0.0005))


def scored(detector, samples, forecasts):
    return scores.Scorer(detector).update(samples, forecasts)


def test_imputed_sample_has_the_distance_of_its_observed_part():
    covariance = MIX.T @ MIX
    inverse = np.linalg.inv(covariance)[None]
    z = np.array([[1.0, np.nan, -2.0], [np.nan, np.nan, np.nan]])
    filled = scores.impute(z, inverse, np.zeros(2, int))
    seen = z[0, [0, 2]]
    expected = seen @ np.linalg.inv(covariance[np.ix_([0, 2], [0, 2])]) @ seen
    assert filled[0] @ inverse[0] @ filled[0] == pytest.approx(expected)
    assert filled[0, [0, 2]].tolist() == [1, -2]
    assert filled[1].tolist() == [0, 0, 0]


def test_missing_counts_worked():
    missing = np.array([[1, 0], [1, 0], [0, 0]], bool)
    counts, state = scores.missing_counts(missing, 0.0)
    assert counts.tolist() == [[1], [1.875], [1.625]]  # 1.640625 in whole eighths
    assert state.tolist() == [1.875 * 0.875, 0]


def test_missing_counts_that_are_long_gone_are_nought_in_one_piece_and_in_many():
    missing = np.zeros((1500, 2), bool)
    missing[[0, 700], 0], missing[[3, 705, 1450], 1] = True, True
    counts, state = scores.missing_counts(missing, np.zeros(2))
    expected, most = np.zeros(2), []
    for row in missing:  # the recurrence itself, which forgets nothing
        expected = expected * scores.COUNT_FADING + row
        most.append(np.floor(8 * expected.max()) / 8)
    assert counts[:, 0].tolist() == most
    assert state.tolist() == [0, expected[1]] and expected[0] > 0
    single, before = [], np.zeros(2)
    for row in range(len(missing)):
        count, before = scores.missing_counts(missing[row:row + 1], before)
        single += count[:, 0].tolist()
    assert single == most and before.tolist() == state.tolist()


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


def test_a_channel_that_stood_still_may_move_by_a_floor():
    samples, forecasts = toy(4000, 6)
    samples[:, 2] = forecasts[:, 2] = 0  # never moved, and was forecast exactly
    detector = fitted(samples, forecasts)
    for move, odd in ((2 * fitting.FLOOR, False), (20 * fitting.FLOOR, True)):
        again, expected = toy(1000, 7)
        again[:, 2] = expected[:, 2] = 0
        again[500, 2] = move
        assert (scored(detector, again, expected)[500] > detector["threshold"]) == odd


def test_a_switch_does_not_outshout_the_other_channels():
    """Rare large residuals of one channel are normal, a few deviations of another are not."""
    def record(n, seed):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, CHANNELS))
        z[:, 2] *= np.where(rng.random(n) < 0.005, 30, 0.1)
        return z, np.zeros((n, CHANNELS))

    detector = fitted(*record(10000, 9))
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
    detector = fitted(*toy(2000, 0))
    samples, forecasts = toy(400, seed, 0.02)
    bounds = [0] + sorted(cuts) + [400]
    scorer = scores.Scorer(detector)
    pieces = [scorer.update(samples[a:b], forecasts[a:b]) for a, b in zip(bounds, bounds[1:])]
    assert (np.concatenate(pieces) == scored(detector, samples, forecasts)).all()


def test_sample_by_sample_scores_as_the_whole_with_regimes():
    samples, forecasts = toy(3000, 16, 0.01)
    detector = fitted(samples, forecasts, regimes=4)
    scorer = scores.Scorer(detector)
    single = [scorer.update(samples[t:t + 1], forecasts[t:t + 1])[0] for t in range(600)]
    assert single == scored(detector, samples[:600], forecasts[:600]).tolist()
    assert scorer.update(samples[:0], forecasts[:0]).shape == (0,)


def test_an_enormous_score_fades_in_some_samples(detector):
    samples, forecasts = toy(400, 11)
    samples[100] = 1e6
    found = scored(detector, samples, forecasts)
    assert 15 < found[100] <= 2 * scores.MOST - scores.SHARED
    assert (found[140:200] < detector["threshold"]).all()


def test_the_future_has_no_part_in_a_score(detector):
    samples, forecasts = toy(500, 17)
    changed = samples.copy()
    changed[300:] += 5
    assert (scored(detector, samples, forecasts)[:300]
            == scored(detector, changed, forecasts)[:300]).all()


def test_a_statistic_that_never_moves_gives_no_alarm():
    statistic = np.zeros((1000, 1))
    detector, found = fitting.fit(
        toy(1000, 12)[0], statistic, None, OPTIONS, 1 / 1000, ("statistic",))
    assert not (found >= detector["threshold"]).any()
    moved = scored(detector, toy(1000, 13)[0], statistic + 1)
    assert (moved >= detector["threshold"]).all()


def test_a_detector_survives_json(detector):
    again = json.loads(json.dumps(detector))
    samples, forecasts = toy(500, 18, 0.01)
    assert (scored(again, samples, forecasts) == scored(detector, samples, forecasts)).all()


def test_a_statistic_is_scored_upwards_only():
    rng = np.random.default_rng(19)
    samples, statistic = np.zeros((4000, 2)), rng.standard_normal((4000, 1))
    detector, _ = fitting.fit(samples, statistic, None, OPTIONS, 1 / 1000, ("statistic",))
    fresh = rng.standard_normal((400, 1))
    fresh[100], fresh[300] = -9, 9
    found = scores.Scorer(detector).update(samples[:400], fresh)
    assert found[100] < detector["threshold"] < found[300]


def test_no_sample_is_forecast_no_alarm(detector):
    samples, forecasts = toy(100, 20)
    assert scored(detector, samples, np.full_like(forecasts, np.nan)).max() < 1


def test_scoring_imports_numpy_alone():
    code = ("import sys, kit.detection.scores; "
            "sys.exit(', '.join(m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules))")
    folder = os.path.join(ROOT, "scripts")
    found = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=folder),
                           stderr=subprocess.PIPE, universal_newlines=True)
    assert found.stderr.strip() == ""


# ---- level and plane

def test_log_distance_worked():
    matrix = np.array([[2.0, 0.0], [0.0, 0.5]])
    found = scores.log_distance(np.array([[0.0, 0.0], [1.0, 2.0]]), matrix)
    assert found == pytest.approx(np.log([0.01, 4.01]))


def test_exponential_means_worked():
    parts = {"level": (np.array([[8.0], [0.0]]), np.array([1.0, 0.5, 0.25])),
             "residual": (np.array([[[4.0]], [[4.0]]]), np.array([[0.5]]))}
    found = scores.means_together(parts, {"level": np.zeros(3), "residual": np.array([[2.0]])})
    assert found["level"].tolist() == [[8, 4, 2], [0, 2, 1.5]]
    assert found["residual"].tolist() == [[[3]], [[3.5]]]


def test_joined_worked():
    one, two = np.array([1, 5, 5.0, 9]), np.array([0.5, 1, 3, 8])
    assert scores.joined([one, two]).tolist() == [1, 5, 6, 15]
    assert scores.joined([one]).tolist() == one.tolist()


def test_news_worked():
    found, lately = scores.news(np.array([4.0, 4.0, 0.0]), 1.0, 0.5, np.array(1.0))
    assert found.tolist() == [4, 2.5, 0]
    assert lately == (3.25 + 0) / 2


def test_a_residual_that_stays_odd_says_less_and_less(detector):
    """Noise that is twice the normal from some day on alarms at first, and rarely after."""
    rng = np.random.default_rng(38)
    samples = np.zeros((12000, CHANNELS))
    forecasts = 0.2 * rng.standard_normal((12000, CHANNELS)) @ MIX
    normal = 0.001 * rng.standard_normal((8000, CHANNELS))
    alone = fitted(normal, forecasts[:8000] / 2, aspects=("residual",))
    alarms = scored(alone, samples, forecasts) >= alone["threshold"]
    assert alarms[:1000].mean() > 2 * alarms[6000:].mean()


def test_a_lasting_shift_that_the_forecaster_follows_keeps_its_score():
    def wave(n, seed):
        rng = np.random.default_rng(seed)
        return np.sin(np.arange(n)[:, None] / [7, 11, 13]) + 0.1 * rng.standard_normal((n, CHANNELS))

    def followed(samples):  # the last sample again
        return np.concatenate([[[np.nan] * CHANNELS], samples[:-1]])

    normal, samples = wave(8000, 23), wave(1000, 24)
    samples[500:800, 0] += 3
    alone = fitted(normal, followed(normal), aspects=("residual",))
    whole = fitted(normal, followed(normal))
    late = slice(600, 800)
    assert (scored(alone, samples, followed(samples))[late] < alone["threshold"]).mean() > 0.9
    assert (scored(whole, samples, followed(samples))[late] > whole["threshold"]).mean() > 0.9


def test_no_kind_of_evidence_outshouts_the_others(detector):
    """What is a thousand times odder in one kind is no odder than MOST decades."""
    samples, forecasts = toy(300, 25)
    spike, both = forecasts.copy(), samples.copy()
    spike[200] += 1e6  # a forecast that is far off a normal sample
    both[200] += 1e6
    assert scored(detector, samples, spike)[200] < scored(detector, both, forecasts)[200]
    assert scored(detector, samples, spike)[200] <= scores.MOST + 2


def test_scores_without_a_model_need_no_forecast():
    samples = toy(4000, 26)[0]
    detector = fitted(samples, None, aspects=("plane", "level"))
    fresh = toy(400, 27)[0]
    fresh[200:220, 2] += 6
    found = scores.Scorer(detector).update(fresh)
    assert found[:200].max() < detector["threshold"] < found[205:220].min()


def test_one_channel_has_a_level_and_no_plane():
    rng = np.random.default_rng(28)
    samples = rng.standard_normal((4000, 1))
    detector = fitted(samples, np.zeros((4000, 1)))
    assert "plane" not in detector and "level" in detector
    fresh = rng.standard_normal((500, 1))
    fresh[300:340] += 4
    found = scored(detector, fresh, np.zeros((500, 1)))
    assert found[:300].max() < detector["threshold"] < found[310:340].min()


@pytest.mark.parametrize("degrees", [3, 30])
def test_heavy_tails_alarm_at_about_the_wanted_rate(degrees):
    rng = np.random.default_rng(29)

    def draw(n):
        return rng.standard_t(degrees, (n, CHANNELS))

    detector = fitted(draw(10000), np.zeros((10000, CHANNELS)))
    found = scored(detector, draw(50000), np.zeros((50000, CHANNELS)))
    assert len(runs(found >= detector["threshold"])) < 3 * 50


# ---- state and sessions

def test_the_state_is_a_dict_of_arrays_from_which_another_goes_on(detector):
    samples, forecasts = toy(400, 30, 0.02)
    first = scores.Scorer(detector)
    first.update(samples[:150], forecasts[:150])
    assert all(isinstance(value, np.ndarray) for value in first.state.values())
    written = json.dumps({key: value.tolist() for key, value in first.state.items()})
    second = scores.Scorer(detector)
    second.state = {key: np.array(value) for key, value in json.loads(written).items()}
    assert (second.update(samples[150:], forecasts[150:])
            == scored(detector, samples, forecasts)[150:]).all()


def test_scoring_leaves_a_kept_state_as_it_was(detector):
    samples, forecasts = toy(400, 30, 0.02)
    scorer = scores.Scorer(detector)
    scorer.update(samples[:150], forecasts[:150])
    kept = dict(scorer.state)
    once = scorer.update(samples[150:], forecasts[150:])
    scorer.state = kept
    assert (scorer.update(samples[150:], forecasts[150:]) == once).all()


def test_a_new_session_remembers_nothing(detector):
    samples, forecasts = toy(300, 31)
    scorer = scores.Scorer(detector)
    scorer.update(samples + 50, forecasts)
    scorer.begin()
    assert (scorer.update(samples, forecasts) == scored(detector, samples, forecasts)).all()


def test_a_whole_number_beyond_numpys_is_a_number():
    """JSON's 99999999999999999999 (found by fuzzing)."""
    detector = fitted(*toy(600, 41))
    detector["residual"]["tails"][0].update(shape=0.1, scale=10 ** 20)
    assert np.isfinite(scores.Scorer(detector).update(*toy(50, 42))).all()
