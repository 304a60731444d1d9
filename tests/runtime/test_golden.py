"""Golden streams: the same bits where they were made, and no other model passes for it."""
import json

import numpy as np
import pytest

import convert
import check_golden as script
from kit.base.cli import UserError
from kit.runtime import golden
from kit.runtime.interpreter import Model
from keras_models import STEPS, save_forecaster, walk

pytestmark = pytest.mark.slow
NAMES = ["step_float32", "step_int8", "loop_int8", "fused_float32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    h5 = save_forecaster(folder / "model.h5")
    np.save(str(folder / "stream.npy"), walk(1000))
    for name in NAMES:
        convert.main([h5, "-o", str(folder / (name + ".tflite")), "--window-steps", str(STEPS),
                      "--calibration", str(folder / "stream.npy")])
    return folder


def expected(folder, name):
    return json.loads((folder / (name + ".golden.json")).read_text())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("runtime", ["tensorflow", "tflite_runtime"])
def test_every_runtime_computes_it(folder, name, runtime):
    found = golden.check(Model(str(folder / (name + ".tflite")), runtime), expected(folder, name))
    assert found["right"] and (found["same_bits"] or runtime != "tensorflow")


def test_it_holds_a_gap_and_a_reset(folder):
    stream = expected(folder, "step_int8")
    rows, (first, end) = np.array(stream["inputs"]), stream["held"]
    assert end - first >= 3 and (rows[first:end] == rows[first - 1]).all()
    assert 0 < stream["reset_before"] < len(rows)
    assert len(stream["states"]) == 4  # h and c, before the reset and at the end


@pytest.mark.parametrize("name", ["step_float32", "step_int8"])
def test_a_runtime_that_loses_the_state_between_calls_is_seen(folder, name, monkeypatch):
    model = Model(str(folder / (name + ".tflite")))
    whole = model.stream

    def forgetful(samples):
        outputs = []
        for sample in samples:
            model.reset()
            outputs.append(whole(sample[None]))
        return np.concatenate(outputs)

    monkeypatch.setattr(model, "stream", forgetful)
    found = golden.check(model, expected(folder, name))
    assert not found["right"] and not found["same_bits"]


def test_the_golden_stream_of_another_file_is_refused(folder):
    with pytest.raises(UserError, match="golden stream is of another file"):
        script.main([str(folder / "step_int8.tflite"),
                     "--golden", str(folder / "loop_int8.golden.json")])


def test_the_script_says_how_far_apart(folder, tmp_path, capsys):
    script.main([str(folder / "step_int8.tflite"), "--runtime", "tensorflow"])
    assert "the same bits" in capsys.readouterr().out
    stream = expected(folder, "step_int8")
    stream["outputs"] = (np.array(stream["outputs"]) // 2).tolist()
    (tmp_path / "other.json").write_text(json.dumps(stream))
    with pytest.raises(UserError, match="was altered: its crc32"):
        script.main([str(folder / "step_int8.tflite"), "--golden", str(tmp_path / "other.json")])
    stream["crc32"] = golden.crc32(np.array(stream["outputs"], np.int8),
                                   [np.array(state, np.int8) for state in stream["states"]])
    (tmp_path / "other.json").write_text(json.dumps(stream))
    with pytest.raises(UserError, match="max_counts .* more than"):
        script.main([str(folder / "step_int8.tflite"), "--golden", str(tmp_path / "other.json")])


@pytest.mark.parametrize("damage, why", [
    ({"inputs": [[None]]}, "its inputs are not numbers of type int8"),
    ({"outputs": [["a"]]}, "its outputs are not numbers of type int8"),
    ({"states": [[[300]]]}, "its states are not numbers of type int8"),
    ({"inputs": [[1, 2], [3]]}, "inputs are not numbers"),
    ({"type": "object"}, "of another file"),
    ({"crc32": -1}, "crc32 is -1; a whole number at least 0 is needed"),
    ({"within": 3}, "within is 3; an object is needed")])
def test_a_damaged_golden_stream_is_one_sentence(folder, tmp_path, damage, why):
    (tmp_path / "other.json").write_text(json.dumps(dict(expected(folder, "step_int8"), **damage)))
    with pytest.raises(UserError, match=why):
        script.main([str(folder / "step_int8.tflite"), "--golden", str(tmp_path / "other.json")])
