"""How a text log is written: what separates its cells, which line names the columns."""
import csv
import itertools
import re

import numpy as np

from kit.base.cli import UserError
from kit.record.times import is_iso

SEPARATORS = ";\t,|"
BLANKS = " "  # any number of them is one separator
MISSING = frozenset(["", "NaN", "nan", "NAN", "NA", "N/A", "null", "NULL", "None", None])


def split(lines, separator):
    """List of lists of cells."""
    if separator == BLANKS:
        return [line.split() for line in lines]
    text = "\n".join(lines)
    if not ('"' in text or "\r" in text or "" in lines) and (
            max(map(len, lines), default=0) <= csv.field_size_limit()):
        return [line.split(separator) for line in lines]  # the same, in half the time
    return list(csv.reader(lines, delimiter=separator))


def take(lines, count):
    """(the first `count` lines, or fewer; lists of lines with the rest)."""
    taken = []
    for more in lines:
        taken += more
        if len(taken) >= count:
            break
    return taken[:count], itertools.chain([taken[count:]], lines)


def read_header(name, lines, form):
    """(column names, separator, lists of the lines below, sentences on what was decided).

    lines : lists of lines; form : kit.record.logs.Form. A column without a name is called "".
    """
    above, lines = take(lines, form.skip_lines)
    if form.columns:
        first, lines = take(lines, 1)
        separator = form.separator or separator_of(first, len(form.columns))
        return list(form.columns), separator, itertools.chain([first], lines), []
    first, lines = take(lines, 1)
    at = len(above) + 1
    if not "".join(first).strip():
        raise UserError("%s is empty: a file whose first line names the columns is needed" % name)
    line, said = _named(name, first[0], at)
    separator = form.separator
    if separator is None and len(_separators(line)) != 1:
        below, lines = take(lines, 1)
        separator = separator_of([line] + below)
        lines = itertools.chain([below], lines)
    separator = separator or _separators(line)[0]
    try:
        header = [cell.strip() for cell in split([line], separator)[0]]
    except csv.Error as error:
        raise UserError("%s is not a CSV file: line %d: %s" % (name, at, error))
    _check(name, header, at)
    return header, separator, lines, said


def _named(name, line, at):
    """The line of names as text, and what to say of its encoding."""
    if "\r" in line.rstrip("\r"):
        raise UserError("%s: line %d ends in a carriage return alone: save the file with line "
                        "feeds" % (name, at))
    said = []
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        try:
            line = line.encode("utf-8", "surrogateescape").decode("cp1252")
        except UnicodeDecodeError:
            raise UserError("%s: line %d is not UTF-8: save the file as UTF-8" % (name, at))
        said = ["%s: line %d is not UTF-8, and was read as Windows-1252" % (name, at)]
    if re.search(r"[\x00-\x08\x0e-\x1f]", line):
        raise UserError("%s: line %d holds control characters: a binary file, or not UTF-8"
                        % (name, at))
    return line, said


def _check(name, header, at):
    seen = set()
    for number, column in enumerate(header, 1):
        if column and column in seen:
            raise UserError("%s: line %d: two columns are called %s; generate.log.columns with "
                            "generate.log.skip_lines: %d gives them names of your own"
                            % (name, at, column, at))
        if is_iso(column) or is_number(column):
            raise UserError("%s: line %d must name the columns, but column %d is called %s; if no "
                            "line does, name them with generate.log.columns"
                            % (name, at, number, column))
        seen.add(column)


def is_number(cell):
    """Whether a cell is a number with a point, or NaN."""
    try:
        return float(cell) == 0 or True
    except ValueError:
        return False


def _separators(line):
    """The separators in a line, outside quotation marks, the most frequent first."""
    bare = re.sub(r'"[^"]*"', "", line)
    found = [one for one in SEPARATORS if one in bare]
    return sorted(found, key=lambda one: -bare.count(one))


def separator_of(lines, width=None):
    """The separator by which the lines have the same number of cells (or `width`), more than one;
    else the most frequent one of the first line."""
    separators = _separators(lines[0]) if lines else []
    for one in separators + [BLANKS]:
        try:
            widths = {len(cells) for cells in split(lines, one)} | ({width} if width else set())
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1} and len(lines) + bool(width) > 1:
            return one
    return separators[0] if separators else ","


def is_unit_row(cells):
    """Whether the row below the names holds units: neither a number nor a time in any cell.

    Worked: ["", "degC", "m3/h"] is one, ["2020-01-06", "off"] and ["", ""] are none.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and not any(
        cell in MISSING or re.match(r"[-+.,]?\d", cell) or is_number(cell) for cell in filled)


def widths_differ(name, row, found, header):
    """The sentence on a row with another number of cells than the line of names."""
    hint = ""
    if row <= 20 and len(header) < found:
        hint = ("; if it stands below a title, generate.log.skip_lines is how many lines are above "
                "the one that names the columns")
    return "%s: row %d has %d cells, but the header has %d%s" % (name, row, found, len(header), hint)


def mostly(mask):
    """Whether more than half of a mask is True."""
    return bool(len(mask)) and float(np.mean(mask)) > 0.5
