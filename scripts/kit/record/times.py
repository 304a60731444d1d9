"""From the cells of a time column to UTC: ISO 8601, counts of seconds, patterns, local zones.

Needs numpy and the standard library alone; a zone by name needs `zoneinfo` (Python 3.9) or
`backports.zoneinfo`. Patterns are those of `datetime.strptime`.
"""
import datetime
import itertools
import re

import numpy as np

from kit.base.cli import UserError

EPOCHS = {"epoch_s": 1e6, "epoch_ms": 1e3, "epoch_us": 1.0, "epoch_ns": 1e-3}  # microseconds
NOTATIONS = ("auto", "iso8601") + tuple(EPOCHS) + ("excel", "counter", "none")
EXCEL_ZERO = np.datetime64("1899-12-30", "us")
DAY_US = 86400e6
FIRST_ROWS = 2000  # that `auto` looks at
COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
DATES = ("%Y/%m/%d", "%Y-%m-%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y",
         "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y",
         "%b %d %Y", "%b %d, %Y", "%d/%b/%Y", "%Y%m%d")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H:%M:%S,%f", " %I:%M %p", " %I:%M:%S %p",
          " %I:%M:%S.%f %p", "T%H:%M:%S,%f", "T%H:%M:%S", "T%H:%M", " %H:%M:%S%z", " %H:%M:%S %z",
          ":%H:%M:%S %z", ", %H:%M", ", %H:%M:%S", ", %I:%M:%S %p")
PATTERNS = tuple(map("".join, itertools.product(DATES, CLOCKS))) + ("%a %b %d %H:%M:%S %Y",)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?)"
                  r" ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AaPp][Mm])?")


class Clock:
    """Reads a time column, block by block.

    name, column : what messages call them
    notation : one of NOTATIONS or a pattern; `auto` becomes what fits the first rows
    zone : name of the zone of times without one; None for UTC
    interval_s : seconds that a counter counts
    """

    def __init__(self, name, column, notation, zone=None, interval_s=None):
        self.name, self.column, self.notation = name, column, notation
        self.interval_s = interval_s
        self._zone = Zone(zone) if zone else None
        self._zoned = None  # unknown until the first time
        self._checked = notation in ("iso8601", "none")

    def read(self, row, cells, numbers):
        """datetime64[us] (n,), UTC, of cells from row `row` on.

        cells : n strings, or an array that is datetime64 already
        numbers : function from cells to float64 (n,), NaN where missing
        """
        if getattr(cells, "dtype", np.dtype("O")).kind == "M":
            self.notation = "iso8601"
            return self._placed(np.asarray(cells, "datetime64[us]"), row, cells)
        if not self._checked:
            self._choose(row, cells)
        if self.notation == "iso8601":
            return self._iso(row, cells)
        if "%" in self.notation:
            return self._patterned(row, cells)
        return self._counted(row, cells, numbers(cells))

    def _choose(self, row, cells):
        """Settle `auto`; refuse a count of seconds that is a date in digits."""
        self._checked = True
        first = [str(cell).strip() for cell in cells[:FIRST_ROWS]]
        if self.notation == "auto":
            self.notation = guess(first, self.interval_s)
            if self.notation is None:
                self._refuse(row, cells[0], "is no time of a usual form; generate.log.time_column "
                             "names the column of times, generate.log.time takes a pattern such "
                             "as '%d/%m/%Y %H:%M', or none")
            if isinstance(self.notation, tuple):
                self._refuse(row, cells[0], "may be a day and a month or a month and a day: set "
                             "generate.log.time to '%s' or '%s'" % self.notation)
        elif self.notation in EPOCHS:
            other = self._probably(first)
            if other:
                self._refuse(row, cells[0], "as %s lies in 1970; it looks like %s: set "
                             "generate.log.time" % (self.notation, other))

    def _probably(self, cells):
        """What cells are whose count of seconds leads to 1970; None where that may well be."""
        try:
            found, number = guess(cells), float(cells[0].replace(",", "."))
        except ValueError:
            return None
        if isinstance(found, str) and ("%" in found or found == "excel"):
            return "'%s'" % found if "%" in found else found
        early = abs(number) * EPOCHS[self.notation] < 5 * 365 * DAY_US
        return next((notation for notation, micro in EPOCHS.items()
                     if early and 30 < number * micro / DAY_US / 365 < 70), None)

    def _counted(self, row, cells, numbers):
        if self.notation == "counter":
            if self.interval_s is None:
                raise UserError("generate.log.sample_interval_s is null: a counter needs it")
            micro = numbers * (self.interval_s * 1e6)
        else:
            micro = numbers * EPOCHS.get(self.notation, DAY_US)
        wrong = ~(np.abs(micro) < 1e17)  # the year 5138; NaN too
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            fits = epoch_unit(numbers[at])
            self._refuse(row + at, cells[at], "is not a time in the form %s%s" % (
                self.notation, "; as %s it is %sZ" % (fits, _moment(numbers[at] * EPOCHS[fits]))
                if fits else ""))
        times = np.rint(micro).astype(np.int64).astype("timedelta64[us]")
        if self.notation == "excel":  # a day in float64 is good for a millisecond
            whole = np.rint(times.astype(np.int64) / 1000).astype(np.int64)
            return self._placed(EXCEL_ZERO + whole.astype("timedelta64[ms]"), row, cells)
        return np.datetime64(0, "us") + times

    def _patterned(self, row, cells):
        times, aware = np.empty(len(cells), "datetime64[us]"), False
        for at, cell in enumerate(cells):
            try:
                moment = datetime.datetime.strptime(cell.strip(), self.notation)
                if moment.tzinfo is not None:
                    moment, aware = (moment - moment.utcoffset()).replace(tzinfo=None), True
            except (ValueError, OverflowError, re.error, KeyError, IndexError):
                self._refuse(row + at, cell, "is not a time in the form '%s'%s"
                             % (self.notation, self._hint(cells[at:])))
            times[at] = moment
        return times if aware else self._placed(times, row, cells)

    def _iso(self, row, cells):
        match = _ISO.fullmatch(cells[0])
        zone = match.group(2) or "" if match else ""
        if self._zoned is None:
            self._zoned = bool(zone)
        if match and bool(zone) == self._zoned and all(
                len(cell) == len(cells[0]) and cell.endswith(zone) for cell in cells):
            end = match.end(1)
            try:
                times = np.array([cell[:end] for cell in cells], "datetime64[us]") - offset(zone)
                return times if zone else self._placed(times, row, cells)
            except ValueError:
                pass  # one of them is no time: find it
        times = np.empty(len(cells), "datetime64[us]")
        for number, cell in enumerate(cells):
            match = _ISO.fullmatch(cell.strip())
            try:
                times[number] = np.datetime64(match.group(1), "us") - offset(match.group(2))
            except (ValueError, AttributeError):
                self._refuse(row + number, cell, "is not an ISO 8601 time such as "
                             "2020-01-06T12:30:00Z" + self._hint(cells[number:]))
            if bool(match.group(2)) != self._zoned:
                self._refuse(row + number, cell, "has no zone, but the rows above have one"
                             if self._zoned else "has a zone, but the rows above have none")
        return times if self._zoned else self._placed(times, row, cells)

    def _hint(self, cells):
        """What a cell that does not fit looks like, and the key to set."""
        cells = [cell.strip() for cell in cells[:FIRST_ROWS]]
        found = guess(cells)
        if isinstance(found, tuple):
            return "; it looks like '%s' or '%s' (generate.log.time)" % found
        if found == "epoch_s" and abs(float(cells[0].replace(",", "."))) < 1e8:
            return ""
        if found and found != self.notation:
            return "; it looks like %s (generate.log.time)" % (
                "'%s'" % found if "%" in found else found)
        return ""

    def _placed(self, times, row, cells):
        """Times without a zone as UTC."""
        if self._zone is None:
            return times
        try:
            return self._zone.utc(times)
        except (ValueError, OverflowError):
            self._refuse(row, cells[0], "and the rows after it leave the calendar of a zone")

    def _refuse(self, row, cell, what):
        raise UserError("%s: row %d, column %s: %r %s"
                        % (self.name, row, self.column, cell, what))


class Zone:
    """Local times of a zone -> UTC; the hour that repeats in autumn is told by the order of rows.
    """

    def __init__(self, name):
        self._info, self._last = zone_info(name), None

    def utc(self, times):
        """times : (n,) datetime64[us] of the zone's clocks, in the order of the log."""
        minutes = times.astype("datetime64[m]").astype(np.int64)
        quarters, inverse = np.unique(minutes // 15, return_inverse=True)
        early, late = (np.array([self._offset(quarter * 15, fold) for quarter in quarters])
                       .astype("timedelta64[s]") for fold in (0, 1))
        found = times - early[inverse]
        for at in np.flatnonzero((early > late)[inverse]):
            last = found[at - 1] if at else self._last
            if last is not None and found[at] <= last:
                found[at] = times[at] - late[inverse[at]]
        self._last = found[-1]
        return found

    def _offset(self, minutes, fold):
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(minutes=int(minutes))
        shift = moment.replace(tzinfo=self._info, fold=fold).utcoffset()
        return int(shift.total_seconds())


def zone_info(name):
    """The zone of a name such as Europe/Berlin."""
    try:
        try:
            from zoneinfo import ZoneInfo
        except ImportError:
            from backports.zoneinfo import ZoneInfo
    except ImportError:
        raise UserError("a zone by name needs Python 3.9 or the package backports.zoneinfo")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UserError("generate.log.time_zone: there is no zone %s; a name is such as "
                        "Europe/Berlin" % name)


def guess(cells, interval_s=None):
    """The notation by which every cell is a time; two where day and month may be swapped.

    cells : strings without blanks around them. None where no usual form fits.
    """
    if _ISO.fullmatch(cells[0]):
        return "iso8601"
    try:
        return _numeric_notation(cells, [float(cell.replace(",", ".")) for cell in cells], interval_s)
    except ValueError:
        pass
    fitting = [pattern for pattern in PATTERNS if fits(pattern, cells[:1])]
    fitting = [pattern for pattern in fitting if fits(pattern, cells)]
    return tuple(fitting[:2]) if len(fitting) > 1 else fitting[0] if fitting else None


def fits(pattern, cells):
    """Whether every cell is a time of the pattern."""
    try:
        for cell in cells:
            datetime.datetime.strptime(cell, pattern)
        return True
    except (ValueError, OverflowError):
        return False


def compact_pattern(cells):
    """The pattern of dates written as digits alone, of this century or the last; else None."""
    pattern = COMPACT.get(len(cells[0]))
    if pattern is None or not all(cell.isdigit() and cell[:2] in ("19", "20") for cell in cells):
        return None
    return pattern if fits(pattern, cells) else None


def _numeric_notation(cells, numbers, interval_s):
    pattern = compact_pattern(cells)
    if pattern:
        return pattern
    numbers, steps = np.array(numbers), np.diff(numbers)
    if len(steps) and ((numbers > 25000) & (numbers < 80000)).all() and np.any(
            numbers % 1) and 0 < np.median(np.abs(steps)) < 1:
        return "excel"
    if interval_s and len(steps) and np.abs(numbers[0]) < 1e8 and np.median(
            steps) == 1 and not np.any(numbers % 1):
        return "counter"
    return epoch_unit(numbers[0])


def epoch_unit(number):
    """The coarsest of EPOCHS by which a number lies before the year 5138, or None."""
    return next((notation for notation, micro in EPOCHS.items() if abs(number) * micro < 1e17), None)


def is_clock(cell):
    """Whether a cell is a time of day: 17:24:00."""
    return bool(_CLOCK.fullmatch(cell.strip()))


def is_iso(cell):
    """Whether a cell is a time of ISO 8601."""
    return bool(_ISO.fullmatch(cell))


def offset(zone):
    """timedelta64 of Z, +01:00, +0100 or +01."""
    if not zone or zone in ("Z", "UTC"):
        return np.timedelta64(0, "m")
    minutes = 60 * int(zone[1:3]) + int(zone[3:].lstrip(":") or 0)
    return np.timedelta64(-minutes if zone[0] == "-" else minutes, "m")


def _moment(micro):
    return np.datetime64(int(micro), "us").astype("datetime64[s]")
