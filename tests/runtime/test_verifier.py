"""What is wrong with a .tflite is said before a runtime dies of it."""
import hashlib
import json

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT32, INT32
from kit.runtime.verifier import checked, model_file, problems
from runtime.sound import int8, places, sound_model


@pytest.fixture
def sound():
    return sound_model()


def test_a_sound_file_has_no_problem(sound):
    assert problems(sound) == []
    assert problems(flatbuffer.read(flatbuffer.write(sound))) == []


def set_in(model, path, value):
    *way, last = path
    for part in way:
        model = model[part]
    model[last] = value


TENSORS, OPERATORS = ("subgraphs", 0, "tensors"), ("subgraphs", 0, "operators")


@pytest.mark.parametrize("path, value, sentence", [
    (TENSORS + (0, "shape"), places(1, -2), "tensor 0 has the shape [1, -2]"),
    (TENSORS + (0, "shape"), places(1 << 20, 1 << 20), "tensor 0 has the shape [1048576, 1048576]"),
    (TENSORS + (0, "type"), 77, "tensor 0 has the unknown type 77"),
    (TENSORS + (3, "buffer"), 9, "tensor 3 reads buffer 9 of 4"),
    (TENSORS + (3, "shape"), places(4, 5), "tensor 3 of shape [4, 5] needs 20 bytes, its buffer has 16"),
    (TENSORS + (5, "quantization"), {}, "tensor 5 is int8 without a scale"),
    (TENSORS + (5, "quantization", "scale"), np.float32([np.nan]), "tensor 5 has the scale nan"),
    (TENSORS + (5, "quantization", "zero_point"), np.array([300]), "zero point outside of -128 to 127"),
    (("subgraphs", 0, "inputs"), places(0, 99), "the graph's inputs name tensor 99 of 10"),
    (OPERATORS + (0, "opcode_index"), 8, "operator 0 has the code 8 of 4"),
    (OPERATORS + (0, "inputs"), places(0, 50), "it reads tensor 50 of 10"),
    (OPERATORS + (1, "inputs"), places(7, 3, 4), "it reads tensor 7 before anything wrote it"),
    (OPERATORS + (3, "outputs"), places(7), "it writes tensor 7, which is written already"),
    (OPERATORS + (3, "inputs"), places(7), "it has 1 inputs"),
    (TENSORS + (1, "quantization", "scale"), np.float32([0.06]),
     "CONCATENATION: its inputs and outputs have several scales: 0.05, 0.06"),
    (TENSORS + (8, "quantization", "scale"), np.float32([0.3]),
     "SPLIT: its inputs and outputs have several scales"),
    (TENSORS + (4, "quantization", "scale"), np.float32([0.5]),
     "FULLY_CONNECTED: its bias has the scale 0.5; input and weights give 0.001"),
    (OPERATORS + (0, "options", "axis"), 0, "it joins [[1, 2], [1, 2]] into [1, 4]"),
    (OPERATORS + (2, "options", "num_splits"), 3, "it has 2 outputs for 3 parts"),
    (TENSORS + (9, "shape"), places(1, 3), "ADD: it makes [1, 3] of [1, 2] and [1, 2]"),
    (("subgraphs", 0, "outputs"), places(5), "nothing reads what operator 3 computes"),
    (TENSORS + (9, "type"), FLOAT32, "ADD: its values are of several types"),
])
def test_a_problem_is_named(sound, path, value, sentence):
    set_in(sound, path, value)
    assert any(sentence in text for text in problems(sound)), problems(sound)
    with pytest.raises(UserError, match="^a.tflite: "):
        checked(flatbuffer.write(sound), "a.tflite")


def test_scales_of_a_loops_graphs_are_looked_at(sound):
    loop = sound_model()["subgraphs"][0]
    loop["tensors"][8] = int8([1, 2], 0.3)
    sound["subgraphs"].append(loop)
    sound["subgraphs"][0]["tensors"][0]["shape_signature"] = places(1, -1)
    text, = problems(sound)
    assert text.startswith("graph 1: operator 2, SPLIT: its inputs and outputs have several scales")


@pytest.mark.parametrize("code, scale, zero_point", [(14, 1 / 256, -128), (28, 1 / 128, 0)])
def test_the_scale_of_a_sigmoid_and_a_tanh_is_the_kernels(sound, code, scale, zero_point):
    graph = sound["subgraphs"][0]
    graph["operators"] = [{"opcode_index": 0, "inputs": places(0), "outputs": places(1)}]
    graph["inputs"], graph["outputs"] = places(0), places(1)
    sound["operator_codes"][0]["builtin_code"] = code
    assert "its output has the scale 0.05" in problems(sound)[0]
    graph["tensors"][1] = int8([1, 2], scale, zero_point)
    assert problems(sound) == []


@pytest.mark.parametrize("code, options, shape, arguments, sentence", [
    (65, None, [1, 2], [[0, 0], [1, 2]], None),
    (65, None, [1, 2], [[0, 1], [1, 2]], "SLICE: its arguments do not fit [1, 2]: a place outside"),
    (65, None, [1, 2], [[0, 0], [1, 1]], "it makes [1, 2] of [1, 2]; its arguments say [1, 1]"),
    (45, 32, [1, 2], [[0, 0], [1, 2], [1, 1]], None),
    (45, 32, [1, 2], [[0, -654311424], [1, 2], [1, 1]], "STRIDED_SLICE: its arguments do not fit"),
    (45, 32, [1, 2], [[0, 0], [1, 2], [1, 0]], "STRIDED_SLICE: its arguments do not fit"),
    (39, None, [2, 1], [[1, 0]], None),
    (39, None, [2, 1], [[1, 7]], "TRANSPOSE: its arguments do not fit"),
    (34, None, [2, 2], [[1, 0, 0, 0]], None),
    (34, None, [2, 2], [[-1, 2, 0, 0]], "PAD: its arguments do not fit"),
])
def test_constant_arguments_are_followed(code, options, shape, arguments, sentence):
    tensors = [int8([1, 2], 0.05), int8(shape, 0.05)]
    buffers = [{}]
    for argument in arguments:
        tensors.append({"shape": places(len(argument)), "type": INT32, "buffer": len(buffers)})
        buffers.append({"data": np.array(argument, "<i4").view(np.uint8)})
    operator = {"inputs": places(0, *range(2, len(tensors))), "outputs": places(1)}
    if options:
        operator.update(options_type=options, options={})
    model = {"operator_codes": [{"builtin_code": code}], "buffers": buffers, "subgraphs": [{
        "tensors": tensors, "inputs": places(0), "outputs": places(1), "operators": [operator]}]}
    if code == 34:
        tensors[2]["shape"] = places(2, 2)
    assert problems(model) == [] if sentence is None else sentence in problems(model)[0]


def test_many_tables_at_one_place_are_refused():
    tensor = {"shape": places(1), "name": "n" * 100}
    graph = {"tensors": [tensor] * 2000, "inputs": places(0), "outputs": places(0), "operators": []}
    bomb = flatbuffer.write({"version": 3, "subgraphs": [graph] * 2000, "buffers": [{}]})
    assert len(bomb) < 20000
    with pytest.raises(UserError, match="it holds more than its length allows"):
        flatbuffer.read(bomb)


def test_an_absurd_count_is_refused(sound):
    data = bytearray(flatbuffer.write(sound))
    refused = 0
    for at in range(8, len(data) - 4, 4):
        damaged = bytes(data[:at]) + b"\xf0\xff\xff\x7f" + bytes(data[at + 4:])
        try:
            flatbuffer.read(damaged)
        except UserError as error:
            refused += "would end behind the file" in str(error)
    assert refused > 20  # each vector's count, and nothing else than a sentence anywhere


# --- the .json beside it ----------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path, sound):
    data = flatbuffer.write(sound)
    (tmp_path / "a.tflite").write_bytes(data)
    (tmp_path / "a.json").write_text(json.dumps({"sha256": hashlib.sha256(data).hexdigest()}))
    return tmp_path / "a.tflite"


def test_the_file_that_its_json_describes_is_read(pair):
    assert model_file(str(pair)) == (pair.read_bytes(), True)


def test_every_altered_byte_is_noticed(pair):
    data = pair.read_bytes()
    for at in range(0, len(data), 7):
        pair.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        with pytest.raises(UserError, match="a.tflite is not the file that .*a.json describes"):
            model_file(str(pair))


@pytest.mark.parametrize("beside", [None, "{}", '{"class_name": "Model"}', "[1]"])
def test_without_a_claim_nothing_is_claimed(pair, beside):
    pair.with_suffix(".json").unlink()
    if beside:
        pair.with_suffix(".json").write_text(beside)
    assert model_file(str(pair)) == (pair.read_bytes(), False)
