"""The rebuild that looks for other bytes: its order, its table, and that it can say no."""
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from conftest import ROOT
import reproduce
from kit.base.cli import UserError

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
        "| freeze: 1 artifact | same |", "| models/c.tflite | **differs** |"]


def test_a_row_joins_what_is_the_same_in_every_column_and_names_every_other():
    expected = {"a": ("train", "1"), "b": ("train", "2"), "c": ("train", "3"),
                "d": ("convert@step", "4"), "e": ("convert@window", "5")}
    columns = {"one": [(path, "", path != "b") for path in expected],
               "two": [(path, "", True) for path in expected]}
    assert reproduce.table(expected, columns).splitlines()[2:] == [
        "| train: 2 other artifacts | same | same |", "| b | **differs** | same |",
        "| convert: 2 artifacts | same | same |"]


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


def test_every_pin_of_a_line_may_go_and_nothing_of_it_stays(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(os.path.join(ROOT, "scripts", "run"), str(tmp_path / "scripts"))
    for pin in ("TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "EIGEN_CACHE_BYTES"):
        reproduce.remove_pin(str(tmp_path), pin)
    text = (tmp_path / "scripts" / "run").read_text()
    assert "EIGEN_CACHE_BYTES" not in text
    assert not re.search(r"^export *$", text, re.M), "`export` alone prints the environment"


def test_everything_at_once_joins_what_this_machine_can_make():
    joined = reproduce.all_at_once(reproduce.circumstances())
    assert joined.environment["TZ"] == "Pacific/Kiritimati"
    assert " " in joined.folder and joined.umask == 0o077
    assert "listing=reversed" in joined.emulator


def names(circumstances):
    return [one.name for one in circumstances]


def test_other_machines_are_cpu_models_threads_and_caches():
    assert names(reproduce.chosen(False, ["Haswell"], [])) == [
        "Haswell", "native", "1 thread", "2 threads", "4 threads", "L1 32 KB", "L1 48 KB"]
    four = reproduce.machines([])[3]
    assert four.environment["TF_NUM_INTRAOP_THREADS"] == "4"


def test_some_columns_alone_and_an_unknown_one_is_named():
    assert names(reproduce.chosen(False, ["Haswell"], ["clock", "Haswell"])) == ["clock", "Haswell"]
    with pytest.raises(UserError, match="--only Haswell: known are everything, path,"):
        reproduce.chosen(False, [], ["Haswell"])


def test_parameters_to_change_and_what_is_none():
    assert reproduce.changes_of(["train.units=64", "train.seed=1", "generate.adc_bits=12"]) == {
        "train": {"units": 64, "seed": 1}, "generate": {"adc_bits": 12}}
    with pytest.raises(UserError, match="--set units=64: not of the form"):
        reproduce.changes_of(["units=64"])


@pytest.fixture
def rebuilds(tmp_path, monkeypatch):
    """Run the command with clones that hold a dvc.lock alone; a clone's name decides its bytes."""
    def prepare(one, base, smoke, changes, without=()):
        folder = tmp_path / one.name.replace(" ", "_")
        locked(folder, **({"models_c_tflite": "9"} if "4" in one.name else {}))
        return str(folder)

    def rebuild(one, base, clone):
        if one.name == "native":
            raise UserError("`dvc repro` failed")

    monkeypatch.setattr(reproduce, "prepare", prepare)
    monkeypatch.setattr(reproduce, "rebuild", rebuild)
    return lambda *argv: reproduce.main(["--smoke"] + list(argv))


def test_the_command_says_no_when_one_column_differs(rebuilds, capsys):
    assert rebuilds("--only", "2 threads", "4 threads") == 1
    said = capsys.readouterr().out
    assert "| models/c.tflite | same | **differs** |" in said
    assert "4 threads: stage convert first: models/c.tflite" in said and "NOT the same" in said
    assert rebuilds("--only", "2 threads") == 0
    assert "every byte is the same" in capsys.readouterr().out


def test_a_rebuild_that_fails_is_told_and_the_others_are_compared(rebuilds, capsys):
    assert rebuilds("--only", "native", "2 threads") == 1
    said = capsys.readouterr().out
    assert "| artifact | 2 threads |" in said and "native: `dvc repro` failed" in said


def test_the_line_on_this_machine_holds_what_could_get_into_the_bytes():
    said = reproduce.this_machine()
    assert re.search(r"family \d+, model \d+ \(avx.*\), \d+ KB of L1, \d+ CPUs, glibc 2\.\d+", said)


def elsewhere(what, script, *argv):
    return subprocess.check_output(
        [sys.executable, os.path.join(ROOT, "scripts", "elsewhere.py"), what, "python", str(script)]
        + list(argv), universal_newlines=True)


def test_the_reversed_listing_reverses_and_runs_the_script(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("")
    script = tmp_path / "show.py"
    script.write_text("import os, sys, glob, pathlib\nassert list(pathlib.Path('.').iterdir())\n"
                      "assert list(pathlib.Path('.').glob('*'))\n"
                      "assert next(os.walk('.'))[1]\nprint(sys.argv[1:], os.listdir(sys.argv[1])[-2:],"
                      "[os.path.basename(p) for p in glob.glob(sys.argv[1] + '/?')])\n"
                      "print(__name__)\n")
    said = elsewhere("listing=reversed", script, str(tmp_path))
    assert said.splitlines() == ["['%s'] ['b', 'a'] ['b', 'a']" % tmp_path, "__main__"]
