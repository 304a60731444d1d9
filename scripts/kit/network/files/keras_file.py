"""Any file or folder that holds a Keras model, as layers in 1.15's words with an array per weight.

    model.h5, model.keras, saved_model/                   whole models
    weights.h5, checkpoint  with  --architecture model.json   weights, and the model they are of

Taken from Keras 2.0 to 2.15 (standalone, tf.keras of 1.13 on, tf_keras) and Keras 3.
"""
import hashlib
import json
import os
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError
from kit.base.digest import sha256
from kit.network.files import archive, checkpoint, hdf5
from kit.network.files.archive import LARGEST_TEXT
from kit.network.files.arrays import Stored, by_leaf, layers_of, leaves, native
from kit.network.files.clean import cleaned
from kit.network.files.lambdas import replacements
from kit.network.files.names import with_plain_names

YAML = (".yaml", ".yml")


class KerasFile(NamedTuple):
    """A model as read: `description` for 1.15's Keras, `arrays` of float32 per layer."""

    path: str  # what messages name
    description: dict  # {"class_name": "Sequential" or "Model", "config": ...}
    arrays: dict  # {"layer" or "nested/layer": [arrays in the order of 1.15's layer.weights]}
    sources: tuple  # files and folders that it was read from


def add_arguments(parser):
    """The options of every script that reads a Keras file."""
    parser.add_argument("--architecture", metavar="MODEL.json", help="model.to_json() of the model, "
                        "where the file holds weights alone")
    parser.add_argument("--weights", metavar="WEIGHTS.h5", help="model.save_weights(...) of the "
                        "model, where the file holds the architecture alone (.json)")


    parser.add_argument("--replace-lambda", metavar="NAME=WHAT", action="append", help="what a Lambda "
                        "layer computes: an activation (tanh), a factor (0.5), arithmetic in x "
                        "('x / 255'); may be given several times")
    parser.add_argument("--expected", metavar="OUTPUTS.npy", help="what the model computed where it "
                        "was trained, for the first windows of the data: the reference is checked "
                        "once more against it")


def read_asked(path, args):
    """read_keras of a path with the options of add_arguments."""
    return read_keras(path, args.weights, args.architecture, replacements(args.replace_lambda))


def read_keras(path, weights=None, architecture=None, lambdas=None):
    """The KerasFile of a path; UserError in one sentence, which names what is missing.

    lambdas : {layer: what it computes} for Lambda layers
    """
    sources = tuple(filter(None, (path, weights, architecture)))
    stored = {source: _stored(source) for source in sources}
    holder, describer = weights or path, architecture or path
    filled, described = stored[holder], stored[describer]
    if described.description is None:
        raise UserError(
            "%s: it holds weights alone; give the architecture (model.to_json()) with "
            "--architecture model.json, or save the whole model with model.save(...)" % describer)
    if filled.flat is None and filled.tree is None:
        raise UserError("%s: an architecture without weights; give those (model.save_weights(...)) "
                        "with --weights weights.h5" % holder)
    if holder != describer:  # whole models may serve as either
        filled = filled._replace(description=None)
    description, arrays = _model(described, describer, filled, holder, lambdas or {})
    return KerasFile(path, description, arrays, sources)


def _model(described, describer, filled, holder, lambdas):
    """(description for 1.15, arrays per layer), checked for what the files themselves can show."""
    try:
        description = cleaned(describer, described.description, described.version, lambdas)
        found = by_leaf(holder, described.description, description, filled)
        arrays = {name: native(item, found.get(name, []))
                  for name, item in leaves_of(description)}
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError,
            RecursionError) as error:
        raise UserError("%s: the description of the layers is damaged, or not as Keras writes it "
                        "(%s: %s)" % (describer, type(error).__name__, str(error)[:100]))
    _check_finite(holder, arrays)
    return with_plain_names(description, arrays)


def leaves_of(description):
    """(path, entry) of each layer of a whole model that is no model itself."""
    return [leaf for layer in layers_of(description) for leaf in leaves(layer)]


def digest(*sources):
    """The sha256 of the one file that a model was read from, or of the hashes of all of them."""
    names = [name for source in sources for name in _files(source)]
    if len(names) == 1:
        return sha256(names[0])
    return hashlib.sha256("".join(map(sha256, names)).encode()).hexdigest()


def _files(source):
    prefix = None if os.path.isfile(source) else checkpoint.checkpoint_prefix(source)
    if prefix:
        folder = os.path.dirname(prefix) or "."
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                      if name.startswith(os.path.basename(prefix) + "."))
    if not os.path.isdir(source):
        return [source]
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(source)
                  for name in names)


# --- which reader -----------------------------------------------------------------------------


def _stored(path):
    """What is in a file or folder, by its content and not by its name."""
    if os.path.basename(path) == "saved_model.pb":
        path = os.path.dirname(path) or "."
    if os.path.isdir(os.path.join(path, "variables")):
        return checkpoint.read_folder(path)
    prefix = checkpoint.checkpoint_prefix(path)
    if prefix:
        return checkpoint.read_checkpoint(prefix)
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    if start == hdf5.SIGNATURE:
        return hdf5.read(path)
    if start.startswith(archive.SIGNATURE):
        return archive.read(path)
    if path.endswith((".json",) + YAML):
        return _architecture(path)
    if path.endswith(".tflite"):
        raise UserError("%s: is converted already; a Keras model is needed" % path)
    if path.endswith(".pb"):
        raise UserError(checkpoint.NO_LAYERS % (path, "a frozen graph"))
    raise UserError("%s: not a Keras file, or damaged; .h5, .keras, a SavedModel folder, or weights "
                    "with their architecture .json are read" % path)


def _architecture(path):
    """model.to_json(), model.to_yaml() or model.get_config() in a file."""
    try:
        if os.path.getsize(path) > LARGEST_TEXT:
            raise ValueError("too large")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = _yaml(text) if path.endswith(YAML) else json.loads(text)
        if isinstance(found, str):  # json.dump(model.to_json(), file), which wraps it once more
            found = json.loads(found)
        if not isinstance(found, dict):
            raise ValueError("no class_name and config in it")
        if "class_name" not in found and "layers" in found:
            class_name = "Model" if "input_layers" in found else "Sequential"
            found = {"class_name": class_name, "config": found}
        if not {"class_name", "config"} <= set(found):
            raise ValueError("no class_name and config in it")
    except (ValueError, RecursionError) as error:
        raise UserError("%s: not the architecture of a Keras model, model.to_json() (%s)"
                        % (path, " ".join(str(error).split())[:100]))
    return Stored(found, str(found.get("keras_version", "")), None, None)


def _yaml(text):
    """Keras 2 wrote tuples with a tag of Python's; nothing else is made of tags here."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent, index):
            if self.check_event(yaml.AliasEvent):
                raise ValueError("a reference within it")
            return super().compose_node(parent, index)

    Loader.add_constructor("tag:yaml.org,2002:python/tuple", Loader.construct_sequence)
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(error)


def _check_finite(path, arrays):
    for name, weights in arrays.items():
        if not all(np.isfinite(array).all() for array in weights):
            raise UserError("%s: the weights of layer '%s' are not all finite; the training "
                            "diverged" % (path, name))
