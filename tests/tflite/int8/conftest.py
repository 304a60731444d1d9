"""A small forecaster that was trained, as the quantizer meets it."""
from typing import NamedTuple

import numpy as np
import pytest

STEPS, UNITS, CHANNELS = 20, 16, 3


class Trained(NamedTuple):
    """A trained model in one form, and what its quantized file is measured with."""

    form: str
    float_file: bytes  # as 1.15's converter leaves it, before the quantizer
    signature: dict
    calibration: object  # Samples
    inputs: np.ndarray
    outputs: np.ndarray  # Keras' own

    def quantized(self, scheme="int8"):
        """The file in a precision of integers."""
        from kit.runtime import flatbuffer
        from kit.tflite import toco
        from kit.tflite.int8.quantize import quantized
        from kit.tflite.int8.schemes import SCHEMES

        model = flatbuffer.read(self.float_file)
        return toco.packed(quantized(
            model, self.signature, self.calibration, SCHEMES[scheme]), self.signature)

    def differences(self, data):
        """What a file computes less what Keras does, in standard deviations of the output."""
        from kit.runtime.interpreter import Model

        model = Model(data)
        run = model.stream if self.form == "step" else model.predict
        return (run(self.inputs) - self.outputs.astype(np.float64)) / self.outputs.std()


@pytest.fixture(scope="session")
def forecaster(tmp_path_factory):
    """(path of a trained .h5, Samples of what it was trained on): LSTM 16 and Dense."""
    from kit.record.samples import Samples
    from kit.tf.tf115 import session, tf

    stream = machine(6000)
    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    layers, glorot = tf.keras.layers, tf.keras.initializers.glorot_uniform(seed=1)
    model = tf.keras.Sequential([
        layers.LSTM(UNITS, recurrent_activation="sigmoid", input_shape=(None, CHANNELS),
                    kernel_initializer=glorot,
                    recurrent_initializer=tf.keras.initializers.orthogonal(seed=1)),
        layers.Dense(CHANNELS, kernel_initializer=glorot)])
    model.compile(tf.keras.optimizers.Adam(1e-2), "mse")
    starts = range(0, len(stream) - STEPS, 2)
    windows = np.stack([stream[start:start + STEPS] for start in starts])
    model.fit(windows, stream[STEPS::2], batch_size=64, epochs=6, shuffle=False, verbose=0)
    path = str(tmp_path_factory.mktemp("forecaster") / "model.h5")
    model.save(path)
    return path, Samples(stream[None], STEPS, False)


@pytest.fixture(scope="session")
def trained(forecaster, tmp_path_factory):
    """form -> Trained."""
    from kit.network.description import read_network
    from kit.network.files.keras_file import read_keras
    from kit.network.forms import frozen
    from kit.network.parity import Reference
    from kit.runtime import flatbuffer
    from kit.tflite import toco

    path, samples = forecaster
    file = read_keras(path)
    network, reference, found = read_network(file), Reference(file, samples), {}
    for form in ("step", "window", "fused"):
        graph = frozen(network, form, None if form == "step" else STEPS)
        frozen_path = tmp_path_factory.mktemp("trained") / (form + ".pb")
        frozen_path.write_bytes(graph.bytes)
        signature = graph.signature(path)
        float_file = flatbuffer.write(toco.whole_fused_ops(
            toco.converted(str(frozen_path), signature), signature))
        found[form] = Trained(form, float_file, signature, samples, reference.inputs(form)[:3000],
                              reference.outputs(form)[:3000])
    return found


def machine(n, seed=2):
    """A stream (n, 3) of a cycle, a delayed sum of it and a noisy level, with rare pulses."""
    rng, t = np.random.Generator(np.random.PCG64(seed)), np.arange(n)
    cycle = np.sin(2 * np.pi * t / 47) + 0.5 * np.sin(2 * np.pi * t / 13 + 1)
    level = np.sin(2 * np.pi * t / 90)
    stream = np.stack([cycle, 0.7 * np.roll(cycle, 5) + 0.5 * np.sign(level), level], 1)
    stream += rng.normal(0, [0.1, 0.1, 0.2], stream.shape)
    stream[rng.integers(0, n, n // 300)] += 3
    return ((stream - stream.mean(0)) / stream.std(0)).astype(np.float32)
