"""From rows with times to equally spaced samples: gaps in the time axis become missing samples,
long ones begin a new session."""
import numpy as np

from kit.base.cli import UserError
from kit.record.logs import Block

DAY_S = 86400.0

SIZE = 1 << 16  # samples in one block, however long the gap
EPOCH = np.datetime64(0, "us")
UNEVEN_ROWS = 8  # so many successive distances off the interval are another sampling rate
LONGEST_GAP = 50  # samples; generate and detect take the length of a window


class Timeline:
    """Places the rows of successive blocks on a grid of one sample interval.

    interval_s : seconds between samples; None takes the median of the first block
    longest_gap : missing samples in a row that are filled in; after a longer hole, and where the
        blocks' own session changes, a new session begins on the next sample
    strict : whether another sampling rate is refused
    """

    def __init__(self, interval_s=None, longest_gap=LONGEST_GAP, strict=True):
        self.interval_s, self.strict = interval_s, strict
        self.longest_gap = longest_gap
        self.gap_samples = self.sessions = 0
        self._last_time, self._last_row, self._session, self._last_mark = None, -1, None, 0
        self._uneven = np.zeros(UNEVEN_ROWS - 1, int)

    @property
    def last_time(self):
        """Of the last row, datetime64[us]; None before the first of a session."""
        return self._last_time

    @property
    def session(self):
        """Number that the last block gave its session."""
        return self._session or 0

    @property
    def state(self):
        """All that is remembered from one block to the next, as plain values and arrays."""
        return {"last_time": None if self._last_time is None else int(
                    np.int64(np.datetime64(self._last_time, "us").astype(np.int64))),
                "last_row": self._last_row, "last_mark": int(self._last_mark),
                "sessions": self.sessions, "gap_samples": self.gap_samples,
                "session": self._session, "uneven": np.array(self._uneven, float)}

    @state.setter
    def state(self, state):
        time = state["last_time"]
        self._last_time = None if time is None else np.datetime64(int(time), "us")
        self._last_row, self._last_mark = int(state["last_row"]), int(state["last_mark"])
        self.sessions, self.gap_samples = int(state["sessions"]), int(state["gap_samples"])
        self._session = state["session"]
        self._uneven = np.array(state["uneven"], float)

    def spaced(self, block):
        """Yield the Blocks of equally spaced samples up to a block's last row, see `equally_spaced`.
        """
        before = [np.array([self._last_row]), np.array([self._last_time], "datetime64[us]"),
                  np.array([self._last_mark])]
        rows, begins = self.place(block)
        if block.time is None:
            interval = np.timedelta64(int(round(self.interval_s * 1e6)), "us")
            block = block._replace(time=EPOCH + rows * interval)
            self._last_time = block.time[-1]
        self._last_mark = block.marks[-1]
        session = self.sessions - 1 - int(begins.sum())
        edges = [0] + [at for at in np.flatnonzero(begins) if at] + [len(rows)]
        for a, b in zip(edges, edges[1:]):
            part = cut(block, slice(a, b))
            if begins[a]:
                before, session = None, session + 1
            if before is None:
                before = (rows[a:a + 1] - 1, part.time[:1], part.marks[:1])
            known = [np.concatenate(pair) for pair in zip(before, (rows[a:b], part.time, part.marks))]
            for start in range(int(before[0][0]) + 1, int(rows[b - 1]) + 1, SIZE):
                yield _stretch(part, known, start, min(start + SIZE, int(rows[b - 1]) + 1))._replace(
                    session=session)

    def place(self, block):
        """(rows on the grid, whether a session begins there), (n,) each; UserError for times that
        are not those of a regular log."""
        fresh = block.session != self._session  # the first session is one too
        self._session = block.session
        if fresh:
            self._last_time = None
        if block.time is None:
            steps, begins = np.ones(len(block.values), np.int64), np.zeros(len(block.values), bool)
        else:
            steps, begins = self._steps(block)
            self._last_time = block.time[-1]
        begins[0] |= fresh
        rows = self._last_row + np.cumsum(steps)
        self._last_row = int(rows[-1])
        self.sessions += int(begins.sum())
        return rows, begins

    def _steps(self, block):
        """Distances (n,) of the rows from the rows before them, in whole intervals, and where a
        hole is too long to be filled."""
        known = [] if self._last_time is None else [self._last_time]
        times = np.concatenate([np.array(known, "datetime64[us]"), block.time])
        micro = np.diff(times.astype(np.int64))
        if self.interval_s and (micro == self.interval_s * 1e6).all():  # usual, and soon told
            self._uneven = np.concatenate([self._uneven, np.zeros(len(micro))])[1 - UNEVEN_ROWS:]
            return np.ones(len(block.time), np.int64), np.zeros(len(block.time), bool)
        seconds = micro / 1e6
        first = block.row + 1 - len(known)  # row of the first distance
        for row in np.flatnonzero(seconds <= 0)[:1]:
            self._refuse(block, [first + row], times, backwards(
                seconds, row, self.interval_s, first + row == 1))
        if self.interval_s is None and len(seconds):
            self.interval_s = float(np.median(seconds))
        ratio = seconds / (self.interval_s or 1.0)
        begins = ratio > self.longest_gap + 1.5
        ratio[begins] = 1.0
        off = (ratio <= 0.5) | self._uneven_runs(ratio)
        self._refuse(block, first + np.flatnonzero(off & self.strict),
                     times, "at {time} is not {interval:g} s after the row before it, the sample "
                     "interval: two sampling rates; generate.log.resample brings an uneven log to "
                     "one interval")
        steps = np.maximum(np.rint(ratio), 1).astype(np.int64)
        self.gap_samples += int((steps - 1).sum())
        if known:
            return steps, begins
        return np.concatenate([[1], steps]), np.concatenate([[False], begins])

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
                time=time, interval=self.interval_s))


def backwards(seconds, at, interval_s, new_file):
    """What is wrong with the distance number `at`, which is not positive, and the key to set."""
    if new_file:
        return ("has the time {time}, no later than the last one of the file before: where files "
                "are recordings of their own, set generate.log.sessions to files; where they hold "
                "the same rows, set generate.log.sort and duplicates")
    back = -seconds[at]
    if back == 0:
        hourly = interval_s in (3600, 1800) or np.median(seconds) in (3600, 1800)
        return ("has the same time as the row before it, {time}: set generate.log.duplicates to "
                "first, last or mean; where a row is one reading of one sensor, set "
                "generate.log.tag_column and value_column" + (
                    "; if it is the hour that repeats in autumn, set generate.log.time_zone"
                    if hourly else ""))
    if (seconds <= 0).all() and len(seconds) > 1:
        return ("has the time {time}, earlier than the row before it: the newest row comes first; "
                "set generate.log.sort to true")
    if back <= 3600:
        return ("has the time {time}, earlier than the row before it: set generate.log.sort to "
                "true; if it is the hour that repeats in autumn, set generate.log.time_zone, such "
                "as Europe/Berlin, instead")
    return ("has the time {time}, earlier than the row before it: sort the log by time, or set "
            "generate.log.sort to true; where files are recordings of their own, set "
            "generate.log.sessions to files")


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

    `session` counts from 0; the samples of one are unbroken, and no block has samples of two.
    A sample in a gap is part of an event when the rows before and after it are. Without a time
    column the time counts from 1970.
    """
    for block in blocks:
        for stretch in timeline.spaced(block):
            yield stretch


def cut(block, rows):
    """The block with some of its rows: a slice or a mask."""
    return block._replace(time=None if block.time is None else block.time[rows],
                          values=block.values[rows], marks=block.marks[rows])


def _stretch(block, known, start, stop):
    """The samples [start, stop) as a Block; known: rows, times, marks with those of the row before.
    """
    rows, times, marks = known
    if stop - start == len(block.values) == len(rows) - 1 and rows[1] == start:  # there is no hole
        return block._replace(row=start)
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
