"""Foreign logs: dialects give the same numbers, what is wrong is named, nothing is skipped."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from kit.base.cli import UserError
from kit.record.logs import Form, open_log, text_log

TIMES = ["2020-01-06T00:00:00", "2020-01-06T00:01:00", "2020-01-06T00:02:00"]


def read(content, time="iso8601", label=None, cut=7, **form):
    """(times, values, marks) of a log that arrives in pieces of `cut` bytes."""
    content = content if isinstance(content, bytes) else content.encode("utf-8")
    form = Form(time, label_column=label, **form)
    log = text_log("plant.csv", (content[i:i + cut] for i in range(0, len(content), cut)), form)
    blocks = list(log.blocks(log.channels()))
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
    (b"\x89PNG\r\n\x1a\n", "plant.csv holds no rows"),
    ("t,a\n%sZ,1\n%s,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00' has no zone, but the rows above have one"),
    ("t,a\n%s,1\n%s+01:00,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00.01:00' has a zone, but the rows above have none"),
    ("Date;Time;a\n16/12/2006;17:24:00;1\n", "row 1, column Time: '17:24:00' is a time "
     r"of day, whose date is in a column of its own: set .*time_column: \[Date, Time\]"),
    ("t,a\n1578268800000,5\n", "'1578268800000' is not an ISO 8601 time .*; it looks like epoch_ms "
                              ".generate.log.time"),
    ("Plant A\nt,a\n2020-01-06,1\n", "row 1 has 2 cells, but the header has 1; if it stands below a "
                                     "title, generate.log.skip_lines"),
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


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match="nowhere.csv: No such file"):
        open_log("nowhere.csv", task="generate")
    with pytest.raises(UserError, match="nowhere.csv: No such file"):
        open_log("nowhere.csv")


# ---- logs as people have them


TWO_ROWS = [[1.5, np.nan], [-2, 300]]


@pytest.mark.parametrize("content, form", [
    ("t\ta\tb\n%s\t1,5\t\n%s\t-2\t300\n", {}),
    ("t|a|b\n%s|1.5|\n%s|-2|300\n", {}),
    ("t a b\n%s 1.5 NaN\n%s   -2   300\n", {}),
    ("%s,1.5,\n%s,-2,300\n", {"columns": ("t", "a", "b")}),
    ("%s 1.5 NA\n%s -2 300\n", {"columns": ("t", "a", "b")}),
    ("Plant A, exported\n\nt,a,b\n%s,1.5,\n%s,-2,300\n", {"skip_lines": 2}),
    ("t,a,b\n,degC,m3/h\n%s,1.5,\n%s,-2,300\n", {}),
    ("t;a;b\n%s;1,5 \u00b0C;\n%s;-2 \u00b0C;300,0\n", {}),
    ("t,a,b\n%s,1.5 kW,\n%s,-2 kW,0.3e3%%\n", {}),
    ("t,a,b\n%s,1.5,?\n%s,-2,300\n", {"missing": ("?",)}),
    ("t,a,b\n%s,1.5,-9999.0\n%s,-2,300\n", {"missing": (-9999,)}),
    ("t,a,b\n%s,1.5,0\n%s,-2,300\n", {"missing": ({"b": 0},)}),
    (",t,a,b,\n0,%s,1.5,,\n1,%s,-2,300,\n", {}),
    ("a,b,t\n1.5,,%s\n-2,300,%s\n", {"time_column": "t"}),
    ("t;Pressure, bar;Flow, m3/h\n%s;1,5;\n%s;-2;300\n", {}),
    ("t,\"a;x\",b;y\n%s,1.5,\n%s,-2,300\n", {}),
    ("t,a,b\n%s,\"1,5\",\n%s,-2,\"3.00,0\"\n".replace("3.00", "300"), {"decimal": ","}),
    ("t;a;b\n%s;1,5;\n%s;-2;300\n", {"separator": ";"}),
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("cut", [1, 1 << 16])
def test_more_dialects_give_the_same_numbers(content, form, encoding, cut):
    content = content % tuple(TIMES[:2])
    times, values, _ = read(content.encode(encoding), "auto", cut=cut, **form)
    np.testing.assert_array_equal(times, np.array(TIMES[:2], "datetime64[us]"))
    np.testing.assert_array_equal(values, TWO_ROWS)


def test_a_status_column_masks_the_rows_that_are_not_good():
    content = "t,a,q\n" + "".join("%s,5,%s\n" % pair for pair in zip(TIMES, ["Good", "Bad", "192"]))
    _, values, _ = read(content, quality_column="q", good_quality=("Good", 192))
    np.testing.assert_array_equal(values[:, 0], [5, np.nan, 5])


def test_a_long_table_has_a_row_per_reading():
    content = "t,tag,v\n%s,x,1\n%s,y,2\n%s,x,3\n" % (TIMES[0], TIMES[0], TIMES[1])
    form = Form(tag_column="tag", value_column="v")
    assert text_log("l", [content.encode()], form).tags() == ["x", "y"]
    blocks = list(text_log("l", [content.encode()], form).blocks(["y", "x"]))
    np.testing.assert_array_equal(blocks[0].values, [[np.nan, 1], [2, np.nan], [np.nan, 3]])
    with pytest.raises(UserError, match="row 2, column tag: no channel is called 'y'"):
        list(text_log("l", [content.encode()], form).blocks(["x"]))
    assert len(list(text_log("l", [content.encode()], form).blocks(["x"], ["y"]))) == 1


def test_a_column_may_tell_recordings_apart():
    content = "t,run,a\n0,7,1\n1,7,2\n2,9,3\n3,9,4\n"
    for cut in (1, 11, 1000):
        pieces = (content.encode()[i:i + cut] for i in range(0, len(content), cut))
        log = text_log("l", pieces, Form(sessions="run"))
        assert log.channels() == ["a"]
        found = [(block.session, value) for block in log.blocks(["a"]) for value in block.values[:, 0]]
        assert found == [(0, 1), (0, 2), (1, 3), (1, 4)]


def test_what_was_decided_is_said():
    log = text_log("l", ["t_\u00b0,a\nh,degC\n16/12/2006,1\n".encode("cp1252")])
    list(log.blocks(["a"]))
    assert log.said == [
        "l: line 1 is not UTF-8, and was read as Windows-1252",
        "l: row 1 holds units (h, degC) and is left out",
        "l: the times of column t_\u00b0 are taken as %d/%m/%Y; generate.log.time says otherwise"]


@settings(deadline=None, max_examples=300)
@given(strategies.text("ab;,|\t \"\n\r0123456789.-:/TZ\u00b0e_?%", max_size=80),
       strategies.sampled_from([{}, {"time": "none"}, {"time": "%d/%m/%Y"}, {"skip_lines": 1},
                                {"columns": ("x", "y")}, {"missing": ("?", -9)}, {"decimal": ","}]))
def test_any_text_is_read_or_refused_in_one_sentence(text, form):
    form = Form(**form)
    try:
        log = text_log("plant.csv", [text.encode("utf-8")], form)
        list(log.blocks(log.channels()))
    except UserError as error:
        assert "plant.csv" in str(error) and "\n" not in str(error)
