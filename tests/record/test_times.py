"""Cells of a time column -> UTC: patterns, counts, `auto`, zones with the hour that repeats."""
import datetime

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from kit.base.cli import UserError
from kit.record.times import Clock, guess, zone_info


def read(cells, kind="auto", **options):
    """Times of cells as strings, and the kind that was taken."""
    clock = Clock("plant.csv", "t", kind, **options)
    times = clock.read(1, cells, lambda cells: np.array([float(cell) for cell in cells]))
    return [str(time.astype("datetime64[s]")) for time in times], clock.notation


@pytest.mark.parametrize("cells, kind, first", [
    (["2020-01-06 12:30", "2020-01-06 12:31"], "iso8601", "2020-01-06T12:30:00"),
    (["16/12/2006 17:24:00", "16/12/2006 17:25:00"], "%d/%m/%Y %H:%M:%S", "2006-12-16T17:24:00"),
    (["12/16/2006 5:24:00 PM"], "%m/%d/%Y %I:%M:%S %p", "2006-12-16T17:24:00"),
    (["01.02.2020 00:15"], "%d.%m.%Y %H:%M", "2020-02-01T00:15:00"),
    (["1.2.20"], "%d.%m.%y", "2020-02-01T00:00:00"),
    (["2020/1/1 0:00", "2020/1/1 0:15"], "%Y/%m/%d %H:%M", "2020-01-01T00:00:00"),
    (["19941205", "19941212"], "%Y%m%d", "1994-12-05T00:00:00"),
    (["202001061230"], "%Y%m%d%H%M", "2020-01-06T12:30:00"),
    (["20200106123015"], "%Y%m%d%H%M%S", "2020-01-06T12:30:15"),
    (["06-Jan-2020 12:30:00"], "%d-%b-%Y %H:%M:%S", "2020-01-06T12:30:00"),
    (["1578268800", "1578268860"], "epoch_s", "2020-01-06T00:00:00"),
    (["1578268800000"], "epoch_ms", "2020-01-06T00:00:00"),
    (["1578268800000000000"], "epoch_ns", "2020-01-06T00:00:00"),
    (["43836.5", "43836.50069444444"], "excel", "2020-01-06T12:00:00"),
    (["0.0", "0.5"], "epoch_s", "1970-01-01T00:00:00"),
    (["01/02/2020", "13/02/2020"], "%d/%m/%Y", "2020-02-01T00:00:00"),
])
def test_auto_takes_the_form_that_fits_every_row(cells, kind, first):
    times, taken = read(cells)
    assert (times[0], taken) == (first, kind)
    assert read(cells, kind)[0] == times


def test_a_day_that_may_be_a_month_is_asked():
    with pytest.raises(UserError, match="row 1, column t: '01/02/2020 00:00' may be a day and a "
                                        "month .* '%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'"):
        read(["01/02/2020 00:00", "01/02/2020 00:01"])


@pytest.mark.parametrize("cells, kind, words", [
    (["abc"], "auto", "'abc' is no time of a usual form; generate.log.time_column"),
    (["19941205", "19941212"], "epoch_s", "'19941205' as epoch_s lies in 1970; it looks like '%Y%m%d'"),
    (["43836.5", "43836.6"], "epoch_s", "as epoch_s lies in 1970; it looks like excel"),
    (["1578268800"], "epoch_ms", "as epoch_ms lies in 1970; it looks like epoch_s"),
    (["16/12/2006"], "%m/%d/%Y", "row 1, .*'16/12/2006' is not a time in the form '%m/%d/%Y'; it "
                                 "looks like '%d/%m/%Y'"),
    (["2020-01-06", "06.01.2020"], "iso8601", "row 2, .*; it looks like '%d.%m.%Y'"),
    (["5"], "%Q", "'5' is not a time in the form '%Q'"),
    (["5"], "counter", "sample_interval_s is null: a counter needs it"),
])
def test_what_is_wrong_says_what_it_looks_like(cells, kind, words):
    with pytest.raises(UserError, match=words):
        read(cells, kind)


def test_a_counter_counts_intervals():
    times, kind = read(["7", "8", "9", "12"], interval_s=60)
    assert kind == "counter" and times == ["1970-01-01T00:%02d:00" % n for n in (7, 8, 9, 12)]


@pytest.mark.parametrize("step_s", [600, 3600])
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_the_hour_that_repeats_in_autumn_is_told_by_order(step_s, cut):
    expected = np.datetime64("2021-10-30T20:00:00") + np.arange(0, 36000, step_s)
    berlin = zone_info("Europe/Berlin")
    cells = [str(datetime.datetime.fromtimestamp(second, berlin).replace(tzinfo=None))
             for second in expected.astype(np.int64).tolist()]
    clock = Clock("plant.csv", "t", "auto", "Europe/Berlin")
    found = np.concatenate([clock.read(1, cells[i:i + cut], None)
                            for i in range(0, len(cells), cut)])
    np.testing.assert_array_equal(found, expected.astype("datetime64[us]"))


def test_an_hour_is_skipped_in_spring_without_a_hole():
    times, _ = read(["2021-03-28 01:59:00", "2021-03-28 03:00:00"], zone="Europe/Berlin")
    assert times == ["2021-03-28T00:59:00", "2021-03-28T01:00:00"]
    assert read(["2021-03-28T01:59:00Z"], zone="Europe/Berlin")[0] == ["2021-03-28T01:59:00"]


def test_a_zone_that_is_none_is_named():
    for name in ("Europe/Nowhere", "../x", ""):
        with pytest.raises(UserError, match="there is no zone"):
            zone_info(name or "\0")


@settings(deadline=None, max_examples=60)
@given(strategies.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2069, 12, 31)),
       strategies.sampled_from(["%d/%m/%Y %I:%M:%S %p", "%Y%m%d%H%M%S", "%d.%m.%Y %H:%M:%S",
                                "%b %d %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S%z"]))
def test_a_pattern_reads_what_it_wrote(moment, pattern):
    moment = moment.replace(microsecond=0, tzinfo=datetime.timezone.utc)
    cell = moment.strftime(pattern)
    expected = str(moment.replace(tzinfo=None)).replace(" ", "T")
    assert read([cell], pattern)[0] == [expected]
    found = guess([cell])
    assert found is not None and (isinstance(found, tuple) or read([cell], found)[0] == [expected])


@settings(deadline=None, max_examples=200)
@given(strategies.lists(strategies.text("0123456789./-: TZ,aAmMJnNePp+%", max_size=24), min_size=1,
                        max_size=3))
def test_any_cell_is_a_time_or_is_refused(cells):
    try:
        times, _ = read(cells)
        assert len(times) == len(cells)
    except UserError as error:
        assert "\n" not in str(error)
    except ValueError:  # of this test's own reader of numbers
        pass
