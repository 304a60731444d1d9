"""A fleet has the alarms that `detect` has of each sensor, whatever happens on the way."""
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

import fleets  # first: it skips where its environment is not
import fleet
from fleets import FILES, built, command, detected, logs, record, score, split, tables, write
from kit.fleet import cluster, sensors, store
from kit.fleet.tables import events, lines

pytestmark = [built, pytest.mark.slow]
SENSORS, ROWS = 12, 2600


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """(folder of logs, {sensor: what detect prints}, the tables of a run in one process)."""
    base = tmp_path_factory.mktemp("plant")
    folder = logs(base / "logs", SENSORS, ROWS)
    assert fleet.main(score(folder, base / "out", "--workers", "0")) == 0
    printed = {name: detected(files[0]) for name, files in sensors.find(folder).items()}
    assert sum(text.count("\n") for text in printed.values()) > 8 * SENSORS
    return folder, printed, tables(base / "out")


def found(folder, state):
    """{sensor: lines as detect prints them} of a run's state."""
    of = store.identity(FILES)
    chains = store.chains(str(state), dict.fromkeys(sensors.find(folder), of))
    return {name: lines(rows) for name, rows in events(str(state), chains).items()}


@pytest.mark.parametrize("batch", ["1", "5", "64"])
def test_the_alarms_are_those_of_detect(plant, tmp_path, batch):
    folder, printed, whole = plant
    assert fleet.main(score(folder, tmp_path, "--workers", "0", "--batch", batch)) == 0
    assert found(folder, tmp_path / "state") == printed
    assert tables(tmp_path) == whole
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")


def test_rows_that_come_later_cost_what_is_new_and_give_the_same(plant, tmp_path, capsys):
    folder, printed, whole = plant
    today = str(tmp_path / "logs")
    shutil.copytree(folder, today)
    for number, name in enumerate(sorted(printed)):
        split(today, name, 700 + 100 * number)
        os.rename(os.path.join(today, "sensor=" + name, "b.parquet"), str(tmp_path / name))
    run = score(today, tmp_path / "out", "--workers", "0", "--state", str(tmp_path / "state"),
                "--partition-rows", "1024")
    assert fleet.main(run) == 0
    for name in printed:
        os.rename(str(tmp_path / name), os.path.join(today, "sensor=" + name, "b.parquet"))
    assert fleet.main(run) == 0
    assert found(today, tmp_path / "state") == printed
    assert pq.read_table(str(tmp_path / "out" / "alarms.parquet")).to_pylist() == pq.read_table(
        os.path.join(folder, "..", "out", "alarms.parquet")).to_pylist()
    before = sorted(os.listdir(str(tmp_path / "state")))
    capsys.readouterr()
    assert fleet.main(run) == 0
    assert "12 sensors, 0 with new rows" in capsys.readouterr().err
    assert sorted(os.listdir(str(tmp_path / "state"))) == before


def test_bad_sensors_are_named_and_the_others_go_on(plant, tmp_path, capsys):
    folder, printed, _ = plant
    today = str(tmp_path / "logs")
    shutil.copytree(folder, today)
    names, values = record()
    steady = np.datetime64("2024-01-01", "us") + np.arange(50) * np.timedelta64(60, "s")
    write(os.path.join(today, "sensor=channels", "a.parquet"), ["x"] + names[1:], steady, values[:50])
    write(os.path.join(today, "sensor=twice", "a.parquet"), names, steady[np.arange(50) // 2],
          values[:50])
    for name in ("empty", "nothing", "corrupt", "text"):
        os.makedirs(os.path.join(today, "sensor=" + name))
    open(os.path.join(today, "sensor=empty", "a.parquet"), "w").close()
    with open(os.path.join(today, "sensor=text", "a.csv"), "w") as file:
        file.write("time,%s\n2021-03-01T00:00:00Z%s\n" % (",".join(names), ",oops" * len(names)))
    path = os.path.join(today, "sensor=000", "a.parquet")
    data = bytearray(open(path, "rb").read())
    data[300:3000] = bytes(2700)
    open(os.path.join(today, "sensor=corrupt", "a.parquet"), "wb").write(data)
    with open(str(tmp_path / "models.csv"), "w") as file:
        file.write("sensor,model,detector,scaler\n")
        for name in list(printed)[1:] + ["channels", "twice", "empty", "nothing", "corrupt", "text"]:
            file.write(",".join((name,) + FILES) + "\n")
        file.write("000,gone.tflite,,\n")
    assert fleet.main(score(today, tmp_path / "out", "--workers", "0",
                            "--models", str(tmp_path / "models.csv"))) == 1
    del printed["000"]
    try:
        assert found(today, tmp_path / "out" / "state") == printed
    finally:
        printed["000"] = detected(path)
    failures = (tmp_path / "out" / "failures.csv").read_text()
    for name, reason in (
            ("000", "gone.tflite: No such file"), ("channels", "it lacks speed_rpm"),
            ("empty", "is empty"), ("nothing", "no log in the folder"), ("corrupt", "damaged Parquet"),
            ("text", "column speed_rpm: 'oops' is not a number"), ("twice", "has the same time")):
        assert re.search("^%s,.*%s" % (name, reason), failures, re.M), (name, failures)
    assert failures.count("\n") == 8


# ---- on a cluster ------------------------------------------------------------------------------

class Cluster:
    """A scheduler and workers as processes on loopback."""

    def __init__(self, folder, port=0):
        self.folder, self.processes = folder, {}
        self.file = os.path.join(str(folder), "scheduler.json")
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(port),
                   "--dashboard-address", "127.0.0.1:0", "--scheduler-file", self.file)
        wait(lambda: os.path.exists(self.file))
        with open(self.file) as file:
            self.address = re.search("tcp://[0-9.:]+", file.read()).group()

    def start(self, name, *arguments):
        with open(os.path.join(str(self.folder), name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(
                command(*arguments), cwd=str(self.folder), stdout=log, stderr=log,
                start_new_session=True)

    def worker(self, name):
        self.start(name, "worker", self.address, "--host", "127.0.0.1", "--no-dashboard")

    def kill(self, name):
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def end(self):
        for name in list(self.processes):
            self.kill(name)


def wait(holds, seconds=90):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


@pytest.fixture
def dask(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.end()


def parts(state):
    return [name for name in os.listdir(str(state)) if name[0] != "."] if os.path.isdir(
        str(state)) else []


def started(folder, out, cluster):
    return subprocess.Popen(
        command(*score(folder, out, "--scheduler", cluster.address, "--partition-rows", "1024",
                       "--batch", "3")),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


def test_processes_of_its_own(plant, tmp_path):
    folder, _, whole = plant
    done = subprocess.run(command(*score(folder, tmp_path, "--workers", "2")), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    assert "dashboard: http://127.0.0.1:" in done.stdout and tables(tmp_path) == whole


def test_a_worker_that_is_killed(plant, tmp_path, dask):
    folder, printed, _ = plant
    dask.worker("one")
    dask.worker("two")
    run, state = started(folder, tmp_path / "out", dask), tmp_path / "out" / "state"
    wait(lambda: parts(state))
    dask.kill("one")
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 0, text
    assert found(folder, state) == printed


def test_a_scheduler_that_is_killed_and_a_rerun(plant, tmp_path, dask):
    folder, printed, _ = plant
    dask.worker("one")
    run, state = started(folder, tmp_path / "out", dask), tmp_path / "out" / "state"
    wait(lambda: parts(state))
    dask.end()
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 1 and "Traceback" not in text, text
    saved = {name: os.stat(str(state / name)).st_mtime_ns for name in parts(state)}
    assert fleet.main(score(folder, tmp_path / "out", "--workers", "0")) == 0
    assert found(folder, state) == printed
    assert all(os.stat(str(state / name)).st_mtime_ns == when for name, when in saved.items())


def test_a_task_that_ends_every_worker_is_a_failure_of_its_sensors():
    tasks = [{"sensors": [["a", []], ["b", []]]}]
    with cluster.client(None, 1) as connected:
        result, = cluster.work(tasks, connected, fleets.end)
    assert list(result["failures"]) == ["a", "b"] and "KilledWorker" in result["failures"]["a"]


def test_no_scheduler_is_one_sentence(plant, tmp_path):
    done = subprocess.run(
        command(*score(plant[0], tmp_path, "--scheduler", "tcp://127.0.0.1:9")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "tcp://127.0.0.1:9: no Dask scheduler answers there" in done.stderr
