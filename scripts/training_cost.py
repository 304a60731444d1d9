"""What deterministic training costs: seconds per epoch against train.deterministic: false.

    sh scripts/run training_cost --train data/generate/train.csv \\
        --validation data/generate/validation.csv --rounds 5

In:  two parts of a record and params.yaml. Out: on the terminal, for either value the median of the
rounds, and the median of their ratios, with the range. Nothing is written.

The stage itself runs, in turn with either value, for one epoch and for three; their difference is
two epochs without what starting costs. A ratio is taken within a round, so that what else the
machine does meets both sides alike; the fast side uses every core, so keep the others idle.
"""
import os
import subprocess
import tempfile
import time

import numpy as np
import yaml

from kit.base.cli import UserError, parser, progress, run, write_text
from kit.base.params import load_params

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
SHORT, LONG = 1, 3  # epochs


def seconds(params, deterministic, epochs, args, scratch):
    """Wall-clock time of the stage `train` with these parameters."""
    params["train"].update(deterministic=deterministic, epochs=epochs)
    path = os.path.join(scratch, "params.yaml")
    write_text(path, yaml.safe_dump(params))
    started = time.monotonic()
    done = subprocess.run(
        ["sh", LAUNCHER, "train", "--params", path, "--train", args.train,
         "--validation", args.validation] + [word for name in ("model", "scaler", "history")
                                             for word in ("--" + name, os.path.join(scratch, name))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise UserError("`sh scripts/run train` failed: " + done.stdout.strip()[-300:])
    return time.monotonic() - started


def per_epoch(measure, deterministic):
    """Seconds of one epoch, without starting and ending; measure(deterministic, epochs) -> s."""
    short = measure(deterministic, SHORT)
    return (measure(deterministic, LONG) - short) / (LONG - SHORT)


def summary(rounds):
    """The text on rounds, an array of shape (n, 2): seconds per epoch, deterministic and fast."""
    ratios = rounds[:, 0] / rounds[:, 1]
    return ("seconds per epoch, median of %d rounds: deterministic %.2f, fast %.2f\n"
            "ratio %.2f (median; from %.2f to %.2f)\n" % (
                len(rounds), np.median(rounds[:, 0]), np.median(rounds[:, 1]),
                np.median(ratios), ratios.min(), ratios.max()))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="default: %(default)s")
    p.add_argument("--train", required=True, help="record to fit on (CSV)")
    p.add_argument("--validation", required=True, help="record to watch the loss on (CSV)")
    p.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    params = load_params(args.params)
    with tempfile.TemporaryDirectory() as scratch:
        def measure(deterministic, epochs):
            return seconds(params, deterministic, epochs, args, scratch)

        rounds = np.array([[per_epoch(measure, value) for value in (True, False)]
                           for _ in progress(range(args.rounds), "rounds")])
    print(summary(rounds), end="")


if __name__ == "__main__":
    run(main)
