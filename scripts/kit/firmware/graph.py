"""A step .tflite as operators on vectors: what is a view of what, and which names the ends have."""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer

SAME = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")  # move nothing, as every tensor has one row
ELEMENTWISE = ("ADD", "SUB", "MUL", "DIV", "LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU",
               "ABS", "EXP", "LOG", "NEG", "MAXIMUM", "MINIMUM", "SQUARE", "SQRT", "RSQRT",
               "QUANTIZE")
VECTOR = ("FULLY_CONNECTED", "CONCATENATION", "SOFTMAX")
NUMPY = {"float32": np.float32, "int8": np.int8, "int16": np.int16, "int32": np.int32,
         "int64": np.int64}


class Tensor(NamedTuple):
    """One vector of a step graph."""

    number: int
    name: str
    dtype: str
    size: int  # elements
    shape: tuple
    scales: np.ndarray  # float32, one or one per row; empty for float32
    zero_point: int
    data: object  # its elements, or None where they are computed

    @property
    def scale(self):
        return float(self.scales[0])


class Op(NamedTuple):
    """One operator; inputs and outputs are tensors' numbers."""

    op_name: str
    inputs: list
    outputs: list
    options: dict
    activation: str  # fused: NONE, RELU, RELU6, ...


class Step(NamedTuple):
    """A step graph: sample and states in, output and next states out, in this order."""

    tensors: list
    ops: list
    inputs: list
    outputs: list
    views: dict  # number of a tensor -> (number of the one that holds it, first element)

    def place(self, number):
        """(tensor, first element) that a tensor's elements stand in."""
        first = 0
        while number in self.views:
            number, more = self.views[number]
            first += more
        return self.tensors[number], first


def read_step(data, name):
    """The Step of .tflite bytes; UserError naming the layer that C cannot hold."""
    model = flatbuffer.read(data)
    if len(model["subgraphs"]) != 1:
        raise UserError("%s: a file with a loop; firmware is made of the step form" % name)
    graph, = model["subgraphs"]
    tensors = [_tensor(model, number, item) for number, item in enumerate(graph["tensors"])]
    inputs, outputs = [[int(place) for place in graph[end]] for end in ("inputs", "outputs")]
    first = tensors[inputs[0]].name.split(":")[0]
    if first != "sample" or len(inputs) != len(outputs):
        raise UserError("%s: the first input is '%s', not 'sample': firmware is made of the step "
                        "form" % (name, first))
    ops = [_operator(model, item) for item in graph["operators"]]
    types = {tensors[place].dtype for op in ops for place in op.inputs[:1] + op.outputs
             if op.op_name not in ("SPLIT", "SLICE")}
    if len(types) != 1:
        raise UserError("%s mixes %s: convert it in float32, int8 or int16x8"
                        % (name, " and ".join(sorted(types))))
    views, left = {}, []
    for op in ops:
        found = _views(op, tensors)
        views.update(found)
        if not found:
            _accept(op, tensors, name)
            left.append(op)
    return Step(tensors, left, inputs, outputs, views)


def _tensor(model, number, item):
    dtype = flatbuffer.TYPES.get(item.get("type", 0), "")
    shape = tuple(int(size) for size in item.get("shape", []))
    raw = model["buffers"][item.get("buffer", 0)].get("data")
    q = item.get("quantization", {})
    data = None if raw is None or not len(raw) else np.frombuffer(bytes(raw), NUMPY[dtype])
    zero_points = np.ravel(q.get("zero_point", [0]))
    return Tensor(number, item.get("name", ""), dtype, int(np.prod(shape, dtype=int)), shape,
                  np.asarray(q.get("scale", []), np.float32),
                  int(zero_points[0]) if len(zero_points) else 0, data)


def _operator(model, item):
    code = model["operator_codes"][item.get("opcode_index", 0)].get("builtin_code", 0)
    options = item.get("options") or {}
    return Op(flatbuffer.op_name(code), [int(place) for place in item["inputs"]],
              [int(place) for place in item["outputs"]], options,
              flatbuffer.ACTIVATION[options.get("activation", 0)])


def _views(op, tensors):
    """{output: (input, first element)} where an operator copies a stretch of a vector."""
    if op.op_name in SAME:
        return {op.outputs[0]: (op.inputs[0], 0)}
    if op.op_name == "SPLIT":
        size = tensors[op.outputs[0]].size
        return {place: (op.inputs[1], number * size) for number, place in enumerate(op.outputs)}
    if op.op_name == "SLICE":
        return {op.outputs[0]: (op.inputs[0], int(tensors[op.inputs[1]].data[-1]))}
    return {}


def _accept(op, tensors, name):
    """UserError where an operator is none that C holds, with the tensor's own name."""
    where = "%s at '%s'" % (op.op_name, tensors[op.outputs[0]].name or "tensor %d" % op.outputs[0])
    rows = [tensors[place] for place in op.outputs]
    if op.op_name not in ELEMENTWISE + VECTOR:
        raise UserError("%s: C does not hold the operator %s yet" % (name, where))
    if op.activation not in ("NONE", "RELU", "RELU6"):
        raise UserError("%s: C does not hold the activation %s of %s yet"
                        % (name, op.activation, where))
    if any(len(row.shape) > 1 and row.size != row.shape[-1] for row in rows):
        raise UserError("%s: %s has several rows; a step has one" % (name, where))
