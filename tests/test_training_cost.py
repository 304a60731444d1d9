"""What determinism costs: the difference of two runs, the ratio of a round, its median."""
import numpy as np
import pytest
import yaml

import training_cost
from kit.base.cli import UserError


def test_an_epoch_is_what_two_more_of_them_take():
    took = {(True, 1): 9.0, (True, 3): 13.0}
    assert training_cost.per_epoch(lambda *what: took[what], True) == 2.0


def test_ratios_are_taken_within_a_round():
    said = training_cost.summary(np.array([[2.0, 1.0], [30.0, 20.0], [3.3, 3.0]]))
    assert "deterministic 3.30, fast 3.00" in said
    assert "ratio 1.50 (median; from 1.10 to 2.00)" in said


def test_the_stage_runs_with_the_parameters_of_its_turn(tmp_path, monkeypatch):
    launcher = tmp_path / "run"
    launcher.write_text("cp \"$3\" %s\n[ \"$1\" = train ]\n" % (tmp_path / "seen.yaml"))
    monkeypatch.setattr(training_cost, "LAUNCHER", str(launcher))
    args = training_cost.arguments(["--train", "a.csv", "--validation", "b.csv"])
    params = {"train": {"units": 8, "deterministic": True, "epochs": 20}}
    assert training_cost.seconds(params, False, 3, args, str(tmp_path)) > 0
    assert yaml.safe_load((tmp_path / "seen.yaml").read_text())["train"] == {
        "units": 8, "deterministic": False, "epochs": 3}


def test_a_stage_that_fails_is_told(tmp_path, monkeypatch):
    launcher = tmp_path / "run"
    launcher.write_text("echo 'error: no such record'; exit 1\n")
    monkeypatch.setattr(training_cost, "LAUNCHER", str(launcher))
    args = training_cost.arguments(["--train", "a.csv", "--validation", "b.csv"])
    with pytest.raises(UserError, match="train` failed: error: no such record"):
        training_cost.seconds({"train": {}}, True, 1, args, str(tmp_path))
