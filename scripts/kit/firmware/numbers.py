"""How operators on one element are written in C, for each type of numbers; and int8 in numpy.

A type has a method per operator, named as TFLite names it, which returns a C expression of its
arguments (names of int32_t or float variables). Kinds of integers also know `evaluate`.
"""
import numpy as np

from kit.base.cli import UserError
from kit.firmware import fixed

FLOATS = {  # operator -> C; NAME_exp and its like are in c/float.c
    "ADD": "({0} + {1})", "SUB": "({0} - {1})", "MUL": "({0} * {1})", "DIV": "({0} / {1})",
    "NEG": "(-{0})", "SQUARE": "({0} * {0})", "ABS": "NAME_larger({0}, -{0})",
    "MAXIMUM": "NAME_larger({0}, {1})", "MINIMUM": "(-NAME_larger(-{0}, -{1}))",
    "RELU": "NAME_larger({0}, 0.0f)", "RELU6": "NAME_relu6({0})",
    "LOGISTIC": "NAME_logistic({0})", "TANH": "NAME_tanh({0})", "EXP": "NAME_exp({0})",
    "ELU": "NAME_elu({0})", "LOG": "NAME_log({0})",
    "LEAKY_RELU": "(NAME_larger({0}, 0.0f) - {alpha} * NAME_larger(-{0}, 0.0f))",
}
CURVES = {"LOGISTIC": lambda x: 1 / (1 + np.exp(-x)), "TANH": np.tanh}


def rounded_up(width):
    """Columns of weights in memory: eight are read in a round."""
    return width + -width % 8


def literal(value):
    """A float32 as C, exact."""
    return "%.9gf" % value if "." in "%.9g" % value or "e" in "%.9g" % value else "%.9g.0f" % value


class Float:
    """float32, without contraction; the curves are polynomials of our own."""

    ctype, local, tables = "float", "float", False

    def __init__(self, rounding):
        """Of the roundings of integers none applies."""

    def round_function(self):
        return ""

    def expression(self, op, tensors, names):
        """The C expression of an operator of the named arguments."""
        if op.op_name not in FLOATS:
            raise UserError("C does not hold the operator %s in float32 yet" % op.op_name)
        text = FLOATS[op.op_name].format(*names, alpha=literal(op.options.get("alpha", 0)))
        return FLOATS[op.activation].format(text) if op.activation != "NONE" else text

    def constant(self, value):
        return literal(value)

    def stored(self, name):
        return name

    def scratch(self, width):
        return ["float x[%d];" % width] * bool(width)

    def product(self, writer, op, source, weights, bias, out, pieces):
        """Lines of a FULLY_CONNECTED: the joined input, and the call."""
        lines, x = [], pieces[0][0] if len(pieces) == 1 and not pieces[0][1] else "x"
        at = 0
        for name, first, count in pieces if x == "x" else []:
            lines.append("memcpy(%s, %s, %d * sizeof *x);" % (
                "x + %d" % at if at else "x", "%s + %d" % (name, first) if first else name, count))
            at += count
        bias = np.zeros(weights.shape[0], np.float32) if bias is None else bias
        y = writer.buffers[out.number]
        lines.append("NAME_product(%s, %s, %s, %d, %d, %s);" % (
            x, writer._array("float", "weights", weights.data), writer._array("float", "bias", bias),
            weights.shape[0], weights.shape[1], y))
        if op.activation != "NONE":
            lines += ["for (i = 0; i < %d; i++)" % out.size, "    %s[i] = %s;" % (
                y, FLOATS[op.activation].format(y + "[i]"))]
        return lines

    def softmax(self, writer, op, piece, y):
        return ["NAME_softmax(%s, %d, %s, %s);" % (
            piece[0], piece[2], literal(op.options.get("beta", 0)), y)]


class Int8:
    """int8 with TFLite's fixed-point arithmetic."""

    ctype, local, dtype, tables = "int8_t", "int32_t", np.int8, True
    sum_type, left_shift = "int32_t", 20

    def __init__(self, rounding):
        self.rounding, self.exponents = rounding, []

    def round_function(self):
        """The C function of c/rounding.c that fits every product so far."""
        least = min(self.exponents, default=2)
        if least < 1 and self.rounding != "tflite":
            raise UserError("a product whose output is finer than its sums: C rounds that one as "
                            "tflite alone; take --rounding tflite")
        return "NAME_round_" + self.rounding + (
            "_any" if self.rounding == "tflite" and least < 2 else "")

    def stored(self, name):
        return "(%s)%s" % (self.ctype, name)

    def scratch(self, width):
        return ["int16_t x[%d] = {0};" % rounded_up(width)] * bool(width)

    def product(self, writer, op, source, weights, bias, out, pieces):
        """Lines of a FULLY_CONNECTED: the input laid out, and the call."""
        if weights.zero_point or len(weights.scales) != 1:
            raise UserError("the product '%s' has weights that are not symmetric with one scale"
                            % out.name)
        matrix = weights.data.reshape(weights.shape).astype(np.int64)
        sums = np.zeros(len(matrix), np.int64) if bias is None else bias.astype(np.int64)
        sums = sums - source.zero_point * matrix.sum(axis=1)
        low, high = fixed.limits(self.dtype, op.activation, out.scale, out.zero_point)
        m, e = self.multiplier(fixed.in_float(source.scale * weights.scale) / out.scale)
        self.exponents.append(e)
        e += 32 * fixed.half_away(self.rounding, *matrix.shape)  # as c/rounding.c reads it
        width = rounded_up(matrix.shape[1])
        padded = np.pad(matrix, ((0, 0), (0, width - matrix.shape[1])), "constant")
        lines, at = [], 0
        for name, first, count in pieces:
            lines.append("NAME_spread(x, %d, %s, %d);" % (
                at, "%s + %d" % (name, first) if first else name, count))
            at += count
        lines.append("NAME_product(x, %s, %s, %d, %d, %d, %d, %d, %d, %d, %s);" % (
            writer._array("int8_t", "weights", padded.astype(np.int8)),
            writer._array(self.sum_type, "bias", sums), len(matrix), width, m, e,
            out.zero_point, low, high, writer.buffers[out.number]))
        return lines

    multiplier = staticmethod(fixed.multiplier)

    def rescaled(self, after, before):
        """(256,) int8 of each int8 as unsigned index: as kit.runtime.interpreter hands states on."""
        if self.dtype != np.int8:
            raise UserError("the state '%s' has one scale as an input and another as an output; "
                            "C rescales states in int8 alone" % before.name)
        values = (np.arange(-128, 128).astype(np.float32) - np.float32(after.zero_point)) \
            * np.float32(after.scale)
        whole = np.rint(values / np.float32(before.scale)) + np.float32(before.zero_point)
        return np.roll(np.clip(whole, -128, 127).astype(np.int8), 128)

    def softmax(self, writer, op, piece, y):
        raise UserError("C does not hold SOFTMAX in %s yet" % self.dtype.__name__)

    def constant(self, value):
        return "%d" % value

    def expression(self, op, tensors, names):
        handler = getattr(self, "_" + op.op_name.lower(), None)
        if handler is None:
            raise UserError("C does not hold the operator %s in int8 yet" % op.op_name)
        return handler(op, tensors, names, _C if self.dtype == np.int8 else _WideC)

    def evaluate(self, op, tensors, values):
        """The operator's int8 output of int8 arrays: what a table holds."""
        source, = tensors[op.inputs[0]],
        out = tensors[op.outputs[0]]
        if op.op_name in CURVES:
            made = fixed.table(CURVES[op.op_name], (source.scale, source.zero_point), out.scale,
                               out.zero_point)
            return made[values[0].astype(int) + 128].astype(np.int64)
        return getattr(self, "_" + op.op_name.lower())(op, tensors, values, _Numpy)

    def _mul(self, op, tensors, args, as_):
        a, b = [tensors[place] for place in op.inputs]
        out = tensors[op.outputs[0]]
        m, e = fixed.multiplier(fixed.in_float(a.scale * b.scale) / out.scale, single=True)
        product = as_.times(as_.shifted(args[0], a.zero_point), as_.shifted(args[1], b.zero_point))
        return self._limited(as_.scaled(product, m, e), op, out, as_)

    def _add(self, op, tensors, args, as_, sign=1):
        a, b = [tensors[place] for place in op.inputs]
        out = tensors[op.outputs[0]]
        twice = 2 * max(a.scale, b.scale)
        terms = [as_.scaled(as_.times(as_.shifted(value, item.zero_point), 1 << self.left_shift),
                            *fixed.multiplier(item.scale / twice))
                 for value, item in zip(args, (a, b))]
        m, e = fixed.multiplier(twice / ((1 << self.left_shift) * out.scale))
        return self._limited(as_.scaled(as_.sum(terms[0], terms[1], sign), m, e), op, out, as_)

    def _sub(self, op, tensors, args, as_):
        return self._add(op, tensors, args, as_, -1)

    def _quantize(self, op, tensors, args, as_):
        a, out = tensors[op.inputs[0]], tensors[op.outputs[0]]
        m, e = fixed.multiplier(a.scale / out.scale, single=op.op_name != "QUANTIZE")
        return self._limited(as_.scaled(as_.shifted(args[0], a.zero_point), m, e), op, out, as_)

    def _relu(self, op, tensors, args, as_):
        return self._quantize(op._replace(activation=op.op_name), tensors, args, as_)

    _relu6 = _relu

    def _limited(self, value, op, out, as_):
        low, high = fixed.limits(self.dtype, op.activation, out.scale, out.zero_point)
        return as_.clamp(as_.shifted(value, -out.zero_point), low, high)


class _C:
    """Arithmetic as C text."""

    down, shift = "NAME_down", " * %d" % (1 << Int8.left_shift)

    @staticmethod
    def shifted(x, zero_point):
        return x if not zero_point else "(%s %s %d)" % (x, "-" if zero_point > 0 else "+",
                                                         abs(zero_point))

    @staticmethod
    def times(x, y):
        return "%s * %s" % (x, y)

    @staticmethod
    def sum(x, y, sign):
        return "%s %s %s" % (x, "+" if sign > 0 else "-", y)

    @classmethod
    def scaled(cls, x, m, e):
        if (m, e) == (1 << 30, 0) and x.endswith(cls.shift):  # half of an even number
            return x[:-len(cls.shift)] + " * %d" % (int(cls.shift[3:]) // 2)
        if e > 0:
            return "%s(%s, %d, %d)" % (cls.down, x, m, e)
        return "NAME_up(%s, %d, %d)" % (x, m, -e)

    @staticmethod
    def clamp(x, low, high):
        if (low, high) == (-128, 127):
            return "NAME_saturated(%s)" % x
        return "NAME_clamp(%s, %d, %d)" % (x, low, high)


class _WideC(_C):
    """The same where products of two numbers may need all of 32 bits."""

    down, shift = "NAME_down_wide", " * %d" % (1 << 15)


class _Numpy:
    """The same arithmetic on arrays."""

    @staticmethod
    def shifted(x, zero_point):
        return np.asarray(x, np.int64) - zero_point

    @staticmethod
    def times(x, y):
        return np.asarray(x, np.int64) * y

    @staticmethod
    def sum(x, y, sign):
        return x + sign * y

    scaled = staticmethod(fixed.scaled)
    clamp = staticmethod(np.clip)


class Int16(Int8):
    """int16 activations, symmetric, with int8 weights and int64 sums: TFLite's reference kernels."""

    ctype, dtype, tables, sum_type = "int16_t", np.int16, False, "int64_t"
    left_shift = 15

    def round_function(self):
        if self.rounding != "tflite":
            raise UserError("TensorFlow 1.15 has no int16 kernels: take --rounding tflite")
        return ""

    def multiplier(self, real):
        """15 bits and a power of two: the sums are of 64 bits."""
        m, e = fixed.multiplier(real)
        return ((m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF), e

    def _logistic(self, op, tensors, args, as_):
        return "NAME_%s(%s, %d, %d)" % ((op.op_name.lower(), args[0]) + fixed.interpolation(
            tensors[op.inputs[0]].scale))

    _tanh = _logistic
