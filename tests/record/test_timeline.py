"""Rows with times -> equally spaced samples: gaps are filled, irregular logs are refused."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from kit.base.cli import UserError
from kit.record.logs import Block
from kit.record.timeline import UNEVEN_ROWS, Timeline, equally_spaced, iso


def spaced(seconds, cut=4, marks=None, **options):
    """(seconds, values, marks, timeline) of a log with one channel that counts its rows."""
    timeline = Timeline(**options)
    seconds = np.asarray(seconds, float)
    time = np.rint(seconds * 1e6).astype(np.int64).astype("datetime64[us]")
    marks = np.zeros(len(time), np.int64) if marks is None else np.asarray(marks)
    values = np.arange(len(time), dtype=float)[:, None]
    blocks = [Block("plant.csv", row + 1, time[row:row + cut], values[row:row + cut],
                    marks[row:row + cut]) for row in range(0, len(time), cut)]
    found = list(equally_spaced(blocks, timeline))
    assert [block.row for block in found] == np.cumsum(
        [0] + [len(block.values) for block in found])[:-1].tolist()
    return (np.concatenate([block.time for block in found]).astype(np.int64) / 1e6,
            np.concatenate([block.values for block in found])[:, 0],
            np.concatenate([block.marks for block in found]), timeline)


@pytest.mark.parametrize("cut", [1, 2, 4, 9])
def test_a_gap_becomes_missing_samples(cut):
    time, values, marks, timeline = spaced(
        [0, 60, 120, 300, 360], cut, marks=[0, 1, 1, 1, 0], interval_s=60)
    np.testing.assert_array_equal(time, np.arange(7) * 60)
    np.testing.assert_array_equal(values, [0, 1, 2, np.nan, np.nan, 3, 4])
    assert marks.tolist() == [0, 1, 1, 1, 1, 1, 0], "within an event when both neighbours are"
    assert timeline.gap_samples == 2


def test_a_gap_between_two_events_belongs_to_neither():
    assert spaced([0, 60, 180, 240], marks=[1, 1, 2, 2])[2].tolist() == [1, 1, 0, 2, 2]


@settings(deadline=None)
@given(strategies.lists(strategies.integers(1, 5), min_size=1, max_size=60),
       strategies.integers(1, 20), strategies.sampled_from([0.1, 1.0, 60.0]))
def test_every_row_stands_once_and_in_order(steps, cut, interval_s):
    rows = np.cumsum([0] + steps)
    if any(all(step > 1 for step in steps[i:i + UNEVEN_ROWS])
           for i in range(len(steps) - UNEVEN_ROWS + 1)):
        return  # another sampling rate, tested below
    time, values, _, timeline = spaced(rows * interval_s, cut, interval_s=interval_s)
    np.testing.assert_allclose(time, np.arange(rows[-1] + 1) * interval_s, atol=2e-6)
    np.testing.assert_array_equal(values[rows], np.arange(len(rows)))
    assert np.isnan(values).sum() == timeline.gap_samples == rows[-1] + 1 - len(rows)


def test_jitter_keeps_its_times_and_makes_no_gap():
    seconds = [0, 61, 118, 181, 240]
    time, values, _, timeline = spaced(seconds)
    assert time.tolist() == seconds and timeline.gap_samples == 0


def test_without_times_rows_follow_each_other():
    blocks = [Block("a", 1, None, np.ones((2, 1)), np.zeros(2, int)),
              Block("b", 1, None, np.ones((1, 1)), np.zeros(1, int))]
    found = list(equally_spaced(blocks, Timeline(0.5)))
    assert iso(np.concatenate([block.time for block in found])).tolist() == [
        "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.500Z", "1970-01-01T00:00:01.000Z"]


EVEN = list(range(0, 600, 60))


@pytest.mark.parametrize("seconds, words", [
    ([0, 60, 60, 120], "row 3 has the same time as the row before it, 1970-01-01T00:01:00Z"),
    ([0, 60, 120, 90, 180], "row 4 has the time 1970-01-01T00:01:30Z, earlier than the row before"),
    (EVEN + [510], "row 11 has the time .*, earlier"),
    (EVEN + list(range(540 + 30, 800, 30)), "row 11 at .* is not 60 s after .*: two sampl"),
    (EVEN + list(range(540 + 120, 3000, 120)), "row 18 at .*: two sampling rates"),
    (EVEN + [540 + 90 * i for i in range(1, 12)], "row 18 at .*: two sampling rates"),
])
@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_an_irregular_log_is_refused(seconds, words, cut):
    with pytest.raises(UserError, match=words):
        spaced(seconds, cut, interval_s=60)


def test_times_may_jitter_by_a_quarter_of_the_interval():
    rng = np.random.Generator(np.random.PCG64(0))
    jitter = rng.uniform(-0.24, 0.24, 20000)
    assert spaced((np.arange(20000) + jitter) * 60, 500, interval_s=60)[3].gap_samples == 0


def test_the_newest_row_first_is_told():
    with pytest.raises(UserError, match="row 2 has the time .*: the newest row comes first; set"):
        spaced([180, 120, 60, 0], 100, interval_s=60)


@pytest.mark.parametrize("interval_s, back_s, hinted", [
    (600, 0, False), (3600, 0, True), (600, 3000, True), (600, 3600, True), (600, 7200, False)])
def test_an_hour_that_repeats_is_told_from_an_unsorted_log(interval_s, back_s, hinted):
    rows = [row * interval_s for row in range(20)]
    with pytest.raises(UserError) as error:
        spaced(rows + [rows[-1] - back_s], interval_s=interval_s, cut=1000)
    assert ("repeats in autumn" in str(error.value)) == hinted
    assert ("generate.log.duplicates" in str(error.value)) == (back_s == 0)


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_hole_longer_than_the_longest_gap_begins_a_session(cut):
    timeline, seconds = Timeline(60, longest_gap=5), np.array([0, 60, 60 * 7, 60 * 14, 60 * 15, 1e9])
    blocks = [Block("plant.csv", row + 1, part.astype("datetime64[s]").astype("datetime64[us]"),
                    np.ones((len(part), 1)), np.ones(len(part), int))
              for row in range(0, 6, cut) for part in [seconds[row:row + cut]]]
    found = list(equally_spaced(blocks, timeline))
    sessions = np.concatenate([np.full(len(block.values), block.session) for block in found])
    assert sessions.tolist() == [0] * 8 + [1, 1, 2] and timeline.gap_samples == 5
    times = np.concatenate([block.time for block in found]).astype(np.int64) / 1e6
    assert times[7:].tolist() == [420, 840, 900, 1e9]
    assert [block.row for block in found] == np.cumsum(
        [0] + [len(block.values) for block in found])[:-1].tolist()


def test_a_session_may_begin_earlier_than_the_one_before_it_ended():
    blocks = [Block(name, 1, np.arange(3).astype("datetime64[m]").astype("datetime64[us]"),
                    np.ones((3, 1)), np.zeros(3, int), session)
              for session, name in enumerate("ab")]
    found = list(equally_spaced(blocks, Timeline()))
    assert [(block.row, block.session, len(block.values)) for block in found] == [
        (0, 0, 3), (3, 1, 3)]
