"""A small network as frozen graphs, as the converter meets it."""
from typing import NamedTuple

import pytest


class Graph(NamedTuple):
    """A frozen graph on disk."""

    path: str
    signature: dict
    frozen: object  # kit.network.forms.Frozen


@pytest.fixture(scope="session")
def graph(tmp_path_factory):
    """form -> Graph of LSTM 4 and Dense 2 over 3 channels, in windows of 6."""
    from kit.network.description import path_of
    from kit.network.forms import frozen
    from layer_graphs import C, T, dense, lstm

    folder, known = tmp_path_factory.mktemp("graphs"), {}
    network = path_of([lstm(), dense(4)], (None, C))
    (folder / "m.h5").write_bytes(b"")

    def made(form):
        if form not in known:
            found = frozen(network, form, T)
            (folder / (form + ".pb")).write_bytes(found.bytes)
            known[form] = Graph(str(folder / (form + ".pb")), found.signature(str(folder / "m.h5")), found)
        return known[form]
    return made
