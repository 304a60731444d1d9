"""params.yaml, checked as a whole against params.schema.yaml before any stage computes."""
import math
import os
import reprlib

import jsonschema
import yaml

from kit.base.cli import UserError
from kit.base.pins import say_unless_pinned

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SCHEMA = os.path.join(ROOT, "params.schema.yaml")


def load_params(path="params.yaml", schema_path=SCHEMA):
    """Every section of params.yaml as a dict; UserError names the key and what is allowed."""
    say_unless_pinned()
    params = load_yaml(path)
    check_plain(params, path)
    errors = sorted(
        jsonschema.Draft7Validator(load_yaml(schema_path)).iter_errors(params),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    if errors:
        raise UserError("%s: %s" % (path, describe(errors[0])))
    check_together(params, path)
    return params


def describe(error):
    """One sentence for a schema violation: the key, what is wrong, what is allowed."""
    key = ".".join(str(part) for part in error.absolute_path) or "the file"
    schema = error.schema
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(schema["properties"]), key=str)[0]
        return "unknown key %s; allowed here: %s" % (
            _join(error.absolute_path, unknown), ", ".join(sorted(schema["properties"])))
    if error.validator == "required":
        missing = [name for name in schema["required"] if name not in error.instance][0]
        return "key %s is missing (%s)" % (
            _join(error.absolute_path, missing), allowed(schema["properties"][missing]))
    return "%s is %s; allowed: %s" % (key, reprlib.repr(error.instance), allowed(schema))


def allowed(schema):
    """What a schema allows, in words."""
    words = []
    if "enum" in schema:
        words.append("one of " + ", ".join(map(str, schema["enum"])))
    elif "type" in schema:
        types = schema["type"]
        words.append(" or ".join(types) if isinstance(types, list) else types)
    bounds = (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"),
              ("exclusiveMaximum", "below"), ("minItems", "with at least this many entries:"))
    words += ["%s %s" % (text, schema[name]) for name, text in bounds if name in schema]
    if "description" in schema:
        words.append(schema["description"])
    return ", ".join(words)


def is_simulation(source):
    """Whether `generate.source` names the simulation's code rather than a log of one's own."""
    code = os.path.join(ROOT, "scripts", "kit", "source", "machine.py")
    path = os.path.join(ROOT, source)
    return os.path.exists(path) and os.path.samefile(path, code)


def check_plain(value, path, *keys):
    """What a schema cannot say: keys are text, and NaN, which no bound holds, is no number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise UserError("%s: the key %s is %s; allowed: text" % (
                    path, _join(keys, key), type(key).__name__))
            check_plain(inner, path, *keys, key)
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise UserError("%s: %s is %r; allowed: a finite number"
                            % (path, ".".join(keys) or "the file", number))


def check_together(params, path):
    """The rules that span two keys; how long the parts of a log are, kit.source.parts sees itself."""
    if not is_simulation(params["generate"]["source"]):
        return
    window = params["train"]["window_steps"]
    for part in ("train", "validation", "test"):
        key = "%s_samples" % part
        samples = params["generate"][key]
        if samples < 2 * window:
            raise UserError(
                "%s: train.window_steps is %d, but generate.%s is %d; "
                "allowed: a window of at most half of the shortest part (%d)"
                % (path, window, key, samples, samples // 2))


def _join(path, name):
    return ".".join([str(part) for part in path] + [str(name)])


def load_yaml(path):
    """The content of a YAML file; UserError when it is missing or none."""
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date such as 2020-13-01
        raise UserError("%s is not YAML: %s" % (path, " ".join(str(error).split())))
