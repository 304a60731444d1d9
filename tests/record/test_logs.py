"""Foreign logs: dialects give the same numbers, what is wrong is named, nothing is skipped."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from kit.base.cli import UserError
from kit.record.logs import Layout, Log, open_log

TIMES = ["2020-01-06T00:00:00", "2020-01-06T00:01:00", "2020-01-06T00:02:00"]


def read(content, time="iso8601", label=None, cut=7):
    """(times, values, marks) of a log that arrives in pieces of `cut` bytes."""
    content = content if isinstance(content, bytes) else content.encode("utf-8")
    log = Log("plant.csv", (content[i:i + cut] for i in range(0, len(content), cut)))
    layout = Layout(time, log.channels(time, [label] if label else []), label)
    blocks = list(log.blocks(layout))
    times = None if time == "none" else np.concatenate([block.time for block in blocks])
    return (times, np.concatenate([block.values for block in blocks]),
            np.concatenate([block.marks for block in blocks]))


@pytest.mark.parametrize("content", [
    "t,a,b\n2020-01-06T00:00:00Z,1.5,\n2020-01-06T00:01:00Z,-2,3e2\n",
    "t,a,b\r\n2020-01-06 00:00,1.5,NaN\r\n2020-01-06 00:01,-2,300",
    "\ufefft;a;b\n2020-01-06 00:00:00.000;1,5;\n2020-01-06 00:01:00.000;-2;300,0\n",
    "t;a;b\n2020-01-06T01:00:00+01:00;1.5;null\n2020-01-06T01:01:00+01:00;-2;300\n",
    "t,a,b\n2020-01-05T19:00-0500,1.5,N/A\n2020-01-06T00:01Z, -2 ,\"300\"\n\n\n",
])
def test_dialects_give_the_same_numbers(content):
    times, values, _ = read(content)
    np.testing.assert_array_equal(times, np.array(TIMES[:2], "datetime64[us]"))
    np.testing.assert_array_equal(values, [[1.5, np.nan], [-2, 300]])


@pytest.mark.parametrize("kind, cells", [
    ("epoch_s", ["1578268800", "1578268860.0"]), ("epoch_ms", ["1578268800000", "1578268860000"]),
    ("epoch_us", ["1578268800000000", "1578268860000000"]),
    ("auto", ["1578268800000000", "1578268860000000"]),
    ("auto", ["1578268800", "1578268860"]), ("auto", ["1578268800000", "1578268860000"]),
    ("auto", ["2020-01-06", "2020-01-06T00:01"])])
def test_kinds_of_time(kind, cells):
    times, _, _ = read("t,a\n%s,1\n%s,2\n" % tuple(cells), kind)
    np.testing.assert_array_equal(times, np.array(TIMES[:2], "datetime64[us]"))


def test_a_log_without_times_and_one_with_labels():
    _, values, _ = read("a,b\n1,2\n3,4\n", "none")
    np.testing.assert_array_equal(values, [[1, 2], [3, 4]])
    _, values, marks = read("t,a,bad\n1,5,0\n2,6,1\n", "epoch_s", "bad")
    assert (values.tolist(), marks.tolist()) == ([[5], [6]], [0, 1])


@settings(deadline=None)
@given(strategies.lists(strategies.one_of(
    strategies.floats(-1e30, 1e30), strategies.just(np.nan)), min_size=1, max_size=30),
    strategies.integers(1, 200), strategies.sampled_from([",", ";"]))
def test_every_float_reads_back_to_the_bit_however_it_is_cut(numbers, cut, separator):
    text = "".join("%r%s1\n" % (number, separator) for number in numbers).replace("nan", "")
    _, values, _ = read("a%sb\n" % separator + text, "none", cut=cut)
    np.testing.assert_array_equal(values[:, 0], numbers)


@pytest.mark.parametrize("content, words", [
    ("t,a\n%s,1\n%s,x1\n" % tuple(TIMES[:2]), "row 2, column a: 'x1' is not a number"),
    ("t,a\n%s,1_000\n" % TIMES[0], "row 1, column a: '1_000' is not a number"),
    ("t,a\n%s,inf\n" % TIMES[0], "row 1, column a: 'inf' is not a number"),
    ("t;a\n%s;1.234,5\n" % TIMES[0], "row 1, column a: '1.234,5' has a"),
    ("t;a\n%s;1,5\n%s;1.5\n" % tuple(TIMES[:2]), "row 2, column a: '1.5' has a point, but"),
    ("t,a\n%s,1\n06.01.2020,2\n" % TIMES[0], "row 2, column t: '06.01.2020' is not an ISO 8601"),
    ("t,a\n%s,1\n2020-02-30T00:00:00,2\n" % TIMES[0], "row 2, column t: '2020-02-30T00:00:00' is"),
    ("t,a\n,1\n", "row 1, column t: '' is not an ISO 8601"),
    ("t,a\n%s,1\n%s\n" % tuple(TIMES[:2]), "row 2 has 1 cells, but the header has 2"),
    ("t,a\n%s,1,2\n" % TIMES[0], "row 1 has 3 cells, but the header has 2"),
    ("t,a\n%s,1\n\n%s,2\n" % tuple(TIMES[:2]), "row 2 is empty"),
    ("t,a\n%s,\"1\n%s,2\n" % tuple(TIMES[:2]), "a quotation mark in rows 1 to 2 is never closed"),
    ("t,a\n", "plant.csv holds no rows"),
    ("", "plant.csv is empty"),
    ("\n\n", "plant.csv is empty"),
    ("t,a,\n", "line 1: column 3 has no name"),
    ("t,a,a\n", "line 1: two columns are called a"),
    ("2020-01-06,1\n", "line 1 must name the columns, but column 1 is called 2020-01-06"),
    ("t,temp_\u00b0C\n".encode("latin-1"), "line 1 is not UTF-8"),
    ("t,a\n2020,1\n".encode("utf-16"), "plant.csv is UTF-16: save it as UTF-8"),
    ("t,a\n2020,1\n".encode("utf-16-le"), "plant.csv is UTF-16: save it as UTF-8"),
    (b"\x1f\x8b\x08\x00\x00\x00abc\n", "zero bytes: a binary file"),
    (b"\x89PNG\r\n\x1a\n", "line 1 is not UTF-8"),
    (b"x" * 1500000, "a line is longer than a megabyte"),
    ("t,a\n2020,1\n".encode("utf-32"), "plant.csv is UTF-32: save it as UTF-8"),
    ("t,a\r2020-01-06,1\r", "line 1 ends in a carriage return alone: save .* line feeds"),
    ("t\ta\n", "line 1 has a tab, but neither , nor ; between the names of the columns"),
    ("t|a\n", "line 1 has a |, but neither , nor ;"),
    ("t,a\n%s,1e308\n" % TIMES[0], "row 1, column a: '1e308' is beyond 1e.30, .* leave .* empty"),
    ("t,a\n%sZ,1\n%s,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00' has no zone, but the rows above have one"),
    ("t,a\n%s,1\n%s+01:00,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00.01:00' has a zone, but the rows above have none"),
    (b"t,a\n2020-01-06,1\xb0\n", "row 1, column a: '1.*' is not a number"),
])
def test_what_is_wrong_is_named_in_one_sentence(content, words):
    with pytest.raises(UserError, match=words) as error:
        read(content, cut=1 << 16)
    assert str(error.value).startswith("plant.csv") and "\n" not in str(error.value)


@pytest.mark.parametrize("cut", [1, 3, 50])
def test_rows_are_counted_across_pieces(cut):
    rows = "".join("%d,1\n" % second for second in range(40))
    with pytest.raises(UserError, match="row 41, column a: 'x' is not a number"):
        read("t,a\n" + rows + "40,x\n", "epoch_s", cut=cut)


def test_wrong_labels_and_columns_are_named():
    for cell in ("2", "", "yes"):
        with pytest.raises(UserError, match="row 1, column bad: '%s' is" % cell):
            read("t,a,bad\n1,5,%s\n" % cell, "epoch_s", "bad")
    with pytest.raises(UserError, match="plant.csv has no column fault; its columns are t, a"):
        read("t,a\n1,5\n", "epoch_s", "fault")
    with pytest.raises(UserError, match="row 1, column t: 'nan' is not a time in the form epoch_s"):
        read("t,a\nnan,5\n", "epoch_s")
    with pytest.raises(UserError, match="'1578268800000000' is not a time in the form epoch_ms; as "
                                        "epoch_us it is 2020-01-06T00:00:00Z"):
        read("t,a\n1578268800000000,5\n", "epoch_ms")


def test_zones_may_change_with_the_season():
    times, _, _ = read("t,a\n2021-10-31T02:30:00+02:00,1\n2021-10-31T02:30:00+01:00,2\n")
    assert np.diff(times) == np.timedelta64(1, "h")


def test_a_hundred_thousand_columns_are_read():
    names = ["c%d" % number for number in range(10 ** 5)]
    _, values, _ = read(",".join(names) + "\n" + "1," * 99999 + "2\n", "none", cut=1 << 16)
    assert values.shape == (1, 10 ** 5) and values[0, -1] == 2


def test_reading_a_file_shows_how_far_it_is(tmp_path, monkeypatch):
    path = tmp_path / "plant.csv"
    path.write_text("a\n" + "1\n" * 200000)
    seen = []
    monkeypatch.setattr("kit.record.logs.progress", lambda pieces, desc, total: seen.append(
        (desc, total)) or pieces)
    blocks = list(open_log(str(path), "generate").blocks(Layout("none", ["a"])))
    assert seen == [("generate", 4)] and sum(len(block.values) for block in blocks) == 200000


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match="nowhere.csv: No such file"):
        open_log("nowhere.csv", "generate")
    with pytest.raises(UserError, match="nowhere.csv: No such file"):
        open_log("nowhere.csv")
