"""A damaged object of DVC's cache, or a damaged output, is named and made again."""
import hashlib
import os
import shutil

import pytest
import yaml

from conftest import DVC, ROOT, commit, outputs, sh
import intact
from kit.base.cli import UserError


def digest(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Two outputs in the cache and in place, and their dvc.lock."""
    monkeypatch.chdir(tmp_path)
    outs = []
    for name, data in (("a.csv", b"one"), ("b.csv", b"two")):
        folder = tmp_path / "cache" / "files" / "md5" / digest(data)[:2]
        folder.mkdir(parents=True)
        (folder / digest(data)[2:]).write_bytes(data)
        (tmp_path / name).write_bytes(data)
        outs.append({"path": name, "md5": digest(data), "size": 3})
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"generate": {"outs": outs}}}))
    return tmp_path


def object_of(tree, data):
    return tree / "cache" / "files" / "md5" / digest(data)[:2] / digest(data)[2:]


def test_what_is_whole_stays(tree, capsys):
    assert not intact.main(["--cache", "cache", "--outputs"])
    assert object_of(tree, b"one").exists() and (tree / "a.csv").exists()
    assert capsys.readouterr().err == ""


def test_a_damaged_object_and_what_was_restored_from_it_are_removed(tree, capsys):
    object_of(tree, b"one").write_bytes(b"onf")
    (tree / "a.csv").write_bytes(b"onf")
    object_of(tree, b"two").write_bytes(b"twp")
    intact.main(["--cache", "cache"])
    assert not object_of(tree, b"one").exists() and not (tree / "a.csv").exists()
    assert not object_of(tree, b"two").exists() and (tree / "b.csv").read_bytes() == b"two"
    assert "was damaged and is removed; the stage generate makes it again: a.csv" in (
        capsys.readouterr().err)


def test_a_damaged_output_is_removed_and_said(tree):
    (tree / "b.csv").write_bytes(b"twp")
    with pytest.raises(UserError, match="and removed: b.csv; `dvc repro` makes them again"):
        intact.main(["--outputs"])
    assert not (tree / "b.csv").exists() and (tree / "a.csv").exists()


CUT_OFF = ["", "[", "stages: 3", "stages: {a: {outs: [1]}}"]


@pytest.mark.parametrize("text", CUT_OFF)
def test_a_lock_that_was_cut_off_becomes_that_of_the_last_commit(tree, text, capsys):
    whole = (tree / "dvc.lock").read_text()
    sh(tree, "git", "init", "-q")
    commit(tree, "built")
    (tree / "dvc.lock").write_text(text)
    assert not intact.main(["--outputs"])
    assert (tree / "dvc.lock").read_text() == whole
    assert "dvc.lock is now that of the last commit" in capsys.readouterr().err


@pytest.mark.parametrize("text", CUT_OFF)
def test_a_lock_that_was_cut_off_and_never_committed_is_removed(tree, text, capsys):
    (tree / "dvc.lock").write_text(text)
    assert not intact.main(["--outputs"])
    assert not (tree / "dvc.lock").exists()
    assert "dvc.lock is no lock of DVC" in capsys.readouterr().err


def test_without_lock_and_cache_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not intact.main(["--cache", "nowhere", "--outputs"])


@pytest.mark.slow
def test_make_all_heals_a_damaged_cache(built, tmp_path):
    folder = tmp_path / "kit"
    sh(built, "git", "clone", "-q", str(built), str(folder))
    for name in (".venv", ".venv-dvc"):
        os.symlink(os.path.realpath(os.path.join(ROOT, name)), str(folder / name))
    shutil.copytree(str(built / ".dvc" / "cache"), str(folder / ".dvc" / "cache"))
    wanted = outputs(folder)
    name = "models/train/history.csv"
    damaged = folder / ".dvc" / "cache" / "files" / "md5" / wanted[name][:2] / wanted[name][2:]
    os.chmod(str(damaged), 0o644)
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-2] + b"x\n")
    os.chmod(str(damaged), 0o444)
    sh(folder, DVC, "checkout")  # restored without a word
    assert (folder / name).read_bytes() != data
    said = sh(folder, "make", "all", "DVC=" + DVC)
    assert "is removed; the stage train makes it again: %s" % name in said
    assert (folder / name).read_bytes() == data and damaged.read_bytes() == data
    assert outputs(folder) == wanted
