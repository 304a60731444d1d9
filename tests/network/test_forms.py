"""Frozen graphs: what their descriptions say, the same bytes, window and step the same computation."""
import hashlib

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.description import path_of
from layer_graphs import C, SEQ, T, both, dense, lstm, random

pytestmark = pytest.mark.slow


@pytest.fixture
def frozen():
    from kit.network.forms import frozen

    return frozen


NETWORK = path_of([lstm(**SEQ), lstm(inputs=4), dense(4)], (None, C))


def test_a_stream_from_the_zero_state_is_the_window(frozen):
    samples = random(T, C, seed=3)
    stream = frozen(NETWORK, "step", None).stream(samples)
    for steps in (1, T):
        window = frozen(NETWORK, "window", steps).predict(samples[None, :steps])[0]
        np.testing.assert_allclose(stream[steps - 1], window, atol=1e-6)


def test_several_outputs_are_a_list(frozen):
    network = NETWORK._replace(outputs=[("a", 1), ("b", 3)])
    samples = random(T, C, seed=3)
    sequence, last = frozen(network, "window", T).predict(samples[None])
    states, outputs = frozen(network, "step", None).stream(samples)
    assert sequence.shape == (1, T, 4) and states.shape == (T, 4)
    np.testing.assert_allclose(sequence[0], states, atol=1e-6)
    np.testing.assert_allclose(last[0], outputs[-1], atol=1e-6)


def test_descriptions(frozen, tmp_path):
    (tmp_path / "m.h5").write_bytes(b"a model")
    step = frozen(NETWORK, "step", None).signature(str(tmp_path / "m.h5"))
    assert step["source_sha256"] == hashlib.sha256(b"a model").hexdigest()
    assert step["form"] == "step" and len(step["steps"]) == 2
    assert step["inputs"][0] == {"name": "sample", "shape": [1, C], "type": "float32", "role": "data"}
    assert step["inputs"][1] == {"name": "state_0_h", "shape": [1, 4], "type": "float32", "role": "state",
                                 "layer": "odd"}
    assert not {"fused_activations", "any_length"} & set(step)
    fused = frozen(NETWORK, "fused", T).signature(str(tmp_path / "m.h5"))
    assert (fused["fused_activations"], fused["any_length"], fused["steps"]) == (["tanh"] * 2, True, [])


@pytest.mark.parametrize("form", ["window", "step", "fused"])
def test_the_same_network_gives_the_same_bytes(frozen, form):
    first, second = (frozen(NETWORK, form, T).bytes for _ in range(2))
    assert first == second
    other = path_of([lstm(**SEQ), lstm(inputs=4), dense(4, 3)], (None, C))
    assert frozen(other, form, T).bytes != first


def test_what_cannot_be_is_named(frozen):
    with pytest.raises(UserError, match="m.h5: no step form: layer 'odd' is Bidirectional"):
        frozen(path_of([both()], (None, C)), "step", None, "m.h5")
    with pytest.raises(UserError, match="m.h5: no window form: 4002 steps"):
        frozen(NETWORK, "window", 2001, "m.h5")
