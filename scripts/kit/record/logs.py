"""Sensor logs as people have them, read in blocks of rows.

A text log needs numpy and the standard library alone, is held one block at a time, and may be a
file, a pipe or a file that still grows. What cannot be read is refused in one sentence with the
file, the row (counted from 1 below the line of names) and the column; nothing is skipped.
`kit.record.dialect` finds the columns, `cells` the numbers, `times` the times, `tables` reads
files that are no text.
"""
import csv
import itertools
from typing import NamedTuple, Optional

import numpy as np

from kit.base.cli import UserError
from kit.record import files
from kit.record.cells import Cells
from kit.record.dialect import is_unit_row, read_header, split, widths_differ
from kit.record.tables import EXCEL, NUMPY, PARQUET, read_table
from kit.record.times import Clock, is_clock

SESSION = "session"  # column of a record that tells its recordings apart
TEXTS = (".csv",), (".txt", ".tsv", ".dat")
GROUPS = tuple(tuple(end + packed for end in ends for packed in ("",) + files.PACKED)
               for ends in TEXTS) + (PARQUET, EXCEL, NUMPY)


class Form(NamedTuple):
    """How a log is written and to be read: keys of `generate.log` in params.yaml, which says what
    each means."""

    time: str = "auto"
    time_column: object = None  # name, or two names: date and time of day
    time_zone: Optional[str] = None
    sample_interval_s: Optional[float] = None
    columns: tuple = ()
    skip_lines: int = 0
    separator: Optional[str] = None
    decimal: Optional[str] = None
    missing: tuple = ()
    label_column: Optional[str] = None
    normal_labels: tuple = ()
    quality_column: Optional[str] = None
    good_quality: tuple = ()
    tag_column: Optional[str] = None
    value_column: Optional[str] = None
    sort: bool = False
    duplicates: str = "refuse"
    resample: Optional[float] = None
    resample_by: str = "hold"
    fill: tuple = ()  # pairs: channel, hold or linear
    longest_fill_samples: int = 100
    sessions: str = "gaps"
    join: bool = False


def form_of(settings):
    """The Form in a section `generate.log`."""
    known = {key: settings[key] for key in Form._fields if key in settings}
    return Form(**dict(known, fill=tuple((known.get("fill") or {}).items())))


class Block(NamedTuple):
    """Successive rows of a log."""

    name: str  # of the log
    row: int  # of the first one, from 1
    time: Optional[np.ndarray]  # (n,) datetime64[us] UTC; None where the log has no time
    values: np.ndarray  # (n, C) float64, NaN where a sample is missing
    marks: np.ndarray  # (n,) int64, the number of the event that covers the row, or 0
    session: int = 0  # number of the unbroken recording that the rows are of


class Log:
    """A log whose names of columns have been read.

    name : what messages call it
    table : kit.record.tables.Table, or a Text
    form : Form
    bad : None, or a function that is told of each row that cannot be read: such a row is left out,
        or without a reading where the log has no times
    """

    bad = None

    def __init__(self, name, table, form=Form()):
        self.name, self.table, self.header = name, table, table.header
        self.form = form._replace(time="none") if (
            table.timeless and form.time == "auto" and form.time_column is None) else form
        self._numbers = {column: number for number, column in enumerate(self.header)}
        self._clock = None

    @property
    def said(self):
        """Sentences on what was decided from the content."""
        times = []
        if self._clock and self.form.time == "auto" and self._clock.notation not in ("auto", "iso8601"):
            times = ["%s: the times of column %s are taken as %s; generate.log.time says otherwise"
                     % (self.name, self._clock.column, self._clock.notation)]
        return self.table.said + times

    @property
    def time_kind(self):
        """What `auto` has become."""
        return self._clock.notation if self._clock else self.form.time

    @property
    def session_column(self):
        """Name of the column that tells one recording from the next, or None."""
        return None if self.form.sessions in ("gaps", "files") else self.form.sessions

    def time_columns(self):
        """Names of the columns that hold the time: none, one or two."""
        if self.form.time == "none":
            return []
        chosen = self.form.time_column or self.table.time or next(
            (name for name in self.header if name), self.header[0])
        chosen = [chosen] if isinstance(chosen, str) else list(chosen)
        for name in chosen:
            self.column(name)
        return chosen

    def channels(self, leave_out=()):
        """Names of the columns that are channels: all that have a name and no other use."""
        for name in leave_out:
            self.column(name)
        used = [self.form.label_column, self.form.quality_column, self.session_column]
        used += self.time_columns() + [""] + list(leave_out)
        if self.form.tag_column:
            raise ValueError("a long table has no column per channel: see tags")
        return [name for name in self.header if name not in used]

    def column(self, name):
        """Number of a column, from 0."""
        if name not in self._numbers:
            raise UserError("%s has no column %s; its columns are %s"
                            % (self.name, name, ", ".join(filter(None, self.header))))
        return self._numbers[name]

    def tags(self):
        """Names of the sensors of a long table, in the order of their first rows."""
        self.column(self.form.value_column or "generate.log.value_column")
        number, found = self.column(self.form.tag_column), {}
        for _, columns in self.columns():
            found.update(dict.fromkeys(str(cell).strip() for cell in columns[number]))
        return list(found)

    def blocks(self, channels, ignored=()):
        """Every row, as Blocks; channels : C names in the order wanted; ignored : tags left out."""
        self.table.bad = self.bad
        for name in [self.form.label_column, self.form.quality_column] + (
                [] if self.form.tag_column else list(channels)):
            if name:
                self.column(name)
        cells, last, session = Cells(self.name, self.form, self.table.separator), None, 0
        recording = self.session_column and self.column(self.session_column)
        for row, columns in self.columns():
            for block, kept in self._tolerant(row, columns, cells, channels, ignored):
                if recording is None:
                    yield block
                    continue
                for start, stop, name, new in _recordings(kept[recording], last):
                    last, session = name, session + new
                    part = slice(start, stop)
                    yield Block(self.name, block.row + start,
                                None if block.time is None else block.time[part],
                                block.values[part], block.marks[part], session)

    def _tolerant(self, row, columns, cells, channels, ignored):
        """Yield (Block, its columns) of rows; those that cannot be read are told to `bad`."""
        try:
            yield self._block(row, columns, cells, channels, ignored), columns
        except UserError as error:
            n = len(columns[0])
            if self.bad is None:
                raise
            if n > 1:
                for part in (slice(0, n // 2), slice(n // 2, n)):
                    for found in self._tolerant(row + part.start, [column[part] for column in columns],
                                                cells, channels, ignored):
                        yield found
                return
            self.bad(str(error))
            if not self.time_columns():
                yield Block(self.name, row, None, np.full((1, len(channels)), np.nan),
                            np.zeros(1, np.int64)), columns

    def _block(self, row, columns, cells, channels, ignored):
        form = self.form
        time = self._times(row, columns, cells)
        if form.tag_column:
            values = self._long(row, columns, cells, channels, ignored)
        else:
            values = np.empty((len(columns[0]), len(channels)))
            for channel, name in enumerate(channels):
                values[:, channel] = cells.floats(row, columns[self.column(name)], name)
        if form.quality_column:
            values[~cells.good(columns[self.column(form.quality_column)])] = np.nan
        marks = np.zeros(len(values), np.int64)
        if form.label_column:
            marks = cells.labels(row, columns[self.column(form.label_column)], form.label_column)
        return Block(self.name, row, time, values, marks)

    def times_only(self):
        """Every row as Blocks without channels: fast, for a first look at the time axis."""
        cells = Cells(self.name, self.form, self.table.separator)
        for row, columns in self.columns():
            n = len(columns[0])
            yield Block(self.name, row, self._times(row, columns, cells), np.empty((n, 0)),
                        np.zeros(n, np.int64))

    def columns(self):
        """(row number of the first, list of columns), as they come; at least one row."""
        any_row = False
        for row, columns in self.table.columns():
            any_row = True
            yield row, columns
        if not any_row:
            raise UserError("%s holds no rows" % self.name)

    def column_times(self, row, cells, column):
        """Times of another column in the form of the log's times, such as an event's end."""
        clock = Clock(self.name, column, self.form.time, self.form.time_zone,
                      self.form.sample_interval_s)
        numbers = Cells(self.name, self.form, self.table.separator)
        return clock.read(row, cells, lambda cells: numbers.floats(row, cells, column))

    def _times(self, row, columns, cells):
        names = self.time_columns()
        if not names:
            return None
        if self._clock is None:
            self._refuse_two(row, columns, names)
            self._clock = Clock(self.name, " and ".join(names), self.form.time,
                                self.form.time_zone, self.form.sample_interval_s)
        found = columns[self.column(names[0])]
        if len(names) == 2:
            found = ["%s %s" % (str(a).strip(), str(b).strip())
                     for a, b in zip(found, columns[self.column(names[1])])]
        return self._clock.read(row, found, lambda found: cells.floats(row, found, names[0]))

    def _refuse_two(self, row, columns, names):
        """UserError where date and time of day stand in two columns, and one is named."""
        number = self.column(names[0])
        for at in (number, number + 1):
            cell = columns[at][0] if len(names) == 1 and at < len(columns) else None
            if isinstance(cell, str) and is_clock(cell):
                pair = [self.header[max(at - 1, 0)], self.header[at]]
                raise UserError("%s: row %d, column %s: %r is a time of day, whose date is in a "
                                "column of its own: set generate.log.time_column: [%s]"
                                % (self.name, row, self.header[at], cell, ", ".join(pair)))

    def _long(self, row, columns, cells, channels, ignored):
        """Values (n, C) of a long table: each row has one reading, in the column of its tag."""
        places = dict({tag: None for tag in ignored}, **{
            name: number for number, name in enumerate(channels)})
        values = np.full((len(columns[0]), len(channels)), np.nan)
        readings = cells.floats(row, columns[self.column(self.form.value_column)],
                                self.form.value_column)
        for at, cell in enumerate(columns[self.column(self.form.tag_column)]):
            tag = str(cell).strip()
            if tag not in places:
                raise UserError("%s: row %d, column %s: no channel is called %r"
                                % (self.name, row + at, self.form.tag_column, tag))
            if places[tag] is not None:
                values[at, places[tag]] = readings[at]
        return values


def _recordings(cells, last):
    """Yield (start, stop, cell, whether it differs from the one before) of each run of one cell."""
    start = 0
    for cell, run in itertools.groupby(cells):
        stop = start + sum(1 for _ in run)
        yield start, stop, cell, last is not None and cell != last
        start, last = stop, cell


class Text:
    """A log of lines: the interface of kit.record.tables.Table.

    pieces : iterable of bytes, cut anywhere
    """

    time, timeless, bad = None, False, None

    def __init__(self, name, pieces, form=Form()):
        self.name = name
        self.header, self.separator, self._lines, self.said = read_header(
            name, files.lines(name, pieces), form)
        self._form = form

    def columns(self):
        """(row number of the first, list of columns of strings)."""
        row, empty = 1, None
        for lines in self._lines:
            if self.bad is not None:
                for found in self._tolerant(row, lines):
                    yield found
                row += len(lines)
                continue
            lines, empty = self._without_end(row, lines, empty)
            cells = self._cells(row, lines) if lines else []
            if cells and row == 1 and not self._form.columns and is_unit_row(cells[0]):
                self.said.append("%s: row 1 holds units (%s) and is left out" % (
                    self.name, ", ".join(filter(None, (cell.strip() for cell in cells[0])))))
                cells, row, lines = cells[1:], 2, lines[1:]
            if cells:
                yield row, list(zip(*cells))
            row += len(lines)

    def _tolerant(self, row, lines):
        """Yield (row, columns) of the lines that have the cells of the header, told the others."""
        try:
            if lines and all(line.strip() for line in lines):
                yield row, list(zip(*self._cells(row, lines)))
                return
        except UserError as error:
            if len(lines) == 1:
                self.bad(str(error))
        if len(lines) > 1:
            half = len(lines) // 2
            for start, part in ((0, lines[:half]), (half, lines[half:])):
                for found in self._tolerant(row + start, part):
                    yield found

    def _without_end(self, row, lines, empty):
        """Lines up to the empty ones at the end of the file; empty ones elsewhere are refused."""
        filled = [bool(line.strip()) for line in lines]
        count = len(lines) if all(filled) else filled.index(False)
        empty = empty or (row + count if count < len(lines) else None)
        if empty and any(filled[max(empty - row, 0):]):
            raise UserError("%s: row %d is empty" % (self.name, empty))
        return lines[:count], empty

    def _cells(self, row, lines):
        try:
            cells = split(lines, self.separator)
        except csv.Error as error:
            raise UserError("%s is not a CSV file: rows %d to %d: %s"
                            % (self.name, row, row + len(lines) - 1, error))
        width = len(self.header)
        if len(cells) != len(lines) or set(map(len, cells)) != {width}:
            for number, line in enumerate(lines, row):
                found = split([line], self.separator)
                if len(found) == 1 and len(found[0]) != width:
                    raise UserError(widths_differ(self.name, number, len(found[0]), self.header))
            raise UserError("%s: a quotation mark in rows %d to %d is never closed"
                            % (self.name, row, row + len(lines) - 1))
        return cells


def text_log(name, pieces, form=Form()):
    """The Log of a text that comes in pieces of bytes."""
    return Log(name, Text(name, pieces, form), form)


def open_log(path, form=Form(), task=None):
    """The Log of a file; how far it is read is shown under the name of the task."""
    table = read_table(path)
    if table is None:
        pieces = (files.zip_pieces(path) if path.lower().endswith(".zip") else
                  files.shown_pieces(path, task) if task else files.file_pieces(path))
        return text_log(path, pieces, form)
    if form.columns:
        if len(form.columns) != len(table.header):
            raise UserError("%s has %d columns, but generate.log.columns names %d"
                            % (path, len(table.header), len(form.columns)))
        table.header = list(form.columns)
    return Log(path, table, form)
