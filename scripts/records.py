"""Runs the whole pipeline on every record of a folder, and says how well it detects on each.

    make records RECORDS=folder
    sh scripts/run records folder --out reports/records/records.json
    sh scripts/run records --shown reports/records/records.json --into docs/evaluation.md

In:  HEAD, and a folder of folders. Each holds a log with labels, a CSV file or a folder of them, and
     a params.yaml: what it says of generate, train, convert and evaluate takes the place of HEAD's
     parameters, except for generate.source, which is the log. Everything runs in throwaway clones.
Out: {record: {"asked": false alarms per day, "metrics": {detector: of metrics.json}}}, and tables:
     VUS-PR with baselines and floors beside it, what int8 costs, and false alarms against the rate
     that was asked for. With --into they stand between the marks `<!-- records -->` and
     `<!-- /records -->` of a file.
"""
import os
import shutil
import sys
import tempfile

import yaml

from kit.base.cli import UserError, counted, parser, read_json, run, write_json
from kit.base.params import load_params
from kit.detection.baselines import BASELINES
from kit.page.results import HEADLINE, aligned, put_into_file
from kit.rebuild.clones import change_params, clone_head, repro

METRICS = os.path.join("reports", "evaluate", "metrics.json")
ENSEMBLES = ("keras", "step_float32", "step_int8", "linear_model", "without_model")
INTEGERS = ("step_int8", "step_int16x8")
ALONE = ("residual_alone", "plane_alone", "level_alone")
ALARMING = ("step_int8", "without_model", "residual_alone", "pca_residual", "global_max_z")
ERRORS = ("forecast_mean_abs_error", "last_sample_mean_abs_error")
KEPT = tuple(HEADLINE) + ERRORS  # of each detector's metrics
FACTOR = 3.0  # between the false alarms that there were and those asked for


def folders(path):
    """{record: its folder} of every folder with a params.yaml; UserError when there is none."""
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    found = {name: os.path.join(path, name) for name in names
             if os.path.isfile(os.path.join(path, name, "params.yaml"))}
    if not found:
        raise UserError("%s: no folder in it has a params.yaml" % path)
    return found


def log_of(folder):
    """The log of a record: what is called log or log.csv, else all there is beside params.yaml."""
    there = [name for name in sorted(os.listdir(folder))
             if name != "params.yaml" and not name.startswith(".")]
    found = [name for name in ("log", "log.csv") if name in there] or there
    if len(found) != 1:
        raise UserError("%s: the log must be called log or log.csv; there is %s"
                        % (folder, ", ".join(found) or "none"))
    return os.path.join(folder, found[0])


def changes(theirs, ours):
    """What a record's params say, {section: {key: value}}, of keys that there are.

    Printed: keys that there are no more.
    """
    sections = {section: theirs.get(section) or {} for section in ours}
    unknown = ["%s.%s" % (section, key) for section, values in sections.items()
               for key in values if key not in ours[section]]
    if unknown:
        print("not a parameter any more, left out: %s" % ", ".join(unknown), file=sys.stderr)
    return {section: {key: over(value, ours[section][key]) for key, value in values.items()
                      if key in ours[section]} for section, values in sections.items()}


def over(theirs, ours):
    """Their value; of a group of values, such as generate.log, those that they have."""
    return dict(ours, **theirs) if isinstance(ours, dict) else theirs


def metrics_of(folder, base):
    """{"asked", "metrics"} of HEAD on the record in a folder."""
    clone, log = os.path.join(base, os.path.basename(folder)), log_of(folder)
    clone_head(clone)
    with open(os.path.join(folder, "params.yaml"), encoding="utf-8") as file:
        theirs = yaml.safe_load(file)
    changed = changes(theirs, load_params(os.path.join(clone, "params.yaml")))
    source = os.path.join("record", os.path.basename(log))
    if os.path.isdir(log):
        shutil.copytree(log, os.path.join(clone, source))
    else:
        os.makedirs(os.path.join(clone, "record"))
        shutil.copy(log, os.path.join(clone, source))
    changed["generate"]["source"] = source
    change_params(clone, changed)
    repro(clone, clone + ".log", dict(os.environ), stages=["evaluate"])
    asked = load_params(os.path.join(clone, "params.yaml"))["evaluate"]["false_alarms_per_day"]
    return {"asked": asked, "metrics": kept(read_json(os.path.join(clone, METRICS)))}


def kept(metrics):
    """What the tables need of metrics.json."""
    return {name: {key: values[key] for key in KEPT if key in values}
            for name, values in metrics.items()}


# ---- tables ------------------------------------------------------------------------------------

def tables(found):
    """Lines: VUS-PR of each record, then its false alarms, each with what they come to."""
    found = {name: values for name, values in found.items()
             if "vus_pr" in values["metrics"]["keras"]}
    return areas(found) + [""] + costs(found) + [""] + alarms(found)


def areas(found):
    """VUS-PR, a line per record and the mean."""
    rows = {name: [values["metrics"].get(detector, {}).get("vus_pr") for detector in ENSEMBLES + ALONE]
            + list(best_baseline(values["metrics"])) + [values["metrics"]["floor_random"]["vus_pr"],
                                                        error_ratio(values["metrics"]["keras"])]
            for name, values in found.items()}
    heads = ["VUS-PR"] + list(ENSEMBLES + ALONE) + ["best baseline", "", "floor_random",
                                                    "error/last sample's"]
    cells = [[name] + [shown(value) for value in row] for name, row in rows.items()]
    means = [mean(column) for column in zip(*rows.values())]
    return aligned([heads] + cells + [["mean"] + [shown(value) for value in means]])


def best_baseline(metrics):
    """(VUS-PR, name) of the baseline that is best on this record."""
    return max((metrics[name]["vus_pr"], name) for name in BASELINES if name in metrics)


def error_ratio(values):
    """Forecast error over that of the last sample repeated; above 1 the model forecasts worse."""
    error, again = (values.get(key) for key in ERRORS)
    return error / again if error is not None and again else None


def costs(found):
    """What integers cost: a line per precision with the relative change of each record, their mean."""
    names = [name for name, values in found.items() if "step_float32" in values["metrics"]]
    rows = []
    for precision in INTEGERS:
        changes = [change(found[name]["metrics"], precision) for name in names]
        rows.append([precision] + [shown(value, "%+.1f") for value in changes + [mean(changes)]])
    return aligned([["VUS-PR against step_float32, %"] + names + ["mean"]] + rows)


def change(metrics, name):
    """Change of VUS-PR in per cent from step_float32 to a file; None without it."""
    if name not in metrics:
        return None
    return 100 * (metrics[name]["vus_pr"] / metrics["step_float32"]["vus_pr"] - 1)


def alarms(found):
    """False alarms per day as a multiple of what was asked, a line per record, and how many hold."""
    rows = {name: [values["metrics"].get(detector, {}).get("false_alarms_per_day")
                   for detector in ALARMING] for name, values in found.items()}
    factors = {name: [None if value is None else value / found[name]["asked"] for value in row]
               for name, row in rows.items()}
    heads = ["false alarms a day: times those asked"] + list(ALARMING) + ["asked"]
    cells = [[name] + [shown(value, "%.2f") for value in row] + ["%.3g" % found[name]["asked"]]
             for name, row in factors.items()]
    columns = list(zip(*factors.values()))
    few = [sum(value is not None and value <= FACTOR for value in column) for column in columns]
    near = [sum(value is not None and 1 / FACTOR <= value <= FACTOR for value in column)
            for column in columns]
    return aligned([heads] + cells + [
        [label] + ["%d of %d" % (number, len(rows)) for number in numbers] + [""]
        for label, numbers in (("at most three times", few), ("nor less than a third", near))])


def shown(value, form="%.3f"):
    """A number as text, a dash for None, a name as it is."""
    return value if isinstance(value, str) else "–" if value is None else form % value


def mean(values):
    """The mean of the numbers among values; "" where there are names."""
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return ""
    return sum(known) / len(known) if known else None


# ---- the whole ---------------------------------------------------------------------------------

def run_all(path, out):
    """Run the pipeline on every record; what is done is written after each, for it takes long."""
    found, places, refused = {}, folders(path), []
    base = tempfile.mkdtemp(prefix="records-")
    try:
        for number, (name, folder) in enumerate(places.items(), 1):
            print("%s, %d of %s: the whole pipeline, some minutes"
                  % (name, number, counted(len(places), "record")), file=sys.stderr, flush=True)
            try:
                found[name] = metrics_of(os.path.abspath(folder), base)
                write_json(out, found)
            except UserError as error:  # hours of the others are not to be lost
                print("%s: %s" % (name, error), file=sys.stderr, flush=True)
                refused.append(name)
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
    finally:
        shutil.rmtree(base)
    if refused:
        print("\n".join(tables(found)) if found else "")
        raise UserError("no result of %s; the tables are of the others" % ", ".join(refused))
    return found


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("records", nargs="?", help="folder of folders: a log and a params.yaml each")
    p.add_argument("--out", default="reports/records/records.json", help="file to write")
    p.add_argument("--shown", metavar="FILE.json", help="what an earlier run wrote: its tables alone")
    p.add_argument("--into", metavar="FILE.md", help="put the tables there instead of printing them")
    args = p.parse_args(argv)
    if bool(args.records) == bool(args.shown):
        p.error("give a folder of records, or with --shown what an earlier run wrote")
    return args


def main(argv):
    args = arguments(argv)
    found = read_json(args.shown) if args.shown else run_all(args.records, args.out)
    if args.into:
        put_into_file(args.into, tables(found), "records")
    else:
        print("\n".join(tables(found)))


if __name__ == "__main__":
    run(main)
