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


def test_torch_stands_beside_the_side_with_as_many_threads():
    said = training_cost.beside_torch(np.array([[2.0, 1.0, 3.0, 0.5]]), "1.12.1", 1000).splitlines()
    assert said == ["windows a second: deterministic 500, fast 1000, torch 1.12.1 on one thread 333, "
                    "on all cores 2000",
                    "deterministic, of torch's on one thread: 1.50 (median; from 1.50 to 1.50)",
                    "fast, of torch's on all cores: 0.50 (median; from 0.50 to 0.50)"]


def test_torch_is_given_what_the_stage_fits_on(tmp_path):
    values = np.random.default_rng(5).normal(0, 1, (40, 2))
    for name in "ab":
        (tmp_path / (name + ".csv")).write_text("time,x,y\n" + "".join(
            "2020-01-06T00:%02d:00Z,%g,%g\n" % (row, *both) for row, both in enumerate(values)))
    args = training_cost.arguments(["--train", str(tmp_path / "a.csv"),
                                    "--validation", str(tmp_path / "b.csv")])
    path = str(tmp_path / "windows.npz")
    assert training_cost.windows_file(path, {"window_steps": 10, "window_stride": 3}, args) == 10
    found = np.load(path)
    assert found["windows"].shape == found["validation_windows"].shape == (10, 10, 2)
    np.testing.assert_array_equal(found["wanted"][0], found["windows"][3, 1])  # both sample 10


def test_no_environment_with_torch_is_told(tmp_path):
    with pytest.raises(UserError, match="none is no environment; `sh scripts/setup torch` builds"):
        training_cost.main(["--train", "a.csv", "--validation", "b.csv", "--torch", str(tmp_path / "none")])


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
