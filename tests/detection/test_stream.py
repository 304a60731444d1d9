"""Scores and alarms of a stream, however it is cut; a picture's envelope in bounded memory."""
import copy

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.detection.stream import Alarms, Envelope, StreamDetector
from kit.record.windows import Scaler
from toy import FITTED, LargestResidual, Persistence

SCALER = Scaler(["a", "b"], np.zeros(2), np.ones(2))


@pytest.fixture
def detector(monkeypatch):
    """Makes detectors that score a sample by its distance to the forecast."""
    monkeypatch.setattr("kit.detection.stream.Scorer", LargestResidual)
    return lambda: StreamDetector(Persistence(), SCALER, FITTED)


def record(n=40, missing=0.2):
    rng = np.random.Generator(np.random.PCG64(2))
    values = rng.normal(size=(n, 2))
    values[rng.random(values.shape) < missing] = np.nan
    return values


def test_a_sample_is_scored_by_the_forecast_made_before_it_came(detector):
    """The forecast of sample t is x(t - 1) + (x(t - 1) - x(t - 2)) / 10."""
    values = record(missing=0)
    expected = np.abs(values[2:] - (1.1 * values[1:-1] - 0.1 * values[:-2])).max(axis=1)
    found = detector().update(values)
    np.testing.assert_allclose(found[3:], expected[1:], atol=1e-6)
    assert found[:3].tolist() == [0, 0, 0], "within the warm-up no forecast is used"


def test_the_model_sees_the_last_value_where_one_is_missing(detector):
    values = np.zeros((6, 2))
    values[4] = [5, np.nan]
    values[5] = [np.nan, 0]
    stream = detector()
    assert stream.update(values)[4] == 5
    assert stream.update(np.float64([[0, 0]]))[0] == pytest.approx(5), "5 was held: no step is forecast"


def test_a_stream_goes_on_from_a_state_and_begins_anew_with_a_session(detector):
    values, stream, other = record(), detector(), detector()
    whole = stream.update(values)
    other.update(values[:17])
    state = copy.deepcopy(other.state)
    other.begin()
    np.testing.assert_array_equal(other.update(values), whole)
    again = detector()
    again.state = state
    np.testing.assert_array_equal(again.update(values[17:]), whole[17:])


def test_a_score_that_is_none_names_the_sample(detector):
    stream = detector()
    stream.update(np.zeros((7, 2)))
    stream.scorer.update = lambda samples, forecasts: np.array([0.0, 1.0, np.nan])
    with pytest.raises(UserError, match="gives no score to sample 9: its numbers are damaged"):
        stream.update(np.zeros((3, 2)))


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_alarms_are_the_runs_of_high_scores_however_they_are_cut(cut):
    rng = np.random.Generator(np.random.PCG64(1))
    scores = rng.random(200)
    alarms, said = Alarms(), []
    for first in range(0, len(scores), cut):
        piece = scores[first:first + cut]
        said += [(event, first + at, row) for event, at, row in alarms.update(first, piece, 0.6)]
    flags = np.concatenate([[0], scores >= 0.6, [0]]).astype(int)
    expected = np.flatnonzero(np.diff(flags)).reshape(-1, 2)
    closed = [row if row[1] is not None else [row[0], len(scores), row[2]] for row in alarms.rows]
    assert [row[:2] for row in closed] == expected.tolist()
    assert [row[2] for row in closed] == [scores[a:b].max() for a, b in expected]
    assert [at for event, at, _ in said if event == "begin"] == expected[:, 0].tolist()


@pytest.mark.parametrize("cut", [1, 2, 7, 40])
def test_a_stream_in_pieces_scores_as_the_whole(detector, cut):
    values = record()
    whole, stream = detector().update(values), detector()
    pieces = [stream.update(values[i:i + cut]) for i in range(0, 40, cut)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert (whole[:3] == 0).all() and whole[3:].any()


def test_the_envelope_keeps_extremes_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(Envelope, "LIMIT", 16)
    values = np.arange(1000.0)[:, None] % 100
    envelope = Envelope(1)
    for first in range(0, 1000, 37):
        envelope.add(first, values[first:first + 37])
    assert envelope.size == 64 and envelope.low.shape == (16, 1)
    for stretch in range(16):
        part = values[64 * stretch:64 * stretch + 64]
        assert (envelope.low[stretch], envelope.high[stretch]) == (part.min(), part.max())


def test_an_alarm_that_lasts_is_open_until_it_is_closed():
    alarms = Alarms()
    assert alarms.close(0) == [] and alarms.open is None
    list(alarms.update(5, np.array([0.0, 2, 3]), 1))
    assert alarms.open == [6, None, 3.0]
    assert list(alarms.update(8, np.array([2.0]), 1)) == []
    assert alarms.close(9) == [[6, 9, 3.0]] and alarms.open is None
