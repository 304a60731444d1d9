"""A log as a person sees it: a panel per channel, its lowest and highest value per stretch.

Needs matplotlib alone, and that only when something is drawn.
"""
import numpy as np

from kit.base.cli import UserError

BLUE, RED = "#1f4e79", "#c1121f"
LEAST_WIDTH = 1 / 700  # of the axis: a pixel and a half


def figure_class():
    """matplotlib's Figure, wanted for a picture alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--plot needs matplotlib, which is not installed here")
    return Figure


def draw(path, title, names, low, high, x, spans=(), threshold=None):
    """Write a PNG.

    low, high : (m, C) of stretches, NaN where nothing was; x : (m,) their places, numbers or
    datetime64; spans : [(start, end)] in units of x, red in every panel, each wide enough to be seen
    threshold : line in the last panel
    """
    from matplotlib.dates import date2num

    dated = getattr(x, "dtype", np.dtype(float)).kind == "M"
    place = date2num if dated else np.asarray
    shown = ~np.isnan(high).all(axis=1)
    low, high, x = low[shown], high[shown], place(x[shown])
    figure = figure_class()((11, 1.1 * len(names) + 0.8))
    panels = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    steps = np.diff(x, append=x[-1:]) if len(x) else x
    whole = steps <= 20 * np.median(steps[:-1]) if len(x) > 2 else steps >= 0  # no bar over a hole
    least = LEAST_WIDTH * (x[-1] - x[0] or 1) if len(x) else 1
    bars = [(start, max(end - start, least)) for start, end in
            (place(np.array(span)) for span in spans)]
    for number, (panel, name) in enumerate(zip(panels, names)):
        panel.fill_between(x, low[:, number], high[:, number], where=whole, step="post",
                           linewidth=0.8, edgecolor=BLUE, facecolor=BLUE)
        panel.broken_barh(bars, (0, 1), transform=panel.get_xaxis_transform(), color=RED,
                          alpha=0.4, lw=0)
        panel.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        panel.tick_params(labelsize=7)
    if threshold is not None:
        panels[-1].axhline(threshold, color=RED, linewidth=0.9, linestyle="--")
    panels[0].set_title(title, fontsize=9, loc="left")
    if dated:
        panels[-1].xaxis_date()
    panels[-1].set_xlabel("time (UTC)" if dated else "sample", fontsize=8)
    figure.savefig(path, dpi=120, bbox_inches="tight", format="png")
