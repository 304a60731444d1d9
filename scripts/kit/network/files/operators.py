"""Operators between layers, `a + b` or `x[:, -1, :]`, as the layers that compute the same.

1.15 to 2.3 write them as TensorFlowOpLayer, with the operator of the graph; 2.4 to 2.15 as TFOpLambda and
SlicingOpLambda, with a function's name; Keras 3 as classes of its module `ops`.
"""
from typing import NamedTuple

from kit.network.files.lambdas import rescaling
from kit.network.files.masks import tensors

MERGES = {"add": "Add", "addv2": "Add", "subtract": "Subtract", "sub": "Subtract", "multiply": "Multiply",
          "mul": "Multiply", "maximum": "Maximum", "minimum": "Minimum"}
DIVISIONS = ("divide", "truedivide", "truediv", "realdiv")
ACTIVATIONS = {name: name for name in ("relu", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign")}
ACTIVATIONS.update(silu="swish", swish="swish")
OVER_STEPS = {"mean": "GlobalAveragePooling1D", "reduce_mean": "GlobalAveragePooling1D",
              "max": "GlobalMaxPooling1D", "reduce_max": "GlobalMaxPooling1D"}
# (scale, offset) for a tensor and a number; `first`: the number stands on the left
RESCALING = {"Add": lambda number, first: (1, number),
             "Subtract": lambda number, first: (-1, number) if first else (1, -number),
             "Multiply": lambda number, first: (number, 0),
             "Divide": lambda number, first: None if first or not number else (1 / number, 0)}


class Operation(NamedTuple):
    """A call of an operator, whoever wrote it."""

    name: str  # of the operator, in small letters
    sides: list  # numbers, and tensors as [layer, node, tensor]
    axes: tuple = ()  # that it goes over, and then whether it keeps them
    last_step: bool = False  # x[:, -1] or x[:, -1, :]


def is_operator(item):
    """Is an entry an operator or a slice of the graph, instead of a layer?"""
    return item["class_name"] in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer") or (
        ".ops" in str(item.get("module")))


def named(item):
    """What an operator is called where it was made."""
    config = item["config"]
    return config.get("function") or config.get("node_def", {}).get("op") or item["class_name"]


def as_layer(item):
    """(class name, config) of the layer that computes what an operator does; None where there is none."""
    if item["class_name"] == "TensorFlowOpLayer":
        found = _of_the_graph(item)
    else:
        found = _of_keras_3(item) if isinstance(item["inbound_nodes"][0], dict) else _of_keras_2(item)
    own = {"name": item["name"]}
    if found.last_step:
        return "LastStep", own
    numbers = [side for side in found.sides if isinstance(side, (int, float))]
    merge = MERGES.get(found.name, "Divide" if found.name in DIVISIONS else None)
    if merge and merge != "Divide" and len(found.sides) == 2 and all(map(is_end, found.sides)):
        return merge, own
    if merge in RESCALING and len(numbers) == 1 and len(found.sides) == 2:
        line = RESCALING[merge](numbers[0], found.sides[0] is numbers[0])
        return line and rescaling(item["name"], *line)
    if found.name in ACTIVATIONS and len(found.sides) == 1:
        return "Activation", dict(own, activation=ACTIVATIONS[found.name])
    if found.name in OVER_STEPS and found.axes in ((1, False), ([1], False)):
        return OVER_STEPS[found.name], own
    return None


def is_end(value):
    """Is it [layer, node, tensor, ...], no number and no array of them?"""
    return isinstance(value, (list, tuple)) and len(value) >= 3 and isinstance(value[0], str) and (
        isinstance(value[1], int))


def _of_the_graph(item):
    """The Operation of a TensorFlowOpLayer."""
    node, constants = item["config"]["node_def"], item["config"].get("constants", {})
    name, attributes = node["op"].lower(), node["attr"]
    if name == "stridedslice":
        begin, strides = constants["1"], constants["3"]
        masks = {key: int(attributes[key]["i"]) for key in (
            "begin_mask", "end_mask", "shrink_axis_mask", "ellipsis_mask", "new_axis_mask")}
        others = (1 << len(begin)) - 1 - 2  # all axes but that of the steps
        whole = all(masks[key] & others == others for key in ("begin_mask", "end_mask"))
        return Operation(name, [], last_step=whole and begin[1:2] == [-1] and set(strides) == {1} and [
            masks[key] for key in ("shrink_axis_mask", "ellipsis_mask", "new_axis_mask")] == [2, 0, 0])
    if name in OVER_STEPS:
        return Operation(name, [], (constants["1"], attributes["keep_dims"]["b"]))
    ends = iter(item["inbound_nodes"][0])
    return Operation(name, [constants[place] if place in constants else next(ends)[:3]
                            for place in sorted(map(str, range(len(node["input"]))))])


def _of_keras_2(item):
    """The Operation of a TFOpLambda or a SlicingOpLambda."""
    node, name = item["inbound_nodes"][0], str(item["config"]["function"]).split(".")[-1].lower()
    layer, _, place, keywords = end = (node if isinstance(node[0], str) else node[0])[:4]
    if name == "getitem":
        return Operation(name, [], last_step=_is_last_step(keywords["slice_spec"]))
    first = place if layer == "_CONSTANT_VALUE" else end[:3]
    return Operation(name, [first] + [keywords[key] for key in ("x", "y") if key in keywords],
                     (keywords.get("axis"), keywords.get("keepdims", False)))


def _of_keras_3(item):
    """The Operation of an entry of keras.src.ops."""
    node, config, name = item["inbound_nodes"][0], item["config"], item["class_name"].lower()
    if name == "getitem":
        return Operation(name, [], last_step=_is_last_step(node["args"][1]))
    sides = list(node.get("args", [])) + list(node.get("kwargs", {}).values())
    return Operation(name, [end for side in sides for end in (tensors(side) or [side]) if side is not None],
                     (config.get("axis"), config.get("keepdims", False)))


def _is_last_step(places):
    """Is a slice [:, -1], or [:, -1, :]?"""
    whole = [isinstance(place, dict) and not any(place.get("config", place).values())
             for place in places]
    return places[1:2] == [-1] and whole[:1] + whole[2:] == [True] * (len(places) - 1)
