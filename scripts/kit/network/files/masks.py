"""The masks in a functional description of Keras 3, which writes them down as operators.

`Masking` and `Embedding` there stand beside NotEqual and Any, whose output the layers behind take as
their `mask`. 1.15 makes and hands on the same masks itself, where there is one; where several meet, it
asks for all and Keras 3 for any of them.
"""
from kit.base.cli import UserError

# operators whose output masks a step where one of their inputs does; the second adds nothing
HANDED_ON = ("Any", "ExpandDims", "LogicalOr", "Concatenate", "ConvertToTensor")
NO_MASK = "ZerosLike"


def tensors(value):
    """[layer, node, tensor] of each tensor in the arguments of a call, as Keras 3 writes them."""
    if isinstance(value, (list, tuple)):
        return [end for part in value for end in tensors(part)]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [list(value["config"]["keras_history"])]
    return []


def without_masks(path, items):
    """(the layers without what makes their masks, {layer: whether it takes one}).

    UserError where a mask is not that of one Masking or Embedding. Without masks the second is empty.
    """
    calls = [(item, node) for item in items for node in item.get("inbound_nodes", ())
             if isinstance(node, dict)]
    operators = {item["name"]: (item["class_name"], node) for item, node in calls
                 if ".ops" in str(item.get("module"))}
    makers = {(tuple(end), _masked(item)) for item, node in calls for end in tensors(node.get("args"))}
    made, takes = {}, {}  # made: of each operator for masks, see origins

    def origins(name):
        """{(tensor, value that is masked)} from which an operator's output comes; None: from others."""
        if name not in made:
            made[name] = {None}  # a circle would come back here
            class_name, node = operators.get(name, (None, {}))
            ends = tensors(node.get("args"))
            if class_name == "NotEqual" and len(ends) == 1 and _is_number(node["args"][-1]):
                made[name] = {(tuple(ends[0]), node["args"][-1])}
            elif class_name in HANDED_ON:
                made[name] = set().union(*(origins(end[0]) for end in ends))
            elif class_name == NO_MASK:
                made[name] = set()
        return made[name]

    for item, node in calls:
        given = tensors(node.get("kwargs", {}).get("mask"))
        if "mask" in node.get("kwargs", {}):
            takes[item["name"]] = takes.get(item["name"], False) or bool(given)
        found = set().union(*(origins(end[0]) for end in given))
        if found and (len(found) > 1 or not found <= makers):
            raise UserError("%s: layer '%s' takes a mask that is not that of one Masking or Embedding "
                            "(mask_zero) before it, which 1.15 would make otherwise; mask what goes "
                            "into it, behind where they meet" % (path, item["name"]))
    return [item for item in items if item.get("name") not in made], takes if made else {}


def _is_number(value):
    return isinstance(value, (int, float))


def _masked(item):
    """The value that a layer masks; None of one that makes no mask."""
    config = item["config"]
    if item["class_name"] == "Masking":
        value = config.get("mask_value")
        return value if _is_number(value) else None
    return 0 if item["class_name"] == "Embedding" and config.get("mask_zero") else None
