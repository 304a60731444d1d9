"""The freeze stage: constants in the graph, Keras' output, the same bytes in every process."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
import freeze
from kit.base.cli import UserError
from keras_models import CHANNELS, STEPS, UNITS, save_forecaster, walk

pytestmark = pytest.mark.slow
SCRIPTS = os.path.join(ROOT, "scripts")
FORMS = ["--form", "window", "--form", "step", "--form", "fused"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("freeze")


@pytest.fixture(scope="module")
def h5(folder):
    np.save(str(folder / "stream.npy"), walk(600))
    return save_forecaster(folder / "model.h5")


def arguments(h5, out, *more):
    data = os.path.join(os.path.dirname(h5), "stream.npy")
    return [h5] + FORMS + ["--window-steps", str(STEPS), "--windows", data, "--out", str(out)] + (
        list(more))


def test_graphs_are_written_with_their_ends(h5, tmp_path, capsys):
    freeze.main(arguments(h5, tmp_path))
    step = json.loads((tmp_path / "step.json").read_text())
    assert [item["name"] for item in step["inputs"]] == ["sample", "state_0_h", "state_0_c"]
    assert [item["name"] for item in step["outputs"]] == [
        "output", "next_state_0_h", "next_state_0_c"]
    assert [item["shape"] for item in step["inputs"]] == [[1, CHANNELS], [1, UNITS], [1, UNITS]]
    window = json.loads((tmp_path / "window.json").read_text())
    assert window["inputs"][0]["shape"] == [1, STEPS, CHANNELS]
    assert "window: max difference to Keras" in capsys.readouterr().err


def test_weights_are_constants_and_any_batch_runs(h5, tmp_path):
    from kit.tf.tf115 import load_keras, session, tf

    freeze.main(arguments(h5, tmp_path))
    definition = tf.compat.v1.GraphDef.FromString((tmp_path / "window.pb").read_bytes())
    assert not [node.name for node in definition.node if "Variable" in node.op]
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    windows = walk(5 * STEPS).reshape(5, STEPS, CHANNELS)
    with session(graph) as run:
        found = run.run("output:0", {"window:0": windows})
    assert np.abs(found - load_keras(h5).predict(windows)).max() < 1e-5


def test_graph_that_computes_something_else_is_not_written(h5, tmp_path, monkeypatch):
    """As when the weights were lost on the way and fresh ones took their place."""
    from kit.network import forms

    def lost(network, *rest):
        nodes = [node._replace(layer=node.layer._replace(weights={
            key: 0.5 * a for key, a in node.layer.weights.items()})) for node in network.nodes]
        return forms.frozen(network._replace(nodes=nodes), *rest)

    monkeypatch.setattr(freeze, "frozen", lost)
    with pytest.raises(UserError, match="the frozen window graph differs from Keras"):
        freeze.main(arguments(h5, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_open_time_axis_asks_for_the_length(h5, tmp_path):
    with pytest.raises(UserError, match="time axis is undefined.*--window-steps"):
        freeze.main([h5, "--form", "window", "--out", str(tmp_path)])


def test_window_that_is_too_long_to_unroll_is_refused(h5, tmp_path):
    with pytest.raises(UserError, match="use .* the step or the chunk form"):
        freeze.main([h5, "--form", "window", "--window-steps", "5000", "--out", str(tmp_path)])


def test_same_bytes_from_processes_that_hash_differently(h5, tmp_path):
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, os.path.join(SCRIPTS, "freeze.py")] + arguments(h5, tmp_path / seed),
            env=dict(os.environ, PYTHONHASHSEED=seed), check=True, stderr=subprocess.PIPE)
    for name in ("window.pb", "step.pb", "fused.pb", "step.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
