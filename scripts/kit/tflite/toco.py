"""1.15's converter from a frozen graph to a .tflite, and what to make sure of in the result."""
import collections
import contextlib
import faulthandler
import os
import pickle
import sys

import numpy as np

from kit.base.cli import UserError
from kit.base.digest import sha256_of
from kit.runtime import flatbuffer, verifier
from kit.runtime.forms import states_of
from kit.runtime.precisions import PRECISIONS
from kit.tf.tf115 import quiet_stderr, tf, unhurried

from tensorflow.lite.python import convert as _toco


LONG_GRAPH_NODES = 6000
PRODUCTS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "UNIDIRECTIONAL_SEQUENCE_LSTM")
PLACES = ("inputs", "outputs", "intermediates")  # where tensors are named by their places
FUSED_ACTIVATION = {"linear": 0, "relu": 1, "tanh": 4}  # the converter always writes tanh


def converted(pb_path, signature, dynamic=False):
    """The Model dict of a frozen graph: TFLiteConverter.from_frozen_graph.

    signature : the .json beside the .pb, with inputs and outputs (name, shape)
    dynamic : weights in int8, quantized by the converter; activations stay float
    """
    try:
        converter = tf.lite.TFLiteConverter.from_frozen_graph(
            pb_path,
            input_arrays=[item["name"] for item in signature["inputs"]],
            output_arrays=[item["name"] for item in signature["outputs"]],
            input_shapes={item["name"]: item["shape"] for item in signature["inputs"]})
    except (OSError, ValueError) as error:  # protobuf's errors become the second
        raise UserError("%s: no frozen graph of its .json's inputs and outputs: %s"
                        % (pb_path, _reason(error)))
    if len(converter._graph_def.node) > LONG_GRAPH_NODES:
        print("a long graph: the converter takes the square of its length, a minute or more",
              file=sys.stderr)
    optimizer = unhurried(converter._grappler_config())
    converter._grappler_config = lambda: optimizer
    if dynamic:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        with _forking():
            return flatbuffer.read(converter.convert())
    except (_toco.ConverterError, ValueError) as error:
        raise UserError("%s: 1.15's converter refuses this graph: %s"
                        % (os.path.basename(pb_path), _reason(error)))


def _reason(error):
    """The telling line of the converter's long message."""
    text = " ".join(str(error).split())
    for mark in ("Here is a list of operators for which you will need custom implementations:",
                 "Check failed:"):
        if mark in text:
            return text[text.index(mark):][:200]
    return text[:200]


def _in_child(convert):
    """Wrap toco so that it runs in a forked child: where it aborts, this process lives on.

    In the process itself (not as a subprocess that imports TensorFlow anew) a conversion takes a
    quarter of a second; but toco ends the process on a failed check.
    """
    def forked(*args, **kwargs):
        reader, writer = os.pipe()
        with quiet_stderr() as log:
            child = os.fork()
            if not child:
                _answer(writer, convert, args, kwargs)
            os.close(writer)
            with os.fdopen(reader, "rb") as pipe:
                answer = pipe.read()
            os.waitpid(child, 0)
            log.seek(0)
            said = log.read().decode("utf-8", "replace")
        if not answer:
            raise _toco.ConverterError(said or "the converter ended without a word")
        ok, value = pickle.loads(answer)
        if not ok:
            raise _toco.ConverterError(value)
        return value
    return forked


def _answer(writer, convert, args, kwargs):
    """In the child: convert, write the pickled answer to the pipe, leave."""
    faulthandler.disable()  # where pytest enabled it, an abort would print a page
    try:
        answer = True, convert(*args, **kwargs)
    except Exception as error:
        answer = False, str(error)
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(pickle.dumps(answer))
    os._exit(0)


@contextlib.contextmanager
def _forking():
    """The converter with toco in a forked child, not as a program that it looks for on PATH."""
    before = _toco._toco_from_proto_bin, _toco.toco_convert_protos
    _toco._toco_from_proto_bin, _toco.toco_convert_protos = "", _in_child(before[1])
    try:
        yield
    finally:
        _toco._toco_from_proto_bin, _toco.toco_convert_protos = before


# --- the file ---------------------------------------------------------------------------------


def packed(model, signature):
    """The final .tflite bytes of a Model dict: in order, nothing unused, nothing twice."""
    model = flatbuffer.merge_constants(whole_fused_ops(model, signature))
    if signature.get("any_length"):
        open_length(model, signature)
    return flatbuffer.write(tidy(model, signature))


def open_length(model, signature):
    """Make a window's length one that the caller may change, and say so in the file.

    A RESHAPE between (1, T, C) and (T, C) holds the file's T: it is left to be inferred.
    """
    graph = model["subgraphs"][0]
    steps = signature["inputs"][0]["shape"][1]
    for operator in graph["operators"]:
        if _kind(model, operator) == "RESHAPE":
            shape = np.array(graph["tensors"][operator["outputs"][0]]["shape"], np.int32)
            axis = {2: 0, 3: 1}.get(len(shape))
            if axis is not None and shape[axis] == steps:
                shape[axis] = -1
                _put_shape(model, operator, shape)
    source = next(tensor for tensor in graph["tensors"]
                  if tensor["name"] == signature["inputs"][0]["name"])
    source["shape_signature"] = np.array([1, -1] + list(source["shape"][2:]), np.int32)


def _put_shape(model, operator, shape):
    """Give a RESHAPE another shape, in its options and as its second input."""
    tensors = model["subgraphs"][0]["tensors"]
    operator.update(options_type=17, options={"new_shape": shape})
    if len(operator["inputs"]) > 1:
        model["buffers"].append({"data": shape.view(np.uint8)})
        tensors.append({"name": "shape", "shape": np.array([len(shape)], np.int32),
                        "type": flatbuffer.INT32, "buffer": len(model["buffers"]) - 1})
        operator["inputs"] = np.array([operator["inputs"][0], len(tensors) - 1], np.int32)


def whole_fused_ops(model, signature):
    """Fused LSTMs as the runtimes take them: batch first, 24 inputs, weights of one type.

    The converter writes 20 inputs and calls the sequence time-major. tflite-micro insists on the
    four optional inputs of layer normalisation, absent (-1); and with the batch first no transpose
    stands around the op. Packed weights keep the 20 inputs: tflite-micro has no hybrid kernel and
    computes NaN from them, where it had better refuse.
    """
    if "fused_activations" not in signature:
        return model
    graph, = model["subgraphs"]
    activations = iter(signature.get("fused_activations", ()))
    unpacked = {int(operator["outputs"][0]): operator for operator in graph["operators"]
                if _kind(model, operator) == "DEQUANTIZE" and graph["tensors"][
                    operator["inputs"][0]].get("type", 0) == flatbuffer.INT8}
    for operator in graph["operators"]:
        if _kind(model, operator) == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            operator["options"] = dict(operator["options"], time_major=False,
                                       activation=FUSED_ACTIVATION[next(activations)])
            operator["inputs"] = np.array(operator["inputs"], np.int32)
            if any(int(place) in unpacked for place in operator["inputs"]):
                _pack_weights(model, operator["inputs"], unpacked)
            else:
                missing = [-1] * (24 - len(operator["inputs"]))
                operator["inputs"] = np.append(operator["inputs"], missing).astype(np.int32)
    read = {int(place) for operator in graph["operators"] for place in operator["inputs"]}
    graph["operators"] = [operator for operator in graph["operators"]
                          if int(operator["outputs"][0]) in read
                          or int(operator["outputs"][0]) not in unpacked]
    return model


def _pack_weights(model, inputs, unpacked):
    """All eight weights of a fused LSTM in int8, as the hybrid kernel wants them.

    The converter packs only those of 1024 values and more and unpacks these again before the op,
    which then computes in float: smaller, and slower than either.
    """
    tensors = model["subgraphs"][0]["tensors"]
    for number in range(1, 9):
        place = int(inputs[number])
        if place in unpacked:
            inputs[number] = unpacked[place]["inputs"][0]
        else:
            values = model["buffers"][tensors[place]["buffer"]]["data"].view(np.float32)
            scale = np.float32(max(np.abs(values).max(), 1e-6) / 127)
            packed_values = np.rint(values / scale).astype(np.int8).view(np.uint8)
            model["buffers"].append({"data": packed_values})
            tensors.append(dict(tensors[place], type=flatbuffer.INT8, buffer=len(
                model["buffers"]) - 1, quantization={"scale": np.array([scale]),
                                                     "zero_point": np.array([0])}))
            inputs[number] = len(tensors) - 1


def _kind(model, operator):
    code = model["operator_codes"][operator.get("opcode_index", 0)]
    return flatbuffer.op_name(code.get("builtin_code", 0))


def description(data, form, precision, signature):
    """What the .json beside a .tflite holds of the file itself."""
    model = flatbuffer.read(data)
    graph = model["subgraphs"][0]
    found = {"form": form, "precision": precision, "size_bytes": len(data),
             "sha256": sha256_of(data),
             "inputs": _ends(graph, "inputs", signature),
             "outputs": _ends(graph, "outputs", signature),
             "operators": operator_list(model)}
    if precision == "dynamic":  # the converter leaves weights of less than 1024 values as they are
        found["int8_weights"] = sum(tensor.get("type", 0) == flatbuffer.INT8
                                    for part in model["subgraphs"] for tensor in part["tensors"])
    if PRECISIONS[precision].calibrated:
        check_types(model, precision)
        if float_operators(model):
            found["float_operators"] = float_operators(model)
        verifier.checked(data)  # scales that the runtimes take for granted
        found["states_keep_their_scale"] = all(
            (before["scale"], before["zero_point"]) == (after["scale"], after["zero_point"])
            for before, after in zip(states_of(found["inputs"]), states_of(found["outputs"])))
    return found


def check_types(model, precision):
    """UserError unless every tensor is of the precision's types, a bias, an argument, a loop's
    condition, a fused LSTM's cell state of 16 bits, or one that operators without an integer kernel
    have between them."""
    known = PRECISIONS[precision]
    allowed = known.ends, known.weights, flatbuffer.INT32, flatbuffer.INT64, flatbuffer.BOOL
    for graph in model["subgraphs"]:
        within = {int(place) for operator in graph["operators"] if _kind(model, operator) not in PRODUCTS
                  for end in ("inputs", "outputs") for place in operator[end]}
        within -= {int(place) for end in ("inputs", "outputs") for place in graph[end]}
        for place, tensor in enumerate(graph["tensors"]):
            cell = tensor.get("is_variable") and tensor.get("type", 0) == flatbuffer.INT16
            free = place in within and tensor.get("type", 0) == flatbuffer.FLOAT32
            if tensor.get("type", 0) not in allowed and not cell and not free:
                raise UserError("tensor %d of the %s model is %s" % (
                    place, precision, flatbuffer.TYPES[tensor.get("type", 0)]))


def float_operators(model):
    """Names of the operators of an integer file that compute in float, each once."""
    return sorted({_kind(model, operator) for graph in model["subgraphs"]
                   for operator in graph["operators"] if _kind(model, operator) != "DEQUANTIZE"
                   and graph["tensors"][operator["outputs"][0]].get("type", 0) == flatbuffer.FLOAT32})


def _ends(graph, end, signature):
    found, described = [], {item["name"]: item for item in signature[end]}
    for number, place in enumerate(graph[end]):
        tensor = graph["tensors"][place]
        item = {"name": tensor["name"], "number": number, "index": int(place),
                "shape": [int(size) for size in tensor["shape"]],
                "type": flatbuffer.TYPES[tensor.get("type", 0)]}
        item.update((key, described[item["name"]][key]) for key in ("role", "layer")
                    if key in described[item["name"]])
        if "quantization" in tensor:
            item["scale"] = float("%.9g" % tensor["quantization"]["scale"][0])
            item["zero_point"] = int(tensor["quantization"]["zero_point"][0])
        found.append(item)
    return found


def operator_list(model):
    """Each operator with its version and how often it stands in the graph, sorted by name."""
    count = collections.Counter(operator.get("opcode_index", 0) for graph in model["subgraphs"]
                                for operator in graph["operators"])
    codes = model["operator_codes"]
    return sorted(({"operator": flatbuffer.op_name(codes[number].get("builtin_code", 0)),
                    "version": codes[number].get("version", 1), "count": times}
                   for number, times in count.items()), key=lambda item: str(item))


def tidy(model, signature):
    """The Model dict with inputs and outputs in the signature's order and inner names dropped.

    The converter orders both as it likes. Names of inner tensors are a tenth of a small file.
    """
    graph = model["subgraphs"][0]
    tensors = graph["tensors"]
    places = {tensor["name"]: place for place, tensor in enumerate(tensors)}
    for end in ("inputs", "outputs"):
        names = [item["name"] for item in signature[end]]
        missing = [name for name in names if name not in places]
        if missing:
            raise UserError("the converter lost the tensor %s" % missing[0])
        graph[end] = np.array([places[name] for name in names], np.int32)
    kept = set(graph["inputs"]) | set(graph["outputs"])
    for part in model["subgraphs"]:
        for place, tensor in enumerate(part["tensors"]):
            tensor["name"] = tensor["name"] if part is graph and place in kept else None
            if "zero_point" not in tensor.get("quantization", {}):
                tensor.pop("quantization", None)
        part.pop("name", None)
    for field in ("description", "metadata", "metadata_buffer"):
        model.pop(field, None)
    return compact(model)


def compact(model):
    """The Model dict without tensors and buffers that nothing uses."""
    for graph in model["subgraphs"]:
        used = set(graph["inputs"]) | set(graph["outputs"])
        for operator in graph["operators"]:
            used |= {place for end in PLACES for place in operator.get(end, ())}
        order = sorted(place for place in used if place >= 0)
        new_place = {place: number for number, place in enumerate([-1] + order, -1)}
        graph["tensors"] = [graph["tensors"][place] for place in order]
        for holder in [graph] + graph["operators"]:
            for end in PLACES:
                if end in holder:
                    holder[end] = np.array([new_place[place] for place in holder[end]], np.int32)
    _share_buffers(model)
    return model


def _share_buffers(model):
    """Buffer 0 empty for what is computed; equal constants of one type share a buffer."""
    buffers, known = [{}], {}
    for tensor in (tensor for graph in model["subgraphs"] for tensor in graph["tensors"]):
        data = model["buffers"][tensor.get("buffer", 0)].get("data")
        if data is None or not len(data):
            tensor["buffer"] = 0
            continue
        key = data.tobytes()
        if key not in known:
            known[key] = len(buffers)
            buffers.append({"data": data})
        tensor["buffer"] = known[key]
    model["buffers"] = buffers
