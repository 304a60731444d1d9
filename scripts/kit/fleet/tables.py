"""Tables of a fleet: those that a person gives, and what is read of it: alarms, health, failures, a
summary, a picture of the worst."""
import csv
import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kit.base.cli import UserError, atomic_path, atomic_paths, counted, write_text
from kit.detection.stream import FIELDS
from kit.fleet.engine import PEAK_SAMPLES
from kit.page.panels import BLUE, RED, figure_class
from kit.record.timeline import DAY_S

SHOWN, GRID = 10, (4, 4)  # sensors in the summary, and in the picture

ALARMS = pa.schema([("sensor", pa.string()), ("start", pa.int64()), ("end", pa.int64()),
                    ("start_time", pa.string()), ("end_time", pa.string()),
                    ("peak_score", pa.float64()), ("evidence", pa.string())])
HEALTH = pa.schema([("sensor", pa.string()), ("rows", pa.int64()), ("samples", pa.int64()),
                    ("missing_share", pa.float64()), ("days", pa.float64()), ("alarms", pa.int64()),
                    ("alarms_per_day", pa.float64()), ("alarm_share", pa.float64()),
                    ("residual_drift_decades", pa.float64())])


def read_rows(path, columns):
    """The rows of a CSV table as dicts; UserError where one of the columns lacks."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("%s: %s" % (path, getattr(error, "strerror", None) or "not UTF-8"))
    if not rows or not set(columns) <= set(rows[0]):
        raise UserError("%s: the columns %s are needed" % (path, ",".join(columns)))
    return rows


def write_rows(path, header, rows):
    """Write a CSV table, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header] + list(rows))
    write_text(path, text.getvalue())


def events(folder, chains):
    """{sensor: [event as a dict, in the order of time]}; an alarm is open in the last row alone."""
    found, parts = {}, {}
    for sensor, rows in chains.items():
        for number, row in enumerate(rows):
            parts.setdefault(row["part"], {})[sensor] = number
    for part, numbers in parts.items():
        for event in pq.ParquetFile(os.path.join(folder, part, "events.parquet")).read().to_pylist():
            sensor = event["sensor"]
            if sensor in numbers:
                found.setdefault(sensor, []).append((numbers[sensor], event))
    return {sensor: without_open([event for _, event in sorted(rows, key=lambda row: row[0])])
            for sensor, rows in found.items()}


def without_open(rows):
    """Events without those of an alarm that lasted at the end of a partition, but for the last."""
    return [row for row in rows[:-1] if row["event"] != "open"] + rows[-1:]


def lines(rows):
    """The events of a sensor as `detect` prints them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([["" if row[name] is None else row[name] for name in FIELDS] for row in rows])
    return text.getvalue()


def alarms(found):
    """One row per alarm of {sensor: events}; `end` is None while it lasts."""
    rows = []
    for sensor in sorted(found):
        for event in found[sensor]:
            if event["event"] == "begin":
                rows.append({"sensor": sensor, "start": event["start"], "start_time": event["time"],
                             "evidence": event["evidence"]})
            elif event["event"] == "end":
                rows[-1].update(end=event["end"], end_time=event["time"])
            rows[-1]["peak_score"] = event["peak_score"]
    return rows


def health(chains, found):
    """One row per sensor."""
    rows, own = [], {}
    for alarm in found:
        own.setdefault(alarm["sensor"], []).append(alarm)
    for sensor in sorted(chains):
        parts, raised = chains[sensor], own.get(sensor, [])
        last = parts[-1]
        samples = sum(part["samples"] for part in parts)
        covered = sum((last["last_sample"] if alarm.get("end") is None else alarm["end"])
                      - alarm["start"] for alarm in raised)
        days = samples * last["interval_s"] / DAY_S
        rows.append({
            "sensor": sensor, "rows": last["rows"], "samples": samples, "days": days,
            "missing_share": sum(part["missing"] for part in parts) / (samples * last["channels"]),
            "alarms": len(raised), "alarms_per_day": len(raised) / days,
            "alarm_share": covered / samples, "residual_drift_decades": last["drift"]})
    return rows


def worst(rows, count):
    """The sensors with the most alarms a day."""
    return sorted(rows, key=lambda row: (-row["alarms_per_day"], -row["alarm_share"],
                                         row["sensor"]))[:count]


def summary(rows, failures):
    """The fleet in a few lines."""
    text = ["%s, %s rows, %s, %s failed" % (
        counted(len(rows), "sensor"), format(sum(row["rows"] for row in rows), ","),
        counted(sum(row["alarms"] for row in rows), "alarm"), counted(len(failures), "sensor"))]
    if rows:
        text += ["", "%-20s %12s %10s %14s %12s %9s %9s" % (
            "most alarms a day", "rows", "alarms", "alarms a day", "time in them", "missing", "drift")]
    for row in worst(rows, SHOWN):
        drift = row["residual_drift_decades"]
        text.append("%-20s %12s %10d %14.2f %11.2f%% %8.2f%% %9s" % (
            row["sensor"], format(row["rows"], ","), row["alarms"], row["alarms_per_day"],
            100 * row["alarm_share"], 100 * row["missing_share"],
            "–" if drift is None else "%.2f" % drift))
    return "\n".join(text) + "\n"


def picture(path, chains, found, shown):
    """A PNG with the scores and alarms of some sensors; shown : their rows of `health`."""
    figure = figure_class()((3.2 * GRID[1], 1.7 * GRID[0]), layout="constrained")
    panels = figure.subplots(*GRID, squeeze=False).ravel()
    for panel, row in zip(panels, shown):
        parts = chains[row["sensor"]]
        peaks = np.concatenate([np.asarray(part["peaks"], float) for part in parts])
        days = np.linspace(0, row["days"], len(peaks), endpoint=False)
        panel.plot(days, peaks, color=BLUE, linewidth=0.7)
        panel.axhline(parts[-1]["threshold"], color=RED, linewidth=0.8, linestyle="--")
        panel.set_title("%s: %.2f alarms a day" % (row["sensor"], row["alarms_per_day"]), fontsize=8)
        panel.tick_params(labelsize=6)
        panel.set_ylim(0)
    for panel in panels[len(shown):]:
        panel.set_axis_off()
    figure.supxlabel("days of samples", fontsize=8)
    figure.supylabel("score, highest of %d samples" % PEAK_SAMPLES, fontsize=8)
    figure.savefig(path, dpi=110, format="png")


def write(out, folder, chains, failures):
    """Write all of it into a folder; returns the summary."""
    found = alarms(events(folder, chains))
    rows = health(chains, found)
    text = summary(rows, failures)
    names = ("alarms.parquet", "health.parquet", "failures.csv", "summary.txt")
    with atomic_paths(*(os.path.join(out, name) for name in names)) as places:
        for place, table, schema in zip(places, (found, rows), (ALARMS, HEALTH)):
            pq.write_table(pa.Table.from_pylist(table, schema), place)
        with open(places[2], "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [("sensor", "reason")] + sorted(failures.items()))
        with open(places[3], "w", encoding="utf-8") as file:
            file.write(text)
    with atomic_path(os.path.join(out, "worst.png")) as place:
        picture(place, chains, found, worst(rows, GRID[0] * GRID[1]))
    return text
