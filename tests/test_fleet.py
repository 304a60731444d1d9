"""The fleet's tests run in its environment: `sh scripts/setup fleet`."""
import os
import subprocess

import pytest

from conftest import ROOT

PYTHON = os.path.join(ROOT, ".venv-fleet", "bin", "python")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(PYTHON), reason="no .venv-fleet: `sh scripts/setup fleet`")
def test_the_tests_of_its_room_pass_in_its_environment():
    done = subprocess.run([PYTHON, "-m", "pytest", "tests/fleet"], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
