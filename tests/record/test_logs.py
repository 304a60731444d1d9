"""Foreign logs: dialects give the same numbers, what is wrong is named, nothing is skipped."""
import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies

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
    ("t,a,a\n", "line 1: two columns are called a"),
    ("2020-01-06,1\n", "line 1 must name the columns, but column 1 is called 2020-01-06"),
    ("t,a\n2020,1\n".encode("utf-16")[:-1], "plant.csv is not the UTF-16 that it begins as"),
    (b"\x1f\x8b\x08\x00\x00\x00abc\n", "plant.csv cannot be unpacked"),
    (gzip.compress(b"t,a\n2020-01-06,1\n")[:-9], "plant.csv cannot be unpacked: it breaks off"),
    (b"t,a\n2020-01-06,\0\n", "zero bytes: a binary file"),
    (b"\x89PNG\r\n\x1a\n", "plant.csv holds no rows"),
    (b"\x89\x81\n", "line 1 is not UTF-8"),
    (b"t,\x01\n", "line 1 holds control characters: a binary file"),
    (b"PK\3\4\n", "a zip archive, which a pipe cannot read"),
    (b"x" * 1500000, "a line is longer than a megabyte"),
    ("t,a\r2020-01-06,1\r", "line 1 ends in a carriage return alone: save .* line feeds"),
    ("t,a\n%s,1e308\n" % TIMES[0], "row 1, column a: '1e308' is beyond 1e.30, .* leave .* empty"),
    ("t,a\n%sZ,1\n%s,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00' has no zone, but the rows above have one"),
    ("t,a\n%s,1\n%s+01:00,2\n" % tuple(TIMES[:2]),
     "row 2, column t: '2020-01-06T00:01:00.01:00' has a zone, but the rows above have none"),
    (b"t,a\n2020-01-06,1\n2020-01-07,1\xb0\n", "row 2, column a: '1.*' is not a number"),
    ("t,a\n2020-01-06,5 kW\n2020-01-07,5 MW\n", "row 2, column a: '5 MW' is not a number"),
    ("t,a\n2020-01-06,1e\n2020-01-07,1e3\n", "row 2, column a: '1e3' is not a number"),
    ("t,a\n%s,1\n%s,offline\n%s,3\n" % tuple(TIMES), "'offline' is not a number; if it stands for a "
                                                   "missing reading, name it in generate.log.missing"),
    ("t,a,s\n2020-01-06,1,NORMAL\n", "'NORMAL' is not a number; a column of words is a label "
                                    ".generate.log.label_column"),
    ("t,a\n2020-01-06,\"1,5\"\n", "'1,5' is not a number; if its comma is a decimal one, set gen"),
    ("t\ta\n2020-01-06\t1.234,5\n", "'1.234,5' has a comma and a point: set generate.log.decimal"),
    ("Date;Time;a\n16/12/2006;17:24:00;1\n", "row 1, column Time: '17:24:00' is a time "
     r"of day, whose date is in a column of its own: set .*time_column: \[Date, Time\]"),
    ("t,b,a\n2020-01-06,5,17:24:00\n", "'17:24:00' is not a number; if it is the time of day "
                                      "beside a date, name both columns"),
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


def test_reading_a_file_shows_how_far_it_is(tmp_path, monkeypatch):
    path = tmp_path / "plant.csv"
    path.write_text("a\n" + "1\n" * 200000)
    seen = []
    monkeypatch.setattr("kit.record.files.progress", lambda pieces, desc, total: seen.append(
        (desc, total)) or pieces)
    blocks = list(open_log(str(path), Form("none"), "generate").blocks(["a"]))
    assert seen == [("generate", 4)] and sum(len(block.values) for block in blocks) == 200000


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


def test_thousands_are_read_where_the_decimal_mark_is_said():
    for text, decimal in (("1.234.567,5", ","), ("1,234,567.5", ".")):
        assert read("a;b\n%s;1\n" % text, "none", decimal=decimal)[1][0, 0] == 1234567.5


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress,
                                  lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])])
@pytest.mark.parametrize("cut", [1, 5, 1 << 16])
def test_packed_logs(pack, cut):
    content = ("t,a,b\n%s,1.5,\n%s,-2,300\n" % tuple(TIMES[:2])).encode()
    np.testing.assert_array_equal(read(pack(content), cut=cut)[1], TWO_ROWS)


def test_a_large_packed_log_is_unpacked_in_pieces():
    content = b"a\n" + b"1\n" * 3000000
    assert len(read(gzip.compress(content), "none", cut=1 << 16)[1]) == 3000000


def test_labels_of_words_and_numbers():
    for cells, normal, expected in (
            (["Normal", "Attack", " Normal"], ("Normal",), [0, 1, 0]),
            (["0", "3", "0.0"], (0,), [0, 1, 0]), (["False", "TRUE", "0"], (), [0, 1, 0])):
        content = "t,a,s\n" + "".join("%s,5,%s\n" % pair for pair in zip(TIMES, cells))
        assert read(content, label="s", normal_labels=normal)[2].tolist() == expected
    with pytest.raises(UserError, match="'Attack' is neither 0 nor 1; words .*normal_labels"):
        read("t,a,s\n%s,5,Attack\n" % TIMES[0], label="s")


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


def table_of(path):
    """(times, values) of a file with times."""
    log = open_log(str(path))
    blocks = list(log.blocks(log.channels()))
    return (np.concatenate([block.time for block in blocks]),
            np.concatenate([block.values for block in blocks]))


def frame(values):
    """A pandas table of a minute per row, the last column of words that are numbers."""
    table = pd.DataFrame(values, columns=["a", "b"])
    table.insert(0, "t", pd.date_range("2020-01-06", periods=len(values), freq="min"))
    return table


NUMBERS = strategies.lists(strategies.tuples(*[
    strategies.one_of(strategies.floats(-1e30, 1e30), strategies.just(np.nan))] * 2),
    min_size=1, max_size=5)
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow]


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "csv.gz", "csv.xz", "csv.zip", "npy"])
@settings(deadline=None, max_examples=20,
          suppress_health_check=CHECKS)
@given(numbers=NUMBERS)
def test_every_format_gives_back_every_float(tmp_path, ending, numbers):
    table, path = frame(numbers), tmp_path / ("log." + ending)
    if ending == "npy":
        np.save(str(path), table[["a", "b"]].values)
        log = open_log(str(path))
        values = np.concatenate([block.values for block in log.blocks(log.channels())])
        assert log.channels() == ["c0", "c1"]
    else:
        write = {"parquet": table.to_parquet, "xlsx": table.to_excel}.get(ending, table.to_csv)
        write(str(path), index=False)
        times, values = table_of(path)
        np.testing.assert_array_equal(times, table["t"].values.astype("datetime64[us]"))
    # openpyxl writes 16 digits
    np.testing.assert_allclose(values, np.array(numbers, float).reshape(-1, 2),
                               rtol=1e-15 if ending == "xlsx" else 0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """{ending: bytes} of a log in each format."""
    table, found = frame(np.arange(60.0).reshape(-1, 2) / 7), {}
    for ending in ("parquet", "xlsx", "csv.gz", "csv.xz", "csv.zip", "npy", "csv"):
        path = tmp_path_factory.mktemp("whole") / ("log." + ending)
        if ending == "npy":
            np.save(str(path), table[["a", "b"]].values)
        else:
            {"parquet": table.to_parquet, "xlsx": table.to_excel}.get(ending, table.to_csv)(
                str(path), index=False)
        found[ending] = path.read_bytes()
    return found


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "csv.gz", "csv.xz", "csv.zip", "npy", "csv"])
@settings(deadline=None, max_examples=40,
          suppress_health_check=CHECKS)
@given(data=strategies.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, whole, ending, data):
    path = tmp_path / ("log." + ending)
    content = bytearray(whole[ending])
    for _ in range(data.draw(strategies.integers(1, 4))):
        content[data.draw(strategies.integers(0, len(content) - 1))] = data.draw(
            strategies.integers(0, 255))
    path.write_bytes(bytes(content[:data.draw(strategies.integers(0, len(content)))]))
    try:
        log = open_log(str(path))
        list(log.blocks(log.channels()))
    except UserError as error:
        assert "log." + ending in str(error) and "\n" not in str(error)


def test_a_parquet_index_of_times_is_the_time(tmp_path):
    table = frame([[1.5, 2], [3, 4]]).set_index("t").tz_localize("Europe/Berlin")
    table.to_parquet(str(tmp_path / "log.parquet"))
    times, values = table_of(tmp_path / "log.parquet")
    assert str(times[0]) == "2020-01-05T23:00:00.000000" and values.tolist() == [[1.5, 2], [3, 4]]


def test_other_binary_formats_are_named(tmp_path):
    (tmp_path / "log.xls").write_bytes(b"x")
    with pytest.raises(UserError, match="a .xls file cannot be read; save it as CSV, Parquet or"):
        open_log(str(tmp_path / "log.xls"))


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
