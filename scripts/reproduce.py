"""Rebuilds HEAD from nothing under other circumstances, and compares every byte.

    make reproduce                            everything around it varied at once
    make reproduce ARGS=--each                one circumstance per rebuild, smoke profile
    make reproduce CPUS="SandyBridge Haswell" other machines: emulated CPU models, natively with 1,
                                              2 and 4 threads and other caches, smoke profile
    make reproduce ARGS="--smoke --only native 'hash seed' --without PYTHONHASHSEED"
                                              a pin removed: a test of the test

In:  HEAD of this repository, its dvc.lock and the environments that `make setup` built. Each
     rebuild is a clone in a folder of its own, without DVC's cache.
Out: a table artifact x rebuild; what is the same in every rebuild stands in one row per stage. Then
     the first stage that differs, with the row, key, tensor or byte where it begins. Exit status 1
     when any byte differs. --markdown FILE writes it, too.

With the default profile the reference is dvc.lock; with the smoke profile, or with --set, it is a
first rebuild on this machine under its usual circumstances and with every pin.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import yaml

from kit.base.cli import UserError, parser, run, write_text
from kit.rebuild.clones import ROOT, change_params, clone_head, repro
from kit.rebuild.difference import first_difference

LAUNCHER = os.path.join("scripts", "run")
ELSEWHERE = "{clone}/.venv/bin/python {clone}/scripts/elsewhere.py "
L1_DCACHE_SIZE = 188  # of glibc's sysconf; Python has no name for it
CPU_FEATURES = ("avx", "avx2", "fma", "avx512f")  # of those in /proc/cpuinfo


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
        # Another date, and so fast that five minutes, a deadline of TensorFlow's, are 30 ms.
        Circumstance("clock", emulator="faketime -f +400dx10000", needs="faketime"),
        Circumstance("umask", umask=0o077),
        Circumstance("hostname", shell=(
            "unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"), needs="unshare"),
        Circumstance("one CPU", shell=("taskset", "-c", "0"), needs="taskset"),
        threads(4),
        Circumstance("file order", emulator=ELSEWHERE + "listing=reversed"),
        Circumstance("hash seed", {"PYTHONHASHSEED": "12345"}),
    ]


def machines(cpus):
    """CPU models of qemu's, which take longest, and this machine with other threads and eigen."""
    return [
        Circumstance(cpu, emulator="qemu-x86_64 -cpu %s" % cpu, needs="qemu-x86_64") for cpu in cpus
    ] + [
        Circumstance("native"), threads(1), threads(2), threads(4),
        Circumstance("L1 32 KB", emulator=ELSEWHERE + "caches=32768,524288,33554432"),
        Circumstance("L1 48 KB", emulator=ELSEWHERE + "caches=49152,2097152,33554432"),
    ]


def threads(count):
    """A shell that asks for so many threads."""
    return Circumstance("%d thread%s" % (count, "s" * (count > 1)), {name: str(count) for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS")})


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


# ---------------------------------------------------------------- one rebuild

def prepare(circumstance, base, smoke, changes, without=()):
    """Clone HEAD below `base`; returns the clone's folder.

    changes: {section: {key: value}} of params.yaml; without: pins to take out of the launcher
    """
    clone = os.path.join(place_of(circumstance, base), circumstance.folder)
    clone_head(clone)
    if smoke:
        shutil.copy(os.path.join(clone, "tests", "smoke.yaml"), os.path.join(clone, "params.yaml"))
    if changes:
        change_params(clone, changes)
    for pin in without:
        remove_pin(clone, pin)
    return clone


def rebuild(circumstance, base, clone):
    """Run every stage of a prepared clone; UserError when one fails."""
    say("rebuilding: %s" % circumstance.name)
    place = place_of(circumstance, base)
    home = os.path.join(place, "home")
    os.makedirs(home)
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    environment.update({name: value.format(home=home)
                        for name, value in circumstance.environment.items()})
    # The launcher splits the emulator's words at spaces; `?` stands for one in a path.
    environment["EMULATOR"] = circumstance.emulator.format(clone=clone.replace(" ", "?"))
    repro(clone, os.path.join(place, "log"), environment, circumstance.shell, circumstance.umask)
    say("done: %s" % circumstance.name)


def place_of(circumstance, base):
    return os.path.join(base, circumstance.name.replace(" ", "_"))


def remove_pin(clone, pin):
    """Take one variable out of the launcher of a clone."""
    path = os.path.join(clone, LAUNCHER)
    with open(path) as file:
        text = file.read()
    without = re.sub(r"\b%s=\S+" % re.escape(pin), "", text)
    if without == text:
        raise UserError("%s sets no pin %s" % (LAUNCHER, pin))
    # `export` alone would print the environment.
    write_text(path, re.sub(r"^export *\n", "", without, flags=re.M))


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
    """A Markdown table artifact x rebuild; columns: {name: [(path, stage, same)]}.

    What is the same in every column stands in one row per stage.
    """
    lines = ["| artifact | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    verdicts = {path: [rows[place][2] for rows in columns.values()]
                for place, path in enumerate(expected)}
    stages = {}
    for path, (stage, _) in expected.items():
        stages.setdefault(stage.split("@")[0], []).append(path)
    for stage, paths in stages.items():
        differ = [path for path in paths if not all(verdicts[path])]
        alike = len(paths) - len(differ)
        if alike:
            lines.append("| %s: %d %sartifact%s | %s |" % (
                stage, alike, "other " * bool(differ), "s" * (alike > 1),
                " | ".join(["same"] * len(columns))))
        for path in differ:
            lines.append("| %s | %s |" % (path, " | ".join(
                "same" if same else "**differs**" for same in verdicts[path])))
    return "\n".join(lines) + "\n"


def this_machine():
    """What of this machine could get into the bytes, in a line."""
    with open("/proc/cpuinfo") as file:
        facts = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", file.read(), re.M))
    return "This machine: %s, family %s, model %s (%s), %d KB of L1, %d CPUs, %s." % (
        facts["model name"], facts["cpu family"], facts["model"],
        " ".join(name for name in CPU_FEATURES if name in facts["flags"].split()),
        os.sysconf(L1_DCACHE_SIZE) // 1024, os.cpu_count(),
        os.confstr("CS_GNU_LIBC_VERSION"))


# ---------------------------------------------------------------- the command

def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--each", action="store_true",
                           help="one circumstance per rebuild instead of all at once; smoke profile")
    p.add_argument("--cpus", nargs="+", default=[], metavar="MODEL",
                           help="CPU models of qemu-x86_64 (`qemu-x86_64 -cpu help`); smoke profile")
    p.add_argument("--only", nargs="+", default=[], metavar="COLUMN",
                           help="these rebuilds alone: 'clock', 'native', 'L1 48 KB', Haswell")
    p.add_argument("--smoke", action="store_true", help="the smoke profile")
    p.add_argument("--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE",
                           help="parameters to change, in the reference as well")
    p.add_argument("--without", nargs="+", default=[], metavar="PIN",
                           help="take a variable out of the launcher: bytes may differ then")
    p.add_argument("--markdown", metavar="FILE", help="write the table there")
    p.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                           help="rebuilds side by side (default: one per CPU)")
    p.add_argument("--keep", action="store_true", help="keep the clones")
    return p.parse_args(argv)


def chosen(each, cpus, only):
    """The rebuilds that the arguments ask for, of all that are known."""
    joint, parts, others = all_at_once(circumstances()), circumstances(), machines(cpus)
    if only:
        known = {one.name: one for one in [joint] + parts + others}
        for name in only:
            if name not in known:
                raise UserError("--only %s: known are %s; a CPU model stands in --cpus as well"
                                % (name, ", ".join(known)))
        return [known[name] for name in only]
    return others if cpus else parts if each else [joint]


def changes_of(words):
    """["train.units=64"] -> {"train": {"units": 64}}"""
    changes = {}
    for word in words:
        found = re.match(r"(\w+)\.(\w+)=(.+)$", word)
        if not found:
            raise UserError("--set %s: not of the form section.key=value" % word)
        changes.setdefault(found.group(1), {})[found.group(2)] = yaml.safe_load(found.group(3))
    return changes


def main(argv):
    args = arguments(argv)
    wanted = chosen(args.each, args.cpus, args.only)
    base = tempfile.mkdtemp(prefix="reproduce-")
    try:
        return reproduce(wanted, base, args)
    finally:
        if args.keep:
            print("the clones are in %s" % base)
        else:
            shutil.rmtree(base)


def reproduce(wanted, base, args):
    """Rebuild, compare, report; returns the exit status."""
    changes = changes_of(args.set)
    smoke = bool(args.smoke or args.each or args.cpus)
    stories = ["%s: left out, `%s` is not there or not allowed" % (one.name, one.needs)
               for one in wanted if not available(one)]
    wanted = [one for one in wanted if available(one)]
    # Every clone before the first stage: HEAD may move while they run.
    clones = [prepare(one, base, smoke, changes, args.without) for one in wanted]
    reference = ROOT
    with ThreadPoolExecutor(args.jobs) as pool:
        if smoke or changes:
            usual = Circumstance("reference")
            reference = prepare(usual, base, smoke, changes)
            first = pool.submit(rebuild, usual, base, reference)
        running = [pool.submit(rebuild, one, base, clone) for one, clone in zip(wanted, clones)]
    if reference != ROOT:
        first.result()
    expected = artifacts(reference)
    columns = {}
    for one, clone, done in zip(wanted, clones, running):
        if done.exception():
            stories.append("%s: %s" % (one.name, done.exception()))
            continue
        rows = columns[one.name] = compare(clone, expected)
        if not all(same for _, _, same in rows):
            stories.append("%s: %s" % (one.name, explain(rows, reference, clone)))
    report = "\n".join([table(expected, columns), this_machine()] + stories)
    print(report)
    if args.markdown:
        write_text(args.markdown, report.rstrip() + "\n")
    same = len(columns) == len(wanted) > 0 and all(
        same for rows in columns.values() for _, _, same in rows)
    print("%d artifacts, %d rebuilds: %s" % (
        len(expected), len(columns), "every byte is the same" if same else "NOT the same"))
    return 0 if same else 1


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
