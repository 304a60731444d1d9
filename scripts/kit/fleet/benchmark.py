"""What a fleet costs beside `detect` on each sensor, in one environment; and whether alarms differ."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

from kit.base.cli import UserError
from kit.fleet import store, tables
from kit.fleet.cluster import Processes, wait

BATCHES, SENSORS, WORKERS = (1, 8, 64, 256), (100, 300, 1000, 3000, 10000), (1, 2, 4, 8, 16)
COST = re.compile(r"(\d+) rows in ([0-9.]+) s, of which ([0-9.]+) s after .*; ([0-9.]+) us .*, (\d+) MB")
DETECT = """
import contextlib, io, json, resource, sys, time
sys.path.insert(0, sys.argv[1])
import detect
options, printed, cost, whole = sys.argv[2:8], {}, [0, 0], detect.detect
def timed(*arguments):
    began = time.monotonic(), time.process_time()
    whole(*arguments)
    cost[0] += time.monotonic() - began[0]
    cost[1] += time.process_time() - began[1]
detect.detect = timed
for line in sys.stdin.read().splitlines():
    name, path = line.split("\\t")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        detect.main(["--log", path] + options)
    printed[name] = out.getvalue()
json.dump({"s": cost[0], "cpu_s": cost[1], "printed": printed,
           "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}, sys.stdout)
"""
LINE = "%-34s %8s %9s %9s %12s %11s %6s"


def lines(script, logs, files, compared, workers, kills):
    """Yield the lines of the table as they are measured.

    script : path of fleet.py; logs : {sensor: files}; compared : sensors that `detect` is run on
    workers : processes at most; 0 leaves Dask out
    kills : whether a worker and a scheduler are killed, too
    """
    names = list(logs)
    alone = {name: logs[name][0] for name in names[:compared] if len(logs[name]) == 1}
    yield LINE % ("", "sensors", "rows/s", "steady", "us CPU/row", "MB/process", "other")
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        bench = Bench([sys.executable, script], folder, logs, files)
        bench.detect(os.path.dirname(script), alone)
        for batch in BATCHES:
            if batch <= len(names):
                yield bench.run("one process, batch %d" % batch, names[:BATCHES[-1]],
                                "--workers", "0", "--batch", str(batch))
        for count in [count for count in SENSORS if count < len(names)] + [len(names)]:
            yield bench.run("one process", names[:count], "--workers", "0")
        for number in [number for number in WORKERS if number <= workers]:
            yield bench.run("Dask, %d worker%s" % (number, "s" * (number > 1)), names,
                            "--workers", str(number))
        for name in ("one", "scheduler") if kills else ():
            yield bench.killed(name, names)
        yield bench.detect_line()
        yield "other: sensors with other lines than detect prints, of %d compared (%d lines)" % (
            len(alone), sum(text.count("\n") - 1 for text in bench.printed.values()))


class Bench:
    """Runs of `score` on the same logs, each into a place of its own.

    command : what runs fleet.py; folder : for what they write; logs : {sensor: files}
    files : model, detector, scaler
    """

    def __init__(self, command, folder, logs, files):
        self._command, self._folder, self._logs, self._files = command, folder, logs, files
        self._options = [word for pair in zip(("--model", "--detector", "--scaler"), files)
                         for word in pair]
        self._of, self._runs, self.printed = store.identity(files), 0, {}
        self._rows = 0  # of the sensors in `printed`, as the last run counted them

    def detect(self, scripts, alone):
        """Run `detect` on each of {sensor: file}."""
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-c", DETECT, scripts] + self._options,
                              input="".join("%s\t%s\n" % pair for pair in alone.items()),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode:
            raise UserError((done.stderr.strip().splitlines() or ["detect failed"])[-1])
        self._detect = dict(json.loads(done.stdout), whole_s=time.monotonic() - began)
        self.printed = self._detect["printed"]

    def detect_line(self):
        found, rows = self._detect, self._rows
        return LINE % ("detect, one after the other", len(self.printed), "%.0f" % (rows / found["whole_s"]),
                       "%.0f" % (rows / found["s"]), "%.2f" % (1e6 * found["cpu_s"] / rows),
                       "%.0f" % found["memory_mb"], "")

    def run(self, what, names, *more):
        """The line of a run on some sensors."""
        process, out = self._start(names, *more)
        return self._line(what, names, process, out)

    def killed(self, name, names):
        """The line of a run on two workers, one of which is killed, or the scheduler: then a new one
        is started, and the run again."""
        with Processes(self._command, self._folder) as running:
            running.worker("one")
            running.worker("two")
            process, out = self._start(names, "--scheduler", running.address)
            state = os.path.join(out, "state")
            wait(lambda: process.poll() is not None or os.path.isdir(state) and any(
                part[0] != "." for part in os.listdir(state)))
            if process.poll() is not None:
                raise UserError("the run was over before anything was killed; take more rows")
            running.kill(name)
            if name == "scheduler":
                process.communicate()
                running.scheduler()
                running.worker("three")
                process, out = self._start(names, "--scheduler", running.address, out=out)
            return self._line("scheduler killed, and run again" if name == "scheduler" else
                              "a worker of two killed", names, process, out)

    def _start(self, names, *more, out=None):
        """(the process of a run of `score`, the folder of its tables)."""
        if out is None:
            self._runs += 1
            out = os.path.join(self._folder, "%03d" % self._runs)
            for name in names:
                os.makedirs(os.path.join(out, "logs", "sensor=" + name))
                for path in self._logs[name]:
                    os.symlink(path, os.path.join(out, "logs", "sensor=" + name,
                                                  os.path.basename(path)))
        return subprocess.Popen(
            self._command + ["score", "--logs", os.path.join(out, "logs"), "--out", out]
            + self._options + list(more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            universal_newlines=True), out

    def _line(self, what, names, process, out):
        """The line of what a run says that it cost; its alarms beside those of `detect`."""
        _, said = process.communicate()
        if process.returncode:
            raise UserError((said.strip().splitlines() or ["score failed"])[-1])
        alone = [name for name in names if name in self.printed]
        chains = store.chains(os.path.join(out, "state"), dict.fromkeys(alone, self._of))
        events = tables.events(os.path.join(out, "state"), chains)
        self._rows = sum(parts[-1]["rows"] for parts in chains.values())
        other = sum(tables.lines(events.get(name, [])) != self.printed[name] for name in alone)
        cost = COST.search(said)  # there is none where all was done before
        rows, whole, steady, cpu_us, memory = map(float, cost.groups()) if cost else 5 * (np.nan,)
        return LINE % (what, len(names), "%.0f" % (rows / whole), "%.0f" % (rows / max(steady, 0.1)),
                       "%.2f" % cpu_us, "%.0f" % memory, other)
