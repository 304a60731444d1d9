"""Step models in loops: what a loop computes is what the step file computes, to the bit."""
import numpy as np
import pytest

import step_models
from keras_models import walk
from kit.network.loops import Piece
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.tflite.loop import Step, looped

T = 7


def step_of(kind, dtype, **options):
    """(Step, bytes) of a step file written by hand."""
    data = getattr(step_models, kind)(dtype, **options)
    return Step(flatbuffer.read(data), step_models.signature(kind)), data


def predicted(built, channels, window, steps=T):
    model, signature = looped(built, steps, (channels,))
    found = Model(flatbuffer.write(model), "tflite_runtime").predict(window[None])[0]
    assert signature["outputs"][0]["shape"][1:] == list(found.shape)
    return found


def streamed(data, samples):
    return Model(data, "tflite_runtime").stream(np.ascontiguousarray(samples))


def piece(backwards=False, sequence=False, **more):
    return Piece((None,), (backwards,), sequence, **more)


@pytest.mark.parametrize("kind, channels, dtype", [("bare", 3, "float32")] + [
    (kind, channels, dtype) for kind, channels in (("lstm", 3), ("gru", 2), ("rnn", 2))
    for dtype in ("float32", "int8", "int16")])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_loop_is_the_stream_from_the_zero_state(kind, channels, dtype, backwards):
    step, data = step_of(kind, dtype)
    window = walk(T, channels)
    expected = streamed(data, window[::-1] if backwards else window)
    for sequence in (False, True):
        found = predicted([(piece(backwards, sequence), [step])], channels, window)
        np.testing.assert_array_equal(found, expected if sequence else expected[-1])


def test_what_only_the_output_needs_stands_after_the_loop():
    step, _ = step_of("lstm", "float32")
    model, _ = looped([(piece(), [step])], T, (3,))

    def products(graph):
        codes = [model["operator_codes"][operator["opcode_index"]] for operator in graph["operators"]]
        return [flatbuffer.op_name(code.get("builtin_code", 0)) for code in codes].count("FULLY_CONNECTED")

    main, _, body = model["subgraphs"]
    assert (products(main), products(body)) == (1, 1)
    model, _ = looped([(piece(sequence=True), [step])], T, (3,))
    assert [products(graph) for graph in model["subgraphs"]] == [0, 0, 2], "every step is asked for"


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16"])
@pytest.mark.parametrize("mode, merged", [
    ("concat", lambda a, b: np.concatenate([a, b], -1)), ("sum", np.add), ("mul", np.multiply),
    ("ave", lambda a, b: (a + b) / 2)])
@pytest.mark.parametrize("sequence", [False, True])
def test_two_directions_become_one(dtype, mode, merged, sequence):
    """Integers within a step of the merged output's scale."""
    pairs = [step_of("lstm", dtype, seed=seed) for seed in (1, 2)]
    window = walk(T, 3)
    forward, backward = streamed(pairs[0][1], window), streamed(pairs[1][1], window[::-1])
    expected = merged(forward, backward[::-1]) if sequence else merged(forward[-1], backward[-1])
    both = Piece((None, None), (False, True), sequence, mode)
    model, _ = looped([(both, [step for step, _ in pairs])], T, (3,))
    run = Model(flatbuffer.write(model), "tflite_runtime")
    bound = 1.01 * run.outputs[0].scale if dtype != "float32" else 1e-6
    np.testing.assert_allclose(run.predict(window[None])[0], expected, atol=bound)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("mode, merged", [
    ("concat", lambda a, b: a), ("sum", np.add), ("mul", np.multiply), ("ave", np.add)])
def test_the_merged_output_holds_what_two_that_saturate_make(dtype, mode, merged):
    step, data = step_of("lstm", dtype)
    one, limits = Model(data, "tflite_runtime").outputs[0], np.iinfo(dtype)
    low, high = (one.scale * (end - one.zero_point) for end in (limits.min, limits.max))
    corners = [merged(a, b) / (1 + (mode == "ave")) for a in (low, high) for b in (low, high)]
    model, _ = looped([(Piece((None, None), (False, True), False, mode), [step, step])], T, (3,))
    out = Model(flatbuffer.write(model), "tflite_runtime").outputs[0]
    assert out.scale * (limits.min - out.zero_point) <= min(corners) + out.scale
    assert out.scale * (limits.max - out.zero_point) >= max(corners) - out.scale
    assert out.scale * (limits.max - limits.min) < 2.1 * (max(corners) - min(corners)), "and not much more"


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_vector_is_taken_at_every_step_of_the_next_piece(dtype):
    """An encoder's forecast, in the scale of the decoder's sample."""
    (encoder, first), (decoder, second) = (step_of("lstm", dtype, seed=seed) for seed in (1, 2))
    window = walk(T, 3)
    vector = streamed(first, window)[-1]
    expected = streamed(second, np.repeat(vector[None], 4, 0))
    for sequence in (False, True):
        found = predicted([(piece(), [encoder]), (piece(sequence=sequence, repeat=4), [decoder])], 3, window)
        tolerance = 1e-6 if dtype == "float32" else 0.1  # rounded once more between the two
        np.testing.assert_allclose(found, expected if sequence else expected[-1], atol=tolerance)


def test_a_flatten_makes_the_sequence_one_vector_and_the_length_a_fixed_one():
    step, data = step_of("lstm", "float32")
    window = walk(T, 3)
    flat = Piece((), (), False, flat=True)
    built = [(piece(sequence=True), [step]), (flat, [])]
    np.testing.assert_array_equal(predicted(built, 3, window), streamed(data, window).ravel())
    assert looped(built[:1], T, (3,))[1]["any_length"] and not looped(built, T, (3,))[1]["any_length"]
