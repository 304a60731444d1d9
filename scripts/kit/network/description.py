"""A Keras model as a plain description: a graph of layers, with weights as numpy arrays.

Needs no TensorFlow, and can say in one sentence what no TFLite file can hold. Understands
Sequential and functional models, models as layers of others, and layers that are used twice, as
kit.network.files gives them.
"""
from typing import NamedTuple

from kit.base.cli import UserError
from kit.network.files.keras_file import read_keras
from kit.network.handlers import HANDLERS
from kit.network.layers.handler import Layer, WHOLE

NESTED = ("Sequential", "Model")  # a model as a layer of another


class Input(NamedTuple):
    """An input of the model; None in the shape stands for an open axis."""

    name: str
    shape: tuple  # without the batch
    dtype: str = "float32"  # or int32
    limit: object = None  # of int32: one more than the largest value that the model takes
    timed: bool = True  # its first axis is the steps that a recurrent layer goes along
    state_of: object = None  # the recurrent layer whose initial state it is, and nothing else

    def sized(self, steps):
        """The shape with an open time axis made `steps` long."""
        return self.shape if self.shape[:1] != (None,) else (steps,) + self.shape[1:]


class Node(NamedTuple):
    """One use of a layer. Values are numbered: the inputs first, then the nodes' outputs."""

    layer: Layer
    inputs: tuple  # numbers of the values that it takes
    outputs: tuple  # of those that it makes


class Network(NamedTuple):
    """The graph of layers from inputs to outputs; its nodes stand in the order of computation."""

    inputs: list  # of Input; their values are 0, 1, ...
    nodes: list  # of Node
    outputs: list  # of (name, value)

    @property
    def layers(self):
        """The layer of each node."""
        return [node.layer for node in self.nodes]

    @property
    def data(self):
        """The inputs that are no states."""
        return [item for item in self.inputs if item.state_of is None]

    @property
    def steps(self):
        """The length of the sequence that comes in; None where it is open or there is none."""
        timed = [item for item in self.data if item.timed]
        return timed[0].shape[0] if timed else None

    @property
    def open(self):
        """Whether an input has an open axis, whose length must be said."""
        return any(None in item.shape for item in self.inputs)


def path_of(layers, shape, name="input"):
    """The Network of Layers in a row, for an input of this shape without the batch."""
    nodes = [Node(layer, (k,), (k + 1,)) for k, layer in enumerate(layers)]
    return _with_roles(Network([Input(name, tuple(shape))], nodes, [("output", len(layers))]))


def read_network(file):
    """The network of a KerasFile, or of the file at a path; UserError names the layer and says what
    would work."""
    file = read_keras(file) if isinstance(file, str) else file
    try:
        return _network(file)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError,
            RecursionError) as error:
        raise UserError("%s: damaged, or not as Keras writes it (%s: %s)"
                        % (file.path, type(error).__name__, " ".join(str(error).split())[:100]))


def _network(file):
    reader = _Reader(file)
    outputs = reader.model(file.description, "", None)
    names = _output_names(file.description)
    network = _with_roles(Network(reader.inputs, reader.nodes, list(zip(names, outputs))))
    _check(file.path, network, file.description.get("takes_mask", {}))
    return network


def _output_names(description):
    """Keras' names of the outputs: those of the layers, each once."""
    if description["class_name"] == "Sequential":
        return ["output"]
    found = []
    for name, _, _ in description["config"]["output_layers"]:
        count, proposed = 1, name
        while proposed in found:
            proposed, count = "%s_%d" % (name, count), count + 1
        found.append(proposed)
    return found


class _Reader:
    """Collects inputs and nodes while it follows a description from its inputs to its outputs."""

    def __init__(self, file):
        self.path, self.arrays = file.path, file.arrays
        self.inputs, self.nodes, self.count, self.layers = [], [], 0, {}

    def model(self, item, scope, given, wrap=None):
        """The values that a model makes of the values given to it; None: of inputs of its own."""
        if item["class_name"] == "Sequential":
            return self.sequential(item["config"], scope, given, wrap)
        if item["class_name"] != "Model":
            raise UserError("%s: a %s model; Sequential or a functional Model is needed"
                            % (self.path, item["class_name"]))
        return self.functional(item["config"], scope, given, wrap)

    def sequential(self, body, scope, given, wrap):
        layers = body["layers"]
        if given is None and not layers:
            raise UserError("%s: a model without layers" % self.path)
        values = given
        for item in layers:
            if values is None:
                values = [self.first(item, body.get("build_input_shape"))]
            if item["class_name"] != "InputLayer":
                values = self.entry(item, scope, values, wrap)
        return values

    def first(self, item, shape):
        """The value of a Sequential's input, which its first layer describes."""
        while item["class_name"] in NESTED and item["config"].get("layers"):
            shape = item["config"].get("build_input_shape") or shape
            item = item["config"]["layers"][0]
        config = item["config"]
        self.known(item, _name(item))
        name = _name(item) if item["class_name"] == "InputLayer" else _name(item) + "_input"
        return self.input(name, config.get("batch_input_shape", shape))

    def input(self, name, shape):
        """The value of a new input."""
        if not shape:
            raise UserError("%s: the shape of input '%s' is not declared; build the model with "
                            "input_shape and save it again" % (self.path, name))
        if len(shape) < 2 or None in shape[2:]:
            raise UserError("%s: the model's input '%s' is %s; only the batch and the steps may be "
                            "open" % (self.path, name, tuple(shape)))
        self.inputs.append(Input(name, tuple(shape[1:])))
        return self.new(1)[0]

    def new(self, count):
        self.count += count
        return tuple(range(self.count - count, self.count))

    def functional(self, body, scope, given, wrap):
        items = {item["name"]: item for item in body["layers"]}
        ends = [name for name, _, _ in body["input_layers"]]
        if given is None:
            given = [self.input(name, items[name]["config"]["batch_input_shape"]) for name in ends]
        calls = {(name, 0): [value] for name, value in zip(ends, given)}
        offsets = _offsets(body, items)

        def value(name, call, tensor):
            key = (name, call - offsets.get(name, 0))
            if key not in calls:
                calls[key] = None  # a circle would come back here
                node = items[name]["inbound_nodes"][key[1]]
                self.check_keywords(name, node)
                calls[key] = self.entry(items[name], scope, [value(*end[:3]) for end in node], wrap)
            return calls[key][tensor]
        return [value(*end[:3]) for end in body["output_layers"]]

    def check_keywords(self, name, node):
        for end in node:
            for key, item in (end[3] if len(end) > 3 else {}).items():
                if key not in ("training", "mask", "name") or key == "mask" and item is not None:
                    raise UserError("%s: layer '%s' is called with %s=...; only tensors can be "
                                    "given to a layer here" % (self.path, name, key))

    def entry(self, item, scope, values, wrap=None):
        """The values that one entry of a model makes: a layer, or a model as a layer."""
        name, config = scope + _name(item), item["config"]
        if item["class_name"] in NESTED:
            return self.model(item, name + "/", values, wrap)
        inner = config.get("layer")
        if item["class_name"] == "TimeDistributed" and inner["class_name"] in NESTED:
            around = lambda leaf: {"class_name": "TimeDistributed", "config": {  # noqa: E731
                "name": leaf["config"].get("name"), "layer": leaf if wrap is None else wrap(leaf)}}
            return self.model(inner, "%s/%s/" % (name, _name(inner)), values, around)
        if item["class_name"] == "RNN" and config["cell"]["class_name"] == "StackedRNNCells":
            return self.stacked(item, name, values)
        if name not in self.layers:
            self.known(item, name)
            self.layers[name] = self.read(wrap(item) if wrap else item, name)
        layer = self.layers[name]
        if layer is None:  # does nothing at inference
            return values[:1]
        made = self.new(HANDLERS[layer.class_name].outputs(layer))
        self.nodes.append(Node(layer, tuple(values), made))
        return list(made)

    def read(self, item, name):
        """The Layer of an entry; UserError that names it where its description has gaps."""
        class_name = item["class_name"]
        try:
            return HANDLERS[class_name].read(self.path, name, item["config"], self.arrays[name])
        except KeyError as error:
            raise UserError("%s: layer '%s' is %s and its description has no %s; the file is "
                            "damaged, or not as Keras writes it" % (self.path, name, class_name, error))

    def stacked(self, item, name, values):
        """RNN of cells one upon the other, as the layers one after the other that it is."""
        config, arrays = item["config"], list(self.arrays[name])
        cells, value, states = config["cell"]["config"]["cells"], values[:1], values[1:]
        last = []
        for number, cell in enumerate(cells):
            handler = HANDLERS["RNN"]
            own = dict(config, cell=cell, return_state=config.get("return_state"))
            if number < len(cells) - 1:
                own["return_sequences"] = True
            if number:
                own["go_backwards"] = False
            count = sum(handler.array_counts(own))
            layer = handler.read(self.path, "%s/cell_%d" % (name, number), own, arrays[:count])
            size = len(HANDLERS[layer.class_name].carried) if states else 0
            arrays = arrays[count:]
            made = self.new(HANDLERS[layer.class_name].outputs(layer))
            self.nodes.append(Node(layer, tuple(value + states[:size]), made))
            value, states, last = list(made[:1]), states[size:], last + list(made[1:])
        return value + last

    def known(self, item, name):
        """UserError unless there is a handler for it."""
        class_name = item["class_name"]
        if class_name not in HANDLERS and class_name not in NESTED + ("InputLayer",):
            raise UserError("%s: layer '%s' is %s, which cannot be converted; supported are %s"
                            % (self.path, name, class_name, ", ".join(HANDLERS)))


def _name(item):
    return item["config"].get("name", item["class_name"])


def _offsets(body, items):
    """Name of a nested model -> 1 where its calls are counted from 1, its own building being 0."""
    ends = [end for item in body["layers"] for node in item["inbound_nodes"] for end in node]
    return {end[0]: 1 for end in ends + body["output_layers"]
            if items[end[0]]["class_name"] in NESTED
            and end[1] == len(items[end[0]]["inbound_nodes"])}


# --- roles: which inputs have steps, which are states, which are numbers of words -------------


def _with_roles(network):
    """The network whose inputs know their roles."""
    readers = {}
    for node in network.nodes:
        for place, value in enumerate(node.inputs):
            readers.setdefault(value, []).append((node.layer, place))
    timed = _reaching_steps(network)
    inputs = []
    for value, item in enumerate(network.inputs):
        uses = readers.get(value, [])
        states = [layer.name for layer, place in uses if HANDLERS[layer.class_name].takes_state(place)]
        state_of = states[0] if len(states) == len(uses) == 1 else None
        limits = [HANDLERS[layer.class_name].limit(layer) for layer, _ in uses]
        limit = min(filter(None, limits), default=None)
        inputs.append(item._replace(
            timed=value in timed, state_of=state_of, limit=limit,
            dtype="int32" if limit else "float32"))
    return network._replace(inputs=inputs)


def _reaching_steps(network):
    """The values whose first axis becomes the steps of a recurrent layer."""
    sizes, found = shapes(network, None), set()
    for node in reversed(network.nodes):
        handler = HANDLERS[node.layer.class_name]
        if handler.takes_steps:
            found.add(node.inputs[0])
        if found & set(node.outputs) and handler.keeps_steps(
                node.layer, [sizes[value] for value in node.inputs]):
            found |= {value for place, value in enumerate(node.inputs)
                      if not handler.takes_state(place)}
    return found


# --- shapes along the graph -------------------------------------------------------------------


def _check(path, network, takes_mask):
    """Follow the shapes through the layers: UserError where a layer gets what it cannot take.

    takes_mask : {layer: whether it takes a mask where the file was made}, of those that are known
    """
    if not any(HANDLERS[layer.class_name].recurrent for layer in network.layers):
        raise UserError("%s: no recurrent layer (LSTM, GRU, SimpleRNN) in this model; "
                        "TFLiteConverter.from_keras_model_file takes it as it is" % path)
    sizes, masks = shapes(network, None), masked(network)
    for node in network.nodes:
        handler = HANDLERS[node.layer.class_name]
        handler.check(path, node.layer, [sizes[value] for value in node.inputs])
        masked_here = masks[node.inputs[0]]
        if handler.takes_mask and masked_here != takes_mask.get(node.layer.name, masked_here):
            raise UserError("%s: layer '%s' takes %s mask in the file and %s in 1.15, where masks are lost "
                            "and handed on at other layers; mask what goes into the next recurrent one"
                            % ((path, node.layer.name) + (("no", "one") if masked_here else ("a", "none"))))
        if masked_here:
            handler.check_mask(path, node.layer)


def shapes(network, steps):
    """The shape without batch of each value; steps: what stands for an open first axis."""
    found = [item.sized(steps) for item in network.inputs]
    for node in network.nodes:
        found += HANDLERS[node.layer.class_name].shapes(
            node.layer, [found[value] for value in node.inputs])
    return found


def any_length(network):
    """Whether all layers hold for sequences of any length, as recurrent and pointwise ones do."""
    found = [(None,) + tuple(item.shape[1:]) if item.timed else item.shape
             for item in network.inputs]
    for node in network.nodes:
        handler, given = HANDLERS[node.layer.class_name], [found[value] for value in node.inputs]
        if any(None in shape for shape in given) and not handler.any_length:
            return False
        found += handler.shapes(node.layer, given)
    return len(network.inputs) == len(network.outputs) == 1 and network.inputs[0].timed


def masked(network):
    """Of each value, whether it carries a mask of its steps."""
    found = [False] * len(network.inputs)
    for node in network.nodes:
        masks = HANDLERS[node.layer.class_name].masks(node.layer, [found[v] for v in node.inputs])
        found += [masks] + [False] * (len(node.outputs) - 1)
    return found


def timed(network, path="the model"):
    """Of each value, whether a step form sees one step of it at a time.

    UserError names the layer that cannot work so, and the form that can.
    """
    found, sizes = [item.timed for item in network.inputs], shapes(network, None)
    for node in network.nodes:
        handler, layer = HANDLERS[node.layer.class_name], node.layer
        steps = [found[value] for value in node.inputs]
        reason = handler.no_step(layer, steps, [sizes[value] for value in node.inputs])
        if reason:
            raise UserError("%s: no step form: layer '%s' %s" % (path, layer.name, reason))
        after = handler.keeps_steps(layer, [sizes[value] for value in node.inputs]) and any(steps)
        found += [after] + [False] * (len(node.outputs) - 1)
    for item in network.inputs:
        if item.state_of is None and not item.timed and None in item.shape:
            raise UserError("%s: no step form: input '%s' is a sequence that no recurrent layer "
                            "follows, which %s" % (path, item.name, WHOLE))
    return found


def paces(network):
    """Of each value, (calls before its first output, calls from one to the next) in the step form."""
    found, steps = [(0, 1)] * len(network.inputs), timed(network)
    for node in network.nodes:
        first, every = found[node.inputs[0]]
        own = HANDLERS[node.layer.class_name].pace(node.layer) if steps[node.inputs[0]] else (0, 1)
        found += [(first + every * own[0], every * own[1])] * len(node.outputs)
    return found


def step_shapes(network, path="the model"):
    """The shape of each value in the step form: one step of what has steps."""
    return [shape[1:] if steps else shape
            for shape, steps in zip(shapes(network, None), timed(network, path))]


def returned_states(network):
    """The values that are last states of a layer whose first states are inputs of the model."""
    return {value for node in network.nodes for value in node.outputs[1:]
            if len(node.inputs) > 1 and all(
                v < len(network.inputs) and network.inputs[v].state_of for v in node.inputs[1:])}
