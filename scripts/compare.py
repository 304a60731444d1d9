"""Two commits side by side: metrics, parameters, file sizes, and a page with both their plots.

    make compare A=HEAD~3 B=HEAD
    sh scripts/run compare HEAD~3 HEAD --page reports/compare

In:  what git holds of the two commits: metrics, params.yaml, dvc.lock. No cache is needed.
Out: tables on the terminal; `!` marks a metric that moved further than it does between seeds
     (reports/seeds/spread.json, by `make seeds`). The page is DVC's own plots comparison.
"""
import json
import os
import subprocess
import sys

import yaml

from kit.base.cli import UserError, parser, run
from kit.rebuild.clones import ROOT, git

METRICS, SPREAD = "reports/evaluate/metrics.json", "reports/seeds/spread.json"
HEADLINES = ("vus_pr", "auc_pr", "event_recall", "false_alarms_per_day")


def commit_named(name):
    """The short hash of a commit; UserError when there is none of that name."""
    try:
        return git("rev-parse", "--verify", "--short", name + "^{commit}").strip()
    except UserError:
        raise UserError("%s is no commit of this repository; `git log --oneline` lists them" % name)


def at(commit, path, load):
    """A parsed file of a commit; empty where the commit does not have it."""
    try:
        text = git("show", "%s:%s" % (commit, path))
    except UserError:
        return {}
    return load(text)


def flat(tree, prefix=""):
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found.update(flat(value, prefix + str(key) + "."))
        else:
            found[prefix + str(key)] = value
    return found


def sizes(lock):
    """{path: bytes} of the model files that a dvc.lock names."""
    return {out["path"]: out["size"] for spec in lock.get("stages", {}).values()
            for out in spec["outs"] if out["path"].startswith("models/")}


def beyond(key, a, b, spread):
    """Whether `detector.metric` moved from a to b by more than it does between seeds.

    Not known, so False, when the spread has neither of them: then it is that of another record.
    """
    detector, metric = key.split(".", 1)
    known = spread.get("detectors", {}).get(detector, {}).get(metric)
    return bool(known) and (a in known["values"] or b in known["values"]) and (
        abs(b - a) > known["max"] - known["min"])


def rows(old, new, only_changed, spread=None):
    """Lines `key  old  new  change` of two flat dicts, aligned."""
    lines = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if only_changed and a == b:
            continue
        change = mark = ""
        if all(isinstance(value, (int, float)) and not isinstance(value, bool)
               for value in (a, b)):
            change = "%+.4g" % (b - a)
            mark = "!" if spread and beyond(key, a, b, spread) else ""
        lines.append((key, show(a), show(b), change, mark))
    widths = [max(map(len, column)) for column in zip(*lines)] if lines else []
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in lines]


def show(value):
    return "-" if value is None else "%.6g" % value if isinstance(value, float) else str(value)


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("a", help="the older commit")
    p.add_argument("b", nargs="?", default="HEAD", help="the newer commit (default: HEAD)")
    p.add_argument("--all", action="store_true", help="every metric that changed, not only "
                           + ", ".join(HEADLINES))
    p.add_argument("--page", help="folder for the page with the plots of both")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    a, b = commit_named(args.a), commit_named(args.b)
    metrics = [flat(at(commit, METRICS, json.loads)) for commit in (a, b)]
    if not args.all:
        metrics = [{key: value for key, value in side.items() if key.endswith(HEADLINES)}
                   for side in metrics]
    spread = at(b, SPREAD, json.loads)
    locks = [at(commit, "dvc.lock", yaml.safe_load) for commit in (a, b)]
    parts = [
        ("metrics (`!`: moved further than between seeds)",
         rows(*metrics, only_changed=args.all, spread=spread)),
        ("parameters", rows(*(flat(at(commit, "params.yaml", yaml.safe_load))
                              for commit in (a, b)), only_changed=True)),
        ("bytes", rows(*map(sizes, locks), only_changed=False)),
    ]
    if other_record(*locks):
        print("scored on other records: the metrics of %s and %s do not compare" % (a, b))
    for title, lines in parts:
        print("%s, %s to %s" % (title, a, b))
        print("\n".join(lines or ["  no difference"]))
    if args.page:
        write_page(a, b, args.page)


def other_record(old, new):
    """Whether two dvc.locks name different test records; what either lacks says nothing."""
    digests = [{out["path"]: out["md5"] for out in lock.get("stages", {}).get("evaluate", {}).get(
        "deps", [])}.get("data/generate/test.csv") for lock in (old, new)]
    return None not in digests and digests[0] != digests[1]


def write_page(a, b, folder):
    """DVC's page of the plots; what it says goes to stderr, so that `| head` does not end it."""
    sys.stdout.flush()
    status = subprocess.call([os.path.join(ROOT, ".venv-dvc", "bin", "dvc"), "plots", "diff", a, b,
                              "-o", folder], cwd=ROOT, stdout=sys.stderr)
    if status:
        raise UserError("`dvc plots diff` ended with status %d, and there is no page" % status)


if __name__ == "__main__":
    run(main)
