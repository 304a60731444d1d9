"""Says whether a file came from this repository: from which commit, by which stage.

    make verify FILE=step_int8.tflite
    sh scripts/run verify step_int8.tflite

In:  any copy of an artifact, and the history of this repository (no DVC cache is needed).
Out: `yes` with commit, stage and what went in, exit status 0; or `no`, exit status 1. Found by the
     SHA-256 in the history of models/attest/provenance.jsonl: the first commit whose statement fits
     it, the sources that it names being those of the commit, its data from stages of the same.
"""
import json

from kit.base.cli import UserError, parser, run
from kit.base.digest import sha256, sha256_of
from kit.rebuild.clones import find, git

PROVENANCE = "models/attest/provenance.jsonl"


def commits_naming(digest):
    """The commits whose provenance names a digest, the oldest first."""
    changes = git("log", "--all", "--reverse", "--format=%H", "--", PROVENANCE).split()
    return [commit for commit in changes if digest in provenance_text(commit)]


def provenance_text(commit):
    """The statements of a commit as text; empty where it has none."""
    try:
        return git("show", "%s:%s" % (commit, PROVENANCE))
    except UserError:
        return ""


def statements(text):
    """Every statement of a provenance file."""
    return [json.loads(line) for line in text.splitlines()]


def producer(known, digest):
    """The statement that has the digest among its products, and the product's name."""
    for item in known:
        for subject in item["subject"]:
            if subject["digest"]["sha256"] == digest:
                return item, subject["name"]
    return None, None


def broken_materials(item, known, commit_file):
    """Names of materials that are neither a product of a stage nor a file of the commit."""
    products = {(subject["name"], subject["digest"]["sha256"])
                for other in known for subject in other["subject"]}
    broken = []
    for material in item["predicate"]["materials"]:
        name, digest = material["name"], material["digest"]["sha256"]
        if (name, digest) not in products and sha256_of(commit_file(name)) != digest:
            broken.append(name)
    return broken


def judged(commit, digest):
    """(statement, name of the product, None), or what speaks against the commit in third place."""
    known = statements(provenance_text(commit))
    item, name = producer(known, digest)
    if item is None:
        return None, None, "commit %s names sha256 %s as an input only" % (commit, digest)
    broken = broken_materials(item, known, file_at(commit))
    return item, name, broken and "the statement of commit %s does not fit its own files: %s" % (
        commit, ", ".join(broken))


def file_at(commit):
    """A function that reads a file of a commit; empty bytes where it is not there."""
    def read(name):
        try:
            return git("show", "%s:%s" % (commit, name)).encode("utf-8")
        except UserError:
            return b""
    return read


def main(argv):
    p = parser(__doc__)
    p.add_argument("file", help="an artifact, for example step_int8.tflite")
    path = find(p.parse_args(argv).file)
    digest = sha256(path)
    commits = commits_naming(digest)
    if not commits:
        print("no: %s (sha256 %s) is no product of any commit here" % (path, digest))
        return 1
    for commit in commits:
        item, name, doubt = judged(commit, digest)
        if not doubt:
            break
    else:
        print("no: %s" % doubt)
        return 1
    print("yes: %s\n  sha256  %s\n  is      %s\n  commit  %s\n  stage   %s\n  from    %s" % (
        path, digest, name, commit, item["predicate"]["name"],
        "\n          ".join("%s %s" % (material["digest"]["sha256"][:12], material["name"])
                            for material in item["predicate"]["materials"])))
    return 0


if __name__ == "__main__":
    run(main)
