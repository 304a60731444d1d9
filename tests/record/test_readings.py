"""Between rows and samples: sorted, merged, resampled, filled, joined."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from kit.base.cli import UserError
from kit.record.logs import Block, Form
from kit.record.readings import Tally, between, filled, joined, prepared

NAN = np.nan


def blocks_of(seconds, values, cut=1000, marks=None, session=0):
    """Blocks of rows at seconds with values (n,) or (n, C)."""
    values = np.asarray(values, float).reshape(len(seconds), -1)
    time = (np.asarray(seconds, float) * 1e6).astype(np.int64).astype("datetime64[us]")
    marks = np.zeros(len(seconds), np.int64) if marks is None else np.asarray(marks)
    return [Block("plant.csv", i + 1, time[i:i + cut], values[i:i + cut], marks[i:i + cut], session)
            for i in range(0, len(seconds), cut)]


def rows(blocks):
    """(seconds, values (n, C), marks) of blocks."""
    blocks = list(blocks)
    return ((np.concatenate([block.time for block in blocks]).astype(np.int64) / 1e6).tolist(),
            np.concatenate([block.values for block in blocks]),
            np.concatenate([block.marks for block in blocks]).tolist())


def through(blocks, **form):
    return rows(prepared(iter(blocks), Form(**form), Tally()))


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_rows_are_sorted_and_those_of_one_time_keep_their_order(cut):
    seconds, values, _ = through(blocks_of([3, 1, 2, 1], [0, 1, 2, 3], cut), sort=True)
    assert (seconds, values[:, 0].tolist()) == ([1, 1, 2, 3], [1, 3, 2, 0])


@pytest.mark.parametrize("policy, expected", [
    ("first", [[1, 5], [7, NAN], [2, 9]]), ("last", [[3, 6], [7, NAN], [2, 9]]),
    ("mean", [[2, 5.5], [7, NAN], [2, 9]])])
@pytest.mark.parametrize("cut", [1, 2, 3, 9])
def test_rows_of_one_time_become_one(policy, expected, cut):
    given_ = [[1, 5], [NAN, 6], [3, NAN], [7, NAN], [2, NAN], [NAN, 9]]
    seconds, values, marks = through(
        blocks_of([0, 0, 0, 1, 2, 2], given_, cut, [0, 1, 0, 0, 0, 0]), duplicates=policy)
    assert (seconds, marks) == ([0, 1, 2], [1, 0, 0])
    np.testing.assert_array_equal(values, expected)


def test_a_long_table_is_put_side_by_side():
    given_ = [[1, NAN], [NAN, 2], [3, NAN], [NAN, 4]]
    seconds, values, _ = through(blocks_of([0, 0, 1, 1], given_, 3), tag_column="tag")
    assert (seconds, values.tolist()) == ([0, 1], [[1, 2], [3, 4]])
    with pytest.raises(UserError, match="row 3 is the second reading of a channel at 1970-01-01T00:"
                                        "00:00Z: set generate.log.duplicates"):
        through(blocks_of([0, 0, 0], [[1, NAN], [NAN, 2], [3, NAN]]), tag_column="tag")


def by_hand(seconds, values, grid, method, reach):
    """One sample after the other, as the docstring of `resampled` says it."""
    found = []
    for at in grid:
        known = [(t, v) for t, v in zip(seconds, values) if not np.isnan(v)]
        past = [(t, v) for t, v in known if t <= at]
        fresh = [v for t, v in past if t > at - 10]
        later = [(t, v) for t, v in known if t > at]
        value = past[-1][1] if past and at - past[-1][0] <= reach else NAN
        if method == "mean" and fresh:
            value = np.mean(fresh)
        if method == "linear" and past and past[-1][0] != at:
            value = NAN
            if later and later[0][0] - past[-1][0] <= reach:
                share = (at - past[-1][0]) / (later[0][0] - past[-1][0])
                value = past[-1][1] * (1 - share) + later[0][1] * share
        found.append(value)
    return found


@settings(deadline=None, max_examples=150)
@given(strategies.lists(strategies.integers(1, 90), min_size=1, max_size=40),
       strategies.sampled_from(["hold", "mean", "linear"]), strategies.integers(1, 41),
       strategies.integers(1, 5), strategies.randoms(use_true_random=False))
def test_resampling_is_that_by_hand_however_it_is_cut(steps, method, cut, longest, random):
    seconds = np.cumsum(steps)
    values = [NAN if random.random() < 0.2 else random.randint(-9, 9) for _ in steps]
    found = list(prepared(iter(blocks_of(seconds, values, cut)), Form(
        resample=10.0, resample_by=method, longest_fill_samples=longest), Tally()))
    grid = np.arange(0, seconds[-1] + 10 * longest + 20, 10)
    expected = by_hand(seconds, values, grid, method, 10 * longest)
    expected = [(at, value) for at, value in zip(grid, expected) if not np.isnan(value)
                and at < seconds[-1] + 10]
    times, numbers = (rows(found)[:2] if found else ([], np.empty((0, 1))))
    assert times == [at for at, _ in expected]
    np.testing.assert_allclose(numbers[:, 0], [value for _, value in expected], atol=1e-12)


def test_a_century_between_two_rows_is_no_work():
    seconds, _, _ = through(blocks_of([0, 60, 3e9, 3e9 + 60], [1, 2, 3, 4], 1), resample=60.0)
    assert seconds[:2] == [0, 60] and seconds[-1] == 3e9 + 60 and len(seconds) < 120


def test_between_is_the_worked_example():
    for method, expected in (("hold", [1, 1, 1, 1, 3]), ("linear", [1, 1.5, 2, 2.5, 3])):
        found = between(np.array([0, 4]), np.array([1.0, 3]), np.arange(5), method, 9)
        assert found.tolist() == expected


@settings(deadline=None, max_examples=100)
@given(strategies.lists(strategies.booleans(), min_size=1, max_size=60), strategies.integers(1, 61),
       strategies.integers(1, 8), strategies.sampled_from(["hold", "linear"]))
def test_slow_channels_are_filled_and_others_left(there, cut, longest, method):
    values = np.array([[row if known else NAN, NAN] for row, known in enumerate(there)], float)
    spaced = [block._replace(row=block.row - 1) for block in blocks_of(range(len(there)), values, cut)]
    found = list(filled(iter(spaced), {0: method}, longest, Tally()))
    assert [block.row for block in found] == np.cumsum(
        [0] + [len(block.values) for block in found])[:-1].tolist()
    seconds, numbers, _ = rows(found)
    assert seconds == list(range(len(there))) and np.isnan(numbers[:, 1]).all()
    known = np.flatnonzero(there)
    expected = between(known, known.astype(float), np.arange(len(there)), method, longest)
    np.testing.assert_allclose(numbers[:, 0], expected, atol=1e-12)


def test_a_session_is_filled_and_resampled_by_itself():
    blocks = blocks_of([0, 20], [1, 2]) + blocks_of([0, 20], [3, 4], session=1)
    seconds, values, _ = through(blocks, resample=10.0)
    assert seconds == [0, 10, 20, 0, 10, 20] and values[:, 0].tolist() == [1, 1, 2, 3, 3, 4]
    blocks = blocks_of([0, 1], [1, NAN]) + [block._replace(row=3) for block in blocks_of(
        [0, 1], [NAN, 4], session=1)]
    _, values, _ = rows(filled(iter([blocks[0]._replace(row=0), blocks[1]._replace(row=2)]),
                               {0: "hold"}, 9, Tally()))
    np.testing.assert_array_equal(values[:, 0], [1, 1, NAN, 4])


@pytest.mark.parametrize("cut", [1, 2, 9])
def test_files_of_one_sensor_each_are_joined(cut):
    one, two = blocks_of([0, 10, 20, 50], [1, 2, 3, 4], cut), blocks_of([10, 40, 50], [5, 6, 7], cut)
    seconds, values, _ = rows(joined([one, two]))
    assert seconds == [0, 10, 20, 40, 50]
    np.testing.assert_array_equal(values, [[1, NAN], [2, 5], [3, NAN], [NAN, 6], [4, 7]])
