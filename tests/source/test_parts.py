"""A log of one's own -> train, validation, test and events."""
import copy
import os
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import ROOT
import generate
from kit.base.cli import UserError
from kit.base.params import load_params
from kit.record.records import read_events, read_record
from kit.source.parts import PARTS, split

SETTINGS = load_params(os.path.join(ROOT, "params.yaml"))["generate"]["log"]
START = np.datetime64("2021-03-01T00:00:00")


def log_text(first, n, bad=(), channels=("a", "b"), period_s=60):
    """A log of n rows from the minute `first` on; channel k holds the minute + 1000 k."""
    lines = [",".join(("time",) + tuple(channels) + ("bad",))]
    for row in range(first, first + n):
        values = ["%d" % (row + 1000 * k) for k in range(len(channels))]
        time = str(START + np.timedelta64(row * period_s, "s"))
        lines.append(",".join([time] + values + ["%d" % any(a <= row < b for a, b in bad)]))
    return "\n".join(lines) + "\n"


def cut(tmp_path, source, window=5, **changes):
    """({part: Record}, events, sentences) of a log; settings changed as named."""
    settings = dict(copy.deepcopy(SETTINGS), **dict({"ignore_columns": ["bad"]}, **changes))
    if settings["label_column"]:
        settings["ignore_columns"] = []
    paths = {name: str(tmp_path / "out" / (name + ".csv")) for name in PARTS + ("events",)}
    said = split(str(source), settings, window, paths)
    parts = {name: read_record(paths[name]) for name in PARTS}
    return parts, read_events(paths["events"]), said


def test_shares_cut_the_log_in_order_of_time(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text(log_text(0, 100))
    parts, events, said = cut(tmp_path, source, shares=[3, 1, 1])
    assert [len(parts[name].time) for name in PARTS] == [60, 20, 20] and not len(events)
    np.testing.assert_array_equal(
        np.concatenate([parts[name].values for name in PARTS])[:, 0], np.arange(100))
    assert parts["test"].time[0] == START + np.timedelta64(80, "m")
    assert parts["train"].channels == ["a", "b"]
    assert said[0] == "%s: 2 channels, a sample every 60 s" % source
    assert said[1] == ("train: 60 samples, 2021-03-01T00:00:00Z to 2021-03-01T00:59:00Z, "
                       "0 events")


def test_labels_become_events_of_the_test_part_and_missing_samples_elsewhere(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text(log_text(0, 100, bad=[(10, 13), (58, 62), (79, 81), (90, 95)]))
    parts, events, said = cut(tmp_path, source, label_column="bad", shares=[3, 1, 1])
    assert events[["start", "end"]].values.tolist() == [[0, 1], [10, 15]]
    gone = [row for name, first in (("train", 0), ("validation", 60)) for row in
            first + np.flatnonzero(np.isnan(parts[name].values).all(axis=1))]
    assert gone == [10, 11, 12, 58, 59, 60, 61, 79]
    assert not np.isnan(parts["test"].values).any()
    assert any("8 samples of train and validation lie in events" in line for line in said)


def test_a_table_of_events_names_kinds_and_channels(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "2.csv").write_text(log_text(50, 50))
    (folder / "1.csv").write_text(log_text(0, 50))
    (folder / "book.csv").write_text(
        "start,end,kind,channels\n2021-03-01T01:25,2021-03-01T01:27:30,leak,a\n"
        "2021-03-01T01:24,2021-03-01T01:25,stuck,\n2022-01-01,2022-01-02,leak,b\n")
    parts, events, said = cut(tmp_path, folder, events="book.csv", shares=[3, 1, 1])
    assert events.values.tolist() == [[4, 5, "stuck", "unknown", "unknown"],
                                      [5, 8, "leak", "a", "unknown"]]
    assert parts["train"].values[:, 0].tolist() == list(range(60)), "in the order of time"
    assert said[-1] == "1 events of the table cover no sample"


def test_files_may_be_chosen_for_parts(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in range(5):
        (folder / ("day%d.csv" % day)).write_text(log_text(100 * day, 20))
    parts, _, _ = cut(tmp_path, folder, validation_files=["day1.csv"],
                      test_files=["day0*", "day4.csv"])
    assert parts["validation"].values[:, 0].tolist() == list(range(100, 120))
    assert parts["test"].values[:, 0].tolist() == [*range(20), *range(400, 420)]
    assert parts["test"].bounds == [(0, 20), (20, 40)], "what is days apart is not one recording"
    assert np.nanmin(parts["train"].values[:, 0]) == 200


def test_a_log_without_times_takes_the_interval_from_the_parameters(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("a,b\n" + "".join("%d,%d\n" % (row, row % 7) for row in range(100)))
    settings = {"time": "none", "sample_interval_s": 0.25}
    paths = {name: str(tmp_path / (name + ".csv")) for name in PARTS + ("events",)}
    split(str(source), dict(SETTINGS, **settings), 5, paths)
    validation = read_record(paths["validation"])
    assert str(validation.time[0]) == "1970-01-01T00:00:12.500"
    with pytest.raises(UserError, match="generate.log.sample_interval_s is null"):
        split(str(source), dict(SETTINGS, time="none"), 5, paths)


@pytest.mark.parametrize("files, changes, words", [
    ({"1.csv": log_text(0, 30)}, {}, "the train part has 15 samples, fewer than two windows of 10"),
    ({"1.csv": "time,a,bad\n" + "".join("2021-03-01T00:%02d,7,0\n" % row for row in range(60))}, {},
     "column a is 7 in every row of the train part; leave it out with generate.log.ignore_columns"),
    ({"1.csv": "time,a,bad\n" + "".join("2021-03-01T00:%02d,,0\n" % row for row in range(60))}, {},
     "column a holds no number in any row of the train part"),
    ({"1.csv": log_text(0, 50), "2.csv": log_text(50, 50, channels=("a",))}, {},
     "2.csv has no column b, which .*1.csv has"),
    ({"1.csv": log_text(0, 50), "2.csv": log_text(50, 50, channels=("a", "b", "c"))}, {},
     "2.csv has a column c, which .*1.csv lacks"),
    ({"1.csv": log_text(0, 50), "2.csv": log_text(50, 50, period_s=30)}, {},
     "2.csv: row 1 has the time .* no later than the last one of the file"),
    ({"1.csv": log_text(0, 50), "2.csv": log_text(101, 50, period_s=30)}, {},
     "2.csv: row 2 at .* is not 60 s after the row before it.*: two sampling rates"),
    ({"1.csv": log_text(0, 100)}, {"test_files": ["9.csv"]}, "holds no file 9.csv"),
    ({"1.csv": log_text(0, 100)}, {"test_files": ["1.csv"]}, "no file is left for the train part"),
    ({"1.csv": log_text(0, 100)}, {"test_files": ["1.csv"], "validation_files": ["*"]},
     "1.csv is chosen for validation and for the test"),
    ({}, {}, "holds no file that ends in .csv"),
    ({"1.csv": "time,bad\n2021-03-01,0\n"}, {}, "1.csv has no column left for a channel"),
    ({"1.csv": log_text(0, 100, channels=("a", "time")).replace("time,", "t,", 1)}, {},
     "1.csv: a channel is called time"),
    ({"1.csv": log_text(0, 100, channels=["c%d" % k for k in range(300)])}, {},
     "1.csv has 300 channels, more than the 256 that can be scored together; leave some out with"),
    ({"1.csv": log_text(0, 100, bad=[(0, 100)])}, {"label_column": "bad"},
     "every row of the train part lies in an event, so that nothing normal is left"),
    ({"1.csv": re.sub("(01:0.:00),[0-9]+,", r"\1,,", log_text(0, 120)),
      }, {"shares": [60, 10, 50], "ignore_columns": ["bad"], "window": 5},
     "column a holds no number in any row of the validation part"),
    ({"1.csv": log_text(0, 100), "e.csv": "start,end\n2021-03-01,2021-03-01\n"},
     {"events": "e.csv"}, "e.csv: row 1 ends before it starts"),
    ({"1.csv": log_text(0, 100), "e.csv": "start,end,channels\n2021-03-01,2021-03-02,a+z\n"},
     {"events": "e.csv"}, "e.csv: row 1, column channels: the log has no channel z"),
    ({"1.csv": log_text(0, 100), "e.csv": "start,end\n2021-03-01,2021-03-03\n"
                                          "2021-03-02,2021-03-04\n"},
     {"events": "e.csv"}, "the event that starts at 2021-03-02T00:00:00 does so within another"),
    ({"1.csv": log_text(0, 100)}, {"events": "book.csv"}, "book.csv: No such file"),
    ({"1.csv": log_text(0, 100)}, {"events": "book.csv", "label_column": "bad"},
     "without generate.log.label_column"),
])
def test_what_is_wrong_stops_the_stage_before_it_writes(tmp_path, files, changes, words):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(UserError, match=words):
        cut(tmp_path, folder, **dict({"window": 10}, **changes))
    assert not (tmp_path / "out").exists() or not os.listdir(str(tmp_path / "out"))


def test_all_that_cannot_be_learned_from_is_named_in_one_sentence(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("time,a,valve,dead,b,bad\n" + "".join(
        "2021-03-01T00:%02d,%d,3,,7,0\n" % (row, row) for row in range(60)))
    with pytest.raises(UserError, match=(
            "column valve is 3 in every row, column dead holds no number in any row, column b is 7 in "
            r"every row of the train part; leave them out with generate.log.ignore_columns: \[bad, "
            r"valve, dead, b\]")):
        cut(tmp_path, source)


def test_a_file_may_be_the_test_and_shares_cut_the_rest(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in range(3):
        (folder / ("day%d.csv" % day)).write_text(log_text(100 * day, 100))
    parts, _, _ = cut(tmp_path, folder, test_files=["day0.csv"], shares=[3, 1, 9])
    assert [len(parts[name].time) for name in PARTS] == [150, 50, 100]
    assert parts["validation"].values[0, 0] == 250 and parts["test"].values[-1, 0] == 99
    parts, _, _ = cut(tmp_path, folder, validation_files=["day0.csv"], shares=[3, 9, 1])
    assert [len(parts[name].time) for name in PARTS] == [150, 100, 50]


def test_a_sparse_channel_is_refused_and_filled_by_choice(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("time,a,slow,bad\n" + "".join("%s,%d,%s,0\n" % (
        START + np.timedelta64(row, "m"), row, row if row % 15 == 0 else "") for row in range(300)))
    with pytest.raises(UserError, match="column slow has a reading in one of 15 rows of the train "
                                        "part; fill .*generate.log.fill: {slow: hold}"):
        cut(tmp_path, source)
    parts, _, said = cut(tmp_path, source, fill={"slow": "hold"})
    assert parts["train"].values[14:17, 1].tolist() == [0, 15, 15]
    assert "280 values between the readings of slow channels were filled" in said
    assert "missing readings: slow 93.3 %" in said
    assert cut(tmp_path, source, fill={"slow": "linear"})[0]["train"].values[14:17, 1].tolist() == [
        14, 15, 16]
    with pytest.raises(UserError, match="generate.log.fill: .*plant.csv has no channel c"):
        cut(tmp_path, source, fill={"c": "hold"})


def test_files_may_be_recordings_of_their_own(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for run in range(3):
        (folder / ("run%d.csv" % run)).write_text(log_text(0, 40, period_s=60))
    with pytest.raises(UserError, match="row 1 has the time .*generate.log.sessions to files"):
        cut(tmp_path, folder, shares=[4, 1, 1])
    parts, _, said = cut(tmp_path, folder, sessions="files", shares=[4, 1, 1])
    assert parts["train"].bounds == [(0, 40), (40, 80)] and parts["test"].bounds == [(0, 20)]
    assert said[1].endswith("2 sessions, 0 events")


def test_a_column_may_tell_runs_apart_and_short_ones_are_told(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("time,run,a\n" + "".join(
        "%s,%d,%d\n" % (START + np.timedelta64(row, "m"), row // 33, row) for row in range(100)))
    parts, _, said = cut(tmp_path, source, sessions="run", ignore_columns=[], shares=[3, 1, 1])
    assert parts["train"].bounds == [(0, 33), (33, 60)]
    assert said[-1].startswith("1 session of them shorter than a window")


def test_files_of_one_sensor_each_are_joined(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, every in (("fast", 1), ("slow", 7)):
        (folder / (name + ".csv")).write_text("time,value\n" + "".join(
            "%s,%d\n" % (START + np.timedelta64(60 * row + 5, "s"), row)
            for row in range(0, 200, every)))
    with pytest.raises(UserError, match="generate.log.join needs generate.log.resample"):
        cut(tmp_path, folder, join=True, ignore_columns=[])
    parts, _, said = cut(tmp_path, folder, join=True, resample=60, ignore_columns=[])
    assert parts["train"].channels == ["fast", "slow"]
    assert parts["train"].values[5:9].tolist() == [[5, 0], [6, 0], [7, 7], [8, 7]]
    assert any(line.startswith("resampled to 60 s by hold: 4") for line in said)


def test_a_long_table_becomes_channels(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("time,tag,v\n" + "".join("%s,%s,%d\n" % (
        START + np.timedelta64(row, "m"), tag, row + shift) for row in range(100)
        for tag, shift in (("x", 0), ("y", 500), ("z", 0))))
    parts, _, said = cut(tmp_path, source, tag_column="tag", value_column="v", ignore_columns=["z"])
    assert parts["train"].channels == ["x", "y"]
    assert parts["train"].values[3].tolist() == [3, 503]
    assert "200 rows with the time of another one, merged (long table)" in said
    with pytest.raises(UserError, match="generate.log.tag_column needs generate.log.value_column"):
        cut(tmp_path, source, tag_column="tag", ignore_columns=[])


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "csv.gz", "csv.zip", "txt", "npy"])
def test_a_folder_of_any_format_is_a_log(tmp_path, ending):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "README.md").write_text("what this is")
    for day in range(2):
        table = pd.DataFrame({"t": pd.date_range("2021-03-01", periods=100, freq="min")
                              + pd.Timedelta(minutes=100 * day), "a": np.arange(100.0) + 100 * day})
        path = str(folder / ("%d.%s" % (day, ending)))
        if ending == "npy":
            np.save(path, table[["a"]].values)
        else:
            {"parquet": table.to_parquet, "xlsx": table.to_excel}.get(ending, table.to_csv)(
                path, index=False)
    parts, _, _ = cut(tmp_path, folder, ignore_columns=[],
                      sample_interval_s=60 if ending == "npy" else None)
    assert np.concatenate([parts[name].values[:, 0] for name in PARTS]).tolist() == list(range(200))


def test_times_that_are_none_are_told(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("id,a\n" + "".join("%d,%d\n" % (
        row + 5 * (row // 3), row) for row in range(300)))
    with pytest.raises(UserError, match="read as epoch_s the times lie in 1970 with 495 samples miss"):
        cut(tmp_path, source, time="epoch_s", ignore_columns=[])


def test_the_form_that_was_taken_is_said(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("t,a\n" + "".join("13.02.2020 %02d:%02d,%d\n" % (
        row // 60, row % 60, row) for row in range(100)))
    _, _, said = cut(tmp_path, source, ignore_columns=[])
    assert said[-1].endswith("the times of column t are taken as %d.%m.%Y %H:%M; "
                             "generate.log.time says otherwise")


def test_a_channel_without_times_may_not_be_called_time(tmp_path):
    source = tmp_path / "plant.csv"
    source.write_text("time,b\n" + "1,2\n" * 100)
    with pytest.raises(UserError, match="a channel is called time.*generate.log.time"):
        cut(tmp_path, source, time="none", sample_interval_s=1, ignore_columns=[])


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.csv: No such file"):
        cut(tmp_path, tmp_path / "nowhere.csv")


def test_the_simulation_is_told_from_a_log(tmp_path):
    assert generate.is_simulation("scripts/kit/source/machine.py")
    assert not generate.is_simulation(os.path.join(ROOT, "examples", "ventilation.csv"))
    assert not generate.is_simulation(str(tmp_path / "nowhere.csv"))


@pytest.mark.slow
def test_dvc_sees_when_the_log_changes(tmp_path):
    for name in ("dvc.yaml", "params.schema.yaml", "requirements.lock"):
        shutil.copy(os.path.join(ROOT, name), str(tmp_path))
    shutil.copytree(os.path.join(ROOT, "scripts"), str(tmp_path / "scripts"),
                    ignore=shutil.ignore_patterns("__pycache__"))
    os.symlink(os.path.join(ROOT, ".venv"), str(tmp_path / ".venv"))
    with open(os.path.join(ROOT, "params.yaml")) as file:
        params = yaml.safe_load(file)
    params["generate"]["source"] = "my logs"
    params["generate"]["log"]["ignore_columns"] = ["bad"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "my logs").mkdir()
    (tmp_path / "my logs" / "1.csv").write_text(log_text(0, 1000))

    def dvc(*words):
        done = subprocess.run(
            [os.path.join(ROOT, ".venv", "bin", "dvc")] + list(words), cwd=str(tmp_path),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
            env={name: value for name, value in os.environ.items() if name != "DVC_ROOT"})
        assert done.returncode == 0, done.stdout
        return done.stdout

    dvc("init", "--no-scm", "-q")
    assert "train: 500 samples" in dvc("repro", "generate")
    assert "up to date" in dvc("status", "generate")
    (tmp_path / "my logs" / "2.csv").write_text(log_text(1000, 1000))
    assert "my logs" in dvc("status", "generate")
    assert "train: 1000 samples" in dvc("repro", "generate")


def test_the_example_is_what_its_command_makes_and_can_be_cut(tmp_path):
    import example

    committed = os.path.join(ROOT, "examples", "ventilation.csv")
    example.main(["--out", str(tmp_path / "made.csv")])
    with open(committed, "rb") as file:
        assert file.read() == (tmp_path / "made.csv").read_bytes()
    assert os.path.getsize(committed) < 300000
    settings = dict(SETTINGS, label_column="fault")
    paths = {name: str(tmp_path / (name + ".csv")) for name in PARTS + ("events",)}
    split(committed, settings, 50, paths)
    assert len(read_events(paths["events"])) == 6
