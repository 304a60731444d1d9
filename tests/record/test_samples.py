"""Data in a model's own units: what numpy.load would die of is one sentence."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.record.samples import lengths_of, read_samples, starts_of

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


def test_a_record_has_a_sequence_for_each_session(tmp_path):
    rows = [(run, row) for run, length in enumerate((6, 2, 4)) for row in range(length)]
    (tmp_path / "r.csv").write_text("time,session,a\n" + "".join(
        "2021-03-01T00:%02d:00Z,%d,%d\n" % (10 * run + row, run, 10 * run + row) for run, row in rows))
    (tmp_path / "s.json").write_text('{"channels": ["a"], "mean": [0], "std": [10]}')
    samples = read_samples(str(tmp_path / "r.csv"), str(tmp_path / "s.json"), 1, 3)
    found = np.rint(samples.windows(100, extremes=True)[:, :, 0] * 10).astype(int).tolist()
    assert found == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [20, 21, 22], [21, 22, 23],
                     [0, 1, 2], [21, 22, 23]]
    assert (lengths_of(samples).tolist(), starts_of(samples).tolist()) == ([6, 4], [0, 6])
    assert samples.given_steps is None and len(samples.stream) == 10
    with pytest.raises(UserError, match="sequences of 6 samples are too short for a window of 7"):
        read_samples(str(tmp_path / "r.csv"), str(tmp_path / "s.json"), 1, 7)
