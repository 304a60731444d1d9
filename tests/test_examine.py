"""A .tflite file before it is flashed: what is printed, and the status of a damaged one."""
import hashlib
import json

import pytest

import examine
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.verifier import lacking
from runtime.sound import sound_model


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.tflite").write_bytes(flatbuffer.write(sound_model()))
    return tmp_path / "a.tflite"


def test_a_sound_file_is_described(path, capsys):
    examine.main([str(path)])
    said = capsys.readouterr().out
    for line in ("input   t int8 [1, 2] scale 0.0500000007 zero point 0",
                 "output  t int8 [1, 2] scale 0.200000003 zero point -5",
                 "   1 × FULLY_CONNECTED version 1", "tf 1.15.5: has a kernel of each operator",
                 "no problem found"):
        assert line in said.splitlines()
    assert "describes these bytes" not in said


def test_the_json_beside_it_is_compared(path, capsys):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"sha256": digest}))
    examine.main([str(path)])
    assert "the .json beside it describes these bytes" in capsys.readouterr().out
    path.with_suffix(".json").write_text(json.dumps({"sha256": digest[::-1]}))
    with pytest.raises(UserError, match="is not the file that"):
        examine.main([str(path)])


def test_problems_are_listed(path, capsys):
    model = sound_model()
    model["subgraphs"][0]["tensors"][3]["shape"][0] = 9
    model["subgraphs"][0]["tensors"][5]["quantization"] = {}
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(UserError, match="a.tflite: 2 problems"):
        examine.main([str(path)])
    said = capsys.readouterr().out
    assert "tensor 3 of shape [9, 4] needs 36 bytes, its buffer has 16" in said
    assert "tensor 5 is int8 without a scale" in said


def test_a_name_does_not_reach_the_terminal_as_it_is(path, capsys):
    model = sound_model()
    model["subgraphs"][0]["tensors"][0]["name"] = "\x1b[2J\nno problem found"
    path.write_bytes(flatbuffer.write(model))
    examine.main([str(path)])
    assert "\x1b" not in capsys.readouterr().out


def test_what_a_runtime_lacks_is_named():
    found = lacking([("ADD", 2), ("TILE", 1), ("FULLY_CONNECTED", 9), ("custom Scan", 1)])
    assert found["tf 1.15.5"] == ["FULLY_CONNECTED version 9", "custom Scan version 1"]
    assert found["tflm"] == ["TILE version 1", "custom Scan version 1"]
