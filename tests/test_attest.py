"""Provenance: statements by hash, and a verification that can say no."""
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
import attest
from kit.base.cli import UserError

PIPELINE = """
stages:
  make:
    cmd: sh scripts/run make a.txt
    params: [train]
    deps: [scripts/make.py]
    outs: [data/a.txt]
  convert:
    matrix: {form: [step]}
    cmd: sh scripts/run convert ${item.form}
    deps: [data]
    outs: ["models/convert/${item.form}.tflite"]
  attest:
    cmd: sh scripts/run attest
    deps: [data, models/convert]
    outs: [models/attest/provenance.jsonl]
"""


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository of two stages whose artifacts are made and attested, and committed."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("dvc.yaml", PIPELINE), ("scripts/make.py", "code"), ("data/a.txt", "data"),
                       ("models/convert/step.tflite", "model")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("params.yaml", "params.schema.yaml"):
        shutil.copy(os.path.join(ROOT, name), str(tmp_path))
    attest.main(["--out", "models/attest/provenance.jsonl"])
    for name in ("verify.py", "kit"):
        copy = shutil.copytree if name == "kit" else shutil.copy
        copy(os.path.join(ROOT, "scripts", name), str(tmp_path / "scripts" / name))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "dvc.yaml", "scripts", "models/attest")
    git(tmp_path, "commit", "-q", "-m", "made")
    return tmp_path


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org"] + list(words),
                   cwd=str(folder), check=True)


def verify(project, path):
    done = subprocess.run([sys.executable, str(project / "scripts" / "verify.py"), str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    return done.returncode, done.stdout


def test_what_dvc_ignores_is_no_material(project):
    shutil.copy(os.path.join(ROOT, ".dvcignore"), str(project))
    for name in ("a.txt~", ".a.txt.swp", "__pycache__/a.cpython-37.pyc", "#a.txt#", ".gitignore"):
        path = project / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("left by a program")
    before = (project / "models" / "attest" / "provenance.jsonl").read_text()
    attest.main(["--out", "models/attest/provenance.jsonl"])
    assert (project / "models" / "attest" / "provenance.jsonl").read_text() == before


def test_a_statement_names_materials_command_and_products_by_hash(project):
    lines = (project / "models" / "attest" / "provenance.jsonl").read_text().splitlines()
    made, converted = map(json.loads, lines)
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["subject"] == [{"name": "data/a.txt", "digest": {"sha256": digest("data")}}]
    assert made["predicate"]["command"] == ["sh", "scripts/run", "make", "a.txt"]
    assert list(made["predicate"]["environment"]["params"]) == ["train"]
    assert converted["predicate"]["name"] == "convert@step"
    assert converted["predicate"]["materials"] == made["subject"]


def test_a_copy_elsewhere_is_verified_with_commit_and_stage(project, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "renamed.bin"
    copy.write_text("model")
    status, said = verify(project, copy)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=str(project)).decode()
    assert status == 0 and said.startswith("yes:")
    for word in ("convert@step", commit.strip(), "models/convert/step.tflite"):
        assert word in said


def test_one_changed_byte_is_a_no(project):
    copy = project / "changed.tflite"
    copy.write_text("mode1")
    status, said = verify(project, copy)
    assert status == 1 and said.startswith("no:")


def test_sources_other_than_those_of_the_commit_are_a_no(project):
    (project / "data" / "a.txt").write_text("new data")
    (project / "scripts" / "make.py").write_text("what ran")
    attest.main(["--out", "models/attest/provenance.jsonl"])
    (project / "scripts" / "make.py").write_text("what was committed")
    git(project, "commit", "-qam", "tampered")
    status, said = verify(project, project / "data" / "a.txt")
    assert status == 1 and "does not fit its own files: scripts/make.py" in said


def test_a_later_commit_whose_statement_fits_is_the_one(project):
    """A source changed after the build, committed with it, and built anew to the same product."""
    (project / "data" / "a.txt").write_text("new data")
    attest.main(["--out", "models/attest/provenance.jsonl"])
    (project / "scripts" / "make.py").write_text("another comment")
    git(project, "commit", "-qam", "built before the last edit")
    attest.main(["--out", "models/attest/provenance.jsonl"])
    git(project, "commit", "-qam", "built")
    status, said = verify(project, project / "data" / "a.txt")
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=str(project)).decode()
    assert status == 0 and commit.strip() in said


def test_data_that_no_stage_of_the_commit_made_are_a_no(project):
    (project / "models" / "convert" / "step.tflite").write_text("another model")
    attest.main(["--out", "models/attest/provenance.jsonl"])
    provenance = project / "models" / "attest" / "provenance.jsonl"
    provenance.write_text(provenance.read_text().splitlines()[1] + "\n")
    git(project, "commit", "-qam", "the statement of the data is gone")
    status, said = verify(project, project / "models" / "convert" / "step.tflite")
    assert status == 1 and "data/a.txt" in said


def test_a_missing_artifact_is_one_sentence(project):
    (project / "data" / "a.txt").unlink()
    with pytest.raises(UserError, match="data/a.txt: No such file"):
        attest.main(["--out", "x.jsonl"])
