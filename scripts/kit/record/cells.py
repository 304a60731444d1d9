"""From cells to numbers: missing marks, decimal commas, units, labels, quality. numpy alone."""
import re

import numpy as np

from kit.base.cli import UserError
from kit.record.dialect import MISSING, mostly
from kit.record.times import is_clock

LARGEST = 1e30  # of a reading; what is beyond stands for something else, and no float32 holds it
SURROGATES = "\udc80-\udcff"  # a degree sign that is no UTF-8
_UNIT = re.compile(r"([-+]?\d*[.,]?\d+(?:[eE][-+]?\d+)?)\s*([^\W\d_][^\s\d,;]*|[°%%µΩ$€%s][^\d,;]*)"
                   % SURROGATES)
_GROUPS = {",": re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d+)?"),
           ".": re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")}
TRUE_FALSE = {"true": "1", "false": "0"}


class Cells:
    """Numbers of a log's cells; remembers what the rows above had.

    name : of the log, for messages
    form : kit.record.logs.Form
    separator : what may be a decimal comma is not the separator
    """

    def __init__(self, name, form, separator):
        self.name, self.separator = name, separator
        self.decimal, self._given = form.decimal, form.decimal is not None
        self._units = {}  # column: the unit that follows each number, "" for none
        marks = [mark for mark in form.missing if not isinstance(mark, dict)]
        self._marks, self._numbers = _split_marks(marks)
        self._own = {}  # column: its own marks
        for mark in form.missing:
            if isinstance(mark, dict):
                for column, value in mark.items():
                    self._own.setdefault(column, []).append(value)
        self._own = {column: _split_marks(values) for column, values in self._own.items()}
        self._normal = {_key(value) for value in form.normal_labels}
        self._good = {_key(value) for value in form.good_quality}

    def floats(self, row, cells, column):
        """float64 (n,) of the cells of a column from row `row` on, NaN for a missing one."""
        texts, numbers = self._own.get(column, ((), ()))
        if isinstance(cells, np.ndarray):
            values = cells.astype(np.float64)
        else:
            values = self._parsed(row, cells, column, self._marks.union(texts))
        for number in self._numbers + list(numbers):
            values[values == number] = np.nan
        with np.errstate(invalid="ignore"):  # NaN compares as it should
            wrong = np.abs(values) > LARGEST
        if wrong.any():
            endless = np.isinf(values)
            if endless.any():
                self._refuse(row, cells, column, endless,
                             "is not a number" + self._hint(cells, endless))
            self._refuse(row, cells, column, wrong, "is beyond %g, more than a reading can be; if "
                         "it stands for a missing one, leave the cell empty or name it in "
                         "generate.log.missing" % LARGEST)
        return values

    def _parsed(self, row, cells, column, marks):
        """float64 (n,): NaN where missing, infinity where there is no number."""
        text = " ".join(cells)  # one search in it is faster than one in every cell
        if self.separator != "," and not self._given:
            self._check_decimals(row, cells, column, "," in text, "." in text)
        unit = self._units.get(column)
        values = None if unit else _plain_floats(
            [cell.replace(",", ".") for cell in cells] if self.decimal == "," else cells, marks)
        if values is None:
            values = self._with_unit(cells, column, marks)
        elif unit is None and not np.isnan(values).all():
            self._units[column] = ""
        if "_" in text:  # Python's own 1_000
            values[[cell not in marks and "_" in _number_of(cell) for cell in cells]] = np.inf
        return values

    def _with_unit(self, cells, column, marks):
        cells = [cell.strip() for cell in cells]
        if self._units.get(column) is None:
            first = next((cell for cell in cells if cell not in marks), None)
            match = first is not None and _UNIT.fullmatch(first)
            if first is not None:
                self._units[column] = match.group(2) if match and not _is_float(first) else ""
        unit = self._units.get(column) or ""
        return np.array([self._float(cell, marks, unit) for cell in cells])

    def _float(self, cell, marks, unit):
        if cell in marks:
            return np.nan
        if unit:
            if not cell.endswith(unit):
                return np.inf
            cell = cell[:-len(unit)].rstrip()
        if self._given and _GROUPS[self.decimal].fullmatch(cell):
            cell = cell.replace("." if self.decimal == "," else ",", "")
        try:
            return float(cell.replace(",", ".") if self.decimal == "," else cell)
        except ValueError:
            return np.inf

    def _check_decimals(self, row, cells, column, comma, point):
        """Find out whether a file has decimal commas, and refuse one that has both.

        comma, point : whether a cell has one
        """
        if self.decimal is None and comma != point:
            self.decimal = "," if comma else "."
        if not (comma and self.decimal != "," or point and self.decimal != "."):
            return
        for at, cell in enumerate(cells):
            found = "," if "," in cell else "." if "." in cell else None
            if found and "," in cell and "." in cell:
                raise UserError("%s: row %d, column %s: %r has a comma and a point: set "
                                "generate.log.decimal to the one before the decimals"
                                % (self.name, row + at, column, cell))
            if found and self.decimal is None:
                self.decimal = found
            if found and found != self.decimal:
                raise UserError(
                    "%s: row %d, column %s: %r has a %s, but the rows above have a decimal %s"
                    % (self.name, row + at, column, cell,
                       *(("comma", "point") if self.decimal == "." else ("point", "comma"))))

    def _hint(self, cells, wrong):
        """What a cell that is no number probably is, and the key to set."""
        cell = str(cells[int(np.flatnonzero(wrong)[0])]).strip()
        if is_clock(cell):
            return ("; if it is the time of day beside a date, name both columns: "
                    "generate.log.time_column: [date, time]")
        if re.fullmatch(r"[-+]?[\d.]*\d,\d+", cell):
            return "; if its comma is a decimal one, set generate.log.decimal to ','"
        if mostly(wrong):
            return ("; a column of words is a label (generate.log.label_column and normal_labels), "
                    "a state of the readings (quality_column and good_quality), the names of "
                    "sensors in a long table (tag_column and value_column), or left out "
                    "(ignore_columns)")
        if not re.search(r"\d", cell):
            return "; if it stands for a missing reading, name it in generate.log.missing"
        return ""

    def labels(self, row, cells, column):
        """int64 (n,): 1 on anomalous rows. Without `normal_labels` cells are 0 or 1."""
        if self._normal:
            return np.array([_key(cell) not in self._normal for cell in cells], np.int64)
        if not isinstance(cells, np.ndarray):
            cells = [TRUE_FALSE.get(cell.strip().lower(), cell) for cell in cells]
            values = np.array([self._float(cell.strip(), MISSING, "") for cell in cells])
        else:
            values = cells.astype(np.float64)
        wrong = (values != 0) & (values != 1)
        if wrong.any():
            self._refuse(row, cells, column, wrong, "is neither 0 nor 1; words and other numbers "
                         "need generate.log.normal_labels: those of normal rows")
        return values.astype(np.int64)

    def good(self, cells):
        """Boolean (n,): True where a row's readings may be used."""
        return np.array([_key(cell) in self._good for cell in cells])

    def _refuse(self, row, cells, column, wrong, what):
        number = int(np.flatnonzero(wrong)[0])
        cell = cells[number].item() if isinstance(cells, np.ndarray) else cells[number]
        raise UserError("%s: row %d, column %s: %r %s"
                        % (self.name, row + number, column, cell, what))


def _plain_floats(cells, marks):
    """float64 (n,) of cells that are numbers or missing; None where one is neither."""
    try:
        return np.fromiter(map(float, cells), float, len(cells))
    except ValueError:
        try:
            return np.array([np.nan if cell in marks else float(cell) for cell in cells])
        except ValueError:
            return None


def _split_marks(marks):
    """(texts that stand for a missing reading, numbers that do)."""
    numbers = [float(mark) for mark in marks if _is_float(str(mark))]
    return MISSING.union(str(mark) for mark in marks if not _is_float(str(mark))), numbers


def _key(value):
    """A label to compare: a number where it is one, else its text without blanks around it."""
    text = str(value).strip()
    return float(text) if _is_float(text) else text


def _number_of(cell):
    match = _UNIT.fullmatch(cell.strip())
    return match.group(1) if match else cell


def _is_float(text):
    try:
        return float(text) == 0 or True
    except ValueError:
        return False
