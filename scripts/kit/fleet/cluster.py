"""Tasks on Dask: futures over groups of sensors, on this machine's cores or on a cluster."""
import contextlib
import os
import resource
import sys
import time

import dask

from kit.base.cli import UserError
from kit.fleet import store
from kit.fleet.engine import score, shared


def run(task):
    """Score a group of sensors into partitions.

    Returns a dict: rows, cpu_s (without what is made once), failures {sensor: why}, memory_mb (the
    most that the process had).

    task : dict of `name`, `store`, `files` (model, detector, scaler), `of`, `ignored`, `limit`,
        `sensors` [[name, files], ...], `places` {sensor: (part, line)} of their states
    """
    failures, rows, began = {}, 0, time.process_time()
    try:
        common = shared(*task["files"])
        began = time.process_time()
        states = store.states(task["store"], task["places"])
        group = [(name, files, states.get(name)) for name, files in task["sensors"]]
        parts = score(group, common, task["ignored"], failures, task["limit"])
        for number, found in enumerate(parts):
            store.write(task["store"], "%s.%04d" % (task["name"], number), found, task["of"], common)
            rows += sum(sensor.place["rows"] - sensor.first_row for sensor in found.values())
    except (UserError, OSError) as error:
        failures = dict({name: str(error) for name, _ in task["sensors"]}, **failures)
    return {"rows": rows, "failures": failures, "cpu_s": time.process_time() - began,
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
        if future.status == "finished":
            yield future.result()
            continue
        error = future.exception()
        yield {"rows": 0, "cpu_s": 0, "memory_mb": 0, "failures": {
            name: "the task ended with %s: %s" % (
                type(error).__name__, (str(error).strip() or "no reason").splitlines()[0])
            for name, _ in futures[future]["sensors"]}}


def cores():
    return len(os.sched_getaffinity(0))
