"""Many trainings: signals that leave none behind, the bytes compared, the share that is bounded."""
import os
import signal
import time

import h5py
import numpy as np
import pytest
from scipy.stats import binom

import retrain
from kit.base.cli import UserError


def often():
    """Signals many times a second."""
    return retrain.Signals(1, 0.01, (0.01, 0.02))


def counts(folder, until=50):
    """work(number) in a training's stead: it takes a while, and writes a file."""
    def work(number):
        for _ in range(until):
            time.sleep(0.002)
        (folder / str(number)).write_text("done")
        return 0
    return work


def test_every_training_ends_and_is_stopped_when_asked(tmp_path):
    for signals in (None, often()):
        ended = sorted(retrain.trained(5, 2, counts(tmp_path), signals))
        assert [(number, status) for number, _, status in ended] == [(n, 0) for n in range(5)]
        assert all((stops > 0) == (signals is not None) for _, stops, _ in ended)
        assert len(os.listdir(str(tmp_path))) == 5


def test_a_training_that_fails_has_a_status_and_none_is_left_behind(tmp_path, monkeypatch):
    class Noted(retrain.Training):
        def __init__(self, *given):
            super().__init__(*given)
            begun.append(self.pid)

    def work(number):
        if number == 1:
            raise MemoryError
        return counts(tmp_path, 10 ** 6)(number)

    begun = []
    monkeypatch.setattr(retrain, "Training", Noted)
    running = retrain.trained(3, 3, work, often())
    number, _, status = next(running)
    assert number == 1 and status
    running.close()
    assert len(begun) == 3
    for pid in begun:  # neither running nor stopped
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_stopped_training_is_continued():
    training = retrain.Training(
        0, lambda number: time.sleep(60), retrain.Signals(1, 0, (0.05, 0.05)))
    try:
        assert training.ended() is None and training.stops == 1
        assert os.WIFSTOPPED(os.waitpid(training.pid, os.WUNTRACED)[1])
        time.sleep(0.06)
        assert training.ended() is None and training.stops == 1
        assert os.WIFCONTINUED(os.waitpid(training.pid, os.WCONTINUED)[1])
    finally:
        os.kill(training.pid, signal.SIGKILL)
        os.waitpid(training.pid, 0)


def model(folder, bias):
    folder.mkdir()
    with h5py.File(str(folder / "keras_model.h5"), "w") as file:
        file.create_dataset("bias", data=np.array(bias, np.float32), track_times=False)
    return str(folder / "keras_model.h5")


def test_other_bytes_are_named_with_the_tensor_and_how_far(tmp_path):
    usual = model(tmp_path / "usual", [1, 2])
    model(tmp_path / "same", [1, 2])
    model(tmp_path / "other", [1, 2.5])
    assert retrain.outcome(3, 0, 0, str(tmp_path / "same"), usual).other == ""
    other = retrain.outcome(4, 7, 0, str(tmp_path / "other"), usual)
    assert other.other == "dataset bias: 1 of 2 numbers, at most 0.5 apart"
    said = retrain.table({(8, True): [retrain.Outcome(3, 5, ""), other]})
    assert "| 8 | yes | 2 | 24 | 1 | 1 |" in said
    assert "training 4, 8 at once, stopped 7 times: dataset bias: 1 of 2 numbers" in said


def test_a_training_that_failed_is_told(tmp_path):
    (tmp_path / "log").write_text("error: no such record\n")
    with pytest.raises(UserError, match="training 2 ended with status 256: error: no such record"):
        retrain.outcome(2, 0, 256, str(tmp_path), "usual.h5")


@pytest.mark.parametrize("others, count, share", [
    (0, 200, 1 - 0.05 ** (1 / 200)),  # nearly three in 200
    (1, 1, 1.0),
    (1, 11, 0.3644),  # the root of P(at most one of eleven) = 0.05
])
def test_the_bound_is_where_so_few_are_seen_once_in_twenty(others, count, share):
    assert abs(retrain.at_most(others, count) - share) < 1e-4
    if others < count:
        assert abs(binom.cdf(others, count, share) - 0.05) < 1e-3


@pytest.mark.parametrize("words", [["--at-once", "4", "0"], ["--trainings", "0"],
                                   ["--stopped-s", "0", "1"], ["--runs-s", "nan"]])
def test_numbers_are_above_zero(words):
    with pytest.raises(UserError, match="take numbers above zero"):
        retrain.arguments(["--train", "a.csv", "--validation", "b.csv", "--model", "c.h5"] + words)


@pytest.mark.parametrize("params, expected", [("good", 0), ("bad", 1)])
def test_the_stage_runs_in_the_process_that_was_forked(tmp_path, monkeypatch, capfd, params, expected):
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint(sys.argv[1:])\n"
                      "sys.exit('error: too few' if sys.argv[2] == 'bad' else 0)\n")
    monkeypatch.setattr(retrain, "STAGE", str(script))
    args = retrain.arguments(["--params", params, "--train", "a.csv", "--validation", "b.csv",
                              "--model", "c.h5"])
    folder = str(tmp_path / params)
    with capfd.disabled():  # the terminal's streams, as there
        (_, _, status), = retrain.trained(1, 1, lambda number: retrain.stage(args, folder), None)
    assert os.WEXITSTATUS(status) == expected
    with open(os.path.join(folder, "log")) as file:
        log = file.read()
    assert "'--train', 'a.csv'" in log and ("error: too few" in log) == bool(expected)
    assert os.path.join(folder, "keras_model.h5") in log
