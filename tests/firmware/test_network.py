"""The network in C against the interpreter, in every kind of layer and number."""
import numpy as np
import pytest

from machines import WARNINGS, machine, needs, walk

KINDS = ["lstm", "lstm_per_unit", "lstm_odd", "gru", "rnn", "bare"]


@pytest.fixture(scope="module", params=["int8", "float32"])
def dtype(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_those_of_the_file(kind, dtype, tmp_path):
    """Integers equal to the bit, float32 to a millionth; on a walk that leaves the normal range."""
    needs("gcc")
    probe = machine(kind, dtype)
    probe.compiled(tmp_path, ["gcc", "-std=c99", "-O2"] + WARNINGS)
    values = np.nan_to_num(walk(400, probe.channels), nan=10.0).astype(np.float32)
    values[200:220] += 5.0
    _, _, forecasts, _ = probe.replayed(tmp_path, values)
    samples = np.clip(probe.scaler.standardise(values), -8, 8)
    expected = probe.model().stream(samples).reshape(len(values), -1)
    assert expected.std() > 1e-3  # a constant would prove nothing
    if dtype == "float32":
        assert np.abs(forecasts - expected).max() < 2e-6
    else:
        assert np.array_equal(forecasts, expected)
