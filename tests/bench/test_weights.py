"""The weights that the peers are given, and the networks that they are not written for."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.bench.weights import one_lstm, write_weights
from kit.network.description import path_of
from layer_graphs import C, dense, lstm, random, read


def written(layers, tmp_path):
    write_weights(one_lstm(path_of(layers, (None, C)), "m.h5"), str(tmp_path / "w.npz"))
    return np.load(str(tmp_path / "w.npz"))


def test_arrays_go_by_their_names(tmp_path):
    recurrent, last = lstm(), read("Dense", [random(4, 2), random(2, seed=1)], units=2, activation="linear")
    found = written([recurrent, last], tmp_path)
    assert set(found) == {"kernel", "recurrent", "bias", "dense", "dense_bias"}
    for name in ("kernel", "recurrent", "bias"):
        np.testing.assert_array_equal(found[name], recurrent.weights[name])
    np.testing.assert_array_equal(found["dense"], last.weights["kernel"])
    np.testing.assert_array_equal(found["dense_bias"], last.weights["bias"])


def test_no_bias_is_a_bias_of_zeros(tmp_path):
    recurrent = lstm()
    del recurrent.weights["bias"]
    found = written([recurrent, dense(4)], tmp_path)
    assert found["bias"].tolist() == [0] * 16 and found["dense_bias"].tolist() == [0, 0]


def test_other_networks_are_refused_by_name():
    with pytest.raises(UserError, match="m.h5: the peers are written for one LSTM .* not for LSTM$"):
        one_lstm(path_of([lstm()], (None, C)), "m.h5")
