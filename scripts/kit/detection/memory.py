"""What a detector remembers, in a file: a restart goes on where it was. numpy alone.

Arrays are written bit by bit, so that the scores that follow are those of a detector that never
stopped.
"""
import base64

import numpy as np

from kit.base.cli import UserError, read_json, write_json
from kit.base.digest import sha256


def packed(value):
    """Dicts, lists, numbers, strings and arrays as JSON has them."""
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [packed(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        return {"dtype": array.dtype.str, "shape": list(array.shape),
                "bytes": base64.b64encode(array.tobytes()).decode("ascii")}
    return value


def unpacked(value):
    """What `packed` was given."""
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    if isinstance(value, dict) and set(value) == {"dtype", "shape", "bytes"}:
        content = base64.b64decode(value["bytes"])
        return np.frombuffer(content, np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    if isinstance(value, dict):
        return {key: unpacked(item) for key, item in value.items()}
    return value


def save(path, parts, of):
    """Write {name: object with a `state`, or a plain value}; of : files that it belongs to."""
    state = {name: packed(getattr(part, "state", part)) for name, part in parts.items()}
    write_json(path, {"of": [sha256(name) for name in of], "state": state})


def load(path, parts, of):
    """Give the objects their states back; returns {name: plain value} of the others.

    parts : {name: object with a `state`}. UserError for a state of other files, or a damaged one.
    """
    content = read_json(path)
    try:
        if content["of"] != [sha256(name) for name in of]:
            raise UserError("%s is of another model, detector or scaler; take another file, or "
                            "remove it to begin anew" % path)
        state = unpacked(content["state"])
        for name, part in parts.items():
            part.state = state[name]
        return {name: value for name, value in state.items() if name not in parts}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError("%s is damaged (%s); remove it to begin anew"
                        % (path, " ".join(str(error).split())))
