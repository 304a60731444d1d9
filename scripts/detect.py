"""Streams a sensor log through a step model and prints alarms as they begin and end.

    sh scripts/run detect --log plant.csv
    sh scripts/run detect --log plant.csv --format jsonl --plot plant.png
    sh scripts/run detect --log plant.csv --follow --bad-rows skip --state plant.state
    logger | python3 scripts/detect.py --log -

In:  a log with the channels that the model was trained on, a time column before them or none
     (docs/your-own-data.md has the formats; --settings names the section `generate.log` of a log
     that needs one), and what convert, evaluate and train made. A detector says with which model and
     scaler it was fitted (`fitted_with`), and others are refused.
Out: one line per change. `start` and `end` count samples from 0, gaps in the time included unless
     they are longer than a window, and the end is the first sample after the alarm; `peak_score` is
     the highest so far, in decades. `event` is begin, end, or open: an alarm that lasts when the
     log ends or the process is stopped (Ctrl-C, SIGTERM, SIGHUP), at `end`.

--bad-rows skip counts and tells what cannot be read, takes it as missing, and goes on; a row whose
time does not follow waits for two that agree with it: then the clock was set, and a session begins.
--follow goes on in a new file when the log is rotated. --state keeps what the detector remembers:
a restart goes on behind the last row that it saw.

On a device: any Python from 3.7 on, numpy, and one of tflite-runtime, ai-edge-litert, tensorflow.
"""
import contextlib
import csv
import itertools
import json
import os
import signal
import sys
import time

import numpy as np

from kit.base.cli import UserError, atomic_path, counted, parser, read_json, run
from kit.detection import memory
from kit.detection.fitted import fitted_with, read_detector
from kit.detection.stream import (
    FIELDS, Envelope, StreamDetector, Watch, check_channels, stem, step_model)
from kit.page.panels import draw, figure_class
from kit.record.files import PIECE_BYTES
from kit.record.logs import Form, form_of, open_log, text_log
from kit.record.readings import Chain, sampled
from kit.record.steady import Steady
from kit.record.timeline import Timeline, cut, equally_spaced
from kit.record.windows import read_scaler
from kit.runtime.verifier import model_file
from kit.tflite.chunk import InPieces

POLL_S = 0.2
SAVED_S = 10  # seconds at most between two states
TOLD = 10  # bad rows that are told one by one


class Stopped(Exception):
    """A signal asked to end."""


class Signals:
    """Ends between two blocks, so that what is saved is whole; at once while it waits for rows."""

    def __init__(self):
        self.caught, self._waits = None, False

    @contextlib.contextmanager
    def heeded(self):
        """Heed SIGINT, SIGTERM and SIGHUP, unless the shell has them ignored."""
        before = {number: signal.getsignal(number)
                  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self._catch)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _catch(self, number, _):
        self.caught = number
        if self._waits:
            raise Stopped

    def check(self):
        if self.caught is not None:
            raise Stopped

    def wait(self, function, *args):
        """What a function returns that may take long."""
        self._waits = True
        try:
            self.check()
            return function(*args)
        finally:
            self._waits = False


class BadRows:
    """Counts rows that cannot be read, and tells the first ones and every doubling."""

    def __init__(self):
        self.count = 0

    def __call__(self, what):
        self.count += 1
        if self.count <= TOLD or self.count & (self.count - 1) == 0:
            print("skipped (%d): %s" % (self.count, what), file=sys.stderr, flush=True)


# ---- where rows come from ----------------------------------------------------------------------

def logs(path, follow, form, signals):
    """Yield the Logs to read one after the other: one, or every file that a followed name becomes.
    """
    if path == "-":
        yield text_log("standard input", iter(
            lambda: signals.wait(os.read, 0, PIECE_BYTES), b""), form)
    elif not follow:
        if not os.path.isfile(path):
            raise UserError("%s: no such file" % path)
        yield open_log(path, form, "detect")
    else:
        header = None
        while True:
            file = opened(path, signals if header else None)
            log = followed(path, file, form, header, signals)
            header = log.header
            yield log


def opened(path, signals):
    """An open file; with signals, as soon as there is one."""
    while True:
        try:
            return open(path, "rb")
        except OSError as error:
            if signals is None or os.path.isdir(path):
                raise UserError("%s: %s" % (path, error.strerror))
            signals.wait(time.sleep, POLL_S)


def followed(path, file, form, header, signals):
    """The Log of a file that grows until it is rotated; one without names has those before it."""
    first = b""
    if header is not None:
        while b"\n" not in first:
            piece = file.read(PIECE_BYTES)
            first += piece
            if not piece:
                signals.wait(time.sleep, POLL_S)
    pieces = itertools.chain([first] if first else [], growing_pieces(path, file, signals))
    if header is None:
        return text_log(path, pieces, form)
    try:
        named = text_log(path, [first], form).header == header
    except UserError:
        named = False
    return text_log(path, pieces, form if named else form._replace(columns=tuple(header)))


def growing_pieces(path, file, signals):
    """Bytes of a file and of what is appended to it, until another one has its name or it is cut.
    """
    with file:
        while True:
            piece = file.read(PIECE_BYTES)
            if piece:
                yield piece
                continue
            there = os.fstat(file.fileno())
            if there.st_size < file.tell():  # copied and emptied
                return
            try:
                rotated = not os.path.samestat(there, os.stat(path))
            except OSError:
                rotated = True
            if rotated:
                rest = file.read()  # written between the two looks
                if rest:
                    yield rest
                return
            signals.wait(time.sleep, POLL_S)


def writer(form, stream):
    """The function that prints one change of an alarm."""
    if form == "jsonl":
        def write(values):
            stream.write(json.dumps(dict(zip(FIELDS, values))) + "\n")
            stream.flush()
        return write
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(FIELDS)
    stream.flush()

    def write_row(values):
        lines.writerow(["" if value is None else value for value in values])
        stream.flush()
    return write_row


def picture(path, watch, envelope, title, names, threshold):
    """Write the picture of what was watched."""
    x = np.arange(envelope.LIMIT) * envelope.size
    if watch.timed:
        known = np.nan_to_num(envelope.low[:, -1])
        x = known.astype(np.int64).astype("datetime64[ms]")
    last = x[~np.isnan(envelope.low[:, -2])][-1:]
    spans = [(start, last[0] if end is None else end) for start, end in watch.spans
             if start is not None]
    with atomic_path(path) as partial:
        draw(partial, title, names + ["score"], envelope.low[:, :-1], envelope.high[:, :-1], x,
             spans, threshold)


# ---- the whole ---------------------------------------------------------------------------------

class Place:
    """How far a log was read, so that a restart goes on behind it."""

    def __init__(self):
        self.row, self.time, self.first = 0, None, None  # of the file's rows; the first one's values

    @property
    def state(self):
        return {"row": self.row, "first": self.first, "time": self.time}

    @state.setter
    def state(self, state):
        self.row, self.first, self.time = state["row"], state["first"], state["time"]

    def new(self, blocks, known):
        """Yield what is new of the Blocks of a file. Where it begins as the one before did, that is
        what comes after the last row; else what is later than the last time."""
        if not known:
            self.row = 0
        skip, begun = self.row if known else 0, not known
        for block in blocks:
            first = [None if block.time is None else str(block.time[0]), repr(block.values[0].tolist())]
            if block.row == 1:
                if known and first != self.first:  # another file
                    skip = 0
                self.first = first
            rows = block.row + np.arange(len(block.values))
            fresh = rows > skip
            if known and not begun and skip == 0 and block.time is not None and self.time is not None:
                fresh &= block.time.astype(np.int64) > self.time
            begun = begun or bool(fresh.any())
            if fresh.any():
                at = int(np.flatnonzero(fresh)[0])
                yield cut(block, slice(at, None))._replace(row=block.row + at)

    def passed(self, block):
        """Remember the block's last row."""
        self.row = block.row + len(block.values) - 1
        if block.time is not None:
            self.time = int(block.time[-1].astype(np.int64))


def settings_of(path):
    """(Form, names of columns to leave out) of a file with the keys of `generate.log`; labels are
    left out too."""
    if path is None:
        return Form(), []
    if path.endswith(".json"):
        found = read_json(path)
    else:
        try:
            from kit.base.params import load_yaml
        except ImportError:
            raise UserError("%s: YAML needs the package pyyaml; give the same as .json" % path)
        found = load_yaml(path)
    for key in ("generate", "log"):
        found = found.get(key, found) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise UserError("%s has no section generate.log" % path)
    label = found.get("label_column")
    form = form_of(dict(found, label_column=None, join=False))
    return form, list(found.get("ignore_columns") or []) + ([label] if label else [])


def chained(form):
    """Whether rows need more than a place on the time axis."""
    return bool(form.sort or form.duplicates != "refuse" or form.resample or form.fill
                or form.tag_column)


def detect(args, scaler, model, fitted, signals, bad):
    """Read, score and write until the log ends or a signal comes."""
    form, ignored = settings_of(args.settings)
    timeline = Timeline(form.resample or fitted["interval_s"], fitted["warm_up_samples"], not bad)
    detector, place = StreamDetector(model, scaler, fitted), Place()
    names = list(scaler.channels)
    envelope = Envelope(len(names) + 2) if args.plot else None
    watch = Watch(detector, writer(args.format, sys.stdout), True, envelope)
    parts = {"detector": detector, "timeline": timeline, "watch": watch, "place": place}
    if chained(form):
        parts["chain"] = Chain(goes_on=bool(args.state) or args.follow)
    files = (args.model, args.detector, args.scaler)
    if form.sort and (args.state or args.follow):
        raise UserError("generate.log.sort takes no %s: any row still to come may be the earliest, "
                        "so nothing could be scored before the log ends"
                        % ("--state" if args.state else "--follow"))
    known = bool(args.state) and os.path.exists(args.state)
    if known:
        memory.load(args.state, parts, files)
    steady, saved = Steady(timeline, bad), [time.monotonic()]

    def save():
        if args.state:
            memory.save(args.state, parts, files)
        watch.changed, saved[0] = False, time.monotonic()

    def new(blocks):
        """What is new of a log; between two blocks all that came of those before has been scored."""
        for block in place.new(blocks, known):
            yield block
            place.passed(block)
            if watch.changed or time.monotonic() - saved[0] > SAVED_S:
                save()
            signals.check()

    def spaced(blocks):
        """Equally spaced Blocks of a log's own."""
        if chained(form):
            return sampled(blocks, form, timeline, names, chain=parts["chain"])
        steadied = (part for block in blocks for part in (steady.passed(block) if bad else [block]))
        return equally_spaced(steadied, timeline)

    try:
        for log in logs(args.log, args.follow, form, signals):
            log.bad = bad
            check_channels(log, names, args.ignore + [
                name for name in ignored if name in log.header])
            watch.timed = log.form.time != "none"
            for block in spaced(new(log.blocks(names, ignored + args.ignore))):
                watch.take(block)
            known = False
    except Stopped:
        pass
    finally:
        save()
        watch.finish()
        if args.plot:
            picture(args.plot, watch, envelope, "%s: %s at %s, threshold %.3g" % (
                os.path.basename(args.log), counted(len(watch.spans), "alarm"), stem(args.model),
                fitted["threshold"]), names, fitted["threshold"])


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--log", required=True, help="CSV file, or - for standard input")
    p.add_argument("--model", default="models/convert/step_int8.tflite",
                           help="model of the step form (default: %(default)s)")
    p.add_argument("--detector", default="reports/evaluate/detectors.json",
                           help="fitted detectors, as evaluate writes them (default: %(default)s)")
    p.add_argument("--scaler", default="models/train/scaler.json",
                           help="scaler, as train writes it (default: %(default)s)")
    p.add_argument("--follow", action="store_true",
                           help="wait for rows that are appended to the file, until Ctrl-C")
    p.add_argument("--ignore", action="append", default=[], metavar="COLUMN",
                           help="a column to leave out; may be given again")
    p.add_argument("--format", choices=["csv", "jsonl"], default="csv",
                           help="lines to print (default: %(default)s)")
    p.add_argument("--plot", metavar="PNG", help="picture to write at the end")
    p.add_argument("--settings", metavar="FILE", help="params.yaml, or its section generate.log as "
                   ".yaml or .json, where the log needs one")
    p.add_argument("--bad-rows", choices=["stop", "skip"], default="stop",
                   help="end at a row that cannot be read, or take it as missing and go on "
                   "(default: %(default)s)")
    p.add_argument("--state", metavar="FILE", help="what the detector remembers: saved every few "
                   "seconds and at the end, and taken up at the start")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if args.plot:
        figure_class()  # better now than after hours
    for path in (args.model, args.detector, args.scaler):
        if not os.path.exists(path):
            raise UserError("%s: No such file; `make evaluate` makes it, or `dvc pull` gets it" % path)
    scaler = read_scaler(args.scaler)
    model = InPieces(step_model(args.model), model_file(args.model)[0])  # many samples a call
    fitted = read_detector(
        args.detector, stem(args.model), len(scaler.channels), fitted_with(args.model, scaler))
    signals, bad = Signals(), BadRows() if args.bad_rows == "skip" else None
    with signals.heeded():
        detect(args, scaler, model, fitted, signals, bad)
    if bad and bad.count:
        print("%s skipped" % counted(bad.count, "row"), file=sys.stderr)
    if signals.caught is not None:
        sys.exit(128 + signals.caught)


if __name__ == "__main__":
    run(main)
