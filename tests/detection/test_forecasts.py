"""Forecasts of every form of file: pieces of work, and each sample forecast from those before it."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.detection import forecasts
from kit.record.kept import shelf


@pytest.mark.parametrize("form", [("window", 7), ("keras", None), ("step", None)])
def test_pieces_cover_every_sample_after_the_first_window_once(form):
    bounds = [[(0, 20)], [(0, 4200), (4200, 4205), (4205, 9100)]]
    work = list(forecasts.pieces("x", form, 10, bounds))
    steps = form[1] or 10
    for number, ranges in enumerate(bounds):
        rows = np.concatenate([np.arange(piece.start, piece.stop) for piece in work
                               if piece.part == number])
        assert rows.tolist() == [row for a, b in ranges for row in range(a + steps, b)]
    for piece in work:
        assert piece.steps == steps
        if form[0] == "step":
            assert piece.start - steps in (0, 4205), "a stream begins with its session"


class Sums:
    """The forecast is the sum of what was seen: of a window, or since the last reset."""

    def __init__(self, form):
        self.form, self.input_shape = form, (4, 2)
        self.reset()

    def reset(self):
        self.total = 0

    def stream(self, samples):
        found = self.total + np.cumsum(samples, 0)
        self.total = found[-1]
        return found

    def predict(self, windows):
        return windows.sum(1)

    __call__ = predict


class Here:
    """Processes that are none: what they are asked is done in order."""

    @staticmethod
    def map(function, items, name=str):
        return [function(item) for item in items]


def forecast_all(paths, parts, steps, bounds=None):
    """What `forecasts.forecast_all` keeps, in memory."""
    with shelf() as kept_in:
        found = forecasts.forecast_all(Here, paths, [kept_in.put(part) for part in parts], steps, kept_in,
                                       bounds)
        return {path: [kept[:] for kept in several] for path, several in found.items()}


@pytest.fixture
def models(monkeypatch):
    """Files by their names: keras.h5, frozen.pb, window.tflite of 4 samples and step.tflite."""
    known = {}
    monkeypatch.setattr(forecasts, "tflite_model", lambda path: Sums(path.split(".")[0]))
    monkeypatch.setattr(forecasts, "loaded", lambda path, kind: known.setdefault(path, Sums(kind)))
    monkeypatch.setattr(forecasts, "BLOCK", 5)
    monkeypatch.setattr(forecasts, "BATCH", 2)
    monkeypatch.setattr(forecasts, "STREAMED", 5)
    return ["keras.h5", "frozen.pb", "window.tflite", "step.tflite"]


def test_each_sample_is_forecast_from_those_before_it_in_its_session(models):
    parts = [np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32) for n in (13, 30)]
    bounds = [[(0, 13)], [(0, 12), (12, 14), (14, 30)]]
    found = forecast_all(models, parts, 3, bounds)
    for path, steps in zip(models, (3, 3, 4, 3)):
        for part, ranges, forecast in zip(parts, bounds, found[path]):
            expected = np.full(part.shape, np.nan)
            for begin, end in ranges:
                for row in range(begin + steps, end):
                    first = begin if path == "step.tflite" else row - steps
                    expected[row] = part[first:row].sum(0)
            np.testing.assert_allclose(forecast, expected, atol=1e-4)
            assert forecast.dtype == np.float32


def test_one_session_is_the_whole_part_where_no_other_is_said(models):
    part = np.ones((9, 2), np.float32)
    (found,) = forecast_all(["keras.h5"], [part], 3)["keras.h5"]
    assert np.isnan(found[:3]).all() and (found[3:] == 3).all()


def test_a_file_that_forecasts_other_channels_is_named(models, monkeypatch):
    monkeypatch.setattr(Sums, "predict", lambda self, windows: windows.sum(1)[:, :1])
    with pytest.raises(UserError, match=r"window.tflite gives \(1,\) per window; .* the 2 channels"):
        forecast_all(["window.tflite"], [np.ones((9, 2), np.float32)], 3)


@pytest.mark.parametrize("path, form", [
    ("a/keras.h5", ("keras", None)), ("frozen.pb", ("frozen", None)), ("window.tflite", ("window", 4)),
    ("fused.tflite", ("fused", 4)), ("step.tflite", ("step", None))])
def test_the_form_of_a_file_and_its_window(models, path, form):
    assert forecasts.form_of(path) == form


def test_what_a_runtime_refuses_names_the_file(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"no model")
    with pytest.raises(UserError) as error:
        forecasts.tflite_model(str(tmp_path / "a.tflite"))
    assert str(error.value).count("a.tflite") == 1


@pytest.mark.slow
def test_a_frozen_graph_and_its_keras_file_forecast_alike(tmp_path):
    import freeze
    from keras_models import CHANNELS, STEPS, save_forecaster, walk

    h5 = save_forecaster(tmp_path / "model.h5")
    freeze.main([h5, "--form", "window", "--window-steps", str(STEPS), "--out", str(tmp_path)])
    found = forecast_all([h5, str(tmp_path / "window.pb")], [walk(700)], STEPS)
    by_keras, by_graph = (parts[0] for parts in found.values())
    assert by_keras.shape == (700, CHANNELS) and by_keras[STEPS:].std() > 0.1
    np.testing.assert_allclose(by_graph[STEPS:], by_keras[STEPS:], atol=1e-5)
