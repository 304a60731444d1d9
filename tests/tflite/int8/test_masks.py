"""Masks in integers: what is held stays to the bit."""
import numpy as np
import pytest

import convert
from kit.network.description import read_network
from kit.network.files.keras_file import read_keras
from kit.network.parity import Reference
from kit.record.samples import Samples
from kit.runtime.interpreter import Model

CHANNELS, STEPS = 2, 6


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("value", [0.0, -1.3, 7.0])
def test_a_masked_sample_leaves_every_state_to_the_bit(tmp_path, precision, value):
    """Also for a value that no step of the input's scale is, and one that calibration never saw."""
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    tf.compat.v1.set_random_seed(3)
    keras = tf.keras.layers
    model = tf.keras.Sequential([
        keras.Masking(value, input_shape=(STEPS, CHANNELS)), keras.LSTM(4), keras.Dense(1)])
    path = str(tmp_path / "m.h5")
    model.save(path)
    rng = np.random.Generator(np.random.PCG64(8))
    stream = rng.normal(size=(600, CHANNELS)).astype(np.float32)
    if value != 7:
        stream[rng.random(600) < 0.3] = value
    file, samples = read_keras(path), Samples(stream[None], STEPS, False)
    job = convert.Job(path, read_network(file), STEPS, samples, Reference(file, samples), 2.0)
    data, _ = convert.convert(job, "step", precision)
    model = Model(data)
    model.stream(rng.normal(size=(9, CHANNELS)).astype(np.float32))
    before = model.state
    model.stream(np.full((1, CHANNELS), value, np.float32))
    assert all((one == other).all() for one, other in zip(before, model.state))
    model.stream(np.float32([[value, value - 0.3]]))
    assert any((one != other).any() for one, other in zip(before, model.state))
