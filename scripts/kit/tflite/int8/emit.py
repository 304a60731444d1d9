"""The integer model of a float one whose tensors have got their scales."""
import numpy as np

from kit.runtime.flatbuffer import FLOAT32, INT8, INT16
from kit.tflite.int8 import fused
from kit.tflite.int8.graph import CONVOLUTIONS, MOVES, described, only_used_codes
from kit.tflite.int8.rounding import mean_loss, round_weights, step_of
from kit.tflite.int8.scales import steps_of, symmetric_scale, through
from kit.tflite.int8.schemes import NUMPY


def emit(graph, observed, scales, scheme, exact=(), floats=()):
    """Turn the float Model dict into the integer one.

    exact : places of weights that are rounded to nearest, with a bias that stands as it is
    floats : places of what operators make that stay float (`fallback`)
    """
    emitter = Emitter(graph, observed, scales, scheme, exact, floats)
    for operator in list(graph.operators):
        emitter.operator(operator)
    for place, scale in scales.items():
        graph.tensors[place].update(type=scheme.type, quantization=described(scale))
    graph.body["operators"] = emitter.operators
    return only_used_codes(graph.model)


class Emitter:
    """Writes operators of integers; each constant at each scale that is asked for is made once."""

    def __init__(self, graph, observed, scales, scheme, exact=(), floats=()):
        self.graph, self.scales, self.scheme, self.operators = graph, scales, scheme, []
        self.exact, self.floats = exact, floats
        self.observed, self.product_scales = observed, _scales_of_products(graph, scales)
        self.rows = self._inputs_of_products()
        self.constants = {}  # (place, scale or None) -> place
        self.moved = {}  # (place, scale) -> place
        self.products = {}  # (weights, bias, scale of the input) -> [place, place]
        self.unpacked = {}  # place -> the same in float
        self.tables = {}  # place -> (place of the same in int8, its scale)

    def operator(self, operator):
        """Write one operator, and before it what brings its inputs to its scale."""
        op_name, inputs = self.graph.op_name(operator), [int(place) for place in operator["inputs"]]
        if int(operator["outputs"][0]) in self.floats:
            return self._float(operator, inputs)
        if op_name == fused.OPERATOR:
            fused.write_lstm(self.graph, operator, self.observed, self.scales)
            inputs = operator["inputs"]
        elif op_name == "FULLY_CONNECTED":
            inputs = self._product(*inputs)
        elif op_name in CONVOLUTIONS:
            inputs = self._convolution(op_name, *inputs)
        elif op_name == "GATHER" and self.scheme.type == INT16:
            return self._look_up(operator, *inputs)
        elif op_name == "GATHER":  # rows of a table, by whole numbers
            inputs[0] = self._constant(inputs[0], self.scales[int(operator["outputs"][0])])
        elif op_name == "CONCATENATION":
            out = self.scales[int(operator["outputs"][0])]
            inputs = [self._at_scale(place, out) for place in inputs]
        elif op_name not in MOVES:
            inputs = [place if place in self.scales else self._constant(place)
                      for place in inputs]
        version = max(self.scheme.versions.get(op_name, 1), self.graph.version(operator))
        written = dict(operator, inputs=np.array(inputs, np.int32),
                       opcode_index=self.graph.opcode(op_name, version))
        if op_name in self.scheme.options:
            written["options"] = dict(operator["options"], **self.scheme.options[op_name])
        self.operators.append(written)

    def _float(self, operator, inputs):
        """Write a float operator, and after it a QUANTIZE of what integers read."""
        outputs = [int(place) for place in operator["outputs"]]
        made = [self._like(place, "_float", FLOAT32) if place in self.scales else place
                for place in outputs]
        self.operators.append(dict(operator, outputs=np.array(made, np.int32), inputs=np.array(
            [self._unpacked(place) for place in inputs], np.int32)))
        for place, source in zip(outputs, made):
            if source != place:
                self._convert("QUANTIZE", source, place)
                self.unpacked[place] = source

    def _look_up(self, operator, table, rows):
        """Write a GATHER of an int8 table, as TFLite Micro has none of int16, and what brings its
        rows to int16: tflite-runtime has no QUANTIZE from int8 to that."""
        graph, out = self.graph, int(operator["outputs"][0])
        if table not in self.tables:
            values, scale = graph.constant(table), symmetric_scale(np.abs(graph.constant(table)).max())
            self.tables[table] = graph.add_tensor(
                graph.tensors[table]["name"], values.shape, INT8,
                steps_of(values, *scale).astype(np.int8), scale), scale
        place, scale = self.tables[table]
        found = self._like(out, "_found", INT8, scale)
        self.operators.append(dict(
            operator, opcode_index=graph.opcode("GATHER", self.scheme.versions["GATHER"]),
            inputs=np.array([place, rows], np.int32), outputs=np.array([found], np.int32)))
        rows = self._like(out, "_float", FLOAT32)
        self._convert("DEQUANTIZE", found, rows)
        self._convert("QUANTIZE", rows, out)

    def _unpacked(self, place):
        """The place of a tensor in float: a constant, what a float operator made, or a DEQUANTIZE."""
        if place not in self.scales:
            return place
        if place not in self.unpacked:
            self.unpacked[place] = self._convert(
                "DEQUANTIZE", place, self._like(place, "_float", FLOAT32))
        return self.unpacked[place]

    def _inputs_of_products(self):
        """(weights, scale of the input) -> the rows (n, columns) that calibration multiplied with
        them; a layer that is used twice has two."""
        graph, found = self.graph, {}
        for source, weights in _products_with_constants(graph):
            rows = self.observed[source] if source in self.observed else graph.constant(source)
            scale = self.scales.get(source, self.product_scales[weights])
            columns = graph.tensors[weights]["shape"][1]
            found.setdefault((weights, scale), []).append(rows.reshape(-1, columns))
        return {key: np.concatenate(rows) for key, rows in found.items()}

    def _product(self, source, weights, bias=-1):
        """Places of a FULLY_CONNECTED's input, weights and bias."""
        if self.graph.constant(weights) is None:
            return self._computed_product(source, weights, bias)
        scale = self.scales.get(source, self.product_scales[weights])
        if source not in self.scales:
            source = self._constant(source, scale)
        key = weights, bias, scale
        if key not in self.products:
            self.products[key] = self._product_constants(*key)
        return [source] + self.products[key]

    def _computed_product(self, source, weights, bias):
        """Places of both tensors of a product that are computed, as in attention, and of a bias.

        Kernels want the second one in int8 with the zero point 0, also beside int16.
        """
        step = symmetric_scale(float(np.abs(self.observed[weights]).max()))
        if (self.scheme.type, self.scales[weights][1]) == (INT8, 0):
            step = self.scales[weights]
        weights = self._at_scale(weights, step, INT8)
        values = np.zeros(self.graph.tensors[weights]["shape"][:1]) if bias < 0 else (
            self.graph.constant(bias))
        unit = float(np.float32(np.float32(self.scales[source][0]) * np.float32(step[0])))
        return [source, weights, self.graph.add_tensor(
            "bias", values.shape, self.scheme.bias_type, np.rint(values / unit).astype(
                NUMPY[self.scheme.bias_type]), (unit, 0))]

    def _convolution(self, op_name, source, kernel, bias):
        """Places of a convolution's input, kernel and bias, rounded to nearest."""
        scale = self.scales.get(source, (1 / 128, 0))
        if source not in self.scales:  # the zero state
            source = self._constant(source, scale)
        key = kernel, bias, scale
        if key not in self.products:
            self.products[key] = self._kernel(op_name, *key)
        return [source] + self.products[key]

    def _kernel(self, op_name, kernel, bias, scale):
        """Places of an int8 kernel and its bias, with a scale for each channel that comes out."""
        graph, values = self.graph, self.graph.constant(kernel)
        axis = 0 if op_name == "CONV_2D" else 3
        others = tuple(other for other in range(4) if other != axis)
        steps = np.float32(np.maximum(np.abs(values).max(others), 1e-6) / 127)
        units = np.float32(scale[0]) * steps
        along = steps.reshape([-1 if other == axis else 1 for other in range(4)])
        whole = np.rint(graph.constant(bias) / units).astype(NUMPY[self.scheme.bias_type])
        places = [
            graph.add_tensor(graph.tensors[kernel]["name"], values.shape, INT8,
                             np.clip(np.rint(values / along), -127, 127).astype(np.int8)),
            graph.add_tensor(graph.tensors[kernel]["name"] + "_bias", whole.shape,
                             self.scheme.bias_type, whole)]
        for place, scales, dimension in zip(places, (steps, units), (axis, 0)):
            graph.tensors[place]["quantization"] = {
                "scale": scales, "zero_point": np.zeros(len(whole), np.int64),
                "quantized_dimension": dimension}
        return places

    def _product_constants(self, place, bias, scale):
        """Places of the int8 weights and of the bias, which takes up what rounding loses."""
        graph, rows, weights = self.graph, self.rows[place, scale], self.graph.constant(place)
        bias = graph.constant(bias) if bias >= 0 else np.zeros(len(weights), np.float32)
        step = step_of(weights)
        if place in self.exact:
            rounded, lost = np.rint(weights / step).astype(np.int8), 0
        else:
            rounded = round_weights(weights, step, rows)
            seen = through(rows.astype(np.float64), *scale, limit=self.scheme.limit)
            lost = mean_loss(weights, rounded * step, rows, seen)
        unit = float(np.float32(np.float32(scale[0]) * np.float32(step)))
        whole = np.clip(np.rint((bias + lost) / unit), -2 ** 31, 2 ** 31 - 1).astype(
            NUMPY[self.scheme.bias_type])
        name = graph.tensors[place]["name"]
        return [graph.add_tensor(name, weights.shape, INT8, rounded, (step, 0)),
                graph.add_tensor(name + "_bias", whole.shape, self.scheme.bias_type, whole,
                                 (unit, 0))]

    def _at_scale(self, place, wanted, dtype=None):
        """A tensor at another scale, or of another type: as it is, as a constant, or by QUANTIZE."""
        if place not in self.scales:
            return self._constant(place, wanted)
        dtype = dtype or self.scheme.type
        if (self.scales[place], self.scheme.type) == (wanted, dtype):
            return place
        key = place, wanted
        if key not in self.moved:
            self.moved[key] = self._convert(
                "QUANTIZE", place, self._like(place, "_moved", dtype, wanted))
        return self.moved[key]

    def _like(self, place, ending, dtype, scale=None):
        """A new tensor of the same shape; its place."""
        tensor = self.graph.tensors[place]
        return self.graph.add_tensor(tensor["name"] + ending, tensor["shape"], dtype, None, scale)

    def _convert(self, op_name, source, target):
        """Write a QUANTIZE or DEQUANTIZE; the place of its output."""
        self.operators.append({
            "opcode_index": self.graph.opcode(op_name, self.scheme.versions[op_name]),
            "inputs": np.array([source], np.int32), "outputs": np.array([target], np.int32)})
        return target

    def _constant(self, place, scale=None):
        """The place of a constant in integers, at a scale of its own where none is asked for."""
        key = place, scale
        if key not in self.constants:
            values, limit = self.graph.constant(place), self.scheme.limit
            top = float(np.abs(values).max()) if values.size else 0.0
            scale = scale or self.scheme.constant_scale(top)
            steps = steps_of(values, *scale, limit=limit).astype(NUMPY[self.scheme.type])
            self.constants[key] = self.graph.add_tensor(
                self.graph.tensors[place]["name"], values.shape, self.scheme.type, steps, scale)
        return self.constants[key]


def _products_with_constants(graph):
    """[(place of the input, place of the weights), ...]"""
    both = [[int(place) for place in operator["inputs"][:2]] for operator in graph.operators
            if graph.op_name(operator) == "FULLY_CONNECTED"]
    return [pair for pair in both if graph.constant(pair[1]) is not None]


def _scales_of_products(graph, scales):
    """Weights -> the scale of what they are multiplied with; a constant (the zero state) takes
    that of later steps."""
    found = {}
    for source, weights in _products_with_constants(graph):
        if source in scales or weights not in found:
            found[weights] = scales.get(source, (1 / 128, 0))
    return found
