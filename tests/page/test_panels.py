"""A log as panels: what is drawn where, in which file, and what is asked for without matplotlib."""
import sys

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.page import panels


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that draws and gives the axes of the figure, whose file is a PNG."""
    figures, whole = [], panels.figure_class()

    def kept(*arguments):
        figures.append(whole(*arguments))
        return figures[-1]

    def draw(names, low, high, x, **options):
        path = tmp_path / "p.png"
        panels.draw(str(path), "a title", names, np.array(low, float), np.array(high, float), x, **options)
        assert path.read_bytes().startswith(b"\x89PNG")
        return figures[-1].axes

    monkeypatch.setattr(panels, "figure_class", lambda: kept)
    return draw


def extent(collection):
    """(lowest, highest) of the points (x, y) of what was drawn."""
    points = np.concatenate([path.vertices for path in collection.get_paths()])
    return points.min(0).tolist(), points.max(0).tolist()


def test_a_panel_for_each_channel_from_its_lowest_to_its_highest_value(drawn):
    axes = drawn(["flow", "heat"], [[1, -5], [2, -6], [np.nan, np.nan]],
                 [[3, 5], [4, 6], [np.nan, np.nan]], np.arange(3))
    assert [panel.get_ylabel() for panel in axes] == ["flow", "heat"]
    for panel, low, high in zip(axes, (1, -6), (4, 6)):
        (first, bottom), (last, top) = extent(panel.collections[0])
        assert (first, bottom, last, top) == (0, low, 1, high), "the last stretch holds nothing"
    assert axes[0].get_title(loc="left") == "a title" and axes[-1].get_xlabel() == "sample"


def test_nothing_is_drawn_over_a_hole(drawn):
    x = np.concatenate([np.arange(50), [5000], 5001 + np.arange(50)])
    axes = drawn(["a"], np.zeros((101, 1)), np.ones((101, 1)), x)
    bars = [path.vertices[:, 0] for path in axes[0].collections[0].get_paths()]
    assert all(not (bar.min() < 100 and bar.max() > 4000) for bar in bars)


def test_alarms_are_wide_enough_to_be_seen_in_every_panel(drawn):
    axes = drawn(["a", "b"], np.zeros((1000, 2)), np.ones((1000, 2)), np.arange(1000),
                 spans=[(100, 100), (500, 600)], threshold=0.5)
    for panel in axes:
        bars = [path.vertices[:, 0] for path in panel.collections[1].get_paths()]
        assert [(bar.min(), bar.max() - bar.min()) for bar in bars] == [
            (100, pytest.approx(999 / 700)), (500, 100)]
    assert [len(panel.lines) for panel in axes] == [0, 1], "the threshold is the last panel's"
    assert axes[1].lines[0].get_ydata()[0] == 0.5


def test_times_are_dates(drawn):
    x = np.datetime64("2021-03-01T00:00:00", "s") + 60 * np.arange(5)
    axes = drawn(["a"], np.zeros((5, 1)), np.ones((5, 1)), x, spans=[(x[1], x[3])])
    assert axes[0].get_xlabel() == "time (UTC)"
    (first, _), (last, _) = extent(axes[0].collections[0])
    assert (last - first) * 86400 == pytest.approx(240, abs=1e-3)


def test_a_log_without_a_row_is_an_empty_picture(drawn):
    assert len(drawn(["a"], np.full((2, 1), np.nan), np.full((2, 1), np.nan), np.arange(2))) == 1


def test_without_matplotlib_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match="--plot needs matplotlib, which is not installed here"):
        panels.figure_class()
