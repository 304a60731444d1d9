"""kit.detection.metrics: worked values, properties, and the values of public reference packages."""
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from kit.base.cli import UserError
from kit.detection import metrics
from kit.record import stretches
from kit.record.stretches import runs

with open(os.path.join(os.path.dirname(__file__), "references", "metrics.json")) as file:
    REFERENCE = json.load(file)["cases"]
LATE = np.array([0, 0, 1, 0, 0], bool), np.array([0.1, 0.2, 0.5, 0.9, 0.3])
properties = settings(max_examples=40, deadline=None, derandomize=True)


def bits(text):
    return np.array(list(text.replace(" ", ""))) == "1"


def event_table(*events):
    """Events from (start, end) or (start, end, kind, severity)."""
    rows = [(event + ("spike", "plain"))[:4] if len(event) == 2 else event for event in events]
    table = pd.DataFrame(rows, columns=["start", "end", "kind", "severity"])
    return table.assign(channels="a")


def table_of(labels):
    return event_table(*map(tuple, runs(labels)))


@st.composite
def records(draw):
    """(labels, scores with ties) of up to 60 samples, with an event and a normal sample."""
    n = draw(st.integers(2, 60))
    labels = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    scores = np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), float)
    spot = draw(st.integers(0, n - 2))
    labels[spot:spot + 2] = [True, False]
    return labels, scores


# ---- worked values -----------------------------------------------------------------------------


def test_areas_of_a_score_one_sample_late():
    assert metrics.auc_pr(*LATE) == 0.5
    assert metrics.auc_roc(*LATE) == 0.75
    assert metrics.best_f1_oracle(*LATE) == pytest.approx(2 / 3)
    slope = np.sqrt(0.5)
    recall = slope / (1 + slope / 2)
    pr = recall * slope + (1 - recall) * (1 + slope) / 2
    fpr = (1 - slope) / (5 - 1 - slope / 2)
    roc = fpr * recall / 2 + (1 - fpr)
    expected = (0.75 + 0.75 + roc) / 3, (0.5 + 0.5 + pr) / 3
    assert metrics.vus(*LATE, max_buffer=2) == pytest.approx(expected, abs=1e-12)
    assert metrics.vus(*LATE, max_buffer=2)[1] == pytest.approx(0.5923, abs=5e-5)


def test_existence_reward_of_vus():
    """While one of two events is touched recall counts half: 1/4 at precision 1, then 1 at 2/3."""
    labels, scores = bits("100100"), np.array([9, 0, 0, 1, 8, 0])
    assert metrics.auc_pr(labels, scores) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert metrics.vus(labels, scores, 0)[1] == pytest.approx(0.25 + 0.75 * 2 / 3)


def test_point_scores():
    assert metrics.point_precision_recall(bits("0110"), bits("0011")) == (0.5, 0.5)
    assert metrics.f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert metrics.f1(np.nan, 0.0) == 0
    assert np.isnan(metrics.f1(np.nan, np.nan))


def test_range_scores():
    labels, alarms = bits("011110"), bits("010011")
    assert metrics.range_precision_recall(labels, alarms) == pytest.approx((0.75, 0.4))
    assert metrics.range_precision_recall(labels, alarms, alpha=1.0)[1] == 1


def test_affiliation_by_hand():
    labels, alarms = bits("0000110000"), bits("0000000100")
    assert metrics.affiliation(labels, alarms) == pytest.approx((0.5, 0.6))
    assert metrics.affiliation_precision_floor(labels) == pytest.approx(0.52)


def test_affiliation_in_blocks_is_that_of_all_rows(monkeypatch):
    rng = np.random.default_rng(1)
    labels, alarms = rng.random((2, 300)) < [[0.1], [0.6]]
    whole = metrics.affiliation(labels, alarms)
    monkeypatch.setattr(stretches, "BLOCK", 7)
    assert metrics.affiliation(labels, alarms) == whole


def test_affiliation_of_the_example_of_the_paper():
    """Minutes of ahstat/affiliation-metrics-py's test_paper: second event .672222, .944444."""
    labels, alarms = np.zeros(180, bool), np.zeros(180, bool)
    for start, end in [(0, 10), (50, 70), (170, 175)]:
        labels[start:end] = True
    for start, end in [(5, 6), (7, 10), (11, 12), (40, 60), (115, 130), (135, 140), (165, 170)]:
        alarms[start:end] = True
    second = slice(30, 120)  # its zone, cut out: all of it is the zone of the one event left
    found = metrics.affiliation(labels[second], alarms[second])
    assert found == pytest.approx((0.672222222, 0.944444444))


def test_event_scores():
    events = event_table((0, 2, "spike", "plain"), (3, 6, "drift", "hard"),
                         (8, 10, "drift", "plain"))
    alarms = bits("11 0 001 0 1 00 1")
    assert metrics.delays(events, alarms).tolist()[:2] == [0, 2]
    assert np.isnan(metrics.delays(events, alarms)[2])
    assert metrics.event_recall(events, alarms) == pytest.approx(2 / 3)
    assert metrics.recall_by(events, alarms, "kind") == {"drift": 0.5, "spike": 1}
    assert metrics.recall_by(events, alarms, "severity") == {"hard": 1, "plain": 0.5}
    assert metrics.median_delay_s(events, alarms, 60) == 60


def test_false_alarms():
    events, alarms = event_table((3, 5)), bits("101101")
    strict = metrics.normal_time(events, 6)
    assert strict.tolist() == bits("111001").tolist()
    assert metrics.false_alarm_runs(alarms, strict).tolist() == [[0, 1], [5, 6]]
    assert metrics.false_alarms_per_day(alarms, strict, 10800) == pytest.approx(4)
    assert metrics.false_alarm_time_fraction(alarms, strict) == 0.75
    forgiving = metrics.normal_time(events, 6, tail=1)
    assert metrics.false_alarm_runs(alarms, forgiving).tolist() == [[0, 1]]
    assert metrics.false_alarms_per_day(alarms, forgiving, 28800) == pytest.approx(1)


def test_threshold_at_rate_by_hand():
    normal = ~bits("001000")
    scores = np.array([5.0, 0, 9, 0, 7, 0])
    day = 86400 / 5  # seconds a sample, so that normal time is one day
    for per_day, expected in [(0, 9), (1, 7), (2, 5)]:
        assert metrics.threshold_at_rate(scores, normal, day, per_day, 86400 / 5) == expected
    assert metrics.threshold_at_rate(-scores, normal, day, 0) == np.inf


def test_an_alarm_that_joins_two_events_is_no_false_alarm():
    scores, normal = np.array([5.0, 5, 5, 0, 3, 0]), ~bits("101000")
    assert metrics.threshold_at_rate(scores, normal, 86400 / 4, 0.5, 1e9) == 5


def test_the_lowest_threshold_is_not_a_free_lunch():
    """Alarming always counts no false episode; a constant and a clock must not profit from it."""
    n = 28800
    events = event_table(*[(start, start + 100) for start in range(1000, n, 1400)])
    normal = metrics.normal_time(events, n)
    always = np.ones(n, bool)
    assert metrics.false_alarms_per_day(always, normal, 60) == 0
    assert metrics.false_alarm_time_fraction(always, normal) == 1
    for scores, highest in [(np.zeros(n), 0), (np.arange(n) / n, 0.1)]:
        alarms = scores >= metrics.threshold_at_rate(scores, normal, 60, 1.0)
        assert metrics.event_recall(events, alarms) <= highest


def test_curves():
    labels, scores = LATE
    assert metrics.roc_points(labels, scores, 50)[[0, -1]].tolist() == [[0, 0], [1, 1]]
    assert metrics.pr_points(labels, scores, 50).tolist()[:2] == [[0, 1], [0, 0]]
    line = np.array([[0, 0], [0.1, 0], [0.5, 0], [1, 0]])
    assert metrics.thin(line, 3).tolist() == [[0, 0], [0.5, 0], [1, 0]]


def test_summary_by_hand():
    events = event_table((1, 3, "spike", "plain"), (6, 7, "bias", "hard"))
    scores = np.array([1.0, 9, 8, 1, 5, 1, 4, 1])
    summary = metrics.summarize(scores, scores > 4, events, 3600.0, max_buffer=0)
    assert summary["precision"] == pytest.approx(2 / 3)
    assert summary["recall"] == pytest.approx(2 / 3)
    assert summary["event_recall"] == 0.5
    assert summary["event_recall_plain"] == 1
    assert summary["event_recall_hard"] == 0
    assert summary["event_recall_medium"] is None
    assert summary["median_delay_s"] == 0
    assert summary["false_alarms_per_day"] == pytest.approx(24 / 5)
    assert summary["event_recall_at_1_per_day"] == 0.5
    json.dumps(summary, allow_nan=False)


# ---- public implementations --------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: "n=%d" % len(case["labels"]))
def test_reference_packages(case):
    labels, alarms, scores = bits(case["labels"]), bits(case["alarms"]), np.array(case["scores"])
    volumes = metrics.vus(labels, scores, case["max_buffer"])
    assert volumes == pytest.approx(case["vus"], abs=1e-12)
    assert volumes == pytest.approx(case["tsb_ad"], abs=1e-12)
    assert metrics.affiliation(labels, alarms) == pytest.approx(case["affiliation"], abs=1e-12)
    for alpha, recall in case["range_recall"].items():
        found = metrics.range_precision_recall(labels, alarms, float(alpha))
        assert found == pytest.approx((case["range_precision"], recall), abs=1e-12)


@properties
@given(records())
def test_scikit_learn_agrees(record):
    labels, scores = record
    assert metrics.auc_pr(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    assert metrics.auc_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    best = max(f1_score(labels, scores >= level) for level in set(scores))
    assert metrics.best_f1_oracle(labels, scores) == pytest.approx(best)


@properties
@given(records())
def test_vus_without_buffer_of_one_event_is_the_auc(record):
    labels, scores = record
    start, end = runs(labels)[0]
    rows = np.arange(len(labels))
    labels = (start <= rows) & (rows < min(end, len(rows) - 1))
    expected = roc_auc_score(labels, scores), average_precision_score(labels, scores)
    assert metrics.vus(labels, scores, 0) == pytest.approx(expected)


# ---- properties --------------------------------------------------------------------------------


@properties
@given(records(), st.integers(0, 25), st.integers(0, 9))
def test_all_shares_lie_between_0_and_1(record, max_buffer, threshold):
    labels, scores = record
    summary = metrics.summarize(scores, scores >= threshold, table_of(labels), 1.0, max_buffer)
    free = {"false_alarms_per_day", "median_delay_s"}
    assert all(value is None or -1e-12 <= value <= 1 + 1e-12
               for key, value in summary.items() if key not in free)
    assert summary["false_alarms_per_day"] >= 0


@properties
@given(records(), st.integers(0, 25))
def test_perfect_scores_give_1(record, max_buffer):
    labels, _ = record
    summary = metrics.summarize(labels.astype(float), labels, table_of(labels), 1.0, max_buffer)
    ones = ["vus_pr", "vus_roc", "auc_pr", "auc_roc", "best_f1_oracle", "precision", "recall",
            "f1", "range_precision", "range_recall", "range_f1", "affiliation_precision",
            "affiliation_recall", "event_recall", "event_recall_plain",
            "event_recall_at_1_per_day"]
    assert [summary[key] for key in ones] == pytest.approx([1] * len(ones))
    assert summary["false_alarms_per_day"] == summary["median_delay_s"] == 0
    assert summary["false_alarm_time_fraction"] == 0


@properties
@given(records(), st.integers(0, 25))
def test_only_the_order_of_scores_matters(record, max_buffer):
    labels, scores = record
    events = table_of(labels)
    first, second = (metrics.summarize(changed, scores > 6, events, 1.0, max_buffer)
                     for changed in (scores, np.exp(scores / 3) - 5))
    assert first == second


@properties
@given(records(), st.integers(0, 59))
def test_one_alarm_more_inside_an_event_never_costs_recall(record, spot):
    labels, scores = record
    rows = np.flatnonzero(labels)
    alarms = scores > 7
    more = alarms.copy()
    more[rows[spot % len(rows)]] = True
    events = table_of(labels)
    assert metrics.event_recall(events, more) >= metrics.event_recall(events, alarms)
    for score in (metrics.point_precision_recall, metrics.affiliation):
        assert score(labels, more)[1] >= score(labels, alarms)[1] - 1e-12


@properties
@given(records(), st.integers(0, 3), st.integers(0, 12), st.sampled_from([20000.5, 1e9]))
def test_threshold_at_rate_keeps_its_budget(record, tail, budget, false_alarm_s):
    """It agrees with a walk over all thresholds that counts the false alarms of each anew."""
    labels, scores = record
    normal = metrics.normal_time(table_of(labels), len(labels), tail)
    interval = 86400 / max(normal.sum(), 1)  # normal time is one day
    allowed = np.inf
    for threshold in np.unique(scores)[::-1]:
        alarms = scores >= threshold
        count = len(metrics.false_alarm_runs(alarms, normal))
        if count > budget or np.sum(alarms & normal) * interval > budget * false_alarm_s:
            break
        allowed = threshold
    found = metrics.threshold_at_rate(scores, normal, interval, budget, false_alarm_s)
    assert found == allowed


def test_a_random_score_gets_the_floor():
    rng = np.random.Generator(np.random.PCG64(7))
    labels = np.zeros(40000, bool)
    for start in range(500, 40000, 2000):
        labels[start:start + 50] = True
    scores = rng.random(40000)
    assert metrics.auc_pr(labels, scores) == pytest.approx(labels.mean(), abs=0.005)
    assert metrics.auc_roc(labels, scores) == pytest.approx(0.5, abs=0.03)
    assert metrics.vus(labels, scores, 20)[1] < 0.05
    few = metrics.affiliation(labels, scores > 0.9)[0]
    assert few == pytest.approx(metrics.affiliation_precision_floor(labels), abs=0.02)


@properties
@given(records(), st.integers(2, 8))
def test_thinned_curves_keep_their_ends(record, k):
    for curve in (metrics.roc_points, metrics.pr_points):
        whole, few = curve(*record, 10000), curve(*record, k)
        assert len(few) <= max(k, 2)
        assert few[[0, -1]].tolist() == whole[[0, -1]].tolist()
        assert set(map(tuple, few)) <= set(map(tuple, whole))
        assert (np.diff(few[:, 0]) >= 0).all()


def test_order_of_equal_scores_does_not_matter():
    labels = bits("0011 0000 1100")
    flat = np.ones(12)
    assert metrics.auc_pr(labels, flat) == pytest.approx(4 / 12)
    assert metrics.auc_roc(labels, flat) == 0.5
    assert metrics.vus(labels, flat, 0) == pytest.approx((0.5, 4 / 12))


# ---- edges -------------------------------------------------------------------------------------


def test_no_event():
    summary = metrics.summarize(np.arange(9.0), np.arange(9) > 7, event_table(), 3600.0, 4)
    assert {key for key, value in summary.items() if value is not None} == {
        "precision", "f1", "range_precision", "range_f1", "false_alarms_per_day",
        "false_alarm_time_fraction"}
    assert summary["precision"] == summary["f1"] == 0
    assert summary["false_alarms_per_day"] == pytest.approx(24 / 9)
    assert metrics.recall_by(event_table(), np.zeros(9, bool), "kind") == {}
    assert metrics.roc_points(np.zeros(9), np.arange(9), 5).shape == (0, 2)
    assert metrics.pr_points(np.zeros(9), np.arange(9), 5).shape == (0, 2)


def test_no_alarm():
    summary = metrics.summarize(np.arange(9.0), np.zeros(9, bool), event_table((3, 5)), 1.0, 4)
    undefined = ["precision", "range_precision", "affiliation_precision", "median_delay_s"]
    zero = ["recall", "f1", "range_recall", "range_f1", "affiliation_recall", "event_recall",
            "false_alarms_per_day", "false_alarm_time_fraction"]
    assert [summary[key] for key in undefined] == [None] * 4
    assert [summary[key] for key in zero] == [0] * 8


def test_all_alarm():
    events = event_table((0, 2), (6, 9))
    summary = metrics.summarize(np.ones(9), np.ones(9, bool), events, 1.0, 4)
    assert summary["precision"] == pytest.approx(5 / 9)
    assert summary["recall"] == summary["event_recall"] == summary["affiliation_recall"] == 1
    assert summary["affiliation_precision"] == summary["affiliation_precision_floor"]
    assert summary["false_alarm_time_fraction"] == 1
    assert summary["event_recall_at_1_per_day"] == 0


def test_every_sample_in_an_event():
    summary = metrics.summarize(np.arange(4.0), np.arange(4) > 1, event_table((0, 4)), 1.0, 3)
    assert summary["auc_pr"] == summary["vus_pr"] == summary["precision"] == 1
    for key in ["auc_roc", "vus_roc", "false_alarms_per_day", "false_alarm_time_fraction"]:
        assert summary[key] is None


@pytest.mark.parametrize("event", [(0, 1), (9, 10)])
def test_event_on_the_first_or_last_row(event):
    scores = np.zeros(10)
    scores[event[0]] = 1
    summary = metrics.summarize(scores, scores > 0, event_table(event), 1.0, 6)
    assert summary["vus_pr"] == summary["vus_roc"] == summary["f1"] == summary["event_recall"] == 1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_named(wrong):
    scores = np.array([1.0, wrong, 2, wrong])
    for function in (metrics.auc_pr, metrics.auc_roc, metrics.best_f1_oracle):
        with pytest.raises(ValueError, match="2 of 4 scores are NaN or infinite, .* row 1"):
            function(bits("0100"), scores)
    with pytest.raises(ValueError, match="row 1"):
        metrics.vus(bits("0100"), scores, 3)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        metrics.auc_pr(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        metrics.affiliation(np.ones(3), np.ones(2))


@pytest.mark.parametrize("event", [(-1, 2), (5, 11), (4, 4)])
def test_events_of_another_record_are_refused(event):
    with pytest.raises(UserError, match="event 1 covers rows .* 10 rows"):
        metrics.summarize(np.ones(10), np.ones(10, bool), event_table(event), 1.0, 2)
