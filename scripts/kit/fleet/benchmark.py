"""What a fleet costs beside `detect` on each sensor, in one environment; and whether alarms differ."""
import json
import os
import re
import subprocess
import sys
import tempfile

from kit.base.cli import UserError
from kit.fleet import store, tables

BATCHES, SENSORS = (1, 8, 64, 256), (100, 300, 1000, 3000, 10000)
COST = re.compile(r"(\d+) rows in ([0-9.]+) s; ([0-9.]+) us of CPU a row, (\d+) MB")
DETECT = """
import contextlib, io, json, sys, time
sys.path.insert(0, sys.argv[1])
import detect
options, printed = sys.argv[2:8], {}
detect_s, rows = 0, 0
for line in sys.stdin.read().splitlines():
    name, path = line.split("\\t")
    out, began = io.StringIO(), time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        detect.main(["--log", path] + options)
    detect_s += time.process_time() - began
    printed[name] = out.getvalue()
json.dump({"s": detect_s, "printed": printed}, sys.stdout)
"""
LINE = "%-34s %9s %12s %14s %12s"


def lines(script, logs, files, compared, workers):
    """Yield the lines of the table as they are measured.

    script : path of fleet.py; logs : {sensor: files}; compared : sensors that `detect` is run on
    workers : processes at most; 0 leaves Dask out
    """
    options = [word for pair in zip(("--model", "--detector", "--scaler"), files) for word in pair]
    yield LINE % ("", "sensors", "rows/s", "us CPU/row", "MB/process")
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        def run(names, out, *more):
            return scored(script, folder, {name: logs[name] for name in names}, out, options, more)

        names = list(logs)
        few = names[:BATCHES[-1]]
        for batch in BATCHES:
            if batch <= len(few):
                yield row("one process, batch %d" % batch, len(few),
                          run(few, str(batch), "--workers", "0", "--batch", str(batch)))
        for count in [count for count in SENSORS if count < len(names)] + [len(names)]:
            yield row("one process", count, run(names[:count], "n%d" % count, "--workers", "0"))
        for number in [number for number in (1, 2, 4, 8, 16) if number <= workers]:
            yield row("Dask, %d worker%s" % (number, "s" * (number > 1)), len(names),
                      run(names, "w%d" % number, "--workers", str(number)))
        alone = [(name, logs[name][0]) for name in names if len(logs[name]) == 1][:compared]
        found = detected(os.path.dirname(script), options, alone)
        last = os.path.join(folder, "n%d" % len(names), "state")
        chains = store.chains(last, {name: store.identity(files) for name, _ in alone})
        events = tables.events(last, chains)
        rows = sum(parts[-1]["rows"] for parts in chains.values())
        cost = 1e6 * found["s"] / max(rows, 1)
        yield LINE % ("detect, one after the other", len(alone), "%d" % (1e6 / cost), "%.2f" % cost, "")
        other = [name for name, _ in alone if tables.lines(events.get(name, [])) != found["printed"][name]]
        yield "%d of %d sensors have other lines than detect prints (%d lines)%s" % (
            len(other), len(alone), sum(text.count("\n") - 1 for text in found["printed"].values()),
            ": " + ", ".join(other[:5]) if other else "")


def row(what, sensors, cost):
    rows, seconds, cpu_us, memory = cost
    return LINE % (what, sensors, "%d" % (rows / seconds), "%.2f" % cpu_us, "%d" % memory)


def scored(script, folder, logs, out, options, more):
    """(rows, seconds with the start of the workers, us of CPU a row, MB) of a run of `score`."""
    place = os.path.join(folder, out + "-logs")
    for name, paths in logs.items():
        os.makedirs(os.path.join(place, "sensor=" + name))
        for path in paths:
            os.symlink(path, os.path.join(place, "sensor=" + name, os.path.basename(path)))
    done = subprocess.run(
        [sys.executable, script, "score", "--logs", place, "--out", os.path.join(folder, out)]
        + options + list(more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    found = COST.search(done.stderr)
    if not found:
        raise UserError((done.stderr.strip().splitlines() or ["score failed"])[-1])
    return tuple(map(float, found.groups()))


def detected(scripts, options, logs):
    """{"s": CPU time, "printed": {sensor: lines}} of `detect` on logs [(sensor, path), ...]."""
    done = subprocess.run([sys.executable, "-c", DETECT, scripts] + options,
                          input="".join("%s\t%s\n" % pair for pair in logs), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        raise UserError((done.stderr.strip().splitlines() or ["detect failed"])[-1])
    return json.loads(done.stdout)
