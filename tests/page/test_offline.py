"""The frame of DVC's pages of plots: that such a page draws without a network."""
import os
import subprocess

import pytest

from browser import CHROMIUM, browse
from conftest import ROOT
from kit.page import offline

DVC_PYTHON = os.path.join(ROOT, ".venv-dvc", "bin", "python")
PAGE = """
import sys
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer

rows = [{"x": x, "y": x * x, "rev": "HEAD"} for x in range(5)]
plot = VegaRenderer(rows, "squares", x="x", y="y", template="linear", title="squares")
render_html([plot], sys.argv[1], *sys.argv[2:])
"""


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("frame") / "plots.html")
    subprocess.check_call([DVC_PYTHON, offline.__file__, path])
    return path


def page(path, *frame):
    """DVC's page of one plot, in a frame of its own or in this one."""
    subprocess.check_call([DVC_PYTHON, "-c", PAGE, str(path), *frame])
    return path


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium found (Debian: apt-get install chromium)")
def test_a_page_of_plots_is_drawn_without_a_network(frame, tmp_path):
    shown, console, requests = browse(page(tmp_path / "offline.html", frame), tmp_path)
    assert "<canvas" in shown and requests == []
    assert not [line for line in console if "version" in line], "of Vega, other than the templates'"
    # and in DVC's own frame, which asks the network
    shown, _, requests = browse(page(tmp_path / "online.html"), tmp_path)
    assert "<canvas" not in shown and len(requests) == 3


def test_the_frame_has_dvcs_places_once_each_and_nothing_half_written(frame):
    with open(frame, encoding="utf-8") as file:
        text = file.read()
    assert [text.count("{%s}" % name) for name in ("plot_divs", "refresh_tag", "scripts")] == [1, 1, 0]
    assert os.listdir(os.path.dirname(frame)) == [os.path.basename(frame)]
