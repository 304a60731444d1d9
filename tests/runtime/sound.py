"""A small int8 model as dicts: what a verifier has nothing to say about."""
import numpy as np

from kit.runtime.flatbuffer import INT8, INT32


def int8(shape, scale, zero_point=0, **more):
    return dict({"shape": np.array(shape, np.int32), "type": INT8, "name": "t", "quantization": {
        "scale": np.array([scale], np.float32), "zero_point": np.array([zero_point])}}, **more)


def places(*numbers):
    return np.array(numbers, np.int32)


def sound_model():
    """The Model dict: sample (1, 2) and state (1, 2) joined, a dense layer to (1, 4), split in two, added."""
    bias = dict(int8([4], 0.05 * 0.02), type=INT32, buffer=2)
    tensors = [
        int8([1, 2], 0.05), int8([1, 2], 0.05), int8([1, 4], 0.05),
        int8([4, 4], 0.02, buffer=1), bias, int8([1, 4], 0.1),
        {"shape": places(), "type": INT32, "buffer": 3, "name": "axis"},
        int8([1, 2], 0.1), int8([1, 2], 0.1), int8([1, 2], 0.2, -5)]
    operators = [
        {"opcode_index": 0, "inputs": places(0, 1), "outputs": places(2), "options_type": 10,
         "options": {"axis": 1}},
        {"opcode_index": 1, "inputs": places(2, 3, 4), "outputs": places(5), "options_type": 8,
         "options": {}},
        {"opcode_index": 2, "inputs": places(6, 5), "outputs": places(7, 8), "options_type": 35,
         "options": {"num_splits": 2}},
        {"opcode_index": 3, "inputs": places(7, 8), "outputs": places(9), "options_type": 11,
         "options": {}}]
    return {"version": 3, "operator_codes": [
        {"builtin_code": code} for code in (2, 9, 49, 0)], "buffers": [
            {}, {"data": np.arange(16, dtype=np.uint8)},
            {"data": np.arange(4, dtype="<i4").view(np.uint8)},
            {"data": np.array([1], "<i4").view(np.uint8)}], "subgraphs": [{
                "tensors": tensors, "inputs": places(0, 1), "outputs": places(9),
                "operators": operators}]}
