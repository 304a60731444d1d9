"""Runs the whole pipeline with other seeds, and says how far the metrics spread.

    make seeds                       two seeds more than the one in params.yaml
    sh scripts/run seeds --count 4 --out reports/seeds/spread.json

In:  HEAD and its metrics. Each seed draws another record, other faults, other initial weights.
Out: {detector: {metric: {"mean": , "min": , "max": , "values": [...]}}} over all seeds, to be
     committed; `make compare` holds changes against it.
"""
import os
import shutil
import sys
import tempfile

from kit.base.cli import parser, read_json, run, write_json
from kit.base.params import load_params
from kit.rebuild.clones import ROOT, change_params, clone_head, repro

METRICS = os.path.join("reports", "evaluate", "metrics.json")


def metrics_of(seed, base):
    """The metrics of HEAD with every seed set to `seed`."""
    clone = os.path.join(base, str(seed))
    clone_head(clone)
    change_params(clone, {section: {"seed": seed} for section, values in
                          load_params(os.path.join(clone, "params.yaml")).items()
                          if "seed" in values})
    repro(clone, clone + ".log", dict(os.environ), task="seed %d" % seed)
    return read_json(os.path.join(clone, METRICS))


def spread(runs):
    """{detector: {metric: {"mean", "min", "max", "values"}}} of several metrics.json contents."""
    result = {}
    for detector in runs[0]:
        for metric in runs[0][detector]:
            values = [each[detector].get(metric) for each in runs if detector in each]
            if all(isinstance(value, (int, float)) for value in values):
                mean = float("%.6g" % (sum(values) / len(values)))
                result.setdefault(detector, {})[metric] = {
                    "mean": mean, "min": min(values), "max": max(values), "values": values}
    return result


def main(argv):
    p = parser(__doc__)
    p.add_argument("--count", type=int, default=2, help="seeds beside that of params.yaml")
    p.add_argument("--out", default="reports/seeds/spread.json", help="file to write")
    args = p.parse_args(argv)
    first = load_params(os.path.join(ROOT, "params.yaml"))["generate"]["seed"]
    seeds = [first + number for number in range(args.count + 1)]
    runs = [read_json(os.path.join(ROOT, METRICS))]
    base = tempfile.mkdtemp(prefix="seeds-")
    try:
        for seed in seeds[1:]:
            print("seed %d: the whole pipeline, some minutes" % seed, file=sys.stderr, flush=True)
            runs.append(metrics_of(seed, base))
    finally:
        shutil.rmtree(base)
    write_json(args.out, {"seeds": seeds, "detectors": spread(runs)})
    print("spread over seeds %s written to %s" % (", ".join(map(str, seeds)), args.out))


if __name__ == "__main__":
    run(main)
