"""A clock that may jump: single rows that do not follow are dropped, three begin a session."""
import numpy as np
import pytest

from kit.record.logs import Block
from kit.record.steady import Steady
from kit.record.timeline import Timeline


def passed(seconds, cut=1, longest_gap=4):
    """([(second, session)] of the rows that pass a clock of 10 s, sentences on those that do not)."""
    timeline, told, found = Timeline(10.0, longest_gap), [], []
    steady = Steady(timeline, told.append)
    for at in range(0, len(seconds), cut):
        some = np.array(seconds[at:at + cut])
        block = Block("plant.csv", at + 1, (some * 10 ** 6).astype("datetime64[us]"),
                      some[:, None].astype(float), np.zeros(len(some), np.int64))
        for part in steady.passed(block):
            timeline.place(part)
            assert part.values[0, 0] == seconds[part.row - 1], "the row that it says it is"
            found += [(int(value), part.session) for value in part.values[:, 0]]
    return found, told


@pytest.mark.parametrize("cut", [1, 2, 3, 20])
def test_rows_that_follow_pass_with_their_gaps(cut):
    seconds = [0, 10, 21, 29, 60, 70]
    assert passed(seconds, cut) == ([(second, 0) for second in seconds], [])


@pytest.mark.parametrize("cut", [1, 2, 3, 20])
@pytest.mark.parametrize("strays", [[9 * 10 ** 8], [13], [-500], [10], [9 * 10 ** 8, -500]])
def test_rows_that_do_not_follow_are_dropped_and_told(cut, strays):
    seconds = [0, 10] + strays + [20, 30]
    found, told = passed(seconds, cut)
    assert found == [(0, 0), (10, 0), (20, 0), (30, 0)]
    assert len(told) == len(strays)
    assert told[0].startswith("plant.csv: row 3 has the time ")
    assert told[0].endswith(", which does not follow the rows before it")


@pytest.mark.parametrize("cut", [1, 2, 3, 20])
@pytest.mark.parametrize("first", [-5000, 5000])
def test_three_rows_that_follow_one_another_begin_a_session(cut, first):
    found, told = passed([0, 10, first, first + 10, first + 20, first + 30], cut)
    assert found == [(0, 0), (10, 0)] + [(first + 10 * n, 1) for n in range(4)]
    assert not told


def test_two_rows_are_not_enough_and_wait():
    assert passed([0, 10, 5000, 5010]) == ([(0, 0), (10, 0)], [])
    found, told = passed([0, 10, 5000, 5010, 9000, 9010, 9020])
    assert found == [(0, 0), (10, 0), (9000, 1), (9010, 1), (9020, 1)] and len(told) == 2


@pytest.mark.parametrize("second, follows", [(15, False), (16, True), (65, True), (66, False)])
def test_a_row_follows_after_half_an_interval_and_at_most_the_longest_gap(second, follows):
    """Four missing samples lie between rows 50 s apart, and half an interval is jitter."""
    assert ((second, 0) in passed([0, 10, second])[0]) == follows


def test_a_log_without_times_passes_as_it_is():
    block = Block("plant.csv", 1, None, np.zeros((3, 1)), np.zeros(3, np.int64))
    assert list(Steady(Timeline(10.0), None).passed(block)) == [block]
