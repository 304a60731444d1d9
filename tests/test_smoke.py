"""The smoke profile, as a person calls it."""
import subprocess

import pytest

from conftest import ENVIRONMENT, ROOT


@pytest.mark.slow
def test_make_smoke_runs_the_pipeline_in_a_clone_and_leaves_no_trace():
    before = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT)
    done = subprocess.run(["make", "smoke"], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    assert "Running stage 'attest'" in done.stdout and "step_int8" in done.stdout
    assert subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT) == before
