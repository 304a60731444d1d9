"""Logs that are tables already, Parquet, .xlsx and .npy: every float back, damage in one sentence."""
import datetime
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from conftest import ROOT
from kit.base.cli import UserError
from kit.record import tables
from kit.record.logs import open_log


def table_of(path):
    """(times, values) of a file with times."""
    log = open_log(str(path))
    blocks = list(log.blocks(log.channels()))
    return (np.concatenate([block.time for block in blocks]),
            np.concatenate([block.values for block in blocks]))


def frame(values):
    """A pandas table of two channels, a minute per row."""
    table = pd.DataFrame(values, columns=["a", "b"])
    table.insert(0, "t", pd.date_range("2020-01-06", periods=len(values), freq="min"))
    return table


def save(table, path):
    write = table.to_parquet if path.suffix == ".parquet" else table.to_excel
    write(str(path), index=False)


NUMBERS = strategies.lists(strategies.tuples(*[
    strategies.one_of(strategies.floats(-1e30, 1e30), strategies.just(np.nan))] * 2),
    min_size=1, max_size=5)
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow]


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "npy"])
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
        save(table, path)
        times, values = table_of(path)
        np.testing.assert_array_equal(times, table["t"].values.astype("datetime64[us]"))
    # openpyxl writes 16 digits
    np.testing.assert_allclose(values, np.array(numbers, float).reshape(-1, 2),
                               rtol=1e-15 if ending == "xlsx" else 0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """{ending: bytes} of a log in each format."""
    table, found = frame(np.arange(60.0).reshape(-1, 2) / 7), {}
    for ending in ("parquet", "xlsx", "npy"):
        path = tmp_path_factory.mktemp("whole") / ("log." + ending)
        if ending == "npy":
            np.save(str(path), table[["a", "b"]].values)
        else:
            save(table, path)
        found[ending] = path.read_bytes()
    return found


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "npy"])
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


@pytest.mark.parametrize("name, words", [
    ("log.xls", "a .xls file cannot be read; save it as CSV, Parquet or .xlsx"),
    ("log.mat", "a .mat file cannot be read"), ("log.parquet", "is not a Parquet file"),
    ("log.xlsx", "is not an .xlsx file"), ("log.npy", "not a .npy file of numbers")])
def test_what_cannot_be_read_is_named(tmp_path, name, words):
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(UserError, match=name + ".*" + words):
        tables.read_table(str(path))
    path.unlink()
    if not words.startswith("a "):
        with pytest.raises(UserError, match=name + ": .*No such file"):
            tables.read_table(str(path))


def test_a_text_file_is_no_table():
    assert tables.read_table("log.csv") is None


def test_cells_of_a_workbook_are_text_that_reads_back(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in ([" t ", "a", "b", None], [datetime.datetime(2020, 1, 6, 0, 15), 1.5, True, "x"],
                [datetime.datetime(2020, 1, 6, 0, 30), 7, None, "y"], [None], [None]):
        book.active.append(row)
    book.save(str(tmp_path / "log.xlsx"))
    table = tables.read_table(str(tmp_path / "log.xlsx"))
    assert table.header == ["t", "a", "b", ""]
    assert list(table.columns()) == [(1, [
        ["2020-01-06 00:15:00", "2020-01-06 00:30:00"], ["1.5", "7"], ["1", ""], ["x", "y"]])]


def test_an_empty_row_within_a_workbook_and_one_without_names_are_refused(tmp_path):
    import openpyxl

    path = str(tmp_path / "log.xlsx")
    for rows, words in (([["a"], [1], [None], [2]], "row 2 is empty"),
                        ([], "log.xlsx is empty: the first row"), ([[None]], "log.xlsx is empty")):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
        with pytest.raises(UserError, match=words):
            list(tables.read_table(path).columns())


def test_a_parquet_file_that_its_library_dies_of_is_one_sentence(tmp_path):
    """pyarrow 12 ended its process: a page says more levels than there are (found by fuzzing)."""
    with open(os.path.join(ROOT, "tests", "fuzz", "corpus", "log.parquet"), "rb") as file:
        data = bytearray(file.read())
    assert data[728] == 0x28
    data[728] = 0x20
    (tmp_path / "log.parquet").write_bytes(data)
    with pytest.raises(UserError, match="log.parquet.*damaged"):
        table_of(tmp_path / "log.parquet")


def test_columns_of_a_parquet_file_by_their_types(tmp_path):
    path = str(tmp_path / "log.parquet")
    pd.DataFrame({"n": pd.array([1, None], "Int64"), "f": np.float32([0.5, np.nan]),
                  "flag": [True, False], "word": ["Good", None],
                  "kind": pd.Categorical(["x", "y"]), "at": pd.to_datetime([0, 10 ** 9])}).to_parquet(path)
    table = tables.read_table(path)
    (row, (n, f, flag, word, kind, at)), = table.columns()
    assert table.header == ["n", "f", "flag", "word", "kind", "at"]
    assert (row, table.time, table.timeless) == (1, "at", False)
    np.testing.assert_array_equal(n, [1, np.nan])
    np.testing.assert_array_equal(f, [0.5, np.nan])
    assert (flag, word, kind) == (["1", "0"], ["Good", ""], ["x", "y"])
    assert at.astype("datetime64[s]").astype(int).tolist() == [0, 1]


@pytest.mark.parametrize("name", ["log.npy", "log.parquet", "log.xlsx"])
def test_long_tables_come_in_blocks_that_count_their_rows(tmp_path, monkeypatch, name):
    monkeypatch.setattr(tables, "ROWS", 4)
    values, path = np.arange(20.0).reshape(10, 2), tmp_path / name
    if name == "log.npy":
        np.save(str(path), values)
    else:
        save(pd.DataFrame(values, columns=["c0", "c1"]), path)
    table = tables.read_table(str(path))
    blocks = list(table.columns())
    assert table.header == ["c0", "c1"]
    assert [(row, len(columns[0])) for row, columns in blocks] == [(1, 4), (5, 4), (9, 2)]
    found = np.concatenate([np.array(columns, float).T for _, columns in blocks])
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("values", [
    np.zeros((2, 2, 2)), np.zeros((0, 2)), np.array(["a"]), np.array([1j]), np.float64(1)])
def test_arrays_that_are_no_record_are_refused(tmp_path, values):
    np.save(str(tmp_path / "log.npy"), values)
    with pytest.raises(UserError, match="log.npy: numbers .n, channels. are needed, and it holds"):
        tables.read_table(str(tmp_path / "log.npy"))


def test_times_of_a_workbook_are_good_for_milliseconds(tmp_path):
    times = pd.date_range("2020-01-06", periods=500, freq="12345ms")
    save(pd.DataFrame({"t": times, "a": 1.0}), tmp_path / "log.xlsx")
    (_, (found, _)), = tables.read_table(str(tmp_path / "log.xlsx")).columns()
    assert pd.to_datetime(found).tolist() == times.tolist()
