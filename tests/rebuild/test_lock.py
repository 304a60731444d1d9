"""Whether results are of what is here now."""
import json

import pytest
import yaml

from kit.base.cli import UserError
from kit.rebuild.lock import md5, stale


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A stage `evaluate` of a folder and a file that other stages made, and of a script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("models/b", "models/a", "train.csv", "code.py"):
        (tmp_path / name).write_text(name)
    lock = {"stages": {
        "train": {"outs": [{"path": "models/a"}, {"path": "models/b"}, {"path": "train.csv"}],
                  "params": {"params.yaml": {"train": {"units": 3}}}},
        "evaluate": {"deps": [{"path": path, "md5": md5(path)} for path in (
            "models", "train.csv", "code.py")], "params": {"params.yaml": {"evaluate": {"seed": 1}}}}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    (tmp_path / "params.yaml").write_text("{train: {units: 3}, evaluate: {seed: 1}}")
    return tmp_path


def test_a_folder_has_the_hash_that_dvc_gives_it(tmp_path):
    (tmp_path / "b").write_text("x")
    (tmp_path / "a").write_text("y")
    listed = '[{"md5": "415290769594460e2e485922904f345d", "relpath": "a"}, {"md5": ' \
             '"9dd4e461268c8034f5c8564e155c67a6", "relpath": "b"}]'
    assert json.loads(listed)[0]["md5"] == md5(str(tmp_path / "a"))
    import hashlib
    assert md5(str(tmp_path)) == hashlib.md5(listed.encode()).hexdigest() + ".dir"
    assert md5("nowhere") is None


@pytest.mark.parametrize("path, content, named", [
    ("models/a", "other", "models changed"), ("train.csv", "other", "train.csv changed"),
    ("params.yaml", "{train: {units: 4}, evaluate: {seed: 1}}", "train of params.yaml changed")])
def test_what_changed_is_named(tree, path, content, named):
    assert stale("dvc.lock", "evaluate", "params.yaml") == []
    (tree / path).write_text(content)
    said, = stale("dvc.lock", "evaluate", "params.yaml")
    assert said.startswith("stale: these are not the results") and named in said


def test_code_is_left_to_dvc_and_no_lock_says_nothing(tree):
    (tree / "code.py").write_text("other")
    assert stale("dvc.lock", "evaluate", "params.yaml") == []
    assert stale("nowhere", "evaluate", "params.yaml") == []
    (tree / "dvc.lock").write_text("[1]")
    with pytest.raises(UserError, match="dvc.lock or params.yaml is damaged"):
        stale("dvc.lock", "evaluate", "params.yaml")
