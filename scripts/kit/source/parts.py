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
from kit.record.logs import GROUPS, SESSION, Form, form_of, open_log
from kit.record.readings import Tally, joined, prepared, sampled
from kit.record.records import EVENT_COLUMNS, Record, record_writer, write_events
from kit.record.survey import Survey
from kit.record.timeline import Timeline, cut, equally_spaced, iso

PARTS = ("train", "validation", "test")
MOST_CHANNELS = 256  # the scorer keeps a number per pair of channels, and works one per sample
LEAST_SHARE = 0.5  # of the rows: a channel with fewer readings hides what it should show
UNSET = {"ignore_columns": [], "label_column": None, "events": None, "validation_files": [],
         "test_files": [], "longest_gap_samples": None}
UNKNOWN = "unknown"  # kind, channels or severity of an event whose label does not say


class Source(NamedTuple):
    """A log as the section `generate.log` describes it."""

    path: str  # file, or folder of files
    files: list  # paths, in the order of time
    form: Form
    channels: list  # C names
    of_file: dict  # path: names of the channels in it, where each file is a sensor's, else empty
    ignored: list  # names of columns, or of tags, that are left out
    events: pd.DataFrame  # start and end times, kind, channels, severity; empty without a table
    said: list  # sentences on what was decided


def find_files(path, form, events):
    """Paths of the log's files in the order of their first times, by name where there are none."""
    if not os.path.isdir(path):
        return [path]
    names = [name for name in sorted(os.listdir(path))
             if name != events and not name.startswith(".")]
    names = next(filter(None, ([name for name in names if name.lower().endswith(endings)]
                               for endings in GROUPS)), [])
    if not names:
        raise UserError("%s holds no file that ends in %s"
                        % (path, ", ".join(group[0] for group in GROUPS)))
    paths = [os.path.join(path, name) for name in names]
    if form.time == "none" or len(paths) == 1:
        return paths
    first = {file: next(open_log(file, form).times_only()).time for file in paths}
    if any(time is None for time in first.values()):
        return paths
    return sorted(paths, key=lambda file: first[file].min() if form.sort else first[file][0])


def read_source(path, settings):
    """The Source; UserError when its files do not have the same channels."""
    form = form_of(settings)
    check_form(form)
    files = find_files(path, form, settings["events"])
    first = open_log(files[0], form)
    said = []
    if form.time == "auto":  # what the first file has, all have
        next(first.times_only(), None)
        said = first.said
        form = form._replace(time=first.time_kind)
    ignored = list(settings["ignore_columns"])
    logs = [open_log(file, form) for file in files]
    found = {log.name: tags_of(log, ignored, files) if form.tag_column else log.channels(ignored)
             for log in logs}
    of_file = sensors(found) if form.join else {}
    if form.tag_column:
        channels = list(dict.fromkeys(name for names in found.values() for name in names))
    elif form.join:
        channels = [name for names in of_file.values() for name in names]
    else:
        channels = found[files[0]]
        check_same(found, channels)
    check_channels(files[0], channels, first.header)
    for name, _ in form.fill:
        if name not in channels:
            raise UserError("generate.log.fill: %s has no channel %s; its channels are %s"
                            % (path, name, ", ".join(channels)))
    return Source(path, files, form, channels, of_file, ignored,
                  read_event_table(path, settings, form, channels), said)


def check_form(form):
    """UserError for keys of `generate.log` that need one another."""
    for key, other in (("tag_column", "value_column"), ("value_column", "tag_column"),
                       ("quality_column", "good_quality"), ("join", "resample")):
        if getattr(form, key) and not getattr(form, other):
            raise UserError("generate.log.%s needs generate.log.%s" % (key, other))
    if form.resample and form.sample_interval_s not in (None, form.resample):
        raise UserError("generate.log.resample is %g s, but generate.log.sample_interval_s is %g s"
                        % (form.resample, form.sample_interval_s))
    if form.join and (form.tag_column or form.sessions != "gaps"):
        raise UserError("generate.log.join goes neither with tag_column nor with sessions")


def tags_of(log, ignored, files):
    """The sensors of a long table; too many of them are no sensors."""
    tags = [tag for tag in log.tags() if tag not in ignored]
    if not tags:
        raise UserError("%s has no sensor left in column %s" % (log.name, log.form.tag_column))
    return tags


def sensors(found):
    """{path: channels}: where files that are joined name their one column alike, it is called as
    the file."""
    names = [name for channels in found.values() for name in channels]
    if len(set(names)) == len(names):
        return found
    stems = {path: os.path.basename(path).split(".")[0] for path in found}
    for path, channels in found.items():
        if len(channels) != 1 or list(stems.values()).count(stems[path]) > 1:
            raise UserError("%s has a column %s, as another file that is to be joined"
                            % (path, next(name for name in channels if names.count(name) > 1)
                               if any(names.count(name) > 1 for name in channels)
                               else channels[0]))
    return {path: [stem] for path, stem in stems.items()}


def check_same(found, channels):
    """UserError unless every file has the channels of the first."""
    first = next(iter(found))
    for path, names in found.items():
        extra, lacking = set(names) - set(channels), set(channels) - set(names)
        hint = "; files of one sensor each are put side by side by generate.log.join" if (
            len(found) > 1 and len(names) == 1 and extra and lacking) else ""
        if extra:
            raise UserError("%s has a column %s, which %s lacks%s"
                            % (path, sorted(extra)[0], first, hint))
        if lacking:
            raise UserError("%s has no column %s, which %s has"
                            % (path, sorted(lacking)[0], first))


def check_channels(path, channels, header):
    """UserError for channels that cannot be scored."""
    if not channels:
        raise UserError("%s has no column left for a channel; its columns are %s"
                        % (path, ", ".join(filter(None, header))))
    for name in ("time", SESSION):
        if name in channels:
            raise UserError("%s: a channel is called %s, as a column of a record is: rename it, "
                            "or say in generate.log.time%s" % (
                                path, name, " what form of time it is" if name == "time" else
                                " or generate.log.sessions what it is"))
    if len(channels) > MOST_CHANNELS:
        raise UserError("%s has %d channels, more than the %d that can be scored together; leave "
                        "some out with generate.log.ignore_columns"
                        % (path, len(channels), MOST_CHANNELS))


def read_event_table(path, settings, form, channels):
    """The table `generate.log.events` in the log's folder, sorted by time."""
    if not settings["events"]:
        return pd.DataFrame([], columns=EVENT_COLUMNS)
    if settings["label_column"] or form.time == "none" or not os.path.isdir(path):
        raise UserError("generate.log.events names a table in a folder of logs with times, beside "
                        "them and without generate.log.label_column; %s is not such" % path)
    log = open_log(os.path.join(path, settings["events"]), Form(
        form.time, time_zone=form.time_zone, sample_interval_s=form.sample_interval_s))
    start, end = log.column("start"), log.column("end")
    table = []
    for row, columns in log.columns():
        starts = log.column_times(row, columns[start], "start")
        ends = log.column_times(row, columns[end], "end")
        for number, line in enumerate(zip(*columns)):
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
        self.n = self.blanked = self.rows = 0
        self.session, self.lengths = None, []  # samples of each session
        self.known = np.zeros(len(channels), np.int64)
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
        if block.session != self.session:
            self.session = block.session
            self.lengths.append(0)
        self.lengths[-1] += len(values)
        self.rows += int((~np.isnan(values)).any(axis=1).sum())
        self.known += (~np.isnan(values)).sum(axis=0)
        self.low = np.fmin(self.low, np.fmin.reduce(values, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(values, axis=0))
        self.write(Record(block.time, self.channels, values,
                          np.full(len(values), len(self.lengths) - 1)))
        self.n += len(values)
        self.first, self.last = block.time[:1] if self.first is None else self.first, block.time[-1:]

    def check(self, path, window_steps, ignored):
        """UserError for a part that nothing can be learned from; ignored : what is left out already.
        """
        if self.n < 2 * window_steps:
            raise UserError("%s: the %s part has %d samples, fewer than two windows of %d "
                            "(train.window_steps)" % (path, self.name, self.n, window_steps))
        if self.blanked == self.n:
            raise UserError("%s: every row of the %s part lies in an event, so that nothing normal "
                            "is left to learn from" % (path, self.name))
        empty = (self.low > self.high) & self.normal_only
        still = (self.low == self.high) & (self.name == "train")
        named = [(name, "holds no number in any row" if none else "is %g in every row" % low)
                 for name, none, one, low in zip(self.channels, empty, still, self.low)
                 if none or one]
        if named:
            raise UserError("%s: %s of the %s part; leave %s out with generate.log.ignore_columns: "
                            "[%s]" % (path, ", ".join("column %s %s" % one for one in named),
                                      self.name, "it" if len(named) == 1 else "them",
                                      ", ".join(ignored + [name for name, _ in named])))
        sparse = [(name, self.rows / known) for name, known in zip(self.channels, self.known)
                  if known < LEAST_SHARE * self.rows]
        if self.name == "train" and sparse:
            raise UserError("%s: %s of the train part; fill between the readings of slow sensors "
                            "with generate.log.fill: {%s} (or linear), or leave them out with "
                            "generate.log.ignore_columns: [%s]" % (
                                path, ", ".join("column %s has a reading in one of %.3g rows"
                                                % one for one in sparse),
                                ", ".join("%s: hold" % name for name, _ in sparse),
                                ", ".join(ignored + [name for name, _ in sparse])))


class Reader:
    """Equally spaced blocks of some of a source's files, with what was seen on the way.

    longest_gap : samples; a longer hole begins a session
    """

    def __init__(self, source, files, interval_s, longest_gap, task="generate"):
        self.source, self.files, self._task = source, files, task
        self.timeline = Timeline(source.form.resample or interval_s, longest_gap)
        self.survey, self.tally, self.said = Survey(source.channels), Tally(), []

    def blocks(self):
        """Every sample, with the number of its event."""
        source = self.source
        if source.form.join:
            rows = joined([prepared(self._of_file(file, names), source.form, self.tally)
                           for file, names in source.of_file.items() if file in self.files])
            return equally_spaced((mark(block, source.events) for block in rows), self.timeline)
        raw = (mark(block, source.events) for block in self._raw())
        return sampled(raw, source.form, self.timeline, source.channels, self.tally)

    def count(self):
        """How many samples there are: fast where times alone tell."""
        form = self.source.form
        if form.join or form.sort or form.resample or form.tag_column or (
                form.duplicates != "refuse" or form.sessions not in ("gaps", "files")):
            return sum(len(block.values) for block in self.blocks())
        blocks = (block for _, log in self._logs() for block in self._numbered(log.times_only()))
        return sum(len(block.time) for block in equally_spaced(blocks, self.timeline))

    def _logs(self):
        self._session = 0
        for file in self.files:
            log = open_log(file, self.source.form, self._task)
            yield file, log
            self.said += log.said
            self._session += self.source.form.sessions != "gaps" and 1 + self._last

    def _numbered(self, blocks):
        """Blocks whose session counts on from file to file."""
        for block in blocks:
            self._last = block.session
            yield block._replace(session=self._session + block.session)

    def _raw(self):
        for _, log in self._logs():
            blocks = log.blocks(self.source.channels, self.source.ignored)
            for block in self._numbered(self.survey.watch(blocks)):
                yield block

    def _of_file(self, file, names):
        log = open_log(file, self.source.form, self._task)
        survey = Survey(names)
        for block in survey.watch(log.blocks(log.channels(self.source.ignored))):
            yield block
        self.said += log.said + survey.sentences()


def assigned(source, settings):
    """[(parts, files)]: which files are cut into which parts; those that no pattern names are for
    the parts without a pattern, or else for training."""
    chosen = {"validation": settings["validation_files"], "test": settings["test_files"]}
    patterns = {part: found for part, found in chosen.items() if found}
    for found in patterns.values():
        for pattern in found:
            if not any(fnmatch.fnmatch(os.path.basename(file), pattern) for file in source.files):
                raise UserError("%s holds no file %s" % (source.path, pattern))
    rest, of_part = [], {part: [] for part in patterns}
    for file in source.files:
        parts = [part for part, found in patterns.items()
                 if any(fnmatch.fnmatch(os.path.basename(file), one) for one in found)]
        if len(parts) > 1:
            raise UserError("%s is chosen for validation and for the test" % file)
        (of_part[parts[0]] if parts else rest).append(file)
    if not rest:
        raise UserError("%s: no file is left for the train part" % source.path)
    cut_up = [part for part in PARTS if part not in patterns]
    return [(cut_up, rest)] + [([part], files) for part, files in of_part.items()]


def cut_by_shares(source, settings, parts, files, interval_s, longest_gap):
    """(Reader, blocks as (part's name, block)): some files cut in time order into parts."""
    reader = Reader(source, files, interval_s, longest_gap)
    if len(parts) == 1:
        return reader, ((parts[0], block) for block in reader.blocks())
    shares = np.array([settings["shares"][PARTS.index(part)] for part in parts], float)
    n = Reader(source, files, interval_s, longest_gap, "look").count()
    bounds = np.concatenate([[0], np.rint(n * np.cumsum(shares) / shares.sum())]).astype(int)

    def pieces():
        for block in reader.blocks():
            for part, start, stop in zip(parts, bounds, bounds[1:]):
                inside = slice(max(start - block.row, 0), max(stop - block.row, 0))
                if len(block.time[inside]):
                    yield part, cut(block, inside)
    return reader, pieces()


def split(path, settings, window_steps, paths):
    """Write the parts and the events of a log; returns a sentence for each thing to know.

    settings : the section `generate.log`; paths : {"train": path, ..., "events": path}
    """
    settings = dict(UNSET, **settings)
    source = read_source(path, settings)
    interval_s = source.form.sample_interval_s
    if source.form.time == "none" and interval_s is None:
        raise UserError("generate.log.sample_interval_s is null: a log without times needs it")
    longest_gap = settings["longest_gap_samples"]
    longest_gap = window_steps if longest_gap is None else min(longest_gap, window_steps)
    readers = []
    with contextlib.ExitStack() as files:
        parts = {name: Part(name, files.enter_context(record_writer(paths[name])),
                            source.channels, name != "test") for name in PARTS}
        for names, chosen in assigned(source, settings):
            reader, pieces = cut_by_shares(source, settings, names, chosen, interval_s, longest_gap)
            readers.append(reader)
            for name, block in pieces:
                parts[name].add(block)
            interval_s = reader.timeline.interval_s
        check_times(source, parts.values(), readers)
        for part in parts.values():
            part.check(path, window_steps, source.ignored)
        write_events(paths["events"], events_of(parts["test"], source))
    return summary(list(parts.values()), source, readers, window_steps)


def check_times(source, parts, readers):
    """UserError for times that are probably none: in 1970, with most of the axis missing."""
    gaps = sum(reader.timeline.gap_samples for reader in readers)
    early = min(part.first[0] for part in parts if part.n) < np.datetime64("1971-01-01")
    if source.form.time.startswith("epoch") and early and 2 * gaps > sum(part.n for part in parts):
        raise UserError("%s: read as %s the times lie in 1970 with %d samples missing between them: "
                        "generate.log.time is another one, or the column is a counter"
                        % (source.path, source.form.time, gaps))


def events_of(test, source):
    """The event table of the test part."""
    names = EVENT_COLUMNS[2:]
    rows = [(start, end) + (tuple(source.events.loc[number - 1, names]) if len(source.events)
                            else (UNKNOWN,) * len(names)) for start, end, number in test.events]
    return pd.DataFrame(rows, columns=EVENT_COLUMNS)


def summary(parts, source, readers, window_steps):
    """Sentences on what was read, for the terminal."""
    lines = ["%s: %s, a sample every %g s" % (
        source.path, counted(len(source.channels), "channel"), readers[-1].timeline.interval_s)]
    timed = source.form.time != "none"
    lines += ["%s: %s, %s%s%s" % (
        part.name, counted(part.n, "sample"),
        "%s to %s, " % (iso(part.first)[0], iso(part.last)[0]) if timed else "",
        "%d sessions, " % len(part.lengths) if len(part.lengths) > 1 else "",
        counted(len(part.events), "event")) for part in parts]
    gaps = sum(reader.timeline.gap_samples for reader in readers)
    if gaps:
        lines.append("%s of the time axis lie in gaps and count as missing" % counted(gaps, "sample"))
    lines += changed(source.form, [reader.tally for reader in readers])
    blanked = sum(part.blanked for part in parts)
    if blanked:
        lines.append("%d samples of train and validation lie in events and count as missing: "
                     "the model learns from normal operation" % blanked)
    seen = {number for part in parts for _, _, number in part.events}
    if len(source.events) > len(seen):
        lines.append("%d events of the table cover no sample" % (len(source.events) - len(seen)))
    short = sum(length <= window_steps for part in parts for length in part.lengths)
    if short:
        lines.append("%s of them shorter than a window: nothing is learned or detected there"
                     % counted(short, "session"))
    said = [line for reader in readers for line in reader.said + reader.survey.sentences()]
    return lines + list(dict.fromkeys(source.said + said))


def changed(form, tallies):
    """Sentences on rows that were merged and samples that were made."""
    merged, filled, cells = (sum(getattr(tally, name) for tally in tallies)
                             for name in ("merged", "filled", "cells"))
    lines = []
    if merged:
        lines.append("%s with the time of another one, merged (%s)" % (
            counted(merged, "row"), "long table" if form.tag_column else form.duplicates))
    if form.resample:
        lines.append("resampled to %g s by %s: %.3g %% of the values had no reading within the "
                     "interval before them and were filled"
                     % (form.resample, form.resample_by, 100 * filled / max(cells, 1)))
    elif filled:
        lines.append("%d values between the readings of slow channels were filled" % filled)
    return lines
