"""Writes down what every artifact was made from: materials, command and products by hash.

    sh scripts/run attest --pipeline dvc.yaml --params params.yaml \\
        --out models/attest/provenance.jsonl

In:  the pipeline and the files that it names, as they are now.
Out: one in-toto Statement per stage and line (https://in-toto.io/Statement/v1), with the predicate
     Link v0.3: its subjects are the stage's outputs, its materials what the stage read. They are
     not signed: the commit that holds the file vouches for them, `verify` looks it up.
"""
import fnmatch
import json
import os

from kit.base.cli import parser, run, write_text
from kit.base.digest import sha256
from kit.base.params import load_params
from kit.rebuild.stages import expand, load_pipeline

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/link/v0.3"


def files(paths, ignored):
    """Every file that a list of files and folders names, in order, each once.

    ignored : patterns of names, of files and of folders, that are no part of a folder
    """
    found = set()
    for path in paths:
        if not os.path.isdir(path):
            found.add(path)
        for folder, folders, names in os.walk(path):
            folders[:] = _kept(folders, ignored)
            found.update(os.path.join(folder, name) for name in _kept(names, ignored))
    return sorted(found)


def _kept(names, ignored):
    return [name for name in names if not any(fnmatch.fnmatchcase(name, p) for p in ignored)]


def load_ignored(pipeline):
    """What is never part of a stage's input: git's own list files, and .dvcignore's names."""
    path, lines = os.path.join(os.path.dirname(pipeline), ".dvcignore"), []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    return [".gitignore"] + [line.lstrip("\\") for line in lines if line[:1] not in ("", "#")]


def resources(paths, ignored):
    """in-toto resource descriptors: names and digests."""
    return [{"name": path, "digest": {"sha256": sha256(path)}} for path in files(paths, ignored)]


def statement(stage, params, ignored=()):
    """The in-toto Statement of one expanded stage."""
    return {
        "_type": STATEMENT,
        "subject": resources(stage.outs, ignored),
        "predicateType": PREDICATE,
        "predicate": {
            "name": stage.name,
            "command": stage.command.split(),
            "materials": resources(stage.deps, ignored),
            "environment": {"interpreter": "CPython 3.7", "params": {
                section: params[section] for section in stage.params}},
        },
    }


def main(argv):
    p = parser(__doc__)
    p.add_argument("--pipeline", default="dvc.yaml", help="the stages (dvc.yaml)")
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    p.add_argument("--out", required=True, help="statements to write (.jsonl)")
    args = p.parse_args(argv)
    params = load_params(args.params)
    stages = [stage for stage in expand(load_pipeline(args.pipeline), params)
              if args.out not in stage.outs]
    ignored = load_ignored(args.pipeline)
    lines = [json.dumps(statement(stage, params, ignored)) for stage in stages]
    write_text(args.out, "\n".join(lines) + "\n")
    print("%d stages attested" % len(stages))


if __name__ == "__main__":
    run(main)
