"""The detectors of metrics.json in groups and order, and how their numbers are written."""
import re

from kit.base.cli import UserError, write_text
from kit.detection.baselines import GROUPS

MODELS = "model files"
HEADLINE = {  # key of metrics.json -> (decimals, what it is)
    "vus_pr": (3, "volume under the precision-recall surface, 0 to 1"),
    "auc_pr": (3, "area under precision and recall per sample, 0 to 1"),
    "event_recall": (3, "share of the events with an alarm inside"),
    "false_alarms_per_day": (2, "runs of alarms that touch no event; one that never ends is none"),
    "false_alarm_time_fraction": (3, "share of normal time in alarm: 1 for what always alarms"),
    "median_delay_s": (0, "from an event's start to its first alarm, detected events only"),
}
WITHOUT_LABELS = {  # the same for a record without events
    "alarms_per_day": (2, "runs of alarms per day"),
    "alarm_time_fraction": (3, "share of the time in alarm"),
    "score_median": (2, "what half of the samples exceed"),
    "score_p99": (2, "what one sample in a hundred exceeds"),
}
MEANINGS = dict(HEADLINE, **WITHOUT_LABELS)


def group_of(name):
    """Which group a detector belongs to."""
    return next((group for group, names in GROUPS.items() if name in names), MODELS)


def grouped(metrics):
    """[(group, [(name, values)])], each group by falling VUS-PR, then by name.

    metrics : {detector: {key: number or None}}; without VUS-PR, the order is that of the names.
    """
    groups = {group: [] for group in (MODELS,) + tuple(GROUPS)}
    for name in sorted(metrics):
        groups[group_of(name)].append((name, metrics[name]))
    for rows in groups.values():
        rows.sort(key=lambda row: -(row[1].get("vus_pr") or 0))
    return [(group, rows) for group, rows in groups.items() if rows]


def poor_forecast(metrics):
    """A sentence where the Keras model forecasts worse than its last sample repeated, else None."""
    values = metrics.get("keras", {})
    error, again = (values.get(key + "_mean_abs_error") for key in ("forecast", "last_sample"))
    if None in (error, again) or error <= again:
        return None
    return ("The model forecasts worse than its last sample repeated: mean absolute errors of %.3f "
            "and %.3f standard deviations on the validation part. What it adds is the difference "
            "to the row without_model; more epochs, or channels left out that nobody can forecast, "
            "may help." % (error, again))


def written(key, value):
    """A number of metrics.json as a reader sees it; a dash where it is undefined."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if key in MEANINGS:
        return "%.*f" % (MEANINGS[key][0], value)
    if isinstance(value, int):
        return "{:,}".format(value)
    return "%.3g" % value if abs(value) < 1000 else "{:,.0f}".format(value)


def shown_keys(metrics):
    """The keys of HEADLINE that some detector has; those of WITHOUT_LABELS where none has any."""
    known = {key for values in metrics.values() for key in values}
    return [key for key in HEADLINE if key in known] or [
        key for key in WITHOUT_LABELS if key in known]


def aligned(cells):
    """Lines from rows of cells: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join([row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]) for row in cells]
    return [line.rstrip() for line in lines]


def put_into(text, lines, name):
    """The Markdown text with the lines as a code block between its marks of a name."""
    marks = r"(<!-- %s -->\n).*?(<!-- /%s -->)" % (name, name)
    if not re.search(marks, text, re.S):
        raise UserError("there are no marks <!-- %s --> and <!-- /%s --> in the file" % (name, name))
    block = "\n```\n%s\n```\n\n" % "\n".join(lines)
    return re.sub(marks, lambda found: found.group(1) + block + found.group(2), text, flags=re.S)


def put_into_file(path, lines, name):
    """The same for a file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    write_text(path, put_into(text, lines, name))
