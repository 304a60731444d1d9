"""Logs in files that are tables already: Parquet, Excel's .xlsx, arrays of NumPy.

Each has what a text log has once its lines are cut: names of columns, and successive rows.
"""
import datetime
import subprocess
import sys

import numpy as np

from kit.base.cli import UserError

ROWS = 1 << 14  # in one block
SOUND_PYARROW = 26  # its version from which damaged pages are an error; 12 ends its process
READ_ALL = ("import sys, pyarrow.parquet as p\n"
            "for _ in p.ParquetFile(sys.argv[1]).iter_batches(%d, use_threads=False): pass" % ROWS)
PARQUET, EXCEL, NUMPY = (".parquet", ".pq"), (".xlsx", ".xlsm"), (".npy",)


class Table:
    """A table with a line of names.

    header : names of the columns, "" for one without
    time : name of the column of times where the file itself says which it is, else None
    timeless : whether every column is a channel, unless the person says otherwise
    blocks : iterable of (row number of the first, from 1; list of columns), a column being strings,
        an array of numbers, or an array of datetime64 in UTC
    """

    separator = ","  # a decimal comma in a cell of text is the person's to declare

    def __init__(self, header, time, blocks, timeless=False):
        self.header, self.time, self.blocks = header, time, blocks
        self.timeless, self.said = timeless, []

    def columns(self):
        return iter(self.blocks)


def read_table(path):
    """The Table of a file, by the end of its name; None for a text file."""
    name = path.lower()
    for endings, read in ((PARQUET, parquet), (EXCEL, excel), (NUMPY, array)):
        if name.endswith(endings):
            return read(path)
    if name.endswith((".xls", ".feather", ".h5", ".hdf5", ".mat", ".pkl")):
        raise UserError("%s: a %s file cannot be read; save it as CSV, Parquet or .xlsx"
                        % (path, name[name.rindex("."):]))
    return None


def parquet(path):
    """A Parquet file; its column of timestamps is the time."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError("%s: a Parquet file needs pyarrow, which is not installed here" % path)
    if int(pyarrow.__version__.partition(".")[0]) < SOUND_PYARROW:
        done = subprocess.run([sys.executable, "-c", READ_ALL, path], stderr=subprocess.DEVNULL)
        if done.returncode < 0:  # what else it stumbles on is said below
            raise UserError("%s: a damaged Parquet file: pyarrow ends its process on it" % path)
    try:
        file = pyarrow.parquet.ParquetFile(path, pre_buffer=False)  # else it keeps all bytes
        schema = file.schema_arrow
        moments = [field.name for field in schema if pyarrow.types.is_timestamp(field.type)]
        header = ["" if name.startswith("__index_level_") and name not in moments else name
                  for name in schema.names]
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "not a Parquet file"))
    except (pyarrow.ArrowException, ValueError, KeyError) as error:
        raise UserError("%s is not a Parquet file: %s" % (path, _first_line(error)))

    def blocks():
        row = 1
        try:
            for batch in file.iter_batches(ROWS, use_threads=False):
                if batch.num_rows:
                    yield row, [_parquet_column(pyarrow, column) for column in batch.columns]
                row += batch.num_rows
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise UserError("%s: a damaged Parquet file: %s" % (path, _first_line(error)))

    return Table(header, moments[0] if moments else None, blocks())


def _parquet_column(pyarrow, column):
    arrow = column.type
    if pyarrow.types.is_dictionary(arrow):
        column = column.dictionary_decode()
        arrow = column.type
    if pyarrow.types.is_timestamp(arrow):
        return np.asarray(column.to_numpy(zero_copy_only=False), "datetime64[us]")
    if pyarrow.types.is_boolean(arrow):
        return [_cell(value) for value in column.to_pylist()]
    if pyarrow.types.is_integer(arrow) or pyarrow.types.is_floating(arrow) or (
            pyarrow.types.is_decimal(arrow)):
        return np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(
            zero_copy_only=False), np.float64)
    return [_cell(value) for value in column.to_pylist()]


def excel(path):
    """The first sheet of a workbook."""
    try:
        import openpyxl
    except ImportError:
        raise UserError("%s: an Excel file needs openpyxl, which is not installed here" % path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        header = [_cell(value).strip() for value in next(rows, [])]
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "not an Excel file"))
    except Exception as error:  # openpyxl lets through whatever a damaged archive or XML raises
        raise UserError("%s is not an .xlsx file: %s" % (path, _first_line(error)))
    if not any(header):
        raise UserError("%s is empty: the first row of its first sheet must name the columns" % path)
    return Table(header, None, _excel_blocks(path, rows, len(header)))


def _excel_blocks(path, rows, width):
    block, first, empty = [], 1, 0
    try:
        for row in rows:
            cells = [_cell(value) for value in row]
            cells = cells[:width] + [""] * (width - len(cells))
            if not any(cells):
                empty += 1
                continue
            if empty:
                raise UserError("%s: row %d is empty" % (path, first + len(block)))
            block.append(cells)
            if len(block) == ROWS:
                yield first, [list(column) for column in zip(*block)]
                block, first = [], first + ROWS
    except UserError:
        raise
    except Exception as error:  # as above
        raise UserError("%s: a damaged .xlsx file: %s" % (path, _first_line(error)))
    if block:
        yield first, [list(column) for column in zip(*block)]


def array(path):
    """A .npy file: (n, C) numbers, or (n,) of one channel; columns are called c0, c1, ..."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "not a .npy file of numbers"))
    except Exception as error:  # its header is parsed as Python, which raises what it likes
        raise UserError("%s is not a .npy file of numbers: %s" % (path, _first_line(error)))
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub" or values.ndim not in (
            1, 2) or not values.size:
        raise UserError("%s: numbers (n, channels) are needed, and it holds %s of %s" % (
            path, getattr(values, "shape", "an archive"), getattr(values, "dtype", "arrays")))
    values = values.reshape(len(values), -1)
    return Table(["c%d" % number for number in range(values.shape[1])], None, (
        (start + 1, list(np.array(values[start:start + ROWS], np.float64).T))
        for start in range(0, len(values), ROWS)), timeless=True)


def _cell(value):
    """A cell as text that reads back as the same value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime.datetime):  # openpyxl gives whole milliseconds
        return value.isoformat(" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]
