"""Sensor records and event tables as CSV files.

A record: first column `time` (ISO 8601, UTC), then one column per channel with its unit in the
name; an empty cell is a missing sample. A column `session` may stand between: the samples of one
number are unbroken, and between two of them nothing is known. An event table:
`start,end,kind,channels,severity`, where start and end are row numbers of the record, half open,
and channels are joined by `+`.
"""
import contextlib
import os
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd

from kit.base.cli import UserError, atomic_path
from kit.record.files import file_pieces
from kit.record.logs import SESSION, Form, open_log
from kit.record.timeline import coarsest, iso

EVENT_COLUMNS = ["start", "end", "kind", "channels", "severity"]


class Record(NamedTuple):
    """Stretches of a multichannel sensor log: one, or several sessions."""

    time: np.ndarray  # (n,) datetime64, UTC, equally spaced within a session
    channels: list  # C names, each with its unit
    values: np.ndarray  # (n, C) float64, NaN where a sample is missing
    session: Optional[np.ndarray] = None  # (n,) int64, rising; None for one session

    @property
    def bounds(self):
        """Half-open row ranges of the sessions, [(start, stop), ...]."""
        return session_bounds(self.session, len(self.time))


def session_bounds(session, n):
    """Half-open row ranges of the runs of one number in session (n,), or of the whole for None."""
    if session is None:
        return [(0, n)]
    edges = [0] + (np.flatnonzero(np.diff(session)) + 1).tolist() + [n]
    return list(zip(edges, edges[1:]))


def read_record(path):
    """Read a record; UserError with file, row and column for what is not one."""
    log = open_log(path, Form("iso8601"), "read %s" % os.path.basename(path))
    if len(log.header) < 2 or log.header[0] != "time":
        raise UserError("%s: the first column must be `time`, then one column per channel" % path)
    if log.header[1] == SESSION:
        log.form = log.form._replace(sessions=SESSION)
    channels = log.channels()
    time, values = np.empty(0, "datetime64[us]"), np.empty((0, len(channels)))
    n, session = 0, np.empty(0, np.int64)
    for block in log.blocks(channels):
        if n == 0:  # as many as there are line ends left, and perhaps a last line without
            rows = sum(piece.count(b"\n") for piece in file_pieces(path))
            time, values = np.empty(rows, "datetime64[us]"), np.empty((rows, len(channels)))
            session = np.empty(rows, np.int64)
        session[n:n + len(block.time)] = block.session
        time[n:n + len(block.time)] = block.time
        values[n:n + len(block.time)] = block.values
        n += len(block.time)
    return Record(coarsest(time[:n]), channels, values[:n],
                  session[:n] if n and session[n - 1] else None)


def write_record(path, record):
    """Write a record with the shortest decimals that read back as the same float64."""
    with record_writer(path) as write:
        write(record)


@contextlib.contextmanager
def record_writer(path):
    """Yield a function that appends a Record to the file, which appears when all went well."""
    with atomic_path(path) as partial:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            def write(record):
                table = pd.DataFrame(record.values, columns=record.channels)
                if record.session is not None:
                    table.insert(0, SESSION, record.session)
                table.insert(0, "time", iso(record.time))
                table.to_csv(file, index=False, header=not file.tell(), line_terminator="\n")

            yield write


def read_events(path):
    """Read an event table as a DataFrame with the columns EVENT_COLUMNS."""
    table = _read_csv(path)
    if list(table.columns) != EVENT_COLUMNS:
        raise UserError("%s: the columns must be %s" % (path, ",".join(EVENT_COLUMNS)))
    for name in ("start", "end"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = ~(numbers.abs() < 2 ** 53) | (numbers != numbers.round())
        _refuse(path, table[name], wrong, "is not a row number")
        table[name] = numbers.astype("int64")
    _refuse(path, table["end"], table["end"] <= table["start"], "is not after its start")
    for name in ("kind", "severity"):  # they come to stand in pages, and DVC's escapes nothing
        table[name] = table[name].str.replace("<", "\uff1c").str.replace(r"\s+", " ", regex=True)
    return table


def write_events(path, events):
    """Write an event table."""
    _write_csv(path, events[EVENT_COLUMNS])


def labels(events, n_samples):
    """Boolean array of shape (n_samples,): True on the samples that an event covers."""
    marks = np.zeros(n_samples, bool)
    for start, end in zip(events["start"], events["end"]):
        marks[start:end] = True
    return marks


def interval_s(record):
    """The sample interval in seconds."""
    return float(np.median(np.diff(record.time[:1000]) / np.timedelta64(1, "s")))


def _read_csv(path):
    try:
        return pd.read_csv(path, dtype=str, encoding="utf-8", keep_default_na=False, na_values=[""])
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "no such file"))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError("%s is not a CSV file: %s" % (path, str(error).strip()))


def _refuse(path, column, wrong, what):
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError("%s: row %d, column %s: %r %s"
                        % (path, row + 1, column.name, column.iloc[row], what))


def _write_csv(path, table):
    with atomic_path(path) as partial:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            table.to_csv(file, index=False, line_terminator="\n")
