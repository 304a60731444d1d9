"""The weights of a float .tflite in float16, unpacked by a DEQUANTIZE before the product.

A runtime folds a DEQUANTIZE of a constant when it loads the file, so the time is that of float32
and the bytes are half. Biases stay float32: they are few, and in float16 tflite-runtime's unrolled
window took a fifth more time for 450 bytes less. A matrix with a number beyond 65504 stays float32,
as the 10^30 of a mask (kit.network.layers.lookup).
"""
import numpy as np

from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT16

WEIGHTS = {"FULLY_CONNECTED": range(1, 2), "UNIDIRECTIONAL_SEQUENCE_LSTM": range(1, 9)}
LARGEST = float(np.finfo(np.float16).max)


def halved(model):
    """The Model dict with every weight in float16 that this can hold."""
    flatbuffer.merge_constants(model)
    graph, = model["subgraphs"]
    tensors, unpacked = graph["tensors"], {}
    for operator in graph["operators"]:
        code = model["operator_codes"][operator.get("opcode_index", 0)]
        for number in WEIGHTS.get(flatbuffer.op_name(code.get("builtin_code", 0)), ()):
            place = int(operator["inputs"][number])
            data = model["buffers"][tensors[place].get("buffer", 0)].get("data")
            if data is not None and len(data) and place not in unpacked and (
                    np.abs(data.view(np.float32)).max() <= LARGEST):
                unpacked[place] = _packed(model, tensors, place, data.view(np.float32))
            operator["inputs"] = np.array(operator["inputs"], np.int32)
            operator["inputs"][number] = unpacked.get(place, (None, place))[1]
    model["operator_codes"].append(
        {"builtin_code": flatbuffer.op_number("DEQUANTIZE"), "version": 3})
    code = len(model["operator_codes"]) - 1
    graph["operators"][:0] = [{"opcode_index": code, "inputs": np.array([source], np.int32),
                               "outputs": np.array([target], np.int32)}
                              for source, target in unpacked.values()]
    return model


def _packed(model, tensors, place, values):
    """(place of the float16 constant, place of what a DEQUANTIZE makes of it)."""
    model["buffers"].append({"data": values.astype(np.float16).view(np.uint8)})
    tensors.append(dict(tensors[place], type=FLOAT16, buffer=len(model["buffers"]) - 1))
    tensors.append(dict(tensors[place], name="unpacked_%d" % place, buffer=0))
    return len(tensors) - 2, len(tensors) - 1
