"""Pieces of a loop form: on what each is calibrated."""
import numpy as np
import pytest

import step_models
from kit.network.loops import Piece
from kit.record.samples import Samples
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.tflite.loop import Step
from keras_models import walk

pytestmark = pytest.mark.slow
T = 7


@pytest.fixture
def made():
    """(a function that makes step models and notes what it was given, the notes)."""
    notes = []

    def make(seed, precision, samples):
        notes.append((seed, precision, samples))
        data = step_models.lstm(precision, seed=seed)
        return Step(flatbuffer.read(data), step_models.signature("lstm"))
    return make, notes


def streamed(seed, samples):
    return Model(step_models.lstm("float32", seed=seed), "tflite_runtime").stream(
        np.ascontiguousarray(samples))


SAMPLES = Samples(walk(60, 3)[None], T, False)


def test_one_piece_is_calibrated_on_the_record_itself(made):
    from kit.tflite.pieces import finished

    make, notes = made
    (piece, steps), = finished([Piece((1,), (False,), False)], make, "int8", SAMPLES, T)
    assert notes == [(1, "int8", SAMPLES)] and len(steps) == 1


def test_a_later_piece_sees_what_the_float_ones_before_make_of_the_windows(made):
    from kit.tflite.pieces import finished

    make, notes = made
    finished([Piece((1,), (False,), True), Piece((2,), (True,), False)], make, "int8", SAMPLES, T)
    assert [note[:2] for note in notes] == [(1, "int8"), (1, "float32"), (2, "int8")]
    windows = SAMPLES.windows(400, extremes=True)
    np.testing.assert_array_equal(notes[0][2].sequences, windows)
    expected = np.stack([streamed(1, window)[::-1] for window in windows])
    np.testing.assert_allclose(notes[2][2].sequences, expected, atol=1e-6)
    assert notes[2][2].steps == T


def test_a_vector_is_repeated_for_the_piece_that_takes_it_at_every_step(made):
    from kit.tflite.pieces import finished

    make, notes = made
    pieces = [Piece((1,), (False,), False), Piece((2,), (False,), True, repeat=4)]
    finished(pieces, make, "int8", SAMPLES, T)
    windows = SAMPLES.windows(400, extremes=True)
    last = np.stack([streamed(1, window)[-1] for window in windows])
    np.testing.assert_allclose(notes[2][2].sequences, np.repeat(last[:, None], 4, 1), atol=1e-6)


def test_both_directions_see_the_windows_the_second_from_their_end(made):
    from kit.tflite.pieces import finished

    make, notes = made
    finished([Piece((1, 2), (False, True), True, "concat")], make, "int8", SAMPLES, T)
    windows = SAMPLES.windows(400, extremes=True)
    np.testing.assert_array_equal(notes[0][2].sequences, windows)
    np.testing.assert_array_equal(notes[1][2].sequences, windows[:, ::-1])


def test_where_no_data_is_needed_none_is_made(made):
    from kit.tflite.pieces import finished

    make, notes = made
    pieces = [Piece((1,), (False,), True), Piece((2,), (False,), False)]
    built = finished(pieces, make, "float32", None, T)
    assert notes == [(1, "float32", None), (2, "float32", None)]
    assert [piece for piece, _ in built] == pieces
