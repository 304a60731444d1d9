"""Sensor logs as people have them: CSV of several dialects, read in blocks of rows.

Needs numpy and the standard library alone, holds one block at a time, and takes a file, a pipe or
a file that still grows. Separator `,` or `;` (then a decimal comma may be used). What it cannot
read it refuses in one sentence with the file, the row (counted from 1 below the header) and the
column; it skips nothing.
"""
import csv
import itertools
import os
import re
from typing import NamedTuple, Optional

import numpy as np

from kit.base.cli import UserError, progress

PIECE_BYTES = 1 << 17
LONGEST_LINE = 1 << 20  # bytes; a file without line ends is not a log
LARGEST = 1e30  # of a reading; what is beyond stands for something else, and no float32 holds it
EPOCHS = {"epoch_s": 1e6, "epoch_ms": 1e3, "epoch_us": 1.0}  # microseconds
TIME_KINDS = ("iso8601",) + tuple(EPOCHS) + ("none",)
MISSING = frozenset(["", "NaN", "nan", "NAN", "NA", "N/A", "null", "NULL", "None"])
_ISO = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?)"
                  r" ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?")


class Layout(NamedTuple):
    """Which column of a log is what; the first is the time unless its kind is "none"."""

    time: str  # one of TIME_KINDS, or "auto": ISO 8601 or epoch, as the first cell looks
    channels: list  # C names, in the order wanted
    label: Optional[str] = None  # name of a column of 0 and 1


class Block(NamedTuple):
    """Successive rows of a log."""

    name: str  # of the log
    row: int  # of the first one, from 1
    time: Optional[np.ndarray]  # (n,) datetime64[us] UTC; None where the log has no time
    values: np.ndarray  # (n, C) float64, NaN where a sample is missing
    marks: np.ndarray  # (n,) int64, the number of the event that covers the row, or 0


class Log:
    """A log whose header has been read.

    name : what messages call it
    pieces : iterable of bytes, cut anywhere
    """

    def __init__(self, name, pieces):
        self.name = name
        self._lines = _lines(name, pieces)
        first = next(self._lines, [""])
        self.header, self.separator = _header(name, first[0])
        self._numbers = {column: number for number, column in enumerate(self.header)}
        self._zoned = None  # unknown until the first time
        self._lines = itertools.chain([first[1:]], self._lines)
        self._decimal = None  # unknown until a `;` file shows its first comma or point

    def channels(self, time, leave_out=()):
        """Names of the columns that are neither time nor left out."""
        for name in leave_out:
            self.column(name)
        names = self.header if time == "none" else self.header[1:]
        return [name for name in names if name not in leave_out]

    def column(self, name):
        """Number of a column, from 0."""
        if name not in self._numbers:
            raise UserError("%s has no column %s; its columns are %s"
                            % (self.name, name, ", ".join(self.header)))
        return self._numbers[name]

    def blocks(self, layout):
        """Every row, as Blocks."""
        numbers = [self.column(name) for name in layout.channels]
        kind = layout.time
        for row, cells in self.rows():
            columns = list(zip(*cells))
            time = None
            self._check_decimals(row, columns, numbers)
            if kind != "none":
                kind = time_kind(columns[0][0]) if kind == "auto" else kind
                time = self.times(row, columns[0], self.header[0], kind)
            values = np.empty((len(cells), len(numbers)))
            for channel, number in enumerate(numbers):
                values[:, channel] = self._floats(row, columns[number], self.header[number])
            marks = np.zeros(len(cells), np.int64)
            if layout.label is not None:
                marks = self._labels(row, columns[self.column(layout.label)], layout.label)
            yield Block(self.name, row, time, values, marks)

    def times_only(self, kind):
        """Every row as Blocks without channels: fast, for a first look at the time axis."""
        for row, cells in self.rows():
            time = None
            if kind != "none":
                time = self.times(row, [line[0] for line in cells], self.header[0], kind)
            yield Block(self.name, row, time, np.empty((len(cells), 0)),
                        np.zeros(len(cells), np.int64))

    def rows(self):
        """(row number of the first, list of lists of cells), as they come; at least one row."""
        row, empty = 1, None
        for lines in self._lines:
            lines, empty = self._without_end(row, lines, empty)
            if lines:
                yield row, self._cells(row, lines)
            row += len(lines)
        if row == 1:
            raise UserError("%s holds no rows" % self.name)

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
            cells = list(csv.reader(lines, delimiter=self.separator))
        except csv.Error as error:
            raise UserError("%s is not a CSV file: rows %d to %d: %s"
                            % (self.name, row, row + len(lines) - 1, error))
        width = len(self.header)
        if len(cells) != len(lines) or set(map(len, cells)) != {width}:
            for number, line in enumerate(lines, row):
                found = next(csv.reader([line], delimiter=self.separator))
                if len(found) != width:
                    raise UserError("%s: row %d has %d cells, but the header has %d"
                                    % (self.name, number, len(found), width))
            raise UserError("%s: a quotation mark in rows %d to %d is never closed"
                            % (self.name, row, row + len(lines) - 1))
        return cells

    def times(self, row, cells, column, kind):
        """datetime64[us] (n,) of cells; without a zone they are taken as UTC."""
        if kind == "iso8601":
            return self._iso_times(row, cells, column)
        numbers = self._floats(row, cells, column)
        micro = numbers * EPOCHS[kind]
        wrong = ~(np.abs(micro) < 1e17)  # the year 5138; NaN too
        if wrong.any():
            fits = epoch_kind(numbers[wrong][0])
            self._refuse(row, cells, column, wrong, "is not a time in the form %s%s" % (
                kind, "; as %s it is %sZ" % (fits, _moment(numbers[wrong][0] * EPOCHS[fits])
                                             ) if fits else ""))
        return np.rint(micro).astype(np.int64).astype("datetime64[us]")

    def _iso_times(self, row, cells, column):
        match = _ISO.fullmatch(cells[0])
        zone = match.group(2) or "" if match else ""
        if self._zoned is None:
            self._zoned = bool(zone)
        if match and bool(zone) == self._zoned and all(
                len(cell) == len(cells[0]) and cell.endswith(zone) for cell in cells):
            end = match.end(1)
            try:
                return np.array([cell[:end] for cell in cells], "datetime64[us]") - offset(zone)
            except ValueError:
                pass  # one of them is no time: find it
        times = np.empty(len(cells), "datetime64[us]")
        for number, cell in enumerate(cells):
            match = _ISO.fullmatch(cell.strip())
            try:
                times[number] = np.datetime64(match.group(1), "us") - offset(match.group(2))
            except (ValueError, AttributeError):
                raise UserError("%s: row %d, column %s: %r is not an ISO 8601 time such as "
                                "2020-01-06T12:30:00Z" % (self.name, row + number, column, cell))
            if bool(match.group(2)) != self._zoned:
                raise UserError("%s: row %d, column %s: %r has %s" % (
                    self.name, row + number, column, cell,
                    "no zone, but the rows above have one" if self._zoned
                    else "a zone, but the rows above have none"))
        return times

    def _floats(self, row, cells, column):
        """float64 (n,) of cells, NaN for a missing one."""
        points = cells
        if self._decimal == ",":
            points = [cell.replace(",", ".") for cell in cells]
        try:
            values = np.array([np.nan if cell in MISSING else float(cell) for cell in points])
        except ValueError:
            values = np.array([_float(cell.strip()) for cell in points])
        wrong = np.isinf(values)
        if any("_" in cell for cell in cells):
            wrong |= ["_" in cell for cell in cells]  # Python's own 1_000
        if wrong.any():
            self._refuse(row, cells, column, wrong, "is not a number")
        with np.errstate(invalid="ignore"):  # NaN compares as it should
            wrong = np.abs(values) > LARGEST
        if wrong.any():
            self._refuse(row, cells, column, wrong, "is beyond %g, more than a reading can be; if "
                         "it stands for a missing one, leave the cell empty" % LARGEST)
        return values

    def _labels(self, row, cells, column):
        values = self._floats(row, cells, column)
        wrong = (values != 0) & (values != 1)
        if wrong.any():
            self._refuse(row, cells, column, wrong, "is neither 0 nor 1")
        return values.astype(np.int64)

    def _check_decimals(self, row, columns, numbers):
        """Find out whether a `;` file has decimal commas, and refuse one that has both."""
        if self.separator != ";":
            return
        for number in numbers:
            for offset_, cell in enumerate(columns[number]):
                found = "," if "," in cell else "." if "." in cell else None
                if found and self._decimal is None:
                    self._decimal = found
                if found and (found != self._decimal or "," in cell and "." in cell):
                    raise UserError(
                        "%s: row %d, column %s: %r has a %s, but the rows above have a decimal %s"
                        % (self.name, row + offset_, self.header[number], cell,
                           *(("comma", "point") if self._decimal == "." else ("point", "comma"))))

    def _refuse(self, row, cells, column, wrong, what):
        number = int(np.flatnonzero(wrong)[0])
        raise UserError("%s: row %d, column %s: %r %s"
                        % (self.name, row + number, column, cells[number], what))


def open_log(path, task=None):
    """The Log of a file; how far it is read is shown under the name of the task."""
    return Log(path, shown_pieces(path, task) if task else file_pieces(path))


def shown_pieces(path, task):
    """file_pieces with progress at the terminal."""
    size = os.path.getsize(path) if os.path.exists(path) else 0
    return progress(file_pieces(path), task, total=-(-size // PIECE_BYTES))


def file_pieces(path):
    """Bytes of a file, a hundred kilobytes at a time."""
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(PIECE_BYTES), b""):
                yield piece
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))


def time_kind(cell):
    """The kind of time that a cell looks like."""
    try:
        return epoch_kind(float(cell.replace(",", "."))) or "epoch_us"
    except ValueError:
        return "iso8601"


def epoch_kind(number):
    """The coarsest of EPOCHS by which a number lies before the year 5138, or None."""
    return next((kind for kind, micro in EPOCHS.items() if abs(number) * micro < 1e17), None)


def _moment(micro):
    return np.datetime64(int(micro), "us").astype("datetime64[s]")


def offset(zone):
    """timedelta64 of Z, +01:00, +0100 or +01."""
    if not zone or zone in ("Z", "UTC"):
        return np.timedelta64(0, "m")
    minutes = 60 * int(zone[1:3]) + int(zone[3:].lstrip(":") or 0)
    return np.timedelta64(-minutes if zone[0] == "-" else minutes, "m")


def _float(cell):
    """The number in a cell; infinity where there is none."""
    try:
        return np.nan if cell in MISSING else float(cell)
    except ValueError:
        return np.inf


def _lines(name, pieces):
    """Lists of whole lines, as they come; bytes that are no UTF-8 survive as surrogates."""
    rest = b""
    for number, piece in enumerate(pieces):
        if number == 0:
            _refuse_encodings(name, piece)
            piece = piece[3:] if piece.startswith(b"\xef\xbb\xbf") else piece
        if b"\0" in piece:
            raise UserError("%s holds zero bytes: a binary file, not a CSV file" % name)
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end].decode("utf-8", "surrogateescape").split("\n")[:-1]
            rest = rest[end:]
        elif len(rest) > LONGEST_LINE:
            raise UserError("%s is not a CSV file: a line is longer than a megabyte" % name)
    if rest:
        yield [rest.decode("utf-8", "surrogateescape")]


def _refuse_encodings(name, piece):
    if piece[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        raise UserError("%s is UTF-32: save it as UTF-8" % name)
    if piece[:2] in (b"\xff\xfe", b"\xfe\xff") or (
            len(piece) > 3 and piece[1::2][:20].count(0) == len(piece[1::2][:20])):
        raise UserError("%s is UTF-16: save it as UTF-8" % name)


def _header(name, line):
    """(column names, separator) of the first line."""
    if not line.strip():
        raise UserError("%s is empty: a CSV file whose first line names the columns is needed"
                        % name)
    if "\r" in line.rstrip("\r"):
        raise UserError("%s: line 1 ends in a carriage return alone: save the file with line feeds"
                        % name)
    separator = ";" if ";" in line else ","
    for other, called in (("\t", "a tab"), ("|", "a |")):
        if other in line and separator not in line:
            raise UserError("%s: line 1 has %s, but neither , nor ; between the names of the "
                            "columns" % (name, called))
    try:
        line.encode("utf-8")
        header = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    except UnicodeEncodeError:
        raise UserError("%s: line 1 is not UTF-8: save the file as UTF-8" % name)
    except csv.Error as error:
        raise UserError("%s is not a CSV file: line 1: %s" % (name, error))
    seen = set()
    for number, column in enumerate(header, 1):
        if not column:
            raise UserError("%s: line 1: column %d has no name" % (name, number))
        if column in seen:
            raise UserError("%s: line 1: two columns are called %s" % (name, column))
        if _ISO.fullmatch(column) or not np.isinf(_float(column)):
            raise UserError("%s: line 1 must name the columns, but column %d is called %s"
                            % (name, number, column))
        seen.add(column)
    return header, separator
