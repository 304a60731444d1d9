"""Every command block of the README and of docs/ runs, on the smoke profile, in a clone.

What takes many minutes, a network or a server is named below with where it runs instead; of such
make targets it is checked that they exist.
"""
import glob
import os
import re
import shlex
import subprocess

import numpy as np
import pytest

from conftest import ENVIRONMENT, ROOT, sh

PAGES = [os.path.join(ROOT, "README.md")] + sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))

ELSEWHERE = {
    "make all": ".ci/clone", "make test": ".ci/run", "make runtimes": ".ci/run",
    "sh scripts/run test tests/f": "make test",  # faults, fuzz
    "sh scripts/run stage_cost": "test_stage_cost.py",
    "make bench": "test_bench.py has its parts", "make soak": "test_endurance.py has a short one",
    "make firmware-report": "test_firmware_report.py has it of small files",
    "make sign": "test_sign.py", "make verify FILE=step_int8.tflite KEYS": "test_sign.py",
    "make bom": "test_bom.py; the environment needs a network",
    "make audit": "needs a network; test_audit.py has a fake one",
    "dvc exp run --queue": "test_pipeline.py", "dvc queue start": "test_pipeline.py",
    "dvc remote add": "test_remote.py", "dvc push": "test_remote.py", "dvc pull": "test_remote.py",
    "sh scripts/setup fleet": "needs a network", "sh scripts/run fleet": "tests/fleet",
    ".venv-dvc/bin/dvc metrics show groups": "belongs to the line above",
    "pip install": "needs a network", "logger |": "needs a sensor; test_detect.py feeds a pipe",
    "dvc add logs": "test_logs.py and DVC's own", "git add logs.dvc": "belongs to the line above",
}


def blocks(page):
    """The text of each fenced sh block of a page."""
    with open(page) as file:
        return re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S)


def commands(block):
    """The commands of a block, lines that end in a backslash joined, comments dropped."""
    joined = block.replace("\\\n", " ")
    lines = [re.sub(r"\s+#\s.*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line]


def elsewhere(command):
    return next((where for start, where in ELSEWHERE.items() if command.startswith(start)), None)


CASES = [(os.path.basename(page), number, block)
         for page in PAGES for number, block in enumerate(blocks(page))]


def test_there_are_blocks_and_every_exemption_is_in_use():
    found = [command for _, _, block in CASES for command in commands(block)]
    assert len(found) > 10
    for start in ELSEWHERE:
        assert any(command.startswith(start) for command in found), start


@pytest.mark.parametrize("command", sorted({
    command for _, _, block in CASES for command in commands(block)
    if command.startswith("make ")}))
def test_every_make_target_in_a_block_exists(command):
    assert subprocess.call(["make", "-n"] + shlex.split(command)[1:], cwd=ROOT,
                           stdout=subprocess.DEVNULL) == 0


@pytest.fixture(scope="module")
def clone(built, tmp_path_factory):
    """A clone of the built tree with its cache, and a person's own model and windows beside it."""
    folder = tmp_path_factory.mktemp("docs") / "kit"
    sh(built, "git", "clone", "-q", str(built), str(folder))
    for name in (".venv", ".venv-dvc"):
        os.symlink(os.path.realpath(os.path.join(ROOT, name)), str(folder / name))
    dvc = str(folder / ".venv" / "bin" / "dvc")
    sh(folder, dvc, "cache", "dir", "--local", str(built / ".dvc" / "cache"))
    sh(folder, dvc, "checkout")
    sh(folder, "cp", "models/train/keras_model.h5", "my_model.h5")
    np.save(str(folder / "windows.npy"),
            np.random.RandomState(0).randn(120, 12, 7).astype(np.float32))
    sh(folder, "git", "config", "user.name", "t")
    sh(folder, "git", "config", "user.email", "t@example.org")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page, number, block", CASES, ids=["%s-%d" % case[:2] for case in CASES])
def test_a_block_runs(clone, page, number, block):
    for command in commands(block):
        if elsewhere(command):
            continue
        done = subprocess.run(
            ["sh", "-c", command], cwd=str(clone), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True,
            env=ENVIRONMENT)
        assert done.returncode == 0, "%s\n%s" % (command, done.stdout)
