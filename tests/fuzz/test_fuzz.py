"""Damaged input of every kind is one sentence: no traceback, no hang, no memory without end.

    sh scripts/run test tests/fuzz                        a second of each reader
    FUZZ_INPUTS=100000 sh scripts/run test tests/fuzz     as many of each, with the counts printed

Inputs are drawn from a seed and the files in corpus/. They run in a child process with limits, which
says how far it came: a reader that ends its process, or does not end, is a finding as well.
"""
import json
import os
import random
import resource
import signal
import tempfile
import traceback

import pytest

from fuzz.mutate import mutated
from fuzz.targets import TARGETS
from kit.base.cli import UserError

INPUTS = int(os.environ.get("FUZZ_INPUTS", 150))
SEED = int(os.environ.get("FUZZ_SEED", 1))
SLOW = {"parquet": 10, "script_look": 10}  # so many times fewer of what takes so long
SECONDS, BYTES = 10, 1 << 30  # of one input; above what the process had
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_damaged_input_is_one_sentence(name, tmp_path, capfd):
    finding, counts = in_child(name, str(tmp_path / "input"))
    with capfd.disabled():
        if "FUZZ_INPUTS" in os.environ:
            print("%s: %s" % (name, counts), flush=True)
    assert finding is None, finding
    assert counts["refused"] > inputs(name) / 20
    assert counts["taken"] + counts["refused"] == inputs(name)


def inputs(name):
    return INPUTS // SLOW.get(name, 1)


def in_child(name, kept):
    """(None or what went wrong, counts) of a target's inputs; the input at fault is left at `kept`."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with os.fdopen(writer, "w") as answer:
            try:
                with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                    json.dump(tried(name, kept, folder), answer)
            except BaseException:
                json.dump([traceback.format_exc(), {}], answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not said:
        return "%s ended its process (status %d) on %s" % (name, status, kept), {}
    return tuple(json.loads(said))


def tried(name, kept, folder):
    target, corpus = TARGETS[name]
    rng, counts = random.Random("%s %d" % (name, SEED)), {"taken": 0, "refused": 0}
    target(corpus[0], folder)  # sound: it is taken; what it imports is not of an input's memory
    limit = memory() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for ending in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(ending, signal.SIG_DFL)
    place = os.open(kept, os.O_RDWR | os.O_CREAT)
    for _ in range(inputs(name)):
        data = mutated(rng.choice(corpus), rng)
        os.pwrite(place, data, 0)  # what a dead process was at
        os.ftruncate(place, len(data))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process, whatever else runs
        signal.alarm(30 * SECONDS)
        try:
            target(data, folder)
            counts["taken"] += 1
        except UserError as error:
            counts["refused"] += 1
            if "\n" in str(error):
                return "%s: several lines for %s: %s" % (name, kept, error), counts
        except Exception:
            return "%s on %s:\n%s" % (name, kept, traceback.format_exc()), counts
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)
    return None, counts


def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
