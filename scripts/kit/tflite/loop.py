"""The loop and chunk forms: finished step models in WHILE operators, one file for any length.

    main   the window (1, T, C); T from its SHAPE; WHILE over the steps; the head
    cond   whether the step's number is still within the window
    body   the step's sample by GATHER, the step model's operators, the next number

A loop is made after quantization, from the bytes' worth of a step model in whatever precision, so
what it computes is what the step file computes from the zero state, in the same operators; a chunk,
from the states that are its inputs. What
only the output needs (the head) stands after the loop. Of a graph there are several loops, and what
takes whole sequences stands between them. Where a whole sequence is asked for, the
body moves the sequence found so far by one and puts its row at the end: STRIDED_SLICE and
CONCATENATION keep the shape that the WHILE was prepared for, and 1.15 has both.

Kernels decide what is written here. tflite-runtime's XNNPACK takes a CONCATENATION of two to four
and then stops at a window that is resized after a call, so the new row is joined four times over
and three of them are cut off with the oldest. SLICE with constants is no way to take or move a row: once
the window was resized LiteRT stops at it, and tflite-runtime writes beyond its memory. TFLite Micro
has no GATHER of int16, so there the row is a SLICE whose start is computed. The step's number is a
vector of one, as a scalar would take an axis from the row.
"""
from typing import NamedTuple

import numpy as np

from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import BOOL, FLOAT32, INT8, INT16, INT32, TYPES
from kit.runtime.forms import FORMS

INPUT, CHUNK = FORMS["loop"].first_input, FORMS["chunk"].first_input
AT_ONCE = 50  # samples of a chunk, as its file says it
VERSIONS = {("GATHER", INT8): 2, ("STRIDED_SLICE", INT8): 2, ("CONCATENATION", INT8): 2,
            ("CONCATENATION", INT16): 3, ("SLICE", INT16): 4, ("MUL", INT8): 2, ("MUL", INT16): 4,
            ("ADD", INT8): 2, ("ADD", INT16): 3, ("QUANTIZE", INT8): 2, ("QUANTIZE", INT16): 2}
OPTIONS = {"CONCATENATION": 10, "ADD": 11, "RESHAPE": 17, "MUL": 21, "GATHER": 23,
           "STRIDED_SLICE": 32, "SLICE": 38, "LESS": 41, "SHAPE": 55, "WHILE": 93}
DTYPES = {FLOAT32: np.float32, INT8: np.int8, INT16: np.int16}


class Step(NamedTuple):
    """A finished step model: its Model dict, names still in it, and its signature."""

    model: dict
    signature: dict  # inputs and outputs by name: the sample, the output, then the states


class NumberType(NamedTuple):
    """What a tensor's numbers are."""

    type: int = INT32
    quantization: object = None


def kind_of(tensor):
    """The NumberType of a Tensor dict; the converter describes float tensors too, by their range."""
    described = tensor.get("quantization", {})
    return NumberType(tensor.get("type", FLOAT32), described if "zero_point" in described else None)


class Subgraph:
    """A subgraph in the making; places are numbers of its tensors."""

    def __init__(self, model):
        self.model = model
        self.tensors, self.operators, self.inputs, self.outputs = [], [], [], []

    def tensor(self, shape, number_type=NumberType(), name=None):
        """A new tensor; its place."""
        tensor = {"name": name, "shape": np.array(shape, np.int32), "type": number_type.type, "buffer": 0}
        if number_type.quantization is not None:
            tensor["quantization"] = number_type.quantization
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, values, number_type=NumberType()):
        """A new tensor of these numbers (as the file holds them); its place."""
        values = np.asarray(values)
        place = self.tensor(values.shape, number_type)
        self.tensors[place]["buffer"] = self._buffer(values.tobytes())
        return place

    def _buffer(self, raw):
        self.model["buffers"].append({"data": np.frombuffer(raw, np.uint8)})
        return len(self.model["buffers"]) - 1

    def numbers(self, *values):
        """A constant of int32."""
        return self.constant(np.array(values, np.int32))

    def number_type(self, place):
        return kind_of(self.tensors[place])

    def shape(self, place):
        return [int(size) for size in self.tensors[place]["shape"]]

    def add(self, name, inputs, outputs, options=None, type=INT32):
        """An operator at the end."""
        operator = {"opcode_index": self._code(name, VERSIONS.get((name, type), 1)),
                    "inputs": np.array(inputs, np.int32), "outputs": np.array(outputs, np.int32)}
        if name in OPTIONS:
            operator.update(options_type=OPTIONS[name], options=options or {})
        self.operators.append(operator)

    def op(self, name, inputs, shape, number_type=NumberType(), **options):
        """An operator of one output; the place of that."""
        place = self.tensor(shape, number_type)
        self.add(name, inputs, [place], options, number_type.type)
        return place

    def _code(self, name, version):
        return self._known_code({"builtin_code": flatbuffer.op_number(name), "version": version})

    def _known_code(self, code):
        codes = self.model["operator_codes"]
        if code not in codes:
            codes.append(code)
        return codes.index(code)

    def inline(self, source, operators, known):
        """Copy operators of another Model dict.

        known : its place -> the place here, grown by what the operators read and write
        """
        graph = source["subgraphs"][0]
        for operator in operators:
            for end in ("inputs", "outputs"):
                for place in map(int, operator[end]):
                    if place >= 0 and place not in known:
                        known[place] = self._copied(source, graph["tensors"][place])
            code = source["operator_codes"][operator.get("opcode_index", 0)]
            self.operators.append(dict(
                operator, opcode_index=self._known_code(dict({"version": 1}, **code)),
                **{end: np.array([known.get(int(place), -1) for place in operator[end]], np.int32)
                   for end in ("inputs", "outputs")}))

    def _copied(self, source, tensor):
        data = source["buffers"][tensor.get("buffer", 0)].get("data")
        held = data is not None and len(data)
        self.tensors.append(dict(tensor, buffer=self._buffer(data.tobytes()) if held else 0))
        return len(self.tensors) - 1

    def finished(self):
        """The SubGraph dict."""
        return {"tensors": self.tensors, "operators": self.operators,
                "inputs": np.array(self.inputs, np.int32),
                "outputs": np.array(self.outputs, np.int32)}


def looped(built, steps, item):
    """(Model dict, signature) of the loop form.

    built : [(kit.network.loops.Piece, [Step, ...]), ...], the pieces with their finished models
    steps : T as the file says it
    item : the shape of one step of the window
    """
    main = _main()
    model = main.model
    first = Places(built[0][1][0]) if built[0][1] else None
    number_type = first.number_type(first.sample) if first else NumberType(FLOAT32)
    window = main.tensor([1, steps] + list(item), number_type, INPUT)
    main.inputs, values = [window], [window]
    for piece, models in built:
        sources = piece.sources or (len(values) - 1,)
        values.append(_piece(main, piece, models, [values[number] for number in sources]))
    value = values[-1]
    main.tensors[value]["name"] = "output"
    main.outputs = [value]
    model["subgraphs"][0] = main.finished()
    ends = [[{"name": name, "shape": main.shape(place), "role": "data",
              "type": TYPES[main.number_type(place).type] if place == window and number_type.type == INT32
              else "float32"}]
            for name, place in ((INPUT, window), ("output", value))]
    return model, {"form": "loop", "inputs": ends[0], "outputs": ends[1],
                   "any_length": not any(piece.flat or piece.whole for piece, _ in built)}


def chunked(step, count):
    """(Model dict, signature) of the chunk form: `count` samples of a stream and the states in, the
    output after each sample and the new states out."""
    main, places = _main(), Places(step)
    number_type, shape = places.number_type(places.sample), [1, count] + places.shape(places.sample)[1:]
    source = main.tensor(shape, number_type, CHUNK)
    main.tensors[source]["shape_signature"] = np.array([1, -1] + shape[2:], np.int32)
    (_, *before), (output, *after) = step.signature["inputs"], step.signature["outputs"]
    first = [main.tensor(places.shape(place), places.number_type(place), item["name"])
             for place, item in zip(places.states, before)]
    found, last = run_over(main, step, source, sequence=True, first=first)
    for place, item in zip([found] + last, [output] + after):
        main.tensors[place]["name"] = item["name"]
    main.inputs, main.outputs = [source] + first, [found] + last
    main.model["subgraphs"][0] = main.finished()
    return main.model, {
        "form": "chunk", "any_length": True,
        "inputs": [dict(step.signature["inputs"][0], name=CHUNK, shape=shape)] + before,
        "outputs": [dict(output, shape=main.shape(found))] + after}


def _main():
    """The first subgraph of a new model."""
    return Subgraph({"version": 3, "operator_codes": [], "buffers": [{}], "subgraphs": [None]})


def _piece(main, piece, models, values):
    """Put one piece into `main`; the place of its output."""
    if piece.whole:
        return _whole(main, models[0], values)
    value, = values
    if piece.flat:
        size = int(np.prod(main.shape(value)))
        value = _reshaped(main, value, [1, size])
    if piece.merge is None:
        return _run(main, piece, models[0], piece.backwards[0], value) if models else value
    both = [_run(main, piece, step, backwards, value, turned=backwards)
            for step, backwards in zip(models, piece.backwards)]
    return _merged(main, piece.merge, *both)


def _whole(main, step, values):
    places = Places(step)
    known = {place: _requantized(main, value, places.number_type(place))
             for place, value in zip([places.sample] + places.states, values)}
    main.inline(step.model, places.leading_to([places.output]), known)
    return known[places.output]


def _run(main, piece, step, backwards, value, turned=False):
    places = Places(step)
    value = _requantized(main, value, places.number_type(places.sample))
    one = len(main.shape(value)) == len(places.shape(places.sample))
    if piece.repeat is None and one:  # nothing to loop over
        known = {places.sample: value}
        main.inline(step.model, places.leading_to([places.output]), known)
        return known[places.output]
    return run_over(main, step, value, backwards, piece.sequence, turned, piece.repeat)[0]


def _requantized(main, place, number_type):
    """The tensor in another scale, where it is another."""
    there = main.number_type(place)
    if there.quantization is None or _same_scale(there, number_type):
        return place
    return main.op("QUANTIZE", [place], main.shape(place), number_type)


def _same_scale(one, other):
    return all(float(one.quantization[key][0]) == float(other.quantization[key][0])
               for key in ("scale", "zero_point"))


def _merged(main, mode, a, b):
    """Both directions as one, as Keras merges them."""
    shape, number_types = main.shape(a), [main.number_type(a), main.number_type(b)]
    if mode == "concat":
        number_type = _spanning(number_types, _range_of_both)
        both = [_requantized(main, place, number_type) for place in (a, b)]
        width = shape[-1] + main.shape(b)[-1]
        return main.op("CONCATENATION", both, shape[:-1] + [width], number_type,
                       axis=len(shape) - 1)
    if mode == "mul":
        return main.op("MUL", [a, b], shape, _spanning(number_types, _range_of_product))
    total = main.op("ADD", [a, b], shape, _spanning(number_types, _range_of_sum))
    if mode == "sum":
        return total
    number_type = main.number_type(total)
    half, smaller = np.float32(0.5), number_type
    if number_type.quantization is not None:  # half the scale: the same integers
        half, smaller = DTYPES[number_type.type](64), number_type._replace(quantization=dict(
            number_type.quantization, scale=number_type.quantization["scale"] / 2))
    factor = NumberType(number_type.type, number_type.quantization and {
        "scale": np.array([1 / 128], np.float32), "zero_point": np.array([0], np.int64)})
    return main.op("MUL", [total, main.constant(half, factor)], shape, smaller)


def _range(number_type):
    """(lowest, highest) value that a quantized tensor can hold."""
    limits, scale = np.iinfo(DTYPES[number_type.type]), float(number_type.quantization["scale"][0])
    zero = _zero_point(number_type)
    return scale * (limits.min - zero), scale * (limits.max - zero)


def _range_of_both(a, b):
    return min(a[0], b[0]), max(a[1], b[1])


def _range_of_sum(a, b):
    return a[0] + b[0], a[1] + b[1]


def _range_of_product(a, b):
    corners = [one * other for one in a for other in b]
    return min(corners), max(corners)


def _spanning(number_types, range_of):
    """The NumberType of a tensor that holds what two tensors make together."""
    if number_types[0].quantization is None:
        return number_types[0]
    low, high = range_of(*map(_range, number_types))
    limits = np.iinfo(DTYPES[number_types[0].type])
    if number_types[0].type == INT16:
        scale, zero = max(-low, high) / limits.max, 0
    else:
        scale = (high - low) / (limits.max - limits.min)
        zero = int(np.clip(np.rint(limits.min - low / scale), limits.min, limits.max))
    return NumberType(number_types[0].type, {"scale": np.array([scale], np.float32),
                                "zero_point": np.array([zero], np.int64)})


class Places:
    """Where what stands in a step model, by its signature's names."""

    def __init__(self, step):
        self.graph, = step.model["subgraphs"]
        places = {tensor.get("name"): place for place, tensor in enumerate(self.graph["tensors"])}
        self.sample, *self.states = [places[item["name"]] for item in step.signature["inputs"]]
        self.output, *self.next = [places[item["name"]] for item in step.signature["outputs"]]

    def number_type(self, place):
        return kind_of(self.graph["tensors"][place])

    def shape(self, place):
        return [int(size) for size in self.graph["tensors"][place]["shape"]]

    def leading_to(self, wanted):
        """The operators, in order, that these places need."""
        wanted, found = set(wanted), []
        for operator in reversed(self.graph["operators"]):
            if wanted & set(map(int, operator["outputs"])):
                found.insert(0, operator)
                wanted |= set(map(int, operator["inputs"]))
        return found


def run_over(main, step, source, backwards=False, sequence=False, turned=False, count=None,
             first=None):
    """Put a loop of the step model into `main`.

    Returns the place of the last output, or of all of them, and the places of the last states.

    source : place of the window (1, N, C), or of a vector (1, C) that every step takes
    backwards : from the last row to the first
    sequence : (1, N, K) is wanted, not (1, K), in the order of the steps; the other way if `turned`
    count : number of steps where the source is a vector
    first : places of the first states, by default zeros
    """
    places = Places(step)
    in_loop = places.leading_to(places.next + ([places.output] if sequence else []))
    head = [] if sequence else [operator for operator in places.leading_to([places.output])
                                if not any(operator is other for other in in_loop)]
    carried = dict(zip(places.next, places.states))
    if not _read_by(head, in_loop) <= set(carried) or not head and (
            not sequence and places.output not in carried):
        in_loop, head = places.leading_to(places.next + [places.output]), []
        carried[places.output] = None  # the output itself goes from step to step
    first = first or [_zeros(main, places.number_type(place), places.shape(place)) for place in carried]
    if sequence:
        first = first + [_room(main, source, places.number_type(places.output),
                               places.shape(places.output), count)]
    number = _length(main, source) if count is None else main.numbers(count)
    start = main.op("ADD", [number, main.numbers(-1)], [1]) if backwards else main.numbers(0)
    before = [start, number, source] + first
    after = [main.tensor(main.shape(place), main.number_type(place)) for place in before]
    cond = _subgraph(main, before)
    step_number, steps = cond.inputs[:2]
    cond.outputs = [cond.op("LESS", [cond.numbers(-1), step_number] if backwards else
                            [step_number, steps], [1], NumberType(BOOL))]
    body = _subgraph(main, before)
    step_number, steps, rows, *held = body.inputs
    known = {state: place for state, place in zip(carried.values(), held) if state is not None}
    known[places.sample] = rows if count else _row(body, rows, step_number)
    body.inline(step.model, in_loop, known)
    following = body.op("ADD", [step_number, body.numbers(-1 if backwards else 1)], [1])
    body.outputs = [following, steps, rows] + [known[place] for place in carried]
    if sequence:
        body.outputs.append(_moved_on(body, held[-1], known[places.output], turned))
    subgraphs = main.model["subgraphs"]
    numbers = {"cond": len(subgraphs), "body": len(subgraphs) + 1}
    subgraphs += [cond.finished(), body.finished()]
    main.add("WHILE", before, after, numbers)
    states = after[3:3 + len(places.next)]
    if sequence:
        return after[-1], states
    known = dict(zip(carried, after[3:]))
    main.inline(step.model, head, known)
    return known[places.output], states


def _read_by(head, in_loop):
    """Places that the head takes from the loop."""
    made = {int(place) for operator in in_loop for place in operator["outputs"]}
    return made & {int(place) for operator in head for place in operator["inputs"]}


def _subgraph(main, before):
    """A subgraph that takes what the loop hands on."""
    graph = Subgraph(main.model)
    graph.inputs = [graph.tensor(main.shape(place), main.number_type(place)) for place in before]
    return graph


def _length(main, source):
    """The place of N (1,) of a window (1, N, ...)."""
    shape = main.op("SHAPE", [source], [len(main.shape(source))], out_type=INT32)
    return main.op("STRIDED_SLICE", [shape, main.numbers(1), main.numbers(2), main.numbers(1)],
                   [1])


def _row(body, rows, number):
    """Row `number` (1,) of (1, N, ...): (1, ...)."""
    number_type, item = body.number_type(rows), body.shape(rows)[2:]
    if number_type.type in (INT16, INT32):
        zeros = [body.numbers(0) for _ in item]
        begin = body.op("CONCATENATION", [body.numbers(0), number] + zeros, [2 + len(item)], axis=0)
        row = body.op("SLICE", [rows, begin, body.numbers(1, 1, *item)], [1, 1] + item, number_type)
    else:
        row = body.op("GATHER", [rows, number], [1, 1] + item, number_type, axis=1)
    return _reshaped(body, row, [1] + item)


def _zeros(main, number_type, shape):
    """A constant that stands for zeros."""
    return main.constant(np.full(shape, _zero_point(number_type), DTYPES[number_type.type]), number_type)


def _zero_point(number_type):
    return int(number_type.quantization["zero_point"][0]) if number_type.quantization else 0


def _room(main, source, number_type, row, count):
    """A sequence (1, N, K) to be moved out, row by row; what it holds is of no importance."""
    shape = [1, count or main.shape(source)[1], row[-1]]
    if count:
        return _zeros(main, number_type, shape)
    of = main.number_type(source)
    if of.type == INT32:  # words, (1, N)
        real = NumberType(FLOAT32, None)
        whole = main.op("CAST", [source], shape[:2], real)
        column = main.op("RESHAPE", [whole, main.numbers(1, -1, 1)], shape[:2] + [1], real,
                         new_shape=np.array([1, -1, 1], np.int32))
        zeros = main.constant(np.zeros([1, 1, row[-1]], np.float32), real)
        room = main.op("MUL", [column, zeros], shape, real)
        return room if number_type.type == FLOAT32 else main.op("QUANTIZE", [room], shape, number_type)
    column = main.op("STRIDED_SLICE", [source, main.numbers(0, 0, 0), main.numbers(0, 0, 1),
                                       main.numbers(1, 1, 1)], shape[:2] + [1], of,
                     begin_mask=7, end_mask=3)
    factor = of if number_type.quantization is None else NumberType(of.type, {
        "scale": number_type.quantization["scale"] / of.quantization["scale"] / 2,
        "zero_point": np.array([0], np.int64)})
    zeros = main.constant(np.zeros([1, 1, row[-1]], DTYPES[of.type]), factor)
    return main.op("MUL", [column, zeros], shape, number_type)


def _moved_on(body, sequence, row, turned):
    """The sequence without its first row, the new row at its end; or the other way round."""
    number_type, (_, count, width) = body.number_type(sequence), body.shape(sequence)
    rows = [_reshaped(body, row, [1, 1, width])] * 4
    longer = body.op("CONCATENATION", rows + [sequence] if turned else [sequence] + rows,
                     [1, count + 4, width], number_type, axis=1)
    begin, end = ((0, 3, 0), (0, -1, 0)) if turned else ((0, 1, 0), (0, -3, 0))
    return body.op("STRIDED_SLICE", [longer, body.numbers(*begin), body.numbers(*end),
                                     body.numbers(1, 1, 1)], [1, count, width], number_type,
                   begin_mask=5, end_mask=5)


def _reshaped(graph, place, shape):
    return graph.op("RESHAPE", [place, graph.numbers(*shape)], shape, graph.number_type(place),
                    new_shape=np.array(shape, np.int32))
