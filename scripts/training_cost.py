"""What deterministic training costs: seconds per epoch against train.deterministic: false, and torch.

    sh scripts/run training_cost --train data/generate/train.csv \\
        --validation data/generate/validation.csv --rounds 5 --torch .venv-torch

In:  two parts of a record and params.yaml; with --torch, an environment that has torch and NumPy
     (`sh scripts/setup torch` builds one).
Out: on the terminal, for either value the median of the rounds, and the median of their ratios, with
     the range; with --torch, the same network and training in torch on one thread and on all cores.
     Nothing is written.

The stage itself runs, in turn with either value, for one epoch and for three; their difference is
two epochs without what starting costs. A ratio is taken within a round, so that what else the
machine does meets both sides alike; the fast side uses every core, so keep the others idle. Of torch's
three epochs the last two count.
"""
import os
import subprocess
import tempfile
import time

import numpy as np
import yaml

from kit.base.cli import UserError, parser, progress, run, write_text
from kit.base.params import load_params
from kit.bench.worker import Refused, Worker
from kit.record.records import read_record
from kit.record.windows import fit_scaler, model_input, windows_and_next

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


def windows_file(path, params, args):
    """Write what the stage `train` fits on, for kit.bench.torch_training; the number of windows."""
    record, watched = read_record(args.train), read_record(args.validation)
    scaler, length, stride = fit_scaler(record), params["window_steps"], params["window_stride"]
    windows, wanted = windows_and_next(model_input(record, scaler), length, stride, record.bounds)
    validation = windows_and_next(
        model_input(watched, scaler, args.validation), length, stride, watched.bounds)
    np.savez(path, windows=windows, wanted=wanted,
             validation_windows=validation[0], validation_wanted=validation[1])
    return len(windows)


def torch_seconds(venv, windows, params, threads):
    """(seconds of one epoch in torch, its version) on so many threads, in a process of its own."""
    try:
        with Worker(os.path.abspath(venv), "kit.bench.torch_training") as worker:
            found = worker.ask("train", data=windows, units=params["units"], seed=params["seed"],
                               batch_size=params["batch_size"], epochs=LONG, threads=threads,
                               learning_rate=params["learning_rate"])
    except Refused as error:
        raise UserError("torch in %s: %s" % (venv, error))
    return sum(found["seconds"][SHORT:]) / (LONG - SHORT), found["torch"]


def summary(rounds):
    """The text on rounds, an array of shape (n, 2): seconds per epoch, deterministic and fast."""
    return ("seconds per epoch, median of %d rounds: deterministic %.2f, fast %.2f\nratio %s\n" % (
        len(rounds), np.median(rounds[:, 0]), np.median(rounds[:, 1]),
        spread(rounds[:, 0] / rounds[:, 1])))


def spread(ratios):
    return "%.2f (median; from %.2f to %.2f)" % (np.median(ratios), ratios.min(), ratios.max())


def beside_torch(rounds, version, n_windows):
    """The text on rounds of shape (n, 4): deterministic, fast, torch on one thread and on all cores."""
    names = "deterministic", "fast", "torch %s on one thread" % version, "on all cores"
    speeds = n_windows / np.median(rounds, axis=0)
    return ("windows a second: %s\n"
            "deterministic, of torch's on one thread: %s\nfast, of torch's on all cores: %s\n" % (
                ", ".join("%s %.0f" % pair for pair in zip(names, speeds)),
                spread(rounds[:, 2] / rounds[:, 0]), spread(rounds[:, 3] / rounds[:, 1])))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="default: %(default)s")
    p.add_argument("--train", required=True, help="record to fit on (CSV)")
    p.add_argument("--validation", required=True, help="record to watch the loss on (CSV)")
    p.add_argument("--torch", metavar="FOLDER", help="environment with torch and NumPy, to train there too")
    p.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if args.torch and not os.path.exists(os.path.join(args.torch, "bin", "python")):
        raise UserError("%s is no environment; `sh scripts/setup torch` builds .venv-torch" % args.torch)
    params = load_params(args.params)
    with tempfile.TemporaryDirectory() as scratch:
        def measure(deterministic, epochs):
            return seconds(params, deterministic, epochs, args, scratch)

        windows = os.path.join(scratch, "windows.npz")
        n_windows = windows_file(windows, params["train"], args) if args.torch else None
        rounds = []
        for _ in progress(range(args.rounds), "rounds"):
            rounds.append([per_epoch(measure, value) for value in (True, False)])
            for threads in (1, os.cpu_count()) if args.torch else ():
                took, version = torch_seconds(args.torch, windows, params["train"], threads)
                rounds[-1].append(took)
    rounds = np.array(rounds)
    print(summary(rounds), end="")
    if args.torch:
        print(beside_torch(rounds, version, n_windows), end="")


if __name__ == "__main__":
    run(main)
