"""What every tensor of a float model holds on calibration data."""
import numpy as np
import pytest

from kit.record.samples import Samples
from keras_models import walk

pytestmark = pytest.mark.slow
STEPS = 6


@pytest.fixture
def observed(graph):
    """A function: form, Samples -> {name of a tensor: what it held}."""
    from kit.runtime import flatbuffer
    from kit.tflite import toco
    from kit.tflite.int8.calibrate import observe
    from kit.tflite.int8.graph import Graph

    def observed(form, samples):
        case = graph(form)
        read = Graph(flatbuffer.merge_constants(toco.converted(case.path, case.signature)))
        found = observe(read, case.signature, samples)
        assert set(found) == {place for place in range(len(read.tensors)) if read.constant(place) is None}
        return {read.tensors[place]["name"]: values for place, values in found.items()}
    return observed


def test_a_window_is_seen_whole_with_each_extreme(observed, graph):
    samples = Samples(walk(400)[None], STEPS, False)
    found = observed("window", samples)
    seen = found["window"].reshape(-1, STEPS, 3)
    assert found["window"].shape[1:] == (3 * STEPS,) and len(seen) >= 100
    np.testing.assert_array_equal(seen.max((0, 1)), samples.stream.max(0))
    np.testing.assert_array_equal(seen.min((0, 1)), samples.stream.min(0))
    np.testing.assert_allclose(found["output"], graph("window").frozen.predict(seen), atol=1e-6)


def test_a_stream_carries_its_state_and_begins_anew_with_each_sequence(observed, graph):
    sequences = [walk(70, seed=1), walk(30, seed=2)]
    found = observed("step", Samples(sequences, STEPS, False))
    assert len(found["sample"]) == 100, "of a short record every sample"
    np.testing.assert_array_equal(found["sample"], np.concatenate(sequences))
    expected = np.concatenate([graph("step").frozen.stream(sequence) for sequence in sequences])
    np.testing.assert_allclose(found["output"], expected, atol=1e-6)
    for name in ("state_0_h", "state_0_c"):
        after = found["next_" + name]
        np.testing.assert_array_equal(found[name][1:70], after[:69])
        assert not found[name][0].any() and not found[name][70].any(), "the zero state"


def test_of_a_long_record_every_so_manieth_sample_is_kept_and_each_extreme(observed, monkeypatch):
    monkeypatch.setattr("kit.tflite.int8.calibrate.KEPT_SAMPLES", 50)
    stream = walk(1000)
    stream[503, 1] = 40
    found = observed("step", Samples(stream[None], STEPS, False))["sample"]
    assert 100 <= len(found) <= 110
    np.testing.assert_array_equal(found.max(0), stream.max(0))
    np.testing.assert_array_equal(found.min(0), stream.min(0))
