"""The rebuild that looks for other bytes: its order, its table, and that it can say no."""
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import reproduce
from kit.cli import UserError

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
LOCK = {"stages": {
    "convert": {"deps": [{"path": "models/freeze"}], "outs": [{"path": "models/c.tflite", "md5": "3"}]},
    "freeze": {"deps": [{"path": "data/a.csv"}],
               "outs": [{"path": "models/freeze/w.pb", "md5": "2"}]},
    "generate": {"deps": [{"path": "scripts/generate.py"}],
                 "outs": [{"path": "data/a.csv", "md5": "1"}]},
}}


def locked(folder, **changed):
    """A folder with the dvc.lock above, and some hashes changed: {path with _ for /: md5}."""
    lock = yaml.safe_load(yaml.safe_dump(LOCK))
    for spec in lock["stages"].values():
        for out in spec["outs"]:
            out["md5"] = changed.get(re.sub(r"\W", "_", out["path"]), out["md5"])
    os.makedirs(str(folder / "data"), exist_ok=True)
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    return str(folder)


def test_artifacts_come_in_the_order_of_the_pipeline(tmp_path):
    assert list(reproduce.artifacts(locked(tmp_path))) == [
        "data/a.csv", "models/freeze/w.pb", "models/c.tflite"]


def test_the_table_names_the_first_stage_that_differs_and_where(tmp_path):
    ours = locked(tmp_path / "ours")
    theirs = locked(tmp_path / "theirs", data_a_csv="9", models_c_tflite="9")
    (tmp_path / "ours" / "data" / "a.csv").write_text("x\n1\n")
    (tmp_path / "theirs" / "data" / "a.csv").write_text("x\n2\n")
    expected = reproduce.artifacts(ours)
    rows = reproduce.compare(theirs, expected)
    assert [same for _, _, same in rows] == [False, True, False]
    assert reproduce.explain(rows, ours, theirs) == (
        "stage generate first: data/a.csv: line 2: `1` and `2`")
    assert reproduce.table(expected, {"clock": rows}).splitlines() == [
        "| artifact | clock |", "|---|---|", "| data/a.csv | **differs** |",
        "| models/freeze/w.pb | same |", "| models/c.tflite | **differs** |"]


def test_an_artifact_that_is_missing_differs(tmp_path):
    expected = reproduce.artifacts(locked(tmp_path / "ours"))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "dvc.lock").write_text("stages: {}")
    assert not any(same for _, _, same in reproduce.compare(str(tmp_path / "theirs"), expected))


def test_a_pin_is_taken_out_of_a_clone_and_an_unknown_one_is_named(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(os.path.join(ROOT, "scripts", "run"), str(tmp_path / "scripts"))
    reproduce.remove_pin(str(tmp_path), "GLIBC_TUNABLES")
    text = (tmp_path / "scripts" / "run").read_text()
    assert "GLIBC_TUNABLES" not in text and "OPENBLAS_CORETYPE=Nehalem" in text
    assert subprocess.call(["sh", "-n", str(tmp_path / "scripts" / "run")]) == 0
    with pytest.raises(UserError, match="sets no pin NONSENSE"):
        reproduce.remove_pin(str(tmp_path), "NONSENSE")


def test_everything_at_once_joins_what_this_machine_can_make():
    joined = reproduce.all_at_once(reproduce.circumstances())
    assert joined.environment["TZ"] == "Pacific/Kiritimati"
    assert " " in joined.folder and joined.umask == 0o077
    assert "reversed_listing" in joined.emulator


def test_the_reversed_listing_reverses_and_runs_the_script(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("")
    script = tmp_path / "show.py"
    script.write_text("import os, sys, glob, pathlib\nassert list(pathlib.Path('.').iterdir())\n"
                      "assert list(pathlib.Path('.').glob('*'))\nprint(sys.argv[1:], os.listdir(sys.argv[1])[-2:],"
                      "[os.path.basename(p) for p in glob.glob(sys.argv[1] + '/?')])\n"
                      "print(__name__)\n")
    said = subprocess.check_output(
        ["sh", os.path.join(ROOT, "scripts", "reversed_listing"), sys.executable, str(script),
         str(tmp_path)], universal_newlines=True)
    assert said.splitlines() == ["['%s'] ['b', 'a'] ['b', 'a']" % tmp_path, "__main__"]
