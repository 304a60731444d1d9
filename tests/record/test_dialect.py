"""What separates the cells of a text log, and which line names its columns."""
import itertools

import pytest
from hypothesis import given, strategies

from kit.base.cli import UserError
from kit.record.dialect import (
    is_unit_row, mostly, read_header, separator_of, split, take, widths_differ)
from kit.record.logs import Form


def header(text, **form):
    """(names, separator, the lines below, what was said)."""
    names, separator, below, said = read_header("plant.csv", iter([[line] for line in text.split("\n")]),
                                                Form(**form))
    return names, separator, list(itertools.chain.from_iterable(below)), said


@pytest.mark.parametrize("text, form, names, separator", [
    ("t,a,b\n1,2,3", {}, ["t", "a", "b"], ","),
    ("t; a ;b\n1;2,5;3", {}, ["t", "a", "b"], ";"),
    ("t\ta\n1\t2", {}, ["t", "a"], "\t"),
    ("t|a\n1|2", {}, ["t", "a"], "|"),
    ("t a  b\n1 2 3", {}, ["t", "a", "b"], " "),
    ("t;Pressure, bar;Flow, m3/h\n1;2,5;3", {}, ["t", "Pressure, bar", "Flow, m3/h"], ";"),
    ("t,\"a;x\",b;y\n1,2,3", {}, ["t", "a;x", "b;y"], ","),
    ("a;b,c\n1;2,5", {"separator": ","}, ["a;b", "c"], ","),
    (",t,a,\n0,1,2,", {}, ["", "t", "a", ""], ","),
    ("alone\n1", {}, ["alone"], ","),
    ("1;2,5", {"columns": ("t", "a")}, ["t", "a"], ";"),
])
def test_the_line_of_names(text, form, names, separator):
    found = header(text, **form)
    assert found[:2] == (names, separator)
    assert found[2] == text.split("\n")[0 if "columns" in form else 1:], "no line is lost"


def test_lines_above_the_names_are_skipped():
    assert header("Plant A\n\nt,a\n1,2", skip_lines=2)[::2] == (["t", "a"], ["1,2"])


def test_names_in_windows_1252_are_read_and_said():
    text = "t,T_\u00b0".encode("cp1252").decode("utf-8", "surrogateescape")
    names, _, _, said = header(text + "\n1,2")
    assert names == ["t", "T_\u00b0"]
    assert said == ["plant.csv: line 1 is not UTF-8, and was read as Windows-1252"]


@pytest.mark.parametrize("text, form, words", [
    ("", {}, "is empty: a file whose first line names the columns"),
    ("Plant\n ", {"skip_lines": 1}, "is empty"),
    ("t,a,a", {}, "line 1: two columns are called a"),
    ("Plant\nt,a,a", {"skip_lines": 1}, "line 2: two columns are called a; .*skip_lines: 2 gives"),
    ("2020-01-06,1", {}, "line 1 must name the columns, but column 1 is called 2020-01-06"),
    ("t,a,1.5", {}, "line 1 must name the columns, but column 3 is called 1.5"),
    ("\udc89\udc81", {}, "line 1 is not UTF-8: save the file as UTF-8"),
    ("t,\x01", {}, "line 1 holds control characters: a binary file"),
    ("t,a\r2020-01-06,1\r", {}, "line 1 ends in a carriage return alone: save .* line feeds"),
])
def test_a_line_that_names_no_columns_is_refused(text, form, words):
    with pytest.raises(UserError, match="plant.csv:? .*" + words):
        header(text, **form)


@pytest.mark.parametrize("lines, width, separator", [
    (["a,b;c", "1,2;3"], None, ";"),  # both fit
    (["a,b,c;d", "1,2,3;4"], None, ","),  # both fit; the more frequent
    (["a;b,c,d", "1;2,5"], None, ";"),
    (["a;b,c", "1 2 3"], None, ";"),  # none fits: the most frequent
    (["1;2,5"], 2, ";"), (["1 2 3"], 3, " "), (["abc"], None, ","), ([], None, ","),
])
def test_the_separator_gives_every_line_the_same_number_of_cells(lines, width, separator):
    assert separator_of(lines, width) == separator


@given(strategies.lists(strategies.lists(strategies.integers(0, 9), max_size=4), max_size=6),
       strategies.integers(0, 12))
def test_take_splits_the_lines_at_a_number_and_loses_none(lists, count):
    whole = list(itertools.chain.from_iterable(lists))
    taken, rest = take(iter(lists), count)
    assert taken == whole[:count]
    assert list(itertools.chain.from_iterable(rest)) == whole[count:]


def test_split_heeds_quotation_marks_and_any_number_of_blanks():
    assert split(['1,"a,b"', "2,c"], ",") == [["1", "a,b"], ["2", "c"]]
    assert split(["1   2\t3"], " ") == [["1", "2", "3"]]


@pytest.mark.parametrize("cells, expected", [
    (["", "degC", "m3/h"], True), (["h", "%"], True), (["2020-01-06", "off"], False), (["", ""], False),
    (["degC", "NaN"], False), (["-.5", "bar"], False), (["inf", "bar"], False)])
def test_a_row_of_units_holds_neither_number_nor_time(cells, expected):
    assert is_unit_row(cells) is expected


def test_a_row_of_another_width_below_a_title_says_how_to_skip_it():
    assert widths_differ("p", 1, 3, ["Plant A"]).endswith("above the one that names the columns")
    assert widths_differ("p", 2, 1, ["t", "a"]) == "p: row 2 has 1 cells, but the header has 2"
    assert widths_differ("p", 21, 3, ["t", "a"]) == "p: row 21 has 3 cells, but the header has 2"


def test_mostly_is_more_than_half():
    assert mostly([True, True, False]) and not mostly([True, False]) and not mostly([])
