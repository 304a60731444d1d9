"""dvc.yaml as a list of stages: matrices expanded, parameters filled in."""
import itertools
import re
from typing import NamedTuple

import yaml

from kit.base.cli import UserError


class Stage(NamedTuple):
    """One stage as DVC runs it."""

    name: str  # as in `dvc repro NAME`
    command: str
    deps: list  # paths
    outs: list  # paths
    params: list  # sections of params.yaml


def load_pipeline(path):
    """The stages of a dvc.yaml, as written there."""
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file)["stages"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError("%s is not a pipeline: %s" % (path, error))


def expand(pipeline, params):
    """Every Stage of a pipeline, in its order; a matrix gives one stage per combination."""
    return [stage for name, spec in pipeline.items() for stage in _expand_one(name, spec, params)]


def _expand_one(name, spec, params):
    matrix = spec.get("matrix", {})
    for values in itertools.product(*matrix.values()):
        suffix = "@" + "-".join(map(str, values)) if values else ""
        known = dict(params, item=dict(zip(matrix, values)))
        yield Stage(name + suffix, fill(spec["cmd"].strip(), known),
                    [fill(path, known) for path in spec["deps"]],
                    [fill(path_of(out), known) for out in spec["outs"]], spec.get("params", []))


def path_of(out):
    """The path of an output, which stands alone or as the key of its options."""
    return next(iter(out)) if isinstance(out, dict) else out


def fill(text, known):
    """Replace each ${a.b} by known["a"]["b"]."""
    def value(match):
        found = known
        for key in match.group(1).split("."):
            found = found[key]
        return str(found)

    return re.sub(r"\$\{([\w.]+)\}", value, text)
