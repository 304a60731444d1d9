"""A small forecaster with fixed weights, as an .h5, for the tests of freeze and convert."""
import numpy as np

CHANNELS, UNITS, STEPS = 3, 8, 6


def save_forecaster(path, units=UNITS, channels=CHANNELS):
    """LSTM with sigmoid gates on an open time axis, Dense; the path as str."""
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    model = tf.keras.Sequential([
        tf.keras.layers.LSTM(units, recurrent_activation="sigmoid", input_shape=(None, channels)),
        tf.keras.layers.Dense(channels)])
    rng = np.random.Generator(np.random.PCG64(5))
    model.set_weights([rng.normal(0, 1.2 / max(w.shape[0], 4) ** 0.5, w.shape).astype(np.float32)
                       for w in model.get_weights()])
    model.save(str(path))
    return str(path)


def walk(n, channels=CHANNELS, seed=2):
    """A stream (n, channels) of unit variance that wanders."""
    rng = np.random.Generator(np.random.PCG64(seed))
    steps = rng.standard_normal((n, channels), np.float32)
    for t in range(1, n):
        steps[t] = np.float32(0.9) * steps[t - 1] + np.float32(0.436) * steps[t]
    return steps
