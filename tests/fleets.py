"""A small fleet of logs made of the test record, and what runs `fleet` on it."""
import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT

pytest.importorskip("numba", reason="the environment of `sh scripts/setup fleet`")
pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

RECORD = os.path.join(ROOT, "data", "generate", "test.csv")
FILES = tuple(os.path.join(ROOT, *parts) for parts in (
    ("models", "convert", "step_int8.tflite"), ("reports", "evaluate", "detectors.json"),
    ("models", "train", "scaler.json")))
MODEL = ["--model", FILES[0], "--detector", FILES[1], "--scaler", FILES[2]]
START = np.datetime64("2024-01-01T00:00:00", "us")
built = pytest.mark.skipif(not all(map(os.path.exists, FILES + (RECORD,))), reason="no models")


def record():
    """(names of the channels, values (n, C)) of the test part."""
    with open(RECORD, newline="") as file:
        rows = list(csv.reader(file))
    return rows[0][1:], np.array([[float(cell or "nan") for cell in row[1:]] for row in rows[1:]])


def logs(folder, sensors, rows):
    """Parquet logs of differing lengths, some with a hole in time, of rolled and altered records."""
    names, values = record()
    for number in range(sensors):
        rng = np.random.default_rng(number)
        own = np.roll(values, -int(rng.integers(len(values))), axis=0)[:rows - 37 * (number % 5)]
        own = own * (1 + 0.01 * rng.standard_normal(len(names)))
        own[rng.random(own.shape) < 0.0005] = np.nan
        time = START + np.arange(len(own)) * np.timedelta64(60, "s")
        time[len(own) // 3:] += np.timedelta64(60 * (0, 20, 300)[number % 3], "s")
        write(os.path.join(str(folder), "sensor=%03d" % number, "a.parquet"), names, time, own)
    return str(folder)


def write(path, names, time, values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pq.write_table(pa.table([pa.array(time)] + [pa.array(column) for column in values.T],
                            names=["time"] + list(names)), path, row_group_size=700)


def split(folder, sensor, row):
    """A sensor's log as two files: the first with so many rows."""
    path = os.path.join(folder, "sensor=" + sensor, "a.parquet")
    table = pq.read_table(path)
    pq.write_table(table.slice(0, row), path)
    pq.write_table(table.slice(row), path.replace("a.parquet", "b.parquet"))


def command(*arguments):
    return [sys.executable, os.path.join(ROOT, "scripts", "fleet.py")] + list(arguments)


def detected(path, *more):
    """What `detect` prints of a log, in this environment."""
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "scripts", "detect.py"), "--log", path] + MODEL + list(more),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tables(out):
    """The bytes of what a run wrote, but for the picture."""
    return {name: open(os.path.join(str(out), name), "rb").read()
            for name in ("alarms.parquet", "health.parquet", "failures.csv", "summary.txt")}


def score(folder, out, *more):
    return ["score", "--logs", str(folder), "--out", str(out)] + MODEL + list(more)


def found(folder, state):
    """{sensor: lines as detect prints them} of a run's state."""
    from kit.fleet import sensors, store
    from kit.fleet.tables import events, lines

    chains = store.chains(str(state), dict.fromkeys(sensors.find(folder), store.identity(FILES)))
    return {name: lines(rows) for name, rows in events(str(state), chains).items()}


def detectors():
    with open(FILES[1]) as file:
        return json.load(file)


def end(task):
    """A task that ends its worker."""
    os._exit(1)
