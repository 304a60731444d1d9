"""Runs a Python script as on a machine that is other in one respect.

    python scripts/elsewhere.py listing=reversed python script.py args   every directory listing
    python scripts/elsewhere.py caches=49152,2097152,33554432 python script.py args
                                                                bytes of L1, L2, L3 as Eigen sees them

Put before the interpreter, as an emulator is (EMULATOR of scripts/run): the interpreter that is
named is this one, and the script runs in its process, where a pin may undo what was done here.
"""
import functools
import os
import runpy
import sys

from kit.tf.eigen import set_cache_bytes


class Reversed:
    """What os.scandir returns: an iterator that is closed at the end of a `with`."""

    def __init__(self, entries):
        self._entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def close(self):
        pass


def reverse_listings():
    """Every directory listing, whoever asks, from the last name to the first."""
    listdir, scandir = os.listdir, os.scandir
    # partial: pathlib keeps both as class attributes, where a function would become a method.
    os.listdir = functools.partial(lambda *path: sorted(listdir(*path), reverse=True))
    os.scandir = functools.partial(lambda *path: Reversed(scandir(*path)))


def main(argv):
    (what, value), (_, script) = argv[0].split("="), argv[1:3]
    if what == "caches":
        set_cache_bytes([int(size) for size in value.split(",")])
    else:
        reverse_listings()
    sys.argv = argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
