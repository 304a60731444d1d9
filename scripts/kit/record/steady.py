"""Rows of a clock that may jump: what a detector that must not stop takes as it comes."""
import numpy as np

from kit.record.readings import appended
from kit.record.timeline import cut, iso

CONFIRMED = 3  # rows that agree with one another, and a clock was set


class Steady:
    """Passes the Blocks of a log on, without rows whose times do not follow.

    A row follows when it comes more than half an interval and at most the longest gap after the one
    before. Others wait: when CONFIRMED of them follow one another, the clock was set or the log
    was away, and they begin a session; when a row follows the old ones first, they are dropped.

    timeline : Timeline whose last row counts; bad : function that is told of each dropped row
    """

    def __init__(self, timeline, bad):
        self._timeline, self._bad = timeline, bad
        self._waiting, self._session = [], timeline.session  # Blocks of one row

    def passed(self, block):
        """Yield the Blocks to take of one block."""
        if block.time is None:
            yield block
            return
        if not self._waiting and self._follows(block.time):
            yield block._replace(session=self._session)
            return
        for at in range(len(block.time)):
            for part in self._row(cut(block, slice(at, at + 1))._replace(row=block.row + at)):
                yield part

    def _row(self, row):
        last = self._timeline.last_time
        if last is None or self._near(last, row.time[0]):
            self._drop()
            yield row._replace(session=self._session)
            return
        if self._waiting and not self._near(self._waiting[-1].time[0], row.time[0]):
            self._drop()
        self._waiting.append(row)
        if len(self._waiting) == CONFIRMED:
            self._session += 1
            whole = appended(self._waiting)
            self._waiting = []
            yield whole._replace(session=self._session)

    def _follows(self, times):
        last = self._timeline.last_time
        if last is not None:
            times = np.concatenate([[last], times])
        return bool(self._in_reach(np.diff(times)).all())

    def _near(self, before, after):
        return bool(self._in_reach(after - before))

    def _in_reach(self, steps):
        ratio = steps / np.timedelta64(1, "s") / self._timeline.interval_s
        return (ratio > 0.5) & (ratio <= self._timeline.longest_gap + 1.5)

    def _drop(self):
        for row in self._waiting:
            self._bad("%s: row %d has the time %s, which does not follow the rows before it"
                      % (row.name, row.row, iso(row.time)[0]))
        self._waiting = []

