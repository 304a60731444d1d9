"""The chunk form: the bits of the step file, and the step file where it cannot be."""
import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.tflite import chunk
from kit.tflite.chunk import InPieces, chunk_of
from kit.tflite.loop import AT_ONCE
from keras_models import CHANNELS, save_forecaster, walk

pytestmark = pytest.mark.slow
SAMPLES = 2 * AT_ONCE + 7
RUNTIMES = [("float32", "tensorflow"), ("int8", "tensorflow"), ("dynamic", "tensorflow"),
            ("float32", "tflite_runtime"), ("int8", "tflite_runtime"), ("int16x8", "tflite_runtime")]


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """precision -> the bytes of a step file."""
    folder, known = tmp_path_factory.mktemp("chunk"), {}
    np.save(str(folder / "stream.npy"), walk(1000))
    h5 = save_forecaster(folder / "model.h5", units=40)

    def made(precision, form="step"):
        if (form, precision) not in known:
            path = folder / ("%s_%s.tflite" % (form, precision))
            convert.main([h5, "-o", str(path), "--calibration", str(folder / "stream.npy")])
            known[form, precision] = path.read_bytes()
        return known[form, precision]
    return made


@pytest.mark.parametrize("precision, runtime", RUNTIMES)
def test_outputs_and_states_have_the_bits_of_the_step_file(steps, precision, runtime):
    step, pieces = (Model(data, runtime) for data in (
        steps(precision), chunk_of(steps(precision))))
    for samples in (walk(SAMPLES), walk(1), walk(AT_ONCE, seed=5)):  # the state goes on
        assert np.array_equal(step.stream(samples), pieces.stream(samples))
        assert all(np.array_equal(*pair) for pair in zip(step.state, pieces.state))


def test_the_file_of_convert_is_the_one_that_is_made_on_the_spot(steps):
    written = Model(steps("int8", "chunk"), "tensorflow")
    assert written.form == "chunk" and written.input_shape == (CHANNELS,)
    made = Model(chunk_of(steps("int8")), "tensorflow")
    assert np.array_equal(written.stream(walk(SAMPLES)), made.stream(walk(SAMPLES)))
    source = flatbuffer.read(steps("int8", "chunk"))["subgraphs"][0]["tensors"][0]
    assert list(source["shape_signature"]) == [1, -1, CHANNELS]


def test_pieces_and_single_samples_follow_one_stream(steps):
    step, both = Model(steps("int8")), InPieces(Model(steps("int8")), steps("int8"))
    assert both.in_pieces
    samples = walk(3 * SAMPLES)
    parts = [both.stream(part) for part in np.split(samples, [3, SAMPLES, SAMPLES + 1])]
    assert np.array_equal(np.concatenate(parts), step.stream(samples))
    assert all(np.array_equal(*pair) for pair in zip(step.state, both.state))
    both.reset()
    step.reset()
    assert np.array_equal(both.stream(samples), step.stream(samples))


def test_where_the_bits_differ_the_step_file_runs(steps, monkeypatch):
    monkeypatch.setattr(chunk, "chunk_of", lambda data: chunk_of(steps("dynamic")))
    both = InPieces(Model(steps("float32")), steps("float32"))
    assert not both.in_pieces
    assert np.array_equal(both.stream(walk(SAMPLES)), Model(steps("float32")).stream(walk(SAMPLES)))


def test_a_runtime_that_does_not_resize_takes_whole_pieces(steps):
    model = Model(chunk_of(steps("float32")))
    model.any_length = False
    with pytest.raises(UserError, match="takes 50 samples at a call in tensorflow, and 57"):
        model.stream(walk(57))
    assert len(model.stream(walk(100))) == 100


def test_a_model_that_takes_no_one_sequence_has_none(tmp_path):
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    layers = tf.keras.layers
    ends = [layers.Input((None, 2)) for _ in range(2)]
    joined = layers.Concatenate()(ends)
    tf.keras.Model(ends, layers.LSTM(3, recurrent_activation="sigmoid")(joined)).save(
        str(tmp_path / "two.h5"))
    with pytest.raises(UserError, match="no chunk form: it takes one sequence"):
        convert.main([str(tmp_path / "two.h5"), "-o", str(tmp_path / "chunk_float32.tflite")])
