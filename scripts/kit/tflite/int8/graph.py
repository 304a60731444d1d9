"""A Model dict with the look-ups that a rewrite needs."""
import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT32, INT32

# Operators whose output has the input's scale; the number is the place of the data.
MOVES = {"RESHAPE": 0, "SPLIT": 1, "SQUEEZE": 0, "EXPAND_DIMS": 0, "TRANSPOSE": 0, "SLICE": 0,
         "STRIDED_SLICE": 0, "REVERSE_V2": 0, "MAX_POOL_2D": 0, "AVERAGE_POOL_2D": 0}
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Operator -> the number of its options in their union.
OPTIONS = {"CONCATENATION": 10, "ADD": 11, "L2_NORMALIZATION": 12, "MUL": 21, "SUB": 28, "SLICE": 38}


class Graph:
    """The one subgraph of a Model dict; a place is a tensor's number."""

    def __init__(self, model):
        self.model, (self.body,) = model, model["subgraphs"]
        self.tensors, self.operators = self.body["tensors"], self.body["operators"]
        self.places = {tensor["name"]: place for place, tensor in enumerate(self.tensors)}

    def op_name(self, operator):
        code = self.model["operator_codes"][operator.get("opcode_index", 0)]
        return flatbuffer.op_name(code.get("builtin_code", 0))

    def version(self, operator):
        return self.model["operator_codes"][operator.get("opcode_index", 0)].get("version", 1)

    def constant(self, place):
        """The values of a constant; None for what is computed."""
        tensor = self.tensors[place]
        data = self.model["buffers"][tensor.get("buffer", 0)].get("data")
        if data is None or not len(data):
            return None
        dtype = {FLOAT32: np.float32, INT32: np.int32}[tensor.get("type", 0)]
        return np.frombuffer(data.tobytes(), dtype).reshape(tensor.get("shape", ()))

    def consumers(self):
        """Tensor place -> operators that read it."""
        found = {}
        for operator in self.operators:
            for place in operator["inputs"]:
                found.setdefault(int(place), []).append(operator)
        return found

    def producers(self):
        """Tensor place -> the operator that writes it."""
        return {int(place): operator for operator in self.operators
                for place in operator["outputs"]}

    def place(self, *names):
        """The place of the first of these tensors, which freeze named, that the converter kept;
        UserError where it kept none."""
        kept = [name for name in names if name in self.places]
        if not kept:
            raise UserError("the converter lost the tensor %s" % names[0])
        return self.places[kept[0]]

    def roles(self, signature):
        """Place -> (number of the recurrence, name within a step), of all tensors of steps."""
        scopes = {scope: number for number, item in enumerate(signature["steps"])
                  for scope in item["scopes"] if scope}
        found = {}
        for place, tensor in enumerate(self.tensors):
            name = tensor["name"]
            ends = [at + 1 for at, letter in enumerate(name) if letter == "/"]
            found.update((place, (scopes[name[:end]], name[end:])) for end in ends
                         if name[:end] in scopes)
        return found

    def moved(self, operator):
        """The place of what an operator of MOVES moves."""
        return int(operator["inputs"][MOVES[self.op_name(operator)]])

    def puts_zeros(self, operator):
        """Whether it is a CONCATENATION of zeros round a tensor, along another than the last axis."""
        if self.op_name(operator) != "CONCATENATION":
            return False
        values = [self.constant(int(place)) for place in operator["inputs"]]
        last = len(self.tensors[int(operator["outputs"][0])]["shape"]) - 1
        return operator["options"].get("axis", 0) not in (-1, last) and sum(
            value is None or value.any() for value in values) == 1

    def add_tensor(self, name, shape, dtype=FLOAT32, values=None, scale=None):
        """A new tensor; its place."""
        tensor = {"name": name, "shape": np.array(shape, np.int32), "type": dtype, "buffer": 0}
        if values is not None:
            tensor["buffer"] = len(self.model["buffers"])
            raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.model["buffers"].append({"data": raw})
        if scale is not None:
            tensor["quantization"] = described(scale)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def opcode(self, op_name, version):
        """The number of an operator code, made when there is none."""
        number = next(n for n, name in flatbuffer.BUILTIN.items() if name == op_name)
        codes = self.model["operator_codes"]
        for place, known in enumerate(codes):
            if (known.get("builtin_code", 0), known.get("version", 1)) == (number, version):
                return place
        codes.append({"builtin_code": number, "version": version})
        return len(codes) - 1

    def operator(self, op_name, inputs, out, **options):
        """A float operator of one output, not yet among the operators."""
        return {"opcode_index": self.opcode(op_name, 1), "options_type": OPTIONS[op_name],
                "options": options, "inputs": np.array(inputs, np.int32),
                "outputs": np.array([out], np.int32)}

    def drop_unread(self):
        """Leave out the operators whose outputs nothing reads."""
        wanted, kept = {int(place) for place in self.body["outputs"]}, []
        for operator in reversed(self.operators):
            if wanted & {int(place) for place in operator["outputs"]}:
                wanted |= {int(place) for place in operator["inputs"]}
                kept.insert(0, operator)
        self.operators[:] = kept


def replace(operator, old, new):
    """Let an operator read another tensor."""
    operator["inputs"] = np.array(
        [new if place == old else place for place in operator["inputs"]], np.int32)


def described(scale):
    """(scale, zero point) as a tensor holds it."""
    return {"scale": np.array([scale[0]], np.float32), "zero_point": np.array([scale[1]], np.int64)}


def only_used_codes(model):
    """Drop operator codes that no operator has any more."""
    operators = model["subgraphs"][0]["operators"]
    used = sorted({operator.get("opcode_index", 0) for operator in operators})
    for operator in operators:
        operator["opcode_index"] = used.index(operator.get("opcode_index", 0))
    model["operator_codes"] = [model["operator_codes"][number] for number in used]
    return model
