"""Detecting by hand: alarms as they begin and end, from a file, a pipe or a file that grows."""
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from conftest import ROOT
import detect
from detect import Signals
from kit.base.cli import UserError
from kit.detection.fitted import fitted_with, read_detector
from kit.detection.stream import StreamDetector
from kit.record.records import read_record
from kit.record.windows import read_scaler, scaler_to_json
from kit.runtime.interpreter import Model
from toy import FITTED, LargestResidual, Persistence

SCRIPT = os.path.join(ROOT, "scripts", "detect.py")
MODERN = os.path.join(ROOT, ".venv-litert", "bin", "python")


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A folder with a log of two channels, with an alarm in row 6, and all that detect reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kit.detection.stream.Model", Persistence)
    monkeypatch.setattr("kit.detection.stream.Scorer", LargestResidual)
    monkeypatch.setattr("kit.detection.fitted.check_scorer", lambda *_: None)
    (tmp_path / "step_int8.tflite").write_bytes(b"")
    (tmp_path / "detectors.json").write_text(json.dumps({"step_int8": FITTED}))
    (tmp_path / "scaler.json").write_text(
        json.dumps({"channels": ["a", "b"], "mean": [10, 0], "std": [2, 1]}))
    write_log([10, 10, 10, 10, 11, 10, 17, 16, 10, 10])
    return tmp_path


def write_log(values, path="plant.csv", first=0, mode="w"):
    with open(path, mode) as file:
        file.write("" if first else "time,a,b\n")
        for row, value in enumerate(values, first):
            file.write("2021-03-01T00:%02d:00Z,%g,0\n" % (row, value))


def arguments(log="plant.csv", *more):
    return ["--log", log, "--model", "step_int8.tflite", "--detector", "detectors.json",
            "--scaler", "scaler.json"] + list(more)


def rows(text):
    return [list(row.values()) for row in csv.DictReader(io.StringIO(text))]


def test_alarms_begin_and_end(kit, capsys):
    detect.main(arguments())
    assert rows(capsys.readouterr().out) == [
        ["begin", "6", "", "2021-03-01T00:06:00Z", "3.55"],
        ["end", "6", "7", "2021-03-01T00:07:00Z", "3.55"],
        ["begin", "8", "", "2021-03-01T00:08:00Z", "2.95"],
        ["end", "8", "9", "2021-03-01T00:09:00Z", "2.95"]]


def test_json_lines_and_an_alarm_that_lasts(kit, capsys):
    write_log([10, 10, 10, 10, 17])
    detect.main(arguments("plant.csv", "--format", "jsonl"))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [
        {"event": "begin", "start": 4, "end": None, "time": "2021-03-01T00:04:00Z",
         "peak_score": 3.5},
        {"event": "open", "start": 4, "end": 5, "time": "2021-03-01T00:04:00Z", "peak_score": 3.5}]


def test_a_score_that_is_none_is_refused(kit, monkeypatch):
    class Lost(LargestResidual):
        def update(self, samples, forecasts):
            scores = super().update(samples, forecasts)
            scores[4:] = np.nan
            return scores

    monkeypatch.setattr("kit.detection.stream.Scorer", Lost)
    with pytest.raises(UserError, match="gives no score to sample 4: its numbers are damaged"):
        detect.main(arguments())


def test_the_first_forecasts_are_not_used(kit, capsys):
    write_log([10, 30, 10, 10, 10, 10])
    detect.main(arguments())
    assert rows(capsys.readouterr().out) == []


def test_a_log_without_times_and_with_columns_in_another_order(kit, capsys):
    values = [10, 10, 10, 10, 17, 17, 17, 17]
    (kit / "plant.csv").write_text("b,a\n" + "".join("0,%g\n" % value for value in values))
    detect.main(arguments())
    assert rows(capsys.readouterr().out) == [["begin", "4", "", "", "3.5"],
                                             ["end", "4", "5", "", "3.5"]]


def test_gaps_count_as_samples(kit, capsys):
    write_log([10, 10, 10, 10, 10])
    write_log([17], first=8, mode="a")
    detect.main(arguments())
    assert [row[:4] for row in rows(capsys.readouterr().out)] == [
        ["begin", "8", "", "2021-03-01T00:08:00Z"], ["open", "8", "9", "2021-03-01T00:08:00Z"]]


def test_a_gap_longer_than_a_window_begins_a_session(kit, capsys):
    """The alarm ends there, the gap counts no sample, and the first forecasts are not used."""
    write_log([10, 10, 10, 10, 17])
    write_log([17, 30, 10, 10, 10, 17], first=20, mode="a")
    detect.main(arguments())
    assert [row[:4] for row in rows(capsys.readouterr().out)] == [
        ["begin", "4", "", "2021-03-01T00:04:00Z"], ["end", "4", "5", "2021-03-01T00:04:00Z"],
        ["begin", "10", "", "2021-03-01T00:25:00Z"], ["open", "10", "11", "2021-03-01T00:25:00Z"]]


def test_a_record_with_sessions_is_read_as_it_is(kit, capsys):
    (kit / "plant.csv").write_text("time,session,a,b\n" + "".join(
        "2021-03-01T00:%02d:00Z,%d,%d,0\n" % (row, row > 4, 17 if row == 6 else 10)
        for row in range(10)))
    detect.main(arguments())
    assert rows(capsys.readouterr().out) == [], "row 6 is in the second session's warm-up"


@pytest.mark.parametrize("header, more, words", [
    ("time,a", [], "plant.csv does not have the channels .*; it lacks b$"),
    ("time,a,b,c", [], "the model does not know c .--ignore"),
    ("time,a,c", [], "it lacks b; the model does not know c"),
    ("time,a,b", ["--ignore", "c"], "plant.csv has no column c"),
])
def test_other_channels_are_refused_by_name(kit, header, more, words):
    (kit / "plant.csv").write_text(header + "\n")
    with pytest.raises(UserError, match=words):
        detect.main(arguments("plant.csv", *more))


def test_a_column_may_be_left_out(kit, capsys):
    (kit / "plant.csv").write_text("time,note,a,b\n2021-03-01,x,10,0\n")
    detect.main(arguments("plant.csv", "--ignore", "note"))
    assert rows(capsys.readouterr().out) == []


@pytest.mark.parametrize("change, words", [
    (["--model", "window_int8.tflite"], "detectors.json has no detector window_int8; it has step_"),
    (["--log", "."], "^.: no such file"),
    (["--log", "nowhere.csv"], "nowhere.csv: no such file"),
    (["--log", "nowhere.csv", "--follow"], "nowhere.csv: No such file"),
])
def test_what_is_not_there_is_named(kit, change, words):
    (kit / "window_int8.tflite").write_bytes(b"")
    with pytest.raises(UserError, match=words):
        detect.main(arguments() + change)


def test_a_detector_is_used_with_what_it_was_fitted_with(kit, capsys):
    scaler = read_scaler("scaler.json")
    claim = fitted_with("step_int8.tflite", scaler)
    (kit / "detectors.json").write_text(json.dumps({"step_int8": dict(FITTED, fitted_with=claim)}))
    (kit / "scaler.json").write_text(json.dumps(scaler_to_json(scaler), indent=3))  # the same numbers
    detect.main(arguments())
    assert rows(capsys.readouterr().out)
    (kit / "scaler.json").write_text(json.dumps({"channels": ["b", "a"], "mean": [10, 0], "std": [2, 1]}))
    with pytest.raises(UserError, match="detectors.json: step_int8 was fitted with another scaler"):
        detect.main(arguments())
    (kit / "step_int8.tflite").write_bytes(b"altered")
    with pytest.raises(UserError, match="another model .* remove step_int8.fitted_with to use it all the"):
        detect.main(arguments())
    (kit / "detectors.json").write_text(json.dumps({"step_int8": FITTED}))
    detect.main(arguments())


def test_what_no_stage_has_made_yet_says_how_to_make_it(kit):
    for option in ("--model", "--detector", "--scaler"):
        with pytest.raises(UserError, match="none.x: No such file.*`make evaluate` makes it"):
            detect.main(arguments() + [option, "none.x"])


def test_a_file_that_is_no_model_is_named(kit, monkeypatch):
    monkeypatch.undo()  # the real Model
    with pytest.raises(UserError, match="plant.csv: not a .tflite file"):
        detect.step_model(str(kit / "plant.csv"))


def test_another_sampling_rate_is_refused(kit):
    (kit / "plant.csv").write_text("time,a,b\n1000,10,0\n1010,10,0\n")
    with pytest.raises(UserError, match="row 2 at .* is not 60 s after the row before it"):
        detect.main(arguments())


def test_the_picture_is_written_also_when_the_log_breaks_off(kit):
    with open("plant.csv", "a") as file:
        file.write("2021-03-01T00:10:00Z,x,0\n")
    with pytest.raises(UserError, match="row 11, column a: 'x' is not a number"):
        detect.main(arguments("plant.csv", "--plot", "plant.png"))
    assert (kit / "plant.png").read_bytes().startswith(b"\x89PNG")


# ---- a detector that runs for years


def stamped(values, first=0):
    """Rows of the log as text, one a minute."""
    return ["%s,%s,0\n" % (np.datetime64("2021-03-01T00:00") + np.timedelta64(row, "m"), value)
            for row, value in enumerate(values, first)]


def said(capsys, *more):
    """What is printed about alarms: begin and end rows."""
    detect.main(arguments("plant.csv", *more))
    return [row for row in rows(capsys.readouterr().out) if row[0] != "open"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("same_file", [True, False])
@pytest.mark.parametrize("timed", [True, False])
def test_a_log_in_two_pieces_gives_the_alarms_of_the_whole(kit, capsys, seed, same_file, timed):
    rng = np.random.RandomState(seed)
    values = np.where(rng.rand(60) < 0.3, 17, 10)
    lines, header = stamped(values), "time,a,b\n"
    lines = [line for row, line in enumerate(lines) if not 20 < row < 20 + seed]  # a gap
    if not timed:
        lines, header = [line[line.index(",") + 1:] for line in lines], "a,b\n"
    (kit / "plant.csv").write_text(header + "".join(lines))
    whole = said(capsys)
    assert len(whole) > 4
    begun, found, edges = [], [], [0] + sorted(rng.randint(1, len(lines), 3)) + [len(lines)]
    for a, b in zip(edges, edges[1:]):
        if not same_file and not timed and a < len(lines) and lines[a] in begun:
            return  # two files that begin alike, and no time to tell them apart
        begun.append(lines[a])
        (kit / "plant.csv").write_text(header + "".join(lines[0 if same_file else a:b]))
        found += said(capsys, "--state", "s.json") if b > a else []
    assert found == whole


def test_a_state_of_another_detector_or_a_damaged_one_is_refused(kit, capsys):
    said(capsys, "--state", "s.json")
    content = json.loads((kit / "s.json").read_text())
    for change, words in ((dict(content, of=["x"]), "is of another model, detector or scaler"),
                          (dict(content, state={}), "s.json is damaged .*; remove it"),
                          ([], "s.json is damaged")):
        (kit / "s.json").write_text(json.dumps(change))
        with pytest.raises(UserError, match=words):
            detect.main(arguments("plant.csv", "--state", "s.json"))
    (kit / "s.json").write_text("{")
    with pytest.raises(UserError, match="s.json is not JSON"):
        detect.main(arguments("plant.csv", "--state", "s.json"))


def test_bad_rows_are_skipped_counted_and_told(kit, capsys):
    lines = stamped([10, 10, 10, 10, 11, 10, 17, 16, 10, 10])
    whole = said(capsys)
    lines[2] = "2021-03-01T00:02,oops,0\n"
    lines.insert(5, "2021-03-01T00:04:30,1\n")
    lines.insert(3, "\n")
    lines.append("garbage\n")
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(lines))
    with pytest.raises(UserError, match="plant.csv: row 4 is empty"):
        detect.main(arguments())
    capsys.readouterr()
    detect.main(arguments("plant.csv", "--bad-rows", "skip"))
    out, errors = capsys.readouterr()
    assert rows(out) == whole
    assert "skipped (1): plant.csv: row 3, column a: 'oops' is not a number" in errors
    assert errors.endswith("3 rows skipped\n")


def test_a_row_of_the_future_is_dropped_and_a_set_clock_begins_a_session(kit, capsys):
    values = [10, 10, 10, 10, 10, 17, 10, 10, 10]
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(stamped(values)))
    whole = said(capsys)
    lines = stamped(values)
    lines.insert(4, "2093-01-01T00:00,10,0\n")
    lines.insert(7, "2021-03-01T00:00:30,10,0\n")
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(lines))
    assert said(capsys, "--bad-rows", "skip") == whole
    later = [line.replace("2021", "2019") for line in stamped([10, 10, 10, 10, 17, 10])]
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(lines + later))
    found = said(capsys, "--bad-rows", "skip")
    assert found[:len(whole)] == whole
    assert [row[:4] for row in found[len(whole):]][0] == ["begin", "13", "", "2019-03-01T00:04:00Z"]


@pytest.mark.parametrize("rotate", ["moved", "emptied", "without names"])
def test_a_rotated_log_is_followed(kit, capsys, monkeypatch, rotate):
    values = [10, 10, 10, 10, 11, 10, 17, 16, 10, 10]
    lines, path = stamped(values), kit / "plant.csv"
    path.write_text("time,a,b\n" + "".join(lines))
    whole = said(capsys)
    path.write_text("time,a,b\n" + "".join(lines[:4]))
    signals = []

    def append():
        with open("plant.csv", "a") as file:
            file.write("".join(lines[4:6]))

    def turn():
        if rotate != "emptied":
            path.rename("plant.csv.1")
        path.write_text("" if rotate == "without names" else "time,a,b\n")

    def rest():
        with open("plant.csv", "a") as file:
            file.write("".join(lines[6:]))

    steps = iter([append, turn, rest, lambda: signals[0]._catch(signal.SIGTERM, None)])
    monkeypatch.setattr("detect.time.sleep", lambda _: next(steps)())
    monkeypatch.setattr("detect.Signals", lambda: signals.append(Signals()) or signals[0])
    with pytest.raises(SystemExit) as error:
        detect.main(arguments("plant.csv", "--follow"))
    assert error.value.code == 128 + signal.SIGTERM
    assert rows(capsys.readouterr().out) == whole


def test_the_settings_of_a_log_are_heeded(kit, capsys):
    whole = [row[:4] for row in said(capsys)]
    (kit / "plant.csv").write_text("a;b;note;d;h\n" + "".join(
        "%s;0;x;01.03.2021;00:%02d\n" % ("?" if value == 11 else value, row)
        for row, value in enumerate([10, 10, 10, 10, 11, 10, 17, 16, 10, 10])))
    (kit / "s.yaml").write_text("generate: {log: {time_column: [d, h], missing: ['?'], "
                                "label_column: note, normal_labels: [x]}}")
    assert [row[:4] for row in said(capsys, "--settings", "s.yaml")] == whole
    (kit / "s.json").write_text('{"time_column": ["d", "h"], "missing": ["?"], '
                                '"ignore_columns": ["note"]}')
    assert [row[:4] for row in said(capsys, "--settings", "s.json")] == whole
    with pytest.raises(UserError, match="lacks|not a number|no section"):
        (kit / "s.json").write_text("[1]")
        said(capsys, "--settings", "s.json")


def test_an_uneven_log_is_resampled_as_the_settings_say(kit, capsys):
    (kit / "s.json").write_text('{"resample": 60, "resample_by": "hold"}')
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(
        "2021-03-01T00:%02d:%02d,%d,0\n" % (second // 60, second % 60, 17 if second > 400 else 10)
        for second in range(0, 600, 7)))
    assert said(capsys, "--settings", "s.json")[0][:4] == ["begin", "7", "", "2021-03-01T00:07:00Z"]


@pytest.mark.parametrize("settings", [
    {"duplicates": "first"}, {"duplicates": "mean"}, {"resample": 60, "resample_by": "hold"},
    {"resample": 60, "resample_by": "mean", "duplicates": "last"},
    {"resample": 60, "resample_by": "linear", "duplicates": "last"},
    {"fill": {"a": "hold"}, "duplicates": "last"}, {"fill": {"a": "linear"}, "duplicates": "last"},
    {"tag_column": "tag", "value_column": "value"}])
@pytest.mark.parametrize("seed", range(5))
def test_a_log_in_pieces_that_is_merged_resampled_or_filled_gives_the_alarms_of_the_whole(
        kit, capsys, settings, seed):
    """However it is cut, also between two rows of one time, and with gaps that begin a session."""
    rng = np.random.RandomState(seed)
    settings = dict({"fill": {"b": "hold"}}, **settings)
    (kit / "s.json").write_text(json.dumps(settings))
    steps = rng.choice([0, 60, 60, 60, 120, 900] if "resample" not in settings
                       else [0, 7, 23, 60, 100, 900], 160)
    header, lines = "time,a,b\n", []
    for second in np.cumsum(steps):
        when = str(np.datetime64("2021-03-01T00:00:00") + int(second)) + "Z"
        a, b = (17 if rng.rand() < 0.3 else 10), rng.randint(2)
        cell = "" if rng.rand() < 0.2 else "%d" % a
        lines.append("%s,%s,%d\n" % (when, cell, b))
    if "tag_column" in settings:
        header, seconds = "time,tag,value\n", np.flatnonzero(rng.rand(200) < 0.8) * 60
        lines = ["%sZ,%s,%d\n" % (np.datetime64("2021-03-01T00:00:00") + int(second), tag, value)
                 for second in seconds for tag, value in (
                     ("a", 17 if rng.rand() < 0.3 else 10), ("b", 0))]
    last = np.datetime64(lines[-1].split("Z")[0])
    for row in range(1, 300):  # quiet ones, for the last rows wait for what may belong to them
        lines += ["%sZ,%s\n" % (last + 60 * row, cells) for cells in (
            ["a,10", "b,0"] if "tag_column" in settings else ["10,0"])]
    (kit / "plant.csv").write_text(header + "".join(lines))
    more = ("--settings", "s.json")
    whole = said(capsys, *more)
    assert len(whole) > 4
    found, edges = [], sorted(rng.randint(4, len(lines), 4)) + [len(lines)]
    for edge in edges:
        (kit / "plant.csv").write_text(header + "".join(lines[:edge]))
        found += said(capsys, "--state", "s", *more)
    assert found == whole


def test_a_log_that_has_to_be_sorted_takes_no_state(kit, capsys):
    (kit / "s.json").write_text('{"sort": true}')
    for option in (["--state", "x.json"], ["--follow"]):
        with pytest.raises(UserError, match="sort takes no %s: any row still to come" % option[0]):
            said(capsys, "--settings", "s.json", *option)


def test_every_alarm_of_a_long_log_is_in_the_picture(kit, capsys, monkeypatch):
    values = np.where(np.arange(5000) % 50 == 49, 17, 10)
    (kit / "plant.csv").write_text("time,a,b\n" + "".join(stamped(values)))
    seen = {}
    monkeypatch.setattr("detect.draw", lambda path, title, names, low, high, x, spans, threshold:
                        seen.update(title=title, spans=spans, x=x) or open(path, "w").close())
    found = said(capsys, "--plot", "p.png")
    assert len(seen["spans"]) == len([row for row in found if row[0] == "begin"]) >= 99
    assert seen["title"] == "plant.csv: %d alarms at step_int8, threshold 2.5" % len(seen["spans"])
    assert str(seen["spans"][0][0])[:16] + ":00Z" == found[0][3], "dates, not rows"


# ---- a real model, in the stages' environment and on a small device's


PIPELINE = """
set -e
D=data/generate M=models
run() { sh %s/scripts/run "$@"; }
run generate --train $D/train.csv --validation $D/validation.csv --test $D/test.csv \\
    --events $D/events.csv
run train --train $D/train.csv --validation $D/validation.csv --model $M/train/keras_model.h5 \\
    --scaler $M/train/scaler.json --history $M/train/history.csv
run freeze $M/train/keras_model.h5 --form window --form step --window-steps 12 \\
    --windows $D/validation.csv --scaler $M/train/scaler.json --out $M/freeze
for precision in int8 int16x8; do
    run convert $M/freeze/step.pb --form step --precision $precision \\
        --keras $M/train/keras_model.h5 --calibration $D/train.csv --validation $D/validation.csv \\
        --scaler $M/train/scaler.json --output $M/convert/step_$precision.tflite
done
run evaluate --train $D/train.csv --validation $D/validation.csv --test $D/test.csv \\
    --events $D/events.csv --scaler $M/train/scaler.json --history $M/train/history.csv \\
    --keras $M/train/keras_model.h5 --frozen $M/freeze/window.pb --tflite $M/convert \\
    --out reports/evaluate
""" % ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder in which the stages ran on the smoke parameters, with two .tflite files."""
    folder = tmp_path_factory.mktemp("built")
    with open(os.path.join(ROOT, "tests", "smoke.yaml")) as file:
        (folder / "params.yaml").write_text(file.read())
    done = subprocess.run(["sh", "-c", PIPELINE], cwd=str(folder), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return folder


def modern(*more):
    """The command on a modern Python that has numpy and LiteRT, and nothing of the stages'."""
    if not os.path.exists(MODERN):
        pytest.skip("there is no .venv-litert: `make runtimes` builds it")
    return [MODERN, SCRIPT] + list(more)


def run(command, folder, **options):
    done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def alarms_of(text):
    return [[int(row[1]), int(row[2]), float(row[4])] for row in rows(text) if row[0] != "begin"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step_int8", "step_int16x8"])
def test_alarms_on_the_test_part_are_those_of_evaluate(built, name):
    with open(str(built / "reports" / "evaluate" / "alarms.csv")) as file:
        expected = [[int(row["start"]), int(row["end"]), float(row["peak_score"])]
                    for row in csv.DictReader(file) if row["detector"] == name]
    assert expected
    found = run([sys.executable, SCRIPT, "--log", "data/generate/test.csv",
                 "--model", "models/convert/%s.tflite" % name], built)
    assert alarms_of(found) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step_int8", "step_int16x8"])
def test_in_pieces_the_scores_have_the_bytes_of_the_step_file_alone(built, name):
    path = str(built / "models" / "convert" / (name + ".tflite"))
    scaler = read_scaler(str(built / "models" / "train" / "scaler.json"))
    detector = read_detector(str(built / "reports" / "evaluate" / "detectors.json"), name,
                             len(scaler.channels))
    values = read_record(str(built / "data" / "generate" / "test.csv")).values
    model = detect.InPieces(detect.step_model(path), detect.model_file(path)[0])
    assert model.in_pieces
    whole, alone = (StreamDetector(one, scaler, detector).update(values).tobytes()
                    for one in (model, Model(path)))
    assert whole == alone


@pytest.mark.slow
def test_a_modern_python_with_numpy_and_one_runtime_suffices(built):
    imported = run([modern()[0], "-c", "import importlib.util as u\nprint([n for n in ("
                    "'tensorflow', 'pandas', 'sklearn', 'yaml') if u.find_spec(n)])"], built)
    assert imported == "[]\n"
    theirs = alarms_of(run([sys.executable, SCRIPT, "--log", "data/generate/test.csv"], built))
    ours = alarms_of(run(modern("--log", "data/generate/test.csv"), built))
    assert len(ours) == len(theirs)
    # int8 kernels differ in a last step of rounding between the runtimes
    np.testing.assert_allclose(ours, theirs, rtol=0.1, atol=2)


@pytest.mark.slow
def test_rows_that_arrive_one_by_one_raise_alarms_at_once(built):
    with open(str(built / "data" / "generate" / "test.csv")) as file:
        lines = file.readlines()
    with subprocess.Popen(modern("--log", "-", "--format", "jsonl"), cwd=str(built),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, universal_newlines=True) as process:
        process.stdin.writelines(lines[:1300])
        process.stdin.flush()
        first = json.loads(process.stdout.readline())  # while standard input is open
        process.stdin.writelines(lines[1300:])
        process.stdin.close()
        rest = process.stdout.read()
    whole = run(modern("--log", "data/generate/test.csv", "--format", "jsonl"), built)
    assert [first] + [json.loads(line) for line in rest.splitlines()] == [
        json.loads(line) for line in whole.splitlines()]


def heed_interrupts():
    """As at a terminal: a shell lets what it starts in the background ignore one, and nohup the other."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.slow
def test_a_file_that_grows_is_followed_until_ctrl_c(built, tmp_path):
    with open(str(built / "data" / "generate" / "test.csv")) as file:
        text = file.read()
    log = tmp_path / "growing.csv"
    log.write_text(text[:30007])  # within a row
    with subprocess.Popen(modern("--log", str(log), "--follow"), cwd=str(built),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, preexec_fn=heed_interrupts) as process:
        process.stdout.readline()
        with open(str(log), "a") as file:
            file.write(text[30007:])
        seen = [process.stdout.readline() for _ in range(2)]
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        rest, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, "Traceback" in errors) == (130, False)
    whole = run(modern("--log", "data/generate/test.csv"), built).splitlines(True)
    assert seen + rest.splitlines(True) == whole[1:]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_detector_goes_on_where_it_was(built, tmp_path, how):
    """Every change is said once more at most; none is lost."""
    with open(str(built / "data" / "generate" / "test.csv")) as file:
        lines = file.readlines()
    log, state, found = tmp_path / "growing.csv", str(tmp_path / "s.json"), []
    log.write_text("")
    for part, number in ((lines[:700], how), (lines[700:1207], how), (lines[1207:], signal.SIGTERM)):
        with open(str(log), "a") as file:
            file.write("".join(part))
        with subprocess.Popen(modern("--log", str(log), "--follow", "--state", state),
                              cwd=str(built), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, preexec_fn=heed_interrupts) as process:
            before = time.monotonic()
            while time.monotonic() - before < 60:  # all rows seen
                time.sleep(0.5)
                if os.path.exists(state):
                    with open(state) as file:
                        if '"row": %d,' % (sum(1 for _ in open(str(log))) - 1) in file.read():
                            break
            process.send_signal(number)
            try:
                out, errors = process.communicate(timeout=60)
            finally:
                process.kill()  # where it did not heed the signal: the with would wait for it
        assert "Traceback" not in errors
        assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
        found += [row for row in out.splitlines()[1:] if not row.startswith("open")]
    whole = run(modern("--log", "data/generate/test.csv"), built).splitlines()[1:]
    assert list(dict.fromkeys(found)) == [row for row in whole if not row.startswith("open")]


@pytest.mark.slow
def test_a_closed_pipe_ends_quietly(built):
    command = "%s --log data/generate/test.csv | head -1" % " ".join(modern())
    done = subprocess.run(["sh", "-c", command], cwd=str(built), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.stdout == "event,start,end,time,peak_score\n"
    assert "Error" not in done.stderr


@pytest.mark.slow
def test_a_detector_of_ones_own_is_fitted_with_the_runtime_that_will_decide(built, tmp_path):
    def fitted(folder, *more):
        return run([sys.executable, os.path.join(ROOT, "scripts", "fit_detector.py"),
                    "models/convert/step_int8.tflite", "--log", "data/generate/train.csv",
                    "--window-steps", "12", "--scaler", "models/train/scaler.json",
                    "--out", str(tmp_path / folder)] + list(more), built)

    ours, theirs = fitted("ours"), fitted("theirs", "--python", modern()[0])
    assert "fitted with" in ours and "fitted with litert on 1500 samples of normal" in theirs
    found = run(modern("--log", "data/generate/test.csv",
                       "--detector", str(tmp_path / "theirs" / "detectors.json"),
                       "--scaler", str(tmp_path / "theirs" / "scaler.json")), built)
    assert any(row[0] == "begin" for row in rows(found))


@pytest.mark.slow
def test_a_detector_of_a_keras_model_comes_with_its_step_file(built, tmp_path):
    out = str(tmp_path / "mine")
    command = ["sh", os.path.join(ROOT, "scripts", "run"), "fit_detector", "models/train/keras_model.h5",
               "--log", "data/generate/train.csv", "--window-steps", "12", "--out", out]
    run(command, built)
    assert sorted(os.listdir(out)) == ["detectors.json", "keras_model.golden.json", "keras_model.json",
                                       "keras_model.tflite", "scaler.json"]
    found = run([sys.executable, SCRIPT, "--log", "data/generate/test.csv", "--model",
                 os.path.join(out, "keras_model.tflite"), "--detector",
                 os.path.join(out, "detectors.json"), "--scaler", os.path.join(out, "scaler.json")],
                built)
    assert alarms_of(found)
    (tmp_path / "no.h5").write_bytes(b"nothing")
    done = subprocess.run(command[:3] + [str(tmp_path / "no.h5")] + command[4:-1] + [str(
        tmp_path / "none")], cwd=str(built), stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode and done.stderr.count("error:") == 1 and "no.h5" in done.stderr
    assert not (tmp_path / "none").exists()
