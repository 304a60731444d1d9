"""A stage ends soon after the DVC that started it."""
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT

STAGE = "import sys, time; sys.path.insert(0, %r); from kit.base.cli import run\n" \
        "def main(argv):\n    print('here', flush=True); time.sleep(60)\nrun(main)" % os.path.join(
            ROOT, "scripts")
DVC = """import os, subprocess, sys, time
environment = dict(os.environ, DVC_STAGE="train")
process = subprocess.Popen(["sh", "-c", "%s -c \\"$STAGE\\"; true"], env=environment)
process.wait()
""" % sys.executable


def alive(number):
    try:
        with open("/proc/%d/stat" % number) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(number):
    with open("/proc/%d/task/%d/children" % (number, number)) as file:
        return [int(text) for text in file.read().split()]


@pytest.mark.parametrize("kill", [True, False])
def test_a_stage_ends_with_dvc_alone(kill):
    environment = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    dvc = subprocess.Popen([sys.executable, "-c", DVC], stdout=subprocess.PIPE,
                           env=dict(environment, STAGE=STAGE))
    assert dvc.stdout.readline() == b"here\n"
    shell, = children(dvc.pid)
    stage, = children(shell)
    try:
        if kill:
            dvc.send_signal(signal.SIGKILL)
            dvc.wait()
        deadline = time.monotonic() + (20 if kill else 3)
        while alive(stage) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert alive(stage) == (not kill)
    finally:
        for number in (stage, shell, dvc.pid):
            if alive(number):
                os.kill(number, signal.SIGKILL)
        dvc.wait()
        dvc.stdout.close()
