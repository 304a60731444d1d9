"""Keras' .keras files (a zip of config.json, metadata.json and model.weights.h5)."""
import json
import zipfile

from kit.base.cli import UserError
from kit.network.files import hdf5

SIGNATURE = b"PK"
LARGEST_TEXT = 1 << 26  # bytes; the description of a thousand layers is one megabyte


def read(path):
    """What a .keras file holds; UserError where it is damaged or another zip."""
    try:
        with zipfile.ZipFile(path) as file:
            config = _json(path, file, "config.json")
            version = _json(path, file, "metadata.json").get("keras_version", "")
            weights = _member(path, file, "model.weights.h5", hdf5.LARGEST_RATIO)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
            AttributeError) as error:
        raise UserError("%s: damaged (%s)" % (path, " ".join(str(error).split())[:100]))
    stored = hdf5.read("%s (model.weights.h5)" % path, weights)
    return stored._replace(description=config, version=str(version))


def _json(path, file, name):
    try:
        return json.loads(_member(path, file, name).decode("utf-8"))
    except RecursionError:
        raise UserError("%s: %s is damaged" % (path, name))


def _member(path, file, name, ratio=None):
    """A member's bytes; UserError where it is missing, or larger than such a file can be."""
    try:
        item = file.getinfo(name)
    except KeyError:
        raise UserError("%s: no %s in this zip; it is no .keras file, or of a layout that is not read "
                        "here: save the model as .h5" % (path, name))
    if item.file_size > (ratio * item.compress_size if ratio else LARGEST_TEXT):
        raise UserError("%s: %s says that it is %d bytes, which such a file is not; it is damaged"
                        % (path, name, item.file_size))
    return file.read(item)
