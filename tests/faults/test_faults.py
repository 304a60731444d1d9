"""The table of docs/reliability.md: a fault, and `make all` after it gives the bytes of dvc.lock.

    sh scripts/run test tests/faults                     a few kills
    FAULT_KILLS=100 sh scripts/run test tests/faults     as many, at moments drawn from FAULT_SEED

Each fault strikes a copy of the tree in which the pipeline ran on the smoke profile.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
import yaml

from conftest import DVC, ENVIRONMENT, outputs, sh
from kit.base.digest import md5
from kit.rebuild.stages import expand, load_pipeline

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FAULT_KILLS", 2))
SEED = int(os.environ.get("FAULT_SEED", 1))
STAGES = ("generate", "train", "freeze", "convert@window-float32", "convert@step-int8", "evaluate",
          "report", "attest")
SLOWEST_S = 20  # of a stage of the smoke profile, its start included
ROOM = "4k"  # of the small disk: less than any stage writes
MEMORY_KB = (400000, 900000, 1400000)  # of address space: at the start, while importing, later

need_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting a disk needs root")


@pytest.fixture(scope="module")
def tree(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "kit"
    shutil.copytree(str(built), str(folder), symlinks=True)
    return folder


@pytest.fixture(autouse=True)
def the_same_bytes_after(tree):
    """After each fault, `make all` ends with what dvc.lock says, and nothing half-written is left."""
    wanted = outputs(tree)
    yield
    said = sh(tree, "make", "all", "DVC=" + DVC)
    assert outputs(tree) == wanted, said
    assert {path: md5(str(tree / path)) for path in wanted} == wanted
    left = [name for _, _, names in os.walk(str(tree / "models")) for name in names
            if name.endswith(".partial")]
    assert not left


def start(tree, *command):
    return subprocess.Popen(command, cwd=str(tree), env=ENVIRONMENT, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True)


def below(number):
    """The processes below one, the lowest last."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == number:
            found += [int(name)] + below(int(name))
    return found


def alive(number):
    try:
        with open("/proc/%d/stat" % number) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def damaged_outputs(tree, wanted):
    """Outputs that are there and are not what they were."""
    return [path for path, digest in wanted.items()
            if (tree / path).exists() and md5(str(tree / path)) != digest]


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("victim", ["stage", "dvc"])
def test_kill_9(tree, victim, number):
    rng = random.Random("%s %d %d" % (victim, number, SEED))
    stage, moment = rng.choice(STAGES), rng.uniform(0, SLOWEST_S)
    wanted = outputs(tree)
    dvc = start(tree, DVC, "repro", "--force", "--single-item", stage)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline and dvc.poll() is None:
        time.sleep(0.05)
    processes = below(dvc.pid)
    for process in processes if victim == "stage" else [dvc.pid]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    dvc.stdout.close()
    dvc.wait()
    deadline = time.monotonic() + 30
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(filter(alive, processes)), "a stage outlived its DVC"
    assert not damaged_outputs(tree, wanted)


@need_root
@pytest.mark.parametrize("name", STAGES)
def test_disk_full(tree, name):
    done, said = on_a_disk(tree, name, "size=" + ROOM)
    assert done == 1 and re.search(r"error: .* cannot be written: No space left on device", said)
    assert said.count("Traceback") == 0


@need_root
@pytest.mark.parametrize("name", STAGES)
def test_read_only_folder(tree, name):
    done, said = on_a_disk(tree, name, "ro")
    assert done == 1 and re.search(r"error: .* cannot be written: Read-only file system", said)
    assert said.count("Traceback") == 0


def on_a_disk(tree, name, options):
    """(status, what it said) of a stage whose outputs come to a disk of their own."""
    with open(str(tree / "params.yaml")) as file:
        params = yaml.safe_load(file)
    stage, = [one for one in expand(load_pipeline(str(tree / "dvc.yaml")), params)
              if one.name == name]
    folder = str(tree / os.path.dirname(stage.outs[0]))
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder])
    try:
        process = start(tree, "sh", "-c", stage.command)
        said, _ = process.communicate()
        assert os.listdir(folder) == [], "a part of what belongs together"
        return process.returncode, said
    finally:
        subprocess.check_call(["umount", folder])


def test_two_at_once(tree):
    """The second waits for nobody and breaks nothing: DVC holds a lock."""
    both = [start(tree, DVC, "repro", "--force", "--single-item", "freeze") for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert 0 in [process.returncode for process in both], said


def test_corrupt_cache_object(tree):
    name = "models/train/history.csv"
    digest = outputs(tree)[name]
    path = tree / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    os.chmod(str(path), 0o644)
    path.write_bytes(path.read_bytes()[:-2] + b"x\n")
    os.remove(str(tree / name))
    sh(tree, DVC, "checkout", "--force")


@pytest.mark.parametrize("part", [0, 0.5])
def test_lock_cut_off(tree, part):
    """As DVC leaves dvc.lock where it is killed while it writes it."""
    data = (tree / "dvc.lock").read_bytes()
    (tree / "dvc.lock").write_bytes(data[:int(part * len(data))])


def test_clock_back(tree):
    """Files of the future, as after a clock was set back."""
    later = time.time() + 86400
    for path in outputs(tree):
        os.utime(str(tree / path), (later, later))


@pytest.mark.parametrize("limit", MEMORY_KB)
@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_out_of_memory(tree, name, limit):
    wanted = outputs(tree)
    process = start(tree, "sh", "-c", "ulimit -v %d; exec %s repro --force --single-item %s"
                    % (limit, DVC, name))
    said, _ = process.communicate(timeout=300)
    assert process.returncode, "so little memory cannot be enough: %s" % said
    assert not damaged_outputs(tree, wanted)


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "closed pipe"])
def test_detect_ends(tree, ending):
    """What was printed before is whole lines, and nothing hangs."""
    command = ["sh", "scripts/run", "detect", "--log", "data/generate/test.csv", "--follow",
               "--model", "models/convert/step_int8.tflite"]
    process = start(tree, *command)
    assert process.stdout.readline() == "event,start,end,time,peak_score\n"
    if ending == "closed pipe":
        process.stdout.close()
        process.send_signal(signal.SIGINT)
    else:
        process.send_signal(getattr(signal, ending))
        rest = process.stdout.read()
        assert all(line.count(",") == 4 for line in rest.splitlines()), rest
    stopped = [128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGPIPE]
    assert process.wait(timeout=60) in stopped
