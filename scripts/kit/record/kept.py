"""Long arrays in files, for several processes: rows are read when they are asked for. numpy alone."""
import contextlib
import os
import tempfile

import numpy as np


class Kept:
    """An array (n, ...) in a file. A slice of rows is a copy in memory; it may be assigned to.

    What another process gets of it is the file's name. Not mapped: pages of a mapped file count as
    the process's memory until it ends.
    """

    def __init__(self, path, shape, dtype):
        self.path, self.shape, self.dtype = path, tuple(shape), np.dtype(dtype)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(len(self))
        count = max(stop - start, 0) * self._width()
        found = np.fromfile(self.path, self.dtype, count, offset=self._offset(start))
        return found.reshape((-1,) + self.shape[1:])

    def __setitem__(self, rows, values):
        start, stop, _ = rows.indices(len(self))
        values = np.broadcast_to(values, (stop - start,) + self.shape[1:])
        with open(self.path, "r+b") as file:
            file.seek(self._offset(start))
            np.ascontiguousarray(values, self.dtype).tofile(file)

    def _width(self):
        return int(np.prod(self.shape[1:], dtype=int))

    def _offset(self, row):
        return row * self._width() * self.dtype.itemsize


class Shelf:
    """A folder of Kept arrays."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def new(self, shape, dtype=np.float32):
        """A Kept array of zeros, which take no room on the disk."""
        found = Kept(os.path.join(self.folder, "%d.rows" % self.count), shape, dtype)
        self.count += 1
        with open(found.path, "wb") as file:
            file.truncate(found._offset(len(found)))
        return found

    def put(self, array):
        """The Kept array of one in memory."""
        found = self.new(array.shape, array.dtype)
        found[:] = array
        return found


@contextlib.contextmanager
def shelf():
    """A Shelf in a folder of its own ($TMPDIR), which ends with it."""
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        yield Shelf(folder)
