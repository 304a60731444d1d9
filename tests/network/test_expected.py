"""The reference against outputs stored where the model was trained."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.record.samples import Samples
from network.newer_files import T, opened


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
