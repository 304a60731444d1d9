"""The distance to Keras: worked values, bounds on either side, and Keras' own output in any length."""
import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.record.samples import Samples
from keras_models import CHANNELS, STEPS, save_forecaster, walk

pytestmark = pytest.mark.slow


@pytest.fixture
def parity():
    from kit.network import parity

    return parity


def test_distance_worked(parity):
    reference = np.zeros((20, 1))
    reference[::2] = 2  # standard deviation 1
    found = reference.copy()
    found[0] += 0.4
    found[19] -= 0.2
    assert parity.distance(found, reference) == pytest.approx({
        "count": 20, "output_std": 1.0, "mean_abs_diff": 0.03, "max_abs_diff": 0.4,
        "p99_abs_diff": 0.362, "first_tenth_mean_abs_diff": 0.2, "last_tenth_mean_abs_diff": 0.1})
    with pytest.raises(UserError, match=r"the converted model gives \(2,\) per item, Keras gives \(1,\)"):
        parity.distance(np.zeros((20, 2)), reference)


def pair(error, std=2.0, n=1000):
    """(outputs all `error` off, reference of a standard deviation)."""
    reference = std * np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    return reference + error, reference


@pytest.mark.parametrize("precision, error, factor, right", [
    ("float32", 1.9e-5, 1, True), ("float32", 2.1e-5, 1, False), ("float32", 2.1e-5, 5, False),
    ("int8", 0.19, 1, True), ("int8", 0.21, 1, False), ("int8", 0.21, 2, True),
    ("int8", 0.01, 0, False), ("int8", np.nan, 1, False)])
def test_bounds_are_in_standard_deviations_and_those_of_float32_stay(parity, precision, error, factor, right):
    if right:
        judged = parity.judged(*pair(error), precision, factor)
        assert judged["bound"] == pytest.approx({"float32": 2e-5}.get(precision, 2 * 0.1 * factor))
        assert ("p99_bound" in judged) == (precision != "float32")
    else:
        with pytest.raises(parity.OutsideBound, match="the %s model differs from Keras: " % precision):
            parity.judged(*pair(error), precision, factor)


def test_a_quiet_output_is_bounded_as_one_of_a_standard_deviation_of_one(parity):
    assert parity.float_bound({"output_std": 0.01}) == parity.float_bound({"output_std": 1.0}) == 1e-5


def test_rare_large_errors_are_outside_though_the_mean_is_small(parity):
    found, reference = pair(0.0)
    found[:20] += 1.0  # mean .02, 99th percentile 1
    with pytest.raises(parity.OutsideBound, match="p99_abs_diff 1 is above the bound of 0.8.* of 1.3 times"):
        parity.judged(found, reference, "int8")
    assert parity.judged(found, reference, "int8", 1.3)["p99_bound"] == pytest.approx(1.04)
    found[9:20] -= 1.0
    assert parity.judged(found, reference, "int8")["max_abs_diff"] == 1


def test_of_several_outputs_the_nearest_to_its_bound_stands_for_all(parity):
    near, far = pair(0.1), pair(0.01, std=0.08)  # .5 and 1.25 of the bound of 0.1 standard deviations
    both = list(zip(near, far))
    found = parity.judged(list(both[0]), list(both[1]), "int8", 2)
    assert found["output_std"] == pytest.approx(0.08) and len(found["outputs"]) == 2
    with pytest.raises(parity.OutsideBound):
        parity.judged(list(both[0]), list(both[1]), "int8")


def test_states_that_grow_without_end_are_said(parity):
    found, reference = pair(0.0)
    reference[5] = np.inf
    with pytest.raises(UserError, match="Keras itself gives values that are not finite"):
        parity.judged(found, reference, "float32")


def test_floats_have_six_digits(parity):
    assert parity.rounded({"a": 1 / 3, "n": 7, "s": "x"}) == {"a": 0.333333, "n": 7, "s": "x"}


# --- Keras' own output ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    from kit.network.files.keras_file import read_keras

    return read_keras(save_forecaster(tmp_path_factory.mktemp("parity") / "m.h5"))


def test_the_stream_is_each_prefix_as_a_window(parity, file):
    samples = Samples(walk(30)[None], STEPS, False)
    reference = parity.Reference(file, samples)
    stream = reference.outputs("step")
    assert reference.outputs("step") is stream, "computed once"
    model = parity.built(file)
    for length in (1, 7, 30):
        expected = model.predict(reference.inputs("step")[None, :length])[0]
        np.testing.assert_allclose(stream[length - 1], expected, atol=1e-6)
    windows = reference.inputs("window")
    np.testing.assert_allclose(reference.outputs("window"), model.predict(windows), atol=1e-7)


def test_other_lengths_are_those_that_the_data_has(parity, file):
    found = parity.Reference(file, Samples(walk(30)[None], STEPS, False)).at_other_lengths()
    assert [windows.shape[1:] for windows, _ in found] == [(1, CHANNELS), (7, CHANNELS), (20, CHANNELS)]


def test_a_stateful_model_starts_each_window_from_zero_also_in_a_last_batch_that_is_not_full(parity):
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.LSTM(4, stateful=True, batch_input_shape=(3, STEPS, CHANNELS))])
    plain = tf.keras.Sequential([layers.LSTM(4, input_shape=(STEPS, CHANNELS))])
    plain.set_weights(model.get_weights())
    windows = walk(7 * STEPS).reshape(7, STEPS, CHANNELS)
    np.testing.assert_allclose(parity.keras_windows(model, windows), plain.predict(windows), atol=1e-6)


def test_a_model_on_an_open_time_axis_is_the_model(parity):
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    model = tf.keras.Sequential([tf.keras.layers.GRU(4, unroll=True, input_shape=(STEPS, CHANNELS))])
    found = parity.opened(model)
    windows = walk(3 * STEPS).reshape(3, STEPS, CHANNELS)
    np.testing.assert_allclose(found.predict(windows), model.predict(windows), atol=1e-6)
    assert found.predict(walk(20)[None]).shape == (1, 4)


# --- where Keras' own float32 loses what it computes ------------------------------------------

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
    from kit.network.files.keras_file import read_keras
    from kit.network.parity import Reference

    return Reference(read_keras(path), Samples(walk(3000, channels)[None], 20, False))


def test_a_float_file_may_lose_what_the_rounding_of_keras_loses(parity, unsteady):
    path, reference = unsteady
    rounding = reference.rounding("step")
    expected = reference.outputs("step")
    assert rounding > 1e-5 * expected.std()  # so that no float32 file can keep the usual bound
    job = convert.Job(path, read_network(path), None, None, reference, None)
    _, facts = convert.convert(job, "step", "float32")
    assert facts["parity"]["keras_rounding"] == pytest.approx(rounding, rel=1e-4)
    with pytest.raises(UserError, match="max_abs_diff"):
        parity.judged(expected * np.float32(1.5), expected, "float32", rounding=rounding)


def test_a_steady_model_is_held_to_the_usual_bound(tmp_path):
    reference = reference_of(save_forecaster(tmp_path / "model.h5"), 3)
    assert reference.rounding("step") < 1e-6 and reference.rounding("window") < 1e-6


def test_steps_before_the_batch_are_read_the_other_way_round(tmp_path):
    from kit.network.files.build import built
    from kit.network.files.keras_file import read_keras
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
