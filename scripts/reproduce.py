"""Rebuilds HEAD from nothing under other circumstances, and compares every byte.

    make reproduce                            everything around it varied at once
    make reproduce ARGS=--each                one circumstance per rebuild, smoke profile
    make reproduce CPUS="SandyBridge Haswell" emulated CPU models, smoke profile
    make reproduce ARGS="--each --without OPENBLAS_CORETYPE"    a pin removed: a test of the test

In:  HEAD of this repository, its dvc.lock and the environments that `make setup` built. Each
     rebuild is a clone in a folder of its own, without DVC's cache.
Out: a table artifact x rebuild: `same`, or the first stage that differs, with the row, key, tensor
     or byte where it begins. Exit status 1 when any byte differs. --markdown FILE writes the table.

With the default profile the reference is dvc.lock; with the smoke profile it is a first rebuild on
this machine under its usual circumstances.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import yaml

from kit.cli import UserError, parser, run, write_text
from kit.clones import ROOT, clone_head, repro
from kit.difference import first_difference

LAUNCHER = os.path.join("scripts", "run")


class Circumstance(NamedTuple):
    """What is other in one rebuild than on the person's machine."""

    name: str
    environment: dict = {}  # variables of the shell that runs DVC
    folder: str = "kit"  # of the clone, below a temporary one
    umask: int = 0o022
    shell: tuple = ()  # put before the command
    emulator: str = ""  # put before the interpreter of each stage
    needs: str = ""  # a command that must be there


def circumstances():
    """The variations of reprotest that a pipeline can meet."""
    return [
        Circumstance("path", folder="another place/with a space/kit"),
        Circumstance("home", {"HOME": "{home}"}),
        Circumstance("user", {"USER": "somebody", "LOGNAME": "somebody"}),
        Circumstance("locale", {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8"}),
        Circumstance("time zone", {"TZ": "Pacific/Kiritimati"}),
        Circumstance("clock", emulator="faketime -f +400d", needs="faketime"),
        Circumstance("umask", umask=0o077),
        Circumstance("hostname", shell=(
            "unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"), needs="unshare"),
        Circumstance("one CPU", shell=("taskset", "-c", "0"), needs="taskset"),
        Circumstance("threads", {name: "4" for name in (
            "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}),
        Circumstance("file order", emulator="sh {clone}/scripts/reversed_listing"),
        Circumstance("hash seed", {"PYTHONHASHSEED": "12345"}),
    ]


def all_at_once(parts):
    """One circumstance that joins those that this machine can make."""
    parts = [part for part in parts if available(part)]
    environment = {}
    for part in parts:
        environment.update(part.environment)
    return Circumstance(
        "everything", environment, next(part.folder for part in parts if part.name == "path"),
        0o077, sum((part.shell for part in parts), ()),
        " ".join(part.emulator for part in parts if part.emulator))


def available(circumstance):
    """Whether this machine can make it; `unshare` also needs the right to."""
    if not circumstance.needs:
        return True
    if not shutil.which(circumstance.needs):
        return False
    return not circumstance.shell or subprocess.call(
        list(circumstance.shell) + ["true"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL) == 0


def emulated(cpu):
    """A rebuild whose stages run on a CPU model of qemu's."""
    return Circumstance(cpu, emulator="qemu-x86_64 -cpu %s" % cpu, needs="qemu-x86_64")


# ---------------------------------------------------------------- one rebuild

def rebuild(circumstance, base, smoke, without):
    """Clone HEAD below `base` and run every stage; returns the clone's folder."""
    place = os.path.join(base, circumstance.name.replace(" ", "_"))
    clone, home = os.path.join(place, circumstance.folder), os.path.join(place, "home")
    os.makedirs(home)
    clone_head(clone)
    if smoke:
        shutil.copy(os.path.join(clone, "tests", "smoke.yaml"), os.path.join(clone, "params.yaml"))
    for pin in without:
        remove_pin(clone, pin)
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    environment.update({name: value.format(home=home)
                        for name, value in circumstance.environment.items()})
    # The launcher splits the emulator's words at spaces; `?` stands for one in a path.
    environment["EMULATOR"] = circumstance.emulator.format(clone=clone.replace(" ", "?"))
    repro(clone, os.path.join(place, "log"), environment, circumstance.shell, circumstance.umask)
    return clone


def remove_pin(clone, pin):
    """Take one variable out of the launcher of a clone."""
    path = os.path.join(clone, LAUNCHER)
    with open(path) as file:
        text = file.read()
    without = re.sub(r"\b%s=\S+" % re.escape(pin), "", text)
    if without == text:
        raise UserError("%s sets no pin %s" % (LAUNCHER, pin))
    write_text(path, without.replace("export \n", "\n"))


# ---------------------------------------------------------------- comparison

def artifacts(folder):
    """{path: (stage, md5)} of every output in a dvc.lock, in the order of the pipeline."""
    with open(os.path.join(folder, "dvc.lock")) as file:
        stages = yaml.safe_load(file)["stages"]
    return {out["path"]: (stage, out["md5"])
            for stage in order(stages) for out in stages[stage]["outs"]}


def order(stages):
    """Stage names, each after the stages whose outputs it depends on."""
    makers = {out["path"]: stage for stage, spec in stages.items() for out in spec["outs"]}
    done = []

    def visit(stage):
        for dep in stages[stage]["deps"]:
            for path, maker in sorted(makers.items()):
                if path == dep["path"] or path.startswith(dep["path"] + "/"):
                    if maker not in done:
                        visit(maker)
        if stage not in done:
            done.append(stage)

    for stage in sorted(stages):
        visit(stage)
    return done


def compare(clone, expected):
    """[(path, stage, same)] of every artifact that `expected` names."""
    found = artifacts(clone)
    return [(path, stage, found.get(path, ("", None))[1] == md5)
            for path, (stage, md5) in expected.items()]


def explain(rows, reference, clone):
    """Where the first artifact that differs begins to, in a sentence."""
    path, stage = next((path, stage) for path, stage, same in rows if not same)
    ours, theirs = os.path.join(reference, path), os.path.join(clone, path)
    if not (os.path.exists(ours) and os.path.exists(theirs)):
        return "stage %s first: %s (run `dvc pull` or `make all` to see where)" % (stage, path)
    return "stage %s first: %s: %s" % (stage, path, first_difference(ours, theirs))


def table(expected, columns):
    """A Markdown table artifact x rebuild; columns: {name: [(path, stage, same)]}."""
    lines = ["| artifact | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row, path in enumerate(expected):
        cells = ["same" if rows[row][2] else "**differs**" for rows in columns.values()]
        lines.append("| %s | %s |" % (path, " | ".join(cells)))
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the command

def parse(argv):
    arguments = parser(__doc__)
    arguments.add_argument("--each", action="store_true",
                           help="one circumstance per rebuild instead of all at once")
    arguments.add_argument("--cpus", nargs="+", default=[], metavar="MODEL",
                           help="CPU models of qemu-x86_64 (`qemu-x86_64 -cpu help`)")
    arguments.add_argument("--without", nargs="+", default=[], metavar="PIN",
                           help="take a variable out of the launcher: bytes may differ then")
    arguments.add_argument("--markdown", metavar="FILE", help="write the table there")
    arguments.add_argument("--keep", action="store_true", help="keep the clones")
    return arguments.parse_args(argv)


def main(argv):
    args = parse(argv)
    smoke = bool(args.each or args.cpus)
    wanted = [emulated(cpu) for cpu in args.cpus] or (
        circumstances() if args.each else [all_at_once(circumstances())])
    base = tempfile.mkdtemp(prefix="reproduce-")
    try:
        return reproduce(wanted, base, smoke, args)
    finally:
        if args.keep:
            print("the clones are in %s" % base)
        else:
            shutil.rmtree(base)


def reproduce(wanted, base, smoke, args):
    reference = ROOT
    if smoke:
        say("rebuilding: reference")
        reference = rebuild(Circumstance("reference"), base, smoke, [])
    expected = artifacts(reference)
    columns, stories = {}, []
    for circumstance in wanted:
        if not available(circumstance):
            stories.append("%s: left out, `%s` is not there or not allowed"
                           % (circumstance.name, circumstance.needs))
            continue
        say("rebuilding: %s" % circumstance.name)
        clone = rebuild(circumstance, base, smoke, args.without)
        rows = columns[circumstance.name] = compare(clone, expected)
        if not all(same for _, _, same in rows):
            stories.append("%s: %s" % (circumstance.name, explain(rows, reference, clone)))
    report = "\n".join([table(expected, columns)] + stories)
    print(report)
    if args.markdown:
        write_text(args.markdown, report.rstrip() + "\n")
    same = columns and all(same for rows in columns.values() for _, _, same in rows)
    print("%d artifacts, %d rebuilds: %s" % (
        len(expected), len(columns), "every byte is the same" if same else "NOT the same"))
    return 0 if same else 1


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
