"""The reference against outputs stored where the model was trained."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.files.keras_file import read_keras
from kit.record.samples import Samples
from keras_files import C, WEIGHTS, dense, lstm, write
from network.newer_files import T, opened


@pytest.mark.slow
def test_large_outputs_are_held_against_their_rounding(tmp_path):
    """exp of large numbers: float32 itself is off by more than the bound of usual outputs."""
    from kit.network.expected import check_expected
    from kit.network.files.build import built, in_float64
    from kit.network.parity import keras_windows

    weights = {"lstm": WEIGHTS["lstm"], "dense": WEIGHTS["dense"]}
    path = write(tmp_path / "m.h5", [lstm(batch_input_shape=[None, T, C]), dense(
        activation="exponential", units=2)], weights=weights, fill=1.7)
    samples = Samples(np.random.RandomState(0).standard_normal((5, T, C)).astype(np.float32), T, False)
    file = read_keras(path)
    with in_float64():
        exact = keras_windows(built(file, "float64"), samples.first(5))
    rounding = np.abs(exact - keras_windows(built(file), samples.first(5))).max()
    assert rounding > 1e-5 * np.std(exact)
    np.save(str(tmp_path / "exact.npy"), exact)
    check_expected(str(tmp_path / "exact.npy"), file, samples)
    np.save(str(tmp_path / "other.npy"), exact + 30 * rounding)
    with pytest.raises(UserError, match="differs from these outputs"):
        check_expected(str(tmp_path / "other.npy"), file, samples)


@pytest.mark.slow
def test_stored_outputs_are_held_against_the_reference(folder, tmp_path):
    from kit.network.expected import check_expected

    file, x, y = opened(folder, "3_functional.keras")
    samples = Samples(x, T, False)
    np.save(str(tmp_path / "right.npy"), y)
    check_expected(str(tmp_path / "right.npy"), file, samples)
    np.savez(str(tmp_path / "right.npz"), out=y)
    check_expected(str(tmp_path / "right.npz"), file, samples)
    for name, values, said in (("other", y + 1e-4, "differs from these outputs by 0.0001, more"),
                               ("wide", y[:, :1], "where the model gives .5, 2."),
                               ("long", np.repeat(y, 2, 0), "where the model gives .5, 2."),
                               ("none", y[:0], "a row for each window"),
                               ("nan", y * np.nan, "differs from these outputs by nan"),
                               ("text", np.array(["a"]), "outputs as numbers are needed")):
        np.save(str(tmp_path / (name + ".npy")), values)
        with pytest.raises(UserError, match=said):
            check_expected(str(tmp_path / (name + ".npy")), file, samples)
    (tmp_path / "bad.npz").write_bytes(b"PK\3\4 and no more")
    for name, said in (("bad.npz", "not a .npy or .npz file"), ("gone.npy", "No such file")):
        with pytest.raises(UserError, match=said):
            check_expected(str(tmp_path / name), file, samples)
