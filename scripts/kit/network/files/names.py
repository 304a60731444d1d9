"""Names of layers that newer Kerases allow and TensorFlow 1.15's graphs do not ("my layer", "_x")."""
import re

from kit.network.files.arrays import is_model, layers_of, name_of

PLAIN = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-]*$")


def with_plain_names(description, arrays):
    """The same model, each other name replaced by a plain one that no layer has yet."""
    known = {name for name in _names(description) if PLAIN.match(name)}
    plain = {}
    for name in sorted(set(_names(description)) - known):
        new = re.sub(r"^(?=[_\-]|$)", "layer", re.sub(r"[^A-Za-z0-9_.\-]", "_", name))
        while new in known:
            new += "_"
        known.add(new)
        plain[name] = new
    if not plain:
        return description, arrays
    return _renamed(description, plain), {
        "/".join(plain.get(part, part) for part in _parts(path, plain)): values
        for path, values in arrays.items()}


def _names(item):
    """The names of all layers within a model, and its own."""
    yield name_of(item)
    config = item["config"]
    inner = layers_of(item) if is_model(item) else [config["layer"]] if "layer" in config else []
    for layer in inner:
        yield from _names(layer)


def _renamed(value, plain):
    if isinstance(value, dict):
        return {key: _renamed(part, plain) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, plain) for part in value]
    return plain.get(value, value) if isinstance(value, str) else value


def _parts(path, plain):
    """The layers' names along a path; one of them may hold a slash itself."""
    if path in plain:
        return [path]
    return path.split("/")
