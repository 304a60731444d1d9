"""What is known against the packages: silence is not an answer, and nothing open goes unjudged."""
import glob
import json
import os
import subprocess

import pytest

from conftest import ROOT
import audit
from kit.base.cli import UserError

OPEN = {"name": "tensorflow", "version": "1.15.5", "vulns": [{"id": "B-2"}, {"id": "A-1"}]}
CLEAN = {"name": "numpy", "version": "1.18.5", "vulns": []}
SKIPPED = {"name": "absl-py", "skip_reason": "Dependency not found on PyPI"}


def test_advisories_are_listed_once_with_their_reason():
    lines, without, unknown = audit.judged({"a.lock": [OPEN, CLEAN], "b.lock": [OPEN]},
                                           {"tensorflow": "never served"})
    assert lines == ["tensorflow 1.15.5: 2 advisories (A-1, B-2): never served"]
    assert (without, unknown) == ([], [])


@pytest.mark.parametrize("answer, sentence", [
    ([OPEN], "no reason in .*reasons.json for: tensorflow"),
    ([CLEAN, SKIPPED], "1 package could not be asked about .absl-py"),
])
def test_what_is_open_or_unknown_is_no_success(tmp_path, monkeypatch, answer, sentence):
    (tmp_path / "reasons.json").write_text("{}")
    monkeypatch.setattr(audit, "asked", lambda lock: answer)
    with pytest.raises(UserError, match=sentence):
        audit.main(["a.lock", "--reasons", str(tmp_path / "reasons.json")])


def test_pip_audit_without_an_answer_is_one_sentence(tmp_path, monkeypatch):
    script = tmp_path / "pip-audit"
    script.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(audit, "PIP_AUDIT", str(script))
    with pytest.raises(UserError, match="a.lock: pip-audit gives no answer: broken"):
        audit.asked("a.lock")


def test_every_lock_is_asked_about(tmp_path, monkeypatch, capsys):
    said = subprocess.run(["make", "-n", "audit"], cwd=ROOT, stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout
    words = [word for word in said.split() if word.endswith(".lock")]
    assert sorted(words) == sorted(["requirements.lock"] + [
        os.path.join("environments", name) for name in os.listdir(os.path.join(ROOT, "environments"))
        if name.endswith(".lock")])

    script = tmp_path / "pip-audit"
    script.write_text('#!/bin/sh\necho "$4" >>%s\necho \'%s\'\n' % (
        tmp_path / "asked", json.dumps({"dependencies": [CLEAN]})))
    script.chmod(0o755)
    monkeypatch.setattr(audit, "PIP_AUDIT", str(script))
    audit.main(words + ["--reasons", "environments/audit.json"])
    assert (tmp_path / "asked").read_text().split() == words
    assert capsys.readouterr().out == "0 packages with something open, each with a reason\n"


def test_every_reason_is_about_a_package_of_a_lock():
    with open("environments/audit.json") as file:
        reasons = json.load(file)
    locks = ""
    for path in ["requirements.lock"] + glob.glob("environments/*.lock"):
        with open(path) as file:
            locks += "\n" + file.read()
    assert all("\n%s==" % name in locks for name in reasons)
