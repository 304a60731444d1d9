"""scripts/environments with a fake uv: what it builds, when it does nothing, what it says."""
import os
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
UV = """#!/bin/sh
echo "$@" >>called
case "$1" in venv) mkdir -p "$5/bin"; echo "VIRTUAL_ENV=$PWD/$5" >"$5/bin/activate";; esac
[ "$1" != pip ] || [ ! -e offline ]
"""


@pytest.fixture
def kit(tmp_path):
    """A project with the script, two locks, and programs that only write down their arguments."""
    for folder in ("scripts", ".venv-dvc/bin", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(os.path.join(ROOT, "scripts", "environments"), str(tmp_path / "scripts"))
    for path, text in ((".venv-dvc/bin/uv", UV), (".venv/bin/python", "#!/bin/sh\n")):
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    for name in ("litert", "tflite"):
        (tmp_path / ("requirements-%s.lock" % name)).write_text("# %s\n" % name)
    return tmp_path


def environments(kit, *names):
    return subprocess.run(["sh", "scripts/environments"] + list(names), cwd=str(kit),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def test_each_is_built_from_its_hashed_lock_and_tflite_on_the_old_python(kit):
    done = environments(kit, "tflite")
    assert done.returncode == 0, done.stderr
    made, installed = (kit / "called").read_text().splitlines()
    assert made == "venv -q --python .venv/bin/python .venv-tflite"
    assert "--no-deps --require-hashes -r requirements-tflite.lock" in installed


def test_a_second_run_does_nothing_and_a_changed_lock_rebuilds(kit):
    environments(kit, "tflite")
    (kit / "called").unlink()
    assert environments(kit, "tflite").stderr == "" and not (kit / "called").exists()
    (kit / "requirements-tflite.lock").write_text("# changed\n")
    environments(kit, "tflite")
    assert (kit / "called").exists()


def test_an_interrupted_build_is_built_anew(kit):
    (kit / "offline").touch()
    assert environments(kit, "tflite").returncode != 0
    (kit / "offline").unlink()
    (kit / "called").unlink()
    assert environments(kit, "tflite").returncode == 0 and (kit / "called").exists()


@pytest.mark.parametrize("names, words", [
    ([], "name an environment"), (["other"], "there is no requirements-other.lock")])
def test_what_it_cannot_build_is_told(kit, names, words):
    done = environments(kit, *names)
    assert done.returncode == 1 and words in done.stderr


def test_before_the_set_up_it_says_so(kit):
    (kit / ".venv-dvc" / "bin" / "uv").unlink()
    assert "make setup" in environments(kit, "litert").stderr
