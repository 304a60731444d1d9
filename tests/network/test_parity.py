"""What a converted model is held to, where Keras' own float32 loses what it computes."""
import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.network.files.keras_file import read_keras
from kit.network.parity import Reference, judged
from kit.record.samples import Samples
from keras_models import save_forecaster, walk

GAIN = 2.3  # of the recurrent kernel: distances grow for a while, and shrink again


@pytest.fixture(scope="module")
def unsteady(tmp_path_factory):
    """(path of an .h5 that magnifies roundings, its Reference on a long stream)."""
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    model = tf.keras.Sequential([
        tf.keras.layers.SimpleRNN(24, input_shape=(None, 1)), tf.keras.layers.Dense(2)])
    rng = np.random.Generator(np.random.PCG64(4))
    model.set_weights([rng.normal(0, GAIN / w.shape[0] ** 0.5, w.shape) if w.ndim == 2
                       else np.zeros(w.shape) for w in model.get_weights()])
    path = str(tmp_path_factory.mktemp("unsteady") / "model.h5")
    model.save(path)
    return path, reference_of(path, 1)


def reference_of(path, channels):
    return Reference(read_keras(path), Samples(walk(3000, channels)[None], 20, False))


@pytest.mark.slow
def test_a_float_file_may_lose_what_the_rounding_of_keras_loses(unsteady):
    path, reference = unsteady
    rounding = reference.rounding("step")
    expected = reference.outputs("step")
    assert rounding > 1e-5 * expected.std()  # so that no float32 file can keep the usual bound
    job = convert.Job(path, read_network(path), None, None, reference, None)
    _, facts = convert.convert(job, "step", "float32")
    assert facts["parity"]["keras_rounding"] == pytest.approx(rounding, rel=1e-4)
    with pytest.raises(UserError, match="max_abs_diff"):
        judged(expected * np.float32(1.5), expected, "float32", rounding=rounding)


@pytest.mark.slow
def test_a_steady_model_is_held_to_the_usual_bound(tmp_path):
    reference = reference_of(save_forecaster(tmp_path / "model.h5"), 3)
    assert reference.rounding("step") < 1e-6 and reference.rounding("window") < 1e-6


@pytest.mark.slow
def test_steps_before_the_batch_are_read_the_other_way_round(tmp_path):
    from kit.network.files.build import built
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    lstm = tf.keras.layers.LSTM(4, time_major=True, return_sequences=True)
    model = tf.keras.Sequential([
        tf.keras.layers.InputLayer(batch_input_shape=(6, 2, 3)), tf.keras.layers.Dense(5), lstm,
        tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(3, time_major=True))])
    path, x = str(tmp_path / "m.h5"), walk(12).reshape(6, 2, 3)
    model.save(path)
    expected = model.predict_on_batch(x)
    found = built(read_keras(path)).predict_on_batch(x.swapaxes(0, 1))
    assert found == pytest.approx(np.array(expected), abs=1e-6)
