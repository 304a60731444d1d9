"""C functions that stand in kit/firmware/c, of which a file takes what it calls.

In those files two empty lines stand between blocks, NAME_ before every name of the firmware's.
"""
import os
import re

from kit.firmware import fixed

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "c")


def text(name):
    """The text of one file of c/."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read().replace("@SIGMOID@", wrapped(fixed.sigmoids()))


def wrapped(values, columns=12):
    """Integers as lines of C."""
    rows = [values[at:at + columns] for at in range(0, len(values), columns)]
    return "\n".join("    %s," % ", ".join(map(str, row)) for row in rows)


def called(names, calling):
    """The blocks of files of c/ that `calling` needs, in the files' order, as one text."""
    blocks = [block.strip("\n") for name in names for block in text(name).split("\n\n\n")]
    kept, waiting = set(), [calling]
    while waiting:
        wanted = set(re.findall(r"NAME_\w+", waiting.pop()))
        for number, block in enumerate(blocks):
            if number not in kept and wanted & set(defined(block)):
                kept.add(number)
                waiting.append(block)
    return "\n\n".join(blocks[number] for number in sorted(kept))


def defined(block):
    """Names of the functions and constants that a block defines."""
    return re.findall(r"^static [\w *]*?(NAME_\w+)", block, re.M)


def named(source, name):
    """The text with the detector's name in place of NAME_ (functions) and CAPS_ (macros)."""
    return source.replace("NAME_", name + "_").replace("CAPS_", name.upper() + "_").replace(
        "NAME.", name + ".")
