"""Looks at a log of your own: says what is in it, and prints the section `generate.log` for it.

    sh scripts/run look my_log.csv
    sh scripts/run look my_logs --plot my_logs.png

In:  a file or a folder, in any format of docs/your-own-data.md. Out: what was found, on the terminal;
the keys of `generate.log` that differ from their defaults, to paste into params.yaml; a picture of
the channels beside the log (--plot names another place). Nothing is changed.
"""
import os

import numpy as np
import yaml

from kit.base.cli import UserError, atomic_path, counted, parser, run
from kit.detection.stream import Envelope
from kit.page.panels import draw
from kit.record.cells import Cells
from kit.record.dialect import BLANKS, SEPARATORS
from kit.record.logs import Form, form_of, open_log
from kit.record.survey import Survey
from kit.record.times import guess, is_clock
from kit.record.timeline import iso
from kit.source.parts import find_files

ROWS = 20000  # that are looked at cell by cell
LEVELS = 20  # different words at most, for a label
MOST_TITLES = 20  # lines that may stand above the names
UNEVEN = 0.2  # share of the distances that are off the interval: uneven sampling
LABELS = ("label", "anomaly", "anomalous", "fault", "attack", "is_anomaly", "alarm", "broken",
          "att_flag", "normal/attack")


def first_form(path):
    """The Form by which the first lines are a table, and what was guessed for it."""
    try:
        return Form(), head(path, Form())
    except UserError as error:
        problem = error
    for skip in range(1, MOST_TITLES + 1):
        form = Form(skip_lines=skip)
        try:
            columns = head(path, form)
            if len(columns) > 1:
                return form, columns
        except UserError:
            pass
    for separator in SEPARATORS + BLANKS:  # no line of names
        for width in range(2, 257):
            form = Form(columns=tuple("c%d" % number for number in range(width)),
                        separator=separator)
            try:
                return form, head(path, form)
            except UserError:
                pass
    raise problem


def head(path, form):
    """{name: cells of the first rows} of a log."""
    log, found = open_log(path, form), {}
    for _, columns in log.columns():
        for name, cells in zip(log.header, columns):
            if name:
                found.setdefault(name, []).extend(cells[:ROWS])
        if len(next(iter(found.values()), [])) >= ROWS:
            break
    return found


class Column:
    """What a column's first cells are: `holds` is time, clock, number, words, constant or empty."""

    def __init__(self, name, cells):
        self.name, self.odd, self.pattern = name, [], None
        texts = [str(cell).strip() for cell in cells]
        self.levels = sorted(set(texts), key=lambda text: (-texts.count(text), text)) if len(
            set(texts)) <= LEVELS else []
        numbers, self.odd = numbers_of(name, cells)
        known = numbers[~np.isnan(numbers)]
        filled = [text for text in texts if text]
        if not filled:
            self.holds = "empty"
        elif len(known) >= 0.5 * len(filled):
            self.holds = "number" if len(set(known)) > 1 else "constant"
            self.value = known[0]
        elif all(is_clock(text) for text in filled[:100]):
            self.holds = "clock"
        else:
            self.pattern = guess(filled[:2000])
            self.holds = "time" if self.pattern else "words"
        if self.holds == "number" and len(known) == len(texts) and (np.diff(known) > 0).all():
            found = guess(filled[:2000])
            big = known[0] > 1e8 or found == "excel" or isinstance(found, str) and "%" in found
            if big:
                self.holds, self.pattern = "time", found


def numbers_of(name, cells):
    """(float64 (n,), NaN where there is none; the words among them)."""
    if isinstance(cells[0], (float, np.floating)):
        return np.array(cells, float), []
    if isinstance(cells[0], np.datetime64):
        return np.full(len(cells), np.nan), []
    separator = ";" if not any("." in str(cell) for cell in cells[:1000]) else ","
    reader = Cells("", Form(), separator)
    try:
        return reader.floats(1, cells, name), []
    except UserError:
        pass
    found, odd = np.full(len(cells), np.nan), {}
    for number, cell in enumerate(cells):
        try:
            found[number] = reader.floats(1, [cell], name)[0]
        except UserError:
            odd[str(cell).strip()] = None
    return found, list(odd)


def proposed(form, columns):
    """(settings, sentences, ignored names) for the columns {name: Column} of a log."""
    settings, said = {}, []
    if form.skip_lines:
        settings["skip_lines"] = form.skip_lines
        said.append("%s above the line of names" % counted(form.skip_lines, "line"))
    if form.columns:
        settings.update(columns=list(form.columns), separator=form.separator)
        said.append("no line of names: c0, c1, ... stand for them")
    names = list(columns)
    of = {holds: [name for name in names if columns[name].holds == holds]
          for holds in ("time", "clock", "words", "number", "constant", "empty")}
    time = of["time"][:1]
    if time and of["clock"]:
        time = time + of["clock"][:1]
        settings["time_column"] = time
        of["clock"] = of["clock"][1:]
    elif time and time[0] != names[0]:
        settings["time_column"] = time[0]
    if not time:
        settings.update(time="none", sample_interval_s=1)
        said.append("no column of times: say in sample_interval_s how many seconds lie between rows")
    elif isinstance(columns[time[0]].pattern, tuple):
        settings["time"] = (columns[time[0]].pattern[0] + (" %H:%M:%S" if len(time) == 2 else ""))
        said.append("day and month of %s may be swapped: '%s' or '%s'"
                    % ((time[0],) + columns[time[0]].pattern))
    ignored = of["time"][1:] + of["clock"]
    long = len(of["words"]) == 1 and len(of["number"]) == 1 and time and not of["constant"]
    if long and len(columns[of["words"][0]].levels) > 1:
        settings.update(tag_column=of["words"][0], value_column=of["number"][0])
        said.append("a long table: a row for each reading of %s"
                    % ", ".join(columns[of["words"][0]].levels))
        return settings, said, ignored
    labels = [name for name in names if name.lower().strip() in LABELS and len(
        columns[name].levels) in (1, 2)] + [name for name in of["words"] if columns[name].levels]
    for name in labels[:1]:
        levels = columns[name].levels
        settings["label_column"] = name
        said.append("suspected label: %s, %s" % (name, ", ".join(levels)))
        if set(levels) - {"0", "1", "0.0", "1.0"}:
            settings["normal_labels"] = levels[:1]
    others = set(of["words"] + of["constant"] + of["empty"]) - set(labels[:1])
    ignored += [name for name in names if name in others]
    for holds, what in (("words", "words"), ("constant", "one value"), ("empty", "nothing")):
        left = [name for name in of[holds] if name in others]
        if left:
            said.append("%s in %s" % (what, ", ".join(left)))
    marks = sorted({mark for name in of["number"] for mark in columns[name].odd})
    if marks:
        settings["missing"] = marks
        said.append("no numbers, and so taken as missing: " + ", ".join(marks))
    return settings, said, ignored


def survey(files, form, ignored):
    """(channels, Survey, times (n,), Envelope, sentences) of the whole log."""
    channels, times, said, rows = None, [], [], 0
    for file in files:
        log = open_log(file, form, "look")
        if channels is None:
            channels = log.tags() if form.tag_column else log.channels(ignored)
            log = open_log(file, form, "look")
            if not channels:
                raise UserError("%s has no column of numbers" % file)
            seen, envelope = Survey(channels), Envelope(len(channels))
        for block in seen.watch(log.blocks(channels)):
            envelope.add(rows, block.values)
            rows += len(block.values)
            if block.time is not None:
                times.append(block.time)
        said += log.said
    return channels, seen, np.concatenate(times) if times else None, envelope, said


def of_times(times, settings, several):
    """Sentences on the time axis; settings are completed for what it needs."""
    if times is None or len(times) < 2:
        return []
    if settings.get("tag_column"):
        times = np.unique(times)
    seconds = np.diff(times) / np.timedelta64(1, "s")
    back, same = int((seconds < 0).sum()), int((seconds == 0).sum())
    said = ["%s to %s" % tuple(iso(np.array([times.min(), times.max()])))]
    if back and several:
        settings["sessions"] = "files"
        said.append("files overlap in time: recordings of their own")
    elif back:
        settings["sort"] = True
        said.append("%s earlier than the row before" % counted(back, "row"))
        seconds = np.diff(np.sort(times)) / np.timedelta64(1, "s")
        same = int((seconds == 0).sum())
    if same:
        settings["duplicates"] = "first"
        said.append("%s with the time of the row before" % counted(same, "row"))
    steps = seconds[seconds > 0]
    interval = float(np.median(steps))
    off = float(np.mean(np.abs(steps / interval - np.rint(steps / interval)) > 0.25))
    holes = steps[steps > 1.5 * interval]
    said.append("a row every %g s; %s longer than that, the longest %g s" % (
        interval, counted(len(holes), "distance"), steps.max()))
    if off > UNEVEN or len(holes) > UNEVEN * len(steps):
        settings["resample"] = float("%.2g" % interval)
        said.append("uneven: %.3g %% of the distances are off that" % (100 * off))
    return said


def sparse(seen, settings):
    """`fill` for channels with a reading in fewer than half of the rows."""
    if settings.get("resample") or settings.get("tag_column"):
        return
    slow = [name for name, share in seen.missing_shares().items() if 0.5 < share < 1]
    if slow:
        settings["fill"] = {name: "hold" for name in slow}


def flow(value):
    """A value in YAML, on one line."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=True,
                          width=1 << 20).replace("\n...", "").strip()


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("log", help="file or folder")
    p.add_argument("--plot", metavar="PNG", help="picture to write (default: beside the log)")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    files = find_files(args.log, Form(time="none"), None)
    form, cells = first_form(files[0])
    columns = {name: Column(name, found) for name, found in cells.items()}
    settings, said, ignored = proposed(form, columns)
    form = form_of(dict(settings, columns=tuple(settings.get("columns", ()))))
    if form.time != "none" and len(files) > 1:
        files = find_files(args.log, form, None)
    channels, seen, times, envelope, decided = survey(files, form, ignored)
    said += decided + of_times(times, settings, len(files) > 1) + seen.sentences()
    sparse(seen, settings)
    if ignored:
        settings["ignore_columns"] = ignored
    for channel, value, *_ in seen.suspects():
        settings.setdefault("missing", []).append({channel: value})
    print("%s: %s, %s: %s" % (args.log, counted(seen.rows, "row"), counted(
        len(channels), "channel"), ", ".join(channels)))
    print("\n".join("  " + line for line in dict.fromkeys(said)))
    print("\nto paste into params.yaml:\n")
    print("generate:\n  source: %s\n  log:" % yaml.safe_dump(args.log).split("\n")[0])
    for key, value in (settings or {"time": "auto"}).items():
        print("    %s: %s" % (key, flow(value)))
    picture = args.plot or os.path.abspath(args.log).rstrip("/") + ".png"
    rows = np.arange(envelope.LIMIT) * envelope.size
    if times is not None:
        rows = times[np.minimum(rows, len(times) - 1)].astype("datetime64[ms]")
    with atomic_path(picture) as partial:
        draw(partial, os.path.basename(args.log), channels, envelope.low, envelope.high, rows)
    print("\nchannels drawn in %s" % picture)


if __name__ == "__main__":
    run(main)
