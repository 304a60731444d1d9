"""A .tflite file as plain dicts and lists, and back. Standard library and numpy alone.

A table becomes a dict of its fields (those with their default are left out), a vector of tables a
list, a vector of numbers a numpy array, a string str. Writing shares: whatever is equal in content
(options, shapes, scales, vtables, whole buffers) stands once in the file, which makes an unrolled
model of 50 steps three times smaller. Schema: tensorflow/lite/schema/schema.fbs, version 3.
"""
import struct

import numpy as np

from kit.base.cli import UserError

NUMBERS = {"bool": ("?", 1), "i8": ("b", 1), "u8": ("B", 1), "i32": ("<i", 4), "u32": ("<I", 4),
           "f32": ("<f", 4)}
VECTORS = {"[i32]": "<i4", "[f32]": "<f4", "[i64]": "<i8", "[bool]": "?", "[u8]": "u1",
           "[data]": "u1"}
ACTIVATION = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
FLOAT32, FLOAT16, INT32, INT64, BOOL, INT16, INT8 = 0, 1, 2, 4, 6, 7, 9
TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool",
         7: "int16", 9: "int8"}

# Table name -> fields in the order of their ids: (name, type).
TABLES = {
    "Model": [("version", "u32"), ("operator_codes", "[OperatorCode]"), ("subgraphs", "[SubGraph]"),
              ("description", "string"), ("buffers", "[Buffer]"), ("metadata_buffer", "[i32]"),
              ("metadata", "[Metadata]")],
    "OperatorCode": [("builtin_code", "i8"), ("custom_code", "string"), ("version", "i32")],
    "SubGraph": [("tensors", "[Tensor]"), ("inputs", "[i32]"), ("outputs", "[i32]"),
                 ("operators", "[Operator]"), ("name", "string")],
    "Tensor": [("shape", "[i32]"), ("type", "i8"), ("buffer", "u32"), ("name", "string"),
               ("quantization", "Quantization"), ("is_variable", "bool"), ("sparsity", "None"),
               ("shape_signature", "[i32]")],
    "Quantization": [("min", "[f32]"), ("max", "[f32]"), ("scale", "[f32]"),
                     ("zero_point", "[i64]"), ("details_type", "u8"), ("details", "None"),
                     ("quantized_dimension", "i32")],
    "Operator": [("opcode_index", "u32"), ("inputs", "[i32]"), ("outputs", "[i32]"),
                 ("options_type", "u8"), ("options", "union"), ("custom_options", "[u8]"),
                 ("custom_options_format", "i8"), ("mutating_inputs", "[bool]"),
                 ("intermediates", "[i32]")],
    "Buffer": [("data", "[data]")],
    "Metadata": [("name", "string"), ("buffer", "u32")],
    "None": [],
}
DEFAULTS = {("OperatorCode", "version"): 1, ("", "pot_scale_int16"): True}

# Number in the union BuiltinOptions -> the fields of that options table.
_WINDOW = [("padding", "i8"), ("stride_w", "i32"), ("stride_h", "i32")]
_DILATION = [("dilation_w", "i32"), ("dilation_h", "i32")]
OPTIONS = {
    1: _WINDOW + [("activation", "i8")] + _DILATION,  # Conv2D
    2: _WINDOW + [("depth_multiplier", "i32"), ("activation", "i8")] + _DILATION,  # Depthwise
    5: _WINDOW + [("filter_width", "i32"), ("filter_height", "i32"), ("activation", "i8")],  # Pool
    8: [("activation", "i8"), ("weights_format", "i8"), ("keep_num_dims", "bool")],  # FullyConn.
    9: [("beta", "f32")],  # Softmax
    10: [("axis", "i32"), ("activation", "i8")],  # Concatenation
    11: [("activation", "i8"), ("pot_scale_int16", "bool")], 12: [("activation", "i8")],  # Add, L2
    17: [("new_shape", "[i32]")],  # Reshape
    21: [("activation", "i8")],  # Mul
    22: [], 23: [("axis", "i32")], 26: [],  # Pad, Gather, Transpose
    27: [("keep_dims", "bool")],  # Reducer
    28: [("activation", "i8"), ("pot_scale_int16", "bool")],  # Sub
    29: [("activation", "i8")],  # Div
    30: [("squeeze_dims", "[i32]")],
    32: [("begin_mask", "i32"), ("end_mask", "i32"), ("ellipsis_mask", "i32"),
         ("new_axis_mask", "i32"), ("shrink_axis_mask", "i32")],  # StridedSlice
    33: [], 35: [("num_splits", "i32")],  # Exp, Split
    37: [("in_type", "i8"), ("out_type", "i8")], 38: [], 39: [], 41: [], 42: [], 48: [],
    51: [], 52: [], 55: [("out_type", "i8")],  # ..., Shape
    59: [("values_count", "i32"), ("axis", "i32")],  # Pack
    64: [("num", "i32"), ("axis", "i32")],  # Unpack
    66: [], 71: [("activation", "i8"), ("cell_clip", "f32"), ("proj_clip", "f32"),
                 ("time_major", "bool")],  # UnidirectionalSequenceLSTM
    75: [("alpha", "f32")], 78: [], 79: [("num_splits", "i32")], 81: [],  # ..., ReverseV2
    93: [("cond", "i32"), ("body", "i32")],  # While: numbers of subgraphs
}
BUILTIN = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 11: "L2_NORMALIZATION", 14: "LOGISTIC",
    17: "MAX_POOL_2D", 18: "MUL",
    19: "RELU", 21: "RELU6", 22: "RESHAPE", 25: "SOFTMAX", 28: "TANH", 34: "PAD", 36: "GATHER",
    39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE",
    44: "UNIDIRECTIONAL_SEQUENCE_LSTM", 45: "STRIDED_SLICE", 47: "EXP", 49: "SPLIT", 53: "CAST",
    55: "MAXIMUM", 57: "MINIMUM", 58: "LESS", 59: "NEG", 61: "GREATER", 62: "GREATER_EQUAL",
    64: "SELECT", 65: "SLICE", 69: "TILE", 70: "EXPAND_DIMS", 73: "LOG", 74: "SUM", 75: "SQRT",
    76: "RSQRT", 77: "SHAPE", 83: "PACK", 88: "UNPACK", 92: "SQUARE", 93: "ZEROS_LIKE",
    98: "LEAKY_RELU", 101: "ABS", 102: "SPLIT_V", 105: "REVERSE_V2", 111: "ELU", 114: "QUANTIZE",
    119: "WHILE"}


def op_name(code):
    """The name of a builtin operator by its number."""
    return BUILTIN.get(code, "OP_%d" % code)


# --- reading ----------------------------------------------------------------------------------


def read(data):
    """The Model dict of .tflite bytes; UserError when they are something else."""
    if data[4:8] != b"TFL3":
        raise UserError("not a .tflite file (its first bytes do not say TFL3)")
    reader = _Reader(data)
    try:
        return reader.table(reader.u32(0), TABLES["Model"], "Model")
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise UserError("a damaged .tflite file, or one with operators unknown here (%s)"
                        % (error if type(error) is ValueError else repr(error)))


class _Reader:
    """Reads tables; what it makes of a file is bounded by the file's length.

    Places may be shared, so that a file of 20 KB could describe 10**7 tables. In an honest one each
    table has an offset of its own (4 bytes), or is the only one below a table that has.
    """

    def __init__(self, data):
        self.data, self.left = data, 8 * len(data) + 1024

    def u32(self, at):
        return struct.unpack_from("<I", self.data, at)[0]

    def spend(self, amount):
        self.left -= amount
        if self.left < 0:
            raise ValueError("it holds more than its length allows")

    def table(self, at, fields, name=""):
        vtable = at - struct.unpack_from("<i", self.data, at)[0]
        if vtable < 0:
            raise ValueError("a table's fields would stand before the file")
        self.spend(8)
        size, length = struct.unpack_from("<HH", self.data, vtable)
        offsets = struct.unpack_from("<%dH" % max(size // 2 - 2, 0), self.data, vtable + 4)
        if size < 4 or size % 2 or length < 4 or at + length > len(self.data) or any(
                offset and not 4 <= offset < length for offset in offsets):
            raise ValueError("the fields of a table are outside of it")
        table = {}
        for (field, type_name), offset in zip(fields, offsets):
            if offset:
                table[field] = self.field(at + offset, type_name, table)
        return table

    def field(self, at, type_name, table):
        if type_name in NUMBERS:
            return struct.unpack_from(NUMBERS[type_name][0], self.data, at)[0]
        target = at + self.u32(at)
        if type_name == "union":
            return self.table(target, OPTIONS[table["options_type"]])
        if type_name in TABLES:
            return self.table(target, TABLES[type_name], type_name)
        count, start = self.u32(target), target + 4
        size = 1 if type_name == "string" else np.dtype(VECTORS.get(type_name, "<u4")).itemsize
        if count * size > len(self.data) - start:
            raise ValueError("a vector of %d would end behind the file" % count)
        if type_name == "string":
            self.spend(count)
            return bytes(self.data[start:start + count]).decode("utf-8")
        if type_name in VECTORS:
            return np.frombuffer(self.data, VECTORS[type_name], count, start)
        inner = type_name[1:-1]
        return [self.table(place + self.u32(place), TABLES[inner], inner)
                for place in range(start, start + 4 * count, 4)]


def op_number(name):
    """The number of a builtin operator by its name."""
    return next(number for number, known in BUILTIN.items() if known == name)


def merge_constants(model):
    """Let operators share constants that are equal in values, shape, type and scale."""
    for graph in model["subgraphs"]:
        _merge_constants_of(graph, model)
    return model


def _merge_constants_of(graph, model):
    known, same = {}, {-1: -1}
    for place, tensor in enumerate(graph["tensors"]):
        data = model["buffers"][tensor.get("buffer", 0)].get("data")
        key = place
        if data is not None and len(data) and not tensor.get("is_variable"):
            scale = tensor.get("quantization", {})
            key = (data.tobytes(), bytes(tensor.get("shape", b"")), tensor.get("type", 0)) + tuple(
                np.asarray(scale[field]).tobytes() for field in ("scale", "zero_point")
                if field in scale)
        same[place] = known.setdefault(key, place)
    for operator in graph["operators"]:
        operator["inputs"] = np.array([same[int(p)] for p in operator["inputs"]], np.int32)


# --- writing ----------------------------------------------------------------------------------


def write(model):
    """The .tflite bytes of a Model dict; equal content is written once."""
    writer = _Writer()
    root = writer.table(model, TABLES["Model"], "Model")
    writer.pad(8, 16)
    writer.push(b"TFL3")
    writer.push(struct.pack("<I", writer.size + 4 - root))
    return writer.bytes()


class _Writer:
    """Writes from the end of the file to its start; a place is the distance to the end."""

    def __init__(self):
        self.parts, self.size, self.known = [], 0, {}

    def bytes(self):
        return b"".join(reversed(self.parts))

    def push(self, data):
        self.parts.append(bytes(data))
        self.size += len(data)
        return self.size

    def pad(self, following, align):
        """Zeros, so that what starts after `following` more bytes is aligned."""
        self.push(b"\0" * (-(self.size + following) % align))

    def shared(self, key, make):
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def vector(self, raw, count, align, end=b""):
        def make():
            self.pad(len(raw) + len(end), max(align, 4))
            self.push(raw + end)
            return self.push(struct.pack("<I", count))
        return self.shared((raw, count, align, end), make)

    def offsets(self, places):
        def make():
            self.pad(4 * len(places), 4)
            start = self.size + 4 * len(places)
            self.push(b"".join(struct.pack("<I", start - 4 * k - place)
                               for k, place in enumerate(places)))
            return self.push(struct.pack("<I", len(places)))
        return self.shared(("offsets",) + tuple(places), make)

    def child(self, value, type_name, table):
        """Write what a field points to; its place."""
        if type_name == "union":
            return self.table(value, OPTIONS[table["options_type"]])
        if type_name in TABLES:
            return self.table(value, TABLES[type_name], type_name)
        if type_name == "string":
            raw = value.encode("utf-8")
            return self.vector(raw, len(raw), 1, b"\0")
        if type_name in VECTORS:
            array = np.ascontiguousarray(value, VECTORS[type_name])
            align = 16 if type_name == "[data]" else array.itemsize
            return self.vector(array.tobytes(), array.size, align)
        inner = type_name[1:-1]
        return self.offsets([self.table(item, TABLES[inner], inner) for item in reversed(value)]
                            [::-1])

    def table(self, value, fields, name=""):
        """Write a table after its children; equal tables share a place."""
        inline, slots = [], [0] * len(fields)
        for number, (field, type_name) in enumerate(fields):
            item = value.get(field)
            if item is None:
                continue
            if type_name in NUMBERS:
                if item != DEFAULTS.get((name, field), 0):
                    code, size = NUMBERS[type_name]
                    inline.append((size, number, struct.pack(code, item)))
            else:
                inline.append((4, number, self.child(item, type_name, value)))
        inline.sort(key=lambda entry: (-entry[0], entry[1]))
        at = 4
        for size, number, _ in inline:
            slots[number] = at
            at += size
        while slots and not slots[-1]:
            slots.pop()
        key = ("table", tuple(slots), tuple(entry[2] for entry in inline))
        return self.shared(key, lambda: self._table(inline, slots, at))

    def _table(self, inline, slots, size):
        vtable = struct.pack("<%dH" % (2 + len(slots)), 4 + 2 * len(slots), size, *slots)
        known = self.known.get(vtable)
        self.pad(size, 4)
        place = self.size + size
        if known is None:  # right before the table
            known = self.known[vtable] = place + len(vtable)
        body = [struct.pack("<i", known - place)]
        at = 4
        for width, _, item in inline:
            body.append(item if isinstance(item, bytes) else struct.pack("<I", place - at - item))
            at += width
        self.push(b"".join(body))
        if known > place:
            if known == place + len(vtable):
                self.push(vtable)
        return place
