"""Print the table of results: one row per detector, in groups, best first.

    sh scripts/run results reports/evaluate/metrics.json
    sh scripts/run results reports/evaluate/metrics.json --into README.md

In: metrics.json of the stage evaluate; where the converted models lie in --convert, their sizes
are a column. Out: text of at most 145 columns, and where the report is; with --into, the table stands
between the marks `<!-- results -->` and `<!-- /results -->` of a Markdown file.
"""
import os

from kit.base.cli import parser, run
from kit.page.inputs import OBJECTS, read_object
from kit.page.results import (
    aligned, grouped, poor_forecast, put_into_file, shown_keys, written,
)
from kit.rebuild.lock import stale
from kit.runtime.files import tflite_files


def sizes(folder):
    """{name: bytes} of the .tflite files in a folder; empty where there is none."""
    return {name: os.path.getsize(path) for name, path in tflite_files(folder).items()}


def ranges(spread, metrics):
    """{name: "lowest-highest" VUS-PR} of what `make seeds` wrote, where it began with these metrics.

    The spread of another record, or of an older commit, says nothing about these.
    """
    known = {name: values["vus_pr"] for name, values in spread.get("detectors", {}).items()
             if "vus_pr" in values}
    return {name: "%s-%s" % tuple(written("vus_pr", found[end]) for end in ("min", "max"))
            for name, found in known.items()
            if metrics.get(name, {}).get("vus_pr") in found["values"]}


def table(metrics, bytes_of, over_seeds=None):
    """Lines of aligned text: a head, then the name of each group and a line per detector."""
    over_seeds = over_seeds or {}
    keys = shown_keys(metrics) + (["vus_pr_over_seeds"] if over_seeds else []) + (
        ["bytes"] if bytes_of else [])
    cells = [["detector"] + keys]
    for group, detectors in grouped(metrics):
        cells.append([group] + [""] * len(keys))
        for name, values in detectors:
            values = dict(values, bytes=bytes_of[name]) if name in bytes_of else values
            values = dict(values, vus_pr_over_seeds=over_seeds.get(name, "–"))
            cells.append(["  " + name] + [
                written(key, values[key]) if key in values else "" for key in keys])
    return aligned(cells)


def main(argv):
    p = parser(__doc__)
    p.add_argument("metrics", help="metrics.json")
    p.add_argument("--convert", default="models/convert", help="folder of the .tflite files")
    p.add_argument("--spread", default="reports/seeds/spread.json", help="what `seeds` wrote")
    p.add_argument("--report", default="reports/report/report.html", help="page to point at")
    p.add_argument("--lock", default="dvc.lock", help="what the results were made from, by hash")
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    p.add_argument("--into", metavar="FILE.md", help="put the table there instead of printing it")
    args = p.parse_args(argv)
    spread = read_object(args.spread, OBJECTS["spread.json"]) if os.path.exists(args.spread) else {}
    metrics = read_object(args.metrics, OBJECTS["metrics.json"])
    lines = table(metrics, sizes(args.convert), ranges(spread, metrics))
    if args.into:
        put_into_file(args.into, lines, "results")
        return
    print("\n".join(lines + stale(args.lock, "evaluate", args.params)))
    if poor_forecast(metrics):
        print("\n" + poor_forecast(metrics))
    if os.path.exists(args.report):
        print("\nmore in %s" % args.report)


if __name__ == "__main__":
    run(main)
