"""Outputs along whole sessions: the state begins anew with each, here and in another Python."""
import os
import subprocess
import sys

import numpy as np
import pytest

import step_models
from conftest import ROOT
from kit.runtime.interpreter import Model
from kit.runtime.streamed import streamed

BOUNDS = [[0, 4], [4, 5], [5, 12]]


class Sum:
    """y(t) = x(0) + ... + x(t)."""

    def reset(self):
        self.total = 0.0

    def stream(self, samples):
        found = self.total + np.cumsum(samples, 0)
        self.total = found[-1]
        return found


def test_the_state_is_zero_where_a_session_begins():
    found = streamed(Sum(), np.ones((12, 1)), BOUNDS)
    assert found[:, 0].tolist() == [1, 2, 3, 4, 1, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.slow
def test_as_a_program_it_writes_what_it_gives(tmp_path):
    paths = [str(tmp_path / name) for name in ("m.tflite", "x.npy", "bounds.npy", "y.npy")]
    with open(paths[0], "wb") as file:
        file.write(step_models.lstm("float32"))
    samples = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    np.save(paths[1], samples)
    np.save(paths[2], BOUNDS)
    said = subprocess.run([sys.executable, "-m", "kit.runtime.streamed"] + paths, check=True,
                          cwd=os.path.join(ROOT, "scripts"), stdout=subprocess.PIPE,
                          universal_newlines=True).stdout
    model = Model(paths[0])
    assert said.split() == [model.runtime]
    np.testing.assert_array_equal(np.load(paths[3]), streamed(model, samples, BOUNDS))
