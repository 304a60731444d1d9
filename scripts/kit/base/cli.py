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

from kit.base.orphans import end_with_dvc


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
    if "DVC_STAGE" in os.environ:
        end_with_dvc()
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
    """
    with atomic_paths(path) as (partial,):
        yield partial


@contextlib.contextmanager
def atomic_paths(*paths):
    """`atomic_path` for files that belong together: all of them take their places, or none does.

    On the disk before they do, so that a power cut leaves the old files or the new. The names
    beside are the same in every run: what a killed run left is overwritten by the next.
    """
    places = [os.path.split(os.path.abspath(path)) for path in paths]
    partials = [os.path.join(folder, ".%s.partial" % name) for folder, name in places]
    try:
        for folder, _ in places:
            os.makedirs(folder, exist_ok=True)
        yield partials
        for path, partial in zip(paths, partials):
            if os.path.isdir(path):
                raise IsADirectoryError(None, "a folder of this name is in the way")
            flush(partial)
        for path, partial in zip(paths, partials):
            os.replace(partial, path)
        for folder in {folder for folder, _ in places}:
            flush(folder)
    except OSError as error:
        raise UserError("%s cannot be written: %s" % (
            " and ".join(paths), error.strerror or error))
    finally:
        for partial in partials:
            if os.path.exists(partial):
                os.remove(partial)


def flush(path):
    """Let a file, or the names in a folder, be on the disk."""
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def write_together(contents):
    """Write {path: bytes or text}, every file whole or none of them."""
    with atomic_paths(*contents) as partials:
        for partial, content in zip(partials, contents.values()):
            with open(partial, "wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)


def write_text(path, text):
    """Write text as UTF-8 with LF line ends, whole or not at all."""
    write_together({path: text})


def write_bytes(path, data):
    """Write bytes, whole or not at all."""
    write_together({path: data})


def json_text(value):
    """JSON in the order of its keys; NaN is refused."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(path, value):
    """Write a JSON file in the order of its keys, whole or not at all; NaN is refused."""
    write_text(path, json_text(value))


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
