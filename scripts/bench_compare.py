"""Two benches side by side: what became slower, faster, larger or refused beyond the spread.

    make bench-compare A=before.json B=reports/bench.json

In:  two .json files as `bench` writes them. Make both on the same machine.
Out: a line per contender with both medians and their ratio; `!` marks one whose quartiles do not
     meet, so that chance is no likely cause. Sizes and errors are shown where they changed.
"""
import numpy as np

from kit.base.cli import parser, read_json, run
from kit.base.expect import Each, Number, Optional, Text, expect

BENCH = {"results": Each({
    "times_us": Optional([Number(above=0)]), "refused": Optional(Text),
    "size_bytes": Optional(Number()), "error": Optional(Number())})}


def read_bench(path):
    """{contender: entry} of a bench; UserError naming what no bench has."""
    content = read_json(path)
    expect(content, BENCH, path)
    return content["results"]


def rows(old, new):
    """Lines of two benches' results, aligned."""
    cells = [("", "A, us", "B, us", "B / A", "")]
    for name in list(old) + [name for name in new if name not in old]:
        a, b = old.get(name, {}), new.get(name, {})
        ratio = "%.3g" % (median(b) / median(a)) if median(a) and median(b) else ""
        cells.append((name, shown(a), shown(b), ratio, " ".join(changes(a, b))))
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [("%s  %s  %s  %s  %s" % (
        name.ljust(widths[0]), first.rjust(widths[1]), second.rjust(widths[2]),
        ratio.rjust(widths[3]), text)).rstrip() for name, first, second, ratio, text in cells]


def median(entry):
    return float(np.median(entry["times_us"])) if "times_us" in entry else None


def shown(entry):
    if "refused" in entry:
        return "refused"
    return "%.4g" % median(entry) if "times_us" in entry else "-"


def changes(a, b):
    """What moved beyond the spread: "!" for the time, and words for what should not move."""
    if "times_us" in a and "times_us" in b:
        (low, high), (other_low, other_high) = (
            np.percentile(entry["times_us"], [25, 75]) for entry in (a, b))
        yield from "!" * (other_low > high or low > other_high)
    for key in ("size_bytes", "error"):
        if a.get(key) != b.get(key):
            yield "%s %s to %s" % (key, a.get(key, "-"), b.get(key, "-"))


def main(argv):
    p = parser(__doc__)
    p.add_argument("a", help=".json of the older bench")
    p.add_argument("b", help=".json of the newer bench")
    args = p.parse_args(argv)
    print("\n".join(rows(read_bench(args.a), read_bench(args.b))))


if __name__ == "__main__":
    run(main)
