"""Torch learns what there is to learn, on as many threads as it is told."""
import os

import numpy as np
import pytest

from conftest import ROOT
from kit.bench.worker import Worker

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not os.path.exists(os.path.join(ROOT, ".venv-torch")), reason="no .venv-torch")
def test_a_sine_is_forecast(tmp_path):
    wave = np.sin(np.arange(400) * 0.3).astype(np.float32)[:, None]
    windows = np.stack([wave[start:start + 20] for start in range(380)])
    np.savez(str(tmp_path / "data.npz"), windows=windows, wanted=wave[20:],
             validation_windows=windows[:50], validation_wanted=wave[20:70])
    with Worker(".venv-torch", "kit.bench.torch_training") as worker:
        found = worker.ask("train", data=str(tmp_path / "data.npz"), units=8, batch_size=32,
                           learning_rate=0.01, epochs=8, threads=1, seed=3)
    assert len(found["seconds"]) == len(found["mse"]) == 8
    assert found["mse"][-1] < 0.1 < wave.var()
