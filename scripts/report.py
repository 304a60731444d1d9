"""Make one self-contained page of what the other stages found, and the picture of the README.

    sh scripts/run report --evaluate reports/evaluate --convert models/convert \\
        --test data/generate/test.csv --events data/generate/events.csv \\
        --lock requirements.lock --params params.yaml \\
        --out reports/report/report.html --picture reports/report/overview.png

In: the folders of the stages evaluate and convert, the test part and its events. Out: an HTML page
that opens from disk and asks nothing of any network, and a PNG of a stretch of the test record.
What is not there (no --events, no metrics) is left out of the page with one sentence.
"""
import os
import platform
import re

import jinja2
import numpy as np
import pandas as pd
import yaml

from kit.base.cli import UserError, counted, parser, run, write_together
from kit.base.digest import sha256
from kit.base.params import load_params
from kit.detection.metrics import delays
from kit.page import plots
from kit.page.inputs import DESCRIPTION, RUNTIMES, read_object, read_table
from kit.page.results import MEANINGS, grouped, shown_keys, written
from kit.page.summary import float_form, seconds_per_sample, summary
from kit.record.records import read_events, read_record
from kit.runtime import files

COSTS = ("reference", "vus_pr_change", "vus_pr_relative_change", "event_recall_change",
         "false_alarms_per_day_change", "decisions_changed", "score_correlation")
UNKNOWN = "unknown"  # kind, channels or severity of an event whose label does not say
STRETCHES, STRETCH_ROWS = 9, 1000  # at most so many, and at least so many rows in each
CHANNELS = 8  # in a picture of a stretch
OVERVIEW_ROWS, OVERVIEW_CHANNELS = 2000, 3


def main(argv):
    args = arguments(argv)
    for folder in (args.evaluate, args.convert):
        if not os.path.isdir(folder):
            raise UserError("%s: no such folder" % folder)
    page, picture = report(args)
    pictures = {args.picture: picture} if args.picture else {}
    write_together(dict(pictures, **{args.out: page}))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--evaluate", required=True, help="folder with metrics.json and plot data")
    p.add_argument("--convert", required=True, help=".tflite files, a .json beside each")
    p.add_argument("--test", required=True, help="the record that was scored (CSV)")
    p.add_argument("--events", help="its event table (CSV); without it nothing needs labels")
    p.add_argument("--lock", required=True, help="requirements.lock of the stages")
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    p.add_argument("--runtimes", help="what scripts/runtimes.py wrote (.json)")
    p.add_argument("--artifacts", nargs="*", default=[], help="more files or folders to hash")
    p.add_argument("--out", required=True, help="page to write (.html)")
    p.add_argument("--picture", help="picture to write (.png)")
    return p.parse_args(argv)


def report(args):
    """(the page as text, the picture as PNG bytes)."""
    models = descriptions(args.convert)
    metrics = read_optional(args.evaluate, "metrics.json", {})
    record = read_record(args.test)
    events = labelled_events(args.events)
    headline = files.headline(metrics)
    alarms = alarms_of(headline, read_optional(args.evaluate, "alarms.csv"))
    scored = scored_record(record, events, alarms, headline, args.evaluate)
    params = load_params(args.params)
    context = {
        "headline": headline, "labelled": events is not None,
        "summary": summary(
            headline, metrics, models, scored, read_optional(args.evaluate, "parity.json", {}),
            read_optional(args.evaluate, "quantization.json", {})),
        "detection": detection(metrics),
        "meanings": {key: meaning for key, (_, meaning) in MEANINGS.items()},
        "stretches": stretches(scored, events, alarms),
        "record_note": record_note(scored), "source": params["generate"]["source"],
        "recalls": recalls(args.evaluate, metrics, events),
        "curves": None if events is None else curves(args.evaluate, metrics, headline),
        "training": training(read_optional(args.evaluate, "history.csv")),
        "parities": parities(args.evaluate),
        "files": model_files(models), "descriptions": ends(models),
        "runtimes": runtimes(args.runtimes),
        "interpreter": "%s %s" % (platform.python_implementation(),
                                  ".".join(platform.python_version_tuple()[:2])),
        "lock_name": os.path.basename(args.lock), "versions": versions(args.lock),
        "params": yaml.safe_dump(params, sort_keys=False),
        "deterministic": params["train"]["deterministic"],
        "hashes": hashes(args),
    }
    return render(context), overview(scored)


def render(context):
    """The page: the template of kit.page, filled."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(os.path.abspath(plots.__file__))),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(written=lambda value, key: written(key, value), wrapped=wrapped)
    return environment.get_template("report.html.j2").render(context) + "\n"


def wrapped(name):
    """A name that may break after its underscores."""
    return jinja2.utils.markupsafe.Markup("_<wbr>").join(str(name).split("_"))


# ---- inputs ------------------------------------------------------------------------------------


def read_optional(folder, name, default=None):
    """A JSON or CSV file of the stage evaluate; `default` where it wrote none."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return default
    return read_object(path) if name.endswith(".json") else read_table(path)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    except UnicodeDecodeError:
        raise UserError("%s is not text in UTF-8" % path)


def labelled_events(path):
    """The event table with its blanks filled; None where there is none, or nothing in it."""
    events = read_events(path) if path else ()
    return events.fillna(UNKNOWN) if len(events) else None


def descriptions(folder):
    """{name: content of the .json beside each .tflite}, sorted by name."""
    return {name: read_object(os.path.splitext(path)[0] + ".json", DESCRIPTION)
            for name, path in files.tflite_files(folder).items()}


def alarms_of(detector, table):
    """The rows of one detector in alarms.csv: start, end, verdict; empty where there are none."""
    if table is None:
        return pd.DataFrame({"start": [], "end": [], "verdict": []}, dtype=int)
    return table[table["detector"] == detector]


def scored_record(record, events, alarms, detector, folder):
    """The record with what the detector says about it; without a threshold where none was written.

    score.csv may hold a part of the record; the samples it leaves out have no score.
    """
    marked = [] if events is None else [
        (event.start, event.end, "event" if event.kind == UNKNOWN else event.kind,
         record.channels if event.channels == UNKNOWN else event.channels.split("+"))
        for event in events.itertuples()]
    score, threshold = score_of(detector, folder, record.time)
    return plots.Scored(record.time, record.channels, record.values, score, threshold,
                        alarms[["start", "end"]].values, marked)


def score_of(detector, folder, time):
    """(score (n,), threshold) of a detector in score.csv; (NaN, None) where it is not there."""
    table = read_optional(folder, "score.csv")
    if table is None or detector not in set(table["detector"]):
        return np.full(len(time), np.nan), None
    table = table[table["detector"] == detector]
    try:
        scored = pd.to_datetime(table["time"], utc=True).values.astype("datetime64[s]")
    except (ValueError, OverflowError) as error:
        raise UserError("%s: a time is none: %s" % (os.path.join(folder, "score.csv"), error))
    score = pd.Series(table["score"].values, scored).reindex(time).values
    if np.isnan(score).all():
        raise UserError("%s holds no score of a sample of the test record: were both made from "
                        "the same record?" % os.path.join(folder, "score.csv"))
    return score, float(table["threshold"].iloc[0])


def versions(lock):
    """{package: version} of a requirements lock."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", read_text(lock), re.MULTILINE))


def hashes(args):
    """[(path, bytes, SHA-256)] of every file that the page was made from, sorted by path.

    But for params.yaml, whose values count and not its comments: it is shown instead.
    """
    paths = {args.test, args.lock}
    paths |= {path for path in (args.events, args.runtimes) if path}
    for path in [args.evaluate, args.convert] + args.artifacts:
        paths |= set(files_below(path)) if os.path.isdir(path) else {path}
    return [(path,) + size_and_hash(path) for path in sorted(paths)]


def files_below(folder):
    """Every file below a folder that is no hidden one."""
    for place, _, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in names if not name.startswith("."))


def size_and_hash(path):
    """(bytes, SHA-256 as hex) of a file."""
    digest = sha256(path)
    return os.path.getsize(path), digest


# ---- sections ----------------------------------------------------------------------------------


def detection(metrics):
    """Groups of detectors, with the keys shown first and the other ones."""
    if not metrics:
        return None
    shown = shown_keys(metrics)
    known = {key: None for values in metrics.values() for key in values}
    return {"groups": grouped(metrics), "headline": shown,
            "others": [key for key in known if key not in shown]}


def recalls(folder, metrics, events):
    """Tables of event recall by kind and by severity, in the order of the detection table."""
    tables = []
    for key in ("kind", "severity"):
        table = read_optional(folder, "recall_by_%s.csv" % key)
        if table is None or events is None or set(events[key]) == {UNKNOWN}:
            continue
        counts = events[key].value_counts()
        names = {value: "%s (%d)" % (value, counts.get(value, 0)) for value in sorted(counts.index)}
        rows = {detector: {names[value]: recall for value, recall in zip(
            part[key], part["event_recall"])} for detector, part in table.groupby("detector")}
        groups = [(group, [(name, rows[name]) for name, _ in detectors if name in rows])
                  for group, detectors in grouped(metrics)]
        tables.append({"columns": list(names.values()), "groups": groups, "caption":
                       "Event recall by %s; in brackets the number of events." % key})
    return tables


def curves(folder, metrics, headline):
    """Both curves of every detector; in colour the headline, Keras, a baseline and a floor."""
    tables = [read_optional(folder, name + ".csv") for name in ("roc", "pr")]
    if None in [None if table is None else 0 for table in tables]:
        return None
    best = {group: detectors[0][0] for group, detectors in grouped(metrics)}
    chosen = [headline, "keras", best.get("baselines"), best.get("floors")]
    chosen = [name for name in dict.fromkeys(chosen) if name in metrics]
    panels = []
    for title, table in zip(("ROC, per sample", "Precision and recall, per sample"), tables):
        _, x, y = table.columns
        parts = {name: part for name, part in table.groupby("detector")}
        lines = [(name if name in chosen else None, parts[name][x], parts[name][y],
                  line_style(chosen, name))
                 for name in chosen + sorted(set(parts) - set(chosen)) if name in parts]
        panels.append((title, x.replace("_", " "), y, lines))
    return pictured(
        plots.svg(plots.curve_figure(panels, (9.5, 4))), (9.5, 4),
        "Two charts: true against false positive rate, and precision against recall.",
        "In colour %s; in grey the other %d detectors. The areas are in the table above." % (
            ", ".join(chosen), len(metrics) - len(chosen)))


def line_style(chosen, name):
    if name not in chosen:
        return {"color": plots.GREY, "linewidth": 0.7}
    place = chosen.index(name)
    return {"color": plots.COLORS[place], "linewidth": 1.6, "zorder": 9 - place}


def training(history):
    """The losses per epoch, train and validation."""
    if history is None:
        return None
    panels = [(title, "epoch", "standard deviations" + unit, [
        (part, history["epoch"], history[column], {"color": color, "marker": ".", "linewidth": 1.2})
        for part, column, color in (("train", key, plots.COLORS[0]),
                                    ("validation", "validation_" + key, plots.COLORS[1]))])
              for title, key, unit in (("Mean square error", "mse", "²"),
                                       ("Mean absolute error", "mae", ""))]
    return pictured(
        plots.svg(plots.curve_figure(panels, (9.5, 3.4), epochs=True)), (9.5, 3.4),
        "Two charts of the loss per epoch, mean square and mean absolute error.",
        "%d epochs; the last one ends with a mean absolute error of %.4g standard deviations on "
        "the train part and %.4g on the validation part." % (
            len(history), history["mae"].iloc[-1], history["validation_mae"].iloc[-1]))


def parities(folder):
    """Tables of the differences to Keras and of what quantization cost."""
    tables = []
    for name, keys, caption in (
            ("parity.json", None, "Forecasts (in standard deviations) and decisions of each file "
             "against Keras, on the validation and test parts."),
            ("quantization.json", COSTS, "Each quantized file against float32 in the same form, "
             "on the test part.")):
        rows = read_optional(folder, name)
        if rows:
            known = {key: None for values in rows.values() for key in values}
            keys = [key for key in keys or known if key in known]
            tables.append({"caption": caption, "columns": keys, "rows": sorted(rows.items())})
    return tables


def model_files(models):
    """A row per model file."""
    rows = []
    for name, description in models.items():
        reference = float_form(models, description["form"])
        smaller = models[reference]["size_bytes"] / description["size_bytes"] if reference else None
        rows.append((name, {
            "form": description["form"], "precision": description["precision"],
            "bytes": description["size_bytes"],
            "smaller": smaller and "%.2f ×" % smaller,
            "operators": sum(item["count"] for item in description["operators"]),
            "mean_abs_diff": description["parity"]["mean_abs_diff"],
            "max_abs_diff": description["parity"]["max_abs_diff"]}))
    return rows


def ends(models):
    """Per model file its operators in words, and its inputs and outputs."""
    found = []
    for name, description in models.items():
        tensors = [(tensor["name"], dict(tensor, end=end, shape=" × ".join(map(
            str, tensor["shape"])))) for end in ("input", "output") for tensor in description[end + "s"]]
        keys = [key for key in ("end", "shape", "type", "scale", "zero_point")
                if any(key in tensor for _, tensor in tensors)]
        found.append({"name": name, "operators": operators(description["operators"]),
                      "columns": keys, "tensors": tensors})
    return found


def operators(items):
    """3 × MUL v1, 1 × ADD v2"""
    return ", ".join("%d × %s v%d" % (item["count"], item["operator"], item["version"])
                     for item in items)


def runtimes(path):
    """How far every file's output is from 1.15's own under each runtime, or why there is none.

    path : a .json, [{"file", "runtimes": {name: {"status", "max_of_std" or "says"}}}]
    """
    if path is None:
        return None
    table = read_object(path, RUNTIMES)
    rows = [(row["file"], {name: found.get("max_of_std", found["status"])
                           for name, found in row["runtimes"].items()}) for row in table]
    says = ["%s, %s: %s" % (row["file"], name, found["says"]) for row in table
            for name, found in row["runtimes"].items() if found.get("says")]
    decisions = [("%s, %s" % (row["file"], name), dict(
        found["decisions"].get("to_keras") or found["decisions"]["to_first"],
        nearest_score=found["decisions"]["margin"],
        largest_difference=found["decisions"]["largest_difference"])) for row in table
        for name, found in row["runtimes"].items() if found.get("decisions")]
    return {"columns": list(table[0]["runtimes"]) if table else [], "rows": rows, "says": says,
            "decisions": decisions, "decision_columns": list(decisions[0][1]) if decisions else []}


# ---- pictures of the record --------------------------------------------------------------------


def pictured(content, inches, alt, caption):
    """What the template needs to know of a picture."""
    width, height = (int(round(100 * side)) for side in inches)
    return {"src": plots.data_uri(content), "alt": alt, "caption": caption,
            "width": width, "height": height}


def overview(scored):
    """The stretch that holds the most kinds of events, and the channels that they alter most."""
    start, end = plots.busiest(scored, OVERVIEW_ROWS)
    part = scored.cut(start, end)
    part = part.cut(0, end - start, plots.most_altered(part, OVERVIEW_CHANNELS))
    return plots.png(plots.record_figure(part, (10, 5)), 120)


def stretches(scored, events, alarms):
    """Pictures of the whole record, one after the other, each with its events in words."""
    channels, n = plots.most_altered(scored, CHANNELS), len(scored.time)
    bounds = np.linspace(0, n, min(max(n // STRETCH_ROWS, 1), STRETCHES) + 1).astype(int)
    late = [] if events is None else delays(events, alarm_mask(scored.alarms, n))
    found = []
    for start, end in zip(bounds, bounds[1:]):
        inside = [event_words(scored.time, event, delay)
                  for event, delay in zip(() if events is None else events.itertuples(), late)
                  if start <= event.start < end]
        raised = alarms[(alarms["start"] >= start) & (alarms["start"] < end)]
        part = scored.cut(start, end, channels)
        caption = "; ".join(inside) + "." if inside else "" if events is None else (
            "No labelled event begins here.")
        title = "%s to %s" % (minute(part.time[0]), minute(part.time[-1]))
        found.append(dict(picture_of(part, caption),
                          title=": ".join([title] + counts(scored, events, inside, raised))))
    return found


def picture_of(part, caption):
    """The picture of one stretch."""
    inches = (11, 0.62 * len(part.channels) + 2.2)
    what = counted(len(part.channels), "channel")
    if part.threshold is not None:
        what += ", the score, its threshold and the alarms"
    alt = "%s from %s to %s." % (what, minute(part.time[0]), minute(part.time[-1]))
    return pictured(plots.png(plots.record_figure(part, inches), 100), inches, alt, caption)


def counts(scored, events, inside, raised):
    """["4 events, 3 alarms (1 false)"], or [] where there is neither a label nor a score."""
    words = [] if events is None else [counted(len(inside), "event")]
    words += [] if scored.threshold is None else [counted(len(raised), "alarm")]
    false = int((raised["verdict"].astype(str).str.lower() == "false").sum())
    return [", ".join(words) + (" (%d false)" % false if false else "")] if words else []


def event_words(time, event, delay):
    """spike of flow_m3h (plain) at 2020-01-30 02:10, found after 60 s"""
    seconds = delay * seconds_per_sample(time)
    return "%s%s%s at %s, %s" % (
        "event" if event.kind == UNKNOWN else event.kind.replace("_", " "),
        "" if event.channels == UNKNOWN else " of " + event.channels.replace("+", " and "),
        "" if event.severity == UNKNOWN else " (%s)" % event.severity,
        minute(time[event.start]),
        "missed" if np.isnan(delay) else "found after %s s" % written("bytes", int(seconds)))


def alarm_mask(alarms, n):
    """Bool (n,) from rows [start, end)."""
    mask = np.zeros(n, bool)
    for start, end in alarms:
        mask[start:end] = True
    return mask


def minute(moment):
    """2020-01-30 02:10"""
    return str(moment.astype("datetime64[m]")).replace("T", " ")


def record_note(scored):
    """Whose the score and the alarms are, and what the pictures leave out."""
    n, known = len(scored.time), int(np.sum(~np.isnan(scored.score)))
    notes = []
    if len(scored.channels) > CHANNELS:
        notes.append("Of %d channels, the %d that events alter most are shown."
                     % (len(scored.channels), CHANNELS))
    if not known:
        notes.append("There is no score to show.")
    elif known < n:
        notes.append("The score is kept for %s of %s samples; alarms and events are marked "
                     "throughout." % (written("bytes", known), written("bytes", n)))
    return " ".join(notes)


if __name__ == "__main__":
    run(main)
