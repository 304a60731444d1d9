"""The logs of a fleet: one or more files per sensor, read on from where a run before stopped."""
import glob
import os

from kit.base.cli import UserError
from kit.detection.stream import check_channels
from kit.record.logs import GROUPS, open_log
from kit.record.timeline import cut

ENDINGS = tuple(ending for group in GROUPS for ending in group)
START = {"file": "", "bytes": 0, "row": 0, "first": None, "time": None, "rows": 0}


def find(where):
    """{sensor: [files in the order of their names]} of a folder or a pattern; UserError for none.

    A folder within is a sensor of its files, `sensor=0001` being called 0001; a file is a sensor
    by itself, called by its name without its ending.
    """
    places = ([os.path.join(where, name) for name in os.listdir(where)] if os.path.isdir(where)
              else glob.glob(where))
    found = {}
    for place in sorted(places):
        name = os.path.basename(place)
        if os.path.isdir(place):
            files = sorted(os.path.join(place, file) for file in os.listdir(place)
                           if file.endswith(ENDINGS) and not file.startswith((".", "_")))
        else:
            files = [place] if name.endswith(ENDINGS) and not name.startswith((".", "_")) else []
            name = name.partition(".")[0]
        name = name.partition("=")[2] or name
        if name in found:
            raise UserError("%s: two logs are of sensor %s: %s and %s" % (
                where, name, found[name][0], place))
        if files or os.path.isdir(place):
            found[name] = [os.path.abspath(file) for file in files]
    if not found:
        raise UserError("%s: no logs there (%s)" % (where, " ".join(GROUPS[0] + GROUPS[2])))
    return found


def size(files):
    """Bytes of a sensor's files."""
    return sum(os.path.getsize(path) for path in files)


def fresh(files, place):
    """The files of a sensor that may hold rows behind a place in it."""
    names = [os.path.basename(path) for path in files]
    if not place["file"]:
        return files
    if place["file"] not in names:
        raise UserError("%s was read before and is gone; what is new cannot be told from what is "
                        "old" % os.path.join(os.path.dirname((files or [""])[0]), place["file"]))
    at = names.index(place["file"])
    return files[at + (os.path.getsize(files[at]) == place["bytes"]):]


def pieces(files, place, channels, ignored, limit):
    """Yield (Block of at most `limit` rows, the place behind it, whether the log has times)."""
    for path in fresh(files, place):
        name, length = os.path.basename(path), os.path.getsize(path)
        skip = place["row"] if name == place["file"] else 0
        if length == 0:
            raise UserError("%s is empty" % path)
        log, last, piece = open_log(path), 0, None
        check_channels(log, channels, [column for column in ignored if column in log.header])
        for block in log.blocks(channels, ignored):
            last = block.row + len(block.values) - 1
            if block.row == 1:
                begins = [None if block.time is None else str(block.time[0]),
                          repr(block.values[0].tolist())]
                if skip and begins != place["first"]:
                    raise UserError("%s is another log than before: its first row has changed" % path)
            for start in range(max(skip + 1 - block.row, 0), len(block.values), limit):
                if piece:
                    yield piece
                part = cut(block, slice(start, start + limit))._replace(row=block.row + start)
                place = {"file": name, "bytes": 0, "row": part.row + len(part.values) - 1,
                         "first": begins, "rows": place["rows"] + len(part.values),
                         "time": None if part.time is None else int(part.time[-1].astype("int64"))}
                piece = part, place, log.form.time != "none"
        if last < skip:
            raise UserError("%s has %d rows, fewer than the %d of before" % (path, last, skip))
        if piece:
            place["bytes"] = length  # there is nothing more in it
            yield piece
