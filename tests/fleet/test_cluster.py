"""On a cluster of processes: killed workers, a killed scheduler, and a rerun give the same."""
import os
import subprocess
from types import SimpleNamespace

import pytest

import fleets  # first: it skips where its environment is not
import distributed
import fleet
from distributed.comm import CommClosedError
from fleets import built, command, found, score, tables
from kit.fleet import cluster

pytestmark = [built, pytest.mark.slow]


@pytest.fixture
def dask(tmp_path):
    with cluster.Processes(command(), tmp_path) as running:
        yield running


def parts(state):
    return [name for name in os.listdir(str(state)) if name[0] != "."] if os.path.isdir(
        str(state)) else []


def started(folder, out, running):
    return subprocess.Popen(
        command(*score(folder, out, "--scheduler", running.address, "--partition-rows", "1024",
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
    cluster.wait(lambda: parts(state))
    dask.kill("one")
    text = run.communicate(timeout=600)[0]
    assert run.returncode == 0, text
    assert found(folder, state) == printed


def test_a_scheduler_that_is_killed_and_a_rerun(plant, tmp_path, dask):
    folder, printed, _ = plant
    dask.worker("one")
    run, state = started(folder, tmp_path / "out", dask), tmp_path / "out" / "state"
    cluster.wait(lambda: parts(state))
    dask.kill("scheduler")
    text = run.communicate(timeout=600)[0]
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


class Done:
    """A future whose task is done, and whose scheduler ends before the result is here."""

    status = "finished"

    def result(self):
        raise CommClosedError("in <TCP>: Stream is closed")


def test_a_scheduler_that_ends_with_a_result_on_its_way_is_a_failure(monkeypatch):
    monkeypatch.setattr(distributed, "as_completed", list)
    client = SimpleNamespace(dashboard_link=None, submit=lambda *_, **__: Done())
    result, = cluster.work([{"sensors": [["a", []]]}], client)
    assert result["failures"] == {"a": "the task ended with CommClosedError: in <TCP>: Stream is closed"}


def test_no_scheduler_is_one_sentence(plant, tmp_path):
    done = subprocess.run(
        command(*score(plant[0], tmp_path, "--scheduler", "tcp://127.0.0.1:9")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "tcp://127.0.0.1:9: no Dask scheduler answers there" in done.stderr
