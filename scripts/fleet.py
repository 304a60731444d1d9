"""A detector for thousands of sensors, on the cores of this machine or on a Dask cluster.

    sh scripts/run fleet make --sensors 1000 --samples 100000 --seed 7 --out plant
    sh scripts/run fleet score --logs plant/logs --out alarms
    sh scripts/run fleet score --logs 'logs/*.parquet' --out alarms --state state
    sh scripts/run fleet score --logs plant/logs --out alarms --scheduler tcp://10.0.0.1:8786
    sh scripts/run fleet train --logs plant/logs --groups groups.csv --out groups
    sh scripts/run fleet bench --logs plant/logs

score
In:  a log for each sensor, Parquet or any that `detect` reads: folders `sensor=0001/` of one or more
     files, or a file each; a step model with its detector and scaler, or --models, a table
     `sensor,model,detector,scaler` of them.
Out: alarms.parquet (a row per alarm), health.parquet (a row per sensor), failures.csv, summary.txt
     and worst.png in --out. Every sensor has the alarms that `detect` has of it alone.

What is computed is kept in --state (by default in --out) with the state of each sensor: a run that
was killed goes on where it was, and rows that are appended to the logs, or come in further files,
cost what is new. The exit status is 1 where a sensor failed; the others are done all the same.

make writes a simulated fleet: logs, and faults.csv. train runs the pipeline for each group of the
table `sensor,group`: models, models.csv for `score --models`, and metrics.json for `dvc metrics show`.
bench prints rows a second of score and of detect, and compares their alarms: whatever the batch, the
workers, and what is killed.
"""
import os
import shutil
import sys
import tempfile
import time

from kit.base.cli import UserError, counted, parser, progress, run, write_json
from kit.base.params import load_yaml
from kit.fleet import benchmark, cluster, sensors, store, tables, training
from kit.fleet.engine import ROWS

FILES = ("model", "detector", "scaler")
COST = ("%d rows in %.1f s, of which %.1f s after the start of processes; %.2f us of CPU a row, "
        "%.0f MB at most in a process")
LEAST_SAMPLES, MADE_AT_ONCE = 2000, 4


# ---- score -------------------------------------------------------------------------------------

def models(args, names, failures):
    """{sensor: absolute paths of its (model, detector, scaler)}; what lacks is a failure."""
    default = tuple(os.path.abspath(getattr(args, name)) for name in FILES)
    if args.models is None:
        for path in default:
            if not os.path.exists(path):
                raise UserError("%s: No such file" % path)
        return {name: default for name in names}
    found = model_table(args.models, default)
    for name in names:
        lacking = [path for path in found.get(name, ()) if not os.path.exists(path)]
        if name not in found:
            failures[name] = "%s has no row of this sensor" % args.models
        elif lacking:
            failures[name] = "%s: No such file" % lacking[0]
    return {name: found[name] for name in names if name not in failures}


def model_table(path, default):
    """{sensor: files} of a table; its paths are relative to it, and what it does not say is the
    default."""
    rows = tables.read_rows(path, ("sensor", "model"))
    folder = os.path.dirname(os.path.abspath(path))
    return {row["sensor"]: tuple(os.path.join(folder, row[name]) if row.get(name) else other
                                 for name, other in zip(FILES, default)) for row in rows}


def unread(logs, files, chains, failures):
    """{files of a model: [sensor, ...]} of those with new rows, the longest first."""
    found = {}
    for name in files:
        place = dict(sensors.START, **chains[name][-1]) if name in chains else sensors.START
        try:
            new = sensors.fresh(logs[name], place)
        except UserError as error:
            failures[name] = str(error)
            continue
        if new or name not in chains:
            found.setdefault(files[name], []).append((-sensors.size(new), name))
    return {triple: [name for _, name in sorted(names)] for triple, names in sorted(found.items())}


def tasks(left, logs, chains, folder, workers, args):
    """The tasks of what `unread` found: sensors of one model and of like length together."""
    there = os.listdir(folder) if os.path.isdir(folder) else []
    run = 1 + max([int(name[:6]) for name in there if name[:6].isdigit()], default=0)
    found = []
    for triple, names in left.items():
        groups = max(-(-len(names) // args.batch), min(workers, len(names)))
        size = -(-len(names) // groups)  # none much smaller: a batch costs by its calls
        for start in range(0, len(names), size):
            group = names[start:start + size]
            found.append({
                "name": "%06d-%06d" % (run, len(found)), "store": folder, "files": triple,
                "of": store.identity(triple), "ignored": args.ignore,
                "limit": args.partition_rows // ROWS * ROWS,
                "sensors": [[name, logs[name]] for name in group],
                "places": {name: (chains[name][-1]["part"], chains[name][-1]["line"])
                           for name in group if name in chains}})
    return found


def score(args):
    failures, folder = {}, os.path.abspath(args.state or os.path.join(args.out, "state"))
    if args.batch < 1 or args.workers < 0 or args.partition_rows < ROWS:
        raise UserError("--batch is at least 1, --workers 0, --partition-rows %d" % ROWS)
    logs = sensors.find(args.logs)
    files = models(args, logs, failures)
    identities = {triple: store.identity(triple) for triple in set(files.values())}
    of = {name: identities[triple] for name, triple in files.items()}
    store.sweep(folder)
    chains = store.chains(folder, of)
    left = unread(logs, files, chains, failures)
    print("%s, %d with new rows" % (counted(len(logs), "sensor"), sum(map(len, left.values()))),
          file=sys.stderr)
    if left:
        began, results = time.monotonic(), []
        with cluster.client(args.scheduler, args.workers) as connected:
            workers = args.workers if connected is None else sum(connected.nthreads().values())
            todo = tasks(left, logs, chains, folder, workers, args)
            for result in progress(cluster.work(todo, connected), "groups of sensors", len(todo)):
                failures.update(result["failures"])
                results.append(result)
        rows = sum(result["rows"] for result in results)
        spans = [result["span"] for result in results if result["span"]] or [(0, 0)]
        print(COST % (rows, time.monotonic() - began,
                      max(end for _, end in spans) - min(start for start, _ in spans),
                      1e6 * sum(result["cpu_s"] for result in results) / max(rows, 1),
                      max(result["memory_mb"] for result in results)), file=sys.stderr)
    print(tables.write(args.out, folder, store.chains(folder, of), failures), end="")
    if failures:
        print("%s names what failed" % os.path.join(args.out, "failures.csv"), file=sys.stderr)
    return 1 if failures else 0


# ---- make, train ---------------------------------------------------------------------------------

def make(args):
    from kit.fleet import simulated  # with all of scipy: seconds that no worker of score needs

    if min(args.sensors, args.workers + 1, args.samples - LEAST_SAMPLES + 1) < 1:
        raise UserError("--sensors is at least 1, --workers 0, --samples %d" % LEAST_SAMPLES)
    folder, digits = os.path.abspath(os.path.join(args.out, "logs")), len(str(args.sensors - 1))
    todo = [{"folder": folder, "samples": args.samples, "seed": args.seed, "digits": max(4, digits),
             "numbers": list(range(start, min(start + MADE_AT_ONCE, args.sensors)))}
            for start in range(0, args.sensors, MADE_AT_ONCE)]
    faults = []
    with cluster.client(args.scheduler, args.workers) as connected:
        for result in progress(cluster.work(todo, connected, simulated.run), "machines", len(todo)):
            faults += result["faults"]
    tables.write_rows(os.path.join(args.out, "faults.csv"), simulated.FAULTS, sorted(faults))
    print("%s, %s in %s" % (counted(args.sensors, "machine"), counted(len(faults), "fault"), args.out))


def train(args):
    training.environments_are_here()
    logs, groups = sensors.find(args.logs), training.read_groups(args.groups)
    changes = load_yaml(args.params) if args.params else {}
    metrics, failures, rows = {}, {}, []
    with tempfile.TemporaryDirectory(prefix="fleet-") as base:
        for group, names in groups.items():
            try:
                lacking = [name for name in names if not logs.get(name)]
                if lacking:
                    raise UserError("%s has no log of sensor %s" % (args.logs, lacking[0]))
                metrics[group] = training.train(group, {name: logs[name] for name in names}, base,
                                                os.path.join(args.out, group), changes)
                rows += [[name] + [os.path.join(group, file) for file in training.FILES]
                         for name in names]
            except UserError as error:
                failures[group] = str(error)
            shutil.rmtree(os.path.join(base, group), ignore_errors=True)
            write_json(os.path.join(args.out, "metrics.json"), metrics)
            tables.write_rows(os.path.join(args.out, "models.csv"), ("sensor",) + FILES, rows)
            tables.write_rows(os.path.join(args.out, "failures.csv"), ("group", "reason"),
                        sorted(failures.items()))
    print("%s trained, %d failed; %s" % (
        counted(len(metrics), "group"), len(failures), os.path.join(args.out, "metrics.json")))
    return 1 if failures else 0


# ---- bench -------------------------------------------------------------------------------------

def bench(args):
    logs = sensors.find(args.logs)
    if not 0 < args.compared <= len(logs):
        raise UserError("--compared is between 1 and %d, the sensors" % len(logs))
    files = [os.path.abspath(getattr(args, name)) for name in FILES]
    for line in benchmark.lines(os.path.abspath(__file__), logs, files, args.compared, args.workers,
                                args.kills):
        print(line, flush=True)


DASK = {"scheduler": [], "worker": ["--nthreads", "1"]}


def dask(command, options):
    """Become Dask's scheduler or worker, with the pins of scripts/run and with the kit to import."""
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    os.execv(sys.executable, [sys.executable, "-m", "dask", command] + DASK[command] + options)


# ---- the whole ---------------------------------------------------------------------------------

def model_options(c):
    c.add_argument("--model", default="models/convert/step_int8.tflite",
                   help="model of the step form (default: %(default)s)")
    c.add_argument("--detector", default="reports/evaluate/detectors.json",
                   help="fitted detectors (default: %(default)s)")
    c.add_argument("--scaler", default="models/train/scaler.json", help="default: %(default)s")


def dask_options(c):
    c.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as "
                   "tcp://10.0.0.1:8786; without it, processes here")
    c.add_argument("--workers", type=int, default=cluster.cores(),
                   help="processes here; 0 works in this one (default: %(default)s, the cores)")


def arguments(argv):
    p = parser(__doc__)
    commands = p.add_subparsers(dest="command", required=True)
    c = commands.add_parser("score", help="alarms of every sensor")
    c.add_argument("--logs", required=True, help="folder of logs, or a pattern of files or folders")
    c.add_argument("--out", required=True, help="folder for the tables")
    model_options(c)
    c.add_argument("--models", metavar="CSV", help="table sensor,model,detector,scaler")
    c.add_argument("--ignore", action="append", default=[], metavar="COLUMN",
                   help="a column to leave out; may be given again")
    c.add_argument("--state", metavar="DIR", help="what is done, and the sensors' states "
                   "(default: OUT/state)")
    dask_options(c)
    c.add_argument("--batch", type=int, default=64,
                   help="sensors in lock step in a task (default: %(default)s)")
    c.add_argument("--partition-rows", type=int, default=1 << 20,
                   help="rows of a sensor after which a task saves what it has (default: %(default)s)")
    c.set_defaults(run=score)
    c = commands.add_parser("make", help="a fleet of simulated machines")
    c.add_argument("--sensors", type=int, default=1000, help="default: %(default)s")
    c.add_argument("--samples", type=int, default=100000, help="of the longest (default: %(default)s)")
    c.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    c.add_argument("--out", required=True, help="folder for logs and faults.csv")
    c.set_defaults(run=make)
    dask_options(c)
    c = commands.add_parser("train", help="a model for each group of sensors")
    c.add_argument("--logs", required=True, help="as of score: normal operation")
    c.add_argument("--groups", required=True, metavar="CSV", help="table sensor,group")
    c.add_argument("--params", metavar="YAML", help="sections train and evaluate, and log for "
                   "generate.log, with what is to be other than in params.yaml")
    c.add_argument("--out", required=True, help="folder for models and metrics")
    c.set_defaults(run=train)
    c = commands.add_parser("bench", help="rows a second, memory, and the alarms of detect")
    c.add_argument("--logs", required=True, help="as of score")
    c.add_argument("--compared", type=int, default=16, help="sensors that detect is run on, too "
                   "(default: %(default)s)")
    c.add_argument("--kills", action="store_true", help="with a worker killed, and with the scheduler "
                   "killed and the run again, too")
    c.set_defaults(run=bench)
    model_options(c)
    dask_options(c)
    commands.add_parser("scheduler", help="a Dask scheduler of this environment, with Dask's options")
    commands.add_parser("worker", help="a Dask worker of it: fleet worker tcp://10.0.0.1:8786")
    return p.parse_args(argv)


def main(argv):
    if argv[:1] and argv[0] in DASK:
        return dask(argv[0], argv[1:])
    args = arguments(argv)
    return args.run(args)


if __name__ == "__main__":
    run(main)
