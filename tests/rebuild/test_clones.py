"""Throwaway clones of HEAD: what is in them, what is changed in them, what is said when one fails."""
import os

import pytest
import yaml

from conftest import ENVIRONMENT, ROOT
from kit.base.cli import UserError
from kit.rebuild.clones import change_params, clone_head, git, repro, say_stages


def test_a_clone_is_head_with_the_environments(tmp_path):
    folder = str(tmp_path / "clone")
    clone_head(folder)
    assert git("rev-parse", "HEAD", folder=folder) == git("rev-parse", "HEAD")
    assert os.path.samefile(os.path.join(folder, ".venv"), os.path.join(ROOT, ".venv"))
    assert git("status", "--porcelain", folder=folder) == ""  # nothing of it is in git's way


def test_a_changed_parameter_leaves_the_others(tmp_path):
    (tmp_path / "params.yaml").write_text("a: {x: 1, y: 2}\nb: {z: 3}\n")
    change_params(str(tmp_path), {"a": {"x": 9}})
    assert yaml.safe_load((tmp_path / "params.yaml").read_text()) == {
        "a": {"x": 9, "y": 2}, "b": {"z": 3}}


def test_a_failed_rebuild_ends_with_its_last_lines(tmp_path):
    dvc = tmp_path / ".venv-dvc" / "bin" / "dvc"
    dvc.parent.mkdir(parents=True)
    dvc.write_text("#!/bin/sh\nseq 100\numask\nexit 3\n")
    dvc.chmod(0o755)
    with pytest.raises(UserError, match="(?s)failed:.*\n100\n0027$") as said:
        repro(str(tmp_path), str(tmp_path / "log"), ENVIRONMENT, umask=0o027)
    assert "\n80\n" not in str(said.value)


def test_git_speaks_for_itself():
    with pytest.raises(UserError, match="git show: .*nothing"):
        git("show", "nothing:here")


def test_each_stage_is_said_once(tmp_path, capsys):
    log = tmp_path / "log"
    log.write_text("Running stage 'generate':\n> sh scripts/run\n")
    said = say_stages(str(log), "seed 8", 0)
    with open(str(log), "a") as file:
        file.write("Running stage 'train':\n")
    assert say_stages(str(log), "seed 8", said) == 2
    assert capsys.readouterr().err == "seed 8: generate\nseed 8: train\n"
