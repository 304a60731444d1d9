"""From rows with times to equally spaced samples: gaps in the time axis become missing samples."""
import numpy as np

from kit.base.cli import UserError
from kit.record.logs import Block

DAY_S = 86400.0

SIZE = 1 << 16  # samples in one block, however long the gap
EPOCH = np.datetime64(0, "us")
UNEVEN_ROWS = 8  # so many successive distances off the interval are another sampling rate


class Timeline:
    """Places the rows of successive blocks on a grid of one sample interval.

    interval_s : seconds between samples; None takes the median of the first block
    longest_gap : missing samples in a row that are allowed
    """

    def __init__(self, interval_s=None, longest_gap=10000):
        self.interval_s = interval_s
        self.longest_gap = longest_gap
        self.gap_samples = 0
        self._last_time, self._last_row = None, -1
        self._uneven = np.zeros(UNEVEN_ROWS - 1, int)

    def place(self, block):
        """Rows (n,) on the grid; UserError for times that are not those of a regular log."""
        if block.time is None:
            rows = self._last_row + 1 + np.arange(len(block.values))
            self._last_row = int(rows[-1])
            return rows
        rows = self._last_row + np.cumsum(self._steps(block))
        self._last_time, self._last_row = block.time[-1], int(rows[-1])
        return rows

    def _steps(self, block):
        """Distances (n,) of the rows from the rows before them, in whole intervals."""
        known = [] if self._last_time is None else [self._last_time]
        times = np.concatenate([np.array(known, "datetime64[us]"), block.time])
        seconds = np.diff(times) / np.timedelta64(1, "s")
        first = block.row + 1 - len(known)  # row of the first distance
        for row in np.flatnonzero(seconds <= 0)[:1]:
            repeats = "" if seconds[row] < -3600 else (
                "; if it is the hour that repeats in autumn, export times in UTC or with their zone")
            self._refuse(block, [first + row], times, (
                "has the same time as the row before it, {time}" if seconds[row] == 0 else
                "has the time {time}, earlier than the row before it: sort the log by time")
                + repeats)
        if self.interval_s is None and len(seconds):
            self.interval_s = float(np.median(seconds))
        ratio = seconds / (self.interval_s or 1.0)
        self._refuse(block, first + np.flatnonzero((ratio <= 0.5) | self._uneven_runs(ratio)),
                     times, "at {time} is not {interval:g} s after the row before it, the sample "
                     "interval: two sampling rates")
        self._refuse(block, first + np.flatnonzero(ratio > self.longest_gap + 1.5), times,
                     "at {time} comes after a gap of more than {gap} samples of {interval:g} s, "
                     "the longest that is filled")
        steps = np.maximum(np.rint(ratio), 1).astype(np.int64)
        self.gap_samples += int((steps - 1).sum())
        return steps if known else np.concatenate([[1], steps])

    def _uneven_runs(self, ratio):
        """True on the last of UNEVEN_ROWS successive distances that are all longer than the
        interval, or all shorter; jitter makes some longer and some shorter."""
        uneven = np.concatenate([self._uneven, np.sign(ratio - 1) * (np.abs(ratio - 1) > 0.25)])
        counts = np.concatenate([[0], np.cumsum(uneven)])
        self._uneven = uneven[len(uneven) - UNEVEN_ROWS + 1:]
        return np.abs(counts[UNEVEN_ROWS:] - counts[:-UNEVEN_ROWS]) == UNEVEN_ROWS

    def _refuse(self, block, rows, times, what):
        if len(rows):
            time = iso(times[rows[0] - block.row + len(times) - len(block.time):][:1])[0]
            raise UserError("%s: row %d " % (block.name, rows[0]) + what.format(
                time=time, interval=self.interval_s, gap=self.longest_gap))


def coarsest(times):
    """Times (n,) in the coarsest of s, ms and us that loses nothing."""
    for unit in ("s", "ms"):
        coarse = times.astype("datetime64[%s]" % unit)
        if (coarse == times).all():
            return coarse
    return times


def iso(times):
    """Times (n,) as ISO 8601 strings in UTC, to the second where they are whole seconds."""
    return np.char.add(np.datetime_as_string(coarsest(times)), "Z")


def equally_spaced(blocks, timeline):
    """Blocks without holes: `row` counts samples from 0, and gaps are filled with missing ones.

    A sample in a gap is part of an event when the rows before and after it are. Without a time
    column the time counts from 1970.
    """
    before = None
    for block in blocks:
        rows = timeline.place(block)
        if block.time is None:
            interval = np.timedelta64(int(round(timeline.interval_s * 1e6)), "us")
            block = block._replace(time=EPOCH + rows * interval)
        if before is None:
            before = (rows[:1] - 1, block.time[:1], block.marks[:1])
        known = [np.concatenate(pair) for pair in zip(before, (rows, block.time, block.marks))]
        for start in range(int(before[0][0]) + 1, int(rows[-1]) + 1, SIZE):
            yield _stretch(block, known, start, min(start + SIZE, int(rows[-1]) + 1))
        before = tuple(column[-1:] for column in known)


def _stretch(block, known, start, stop):
    """The samples [start, stop) as a Block; known: rows, times, marks with those of the row before.
    """
    rows, times, marks = known
    samples = np.arange(start, stop)
    time = np.interp(samples, rows, times.astype(np.int64).astype(float))
    time = np.rint(time).astype(np.int64).astype("datetime64[us]")
    after = np.searchsorted(rows, samples)  # the known row at or after each sample
    held = marks[np.searchsorted(rows, samples, side="right") - 1]
    low, high = np.searchsorted(rows[1:], [start, stop])
    values = np.full((stop - start, block.values.shape[1]), np.nan)
    values[rows[1 + low:1 + high] - start] = block.values[low:high]
    time[rows[1 + low:1 + high] - start] = times[1 + low:1 + high]
    return Block(block.name, start, time, values, np.where(held == marks[after], held, 0))
