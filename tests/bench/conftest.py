"""A small network for contenders and peers."""
import numpy as np
import pytest

CHANNELS, UNITS, OUTPUTS = 3, 16, 2


@pytest.fixture
def weights(tmp_path):
    """The path of an LSTM and a Dense, as bench writes them."""
    rng = np.random.default_rng(5)
    shapes = {"kernel": (CHANNELS, 4 * UNITS), "recurrent": (UNITS, 4 * UNITS),
              "bias": (4 * UNITS,), "dense": (UNITS, OUTPUTS), "dense_bias": (OUTPUTS,)}
    path = str(tmp_path / "weights.npz")
    np.savez(path, **{name: rng.normal(0, 0.4, shape).astype(np.float32)
                      for name, shape in shapes.items()})
    return path
