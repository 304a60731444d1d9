"""Two commits side by side, from git alone."""
import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
import compare
import seeds



def test_nested_keys_become_one():
    assert compare.flat({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_the_spread_over_seeds_is_mean_and_range():
    runs = [{"keras": {"vus_pr": value, "median_delay_s": None}} for value in (0.5, 0.7, 0.6)]
    assert seeds.spread(runs) == {"keras": {"vus_pr": {
        "mean": 0.6, "min": 0.5, "max": 0.7, "values": [0.5, 0.7, 0.6]}}}


def test_a_change_beyond_the_spread_is_marked():
    spread = {"detectors": {"keras": {"vus_pr": {
        "min": 0.5, "max": 0.6, "values": [0.5, 0.6]}}}}
    lines = compare.rows({"keras.vus_pr": 0.5}, {"keras.vus_pr": 0.75}, False, spread)
    assert lines == ["  keras.vus_pr  0.5  0.75  +0.25  !"]
    lines = compare.rows({"keras.vus_pr": 0.5}, {"keras.vus_pr": 0.5625}, False, spread)
    assert lines == ["  keras.vus_pr  0.5  0.5625  +0.0625"]
    lines = compare.rows({"keras.vus_pr": 0.2}, {"keras.vus_pr": 0.9}, False, spread)
    assert lines == ["  keras.vus_pr  0.2  0.9  +0.7"], "the spread is that of another record"
    lines = compare.rows({"pca.vus_pr": 0.5}, {"pca.vus_pr": 0.9}, False, spread)
    assert lines == ["  pca.vus_pr  0.5  0.9  +0.4"]


@pytest.fixture
def history(tmp_path):
    """Two commits with other metrics, another parameter and another file size."""
    (tmp_path / "scripts").mkdir()
    shutil.copytree(os.path.join(ROOT, "scripts", "kit"), str(tmp_path / "scripts" / "kit"))
    shutil.copy(os.path.join(ROOT, "scripts", "compare.py"), str(tmp_path / "scripts"))
    (tmp_path / "reports" / "evaluate").mkdir(parents=True)
    git(tmp_path, "init", "-q")
    for units, vus_pr, size in ((64, 0.5, 1000), (32, 0.25, 600)):
        (tmp_path / "params.yaml").write_text("train: {units: %d, epochs: 20}\n" % units)
        (tmp_path / "reports" / "evaluate" / "metrics.json").write_text(
            json.dumps({"step_int8": {"vus_pr": vus_pr, "f1": 0.1}}))
        (tmp_path / "dvc.lock").write_text(
            "stages:\n  convert:\n    outs:\n    - {path: models/a.tflite, size: %d}\n" % size)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "units %d" % units)
    return tmp_path


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org"] + list(words),
                   cwd=str(folder), check=True)


def run_compare(folder, *words):
    return subprocess.run([sys.executable, str(folder / "scripts" / "compare.py")] + list(words),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def test_metrics_parameters_and_sizes_stand_side_by_side(history):
    said = run_compare(history, "HEAD~1", "HEAD").stdout
    lines = [line.split() for line in said.splitlines()]
    assert ["step_int8.vus_pr", "0.5", "0.25", "-0.25"] in lines
    assert ["train.units", "64", "32", "-32"] in lines
    assert ["models/a.tflite", "1000", "600", "-400"] in lines
    assert "train.epochs" not in said and "step_int8.f1" not in said


def test_a_commit_that_is_not_there_is_one_sentence(history):
    done = run_compare(history, "nonsense")
    assert done.returncode == 1 and done.stderr.startswith("error: ")
    assert "nonsense" in done.stderr and done.stderr.count("\n") == 1


def test_other_records_are_said():
    def lock(digest):
        return {"stages": {"evaluate": {"deps": [{"path": "data/generate/test.csv", "md5": digest}]}}}

    assert compare.other_record(lock("a"), lock("b"))
    assert not compare.other_record(lock("a"), lock("a"))
    assert not compare.other_record(lock("a"), {})
