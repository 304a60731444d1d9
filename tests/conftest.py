"""Clones of this tree in which the pipeline has run on the smoke profile."""
import atexit
import faulthandler
import os
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
ENDS_S = 120  # for what is left to do after the last test
DVC = os.path.join(ROOT, ".venv", "bin", "dvc")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
ENVIRONMENT["PATH"] = os.path.dirname(DVC) + os.pathsep + ENVIRONMENT["PATH"]  # as if activated
ENVIRONMENT.update(GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.org",
                   GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")


def sh(folder, *command):
    done = subprocess.run(command, cwd=str(folder), env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def set_up(name):
    """Build an environment beside the first, or skip."""
    if subprocess.call(["sh", "scripts/setup", name], cwd=ROOT):
        pytest.skip("scripts/setup %s needs a network the first time" % name)


def commit(folder, message):
    sh(folder, "git", "add", "-A")
    sh(folder, "git", "commit", "-q", "-m", message)


def fresh_tree(folder):
    """What git tracks here, as it is now, in a new repository with the smoke parameters."""
    tracked = sh(ROOT, "git", "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        if os.path.exists(os.path.join(ROOT, name)) and not name.startswith(("reports/", "dvc.lock")):
            target = os.path.join(str(folder), name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(ROOT, name), target)
    for name in (".venv", ".venv-dvc"):
        os.symlink(os.path.join(ROOT, name), str(folder / name))
    shutil.copy(os.path.join(ROOT, "tests", "smoke.yaml"), str(folder / "params.yaml"))
    sh(folder, "git", "init", "-q", "-b", "main")
    commit(folder, "start")
    return folder


def outputs(folder):
    """{path: md5} of everything that the pipeline made."""
    with open(str(folder / "dvc.lock")) as file:
        stages = yaml.safe_load(file)["stages"]
    return {out["path"]: out["md5"] for spec in stages.values() for out in spec["outs"]}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A tree in which `dvc repro` ran through, and everything is committed."""
    folder = fresh_tree(tmp_path_factory.mktemp("built"))
    sh(folder, DVC, "repro")
    commit(folder, "built")
    return folder


def pytest_sessionfinish(session, exitstatus):
    session.config.ended_with = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End here: after the last test this process has once hung for 40 minutes, with TensorFlow in it."""
    def end(*_):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(getattr(config, "ended_with", 1))

    def told(*_):
        faulthandler.dump_traceback(all_threads=True)
        end()

    signal.signal(signal.SIGALRM, told)
    signal.alarm(ENDS_S)
    atexit._run_exitfuncs()  # pytest's own removal of folders is among them
    end()
