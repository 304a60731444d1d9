"""What a stage's seconds are made of, with a stage and a DVC that sleep."""
import pytest

import stage_cost
from kit.base.cli import UserError
from kit.rebuild.stages import Stage

IMPORTS = """import time: self [us] | cumulative | imported package
import time:       100 |     100000 |   encodings
import time:       200 |     300000 | numpy
import time:       200 |     400000 |   tensorflow
import time:       200 |     500000 | kit.tf
"""


def stage(command):
    return Stage("train", command, [], [], [])


def test_seconds_are_those_of_dvc_of_imports_and_of_the_work(tmp_path):
    (tmp_path / "said").write_text(IMPORTS)
    (tmp_path / "dvc").write_text("#!/bin/sh\nsleep 1.2\n")
    (tmp_path / "dvc").chmod(0o755)
    found = stage_cost.cost(stage("test $PYTHONPROFILEIMPORTTIME = 1 && sleep 0.9 && cat %s >&2"
                                  % (tmp_path / "said")), str(tmp_path / "dvc"))
    assert (found.tensorflow, found.imports) == (pytest.approx(0.4), pytest.approx(0.4))
    assert found.whole >= 1.2 and found.whole - found.dvc >= 0.9
    assert found.dvc + found.tensorflow + found.imports + found.work == pytest.approx(found.whole)


def test_a_stage_that_fails_is_told():
    with pytest.raises(UserError, match="failed: no such record"):
        stage_cost.cost(stage("echo no such record; exit 1"), "dvc")


def test_the_table_has_all_stages_beside_train():
    lines = stage_cost.table({"generate": stage_cost.Cost(2, 1, 0, 0.5, 0.5),
                              "train": stage_cost.Cost(4, 1, 1, 0.5, 1.5)})
    assert [line.split() for line in lines] == [
        ["stage", "seconds", "dvc", "tensorflow", "imports", "work"],
        ["generate", "2.0", "1.0", "0.0", "0.5", "0.5"], ["train", "4.0", "1.0", "1.0", "0.5", "1.5"],
        ["all", "6.0", "2.0", "1.0", "1.0", "2.0"], "all stages: 1.50 times train".split()]


def test_what_has_nothing_to_do_is_a_median_of_rounds(monkeypatch):
    seconds = iter([1, 2, 1, 2, 10, 30, 1, 1, 1, 2])  # status, repro, status, ...
    monkeypatch.setattr(stage_cost, "timed", lambda command: (next(seconds), ""))
    assert stage_cost.nothing_to_do("dvc") == "nothing to do: dvc repro 2.0 s, 2.00 times dvc status (1.0 s)"
