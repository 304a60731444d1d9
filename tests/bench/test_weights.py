"""The weights of one LSTM and one Dense layer, as the peers read them."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.bench.weights import one_lstm, write_weights
from kit.network.description import Network, Node
from kit.network.layers.kind import Layer

LSTM = Layer("LSTM", "a", {}, {"kernel": np.ones((3, 8)), "recurrent": np.ones((2, 8)),
                              "bias": np.arange(8.0)})
DENSE = Layer("Dense", "b", {}, {"kernel": np.full((2, 3), 7.0), "bias": np.arange(3.0)})


def network(*layers):
    return Network([], [Node(layer, (), ()) for layer in layers], [])


def test_arrays_go_by_their_names(tmp_path):
    write_weights(one_lstm(network(LSTM, DENSE), "m.h5"), str(tmp_path / "w.npz"))
    with np.load(str(tmp_path / "w.npz")) as found:
        assert {name: found[name].shape for name in found.files} == {
            "kernel": (3, 8), "recurrent": (2, 8), "bias": (8,), "dense": (2, 3), "dense_bias": (3,)}
        assert found["bias"].tolist() == list(range(8)) and found["dense_bias"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("layers", [
    [LSTM._replace(kind="GRU"), DENSE], [LSTM], [LSTM, LSTM, DENSE]])
def test_other_networks_are_refused_by_name(layers):
    with pytest.raises(UserError, match="my.h5: .* not for " + ", ".join(
            layer.kind for layer in layers)):
        one_lstm(network(*layers), "my.h5")
