"""A step graph in C: one function from sample and states to forecast and next states.

Operators on single elements that follow each other become one loop over the units, in which nothing
is stored that no product needs; with int8, whatever depends on one number alone (a sigmoid, 2 s - 1,
the tanh of a rescaled cell state) becomes one table of 256. Split gates are places in a vector.
"""
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError
from kit.firmware import numbers
from kit.firmware.graph import ELEMENTWISE

CURVED = tuple(numbers.CURVES)


class Pass(NamedTuple):
    """One step of the generated function: a loop that stores tensors, or one vector operator."""

    op_name: str  # loop, or the operator's name
    stored: list  # tensors' numbers
    op: object  # of a vector operator
    reads: set  # (tensor's number, True where element i alone is read in round i)


class Network(NamedTuple):
    """The parts of the C file that hold a network."""

    constants: str
    function: str
    round_function: str  # of the products of integers, or nothing


def network(step, rounding):
    """The Network of a Step, its integers rounded as `rounding` of fixed.ROUNDINGS."""
    return _Writer(step, rounding).written()


class _Writer:
    def __init__(self, step, rounding):
        self.step = step
        self.numbers = {"float32": numbers.Float, "int8": numbers.Int8,
                     "int16": numbers.Int16}[step.tensors[step.inputs[0]].dtype](rounding)
        self.producer = {place: op for op in step.ops for place in op.outputs}
        self.constants, self.known = [], {}
        self.stored = self._stored()
        self.passes = self._passes()
        self.buffers, self.copies, self.locals = {}, [], []
        self._name_buffers()

    def written(self):
        lines = [line for step in self.passes for line in self._pass(step)]
        lines += ["memcpy(%s, %s, sizeof %s);" % (into, source, into)
                  for into, source in self.copies]
        lines += self._rescaled_states()
        body = ["%s %s[%d];" % (self.numbers.ctype, name, size) for name, size in self.locals]
        body += self.numbers.scratch(self._widest())
        body += ["int i;"] * any("for (i" in line for line in lines) + [""] + lines
        head = ("/* Sample and states to forecast and next states: %s. */\n"
                "static void NAME_network(const %s *sample, NAME_states *states, %s *forecast)\n{\n" % (
                    counts(self.step.ops), self.numbers.ctype, self.numbers.ctype))
        text = head + "\n".join("    " + line if line else "" for line in body) + "\n}\n"
        return Network("\n".join(self.constants), text,
                       self.numbers.round_function())

    def _rescaled_states(self):
        """Loops over the states whose scale as an output is another than as an input."""
        lines, step = [], self.step
        for name, before, after in zip(state_names(step), step.inputs[1:], step.outputs[1:]):
            before, after = step.tensors[before], step.tensors[after]
            if (list(before.scales), before.zero_point) != (list(after.scales), after.zero_point):
                table = self._array("int8_t", "table", self.numbers.rescaled(after, before))
                lines += ["for (i = 0; i < %d; i++)" % before.size, "    states->%s[i] = "
                          "%s[(uint8_t)states->%s[i]];" % (name, table, name)]
        return lines

    # ---- which tensors stand in an array, and in which order they are made ----------------------

    def _stored(self):
        """Numbers of the tensors that need an array: ends, what vector operators read and make."""
        places = self.step.inputs + self.step.outputs
        for op in self.step.ops:
            if op.op_name not in ELEMENTWISE:
                places = places + op.inputs + ([] if self._joins(op) else op.outputs)
        found = {self.step.place(place)[0].number for place in places if place >= 0}
        return {number for number in found
                if self.step.tensors[number].data is None and not self._joined(number)}

    def _joins(self, op):
        """True for a concatenation that products alone read: its parts are laid out for them."""
        return op.op_name == "CONCATENATION" and self._joined(op.outputs[0])

    def _joined(self, number):
        op = self.producer.get(number)
        return (op is not None and op.op_name == "CONCATENATION" and number not in self.step.outputs
                and all(reader.op_name == "FULLY_CONNECTED" for reader in self.step.ops
                        if number in [self.step.place(p)[0].number for p in reader.inputs if p >= 0])
                and not any(source == number for source, _ in self.step.views.values()))

    def _passes(self):
        passes = []
        for op in self.step.ops:
            if self._joins(op):
                continue
            if op.op_name not in ELEMENTWISE:
                passes.append(Pass(op.op_name, op.outputs, op, self._reads_of_vector(op)))
                continue
            tensor = self.step.tensors[op.outputs[0]]
            if tensor.number not in self.stored:
                continue
            reads = self._reads(tensor.number, 0, tensor.size)
            last = passes[-1] if passes else None
            if last and last.op_name == "loop" and self._size(last) == tensor.size and not any(
                    number in last.stored and not same for number, same in reads):
                last.stored.append(tensor.number)
                last.reads.update(reads)
            else:
                passes.append(Pass("loop", [tensor.number], None, reads))
        return passes

    def _size(self, step):
        return self.step.tensors[step.stored[0]].size

    def _reads_of_vector(self, op):
        return {(place, False) for number in op.inputs if number >= 0
                for place in self._arrays(number)}

    def _arrays(self, number):
        """Arrays that a tensor's elements are in: several for the parts of a joined vector."""
        tensor, _ = self.step.place(number)
        if self._joined(tensor.number):
            return [place for part in self.producer[tensor.number].inputs
                    for place in self._arrays(part)]
        return [tensor.number] if tensor.data is None else []

    def _reads(self, number, first, size):
        """Arrays that one element of a tensor is made from: {(number, only its own element)}."""
        found = set()
        for place in self.producer[number].inputs:
            tensor, more = self.step.place(place)
            if tensor.data is None:
                at = first + more
                if tensor.number in self.stored:
                    found.add((tensor.number, at == 0 and tensor.size == size))
                else:
                    found |= self._reads(tensor.number, at, size)
        return found

    # ---- where the arrays are -------------------------------------------------------------------

    def _name_buffers(self):
        step = self.step
        ends = ["sample"] + ["states->" + item for item in state_names(step)]
        for place, name in zip(step.inputs, ends):
            self.buffers[place] = name
        for place, name, before in zip(step.outputs, ["forecast"] + ends[1:],
                                       [None] + step.inputs[1:]):
            tensor, first = step.place(place)
            if tensor.number in self.buffers or first or tensor.size != step.tensors[place].size:
                self.copies.append((name, tensor.number, first))
            elif before is None or self._may_replace(tensor.number, before):
                self.buffers[tensor.number] = name
            else:
                self._local(tensor.number)
                self.copies.append((name, tensor.number, 0))
        for number in sorted(self.stored - set(self.buffers)):
            self._local(number)
        self.copies = [(name, "%s%s" % (self.buffers[number], " + %d" % first if first else ""))
                       for name, number, first in self.copies]
        self.copies = [("forecast", source) if into == "forecast" else (into, source)
                       for into, source in self.copies]

    def _local(self, number):
        self.buffers[number] = "v%d" % number
        self.locals.append(("v%d" % number, self.step.tensors[number].size))

    def _may_replace(self, number, before):
        """True when the next state can be written over the state: nobody reads that any more."""
        if self.step.tensors[number].size != self.step.tensors[before].size:
            return False
        at = [k for k, item in enumerate(self.passes) if number in item.stored]
        return len(at) == 1 and all(
            place != before or k < at[0] or k == at[0] and same and item.op_name == "loop"
            for k, item in enumerate(self.passes) for place, same in item.reads)

    # ---- loops ----------------------------------------------------------------------------------

    def _pass(self, step):
        if step.op_name == "loop":
            return self._loop(step)
        return getattr(self, "_" + step.op_name.lower())(step.op)

    def _loop(self, step):
        self.lines, self.variables = [], {}
        made = [(number, self._value(number, "i", making=True)) for number in step.stored]
        stores = ["%s[i] = %s;" % (self.buffers[number], self.numbers.stored(name))
                  for number, name in made]
        return ["for (i = 0; i < %d; i++) {" % self._size(step)] + [
            "    " + line for line in self.lines + stores] + ["}"]

    def _value(self, number, index, making=False):
        """The C name of one element; its lines are written once in a loop."""
        tensor, first = self.step.place(number)
        index = moved(index, first) if tensor.size > 1 else "0"
        if tensor.data is not None:
            return self._constant_element(tensor, index)
        key = (tensor.number, index)
        if key not in self.variables:
            text = self._element(tensor, index, making)
            self.variables[key] = "a%d" % len(self.variables)
            self.lines.append("const %s %s = %s;" % (self.numbers.local, self.variables[key], text))
        return self.variables[key]

    def _element(self, tensor, index, making):
        if tensor.number in self.stored and not making:
            return "%s[%s]" % (self.buffers[tensor.number], index)
        op = self.producer[tensor.number]
        found = self.numbers.tables and self._of_one(tensor.number, index, making)
        if found and found.worth:
            name = self._array("int8_t", "table", np.roll(found.values, 128))
            return "%s[(uint8_t)%s]" % (name, self._value(found.leaf, found.index))
        return self.numbers.expression(op, self.step.tensors,
                                    [self._value(place, index) for place in op.inputs])

    def _of_one(self, number, index, making=False):
        """The one int8 number that a tensor is a function of, itself at least: a _Chain."""
        tensor, first = self.step.place(number)
        index = moved(index, first) if tensor.size > 1 else "0"
        itself = _Chain(tensor.number, index, np.arange(-128, 128), 0, False)
        if tensor.number in self.stored and not making:
            return itself
        op, chains, values = self.producer[tensor.number], [], []
        for place in op.inputs:
            source, _ = self.step.place(place)
            if source.data is not None:
                if source.data.min() != source.data.max():
                    return itself
                values.append(np.full(256, int(source.data[0])))
            else:
                chains.append(self._of_one(place, index))
                values.append(chains[-1].values)
        if len({(c.leaf, c.index) for c in chains}) != 1:
            return itself
        made = np.asarray(self.numbers.evaluate(op, self.step.tensors, values), np.int64)
        return itself._replace(
            leaf=chains[0].leaf, index=chains[0].index, values=made,
            depth=1 + max(chain.depth for chain in chains),
            curved=op.op_name in CURVED or any(chain.curved for chain in chains))

    def _constant_element(self, tensor, index):
        if tensor.data.min() == tensor.data.max():
            return self.numbers.constant(tensor.data[0])
        return "%s[%s]" % (self._array(self.numbers.ctype, "constant", tensor.data), index)

    def _array(self, ctype, name, values):
        """The name of a constant array; equal ones are one."""
        values = np.asarray(values)
        key = (ctype, values.tobytes())
        if key not in self.known:
            self.known[key] = "NAME_%s_%d" % (name, len(self.known))
            self.constants.append(array(ctype, self.known[key], values))
        return self.known[key]

    # ---- operators on vectors -------------------------------------------------------------------

    def _widest(self):
        widths = [self.step.tensors[op.inputs[1]].shape[1] for op in self.step.ops
                  if op.op_name == "FULLY_CONNECTED"]
        return max(widths, default=0)

    def _pieces(self, number):
        """[(array, first element, count)] of a vector, in order."""
        tensor, first = self.step.place(number)
        if self._joined(tensor.number):
            return [piece for part in self.producer[tensor.number].inputs
                    for piece in self._pieces(part)]
        return [(self.buffers[tensor.number], first, self.step.tensors[number].size)]

    def _concatenation(self, op):
        lines, at, into = [], 0, self.buffers[op.outputs[0]]
        for place in op.inputs:
            for name, first, count in self._pieces(place):
                lines.append("memcpy(%s, %s, %d * sizeof *%s);" % (
                    plus(into, at), plus(name, first), count, into))
                at += count
        return lines

    def _fully_connected(self, op):
        source, weights = [self.step.tensors[place] for place in op.inputs[:2]]
        out, bias = self.step.tensors[op.outputs[0]], None
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            bias = self.step.tensors[op.inputs[2]].data
        if weights.data is None:
            raise UserError("the product '%s' has computed weights" % out.name)
        return self.numbers.product(self, op, source, weights, bias, out, self._pieces(op.inputs[0]))

    def _softmax(self, op):
        return self.numbers.softmax(self, op, self._pieces(op.inputs[0])[0],
                                 self.buffers[op.outputs[0]])


class _Chain(NamedTuple):
    """A function of one int8 number."""

    leaf: int  # tensor's number
    index: str
    values: np.ndarray  # (256,) from -128 on
    depth: int  # operators
    curved: bool  # a sigmoid or tanh among them

    @property
    def worth(self):
        """A table of 256 bytes costs less than two operators' code."""
        return self.curved or self.depth > 1


def state_names(step):
    """C names of the states, in the order of the inputs."""
    return [step.tensors[place].name.split(":")[0] for place in step.inputs[1:]]


def moved(index, first):
    """The C text of an index `first` further on."""
    if not first:
        return index
    base, _, more = index.partition(" + ")
    return "%s + %d" % (base, int(more or 0) + first)


def plus(name, first):
    return "%s + %d" % (name, first) if first else name


def array(ctype, name, values):
    """A constant array as C, wrapped."""
    text = [numbers.literal(v) if ctype == "float" else
            "INT64_C(%d)" % v if ctype == "int64_t" else "%d" % v for v in values.ravel()]
    lines, line = [], ""
    for item in text:
        if len(line) + len(item) > 96:
            lines.append(line)
            line = ""
        line += ("    " if not line else " ") + item + ","
    return "static const %s %s[%d] = {\n%s\n};" % (ctype, name, values.size,
                                                   "\n".join(lines + [line]))


def counts(ops):
    """2 ADD, 1 CONCATENATION, ..."""
    op_names = [op.op_name for op in ops]
    return ", ".join("%d %s" % (op_names.count(op_name), op_name) for op_name in sorted(set(op_names)))
