"""What a cold `make all` waits for, stage by stage: DVC, importing TensorFlow, other imports, the work.

    sh scripts/run stage_cost
    sh scripts/run stage_cost --only train evaluate

In:  a tree in which everything is built, on a machine that is idle. Each stage runs twice more in it,
     alone and through `dvc repro --force --single-item`, and gives the bytes that are there.
Out: on the terminal, seconds of each stage and of all of them beside those of train, and of a
     `dvc repro` that has nothing to do beside `dvc status`, medians of five rounds of both.

Python itself says how long imports take (PYTHONPROFILEIMPORTTIME); those of several processes of a
stage are added up. DVC is what a stage takes through it beyond its command.
"""
import os
import re
import subprocess
import time
from statistics import median
from typing import NamedTuple

from kit.base.cli import UserError, parser, progress, run
from kit.base.params import load_params
from kit.page.results import aligned
from kit.rebuild.stages import expand, load_pipeline

IMPORT = re.compile(r"^import time: +\d+ \| +(\d+) \| \S+$", re.M)  # of another import: indented
TENSORFLOW = re.compile(r"^import time: +\d+ \| +(\d+) \| +tensorflow$", re.M)
ROUNDS = 5  # of what has nothing to do


class Cost(NamedTuple):
    """Seconds."""

    whole: float  # through DVC
    dvc: float
    tensorflow: float
    imports: float  # others
    work: float


def cost(stage, dvc):
    """The Cost of a stage."""
    alone, said = timed(["sh", "-c", stage.command], PYTHONPROFILEIMPORTTIME="1")
    whole, _ = timed([dvc, "repro", "--force", "--single-item", stage.name])
    imports = sum(map(int, IMPORT.findall(said))) / 1e6
    tensorflow = sum(map(int, TENSORFLOW.findall(said))) / 1e6
    return Cost(whole, whole - alone, tensorflow, imports - tensorflow, alone - imports)


def timed(command, **environment):
    """(wall-clock seconds of a command, what it said); UserError where it fails."""
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, env=dict(os.environ, **environment))
    if done.returncode:
        raise UserError("`%s` failed: %s" % (" ".join(command), done.stdout.strip()[-300:]))
    return time.monotonic() - started, done.stdout


def table(costs):
    """Lines of {stage: Cost}, and their sum beside train's."""
    whole = dict(costs, all=Cost(*map(sum, zip(*costs.values()))))
    lines = aligned([["stage", "seconds", "dvc", "tensorflow", "imports", "work"]] + [
        [name] + ["%.1f" % value for value in found] for name, found in whole.items()])
    if "train" in costs:
        lines.append("all stages: %.2f times train" % (whole["all"].whole / costs["train"].whole))
    return lines


def nothing_to_do(dvc):
    """The line on `dvc repro` beside `dvc status`; their ratio is taken within a round."""
    rounds = [[timed([dvc, word])[0] for word in ("status", "repro")] for _ in range(ROUNDS)]
    return "nothing to do: dvc repro %.1f s, %.2f times dvc status (%.1f s)" % (
        median(repro for _, repro in rounds), median(repro / status for status, repro in rounds),
        median(status for status, _ in rounds))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--pipeline", default="dvc.yaml", help="default: %(default)s")
    p.add_argument("--params", default="params.yaml", help="default: %(default)s")
    p.add_argument("--dvc", default=os.path.join(".venv-dvc", "bin", "dvc"), help="default: %(default)s")
    p.add_argument("--only", nargs="+", metavar="STAGE", help="these alone, with the stages of a matrix")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    stages = expand(load_pipeline(args.pipeline), load_params(args.params))
    chosen = [stage for stage in stages if not args.only or stage.name.split("@")[0] in args.only]
    costs = {stage.name: cost(stage, args.dvc) for stage in progress(chosen, "stages")}
    print("\n".join(table(costs)))
    print(nothing_to_do(args.dvc))


if __name__ == "__main__":
    run(main)
