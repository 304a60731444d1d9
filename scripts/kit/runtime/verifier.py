"""What is wrong with a .tflite file, before a runtime dies of it or computes something else.

A runtime trusts offsets, shapes and scales, and ends its process where they lie. `problems` looks
at every table of anybody's file; `model_file` reads one with the claim of its .json beside.
numpy alone.
"""
import hashlib
import json
import os

import numpy as np

from kit.base.cli import UserError, read_json
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import ACTIVATION, FLOAT32, INT16, INT32, INT64, INT8

ITEM_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}  # by the number of the type
RANGE = {3: (0, 255), 7: (-32768, 32767), 9: (-128, 127)}
LARGEST = 1 << 31  # bytes of one tensor
BIAS_TOLERANCE = 0.02  # of the product of two scales: what the runtimes allow
ONE_SCALE = ("CONCATENATION", "SPLIT", "SPLIT_V", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PACK",
             "UNPACK", "STRIDED_SLICE", "SLICE", "TRANSPOSE", "GATHER", "PAD", "TILE",
             "REVERSE_V2", "MAXIMUM", "MINIMUM")
OUTPUT_SCALE = {
    INT8: {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "SOFTMAX": (1 / 256, -128),
           "L2_NORMALIZATION": (1 / 128, 0)},
    INT16: dict.fromkeys(("LOGISTIC", "TANH", "SOFTMAX"), (1 / 32768, 0))}
SAME_SHAPE = ("LOGISTIC", "TANH", "SOFTMAX", "L2_NORMALIZATION", "RELU", "RELU6", "EXP", "NEG",
              "LOG", "SQRT", "RSQRT", "SQUARE", "LEAKY_RELU", "ABS", "ELU", "QUANTIZE",
              "DEQUANTIZE", "CAST", "REVERSE_V2")
BROADCAST = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM")
TYPED = ONE_SCALE + SAME_SHAPE + BROADCAST
REGROUPED = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
COUNTS = {  # operator -> (inputs, outputs), None for any
    "CONCATENATION": (None, 1), "SPLIT": (2, None), "PACK": (None, 1), "UNPACK": (1, None),
    "SPLIT_V": (3, None), "FULLY_CONNECTED": ((2, 3), 1), "RESHAPE": ((1, 2), 1),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ((20, 24), 1), "STRIDED_SLICE": (4, 1), "SLICE": (3, 1),
    "TRANSPOSE": (2, 1), "GATHER": (2, 1), "PAD": (2, 1), "TILE": (2, 1), "MEAN": (2, 1),
    "EXPAND_DIMS": (2, 1), "REVERSE_V2": (2, 1), "SQUEEZE": (1, 1),
}
COUNTS.update({name: (2, 1) for name in BROADCAST})
COUNTS.update({name: (1, 1) for name in SAME_SHAPE if name not in COUNTS})


def model_file(path):
    """(the bytes of a .tflite, whether the .json beside it names them).

    UserError where they are not the bytes that a .json beside them describes: the file was altered,
    or one of the two is of another conversion. Where there is no such .json, nothing is claimed.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    beside = os.path.splitext(path)[0] + ".json"
    claim = read_json(beside) if os.path.exists(beside) else None
    if not isinstance(claim, dict) or "sha256" not in claim:
        return data, False
    if claim["sha256"] != hashlib.sha256(data).hexdigest():
        raise UserError("%s is not the file that %s describes (their sha256 differ): it was "
                        "altered, or one of them is of another conversion; convert again"
                        % (path, beside))
    return data, True


def checked(data, name="the model"):
    """The Model dict of .tflite bytes; UserError with the first problem."""
    try:
        model = flatbuffer.read(data)
    except UserError as error:
        raise UserError("%s: %s" % (name, error))
    found = problems(model)
    if found:
        raise UserError("%s: %s%s" % (name, found[0], "" if len(found) == 1 else
                                      " (and %d more; `examine` lists them)" % (len(found) - 1)))
    return model


def problems(model):
    """A sentence for each thing that is wrong; an empty list for a sound file."""
    found = []
    graphs = model.get("subgraphs", [])
    if not graphs:
        return ["it has no graph"]
    for number, graph in enumerate(graphs):
        where = "" if len(graphs) == 1 else "graph %d: " % number
        found += [where + text for text in _graph_problems(model, graph)]
    return found


def _graph_problems(model, graph):
    tensors = graph.get("tensors", [])
    found = [text for place, tensor in enumerate(tensors)
             for text in _tensor_problems(model, place, tensor)]
    for end in ("inputs", "outputs"):
        wrong = [int(place) for place in graph.get(end, ()) if not 0 <= place < len(tensors)]
        found += ["the graph's %s name tensor %d of %d" % (end, place, len(tensors))
                  for place in wrong]
        if not len(graph.get(end, ())):
            found.append("the graph has no %s" % end)
    return found or _operator_problems(model, graph)  # which look tensors up


def lacking(operators):
    """{runtime: operators that it has no kernel of}, from an iterable of (name, version).

    versions.json holds the highest version of each operator that a runtime registers, as measured by
    tests/runtime/references/make_versions.py; null where it takes any.
    """
    with open(os.path.join(os.path.dirname(__file__), "versions.json"), encoding="utf-8") as file:
        known = json.load(file)
    return {runtime: ["%s version %d" % (name, version) for name, version in sorted(operators)
                      if name not in highest or (highest[name] or version) < version]
            for runtime, highest in known.items()}


# --- tensors ----------------------------------------------------------------------------------


def _tensor_problems(model, place, tensor):
    name = "tensor %d" % place
    number_type, buffers = tensor.get("type", 0), model.get("buffers", [])
    if number_type == 5:  # text has no size of its own
        return []
    if number_type not in ITEM_BYTES:
        return ["%s has the unknown type %d" % (name, number_type)]
    size = ITEM_BYTES[number_type]
    for side in shape_of(tensor):
        size *= side
        if side < 0 or size > LARGEST:
            return ["%s has the shape %s" % (name, shape_of(tensor))]
    number = tensor.get("buffer", 0)
    if number >= len(buffers):
        return ["%s reads buffer %d of %d" % (name, number, len(buffers))]
    held = len(constant(model, tensor))
    if held and held != size:
        return ["%s of shape %s needs %d bytes, its buffer has %d"
                % (name, shape_of(tensor), size, held)]
    if held and number_type == FLOAT32 and not np.isfinite(
            np.frombuffer(constant(model, tensor), "<f4")).all():
        return ["%s holds NaN or infinity" % name]
    return _scale_problems(name, tensor, number_type)


def _scale_problems(name, tensor, number_type):
    quantization = tensor.get("quantization", {})
    scales, zeros = quantization.get("scale", ()), quantization.get("zero_point", ())
    if not len(scales):
        return ["%s is %s without a scale" % (name, flatbuffer.TYPES[number_type])] if (
            number_type in OUTPUT_SCALE) else []
    if not all(1e-30 < scale < 1e30 for scale in scales):
        return ["%s has the scale %g" % (name, next(
            scale for scale in scales if not 1e-30 < scale < 1e30))]
    if number_type == INT16 and any(zeros):
        return ["%s is int16 with a zero point, which its kernels do not know" % name]
    if len(zeros) != len(scales):
        return ["%s has %d scales and %d zero points" % (name, len(scales), len(zeros))]
    low, high = RANGE.get(number_type, (0, 0))
    if number_type in RANGE and not all(low <= zero <= high for zero in zeros):
        return ["%s has a zero point outside of %d to %d" % (name, low, high)]
    if len(scales) > 1:
        axis, shape = quantization.get("quantized_dimension", 0), shape_of(tensor)
        if not 0 <= axis < len(shape) or shape[axis] != len(scales):
            return ["%s has %d scales along axis %d of its shape %s"
                    % (name, len(scales), axis, shape)]
    return []


def shape_of(tensor):
    return [int(side) for side in tensor.get("shape", ())]


def constant(model, tensor):
    """The bytes that a tensor holds in the file; empty where it is computed."""
    data = model["buffers"][tensor.get("buffer", 0)].get("data")
    return b"" if data is None else data.tobytes()


# --- operators --------------------------------------------------------------------------------


def _operator_problems(model, graph):
    tensors, codes, found = graph["tensors"], model.get("operator_codes", []), []
    known = {int(place) for place in graph["inputs"]} | {
        place for place, tensor in enumerate(tensors)
        if len(constant(model, tensor)) or tensor.get("is_variable")}
    written = set(int(place) for place in graph["inputs"])
    for number, operator in enumerate(graph.get("operators", [])):
        index = operator.get("opcode_index", 0)
        if index >= len(codes):
            found.append("operator %d has the code %d of %d" % (number, index, len(codes)))
            continue
        name = operator_name(codes[index])
        texts = _end_problems(model, name, operator, tensors, known, written)
        texts = texts or _kind_problems(model, name, operator, tensors)
        found += ["operator %d, %s: %s" % (number, name, text) for text in texts]
        after = {int(place) for place in operator.get("outputs", ())}
        known, written = known | after, written | after
    found += ["output tensor %d of the graph is never computed" % place
              for place in graph["outputs"] if int(place) not in known]
    return found or _idle(graph)


def _idle(graph):
    """Operators whose outputs nothing reads: XNNPACK ends its process on one."""
    read = {int(place) for operator in graph["operators"] for place in operator.get("inputs", ())}
    read |= {int(place) for place in graph["outputs"]}
    return ["nothing reads what operator %d computes" % number
            for number, operator in enumerate(graph["operators"])
            if not read & {int(place) for place in operator["outputs"]}]


def operator_name(code):
    if code.get("custom_code"):
        return "custom %s" % code["custom_code"]
    return flatbuffer.op_name(code.get("builtin_code", 0))


def _end_problems(model, name, operator, tensors, known, written):
    inputs, outputs = ([int(place) for place in operator.get(end, ())]
                       for end in ("inputs", "outputs"))
    for place in inputs:
        if not -1 <= place < len(tensors):
            return ["it reads tensor %d of %d" % (place, len(tensors))]
        if place >= 0 and place not in known:
            return ["it reads tensor %d before anything wrote it" % place]
    if not all(0 <= place < len(tensors) for place in operator.get("intermediates", ())):
        return ["an intermediate is none of the %d tensors" % len(tensors)]
    for place in outputs:
        if not 0 <= place < len(tensors):
            return ["it writes tensor %d of %d" % (place, len(tensors))]
        if place in written:
            return ["it writes tensor %d, which is written already" % place]
        if len(constant(model, tensors[place])):
            return ["it writes tensor %d, which is a constant" % place]
    for end, places, wanted in zip(("inputs", "outputs"), (inputs, outputs),
                                   COUNTS.get(name, (None, None))):
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if wanted is None and not places or wanted is not None and len(places) not in allowed:
            return ["it has %d %s" % (len(places), end)]
    if -1 in inputs and name not in ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        return ["an input is missing"] if name in COUNTS else []
    return []


def _kind_problems(model, name, operator, tensors):
    inputs = [None if place < 0 else tensors[place] for place in operator.get("inputs", ())]
    outputs = [tensors[place] for place in operator["outputs"]]
    if name == "FULLY_CONNECTED":
        return _dense_problems(*(inputs + [None])[:3], output=outputs[0])
    if name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        between = [tensors[place] for place in operator.get("intermediates", ())]
        return _lstm_problems(inputs, outputs[0], between, operator.get("options", {}))
    if name == "WHILE":
        return _while_problems(model, inputs, outputs, operator.get("options", {}))
    texts = []
    if name == "CONCATENATION":
        texts = _joined(inputs, outputs[0], operator.get("options", {}))
    elif name == "SPLIT":
        texts = _split(model, inputs, outputs, operator.get("options", {}))
    elif name in REGROUPED and _size(inputs[0]) != _size(outputs[0]):
        texts = ["%s has another number of values than %s"
                 % (shape_of(inputs[0]), shape_of(outputs[0]))]
    elif name in SAME_SHAPE and shape_of(inputs[0]) != shape_of(outputs[0]):
        texts = ["it turns %s into %s" % (shape_of(inputs[0]), shape_of(outputs[0]))]
    elif name in BROADCAST:
        texts = _broadcast(inputs, outputs[0])
    elif name in CUT and not any("shape_signature" in tensor for tensor in tensors):
        texts = _cut(model, name, inputs, outputs[0], operator.get("options", {}))
    return texts or _value_problems(name, inputs, outputs)


def _while_problems(model, inputs, outputs, options):
    """Both graphs of a loop take what it hands on, in number, type and shape."""
    graphs, handed = model["subgraphs"], [_described(tensor) for tensor in inputs]
    numbers = [options.get("cond", 0), options.get("body", 0)]
    if not all(0 < number < len(graphs) for number in numbers):
        return ["its graphs are %d and %d of %d" % (numbers[0], numbers[1], len(graphs))]
    cond, body = (graphs[number] for number in numbers)
    ends = [outputs] + [[graph["tensors"][place] for place in graph[end]] for graph, end in (
        (cond, "inputs"), (body, "inputs"), (body, "outputs"))]
    if any([_described(tensor) for tensor in end] != handed for end in ends):
        return ["its graphs do not take and give what it hands on"]
    return [] if len(cond["outputs"]) == 1 else ["its condition has %d outputs"
                                                 % len(cond["outputs"])]


def _described(tensor):
    return tensor.get("type", 0), shape_of(tensor)


def _value_problems(name, inputs, outputs):
    """Types and scales that the runtimes take for granted."""
    if name in ("QUANTIZE", "DEQUANTIZE", "CAST", "GATHER", "SHAPE", "LESS", "WHILE") or (
            name not in TYPED):
        return []
    number_type = outputs[0].get("type", 0)
    values = [tensor for tensor in inputs if tensor.get("type", 0) == number_type] if (
        number_type in OUTPUT_SCALE) else inputs[:1] if name not in ("SPLIT",) else inputs[1:]
    if not values or any(tensor.get("type", 0) != number_type for tensor in values + outputs):
        return ["its values are of several types"]
    if number_type not in OUTPUT_SCALE:
        return []
    wanted = OUTPUT_SCALE[number_type].get(name, scale_of(outputs[0]))
    if scale_of(outputs[0]) != wanted:
        return ["its output has the scale %g and zero point %d; %g and %d are needed"
                % (scale_of(outputs[0]) + wanted)]
    scales = {scale_of(tensor) for tensor in values + outputs}
    if name in ONE_SCALE and len(scales) > 1:
        return ["its inputs and outputs have several scales: %s" % ", ".join(
            "%.6g" % scale for scale, _ in sorted(scales))]
    return []


def scale_of(tensor):
    """(scale, zero point) of an integer tensor of one scale."""
    quantization = tensor["quantization"]
    return float(quantization["scale"][0]), int(quantization["zero_point"][0])


def _size(tensor):
    return int(np.prod(shape_of(tensor), dtype=np.int64))


def _joined(inputs, output, options):
    shapes, wanted = [shape_of(tensor) for tensor in inputs], shape_of(output)
    axis = options.get("axis", 0)
    if not -len(wanted) <= axis < len(wanted) or any(len(s) != len(wanted) for s in shapes):
        return ["it joins %s along axis %d" % (shapes, axis)]
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    rest = {tuple(np.delete(shape, axis)) for shape in shapes}
    return [] if len(rest) == 1 and joined == wanted else ["it joins %s into %s" % (shapes, wanted)]


def _split(model, inputs, outputs, options):
    axis = np.frombuffer(constant(model, inputs[0]), "<i4")
    whole, parts = shape_of(inputs[1]), [shape_of(tensor) for tensor in outputs]
    if options.get("num_splits", 0) != len(outputs):
        return ["it has %d outputs for %d parts" % (len(outputs), options.get("num_splits", 0))]
    if inputs[0].get("type", 0) != INT32 or axis.size != 1 or not -len(whole) <= axis[0] < len(whole):
        return ["its axis does not fit the shape %s" % whole]
    wanted = list(whole)
    wanted[axis[0]] //= len(outputs)
    fits = wanted[axis[0]] * len(outputs) == whole[axis[0]]
    return [] if fits and all(part == wanted for part in parts) else [
        "it splits %s into %s" % (whole, parts)]


def _cut(model, name, inputs, output, options):
    """Whether constant arguments stay inside the input, and give the output's shape."""
    arguments = [np.frombuffer(constant(model, tensor), "<i4") for tensor in inputs[1:]]
    whole, wanted = shape_of(inputs[0]), shape_of(output)
    if any(tensor.get("type", 0) != INT32 for tensor in inputs[1:]):
        return ["an argument is no int32"]
    if not all(argument.size for argument in arguments):
        return []  # computed while it runs
    try:
        found = list(CUT[name](np.broadcast_to(0, whole), options, *arguments))
    except (ValueError, IndexError, TypeError, np.AxisError) as error:
        return ["its arguments do not fit %s: %s" % (whole, " ".join(str(error).split()))]
    return [] if found == wanted else ["it makes %s of %s; its arguments say %s" % (
        wanted, whole, found)]


def _strided(values, options, begin, end, stride):
    if len({len(begin), len(end), len(stride), values.ndim}) > 1 or not stride.all():
        raise ValueError("begin, end and stride for each axis")
    if any(abs(int(place)) > size for ends in (begin, end) for place, size in zip(
            ends, values.shape)) and not options.get("end_mask", 0):
        raise ValueError("a place outside")
    pieces = []
    for axis, (first, last, step) in enumerate(zip(begin, end, stride)):
        masks = {key: options.get(key + "_mask", 0) >> axis & 1 for key in (
            "begin", "end", "shrink_axis")}
        pieces.append(int(first) if masks["shrink_axis"] else slice(
            None if masks["begin"] else int(first), None if masks["end"] else int(last), int(step)))
    return values[tuple(pieces)].shape


def _slice(values, options, begin, size):
    whole = np.array(values.shape)
    if len(begin) != len(whole) or len(size) != len(whole):
        raise ValueError("begin and size for each axis")
    found = np.where(size == -1, whole - begin, size)
    if (begin < 0).any() or (found < 0).any() or (begin.astype(int) + found > whole).any():
        raise ValueError("a place outside")
    return found


def _padded(values, options, paddings):
    around = paddings.reshape(values.ndim, 2).astype(int)
    if (around < 0).any():
        raise ValueError("less than nothing around")
    return values.shape + around.sum(axis=1)


def _mean(values, options, axes):
    return values.mean(axis=tuple(map(int, axes)), keepdims=options.get("keep_dims", False)).shape


CUT = {  # operator -> function from its input and constant arguments to the output's shape
    "STRIDED_SLICE": _strided, "SLICE": _slice, "PAD": _padded, "MEAN": _mean,
    "TRANSPOSE": lambda values, options, order: values.transpose(order).shape,
    "TILE": lambda values, options, times: np.array(values.shape) * times,
}


def _broadcast(inputs, output):
    shapes = [shape_of(tensor) for tensor in inputs]
    length = max(map(len, shapes))
    padded = [[1] * (length - len(shape)) + shape for shape in shapes]
    result = [max(sides) if 0 not in sides else 0 for sides in zip(*padded)]
    fits = all(side in (1, whole) for shape in padded for side, whole in zip(shape, result))
    return [] if fits and result == shape_of(output) else [
        "it makes %s of %s" % (shape_of(output), " and ".join(map(str, shapes)))]


def _dense_problems(source, weights, bias, output):
    if source is None or weights is None:
        return ["its input or its weights are missing"]
    shapes = [shape_of(tensor) for tensor in (source, weights, output)]
    if len(shapes[1]) != 2 or not shapes[1][1] or _size(source) % shapes[1][1] or (
            _size(output) != _size(source) // shapes[1][1] * shapes[1][0]):
        return ["it makes %s of %s with weights of %s" % (shapes[2], shapes[0], shapes[1])]
    if bias is not None and _size(bias) != shapes[1][0]:
        return ["its bias has the shape %s; its weights %s" % (shape_of(bias), shapes[1])]
    number_types = [tensor.get("type", 0) for tensor in (source, weights, output)]
    if number_types not in ([FLOAT32] * 3, [FLOAT32, INT8, FLOAT32], [INT8] * 3, [3] * 3,
                     [INT16, INT8, INT16]):
        return ["its input, weights and output are %s" % ", ".join(
            flatbuffer.TYPES.get(number_type, "?") for number_type in number_types)]
    if bias is None or number_types[0] == FLOAT32:
        return [] if bias is None or bias.get("type", 0) == FLOAT32 else ["its bias is no float32"]
    return _bias_problems(source, weights, bias)


def _bias_problems(source, weights, bias):
    """A bias counts in products of input and weight: its scale is theirs."""
    wide = source.get("type", 0) == INT16
    if wide and np.any(weights["quantization"]["zero_point"]):
        return ["its weights have a zero point, which the int16 kernels do not know"]
    if bias.get("type", 0) != (INT64 if wide else INT32):
        return ["its bias is %s" % flatbuffer.TYPES[bias.get("type", 0)]]
    own = np.asarray(bias.get("quantization", {}).get("scale", ()), float)
    wanted = scale_of(source)[0] * np.asarray(weights["quantization"]["scale"], float)
    if own.size not in (0, wanted.size) or own.size and not np.allclose(
            own, wanted, rtol=BIAS_TOLERANCE, atol=0):
        return ["its bias has the scale %.6g; input and weights give %.6g (a bias that two "
                "operators share, perhaps)" % (own.ravel()[0], wanted[0])]
    return []


def _lstm_problems(inputs, output, between, options):
    source, gates = inputs[0], inputs[1:9]
    if source is None or any(inputs[number] is None for number in (2, 3, 4, 6, 7, 8, 18, 19)):
        return ["one of its inputs is missing"]
    units, channels = (shape_of(inputs[2]) + [0, 0])[:2]
    rows = shape_of(inputs[6])
    wanted = [[units, channels]] * 4 + [rows] * 4
    if len(shape_of(source)) != 3 or shape_of(source)[2] != channels or len(rows) != 2 or (
            rows[0] != units) or any(gate is not None and shape_of(gate) != shape
                                     for gate, shape in zip(gates, wanted)):
        return ["its weights do not fit its input of %s" % shape_of(source)]
    for bias in inputs[12:16]:
        if bias is not None and shape_of(bias) != [units]:
            return ["a bias has the shape %s for %d units" % (shape_of(bias), units)]
    for number in (18, 19):
        if not inputs[number].get("is_variable"):
            return ["its state, input %d, is no variable tensor" % number]
    batch = shape_of(source)[1 if options.get("time_major") else 0]
    if [shape_of(inputs[n]) for n in (18, 19)] != [[batch, rows[1]], [batch, units]]:
        return ["its states have the shapes %s and %s" % (shape_of(inputs[18]), shape_of(inputs[19]))]
    if shape_of(output) != shape_of(source)[:2] + [rows[1]]:
        return ["it makes %s of %s" % (shape_of(output), shape_of(source))]
    if source.get("type", 0) == INT8:
        return _int8_lstm_problems(inputs, output, between, options)
    number_types = {gate.get("type", 0) for gate in gates if gate is not None}
    others = [source, output] + [tensor for tensor in inputs[9:] if tensor is not None]
    if len(number_types) > 1 or any(tensor.get("type", 0) != FLOAT32 for tensor in others):
        return ["its weights, or the others of its tensors, are of several types"]
    return []


def _int8_lstm_problems(inputs, output, between, options):
    """The kernel with a cell state of 16 bits: what else would be computed without a word."""
    source, weights, biases = inputs[0], inputs[1:9], inputs[12:16]
    hidden, cell = inputs[18:20]
    if None in weights or None in biases:
        return ["one of its inputs is missing"]
    for words, tensors, number_type in (
            ("weights", weights, INT8), ("biases", biases, INT32),
            ("output and state", [output, hidden], INT8), ("cell state", [cell], INT16)):
        if any(tensor.get("type", 0) != number_type for tensor in tensors):
            return ["its %s: %s is needed where the input is int8" % (
                words, flatbuffer.TYPES[number_type])]
    if any(np.any(tensor["quantization"]["zero_point"]) for tensor in weights):
        return ["its weights have a zero point, which its kernel does not know"]
    if ACTIVATION.get(options.get("activation", 0)) != "TANH":
        return ["its activation is %s, and the int8 kernel computes TANH"
                % ACTIVATION.get(options.get("activation", 0))]
    if len({scale_of(tensor) for tensor in [output, hidden] + between[4:]}) > 1:
        return ["its output, its state and its fifth intermediate have several scales"]
    exponent = np.log2(scale_of(cell)[0])
    if exponent != np.rint(exponent) or exponent > -9:
        return ["its cell state has the scale %g; a power of two up to 2^-9 is needed"
                % scale_of(cell)[0]]
    return [text for kernel, bias in zip(weights, biases)
            for text in _bias_problems(source, kernel, bias)][:1]
