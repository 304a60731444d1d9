"""Set-up without a network: finding the interpreters, and what is said when there is none.

Fake commands stand first on PATH; nothing is installed.
"""
import os
import shutil
import subprocess

import pytest

from conftest import ROOT

TOOLS = ["sh", "cat", "cmp", "cp", "dirname", "grep", "ln", "rm", "env", "mkdir", "touch", "chmod", "ls",
         "sed"]

LOCK = """# %s
setuptools==68.0 \\
    --hash=sha256:00
thing==1.0 \\
    --hash=sha256:01
"""


@pytest.fixture
def kit(tmp_path):
    """A project with its set-up script and locks, and a PATH of basic tools alone."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    for folder in ("scripts", "environments"):
        (tmp_path / "kit" / folder).mkdir(parents=True)
    shutil.copy(os.path.join(ROOT, "scripts", "setup"), str(tmp_path / "kit" / "scripts"))
    for lock in ("requirements.lock", "environments/dvc.lock", "environments/litert.lock",
                 "environments/tflm.lock"):
        (tmp_path / "kit" / lock).write_text(LOCK % lock)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    fake(tmp_path, "uname", 'case "$1" in -s) echo Linux;; -m) echo x86_64;; esac')
    return tmp_path


def fake(kit, name, body):
    path = kit / "bin" / name
    path.write_text("#!/bin/sh\n" + body + "\n")
    path.chmod(0o755)


# Stands for an interpreter: answers a question on its version, and makes an environment of itself.
PYTHON = """
case "$*" in
  *"sys.version_info[:2] == (3, 7)"*) [ {version} = 3.7 ];;
  *"sys.version_info >= (3, 9)"*|*"(3, 10) <= sys.version_info"*) [ {version} != 3.7 ];;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" &&
     case "$3" in *-dvc) name=dvc; printf '%s' "$UV" >"$3/bin/uv"; chmod +x "$3/bin/uv";;
       *) name=pytest;; esac
     printf '#!%s\\nexit 1\\n' "$PWD/$3/bin/python" >"$3/bin/$name"; chmod +x "$3/bin/$name";;
  "-m pip "*) echo "{version} $*" >>installed
     site=${{0%/bin/python}}/lib/python{version}/site-packages
     mkdir -p "$site/thing-1.0.dist-info";;
esac"""


# Stands for uv: an environment that it makes holds the lock it was filled from, and its interpreter.
UV = """#!/bin/sh
case "$1" in
  venv) shift; while [ $# -gt 1 ]; do [ "$1" = --python ] && python=$2; shift; done
     mkdir -p "$1/bin"; echo "VIRTUAL_ENV=$PWD/$1" >"$1/bin/activate"; echo "$python" >"$1/made_by";;
  pip) [ ! -e offline ] || exit 1
     case "$*" in *--require-hashes*) ;; *) exit 1;; esac
     while [ $# -gt 1 ]; do [ "$1" = --python ] && venv=$2; shift; done
     cp "$1" "$venv/holds";;
  python) exit 1;;
esac
"""


def set_up(kit, *names, folder="kit"):
    return subprocess.run(
        ["sh", "scripts/setup"] + list(names), cwd=str(kit / folder), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, universal_newlines=True,
        env={"PATH": str(kit / "bin"), "HOME": str(kit / "home"), "UV": UV})


def test_both_environments_come_from_their_locks_without_resolving(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    done = set_up(kit)
    assert done.returncode == 0, done.stderr
    installed = (kit / "kit" / "installed").read_text().splitlines()
    assert [line.split()[0] for line in installed] == ["3.11", "3.11", "3.7", "3.7"]
    assert all("--no-deps --require-hashes" in line for line in installed)
    assert (kit / "kit" / ".venv" / "requirements.lock").read_text() == LOCK % "requirements.lock"
    assert os.readlink(str(kit / "kit" / ".venv" / "bin" / "dvc")) == "../../.venv-dvc/bin/dvc"


def test_a_second_run_does_nothing_a_changed_lock_rebuilds_one(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    set_up(kit)
    (kit / "kit" / "installed").unlink()
    done = set_up(kit)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (kit / "kit" / "installed").exists()
    (kit / "kit" / "requirements.lock").write_text("# changed\n")
    assert set_up(kit).returncode == 0
    installed = (kit / "kit" / "installed").read_text().splitlines()
    assert [line.split()[0] for line in installed] == ["3.7", "3.7"]


def test_what_builds_a_package_is_installed_first_from_the_same_lock(kit):
    """A package without a wheel is built by setuptools, which CPython 3.12 does not bring."""
    fake(kit, "python3", PYTHON.format(version="3.12"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    assert set_up(kit).returncode == 0
    installed = (kit / "kit" / "installed").read_text().splitlines()
    assert [line.split()[-1] for line in installed[:2]] == [
        ".venv-dvc/builders.lock", "environments/dvc.lock"]
    assert (kit / "kit" / ".venv-dvc" / "builders.lock").read_text() == (
        "setuptools==68.0 \\\n    --hash=sha256:00\n")


def test_a_package_changed_by_hand_is_put_right(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    set_up(kit)
    site = kit / "kit" / ".venv" / "lib" / "python3.7" / "site-packages"
    (site / "thing-1.0.dist-info").rename(site / "thing-2.0.dist-info")
    assert "TensorFlow" in set_up(kit).stderr
    assert os.listdir(str(site)) == ["thing-1.0.dist-info"]


def test_an_interrupted_build_and_a_moved_folder_are_built_anew(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    set_up(kit)
    (kit / "kit" / ".venv" / "requirements.lock").unlink()
    assert "TensorFlow" in set_up(kit).stderr
    (kit / "kit").rename(kit / "moved")
    done = set_up(kit, folder="moved")
    assert done.returncode == 0 and "DVC" in done.stderr and "TensorFlow" in done.stderr


def test_a_shim_that_does_not_run_is_passed_over_for_pyenv(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", "echo 'pyenv: python3.7: command not found' >&2; exit 127")
    home = kit / "home" / ".pyenv" / "versions" / "3.7.16" / "bin"
    home.mkdir(parents=True)
    shutil.copy(str(kit / "bin" / "python3"), str(home / "python3.7"))
    (home / "python3.7").write_text("#!/bin/sh\n" + PYTHON.format(version="3.7") + "\n")
    assert set_up(kit).returncode == 0


def test_conda_makes_one_where_it_is_present(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    (kit / "python37").write_text("#!/bin/sh\n" + PYTHON.format(version="3.7") + "\n")
    (kit / "python37").chmod(0o755)
    fake(kit, "conda", 'echo "$@" >called; mkdir -p "$5/bin"; cp %s "$5/bin/python3.7"'
         % (kit / "python37"))
    done = set_up(kit)
    assert done.returncode == 0, done.stderr
    assert (kit / "kit" / "called").read_text().split()[:3] == ["create", "-y", "-q"]


def test_without_any_interpreter_it_says_what_was_tried_and_three_ways_out(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    done = set_up(kit)
    assert done.returncode == 1
    for words in ("no CPython 3.7 that works", "Tried:", "download by uv",
                  "1. pyenv install", "2. conda create", "3. build CPython"):
        assert words in done.stderr
    assert not (kit / "kit" / ".venv").exists()


def test_without_a_python_for_dvc_it_says_so(kit):
    done = set_up(kit)
    assert done.returncode == 1 and "DVC needs a Python >= 3.9 with venv" in done.stderr


def test_another_machine_is_told_its_ways_out(kit):
    fake(kit, "uname", 'case "$1" in -s) echo Linux;; -m) echo aarch64;; esac')
    done = set_up(kit)
    assert done.returncode == 1
    for words in ("this is Linux aarch64", "1. run on", "2. docker run", "3. a hosted"):
        assert words in done.stderr


def test_when_nothing_changed_it_starts_no_interpreter(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    set_up(kit)
    for name in ("python3", "python3.7"):
        fake(kit, name, "touch %s" % (kit / "started"))
    assert set_up(kit).returncode == 0
    assert not (kit / "started").exists()


# --- the environments beside these two ----------------------------------------------------------


@pytest.fixture
def base(kit):
    """A project in which the two environments are there."""
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    assert set_up(kit).returncode == 0
    return kit


def test_one_beside_holds_what_its_lock_says(base):
    assert set_up(base, "tflm", "litert").returncode == 0
    for name in ("tflm", "litert"):
        venv = base / "kit" / (".venv-" + name)
        assert (venv / "holds").read_text() == LOCK % ("environments/%s.lock" % name)
        assert (venv / "made_by").read_text() == "python3\n"


def test_the_two_are_built_before_one_beside(kit):
    fake(kit, "python3", PYTHON.format(version="3.11"))
    fake(kit, "python3.7", PYTHON.format(version="3.7"))
    assert set_up(kit, "litert").returncode == 0
    assert (kit / "kit" / ".venv-litert" / "holds").exists()
    assert (kit / "kit" / ".venv" / "requirements.lock").exists()


def test_one_beside_stays_until_its_lock_changes(base):
    set_up(base, "tflm")
    holds = base / "kit" / ".venv-tflm" / "holds"
    holds.write_text("as it was")
    assert set_up(base, "tflm").stderr == "" and holds.read_text() == "as it was"
    (base / "kit" / "environments" / "tflm.lock").write_text("# changed\n")
    assert set_up(base, "tflm").returncode == 0 and holds.read_text() == "# changed\n"


def test_an_interrupted_build_of_one_beside_is_built_anew(base):
    (base / "kit" / "offline").touch()
    assert set_up(base, "tflm").returncode != 0
    (base / "kit" / "offline").unlink()
    assert set_up(base, "tflm").returncode == 0
    assert (base / "kit" / ".venv-tflm" / "holds").exists()


def test_an_unknown_name_is_told_before_anything_is_built(kit):
    done = set_up(kit, "other")
    assert done.returncode == 1 and "there is no environments/other.lock" in done.stderr
    assert not (kit / "kit" / ".venv-dvc").exists()
