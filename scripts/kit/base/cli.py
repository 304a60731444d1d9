"""What every script does the same way at the terminal: help, errors, progress, atomic files.

Imports the standard library alone, so that a script on a small device can use it.
"""
import argparse
import contextlib
import json
import os
import signal
import sys
import time


class UserError(Exception):
    """A mistake of the person at the terminal: one sentence, which names the place and the way."""


def parser(doc):
    """An ArgumentParser whose help is the script's own docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run(main):
    """Call main(argv) and leave: 0 when it returns, 1 with one line on a UserError."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `script | head` ends quietly
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit("error: %s" % error)
    except KeyboardInterrupt:
        sys.exit(130)


def counted(number, noun):
    """counted(1, "event") is "1 event", counted(2, "event") is "2 events"."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


@contextlib.contextmanager
def atomic_path(path):
    """Yield a path beside `path` to write to; it takes the target's place when all went well.

    UserError where nothing can be written there.
    The name is the same in every run, so that what a killed run left is overwritten by the next.
    """
    folder, name = os.path.split(os.path.abspath(path))
    partial = os.path.join(folder, ".%s.partial" % name)
    try:
        os.makedirs(folder, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise UserError("%s cannot be written: %s" % (path, error.strerror or error))
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def write_text(path, text):
    """Write text as UTF-8 with LF line ends, whole or not at all."""
    with atomic_path(path) as partial:
        with open(partial, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


def write_bytes(path, data):
    """Write bytes, whole or not at all."""
    with atomic_path(path) as partial:
        with open(partial, "wb") as file:
            file.write(data)


def write_json(path, value):
    """Write a JSON file in the order of its keys, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path):
    """The content of a JSON file; UserError when it is missing or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    except (ValueError, RecursionError) as error:
        raise UserError("%s is not JSON: %s" % (path, error))


def progress(iterable, desc, total=None):
    """Iterate with a progress bar at a terminal, with a plain line every ten seconds elsewhere."""
    if total is None:
        total = len(iterable)
    try:
        from tqdm import tqdm
    except ImportError:  # on a small device
        tqdm = None
    if tqdm and sys.stderr.isatty():
        return tqdm(iterable, desc=desc, total=total, leave=False)
    return _plain_progress(iterable, desc, total)


def _plain_progress(iterable, desc, total, every_s=10):
    shown = time.monotonic()
    for count, item in enumerate(iterable):
        yield item
        if time.monotonic() - shown >= every_s:
            shown = time.monotonic()
            print("%s: %d of %d" % (desc, count + 1, total), file=sys.stderr, flush=True)
