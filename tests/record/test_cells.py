"""Cells of a column -> numbers, labels and quality; what is wrong is named with its cell."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.record.cells import Cells
from kit.record.logs import Form

NAN = np.nan


def floats(cells, separator=";", **form):
    return Cells("plant.csv", Form(**form), separator).floats(1, cells, "a")


@pytest.mark.parametrize("cells, form, expected", [
    (["1.5", " -2 ", "3e2", ""], {}, [1.5, -2, 300, NAN]),
    (["1,5", "-2", "N/A"], {}, [1.5, -2, NAN]),
    (["21 °C", "", "-2.5°C"], {}, [21, NAN, -2.5]),
    (["7 kW", "0.3e3 kW"], {}, [7, 300]),
    (["1", "?", "-9999.0"], {"missing": ("?", -9999)}, [1, NAN, NAN]),
    (["0", "5"], {"missing": ({"a": 0},)}, [NAN, 5]),
    (["0", "5"], {"missing": ({"b": 0},)}, [0, 5]),
    (["1.234.567,5", "1"], {"decimal": ","}, [1234567.5, 1]),
    (["1,234,567.5", "1"], {"decimal": "."}, [1234567.5, 1]),
    (np.array([1, -9], np.int16), {"missing": (-9,)}, [1, NAN]),
])
def test_cells_become_numbers(cells, form, expected):
    np.testing.assert_array_equal(floats(cells, **form), expected)


@pytest.mark.parametrize("cells, separator, words", [
    (["1", "x1"], ",", "row 2, column a: 'x1' is not a number$"),
    (["1_000"], ",", "row 1, column a: '1_000' is not a number"),
    (["inf"], ",", "row 1, column a: 'inf' is not a number"),
    (["1e308"], ",", "row 1, column a: '1e308' is beyond 1e.30, .* leave .* empty"),
    (["1.234,5"], ";", "row 1, column a: '1.234,5' has a comma and a point: set generate.log.decimal"),
    (["1,5", "1.5"], ";", "row 2, column a: '1.5' has a point, but the rows above have a decimal comma"),
    (["1", "1\udcb0"], ",", "row 2, column a: '1.*' is not a number"),
    (["5 kW", "5 MW"], ",", "row 2, column a: '5 MW' is not a number"),
    (["1e", "1e3"], ",", "row 2, column a: '1e3' is not a number"),
    (["1", "offline", "3"], ",", "'offline' is not a number; if it stands for a missing reading, name it "
                                 "in generate.log.missing"),
    (["NORMAL"], ",", "'NORMAL' is not a number; a column of words is a label .generate.log.label_column"),
    (["1,5"], ",", "'1,5' is not a number; if its comma is a decimal one, set generate.log.decimal"),
    (["17:24:00"], ",", "'17:24:00' is not a number; if it is the time of day beside a date, name both"),
])
def test_a_cell_that_is_no_number_is_named_with_what_it_may_be(cells, separator, words):
    with pytest.raises(UserError, match="^plant.csv: .*" + words):
        floats(cells, separator)


def test_units_and_decimal_commas_are_remembered_from_block_to_block():
    cells = Cells("plant.csv", Form(), ";")
    assert cells.floats(1, ["1,5 kW"], "a").tolist() == [1.5]
    assert cells.floats(2, ["2,5 kW"], "a").tolist() == [2.5]
    assert cells.floats(1, ["7"], "b").tolist() == [7]
    with pytest.raises(UserError, match="row 3, column a: '2.5 kW' has a point, but the rows above"):
        cells.floats(3, ["2.5 kW"], "a")
    with pytest.raises(UserError, match="row 2, column b: '7 kW' is not a number"):
        cells.floats(2, ["7 kW"], "b")


@pytest.mark.parametrize("cells, normal, expected", [
    (["Normal", "Attack", " Normal"], ("Normal",), [0, 1, 0]),
    (["0", "3", "0.0"], (0,), [0, 1, 0]), (["False", "TRUE", "0"], (), [0, 1, 0])])
def test_labels_of_words_and_numbers(cells, normal, expected):
    reader = Cells("plant.csv", Form(normal_labels=normal), ",")
    assert reader.labels(1, cells, "s").tolist() == expected


@pytest.mark.parametrize("cell", ["2", "", "yes", "Attack"])
def test_a_label_that_is_neither_0_nor_1_asks_for_those_of_normal_rows(cell):
    with pytest.raises(UserError, match="row 2, column s: '%s' is neither 0 nor 1; words .*normal_labels"
                       % cell):
        Cells("plant.csv", Form(), ",").labels(1, ["0", cell], "s")


def test_quality_is_good_by_word_or_number():
    cells = Cells("plant.csv", Form(good_quality=("Good", 192)), ",")
    assert cells.good(["Good", "Bad", "192", " 192.0"]).tolist() == [True, False, True, True]
