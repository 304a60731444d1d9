"""What lies between the rows of a log and equally spaced samples: rows sorted, those of one time
merged, uneven ones resampled, sparse channels filled, files of one sensor each joined.

Every function takes and yields Blocks in the order of time, holds no more than it must, and needs
numpy alone. Times are integers of microseconds inside.
"""
import numpy as np

from kit.base.cli import UserError
from kit.record.logs import Block
from kit.record.timeline import cut, equally_spaced, iso

CHUNK = 1 << 14  # samples of a grid made at once


class Tally:
    """Counts of what was changed, for a person to see."""

    def __init__(self):
        self.merged = self.filled = self.cells = 0


class Pending:
    """What one step between log and samples keeps of the rows before, and how far it is."""

    def __init__(self, session=None):
        self.session, self.goes_on = session, False
        self.block = self.number = None

    def ends(self, blocks):
        """The Blocks, then None: no more will come, and nothing need wait. Without None where the
        log goes on."""
        for block in blocks:
            yield block
        if not self.goes_on:
            yield None


class Chain:
    """The Pending of every step, so that a log that is read in pieces gives the samples of the whole.

    goes_on : whether the end of what there is to read is not the end of the log
    """

    def __init__(self, goes_on=False):
        self.goes_on, self._steps = goes_on, {}

    def each(self, step, blocks, function):
        """Yield what a step makes of the Blocks of each session: function(Blocks, Pending)."""
        blocks = iter(blocks)
        head = next(blocks, None)
        while head is not None:
            pending = self._steps.get(step, Pending(head.session))
            self._steps[step], after = pending, []
            for block in function(self._session(head, blocks, pending, after), pending):
                yield block
            head = after[0]
            if not pending.goes_on:
                del self._steps[step]

    def _session(self, block, blocks, pending, after):
        """The Blocks of the session that is pending; puts the first one of another in `after`."""
        while block is not None and block.session == pending.session:
            yield block
            block = next(blocks, None)
        pending.goes_on = block is None and self.goes_on
        after.append(block)

    @property
    def state(self):
        """All that waits, as plain values and arrays."""
        return {step: {"session": pending.session, "number": pending.number,
                       "block": None if pending.block is None else list(pending.block)}
                for step, pending in self._steps.items()}

    @state.setter
    def state(self, state):
        self._steps = {}
        for step, held in state.items():
            pending = self._steps[step] = Pending(held["session"])
            pending.number = held["number"]
            pending.block = None if held["block"] is None else Block(*held["block"])


def sampled(blocks, form, timeline, channels, tally=None, chain=None):
    """Equally spaced Blocks of a log's own; channels : C names; chain : of a log in pieces."""
    tally, chain = tally or Tally(), chain or Chain()
    spaced = equally_spaced(prepared(blocks, form, tally, chain), timeline)
    methods = {channels.index(name): method for name, method in form.fill if name in channels}
    return filled(spaced, methods, form.longest_fill_samples, tally, chain) if methods else spaced


def prepared(blocks, form, tally, chain=None):
    """Blocks whose times rise, session by session, as the form asks for."""
    chain = chain or Chain()
    if form.sort:
        blocks = chain.each("sort", blocks, lambda session, _: in_order(session))
    if form.tag_column or form.duplicates != "refuse":
        blocks = chain.each("merge", blocks, lambda session, pending: merged(
            session, form.duplicates, tally, pending))
    if form.resample:
        blocks = chain.each("resample", blocks, lambda session, pending: resampled(
            session, form.resample, form.resample_by, form.longest_fill_samples, tally, pending))
    return blocks


def in_order(blocks):
    """All rows in the order of their times, as one block; those of one time stay as they came."""
    whole = appended(list(blocks))
    if whole.time is None:
        raise UserError("%s: generate.log.sort needs a column of times" % whole.name)
    order = np.argsort(whole.time, kind="mergesort")
    for start in range(0, len(order), CHUNK):
        yield cut(whole, order[start:start + CHUNK])._replace(row=start + 1)


def merged(blocks, policy, tally, pending):
    """Rows of one time as one row. Where two of them have a reading of one channel, the policy is
    first, last, mean or refuse."""
    for block in pending.ends(blocks):
        if block is not None and block.time is None:
            raise UserError("%s: generate.log.duplicates and tag_column need a column of times"
                            % block.name)
        whole, count = with_pending(pending, block), pending.number or 1
        steps = np.diff(whole.time).astype(np.int64)
        starts = np.concatenate([[0], np.flatnonzero(steps) + 1])
        if block is not None:  # more rows of the last time may follow
            pending.block = cut(whole, slice(starts[-1], None))._replace(
                row=whole.row + int(starts[-1]))
            whole, starts = cut(whole, slice(0, starts[-1])), starts[:-1]
        if len(starts):
            pending.number = count + len(starts)
            tally.merged += len(whole.time) - len(starts)
            yield _merged(whole, starts, policy)._replace(row=count)


def _merged(block, starts, policy):
    if len(starts) == len(block.time):
        return block
    known = ~np.isnan(block.values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)  # (groups, C)
    if policy == "refuse" and (counts > 1).any():
        group, channel = np.argwhere(counts > 1)[0]
        at = starts[group] + np.flatnonzero(known[starts[group]:, channel])[1]
        raise UserError("%s: row %d is the second reading of a channel at %s: set "
                        "generate.log.duplicates to first, last or mean"
                        % (block.name, block.row + at, iso(block.time[at:at + 1])[0]))
    if policy == "mean":
        sums = np.add.reduceat(np.where(known, block.values, 0), starts, axis=0)
        with np.errstate(invalid="ignore"):
            values = sums / counts
    else:
        rows = np.arange(len(known))[:, None]
        first = policy == "first"
        at = (np.minimum if first else np.maximum).reduceat(
            np.where(known, rows, len(known) if first else -1), starts, axis=0)
        values = np.take_along_axis(block.values, at.clip(0, len(known) - 1), axis=0)
    values[counts == 0] = np.nan
    return block._replace(time=block.time[starts], values=values,
                          marks=np.maximum.reduceat(block.marks, starts))


def resampled(blocks, interval_s, method, longest, tally, pending):
    """Rows on whole multiples of an interval since 1970, those without any reading left out.

    method : hold, the last reading; mean, of the readings since the sample before (hold where
        there is none); linear, between the readings before and after
    longest : intervals that a reading is good for
    """
    step = int(round(interval_s * 1e6))
    reach = longest * step
    for block in pending.ends(blocks):
        if block is not None and block.time is None:
            raise UserError("%s: generate.log.resample needs a column of times" % block.name)
        kept, done = with_pending(pending, block), pending.number
        times = kept.time.astype(np.int64)
        _refuse_backwards(kept, times)
        last = times[-1]
        ready = last // step if method != "linear" else (last - reach) // step
        if block is None:
            ready = last // step if method == "linear" else -(-last // step)
        for first, stop in _stretches(times, step, reach, done, ready):
            for start in range(first, stop, CHUNK):
                grid = np.arange(start, min(start + CHUNK, stop)) * step
                found = _on_grid(kept, times, grid, step, method, reach, tally)
                if len(found.time):
                    yield found
        done = int(ready if done is None else max(done, ready))
        pending.number, pending.block = done, cut(kept, slice(min(np.searchsorted(
            times, done * step - reach - step), len(times) - 1), None))


def _stretches(times, step, reach, done, ready):
    """Ranges [first, stop) of grid numbers after `done`, up to `ready`, within reach of a row."""
    holes = np.flatnonzero(np.diff(times) > reach + step)
    begins = -(-times[np.concatenate([[0], holes + 1])] // step)
    ends = (times[np.concatenate([holes, [len(times) - 1]])] + reach) // step + 1
    for begin, end in zip(begins, ends):
        begin = begin if done is None else max(begin, done + 1)
        end = min(end, ready + 1)
        if begin < end:
            yield int(begin), int(end)


def _on_grid(block, times, grid, step, method, reach, tally):
    """The Block of the samples on a grid that have a reading."""
    values = np.empty((len(grid), block.values.shape[1]))
    for channel in range(values.shape[1]):
        known = ~np.isnan(block.values[:, channel])
        readings = block.values[known, channel]
        values[:, channel] = between(times[known], readings, grid, method, reach, step)
        fresh = _counts(times[known], grid, step) > 0
        tally.filled += int((~fresh & ~np.isnan(values[:, channel])).sum())
    tally.cells += values.size
    a, b = (np.searchsorted(times, edge, side="right") for edge in (grid - step, grid))
    marks = np.maximum.reduceat(np.append(block.marks, 0), np.stack([a, b], 1).ravel())[::2]
    marks = np.where(b > a, marks, block.marks[np.maximum(b - 1, 0)])
    there = ~np.isnan(values).all(axis=1)
    return Block(block.name, block.row, grid[there].astype("datetime64[us]"), values[there],
                 marks[there])


def _counts(times, grid, step):
    """How many times lie in (sample before, sample] of each sample of a grid."""
    return (np.searchsorted(times, grid, side="right")
            - np.searchsorted(times, grid - step, side="right"))


def between(times, readings, grid, method, reach, step=1):
    """Values (m,) on a grid from readings (n,) at rising times; NaN beyond reach.

    Worked: readings 1 and 3 at 0 and 4, on 0 to 4: hold is 1 1 1 1 3, linear 1 1.5 2 2.5 3.
    """
    if not len(times):
        return np.full(len(grid), np.nan)
    at = np.searchsorted(times, grid, side="right") - 1
    before = at.clip(0)
    good = (at >= 0) & (grid - times[before] <= reach)
    values = np.where(good, readings[before], np.nan)
    if method == "linear":
        after = np.minimum(before + 1, len(times) - 1)
        distance = np.maximum(times[after] - times[before], 1)
        share = (grid - times[before]) / distance
        exact = good & (grid == times[before])
        good &= (after > before) & (distance <= reach)
        values = np.where(exact, readings[before], np.where(
            good, readings[before] * (1 - share) + readings[after] * share, np.nan))
    if method == "mean":
        counts = _counts(times, grid, step)
        some = counts > 0
        if some.any():
            edges = np.stack([at + 1 - counts, at + 1], 1)[some].ravel()
            sums = np.add.reduceat(np.append(readings, 0.0), edges)[::2]
            values[some] = sums / counts[some]
    return values


def _refuse_backwards(block, times):
    wrong = np.flatnonzero(np.diff(times) < 0)
    if len(wrong):
        raise UserError("%s: the row at %s is earlier than the row before it: set "
                        "generate.log.sort to true"
                        % (block.name, iso(block.time[wrong[0] + 1:][:1])[0]))


def filled(blocks, methods, longest, tally, chain=None):
    """Equally spaced Blocks in which some channels are filled between their readings.

    methods : {column: hold or linear}; longest : samples that a reading is good for
    Linear ones need the next reading: blocks come `longest` samples later.
    """
    return (chain or Chain()).each("fill", blocks, lambda session, pending: _session_filled(
        session, methods, longest, tally, pending))


def _session_filled(blocks, methods, longest, tally, pending):
    late = longest if "linear" in methods.values() else 0
    for block in pending.ends(blocks):
        kept = with_pending(pending, block)
        rows = kept.row + np.arange(len(kept.values))
        done = kept.row if pending.number is None else pending.number
        stop = int(max(done, rows[-1] + 1 - (late if block is not None else 0)))
        if stop > done:
            yield _filled(kept, rows, done, stop, methods, longest, tally)
        start = min(max(0, stop - longest - kept.row), len(rows) - 1)
        pending.number, pending.block = stop, cut(kept, slice(start, None))._replace(
            row=kept.row + start)


def _filled(block, rows, start, stop, methods, longest, tally):
    inside = slice(start - block.row, stop - block.row)
    values = block.values[inside].copy()
    for column, method in methods.items():
        known = ~np.isnan(block.values[:, column])
        found = between(rows[known], block.values[known, column], rows[inside], method, longest)
        tally.filled += int((np.isnan(values[:, column]) & ~np.isnan(found)).sum())
        values[:, column] = found
    tally.cells += values.size
    return cut(block, inside)._replace(row=start, values=values)


def joined(streams):
    """Blocks of all channels from streams of Blocks on one grid, each with some of the channels.
    """
    streams = [iter(stream) for stream in streams]
    heads = [next(stream, None) for stream in streams]
    widths = [head.values.shape[1] for head in heads if head is not None]
    edges = np.concatenate([[0], np.cumsum(widths)])
    while any(head is not None for head in heads):
        until = min(head.time[-1] for head in heads if head is not None)
        now = [None if head is None else cut(head, head.time <= until) for head in heads]
        there = [number for number, part in enumerate(now) if part is not None and len(part.time)]
        time = np.unique(np.concatenate([now[number].time for number in there]))
        values, marks = np.full((len(time), edges[-1]), np.nan), np.zeros(len(time), np.int64)
        for number in there:
            at = np.searchsorted(time, now[number].time)
            values[at, edges[number]:edges[number + 1]] = now[number].values
            marks[at] = np.maximum(marks[at], now[number].marks)
        yield Block(now[there[0]].name, now[there[0]].row, time, values, marks)
        for number, head in enumerate(heads):
            if head is not None:
                rest = cut(head, head.time > until)
                heads[number] = rest if len(rest.time) else next(streams[number], None)


def with_pending(pending, block):
    """The rows that are kept, and those of a Block behind them; it may be None."""
    return appended([part for part in (pending.block, block) if part is not None])


def appended(parts):
    """One Block of successive ones, with the name and row of the first."""
    if len(parts) == 1:
        return parts[0]
    time = None if parts[0].time is None else np.concatenate([part.time for part in parts])
    return parts[0]._replace(time=time, values=np.concatenate([part.values for part in parts]),
                             marks=np.concatenate([part.marks for part in parts]))
