"""A log of one's own -> the train, validation and test parts, and the events of the test part.

Reads the log in blocks and writes the parts as it goes, so that its length does not matter.
"""
import contextlib
import fnmatch
import os
from typing import NamedTuple

import numpy as np
import pandas as pd

from kit.base.cli import UserError, counted
from kit.record.logs import Layout, open_log
from kit.record.records import EVENT_COLUMNS, Record, record_writer, write_events
from kit.record.timeline import Timeline, equally_spaced, iso

PARTS = ("train", "validation", "test")
MOST_CHANNELS = 256  # the scorer keeps a number per pair of channels, and works one per sample
UNKNOWN = "unknown"  # kind, channels or severity of an event whose label does not say


class Source(NamedTuple):
    """A log as the section `generate.log` describes it."""

    path: str  # CSV file, or folder of CSV files
    files: list  # paths, in the order of time
    layout: Layout
    events: pd.DataFrame  # start and end times, kind, channels, severity; empty without a table


def find_files(path, settings):
    """Paths of the log's files in the order of their first times, by name where there are none."""
    if not os.path.isdir(path):
        return [path]
    names = [name for name in sorted(os.listdir(path))
             if name.lower().endswith(".csv") and name != settings["events"]]
    if not names:
        raise UserError("%s holds no file that ends in .csv" % path)
    paths = [os.path.join(path, name) for name in names]
    if settings["time"] == "none":
        return paths
    return sorted(paths, key=lambda file: next(
        open_log(file).times_only(settings["time"])).time[0])


def read_source(path, settings):
    """The Source; UserError when its files do not have the same channels."""
    files = find_files(path, settings)
    left_out = settings["ignore_columns"] + (
        [settings["label_column"]] if settings["label_column"] else [])
    logs = [open_log(file) for file in files]
    channels = logs[0].channels(settings["time"], left_out)
    if not channels:
        raise UserError("%s has no column left for a channel; its columns are %s"
                        % (files[0], ", ".join(logs[0].header)))
    if "time" in channels:
        raise UserError("%s: a channel is called time, as the times of a record are: rename it, or "
                        "say in generate.log.time what form of time it is" % files[0])
    if len(channels) > MOST_CHANNELS:
        raise UserError("%s has %d channels, more than the %d that can be scored together; leave "
                        "some out with generate.log.ignore_columns"
                        % (files[0], len(channels), MOST_CHANNELS))
    for log in logs[1:]:
        extra = set(log.channels(settings["time"], left_out)) - set(channels)
        if extra:
            raise UserError("%s has a column %s, which %s lacks"
                            % (log.name, sorted(extra)[0], files[0]))
        for name in channels:
            log.column(name)
    layout = Layout(settings["time"], channels, settings["label_column"])
    return Source(path, files, layout, read_event_table(path, settings, channels))


def read_event_table(path, settings, channels):
    """The table `generate.log.events` in the log's folder, sorted by time."""
    if not settings["events"]:
        return pd.DataFrame([], columns=EVENT_COLUMNS)
    if settings["label_column"] or settings["time"] == "none" or not os.path.isdir(path):
        raise UserError("generate.log.events names a table in a folder of logs with times, beside "
                        "them and without generate.log.label_column; %s is not such" % path)
    log = open_log(os.path.join(path, settings["events"]))
    start, end = log.column("start"), log.column("end")
    table = []
    for row, cells in log.rows():
        columns = list(zip(*cells))
        starts = log.times(row, columns[start], "start", settings["time"])
        ends = log.times(row, columns[end], "end", settings["time"])
        for number, line in enumerate(cells):
            named = dict(zip(log.header, line))
            if ends[number] <= starts[number]:
                raise UserError("%s: row %d ends before it starts" % (log.name, row + number))
            for name in named.get("channels", "").split("+"):
                if name not in channels + [""]:
                    raise UserError("%s: row %d, column channels: the log has no channel %s"
                                    % (log.name, row + number, name))
            table.append([starts[number], ends[number]] + [
                named.get(name) or UNKNOWN for name in EVENT_COLUMNS[2:]])
    events = pd.DataFrame(table, columns=EVENT_COLUMNS).sort_values("start", kind="mergesort")
    overlap = np.flatnonzero(events["start"].values[1:] < events["end"].values[:-1])
    if len(overlap):
        raise UserError("%s: the event that starts at %s does so within another one"
                        % (log.name, events["start"].iloc[overlap[0] + 1].isoformat()))
    return events.reset_index(drop=True)


def mark(block, events):
    """The block with the number of its event, from 1, on each row that an event covers."""
    if not len(events):
        return block
    starts, ends = (events[name].values.astype("datetime64[us]") for name in ("start", "end"))
    number = np.searchsorted(starts, block.time, side="right")
    inside = (number > 0) & (block.time < ends[number - 1])
    return block._replace(marks=np.where(inside, number, 0))


def runs(marks):
    """(start, end, mark) of each run of one mark other than 0 in marks (n,), half open."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks, [0]])))
    return [(a, b, marks[a]) for a, b in zip(edges, edges[1:]) if marks[a]]


class Part:
    """One part of the log while it is written.

    write : takes a Record
    normal_only : treat what an event covers as missing
    """

    def __init__(self, name, write, channels, normal_only):
        self.name, self.write, self.channels, self.normal_only = name, write, channels, normal_only
        self.n = self.blanked = 0
        self.first = self.last = None  # times
        self.low = np.full(len(channels), np.inf)
        self.high = np.full(len(channels), -np.inf)
        self.events = []  # [start, end, mark]

    def add(self, block):
        """Append samples that follow those added before."""
        for start, end, number in runs(block.marks):
            if self.events and self.events[-1][1:] == [self.n + start, number]:
                self.events[-1][1] = self.n + end
            else:
                self.events.append([self.n + start, self.n + end, number])
        values = block.values
        if self.normal_only and block.marks.any():
            values = np.where(block.marks[:, None] > 0, np.nan, values)
            self.blanked += int((block.marks > 0).sum())
        self.low = np.fmin(self.low, np.fmin.reduce(values, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(values, axis=0))
        self.write(Record(block.time, self.channels, values))
        self.n += len(values)
        self.first, self.last = block.time[:1] if self.first is None else self.first, block.time[-1:]

    def check(self, path, window_steps):
        """UserError for a part that nothing can be learned from."""
        if self.n < 2 * window_steps:
            raise UserError("%s: the %s part has %d samples, fewer than two windows of %d "
                            "(train.window_steps)" % (path, self.name, self.n, window_steps))
        if self.blanked == self.n:
            raise UserError("%s: every row of the %s part lies in an event, so that nothing normal "
                            "is left to learn from" % (path, self.name))
        for name, low, high in zip(self.channels, self.low, self.high):
            state = "is %g in every row" % low if low == high else "holds no number in any row"
            if low > high and self.normal_only or low == high and self.name == "train":
                raise UserError("%s: column %s %s of the %s part; leave it out with "
                                "generate.log.ignore_columns" % (path, name, state, self.name))


def blocks_of(files, source, timeline, read):
    """Equally spaced blocks of successive files; read: Log -> blocks."""
    blocks = (mark(block, source.events) for file in files
              for block in read(open_log(file, "generate")))
    return equally_spaced(blocks, timeline)


def by_shares(source, settings, timelines, parts):
    """Yield (part, block): the log cut in time order into shares."""
    def times(log):
        return log.times_only(settings["time"])

    shares = np.array(settings["shares"], float)
    n = sum(len(block.time) for block in blocks_of(source.files, source, timelines(), times))
    bounds = np.concatenate([[0], np.rint(n * np.cumsum(shares) / shares.sum())]).astype(int)
    stream = blocks_of(source.files, source, timelines(), lambda log: log.blocks(source.layout))
    for block in stream:
        for part, start, stop in zip(parts, bounds, bounds[1:]):
            inside = slice(max(start - block.row, 0), max(stop - block.row, 0))
            if len(block.time[inside]):
                yield part, block._replace(time=block.time[inside], values=block.values[inside],
                                           marks=block.marks[inside])


def by_files(source, settings, timelines, parts):
    """Yield (part, block): some of the files for validation, some for the test, others to train."""
    chosen = {"validation": settings["validation_files"], "test": settings["test_files"]}
    files = {part: [] for part in PARTS}
    for patterns in chosen.values():
        for pattern in patterns:
            if not any(fnmatch.fnmatch(os.path.basename(file), pattern) for file in source.files):
                raise UserError("%s holds no file %s" % (source.path, pattern))
    for file in source.files:
        for_parts = [part for part, patterns in chosen.items()
                     if any(fnmatch.fnmatch(os.path.basename(file), one) for one in patterns)]
        if len(for_parts) > 1:
            raise UserError("%s is chosen for validation and for the test" % file)
        files[(for_parts or ["train"])[0]].append(file)
    interval_s = settings["sample_interval_s"]
    for part in parts:
        if not files[part.name]:
            raise UserError("%s: no file is left for the %s part" % (source.path, part.name))
        timeline = timelines(interval_s)
        for block in blocks_of(files[part.name], source, timeline,
                               lambda log: log.blocks(source.layout)):
            yield part, block
        interval_s = timeline.interval_s


def split(path, settings, window_steps, paths):
    """Write the parts and the events of a log; returns a sentence for each thing to know.

    settings : the section `generate.log`; paths : {"train": path, ..., "events": path}
    """
    source = read_source(path, settings)
    if settings["time"] == "none" and settings["sample_interval_s"] is None:
        raise UserError("generate.log.sample_interval_s is null: a log without times needs it")
    made = []

    def timelines(interval_s=settings["sample_interval_s"]):
        made.append(Timeline(interval_s, settings["longest_gap_samples"]))
        return made[-1]

    cut = by_files if settings["test_files"] or settings["validation_files"] else by_shares
    with contextlib.ExitStack() as files:
        parts = [Part(name, files.enter_context(record_writer(paths[name])),
                      source.layout.channels, name != "test") for name in PARTS]
        for part, block in cut(source, settings, timelines, parts):
            part.add(block)
        for part in parts:
            part.check(path, window_steps)
        write_events(paths["events"], events_of(parts[-1], source))
    used = made[-len(parts):] if cut is by_files else made[-1:]
    return summary(parts, source, used)


def events_of(test, source):
    """The event table of the test part."""
    names = EVENT_COLUMNS[2:]
    rows = [(start, end) + (tuple(source.events.loc[number - 1, names]) if len(source.events)
                            else (UNKNOWN,) * len(names)) for start, end, number in test.events]
    return pd.DataFrame(rows, columns=EVENT_COLUMNS)


def summary(parts, source, timelines):
    """Sentences on what was read, for the terminal."""
    lines = ["%s: %s, a sample every %g s" % (
        source.path, counted(len(source.layout.channels), "channel"), timelines[-1].interval_s)]
    timed = source.layout.time != "none"
    lines += ["%s: %s, %s%s" % (
        part.name, counted(part.n, "sample"),
        "%s to %s, " % (iso(part.first)[0], iso(part.last)[0]) if timed else "",
        counted(len(part.events), "event")) for part in parts]
    gaps = sum(timeline.gap_samples for timeline in timelines)
    if gaps:
        lines.append("%s of the time axis lie in gaps and count as missing" % counted(gaps, "sample"))
    blanked = sum(part.blanked for part in parts)
    if blanked:
        lines.append("%d samples of train and validation lie in events and count as missing: "
                     "the model learns from normal operation" % blanked)
    seen = {number for part in parts for _, _, number in part.events}
    if len(source.events) > len(seen):
        lines.append("%d events of the table cover no sample" % (len(source.events) - len(seen)))
    return lines
