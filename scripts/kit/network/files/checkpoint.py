"""SavedModel folders and checkpoints of tf.keras: the description, and the arrays by their graph.

A SavedModel keeps Keras' description in one of three places: assets/saved_model.json (1.15's
export_saved_model), saved_model.pb itself (1.15's save_format="tf", 2.0 to 2.4), keras_metadata.pb
(2.5 to 2.15 and tf_keras). Its arrays, and those of model.save_weights("name"), lie in a checkpoint
whose object graph names the layers.
"""
import json
import os

import numpy as np

from kit.base.cli import UserError, read_json
from kit.network.files.arrays import Node, Stored, count

PARTS = (".index", ".meta")  # endings of the files that belong to a checkpoint
NO_LAYERS = ("%s: %s holds operators and arrays, and no description of layers; give the Keras file "
             "that it was made from (model.save), or load its arrays into a Keras model of the same "
             "layers: docs/converting.md, 'From a checkpoint', has the recipe")
OWN_ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"


def read_folder(path):
    """What a SavedModel folder holds; UserError where it has no Keras description."""
    prefix = os.path.join(path, "variables", "variables")
    description, version = _description(path)
    return Stored(description, version, None, _tree(prefix))


def checkpoint_prefix(path):
    """The checkpoint that a path means: its prefix, one of its files, or the folder of it."""
    if os.path.isdir(path):
        named = os.path.join(path, "checkpoint")
        if not os.path.isfile(named):
            return None
        with open(named, encoding="utf-8", errors="replace") as file:
            first = file.readline().partition(":")[2].strip().strip('"')
        path = os.path.join(path, os.path.basename(first))
    base = path
    for ending in PARTS:
        base = base[:-len(ending)] if base.endswith(ending) else base
    base = base.partition(".data-")[0]
    return base if os.path.isfile(base + ".index") else None


def read_checkpoint(prefix):
    """The arrays of model.save_weights("name"); UserError for those of a tf.train.Saver."""
    return Stored(None, "", None, _tree(prefix))


# --- the description --------------------------------------------------------------------------


def _description(path):
    """(Keras' description, the version that wrote it)."""
    named = os.path.join(path, "assets", "saved_model.json")
    metadata = os.path.join(path, "keras_metadata.pb")
    try:
        if os.path.isfile(named):
            found = read_json(named)
        else:
            found = _plain(json.loads(_root_of_metadata(metadata) if os.path.isfile(metadata)
                                      else _root_of_graph(path)))
    except (ValueError, RecursionError):
        raise UserError("%s: Keras' description in this folder is damaged" % path)
    if not isinstance(found, dict) or not isinstance(found.get("config"), (dict, list)):
        raise UserError(NO_LAYERS % (path, "this SavedModel"))
    return found, str(found.get("keras_version", ""))


def _plain(value):
    """Tuples and shapes, which this JSON marks as such, as lists."""
    if isinstance(value, dict) and "items" in value and "class_name" in value:
        value = value["items"]
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def _root_of_graph(path):
    """The metadata of the root object in saved_model.pb."""
    from kit.tf.tf115 import tf  # noqa: F401  (sets TensorFlow up)
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    name = os.path.join(path, "saved_model.pb")
    try:
        with open(name, "rb") as file:
            nodes = SavedModel.FromString(file.read()).meta_graphs[0].object_graph_def.nodes
    except OSError as error:
        raise UserError("%s: %s" % (name, error.strerror))
    except (DecodeError, IndexError):
        raise UserError("%s: damaged" % name)
    if not nodes or not nodes[0].user_object.metadata:
        raise UserError(NO_LAYERS % (path, "this SavedModel"))
    return nodes[0].user_object.metadata


def _root_of_metadata(path):
    """The JSON of the object "root" in keras_metadata.pb, a list of {path: 3, metadata: 5}."""
    with open(path, "rb") as file:
        data = file.read()
    for number, node in _fields(path, data):
        found = dict(_fields(path, node)) if number == 1 else {}
        if found.get(3) == b"root" and 5 in found:
            return found[5].decode("utf-8", "replace")
    raise UserError("%s: no description of the model in it" % path)


def _fields(path, data):
    """(number, value) of each field of a protobuf message whose class is not in 1.15."""
    place = 0
    while place < len(data):
        key, place = _varint(path, data, place)
        value, place = _varint(path, data, place)
        if key & 7 == 2:  # length and bytes; else a number
            value, place = data[place:place + value], place + value
        elif key & 7 or place > len(data):
            raise UserError("%s: damaged" % path)
        yield key >> 3, value


def _varint(path, data, place):
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(data):
            break
        value, place = value | (data[place] & 127) << shift, place + 1
        if data[place - 1] < 128:
            return value, place
    raise UserError("%s: damaged" % path)


# --- the arrays -------------------------------------------------------------------------------


def _tree(prefix):
    """The object graph of a checkpoint as Nodes."""
    from kit.tf.tf115 import tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    try:
        reader = tf.train.load_checkpoint(prefix)
        _check_sizes(prefix, reader)
        names = reader.get_variable_to_shape_map()
        if "_CHECKPOINTABLE_OBJECT_GRAPH" not in names:
            raise UserError(NO_LAYERS % (prefix, "a checkpoint of tf.train.Saver"))
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        return _Graph(graph.nodes, reader).node(0, ())
    except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
        raise UserError("%s: damaged, or not whole (%s)"
                        % (prefix, " ".join(str(error).split())[:100]))


def _check_sizes(prefix, reader):
    """UserError where the index says that there is more than the data files hold."""
    folder, name = os.path.split(os.path.abspath(prefix))
    held = sum(os.path.getsize(os.path.join(folder, other)) for other in os.listdir(folder)
               if other.startswith(name + ".data-"))
    types = reader.get_variable_to_dtype_map()
    said = sum(count(shape) * types[key].size
               for key, shape in reader.get_variable_to_shape_map().items())
    if said > held:
        raise UserError("%s: %d bytes of arrays in the index, %d in the data files; it is damaged or "
                        "not whole" % (prefix, said, held))


class _Graph:
    """Objects of a checkpoint, each visited once on the way down."""

    SKIPPED = ("keras_api", "optimizer", "signatures", "root", "non_trainable_variables",
               "trainable_variables", "regularization_losses", "_random_generator", "state_spec")

    def __init__(self, nodes, reader):
        self.nodes, self.reader = nodes, reader
        self.left = 20 * len(nodes) + 1000  # visits; an object has few owners

    def node(self, number, above):
        """The Node of an object; its own variables in the order in which they were made."""
        self.left -= 1
        if self.left < 0:
            raise ValueError("objects that own each other")
        children = [(child.local_name, child.node_id) for child in self.nodes[number].children
                    if child.local_name not in self.SKIPPED and child.node_id not in above]
        is_layer = any(name.startswith("layer-") for name, _ in children)
        listed = dict(children).get("variables")
        if listed is not None and not is_layer:  # Keras' own list, in a SavedModel
            children = sorted(((c.local_name, c.node_id) for c in self.nodes[listed].children),
                              key=lambda child: int(child[0]))
        arrays = [self.array(child) for _, child in children if self.nodes[child].attributes]
        below = {name: self.node(child, above + (number,)) for name, child in children
                 if name != "variables" and not self.nodes[child].attributes
                 and not (is_layer and not name.startswith("layer-"))}
        return Node([array for array in arrays if array.dtype == np.float32], below)

    def array(self, number):
        return self.reader.get_tensor(self.nodes[number].attributes[0].checkpoint_key)
