"""Trains one model many times, stopped by signals and beside others, and compares every byte.

    sh scripts/run retrain --train data/generate/train.csv --validation data/generate/validation.csv \\
        --model models/train/keras_model.h5 --trainings 50
    EMULATOR="qemu-x86_64 -cpu SandyBridge" sh scripts/run retrain ...      on an emulated CPU

In:  what the stage train takes, and the model that it made of that.
Out: a table of the circumstances: how many trainings ran at once, whether signals stopped and
     continued them, how many gave the bytes of --model. Those that gave others are named, with the
     tensor and how far, and kept where --keep says. Exit status 1 when there was one.

Each training is the stage itself in a process of its own, forked after TensorFlow was imported:
under an emulator the import takes longer than a small training. SIGSTOP and SIGCONT come at moments
drawn from --seed; what the process was doing then is the machine's affair.
"""
import os
import runpy
import shutil
import signal
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, counted, parser, progress, run
from kit.rebuild.difference import first_difference

STAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train.py")
POLL_S = 0.05
CONFIDENCE = 0.95


class Outcome(NamedTuple):
    """What came of a training."""

    number: int
    stops: int
    other: str  # where its model begins to differ, "" when it does not


class Signals:
    """When a training is stopped and continued, in seconds."""

    def __init__(self, seed, runs_s, stopped_s):
        """runs_s: mean of an exponential distribution; stopped_s: range of a logarithmically even one."""
        self._rng, self._runs_s, self._stopped_s = np.random.RandomState(seed), runs_s, stopped_s

    def until_next(self, stopped):
        if stopped:
            return float(np.exp(self._rng.uniform(*np.log(self._stopped_s))))
        return self._rng.exponential(self._runs_s)


class Training:
    """A forked process, and the signals that it still gets."""

    def __init__(self, number, work, signals):
        """work(number) runs in the process; signals None for none."""
        self.number, self.stops, self._signals, self._stopped = number, 0, signals, False
        self._next = time.monotonic() + signals.until_next(False) if signals else float("inf")
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                status = work(number)
            finally:  # nothing of the parent's may run twice
                os._exit(status)

    def ended(self):
        """The exit status, or None; sends the signal that is due."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            return status
        if time.monotonic() >= self._next:
            os.kill(self.pid, signal.SIGCONT if self._stopped else signal.SIGSTOP)
            self._stopped = not self._stopped
            self.stops += self._stopped
            self._next = time.monotonic() + self._signals.until_next(self._stopped)
        return None


def trained(count, at_once, work, signals):
    """Yield (number, stops, exit status) of `count` trainings as they end, `at_once` at a time."""
    waiting, running = list(range(count)), []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(Training(waiting.pop(0), work, signals))
            time.sleep(POLL_S)
            for training in list(running):
                status = training.ended()
                if status is not None:
                    running.remove(training)
                    yield training.number, training.stops, status
    finally:
        for training in running:  # a stopped one would stay for ever
            os.kill(training.pid, signal.SIGKILL)
            os.waitpid(training.pid, 0)


def stage(args, folder):
    """Run the stage train in this process, its outputs and what it prints into a folder."""
    os.makedirs(folder)
    log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.argv = [STAGE, "--params", args.params, "--train", args.train, "--validation",
                args.validation] + [word for name, file in (
                    ("model", "keras_model.h5"), ("scaler", "scaler.json"),
                    ("history", "history.csv")) for word in ("--" + name, os.path.join(folder, file))]
    try:
        runpy.run_path(STAGE, run_name="__main__")
    except SystemExit as end:
        if end.code:
            print(end.code)
        return 1 if end.code else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def outcome(number, stops, status, folder, usual):
    """The Outcome of a training in a folder against the usual model; UserError when it failed."""
    if status:
        with open(os.path.join(folder, "log"), errors="replace") as file:
            raise UserError("training %d ended with status %d: %s"
                            % (number, status, file.read().strip()[-300:]))
    model = os.path.join(folder, "keras_model.h5")
    with open(model, "rb") as ours, open(usual, "rb") as theirs:
        same = ours.read() == theirs.read()
    return Outcome(number, stops, "" if same else first_difference(usual, model))


def at_most(others, count):
    """The share of trainings with other bytes that is not exceeded, by Clopper and Pearson (1934)."""
    from scipy.special import betaincinv

    return 1.0 if others == count else float(betaincinv(others + 1, count - others, CONFIDENCE))


def table(found):
    """The text on {(at once, stopped): [Outcome]}."""
    lines = ["| at once | stopped | trainings | signals | the usual bytes | others |",
             "|---|---|---|---|---|---|"]
    for (at_once, stopped), ended in found.items():
        others = sum(bool(one.other) for one in ended)
        lines.append("| %d | %s | %d | %d | %d | %d |" % (
            at_once, "yes" if stopped else "no", len(ended), 2 * sum(one.stops for one in ended),
            len(ended) - others, others))
    every = [one for ended in found.values() for one in ended]
    others = sum(bool(one.other) for one in every)
    for (at_once, _), ended in found.items():
        lines += ["training %d, %d at once, stopped %s: %s" % (
            one.number, at_once, counted(one.stops, "time"), one.other)
            for one in ended if one.other]
    lines.append("%d of %s gave other bytes: at most %.3g %% of such trainings do (%d %% confidence)" % (
        others, counted(len(every), "training"), 100 * at_most(others, len(every)), 100 * CONFIDENCE))
    return "\n".join(lines) + "\n"


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="default: %(default)s")
    p.add_argument("--train", required=True, help="record to fit on (CSV)")
    p.add_argument("--validation", required=True, help="record to watch the loss on (CSV)")
    p.add_argument("--model", required=True, help="what the stage made of them (.h5)")
    p.add_argument("--trainings", type=int, default=50, metavar="N",
                   help="under each circumstance (default: %(default)s)")
    p.add_argument("--at-once", type=int, nargs="+", default=[1, 8], metavar="N",
                   help="side by side (default: 1 8)")
    p.add_argument("--seed", type=int, default=1, help="of the signals (default: %(default)s)")
    p.add_argument("--runs-s", type=float, default=1, metavar="S",
                   help="seconds until a training is stopped, on average (default: %(default)s)")
    p.add_argument("--stopped-s", type=float, nargs=2, default=[0.01, 3], metavar="S",
                   help="for how long, from and to (default: 0.01 3)")
    p.add_argument("--keep", metavar="FOLDER", help="where models of other bytes go")
    args = p.parse_args(argv)
    if not all(value > 0 for value in [args.trainings, args.runs_s] + args.at_once + args.stopped_s):
        raise UserError("--trainings, --at-once, --runs-s and --stopped-s take numbers above zero")
    return args


def outcomes(args, base, at_once, signals):
    """Yield the Outcome of every training under one circumstance, below a scratch folder `base`."""
    def work(number):
        return stage(args, os.path.join(base, str(number)))

    for number, stops, status in trained(args.trainings, at_once, work, signals):
        folder = os.path.join(base, str(number))
        found = outcome(number, stops, status, folder, args.model)
        if found.other and args.keep:
            os.makedirs(args.keep, exist_ok=True)
            shutil.copy(os.path.join(folder, "keras_model.h5"),
                        os.path.join(args.keep, "%s-%d.h5" % (os.path.basename(base), number)))
        shutil.rmtree(folder)
        yield found


def repeat(args, scratch, found):
    """Fill {(at once, stopped): [Outcome]} with every training that the arguments ask for."""
    signals = Signals(args.seed, args.runs_s, args.stopped_s)
    for at_once in args.at_once:
        for stopped in (True, False):
            name = "%d-at-once%s" % (at_once, "-stopped" * stopped)
            found[at_once, stopped] = []
            for one in progress(outcomes(args, os.path.join(scratch, name), at_once,
                                         signals if stopped else None), name, args.trainings):
                found[at_once, stopped].append(one)


def main(argv):
    args = arguments(argv)
    if not os.path.isfile(args.model):
        raise UserError("%s: no such file; `sh scripts/run train` makes it" % args.model)
    import kit.tf.tf115  # noqa: F401, once for every training

    for end in (signal.SIGINT, signal.SIGTERM):  # in the background as well
        signal.signal(end, signal.default_int_handler)
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            repeat(args, scratch, found)
        finally:  # interrupted: what was seen until then
            print(table(found), end="")
    return 1 if any(one.other for ended in found.values() for one in ended) else 0


if __name__ == "__main__":
    run(main)
