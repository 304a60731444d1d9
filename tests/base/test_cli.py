"""What scripts do at the terminal: whole files or none, one line for a mistake."""
import json
import os
import subprocess
import sys

import pytest

from conftest import ROOT
from kit.base.cli import (
    UserError, atomic_path, progress, read_json, write_json, write_text, write_together,
)

SCRIPTS = os.path.join(ROOT, "scripts")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError):
        with atomic_path(str(target)) as partial:
            with open(partial, "w") as file:
                file.write("half")
            raise ZeroDivisionError
    assert target.read_text() == "old"
    assert os.listdir(str(tmp_path)) == ["a.txt"]


def test_what_a_killed_run_left_is_overwritten(tmp_path):
    (tmp_path / ".a.txt.partial").write_text("left by a killed run, and longer")
    write_text(str(tmp_path / "a.txt"), "new\n")
    assert (tmp_path / "a.txt").read_bytes() == b"new\n"
    assert os.listdir(str(tmp_path)) == ["a.txt"]


def test_files_that_belong_together_come_or_stay_together(tmp_path):
    pair = [str(tmp_path / name) for name in ("a.tflite", "a.json")]
    write_together({pair[0]: b"1", pair[1]: "one"})
    with pytest.raises(TypeError):
        write_together({pair[0]: b"2", pair[1]: 2})
    os.remove(pair[1])
    os.mkdir(pair[1])
    with pytest.raises(UserError, match="a.tflite and .*a.json cannot be written: a folder"):
        write_together({pair[0]: b"3", pair[1]: "three"})
    assert sorted(os.listdir(str(tmp_path))) == ["a.json", "a.tflite"]
    assert (tmp_path / "a.tflite").read_bytes() == b"1"


FULL = """
import resource, signal
def main(argv):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails, as on a full disk
    write_together({%r: b"2" * 900, %r: "2" * 1100})
"""


def test_a_full_disk_leaves_the_old_pair(tmp_path):
    pair = [str(tmp_path / name) for name in ("a.tflite", "a.json")]
    write_together({pair[0]: b"1", pair[1]: "one"})
    done = run_script(FULL % tuple(pair))
    assert done.returncode == 1 and "cannot be written: File too large" in done.stderr
    assert sorted(os.listdir(str(tmp_path))) == ["a.json", "a.tflite"]
    assert (tmp_path / "a.tflite").read_bytes() == b"1"


def test_json_keeps_the_order_of_keys_and_refuses_nan(tmp_path):
    path = str(tmp_path / "deep" / "a.json")
    write_json(path, {"b": 1, "a": [2.5]})
    with open(path) as file:
        assert file.read() == '{\n  "b": 1,\n  "a": [\n    2.5\n  ]\n}\n'
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert json.loads(open(path).read()) == {"b": 1, "a": [2.5]}


def test_a_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match="a.json is not JSON"):
        read_json(str(tmp_path / "a.json"))


def run_script(body):
    code = "import sys; sys.path.insert(0, %r)\nfrom kit.base.cli import *\n%s\nrun(main)" % (
        SCRIPTS, body)
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)


def test_a_mistake_is_one_line_and_status_1():
    done = run_script("def main(argv): raise UserError('row 3 is empty')")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: row 3 is empty\n")


def test_success_is_status_0_and_an_interrupt_is_quiet():
    assert run_script("def main(argv): pass").returncode == 0
    done = run_script("def main(argv): raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "")


def test_progress_yields_every_item_off_a_terminal():
    assert list(progress(iter("abc"), "letters", total=3)) == ["a", "b", "c"]


def test_progress_needs_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress("abc", "letters")) == ["a", "b", "c"]
