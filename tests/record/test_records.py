"""Records and event tables: what is written reads back, what is wrong is named."""
import numpy as np
import pandas as pd
import pytest

from kit.base.cli import UserError
from kit.record.records import (Record, interval_s, labels, read_events, read_record, write_events,
                         write_record)


def record():
    time = np.datetime64("2020-01-06T00:00:00", "s") + np.arange(3) * np.timedelta64(30, "s")
    return Record(time, ["flow_m3h", "speed_rpm"], np.array([[0.1, 1e-7], [np.nan, 3], [2, 1 / 3]]))


def test_a_record_reads_back_to_the_bit(tmp_path):
    path = str(tmp_path / "a.csv")
    write_record(path, record())
    back = read_record(path)
    np.testing.assert_array_equal(back.values, record().values)
    np.testing.assert_array_equal(back.time, record().time)
    assert back.channels == record().channels
    assert interval_s(back) == 30


def test_the_file_is_plain(tmp_path):
    write_record(str(tmp_path / "a.csv"), record())
    assert (tmp_path / "a.csv").read_bytes() == (
        b"time,flow_m3h,speed_rpm\n2020-01-06T00:00:00Z,0.1,1e-07\n"
        b"2020-01-06T00:00:30Z,,3.0\n2020-01-06T00:01:00Z,2.0,0.3333333333333333\n")


@pytest.mark.parametrize("text, words", [
    ("time,a\n2020-01-01T00:00:00Z,1\n2020-01-01T00:01:00Z,x\n", "row 2, column a: 'x' is not a n"),
    ("time,a\nmonday,1\n", "row 1, column time: 'monday' is not an ISO 8601 time"),
    ("a,b\n1,2\n", "the first column must be `time`"),
    ("time,a\n", "holds no rows"),
    ("", "is empty: a file"),
])
def test_a_wrong_record_names_file_row_and_column(tmp_path, text, words):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        read_record(str(path))
    assert str(path) in str(error.value)


def test_events_read_back_and_mark_their_rows(tmp_path):
    events = pd.DataFrame({"start": [1, 5], "end": [3, 6], "kind": ["spike", "bias"],
                           "channels": ["a", "a+b"], "severity": ["hard", "plain"]})
    write_events(str(tmp_path / "e.csv"), events)
    back = read_events(str(tmp_path / "e.csv"))
    pd.testing.assert_frame_equal(back, events)
    assert labels(back, 7).tolist() == [False, True, True, False, False, True, False]


@pytest.mark.parametrize("row, words", [
    ("3,3,spike,a,hard", "column end: 3 is not after its start"),
    ("x,3,spike,a,hard", "column start: 'x' is not a row number"),
])
def test_a_wrong_event_is_named(tmp_path, row, words):
    path = tmp_path / "e.csv"
    path.write_text("start,end,kind,channels,severity\n" + row + "\n")
    with pytest.raises(UserError, match=words):
        read_events(str(path))


def test_the_words_of_a_label_carry_no_markup(tmp_path):
    (tmp_path / "events.csv").write_text(
        'start,end,kind,channels,severity\n0,2,"</script><script>\nx",a,<b>hard\n')
    events = read_events(str(tmp_path / "events.csv"))
    assert events["kind"][0] == "\uff1c/script>\uff1cscript> x" and "<" not in events["severity"][0]


@pytest.mark.parametrize("cell", ["1e999", "-inf", "nan", "99999999999999999999", "1.5", "x", ""])
def test_a_row_number_that_is_none_is_named(tmp_path, cell):
    (tmp_path / "events.csv").write_text("start,end,kind,channels,severity\n%s,2,a,a,b\n" % cell)
    with pytest.raises(UserError, match="row 1, column start: .* is not a row number"):
        read_events(str(tmp_path / "events.csv"))
