"""Streams a sensor log through a step model and prints alarms as they begin and end.

    sh scripts/run detect --log plant.csv
    sh scripts/run detect --log plant.csv --format jsonl --plot plant.png
    sh scripts/run detect --log plant.csv --follow
    logger | python3 scripts/detect.py --log -

In:  a CSV log with the channels that the model was trained on, a time column before them or none
     (docs/your-own-data.md has the dialects), and what convert, evaluate and train made.
Out: one line per change. `start` and `end` count samples from 0, gaps in the time included, and
     the end is the first sample after the alarm; `peak_score` is the highest so far, in decades.
     `event` is begin, end, or open: an alarm that lasts when the log ends, at `end`.

On a device: any Python from 3.7 on, numpy, and one of tflite-runtime, ai-edge-litert, tensorflow.
"""
import csv
import json
import os
import sys
import time

import numpy as np

from kit.base.cli import UserError, atomic_path, parser, run
from kit.detection.fitted import read_detector
from kit.detection.stream import Alarms, Envelope, StreamDetector
from kit.record.files import PIECE_BYTES, shown_pieces
from kit.record.logs import SESSION, text_log
from kit.record.timeline import Timeline, equally_spaced, iso
from kit.record.windows import read_scaler
from kit.runtime.forms import FORMS
from kit.runtime.interpreter import Model

FIELDS = ["event", "start", "end", "time", "peak_score"]
POLL_S = 0.2


def pieces_of(path, follow):
    """Bytes of a file, of standard input (-) as they arrive, or of a file that grows."""
    if path == "-":
        return iter(lambda: os.read(0, PIECE_BYTES), b"")
    if follow:
        return growing_pieces(path)
    if not os.path.isfile(path):
        raise UserError("%s: no such file" % path)
    return shown_pieces(path, "detect")


def growing_pieces(path):
    """Bytes of a file and of what is appended to it, without an end."""
    try:
        with open(path, "rb") as file:
            while True:
                piece = file.read(PIECE_BYTES)
                if piece:
                    yield piece
                elif os.fstat(file.fileno()).st_size < file.tell():
                    raise UserError("%s became shorter while it was followed" % path)
                elif not (os.path.exists(path) and os.path.samestat(os.fstat(file.fileno()), os.stat(path))):
                    raise UserError("%s was moved or removed while it was followed" % path)
                else:
                    time.sleep(POLL_S)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))


def check_channels(log, channels, ignored):
    """UserError naming where a log's channels are not the model's."""
    if log.header[0] in channels and log.form.time == "auto" and not log.form.time_column:
        log.form = log.form._replace(time="none")
    if SESSION in log.header and SESSION not in channels:  # a record as `generate` writes it
        log.form = log.form._replace(sessions=SESSION)
    there = log.channels(ignored)
    lacking = [name for name in channels if name not in there]
    unknown = [name for name in there if name not in channels]
    if lacking or unknown:
        raise UserError("%s does not have the channels that the model was trained on%s%s" % (
            log.name, "; it lacks " + ", ".join(lacking) if lacking else "",
            "; the model does not know %s (--ignore leaves a column out)" % ", ".join(unknown)
            if unknown else ""))


def step_model(path):
    """The Model of a step file; UserError with the file's name for any other."""
    try:
        model = Model(path)
    except UserError as error:
        raise UserError(str(error) if path in str(error) else "%s: %s" % (path, error))
    if not FORMS[model.form].streams:
        raise UserError("%s is of the %s form; a stream needs the step form" % (path, model.form))
    return model


def stem(path):
    """models/convert/step_int8.tflite is step_int8, the name of its detector."""
    return os.path.splitext(os.path.basename(path))[0]


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


def watch(blocks, timed, detector, alarms, write, envelope):
    """Score the blocks and write every change of an alarm.

    One that lasts when the log ends, or when a person stops it, is written as open.
    """
    n, last, session = 0, None, 0

    def say(event, when, row):
        start, end, peak = row
        write([event, start, end, iso(when)[0] if timed else None, float("%.6g" % peak)])

    try:
        for block in blocks:
            if block.session != session:
                session = block.session
                for row in alarms.close(n):
                    say("end", last, row)
                detector.begin()
            scores = detector.update(block.values)
            n, last = block.row + len(scores), block.time[-1:]
            if envelope:
                envelope.add(block.row, np.column_stack([block.values, scores]))
            for event, at, row in alarms.update(block.row, scores, detector.threshold):
                say(event, block.time[at:at + 1], row)
    finally:
        if alarms.rows and alarms.rows[-1][1] is None:
            alarms.rows[-1][1] = n
            say("open", last, alarms.rows[-1])


def draw(path, envelope, names, threshold, alarms):
    """A panel per channel and one for the score; what is red is an alarm."""
    figure = figure_class()((11, 1.1 * len(names) + 0.8))
    panels = figure.subplots(len(names), 1, sharex=True)
    rows = np.arange(envelope.LIMIT) * envelope.size
    shown = ~np.isnan(envelope.low[:, -1])
    for number, (panel, name) in enumerate(zip(panels, names)):
        low, high = envelope.low[shown, number], envelope.high[shown, number]
        panel.fill_between(rows[shown], low, high, linewidth=0.8, edgecolor="#1f4e79",
                           facecolor="#1f4e79", step="post")
        panel.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        panel.tick_params(labelsize=7)
        for start, end, _ in alarms:
            panel.axvspan(start, max(end, start + envelope.size), color="#c1121f", alpha=0.3, lw=0)
    panels[-1].axhline(threshold, color="#c1121f", linewidth=0.9, linestyle="--")
    panels[-1].set_xlabel("sample")
    figure.savefig(path, dpi=120, bbox_inches="tight", format="png")


def figure_class():
    """matplotlib's Figure, wanted for --plot alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--plot needs matplotlib, which is not installed here")
    return Figure


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
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if args.plot:
        figure_class()  # better now than after hours
    for path in (args.model, args.detector, args.scaler):
        if not os.path.exists(path):
            raise UserError("%s: No such file; `make evaluate` makes it, or `dvc pull` gets it" % path)
    scaler, model = read_scaler(args.scaler), step_model(args.model)
    fitted = read_detector(args.detector, stem(args.model), len(scaler.channels))
    name = "standard input" if args.log == "-" else args.log
    log = text_log(name, pieces_of(args.log, args.follow))
    check_channels(log, scaler.channels, args.ignore)
    blocks = equally_spaced(log.blocks(scaler.channels), Timeline(
        fitted["interval_s"], fitted["warm_up_samples"]))
    envelope = Envelope(len(scaler.channels) + 1) if args.plot else None
    alarms = Alarms()
    try:
        watch(blocks, log.form.time != "none", StreamDetector(model, scaler, fitted), alarms,
              writer(args.format, sys.stdout), envelope)
    finally:  # also after Ctrl-C, the end of --follow
        if args.plot:
            with atomic_path(args.plot) as partial:
                draw(partial, envelope, scaler.channels + ["score"], fitted["threshold"],
                     alarms.rows)


if __name__ == "__main__":
    run(main)
