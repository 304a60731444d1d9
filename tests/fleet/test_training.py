"""A model per group: the table of groups, and on the smoke profile the pipeline itself."""
import json
import os

import pytest
import yaml

import fleets  # first: it skips where its environment is not
import fleet
from conftest import ROOT
from kit.base.cli import UserError
from kit.fleet import training


def test_groups(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("sensor,group\n2,b\n1,a\n3,b\n")
    assert training.read_groups(str(path)) == {"a": ["1"], "b": ["2", "3"]}
    path.write_text("sensor\n1\n")
    with pytest.raises(UserError, match="the columns sensor,group are needed"):
        training.read_groups(str(path))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(os.path.join(ROOT, ".venv")), reason="no .venv")
def test_a_model_for_each_group_and_a_failure(tmp_path):
    fleet.main(["make", "--sensors", "2", "--samples", "4000", "--workers", "0", "--out", str(tmp_path)])
    (tmp_path / "groups.csv").write_text("sensor,group\n0000,pumps\n0001,pumps\n0009,fans\n")
    with open(os.path.join(ROOT, "tests", "smoke.yaml")) as file:
        smoke = yaml.safe_load(file)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"train": smoke["train"]}))
    logs, out = str(tmp_path / "logs"), tmp_path / "groups"
    assert fleet.main(["train", "--logs", logs, "--groups", str(tmp_path / "groups.csv"),
                       "--params", str(tmp_path / "params.yaml"), "--out", str(out)]) == 1
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics) == ["pumps"] and metrics["pumps"]["forecast_mean_abs_error"] > 0
    assert "fans," in (out / "failures.csv").read_text()
    assert fleet.main(["score", "--logs", logs, "--models", str(out / "models.csv"), "--out",
                       str(tmp_path / "alarms"), "--workers", "0"]) == 0
    assert fleets.tables(tmp_path / "alarms")["summary.txt"].startswith(b"2 sensors, ")
