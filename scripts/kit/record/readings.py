"""What lies between the rows of a log and equally spaced samples: rows sorted, those of one time
merged, uneven ones resampled, sparse channels filled, files of one sensor each joined.

Every function takes and yields Blocks in the order of time, holds no more than it must, and needs
numpy alone. Times are integers of microseconds inside.
"""
import itertools

import numpy as np

from kit.base.cli import UserError
from kit.record.logs import Block
from kit.record.timeline import cut, equally_spaced, iso

CHUNK = 1 << 14  # samples of a grid made at once


class Tally:
    """Counts of what was changed, for a person to see."""

    def __init__(self):
        self.merged = self.filled = self.cells = 0


def sampled(blocks, form, timeline, channels, tally=None):
    """Equally spaced Blocks of a log's own; channels : C names."""
    tally = tally or Tally()
    spaced = equally_spaced(prepared(blocks, form, tally), timeline)
    methods = {channels.index(name): method for name, method in form.fill if name in channels}
    return filled(spaced, methods, form.longest_fill_samples, tally) if methods else spaced


def prepared(blocks, form, tally):
    """Blocks whose times rise, session by session, as the form asks for."""
    for _, session in itertools.groupby(blocks, lambda block: block.session):
        if form.sort:
            session = in_order(session)
        if form.tag_column or form.duplicates != "refuse":
            session = merged(session, form.duplicates, tally)
        if form.resample:
            session = resampled(session, form.resample, form.resample_by,
                                form.longest_fill_samples, tally)
        for block in session:
            yield block


def in_order(blocks):
    """All rows in the order of their times, as one block; those of one time stay as they came."""
    whole = appended(list(blocks))
    if whole.time is None:
        raise UserError("%s: generate.log.sort needs a column of times" % whole.name)
    order = np.argsort(whole.time, kind="mergesort")
    for start in range(0, len(order), CHUNK):
        yield cut(whole, order[start:start + CHUNK])._replace(row=start + 1)


def merged(blocks, policy, tally):
    """Rows of one time as one row. Where two of them have a reading of one channel, the policy is
    first, last, mean or refuse."""
    kept, count = None, 1
    for block in itertools.chain(blocks, [None]):
        if block is not None and block.time is None:
            raise UserError("%s: generate.log.duplicates and tag_column need a column of times"
                            % block.name)
        whole = appended([part for part in (kept, block) if part is not None])
        steps = np.diff(whole.time).astype(np.int64)
        starts = np.concatenate([[0], np.flatnonzero(steps) + 1])
        if block is not None:  # more rows of the last time may follow
            kept = cut(whole, slice(starts[-1], None))._replace(
                row=whole.row + int(starts[-1]))
            whole, starts = cut(whole, slice(0, starts[-1])), starts[:-1]
        if len(starts):
            found = _merged(whole, starts, policy)._replace(row=count)
            tally.merged += len(whole.time) - len(starts)
            count += len(starts)
            yield found


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


def resampled(blocks, interval_s, method, longest, tally):
    """Rows on whole multiples of an interval since 1970, those without any reading left out.

    method : hold, the last reading; mean, of the readings since the sample before (hold where
        there is none); linear, between the readings before and after
    longest : intervals that a reading is good for
    """
    step = int(round(interval_s * 1e6))
    reach, done, kept = longest * step, None, None
    for block in itertools.chain(blocks, [None]):
        if block is not None and block.time is None:
            raise UserError("%s: generate.log.resample needs a column of times" % block.name)
        kept = appended([part for part in (kept, block) if part is not None])
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
        done = ready if done is None else max(done, ready)
        kept = cut(kept, slice(min(np.searchsorted(times, done * step - reach - step),
                                   len(times) - 1), None))


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


def filled(blocks, methods, longest, tally):
    """Equally spaced Blocks in which some channels are filled between their readings.

    methods : {column: hold or linear}; longest : samples that a reading is good for
    Linear ones need the next reading: blocks come `longest` samples later.
    """
    late = longest if "linear" in methods.values() else 0
    for _, session in itertools.groupby(blocks, lambda block: block.session):
        kept, done = None, None
        for block in itertools.chain(session, [None]):
            kept = appended([part for part in (kept, block) if part is not None])
            rows = kept.row + np.arange(len(kept.values))
            done = kept.row if done is None else done
            stop = max(done, rows[-1] + 1 - (late if block is not None else 0))
            if stop > done:
                yield _filled(kept, rows, done, stop, methods, longest, tally)
            done = stop
            start = max(0, done - longest - kept.row)
            kept = cut(kept, slice(start, None))._replace(row=kept.row + start) if (
                start < len(rows)) else cut(kept, slice(-1, None))._replace(row=int(rows[-1]))


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


def appended(parts):
    """One Block of successive ones, with the name and row of the first."""
    if len(parts) == 1:
        return parts[0]
    time = None if parts[0].time is None else np.concatenate([part.time for part in parts])
    return parts[0]._replace(time=time, values=np.concatenate([part.values for part in parts]),
                             marks=np.concatenate([part.marks for part in parts]))
