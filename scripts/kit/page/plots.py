"""Pictures of a scored record and of curves: the same input gives the same bytes.

Figures are built without pyplot, in matplotlib's own defaults and its own font, so that a person's
settings and fonts have no part in them.
"""
import base64
import io
import textwrap
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

LINE, EVENT, ALARM = "#1f4e79", "#f2b134", "#c1121f"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe & Ito: distinct to every eye
GREY = "#b5bac0"
DASHES = (0, (4, 3))
LEAST_BAR = 0.004  # of the width: an alarm of one sample is seen
SCORE_CEILING = 4.0  # times the threshold; what is higher is drawn there

matplotlib.rcdefaults()
matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": "#5c6770", "axes.labelcolor": "#2b3238",
    "xtick.color": "#5c6770", "ytick.color": "#5c6770", "xtick.labelcolor": "#2b3238",
    "ytick.labelcolor": "#2b3238", "timezone": "UTC", "svg.hashsalt": "plots",
    "legend.frameon": False,
})


class Scored(NamedTuple):
    """A record with what a detector and the event table say about it."""

    time: np.ndarray  # (n,) datetime64
    channels: list  # C names
    values: np.ndarray  # (n, C), NaN where missing
    score: np.ndarray  # (n,), NaN where none
    threshold: object  # float, or None where nothing was scored
    alarms: np.ndarray  # (a, 2) rows, half open
    events: list  # (start, end, kind, altered channels) each, half open

    def cut(self, start, end, channels=None):
        """The rows start to end of some channels, with the alarms and events that reach in."""
        channels = self.channels if channels is None else channels
        columns = [self.channels.index(name) for name in channels]
        inside = (self.alarms[:, 1] > start) & (self.alarms[:, 0] < end)
        events = [(max(first, start) - start, min(last, end) - start, kind, altered)
                  for first, last, kind, altered in self.events if last > start and first < end]
        return Scored(
            self.time[start:end], list(channels), self.values[start:end, columns],
            self.score[start:end], self.threshold,
            np.clip(self.alarms[inside], start, end) - start, events)


def most_altered(scored, count):
    """At most `count` channels, those that most events alter, in the record's order."""
    altered = [name for event in scored.events for name in event[3]]
    ranked = sorted(scored.channels, key=lambda name: -altered.count(name))[:count]
    return [name for name in scored.channels if name in ranked]


def busiest(scored, rows):
    """Rows (start, end) of the scored stretch that holds the most kinds of events.

    Whole events count, a stretch begins a little before one of them, the first of the best is
    taken. Without events, alarms count.
    """
    known = np.flatnonzero(~np.isnan(scored.score))
    last = known[-1] + 1 if len(known) else len(scored.time)
    rows = min(rows, last)
    marks = [event[:3] for event in scored.events] or [
        (start, end, number) for number, (start, end) in enumerate(scored.alarms)]
    starts = [int(np.clip(mark[0] - rows // 20, 0, last - rows)) for mark in marks] or [0]

    def kinds(start):
        return len({kind for first, end, kind in marks if start <= first and end <= start + rows})

    best = max(starts, key=kinds)
    return best, best + rows


# ---- figures -----------------------------------------------------------------------------------


def record_figure(scored, inches):
    """A panel per channel, and below them the score with its threshold and the alarms.

    inches : (width, height). Events are named at the top, and shaded where they alter a channel.
    """
    figure, heights = Figure(inches), [1.0] * len(scored.channels)
    if scored.threshold is not None:
        heights.append(1.12 + 0.12 * len(heights))
    width, height = inches
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.16, left=0.95 / width,
        right=1 - 0.42 / width, top=1 - 0.42 / height, bottom=0.56 / height)
    panels = [figure.add_subplot(grid[row]) for row in range(len(heights))]
    edges = _edges(scored.time)
    for panel, name, values in zip(panels, scored.channels, scored.values.T):
        panel.plot(edges[:-1], values, color=LINE, linewidth=0.7)
        _label(panel, folded(name))
    if scored.threshold is not None:
        _score(panels[-1], edges, scored)
    for panel, name in zip(panels, scored.channels + [None]):
        _shade(panel, edges, scored.events, name)
        panel.set_xlim(edges[0], edges[-1])
        panel.xaxis.set_visible(panel is panels[-1])
    _name_events(panels[0], edges, scored.events)
    locator = AutoDateLocator(minticks=3, maxticks=int(width))
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(
        locator, formats=["%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M", "%S s"], show_offset=False))
    _legend(figure, scored)
    return figure


def _legend(figure, scored):
    handles = [Patch(color=EVENT, alpha=0.55, linewidth=0, label="labelled event")
               for _ in scored.events[:1]]
    if scored.threshold is not None:
        handles += [Line2D([], [], color=ALARM, linestyle=DASHES, linewidth=1, label="threshold"),
                    Patch(color=ALARM, label="alarm")]
    figure.legend(handles=handles, loc="lower center", ncol=3, fontsize=8, borderaxespad=0.1)


def _edges(time):
    """The samples' beginnings, and the end of the last one, in matplotlib's days: (n + 1,)."""
    last = time[-1] + (time[-1] - time[max(len(time) - 2, 0)])
    return date2num(np.append(time, last))


def _score(panel, edges, scored):
    """The score, cut at a multiple of the threshold, and a red bar for each alarm."""
    highest = np.nanmax(np.append(scored.score, scored.threshold))
    top = min(highest, SCORE_CEILING * scored.threshold) * 1.08
    panel.plot(edges[:-1], np.minimum(scored.score, top), color="#2b3238", linewidth=0.8)
    panel.axhline(scored.threshold, color=ALARM, linewidth=0.9, linestyle=DASHES)
    panel.set_ylim(min(0, np.nanmin(np.append(scored.score, 0))), top * 1.18)
    least = LEAST_BAR * (edges[-1] - edges[0])
    for start, end in scored.alarms:
        panel.axvspan(edges[start], max(edges[end], edges[start] + least), 0.93, 0.99,
                      color=ALARM, linewidth=0)
    _label(panel, "score")


def folded(name, width=15):
    """A channel's name on lines of about `width` letters, broken at its underscores."""
    lines = textwrap.wrap(name.replace("_", " "), width, break_long_words=False)
    return "\n".join(lines).replace(" ", "_")


def _label(panel, text):
    panel.set_ylabel(text, fontsize=7.5, rotation=0, ha="right", va="center", labelpad=4)
    panel.locator_params(axis="y", nbins=3)
    panel.tick_params(axis="y", labelsize=7, labelright=True, labelleft=False, left=False)
    panel.spines["left"].set_visible(False)


def _shade(panel, edges, events, channel):
    """Events in full where they alter the channel and under the score, faint elsewhere."""
    for start, end, _, altered in events:
        alpha = 0.55 if channel is None or channel in altered else 0.15
        panel.axvspan(edges[start], edges[end], color=EVENT, alpha=alpha, linewidth=0)


def _name_events(panel, edges, events):
    """The kinds above the top panel, on two lines in turn so that neighbours stay apart."""
    for number, (start, end, kind, _) in enumerate(events):
        middle = edges[(start + end) // 2]
        panel.annotate(
            kind.replace("_", " "), (middle, 1.0), xycoords=panel.get_xaxis_transform(),
            xytext=(0, 3 + 11 * (number % 2)), textcoords="offset points", fontsize=8, ha="center",
            color="#7a5200", annotation_clip=False)


def curve_figure(panels, inches, epochs=False):
    """Line charts side by side.

    panels : list of (title, x label, y label, lines), a line (name or None, x, y, style), style
    the keywords of matplotlib's plot. The first panel's legend is that of all.
    epochs : whole numbers to the right, and a logarithmic scale upwards
    """
    figure = Figure(inches)
    width, height = inches
    grid = figure.add_gridspec(1, len(panels), wspace=0.28, left=0.62 / width,
                               right=1 - 0.12 / width, top=1 - 0.32 / height, bottom=0.5 / height)
    for column, (title, x_label, y_label, lines) in enumerate(panels):
        panel = figure.add_subplot(grid[column])
        for name, x, y, style in lines:
            panel.plot(x, y, label=name, **style)
        panel.set(xlabel=x_label, ylabel=y_label)
        if epochs:
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_title(title, fontsize=9.5, loc="left")
        panel.grid(color="#e6e9ec", linewidth=0.6)
        panel.set_axisbelow(True)
        if any(name for name, *_ in lines) and not column:
            panel.legend(fontsize=8)
    return figure


# ---- files -------------------------------------------------------------------------------------


def svg(figure):
    """The figure as SVG text that asks nothing of its reader: letters are drawn as paths."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(
        ("Date", "Creator", "Format", "Type")))
    return text.getvalue()


def png(figure, dpi):
    """The figure as PNG bytes in at most 64 colours, a third of the size of all colours."""
    from PIL import Image

    figure.set_dpi(dpi)
    canvas, packed = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(64, method=Image.MAXCOVERAGE, dither=Image.NONE).save(
        packed, format="PNG", optimize=True)
    return packed.getvalue()


def data_uri(content):
    """An SVG text or PNG bytes as the `src` of an image."""
    kind, data = ("png", content) if isinstance(content, bytes) else (
        "svg+xml", content.encode("utf-8"))
    return "data:image/%s;base64,%s" % (kind, base64.b64encode(data).decode("ascii"))
