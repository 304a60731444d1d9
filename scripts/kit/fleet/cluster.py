"""Tasks on Dask: futures over groups of sensors, on this machine's cores or on a cluster."""
import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import time

import dask

from kit.base.cli import UserError, read_json
from kit.fleet import store
from kit.fleet.engine import score, shared


def run(task):
    """Score a group of sensors into partitions.

    Returns a dict: rows, span (when it began and ended, in seconds of the clock) and cpu_s, both
    without what is made once, failures {sensor: why}, memory_mb (the most that the process had).

    task : dict of `name`, `store`, `files` (model, detector, scaler), `of`, `ignored`, `limit`,
        `sensors` [[name, files], ...], `places` {sensor: (part, line)} of their states
    """
    failures, rows, began = {}, 0, (time.time(), time.process_time())
    try:
        common = shared(*task["files"])
        began = time.time(), time.process_time()
        states = store.states(task["store"], task["places"])
        group = [(name, files, states.get(name)) for name, files in task["sensors"]]
        parts = score(group, common, task["ignored"], failures, task["limit"])
        for number, found in enumerate(parts):
            store.write(task["store"], "%s.%04d" % (task["name"], number), found, task["of"], common)
            rows += sum(sensor.place["rows"] - sensor.first_row for sensor in found.values())
    except (UserError, OSError) as error:
        failures = dict({name: str(error) for name, _ in task["sensors"]}, **failures)
    parts = found = None
    gc.collect()  # sensors and their watches hold each other, and their arrays do not hasten Python
    return {"rows": rows, "failures": failures, "span": (began[0], time.time()),
            "cpu_s": time.process_time() - began[1],
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


@contextlib.contextmanager
def client(scheduler, workers):
    """A Client of the scheduler at an address, or of so many processes here; None for no worker."""
    if not scheduler and not workers:
        yield None
        return
    dask.config.set({"distributed.scheduler.allowed-failures": 2, "logging": {
        "distributed": "error", "distributed.client": "critical"}})  # failures are told as such
    from distributed import Client, LocalCluster  # after that: it sets its logging as it is imported

    if scheduler:
        try:
            connected = Client(scheduler, timeout=10, name="fleet")
        except (OSError, ValueError) as error:
            raise UserError("%s: no Dask scheduler answers there (%s)" % (
                scheduler, str(error).splitlines()[0]))
        with connected:
            yield connected
        return
    # One task at a time in a process: interpreter and buffers are the process's.
    with LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1",
                      dashboard_address="127.0.0.1:0") as cluster, Client(cluster) as connected:
        yield connected


def work(tasks, connected, function=run):
    """Yield function(task) of each task as it is done; one whose workers die counts as failed."""
    if connected is None:
        for task in tasks:
            yield function(task)
        return
    from distributed import as_completed

    if connected.dashboard_link:
        print("dashboard: %s" % connected.dashboard_link, file=sys.stderr, flush=True)
    futures = {connected.submit(function, task, pure=False): task for task in tasks}
    for future in as_completed(futures):
        try:
            result = future.result()
        except Exception as error:  # the task's, its workers' end, or the scheduler's
            result = {"rows": 0, "span": None, "cpu_s": 0, "memory_mb": 0, "failures": {
                name: "the task ended with %s: %s" % (
                    type(error).__name__, (str(error).strip() or "no reason").splitlines()[0])
                for name, _ in futures[future]["sensors"]}}
        yield result


class Processes:
    """A scheduler and workers as processes of this machine, each to be killed; a context.

    command : what runs fleet.py; folder : for what they write
    """

    def __init__(self, command, folder):
        self._command, self._folder, self._running = command, str(folder), {}

    def __enter__(self):
        self.scheduler()
        return self

    def __exit__(self, *_):
        for name in list(self._running):
            self.kill(name)

    def scheduler(self):
        """Start one, at another address than those before."""
        file = os.path.join(self._folder, "scheduler.json")
        if os.path.exists(file):
            os.remove(file)
        self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0",
                    "--dashboard-address", "127.0.0.1:0", "--scheduler-file", file)
        wait(lambda: os.path.exists(file) and os.path.getsize(file))
        self.address = read_json(file)["address"]

    def worker(self, name):
        self._start(name, "worker", self.address, "--host", "127.0.0.1", "--no-dashboard")

    def kill(self, name):
        """Kill a process and those that it started."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _start(self, name, *arguments):
        with open(os.path.join(self._folder, name + ".log"), "ab") as log:
            self._running[name] = subprocess.Popen(
                self._command + list(arguments), cwd=self._folder, stdout=log, stderr=log,
                start_new_session=True)


def wait(holds, seconds=400):  # a busy machine takes a minute to start them
    """Wait until something holds; UserError when that takes too long."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise UserError("nothing happened for %d s" % seconds)
        time.sleep(0.05)


def cores():
    return len(os.sched_getaffinity(0))
