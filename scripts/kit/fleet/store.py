"""What a fleet's partitions gave: a folder for each, which appears whole, by one rename.

A partition holds results and states together, so nothing is lost and nothing counts twice: that of
a sensor begins behind so many of its rows (`first_row`), and goes on where the one before ended.
What was computed twice (a worker that was thought dead, a run beside another) begins at the same
row, and the one that comes farthest counts alone.

    PARTITION/events.parquet   what `detect` would print, a row per line, with the sensor
              sensors.parquet  a row per sensor: counts, place, drift, scores for a picture
              states.jsonl     a line per sensor, in the same order
"""
import json
import os
import shutil
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

from kit.base.cli import UserError, flush
from kit.base.digest import sha256
from kit.detection.memory import packed, unpacked

PARTIAL = ".partial"
EVENTS = pa.schema([("sensor", pa.string()), ("event", pa.string()), ("start", pa.int64()),
                    ("end", pa.int64()), ("time", pa.string()), ("peak_score", pa.float64()),
                    ("evidence", pa.string())])
SENSORS = pa.schema([("sensor", pa.string()), ("of", pa.string()), ("first_row", pa.int64()),
                     ("rows", pa.int64()), ("file", pa.string()), ("bytes", pa.int64()),
                     ("samples", pa.int64()), ("missing", pa.int64()), ("drift", pa.float64()),
                     ("last_sample", pa.int64()), ("interval_s", pa.float64()),
                     ("threshold", pa.float64()), ("channels", pa.int64()),
                     ("peaks", pa.list_(pa.float32()))])


def identity(files):
    """What a state belongs to: the content of model, detector and scaler."""
    return " ".join(sha256(path) for path in files)


def write(folder, name, found, of, common):
    """Write a partition of {name: Sensor}; one of this name that is there stays."""
    target, partial = os.path.join(folder, name), os.path.join(
        folder, ".%s.%s%s" % (name, uuid.uuid4().hex, PARTIAL))
    if os.path.isdir(target):
        return
    rows, events = [], []
    for sensor in found.values():
        sensor.watch.finish()
        rows.append(dict(sensor.row(), of=of, interval_s=common.fitted["interval_s"],
                         threshold=common.fitted["threshold"], channels=len(common.scaler.channels)))
        events += [[sensor.name] + event for event in sensor.events]
    try:
        os.makedirs(partial)
        pq.write_table(pa.Table.from_pylist(rows, SENSORS), os.path.join(partial, "sensors.parquet"))
        pq.write_table(
            pa.table([pa.array(column, arrow) for column, arrow in
                      zip(list(zip(*events)) or [()] * len(EVENTS), EVENTS.types)], schema=EVENTS),
            os.path.join(partial, "events.parquet"))
        with open(os.path.join(partial, "states.jsonl"), "w", encoding="utf-8") as file:
            for sensor in found.values():
                file.write(json.dumps(packed(sensor.state)) + "\n")
        for path in [os.path.join(partial, file) for file in os.listdir(partial)] + [partial]:
            flush(path)
        os.rename(partial, target)
        flush(folder)
    except OSError as error:
        if not os.path.isdir(target):  # another has written it in the meantime
            raise UserError("%s cannot be written: %s" % (target, error.strerror or error))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def chains(folder, of):
    """{sensor: [row of each partition, in the order of time]}; a row has `part` and `line` too.

    of : {sensor: identity}; what other models have left counts as nothing
    """
    found = {}
    for part in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, part, "sensors.parquet")
        if part.startswith(".") or not os.path.exists(path):
            continue
        for line, row in enumerate(pq.ParquetFile(path).read().to_pylist()):
            key = row["sensor"], row["first_row"]
            if row["of"] == of.get(row["sensor"]) and row["rows"] > found.get(key, {"rows": 0})["rows"]:
                found[key] = dict(row, part=part, line=line)
    whole = {}
    for sensor in of:
        row = found.get((sensor, 0))
        while row:
            whole.setdefault(sensor, []).append(row)
            row = found.get((sensor, row["rows"]))
    return whole


def states(folder, places):
    """{sensor: state} of {sensor: (part, line)}."""
    found, wanted = {}, {}
    for sensor, (part, line) in places.items():
        wanted.setdefault(part, {})[line] = sensor
    for part, lines in wanted.items():
        with open(os.path.join(folder, part, "states.jsonl"), encoding="utf-8") as file:
            for line, text in enumerate(file):
                if line in lines:
                    found[lines[line]] = unpacked(json.loads(text))
    return found


def sweep(folder):
    """Remove what killed runs left."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.startswith(".") and name.endswith(PARTIAL):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
