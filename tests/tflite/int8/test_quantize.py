"""What each refinement of the quantizer is worth, on a small model that was trained.

Each is left out in turn. A refinement that no longer does anything makes both errors equal, and
its test fails.
"""
import numpy as np
import pytest

from kit.tflite.int8 import emit, equalise, quantize, scales
from kit.tflite.int8.graph import Graph

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(trained):
    """form -> mean error of the int8 file with every refinement."""
    return {form: error(model) for form, model in trained.items()}


def error(model):
    return np.abs(model.differences(model.quantized())).mean()


def to_nearest(weights, step, rows):
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8)


def nothing(*_):
    return {}


LEFT_OUT = [  # what, where, what stands in its place, form: by what factor the error must grow
    ("balance", quantize, "balance", nothing, "window", 1.1),
    ("balance", quantize, "balance", nothing, "step", 1.1),
    ("equalised units", equalise, "MOST_APART", 1.0, "window", 1.1),
    ("ranges by least error", scales, "RIVALS", np.array([1.0]), "window", 1.08),
    ("ranges by least error", scales, "RIVALS", np.array([1.0]), "step", 1.05),
    ("addends no wider than sums", scales, "_cap_addends", nothing, "window", 1.03),
    ("rounding by correlation", emit, "round_weights", to_nearest, "window", 1.12),
    ("rounding by correlation", emit, "round_weights", to_nearest, "step", 1.05)]


@pytest.mark.parametrize("name, module, function, stand_in, form, factor", LEFT_OUT)
def test_each_refinement_pays(trained, whole, monkeypatch, name, module, function, stand_in, form,
                              factor):
    monkeypatch.setattr(module, function, stand_in)
    assert error(trained[form]) > factor * whole[form]


def test_steps_of_a_window_have_one_scale(trained, whole, monkeypatch):
    """Without: constants of each step's own, and scales from the few values of one step."""
    model = trained["window"]
    size = len(model.quantized())
    monkeypatch.setattr(Graph, "roles", nothing)
    assert len(model.quantized()) > 1.5 * size
    assert error(model) > 1.5 * whole["window"]


@pytest.mark.parametrize("form", ["step", "window"])
def test_small_trained_model_loses_what_the_default_one_does(whole, form):
    """The default model: 1.4 and 1.3 %."""
    assert whole[form] < 0.02
