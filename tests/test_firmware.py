"""The script: files that compile and test themselves, and errors in one sentence."""
import os
import subprocess

import pytest

import firmware
from kit.base.cli import UserError, write_bytes, write_json
from machines import NAME, WARNINGS, machine, needs, record, write_record


@pytest.fixture
def inputs(tmp_path):
    """Arguments of the script for a small model, and the folder it writes to."""
    probe = machine("lstm", "int8")
    write_bytes(str(tmp_path / "step_int8.tflite"), probe.blob)
    write_json(str(tmp_path / "detectors.json"), {"step_int8": probe.detector})
    write_json(str(tmp_path / "scaler.json"), {
        "channels": probe.scaler.channels, "mean": list(probe.scaler.mean),
        "std": list(probe.scaler.std)})
    write_record(str(tmp_path / "test.csv"), record(3))
    return [str(tmp_path / "step_int8.tflite"), "--scaler", str(tmp_path / "scaler.json"),
            "--detector", str(tmp_path / "detectors.json"), "--golden", str(tmp_path / "test.csv"),
            "-o", str(tmp_path / "out"), "--name", NAME]


def test_the_files_compile_and_agree_with_the_pipeline(inputs, tmp_path):
    needs("gcc")
    firmware.main(inputs)
    assert sorted(os.listdir(str(tmp_path / "out"))) == [
        "README.md", "probe.c", "probe.h", "probe_test.c"]
    subprocess.check_call(["gcc", "-std=c99", "-O2", "-DPROBE_TEST_MAIN"] + WARNINGS
                          + ["probe.c", "probe_test.c", "-o", "test"], cwd=str(tmp_path / "out"))
    assert subprocess.call(["./test"], cwd=str(tmp_path / "out")) == 0


def test_files_are_the_same_each_time_and_hold_no_path(inputs, tmp_path):
    firmware.main(inputs)
    first = {name: (tmp_path / "out" / name).read_bytes() for name in os.listdir(str(tmp_path / "out"))}
    firmware.main(inputs)
    for name, content in first.items():
        assert (tmp_path / "out" / name).read_bytes() == content
        assert str(tmp_path).encode() not in content and b"@" not in content
        assert b"NAME_" not in content and b"CAPS_" not in content


@pytest.mark.parametrize("change, sentence", [
    ({0: "gone.tflite"}, "gone.tflite: No such file"),
    ({-1: "Big"}, "--name Big: take lower-case"),
])
def test_mistakes_are_one_sentence_and_leave_no_file(inputs, tmp_path, change, sentence):
    for place, word in change.items():
        inputs[place] = word
    with pytest.raises(UserError, match=sentence) as error:
        firmware.main(inputs)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_detector_of_another_name_is_named(inputs, tmp_path):
    write_json(str(tmp_path / "detectors.json"), {"keras": {}})
    with pytest.raises(UserError, match="has no detector step_int8; it has keras"):
        firmware.main(inputs)
