"""A float .tflite of the window or step form made int8 throughout, calibrated on real data.

Inputs, outputs, states, weights and everything between are int8, biases int32: the scheme of
Jacob et al. 2018 (arXiv 1712.05877), symmetric weights, one scale per tensor, as 1.15's kernels
want it. 1.15's own quantizer is not used: it knows no SPLIT, takes minimum and maximum as ranges,
rounds weights to nearest, merges equal biases of different scale (newer runtimes then compute
something else without a word), and gives a zero state a denormal scale. What is done here instead:

states    each state has the same scale as input and as output: a device hands the bytes on.
window    every step of an unrolled window has the scales of the step form (tensors are tied by
          their name without `/t0007/`), so all steps share weights and biases soundly.
x and h   enter one product side by side, which asks for one scale. The sample is multiplied by a
          constant beforehand that brings it to the range of h; its int8 values stay what they are,
          and the weights are divided by the constant.
ranges    of inputs and outputs: all that calibration saw. Inside: the range with the least mean
          square error after the nonlinearity that reads the tensor. A cell state of 4 has the same
          tanh as one of 3, and the finer steps halve the error of the whole model.
cells     each unit of an LSTM's cell state is multiplied by a constant, at most 2, that brings its
          range to the widest unit's; the candidate's constants take it up, one operator before the
          tanh undoes it. A range of 2 is kept where calibration saw so much, though less would do
          on normal data (1.3 and 1.4 % both): states of faults are rare there.
weights   rounded one input column after the other, each rounding error carried over to the columns
          not yet rounded by their correlation on the calibration data (Frantar et al. 2022, arXiv
          2210.17323, eq. 2 and 3); biases take up the mean of what is left.

What each is worth on the default model (mean error of window and step against the output's standard
deviation): minimum and maximum as ranges and weights to nearest 5.0 and 3.6 %; these ranges 1.7 and
1.8 %; with these weights 1.6 and 1.7 %; with cell states equalised 1.3 and 1.4 %. Rounding the input
alone to int8 costs 0.3 %, the output alone 0.7 %, a cell state of 8 bits most of the rest: without
its rounding 1.0 % would remain. Tried and left out: the cell state in two tensors, coarse and fine, the
rounding error of one fed back by the other, 1.3 % as well for three more operators a step; weights
refitted on int8 states, 0.05 % less at the output, more in the recurrence.
"""
import re

import numpy as np

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.flatbuffer import FLOAT32, INT8, INT32

FIXED = {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)}
# Operators whose output has the input's scale; the number is the place of the data.
MOVES = {"RESHAPE": 0, "SPLIT": 1, "SQUEEZE": 0, "EXPAND_DIMS": 0, "TRANSPOSE": 0}
RELUS = {"RELU": 1, "RELU6": 3}  # number of the fused activation
INT8_VERSION = {"FULLY_CONNECTED": 4, "LOGISTIC": 2, "TANH": 2, "SOFTMAX": 2, "MUL": 2, "ADD": 2,
                "SUB": 2, "CONCATENATION": 2, "SPLIT": 2, "TRANSPOSE": 2}  # others have one version
FREE = ("FULLY_CONNECTED", "ADD", "SUB", "MUL")
RIVALS = np.linspace(0.25, 1.0, 31)  # parts of the full range that are tried
SEARCH_VALUES = 20000
WINDOWS, SAMPLES, KEPT_SAMPLES = 100, 30000, 4000
MOST_VALUES = 30000000  # kept of a long or wide model: 120 MB
SYMMETRIC_RATIO = 3.0  # a range is symmetric round zero when its sides differ by less
MOST_APART = 2.0  # most that a unit of a cell state is finer than the widest
LEAST_RANGE = 2.0  # of a cell state: rarer states, such as faults lead to, have a tanh of their own
SAME_RANGE = 1.4  # parts of a joined vector whose ranges differ by less share a scale as they are


def quantized(model, signature, samples):
    """The int8 Model dict of a float one; UserError names an operator that int8 cannot hold."""
    graph = Graph(flatbuffer.merge_constants(model))
    fuse_relus(graph)
    refuse_unknown(graph)
    observed = observe(graph, signature, samples)
    balance(graph, observed, signature)
    equalise(graph, observed, signature)
    observed = observe(graph, signature, samples)
    scales = choose_scales(graph, observed, signature)
    return emit(graph, observed, scales)


class Graph:
    """A Model dict with the look-ups that a rewrite needs."""

    def __init__(self, model):
        self.model, (self.body,) = model, model["subgraphs"]
        self.tensors, self.operators = self.body["tensors"], self.body["operators"]
        self.places = {tensor["name"]: place for place, tensor in enumerate(self.tensors)}
        self.fixed = {}  # place -> (scale, zero point) that the values ask for

    def kind(self, operator):
        code = self.model["operator_codes"][operator.get("opcode_index", 0)]
        return flatbuffer.op_name(code.get("builtin_code", 0))

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

    def data_inputs(self, operator):
        """The places of an operator's inputs that carry values through it."""
        kind = self.kind(operator)
        if kind in MOVES:
            return [int(operator["inputs"][MOVES[kind]])]
        return [int(place) for place in operator["inputs"] if place >= 0]

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

    def opcode(self, kind, version):
        """The number of an operator code, made when there is none."""
        number = next(n for n, name in flatbuffer.BUILTIN.items() if name == kind)
        code = {"builtin_code": number, "version": version}
        codes = self.model["operator_codes"]
        for place, known in enumerate(codes):
            if (known.get("builtin_code", 0), known.get("version", 1)) == (number, version):
                return place
        codes.append(code)
        return len(codes) - 1


def fuse_relus(graph):
    """RELU and RELU6 as the activation of adding zero: 1.15's own kernels of them are float."""
    for operator in graph.operators:
        kind = graph.kind(operator)
        if kind in RELUS:
            zero = graph.add_tensor("zero", (), values=np.float32(0))
            operator.update(opcode_index=graph.opcode("ADD", 1), options_type=11,
                            options={"activation": RELUS[kind]},
                            inputs=np.append(operator["inputs"], zero).astype(np.int32))


def refuse_unknown(graph):
    for operator in graph.operators:
        kind = graph.kind(operator)
        if kind not in FREE and kind not in MOVES and kind not in FIXED and (
                kind != "CONCATENATION"):
            name = graph.tensors[operator["outputs"][0]]["name"]
            raise UserError("no int8 form: the operator %s at '%s' has no int8 kernel in 1.15; use "
                            "float32 or dynamic" % (kind, name))


# --- calibration ------------------------------------------------------------------------------


def observe(graph, signature, samples):
    """What each computed tensor holds on the calibration data: place -> (n, elements) float32."""
    computed = [place for place in range(len(graph.tensors))
                if graph.constant(place) is None and graph.tensors[place].get("type", 0) == FLOAT32]
    run = _interpreter(graph, signature, computed)
    runs = _step_runs if signature["form"] == "step" else _window_runs
    found = {place: [] for place in computed}
    per_run = sum(int(np.prod(graph.tensors[place]["shape"])) for place in computed)
    for _ in runs(run, signature, samples, MOST_VALUES // per_run):
        for place in computed:
            found[place].append(run.get_tensor(place).ravel())
    return {place: np.stack(values) for place, values in found.items()}


def _interpreter(graph, signature, outputs):
    """An interpreter of the float model that keeps every computed tensor."""
    from kit.tf.tf115 import tf

    body = dict(graph.body, outputs=np.array(outputs, np.int32), inputs=np.array(
        [graph.places[item["name"]] for item in signature["inputs"]], np.int32))
    run = tf.lite.Interpreter(model_content=flatbuffer.write(dict(graph.model, subgraphs=[body])))
    run.allocate_tensors()
    return run


def _window_runs(run, signature, samples, most):
    place = run.get_input_details()[0]["index"]
    for window in samples.windows(max(8, min(WINDOWS, most)), extremes=True):
        run.set_tensor(place, window[None])
        yield run.invoke()


def _step_runs(run, signature, samples, most):
    """The recurrence along each sequence of the data; yields where observations are kept."""
    sample, *states = [item["index"] for item in run.get_input_details()]
    names = {item["name"]: item["index"] for item in run.get_output_details()}
    after = [names["next_" + item["name"]] for item in signature["inputs"][1:]]
    length = samples.sequences.shape[1]
    picks = np.linspace(0, len(samples.sequences) - 1,
                        max(1, min(len(samples.sequences), SAMPLES // length))).astype(int)
    total = len(picks) * min(length, SAMPLES)
    every = max(1, total // max(100, min(KEPT_SAMPLES, most)))
    extremes, count = set(samples.extremes), 0
    for pick in picks:
        held = [np.zeros(item["shape"], np.float32) for item in signature["inputs"][1:]]
        for number, x in enumerate(samples.sequences[pick][:SAMPLES]):
            run.set_tensor(sample, x[None])
            for place, value in zip(states, held):
                run.set_tensor(place, value)
            run.invoke()
            if count % every == 0 or pick * length + number in extremes:
                yield
            held = [run.get_tensor(place) for place in after]
            count += 1


# --- x and h in one range ---------------------------------------------------------------------


def balance(graph, observed, signature):
    """Multiply what is joined with a state by a constant, so that both have one range."""
    ranges, done = _tied(graph, signature).ranges(observed), set()
    rescaler = Rescaler(graph)
    for operator in list(graph.operators):
        if graph.kind(operator) != "CONCATENATION" or len(operator["inputs"]) != 2:
            continue
        part, state = (int(place) for place in operator["inputs"])
        if part not in ranges or state not in ranges:
            continue
        ratio = max(ranges[part], 1e-6) / max(ranges[state], 1e-6)
        source = rescaler.source(part)
        if not 1 / SAME_RANGE < ratio < SAME_RANGE and source not in done:
            done |= {source, rescaler.rescale(source, np.float32(1 / ratio))}
    rescaler.finish()


class Rescaler:
    """Puts products with constants into a graph; weights that undo one are made once."""

    def __init__(self, graph):
        self.graph, self.consumers, self.producers = graph, graph.consumers(), graph.producers()
        self.products, self.fresh = {}, {}  # source -> its MUL; (weights, column, factor) -> place

    def source(self, place):
        """The tensor that `place` is a part of: back through what only moves values."""
        while place in self.producers and self.graph.kind(self.producers[place]) in MOVES:
            place = self.graph.data_inputs(self.producers[place])[0]
        return place

    def rescale(self, source, factor):
        """Put source * factor in place of source, undone in the weights; the place of the product,
        or None where something else reads the source too."""
        graph = self.graph
        products = _products(graph, self.consumers, source)
        if products is None or source in [int(p) for p in graph.body["outputs"]]:
            return None
        scaled = graph.add_tensor("scaled_" + graph.tensors[source]["name"],
                                  graph.tensors[source]["shape"])
        constant = self._constant(("factor", factor), (), factor)
        product = {"opcode_index": graph.opcode("MUL", 1), "options_type": 21, "options": {},
                   "inputs": np.array([source, constant], np.int32),
                   "outputs": np.array([scaled], np.int32)}
        for operator in self.consumers[source]:
            _replace(operator, source, scaled)
        self.products[source], self.producers[scaled] = product, product
        self.consumers[scaled], self.consumers[source] = self.consumers[source], [product]
        for operator, weights, start, width in products:
            values = graph.constant(weights).copy()
            values[:, start:start + width] /= factor
            _replace(operator, weights, self._constant((weights, start, factor), None, values))
        return scaled

    def _constant(self, key, shape, values):
        if key not in self.fresh:
            name = "%s_%d" % (key[0], len(self.fresh))
            self.fresh[key] = self.graph.add_tensor(
                name, values.shape if shape is None else shape, values=values)
        return self.fresh[key]

    def finish(self):
        """Put each product after what makes its source."""
        ordered = [self.products[place] for place in self.products if place not in self.producers]
        for operator in self.graph.operators:
            ordered.append(operator)
            ordered += [self.products[int(place)] for place in operator["outputs"]
                        if int(place) in self.products]
        self.graph.operators[:] = ordered


def _replace(operator, old, new):
    operator["inputs"] = np.array(
        [new if place == old else place for place in operator["inputs"]], np.int32)


def _products(graph, consumers, source):
    """[(FULLY_CONNECTED, weights, first column, columns), ...] that read a tensor or parts of it;
    None when something else reads it too."""
    found, todo = [], [(source, 0, None)]
    while todo:
        place, start, width = todo.pop()
        for operator in consumers.get(place, ()):
            kind = graph.kind(operator)
            if kind in MOVES and width is None:
                todo += [(int(out), 0, None) for out in operator["outputs"]]
            elif kind == "CONCATENATION" and width is None:
                sizes = [int(graph.tensors[p]["shape"][-1]) for p in operator["inputs"]]
                which = [int(p) for p in operator["inputs"]].index(place)
                todo.append((int(operator["outputs"][0]), sum(sizes[:which]), sizes[which]))
            elif kind == "FULLY_CONNECTED" and operator["inputs"][0] == place:
                columns = width or int(graph.tensors[place]["shape"][-1])
                found.append((operator, int(operator["inputs"][1]), start, columns))
            else:
                return None
    return found


# --- cell states in one range -----------------------------------------------------------------


def equalise(graph, observed, signature):
    """Multiply each unit of an LSTM's cell state, so that all units use the range of int8.

    Only where the candidate is 2 s - 1 of a sigmoid s: those constants take up the factors, and
    the state is divided again before the TANH that reads it. Scales that keep 2 s and 2 s - 1
    exact are noted in graph.fixed.
    """
    ties, consumers = _tied(graph, signature), graph.consumers()
    cells = {}
    for double, candidate in _candidates(graph):
        cells.setdefault(ties.find(int(candidate["outputs"][0])), []).append((double, candidate))
    for steps in cells.values():
        states = [_cell_state(graph, consumers, candidate) for _, candidate in steps]
        squashers = [[reader for reader in consumers.get(state, ())
                      if graph.kind(reader) == "TANH"] for state in states]
        factors = np.ones(1, np.float32)
        if all(squashers):
            seen = np.concatenate([observed[state] for state in states])  # (n, U)
            factors, scale = factors_of_units(seen)
            graph.fixed.update((state, (scale, 0)) for state in states)
            shrink = graph.add_tensor("shrink", (1, len(factors)), values=1 / factors)
            for state, readers in zip(states, squashers):
                _divide(graph, state, shrink, readers)
        two = graph.add_tensor("double", (1, len(factors)), values=2 * factors)
        one = graph.add_tensor("offset", (1, len(factors)), values=-factors)
        for double, candidate in steps:
            _put_constant(graph, double, two)
            _put_constant(graph, candidate, one)
            top = float(factors.max())
            graph.fixed[int(double["outputs"][0])] = top / 128, -128
            graph.fixed[int(candidate["outputs"][0])] = top / 128, 0


def _candidates(graph):
    """[(MUL, ADD), ...] of each 2 s - 1."""
    producers, found = graph.producers(), []
    for operator in graph.operators:
        if graph.kind(operator) == "ADD" and _factor(graph, operator) == -1:
            double = producers.get(_variable(graph, operator))
            if double is not None and graph.kind(double) == "MUL" and _factor(graph, double) == 2:
                found.append((double, operator))
    return found


def _factor(graph, operator):
    """The number that an operator of two inputs has for a constant; else None."""
    constants = [graph.constant(int(place)) for place in operator["inputs"]]
    numbers = [float(values) for values in constants if values is not None and values.size == 1]
    return numbers[0] if len(numbers) == 1 else None


def _variable(graph, operator):
    """The place of an operator's computed input."""
    return next(int(place) for place in operator["inputs"] if graph.constant(int(place)) is None)


def _put_constant(graph, operator, place):
    _replace(operator, next(int(old) for old in operator["inputs"]
                            if graph.constant(int(old)) is not None), place)


def _cell_state(graph, consumers, candidate):
    """The place of the state that a candidate is added to; at the first step, its own share."""
    added = int(consumers[int(candidate["outputs"][0])][0]["outputs"][0])
    sums = [reader for reader in consumers.get(added, ()) if graph.kind(reader) == "ADD"]
    return int(sums[0]["outputs"][0]) if sums else added


def factors_of_units(seen):
    """What each unit's state (n, U) is multiplied by, and the scale of int8 that all then share.

    1 for the widest unit and at most MOST_APART, in 127 steps, so that int8 holds it.
    """
    both = np.concatenate([seen, -seen])  # the zero point is no unit's own: it stays 0
    scales = np.array([best_scale(unit, {"TANH"}, symmetric=True)[0] for unit in both.T])
    scales = np.maximum(scales, np.minimum(np.abs(seen).max(0), LEAST_RANGE) / 127)
    factors = np.minimum(scales.max() / scales, MOST_APART)
    step = factors.max() / 127
    return (np.rint(factors / step) * step).astype(np.float32), float(scales.max())


def _divide(graph, state, shrink, readers):
    """Put state * shrink before the operators that read the state itself."""
    tensor = graph.tensors[state]
    product = graph.add_tensor(tensor["name"] + "_whole", tensor["shape"])
    for reader in readers:
        _replace(reader, state, product)
    before = next(k for k, operator in enumerate(graph.operators) if operator is readers[0])
    graph.operators.insert(before, {
        "opcode_index": graph.opcode("MUL", 1), "options_type": 21, "options": {},
        "inputs": np.array([state, shrink], np.int32), "outputs": np.array([product], np.int32)})


# --- scales -----------------------------------------------------------------------------------


class Ties:
    """Tensors that must have one scale, as sets that grow together."""

    def __init__(self):
        self.parent = {}

    def find(self, item):
        while self.parent.setdefault(item, item) != item:
            item = self.parent[item]
        return item

    def tie(self, a, b):
        a, b = self.find(a), self.find(b)
        self.parent[max(a, b)] = min(a, b)

    def groups(self, items):
        found = {}
        for item in items:
            found.setdefault(self.find(item), []).append(item)
        return found

    def ranges(self, observed):
        """Place -> the largest absolute value in its group."""
        found = {}
        for members in self.groups(observed).values():
            top = max(float(np.abs(observed[place]).max()) for place in members)
            found.update((place, top) for place in members)
        return found


def _tied(graph, signature):
    """What has one scale for certain: a state in and out, one role at every step, moved values."""
    ties, roles = Ties(), {}
    for place, tensor in enumerate(graph.tensors):
        role = re.sub(r"/t\d{4}/", "/", tensor["name"])
        if role != tensor["name"]:
            ties.tie(roles.setdefault(role, place), place)
    for item in signature["inputs"][1:]:
        ties.tie(graph.places[item["name"]], graph.places["next_" + item["name"]])
    for operator in graph.operators:
        if graph.kind(operator) in MOVES:
            for out in operator["outputs"]:
                ties.tie(graph.data_inputs(operator)[0], int(out))
    return ties


def choose_scales(graph, observed, signature):
    """Place -> (scale, zero point) of every computed tensor."""
    ties, consumers = _tied(graph, signature), graph.consumers()
    ranges = ties.ranges(observed)
    fixed = fixed_scales(graph)
    for operator in graph.operators:
        if graph.kind(operator) == "CONCATENATION":
            _tie_joined(graph, operator, ties, ranges, fixed)
    joined = {ties.find(int(operator["outputs"][0])) for operator in graph.operators
              if graph.kind(operator) == "CONCATENATION"}
    ends = {ties.find(graph.places[item["name"]])
            for item in (signature["inputs"][0], signature["outputs"][0])}
    scales = {}
    for root, members in ties.groups(observed).items():
        given = [fixed[place] for place in members if place in fixed]
        values = np.concatenate([observed[place].ravel() for place in members])
        readers = {graph.kind(operator) for place in members
                   for operator in consumers.get(place, ())}
        scale = given[0] if given else best_scale(
            values, readers, whole=root in ends, symmetric=root in joined)
        scales.update((place, scale) for place in members)
    _cap_addends(graph, ties, observed, scales, joined)
    return scales


def fixed_scales(graph):
    """Place -> (scale, zero point) where the operator or the values say it."""
    by_kind = {int(operator["outputs"][0]): FIXED[graph.kind(operator)]
               for operator in graph.operators if graph.kind(operator) in FIXED}
    return {**by_kind, **graph.fixed}


def _cap_addends(graph, ties, observed, scales, joined):
    """An addend that nothing else reads needs no wider range than the sum, which is clipped."""
    consumers, fixed = graph.consumers(), set(fixed_scales(graph))
    for root, members in ties.groups(observed).items():
        readers = [reader for member in members for reader in consumers.get(member, ())]
        if root in joined or fixed & set(members) or not readers or any(
                graph.kind(reader) != "ADD" for reader in readers):
            continue
        widest = max(scales[int(reader["outputs"][0])] for reader in readers)
        if scales[members[0]][0] > widest[0]:
            scales.update((member, widest) for member in members)


def _tie_joined(graph, operator, ties, ranges, fixed):
    """Tie the parts of a joined vector to it where their ranges are alike."""
    out = int(operator["outputs"][0])
    parts = [int(place) for place in operator["inputs"] if int(place) in ranges]
    held = {ties.find(place): place for place in fixed}
    for part in parts:
        clash = ties.find(part) in held and ties.find(out) in held and (
            fixed[held[ties.find(part)]] != fixed[held[ties.find(out)]])
        if not clash and ranges[part] * SAME_RANGE > max(ranges[p] for p in parts):
            ties.tie(out, part)
            held = {ties.find(place): place for place in fixed}


def best_scale(values, readers=(), whole=False, symmetric=False):
    """(scale, zero point) with the least mean square error after what reads the values.

    readers : operator names; LOGISTIC or TANH measure the error after that function
    whole : keep all that was seen in range; symmetric : zero point 0 where the sides are alike
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    top = max(-low, high)
    if top < 1e-6:
        return 1 / 128, 0  # never anything but zero: a denormal scale would stop newer runtimes
    if symmetric and 1 / SYMMETRIC_RATIO < -low / max(high, 1e-12) < SYMMETRIC_RATIO:
        low, high = -top, top
    if whole:
        return affine(low, high)
    some = values[::max(1, len(values) // SEARCH_VALUES)].astype(np.float64)
    after = np.tanh if "TANH" in readers else _sigmoid if "LOGISTIC" in readers else np.array
    target = after(some)
    rivals = [affine(max(low, -top * part), min(high, top * part)) for part in RIVALS]
    errors = [np.mean((after(through(some, *rival)) - target) ** 2) for rival in rivals]
    return rivals[int(np.argmin(errors))]


def affine(low, high):
    """(scale, zero point) of int8 for a range that holds zero; a symmetric one has no offset."""
    if low == -high:
        return float(np.float32(high / 127)), 0
    scale = (high - low) / 255
    return float(np.float32(scale)), int(np.clip(np.rint(-128 - low / scale), -128, 127))


def through(values, scale, zero_point):
    """Values after a way through int8."""
    steps = np.clip(np.rint(values / scale) + zero_point, -128, 127)
    return (steps - zero_point) * scale


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


# --- the int8 model ---------------------------------------------------------------------------


def emit(graph, observed, scales):
    """Turn the float Model dict into the int8 one."""
    inputs_seen, made = _inputs_of_products(graph, observed), {}
    constant_scales = _scales_of_products(graph, scales)
    operators = []
    for operator in graph.operators:
        kind = graph.kind(operator)
        inputs = [int(place) for place in operator["inputs"]]
        if kind == "FULLY_CONNECTED":
            scale = scales.get(inputs[0], constant_scales[inputs[1]])
            source = inputs[0] if inputs[0] in scales else _constant(graph, inputs[0], made, scale)
            key = tuple(inputs[1:]) + scale
            if key not in made:
                made[key] = _product_constants(graph, inputs, scale, inputs_seen[inputs[1]])
            inputs = [source] + made[key]
        elif kind == "CONCATENATION":
            out = scales[int(operator["outputs"][0])]
            inputs = [_at_scale(graph, place, scales, out, operators, made) for place in inputs]
        elif kind not in MOVES:
            inputs = [place if place in scales else _constant(graph, place, made)
                      for place in inputs]
        code = graph.model["operator_codes"][operator.get("opcode_index", 0)]
        version = max(INT8_VERSION.get(kind, 1), code.get("version", 1))
        operators.append(dict(operator, inputs=np.array(inputs, np.int32),
                              opcode_index=graph.opcode(kind, version)))
    for place, scale in scales.items():
        graph.tensors[place].update(type=INT8, quantization=described(scale))
    graph.body["operators"] = operators
    return _only_used_codes(graph.model)


def described(scale):
    return {"scale": np.array([scale[0]], np.float32), "zero_point": np.array([scale[1]], np.int64)}


def _inputs_of_products(graph, observed):
    """Weights place -> the rows (n, columns) that calibration multiplied with them."""
    found = {}
    for operator in graph.operators:
        if graph.kind(operator) == "FULLY_CONNECTED":
            source, weights = (int(place) for place in operator["inputs"][:2])
            columns = graph.tensors[weights]["shape"][1]
            rows = observed[source] if source in observed else graph.constant(source)
            found.setdefault(weights, []).append(rows.reshape(-1, columns))
    return {weights: np.concatenate(rows) for weights, rows in found.items()}


def _scales_of_products(graph, scales):
    """Weights -> the scale of what they are multiplied with; a constant (the zero state) takes
    that of later steps."""
    found = {}
    for operator in graph.operators:
        if graph.kind(operator) == "FULLY_CONNECTED":
            source, weights = (int(place) for place in operator["inputs"][:2])
            if source in scales or weights not in found:
                found[weights] = scales.get(source, (1 / 128, 0))
    return found


def _product_constants(graph, inputs, scale, rows):
    """Places of the int8 weights and the int32 bias of a FULLY_CONNECTED."""
    weights = graph.constant(inputs[1])
    bias = graph.constant(inputs[2]) if len(inputs) > 2 and inputs[2] >= 0 else np.zeros(
        len(weights), np.float32)
    step = float(np.float32(max(np.abs(weights).max(), 1e-6) / 127))
    rounded = round_weights(weights, step, rows)
    seen = through(rows.astype(np.float64), *scale)
    lost = rows.mean(0, dtype=np.float64) @ weights.T - seen.mean(0) @ (rounded * step).T
    unit = float(np.float32(np.float32(scale[0]) * np.float32(step)))
    whole = np.clip(np.rint((bias + lost) / unit), -2 ** 31, 2 ** 31 - 1).astype(np.int32)
    name = graph.tensors[inputs[1]]["name"]
    return [graph.add_tensor(name, weights.shape, INT8, rounded, (step, 0)),
            graph.add_tensor(name + "_bias", whole.shape, INT32, whole, (unit, 0))]


def round_weights(weights, step, rows, damping=0.01):
    """Weights (out, in) as int8 steps, each column's rounding error carried to those after it.

    rows : (n, in) inputs on calibration data. With H = rows'rows / n + damping and U the upper
    Cholesky factor of its inverse, column i's error e_i = (w_i - q_i) / U_ii moves the later
    columns by -e_i U_i: Frantar et al. 2022, eq. 2 and 3, in the Cholesky form of their section 3.
    """
    rows = rows.astype(np.float64)
    hessian = rows.T @ rows / len(rows)  # (in, in)
    hessian[np.diag_indices_from(hessian)] += damping * max(np.diag(hessian).mean(), 1e-9)
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    left, found = weights.astype(np.float64).T / step, np.empty(weights.shape[::-1], np.int8)
    for column in range(len(left)):
        found[column] = np.clip(np.rint(left[column]), -127, 127)
        error = (left[column] - found[column]) / upper[column, column]
        left[column:] -= np.outer(upper[column, column:], error)
    return np.ascontiguousarray(found.T)


def _at_scale(graph, place, scales, wanted, operators, made):
    """A joined part at the joined vector's scale: as it is, or as a constant, or by QUANTIZE."""
    if place not in scales:
        return _constant(graph, place, made, wanted)
    if scales[place] == wanted:
        return place
    key = (place,) + wanted
    if key not in made:
        tensor = graph.tensors[place]
        made[key] = graph.add_tensor(tensor["name"] + "_moved", tensor["shape"], INT8, None, wanted)
        operators.append({"opcode_index": graph.opcode("QUANTIZE", 2),
                          "inputs": np.array([place], np.int32),
                          "outputs": np.array([made[key]], np.int32)})
    return made[key]


def _constant(graph, place, made, scale=None):
    """The place of a constant in int8; each scale that is asked for makes its own."""
    key = ("constant", place, scale)
    if key not in made:
        values, tensor = graph.constant(place), graph.tensors[place]
        top = float(np.abs(values).max()) if values.size else 0.0
        scale = scale or (float(np.float32(top / 127)) if top > 1e-6 else 1 / 128, 0)
        steps = np.clip(np.rint(values / scale[0]) + scale[1], -128, 127).astype(np.int8)
        made[key] = graph.add_tensor(tensor["name"], values.shape, INT8, steps, scale)
    return made[key]


def _only_used_codes(model):
    """Drop operator codes that no operator has any more."""
    operators = model["subgraphs"][0]["operators"]
    used = sorted({operator.get("opcode_index", 0) for operator in operators})
    for operator in operators:
        operator["opcode_index"] = used.index(operator.get("opcode_index", 0))
    model["operator_codes"] = [model["operator_codes"][number] for number in used]
    return model
