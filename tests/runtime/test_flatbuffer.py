"""The .tflite codec: a model comes back as it was, equal content is written once."""
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.base.cli import UserError
from kit.runtime import flatbuffer


def model(tensors, buffers=({},)):
    return {"version": 3, "operator_codes": [{"builtin_code": 9, "version": 4}],
            "buffers": list(buffers), "subgraphs": [{
                "tensors": tensors, "inputs": np.array([0], np.int32),
                "outputs": np.array([len(tensors) - 1], np.int32),
                "operators": [{"inputs": np.array([0, 1, -1], np.int32),
                               "outputs": np.array([2], np.int32), "options_type": 8,
                               "options": {"activation": 3}}]}]}


def same(a, b):
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def tensor(name, shape, **more):
    return dict({"name": name, "shape": np.array(shape, np.int32)}, **more)


SCALE = {"scale": np.array([0.5], np.float32), "zero_point": np.array([-3], np.int64)}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=9), st.lists(st.integers(0, 2**31 - 1), max_size=4),
                          st.binary(min_size=1, max_size=70)), min_size=3, max_size=9))
def test_what_is_written_reads_back(items):
    tensors = [tensor(name, shape, buffer=k + 1, type=9, quantization=SCALE)
               for k, (name, shape, _) in enumerate(items)]
    buffers = [{}] + [{"data": np.frombuffer(data, np.uint8)} for _, _, data in items]
    original = model(tensors, buffers)
    data = flatbuffer.write(original)
    assert same(original, flatbuffer.read(data))
    assert len(data) % 16 == 0


def test_buffers_are_aligned_for_the_runtimes():
    values = np.arange(37, dtype=np.uint8) + 100
    data = flatbuffer.write(model([tensor("a", [1])] * 3, [{}, {"data": values}]))
    assert data.index(values.tobytes()) % 16 == 0


def test_equal_content_stands_once():
    one = [tensor("same", [64, 64], type=9, quantization=SCALE)] * 3
    many = one * 50
    grown = len(flatbuffer.write(model(many))) - len(flatbuffer.write(model(one)))
    assert grown < 147 * 4 + 16  # an offset each, and no tensor


def test_equal_constants_are_shared_unless_their_scales_differ():
    other = dict(SCALE, scale=np.array([0.25], np.float32))
    values = np.arange(4, dtype=np.uint8)
    tensors = [tensor("x", [4]), tensor("a", [4], buffer=1, quantization=SCALE),
               tensor("b", [4], buffer=2, quantization=SCALE),
               tensor("c", [4], buffer=2, quantization=other), tensor("y", [4])]
    merged = model(tensors, [{}, {"data": values}, {"data": values.copy()}])
    merged["subgraphs"][0]["operators"] = [
        {"inputs": np.array([0, 1, 2, 3, -1]), "outputs": np.array([4])}]
    flatbuffer.merge_constants(merged)
    assert list(merged["subgraphs"][0]["operators"][0]["inputs"]) == [0, 1, 1, 3, -1]


def test_foreign_bytes_are_refused():
    with pytest.raises(UserError, match="not a .tflite"):
        flatbuffer.read(b"PK\x03\x04 something else")
    with pytest.raises(UserError, match="damaged"):
        flatbuffer.read(struct.pack("<I", 4000) + b"TFL3" + bytes(20))
