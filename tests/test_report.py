"""The page: one file, nothing asked of any network, the numbers of its input files."""
import base64
import hashlib
import html
import html.parser
import io
import json
import os
import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from browser import CHROMIUM, browse
from conftest import ROOT
import report
from kit.base.cli import UserError
from kit.page import plots
from kit.page.results import HEADLINE, written
from kit.record.records import Record, write_events, write_record

N = 2500
CHANNELS = ["flow_m3h", "bearing_temperature_c", "<b>odd & name"]
EVENTS = [(100, 130, "drift", "flow_m3h", "hard"), (700, 704, "spike", "flow_m3h", "plain"),
          (1500, 1540, "noise_burst", "flow_m3h+bearing_temperature_c", "plain")]
DETECTORS = ["keras", "frozen", "step_float32", "step_int8", "linear_forecaster", "floor_random",
             "floor_all", "channel_threshold"]


def metrics_of(place):
    return {"vus_pr": 0.7 - 0.0512345 * place, "vus_roc": 0.9, "auc_pr": 0.61,
            "event_recall": 2 / 3, "false_alarms_per_day": 0.4567,
            "false_alarm_time_fraction": 0.01, "median_delay_s": 120.0 if place else None}


def model(form, precision, size):
    ends = [{"name": "sample", "shape": [1, 3], "type": precision, "scale": 0.03, "zero_point": -3}]
    return {"form": form, "precision": precision, "size_bytes": size, "sha256": "0" * 64,
            "inputs": ends, "outputs": ends, "source": form + ".pb",
            "operators": [{"operator": "FULLY_CONNECTED", "version": 4, "count": 3}],
            "parity": {"mean_abs_diff": 1.5e-3, "max_abs_diff": 0.02}}


def write_inputs(folder):
    """What the stages before leave, with the events found by step_int8 but for the second."""
    rng = np.random.default_rng(0)
    time = np.datetime64("2020-01-29T14:40:00", "s") + 60 * np.arange(N)
    values = rng.normal(size=(N, 3)).round(3)
    values[40, 0] = np.nan
    write_record(str(folder / "test.csv"), Record(time, CHANNELS, values))
    columns = ["start", "end", "kind", "channels", "severity"]
    write_events(str(folder / "events.csv"), pd.DataFrame(EVENTS, columns=columns))
    (folder / "requirements.lock").write_text("numpy==1.18.5 \\\n    --hash=sha256:ab\n")
    shutil.copy(os.path.join(ROOT, "params.yaml"), str(folder))
    (folder / "convert").mkdir()
    for name, facts in (("step_float32", model("step", "float32", 74000)),
                        ("step_int8", model("step", "int8", 23000))):
        (folder / "convert" / (name + ".tflite")).write_bytes(name.encode())
        (folder / "convert" / (name + ".json")).write_text(json.dumps(facts))
    write_evaluation(folder / "evaluate", time, rng)


def write_evaluation(folder, time, rng):
    folder.mkdir()
    stamps = np.char.add(np.datetime_as_string(time, unit="s"), "Z")[:2000]
    files = {
        "metrics": {name: metrics_of(place) for place, name in enumerate(DETECTORS)},
        "parity": {"step_int8": {"forecast_mean_abs_diff": 0.01, "output_std": 0.5}},
        "quantization": {"step_int8": {"reference": "step_float32", "decisions_changed": 0.001,
                                       "vus_pr_change": -0.0123}}}
    for name, content in files.items():
        (folder / (name + ".json")).write_text(json.dumps(content))
    curve = [(name, x, x) for name in DETECTORS for x in (0, 0.5, 1)]
    tables = {
        "score": (["time", "detector", "score", "threshold", "label", "alarm"],
                  [(stamp, "step_int8", score, 3.0, 0, 0)
                   for stamp, score in zip(stamps, rng.random(2000))]),
        "alarms": (["detector", "start", "end", "time", "peak_score", "verdict"],
                   [("step_int8", 102, 110, stamps[102], 5, "true"),
                    ("step_int8", 400, 401, stamps[400], 4, "false"),
                    ("step_int8", 1500, 1530, stamps[1500], 9, "true"),
                    ("keras", 900, 901, stamps[900], 4, "false")]),
        "history": (["epoch", "mse", "mae", "validation_mse", "validation_mae"],
                    [(1, 0.5, 0.4, 0.3, 0.2), (2, 0.1, 0.2, 0.1, 0.125)]),
        "roc": (["detector", "false_positive_rate", "recall"], curve),
        "pr": (["detector", "recall", "precision"], curve),
        "recall_by_kind": (["detector", "kind", "event_recall"], [
            (name, kind, recall) for name in DETECTORS
            for kind, recall in (("drift", 1.0), ("noise_burst", 0.25), ("spike", 0.0))])}
    for name, (columns, rows) in tables.items():
        pd.DataFrame(rows, columns=columns).to_csv(str(folder / (name + ".csv")), index=False)


def arguments(folder, *more):
    out = folder / "out"
    return ["--evaluate", str(folder / "evaluate"), "--convert", str(folder / "convert"),
            "--test", str(folder / "test.csv"), "--lock", str(folder / "requirements.lock"),
            "--params", str(folder / "params.yaml"), "--out", str(out / "report.html"),
            "--picture", str(out / "overview.png")] + list(more)


def make(folder, *more):
    report.main(arguments(folder, *more))
    return Page((folder / "out" / "report.html").read_text(encoding="utf-8"))


class Page(html.parser.HTMLParser):
    """A page's elements, its text, and whether every element is closed in order."""

    VOID = {"meta", "link", "img", "wbr", "br"}

    def __init__(self, text):
        super().__init__()
        self.source, self.open, self.elements, self.text = text, [], [], ""
        self.rows = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data.strip()

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return make(folder, "--events", str(folder / "events.csv"))


def test_the_page_asks_nothing_of_any_network(page):
    addresses = [attributes.get(name) for _, attributes in page.elements
                 for name in ("src", "href", "action", "srcset", "data")]
    assert all(address.startswith(("data:", "#")) for address in addresses if address)
    assert not page.all("script") and not page.all("iframe")
    assert "://" not in page.source and "url(" not in page.source and "@import" not in page.source
    for image in page.all("img"):
        content = base64.b64decode(image["src"].split(",", 1)[1])
        links = re.findall(rb'(?:href|src)="([^"]*)"|url\(([^)]*)\)', content)
        assert all(link.startswith(b"#") for pair in links for link in pair if link)


def test_every_link_within_the_page_has_its_target(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_every_figure_has_text_and_every_picture_says_what_it_shows(page):
    assert all(len(image["alt"]) > 20 for image in page.all("img"))
    assert len(page.all("figure")) == len(page.all("figcaption"))
    assert len(page.all("img")) == 2 + 2, "two stretches of a thousand samples, curves, training"


def test_every_detector_stands_in_the_table_with_the_numbers_of_the_file(page, folder):
    metrics = json.loads((folder / "evaluate" / "metrics.json").read_text())
    rows = {row[0]: row[1:] for row in reversed(page.rows) if row}
    for name, values in metrics.items():
        assert rows[name] == [written(key, values[key]) for key in HEADLINE]
    exact = {float(data["value"]) for data in page.all("data")}
    assert {value for values in metrics.values() for value in values.values() if value} <= exact


def test_groups_come_in_order_and_the_best_first(page):
    names = [row[0] for row in page.rows if row and row[0] in DETECTORS][:len(DETECTORS)]
    assert names == ["keras", "frozen", "step_float32", "step_int8", "linear_forecaster",
                     "channel_threshold", "floor_random", "floor_all"]


def test_the_summary_says_what_was_found_what_it_cost_and_how_large_it_is(page):
    text = " ".join(page.text.split())
    assert "step_int8 found 2 of 3 events in 1.7 days" in text
    assert "VUS-PR of 0.546 stands beside 0.495 of the best baseline (linear_forecaster)" in text
    assert "differ from those of Keras by 2 % of their standard deviation" in text
    assert "VUS-PR moved by -0.0123" in text
    assert "23,000 bytes, 3.2 times fewer than step_float32 (74,000)" in text


def test_events_are_told_with_their_delay(page):
    assert "drift of flow_m3h (hard) at 2020-01-29 16:20, found after 120 s" in page.text
    assert "spike of flow_m3h (plain) at 2020-01-30 02:20, missed" in page.text
    assert "2 events, 2 alarms (1 false)" in page.text
    assert "The score is kept for 2,000 of 2,500 samples" in page.text


def test_hashes_are_those_of_the_files(page, folder):
    expected = hashlib.sha256((folder / "test.csv").read_bytes()).hexdigest()
    rows = {row[0]: row[1:] for row in page.rows if row}
    size = (folder / "test.csv").stat().st_size
    assert rows[str(folder / "test.csv")] == ["{:,}".format(size), expected]
    assert str(folder / "convert" / "step_int8.tflite") in rows
    assert str(folder / "evaluate" / "metrics.json") in rows


def test_names_from_files_cannot_become_markup(page):
    assert not page.all("b")
    for image in page.all("img")[:2]:
        assert "3 channels" in image["alt"]


def test_the_same_input_gives_the_same_bytes(page, folder):
    before = [(folder / "out" / name).read_bytes() for name in ("report.html", "overview.png")]
    make(folder, "--events", str(folder / "events.csv"))
    after = [(folder / "out" / name).read_bytes() for name in ("report.html", "overview.png")]
    assert before == after
    assert sorted(os.listdir(str(folder / "out"))) == ["overview.png", "report.html"]


def test_the_picture_fits_a_readme(page, folder):
    image = Image.open(io.BytesIO((folder / "out" / "overview.png").read_bytes()))
    assert image.size == (1200, 600) and image.info == {}


@pytest.fixture
def unlabelled(tmp_path):
    """What evaluate leaves without an event table."""
    write_inputs(tmp_path)
    for name in ("roc", "pr", "recall_by_kind"):
        (tmp_path / "evaluate" / (name + ".csv")).unlink()
    (tmp_path / "evaluate" / "quantization.json").write_text(json.dumps(
        {"step_int8": {"reference": "step_float32", "decisions_changed": 0.001}}))
    values = {"alarms_per_day": 0.5, "score_median": 0.1}
    (tmp_path / "evaluate" / "metrics.json").write_text(
        json.dumps({name: values for name in DETECTORS}))
    alarms = pd.read_csv(str(tmp_path / "evaluate" / "alarms.csv")).assign(verdict="unknown")
    alarms.to_csv(str(tmp_path / "evaluate" / "alarms.csv"), index=False)
    return tmp_path


def test_without_labels_the_page_says_so_and_shows_the_rest(unlabelled):
    page = make(unlabelled)
    text = " ".join(page.text.split())
    assert ("step_int8 raised 3 alarms in 1.7 days of test record; without labels nobody can say "
            "which of them are right.") in text
    assert "labelled" not in text and "above the floors" not in text
    assert "runs of alarms per day" in text
    assert "The test record has no event table" in text
    assert "alarms_per_day" in text and "VUS-PR" not in text
    assert "against step_float32, 0.1 % of the decisions changed." in text
    assert not {"recall", "curves"} & {section.get("id") for section in page.all("section")}


def test_an_empty_event_table_is_no_label_and_blanks_in_one_are_unknown(unlabelled):
    path = unlabelled / "events.csv"
    head = path.read_text().splitlines()[0]
    path.write_text(head + "\n")
    assert "The test record has no event table" in make(unlabelled, "--events", str(path)).text
    path.write_text(head + "\n100,120,,,\n")
    text = " ".join(make(unlabelled, "--events", str(path)).text.split())
    assert "event at 2020-01-29 16:20, " in text and "unknown" not in text
    path.write_text(head + "\n100,120,leak,,\n")
    assert "leak at 2020-01-29 16:20, " in make(unlabelled, "--events", str(path)).text


def test_parameters_are_shown_by_their_values(page, folder):
    shown = page.source.split("<pre><code>")[1].split("</code></pre>")[0]
    with open(str(folder / "params.yaml")) as file:
        assert yaml.safe_load(html.unescape(shown)) == yaml.safe_load(file)


def test_what_evaluate_did_not_write_is_left_out_with_a_sentence(tmp_path):
    write_inputs(tmp_path)
    for folder in ("evaluate", "convert"):
        shutil.rmtree(str(tmp_path / folder))
        (tmp_path / folder).mkdir()
    text = " ".join(make(tmp_path).text.split())
    for sentence in ("There are no metrics to show.", "There is no score to show.",
                     "There is no training history to show.", "There are no model files to show.",
                     "There are no comparisons with Keras to show."):
        assert sentence in text


def test_an_int16x8_file_has_its_rows(tmp_path):
    write_inputs(tmp_path)
    (tmp_path / "convert" / "step_int16x8.tflite").write_bytes(b"step_int16x8")
    (tmp_path / "convert" / "step_int16x8.json").write_text(json.dumps(
        model("step", "int16x8", 22848)))
    parity = json.loads((tmp_path / "evaluate" / "parity.json").read_text())
    parity["step_int16x8"] = dict(parity["step_int8"], alarms_same=7, alarms_gained=1, alarms_lost=0)
    (tmp_path / "evaluate" / "parity.json").write_text(json.dumps(parity))
    found = [row for row in make(tmp_path).rows if row and row[0].startswith("step_int16x8")]
    assert any("22,848" in row for row in found)
    assert any(row[-3:] == ["7", "1", "0"] for row in found)


def test_a_table_of_runtimes_is_shown_when_given(folder, page):
    (folder / "runtimes.json").write_text(json.dumps([{"file": "step_int8.tflite", "runtimes": {
        "tf 1.15.5": {"status": "ok", "max_of_std": 0.0},
        "litert": {"status": "ok", "max_of_std": 0.081, "decisions": {
            "to_first": {"alarms_same": 4, "alarms_gained": 0, "alarms_lost": 1}, "to_keras": {
                "alarms_same": 5, "alarms_gained": 2, "alarms_lost": 0}, "margin": 0.003,
            "largest_difference": 0.04}},
        "tflm": {"status": "refused", "says": "node->inputs->size != 24"}}}]))
    shown = make(folder, "--runtimes", str(folder / "runtimes.json"))
    assert ["step_int8.tflite", "0", "0.081", "refused"] in shown.rows
    assert ["step_int8.tflite, litert", "5", "2", "0", "0.003", "0.04"] in shown.rows
    assert "step_int8.tflite, tflm: node->inputs->size != 24" in shown.text
    assert "make runtimes" in page.text and "make runtimes" not in shown.text


@pytest.mark.parametrize("seconds", [3, 100, 7000, 115 * 3600, 130 * 3600, 20 * 86400, 10 ** 8])
def test_every_span_of_time_has_ticks(seconds):
    time = np.datetime64("2021-03-12", "s") + np.linspace(0, seconds, 50).astype(int)
    part = plots.Scored(time, ["a"], np.zeros((50, 1)), np.zeros(50), 2.0,
                        np.empty((0, 2), int), [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.record_figure(part, (11, 3))
        plots.png(figure, 100)
    assert 2 <= len(figure.axes[-1].get_xticks()) <= 14


def test_scores_of_another_record_are_refused(tmp_path):
    write_inputs(tmp_path)
    path = tmp_path / "evaluate" / "score.csv"
    path.write_text(path.read_text().replace("2020-", "2021-"))
    with pytest.raises(UserError, match="score.csv holds no score of a sample"):
        make(tmp_path)


@pytest.mark.parametrize("option", ["--evaluate", "--convert", "--test", "--events", "--lock",
                                    "--params", "--runtimes", "--artifacts"])
def test_a_missing_file_is_named(folder, option):
    with pytest.raises(UserError, match="nowhere"):
        report.main(arguments(folder) + [option, str(folder / "nowhere")])


# ---- in a browser ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium found (Debian: apt-get install chromium)")
def test_a_browser_shows_the_page_without_an_error_or_a_request(page, folder, tmp_path):
    shown, console, requests = browse(folder / "out" / "report.html", tmp_path)
    assert "SHA-256 of" in shown, "the page was shown to its end"
    assert (console, requests) == ([], [])
    # and what such a page would show if it were otherwise
    (tmp_path / "bad.html").write_text(
        '<img src="http://127.0.0.1:9/x.png"><script>console.error("no")</script>')
    _, console, requests = browse(tmp_path / "bad.html", tmp_path)
    assert len(console) >= 1 and requests == ["http://127.0.0.1:9/x.png"]


@pytest.mark.parametrize("deterministic, words", [
    ("true", "gives these bytes on every machine"), ("false", "these bytes are one machine's")])
def test_it_says_whose_bytes_they_are(folder, tmp_path, deterministic, words):
    with open(os.path.join(ROOT, "params.yaml")) as file:
        text = file.read().replace("deterministic: true", "deterministic: " + deterministic)
    (tmp_path / "params.yaml").write_text(text)
    report.main(arguments(folder) + ["--params", str(tmp_path / "params.yaml"),
                                     "--out", str(tmp_path / "page.html")])
    assert words in (tmp_path / "page.html").read_text().replace("&#39;", "'")
