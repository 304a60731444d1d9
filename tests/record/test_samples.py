"""Data in a model's own units: what numpy.load would die of is one sentence."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.record.samples import read_samples

MAGIC = b"\x93NUMPY\x01\x00"


def header(text):
    raw = text.encode("latin1") + b"\n"
    return MAGIC + len(raw).to_bytes(2, "little") + raw


@pytest.mark.parametrize("data", [
    b"", b"time,a\n1,2\n", MAGIC, header("{'descr': '<f4', 'shape': (3, 2"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999, 99999999)}"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}"),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': ((3,), 2)}"),
    header("(" * 400), header("{'descr': '|O', 'fortran_order': False, 'shape': (3, 2)}"),
])
def test_what_is_no_array_is_refused(tmp_path, data):
    (tmp_path / "w.npy").write_bytes(data)
    with pytest.raises(UserError, match="w.npy: not a .npy file of numbers"):
        read_samples(str(tmp_path / "w.npy"), None, 2, 1)


def test_an_archive_and_a_value_that_is_none_are_refused(tmp_path):
    path = str(tmp_path / "w.npy")
    with open(path, "wb") as file:
        np.savez(file, a=np.zeros((3, 2)))
    with pytest.raises(UserError, match="w.npy: an archive"):
        read_samples(path, None, 2, 1)
    np.save(path, np.float32([[1, np.nan]]))
    with pytest.raises(UserError, match="w.npy: every value must be a finite number"):
        read_samples(path, None, 2, 1)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_stream_comes_back_as_float32(tmp_path, order):
    values = np.asarray(np.arange(6.0).reshape(3, 2), order=order)
    np.save(str(tmp_path / "w.npy"), values)
    samples = read_samples(str(tmp_path / "w.npy"), None, 2, 1)
    assert samples.stream.dtype == np.float32 and samples.stream.tolist() == values.tolist()
