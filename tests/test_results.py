"""The table at the end of `make all`."""
import json
import os

import pytest
import yaml

import results
from kit.page.results import put_into
from conftest import ROOT
from kit.base.cli import UserError, read_json
from kit.page.results import HEADLINE

METRICS = {
    "floor_all": {"vus_pr": 0.04, "auc_pr": 0.027, "event_recall": 1.0,
                  "false_alarms_per_day": 0.0, "false_alarm_time_fraction": 1.0, "median_delay_s": 0.0},
    "keras": {"vus_pr": 0.61249, "auc_pr": 0.5, "event_recall": 0.75, "false_alarms_per_day": 0.456,
              "false_alarm_time_fraction": 0.01,
              "median_delay_s": None},
    "step_int8": {"vus_pr": 0.6, "auc_pr": 0.49, "event_recall": 0.75,
                  "false_alarms_per_day": 10.5, "false_alarm_time_fraction": 0.0204,
                  "median_delay_s": 1260.0},
    "step_float32": {"vus_pr": 0.62, "auc_pr": 0.49, "event_recall": 0.75,
                     "false_alarms_per_day": 0.5, "median_delay_s": 60.0},
    "difference_threshold": {"vus_pr": 0.2, "auc_pr": 0.1},
    "linear_forecaster": {"vus_pr": 0.3, "auc_pr": 0.2},
}


def test_rows_stand_in_groups_the_best_first():
    names = [line.split()[0] for line in results.table(METRICS, {})]
    assert names == ["detector", "model", "step_float32", "keras", "step_int8", "baselines",
                     "linear_forecaster", "one-liners", "difference_threshold", "floors",
                     "floor_all"]


def test_numbers_are_those_of_the_file():
    lines = {line.split()[0]: line.split()[1:] for line in results.table(METRICS, {})}
    assert lines["detector"] == list(HEADLINE)
    assert lines["keras"] == ["0.612", "0.500", "0.750", "0.46", "0.010", "–"]
    assert lines["step_int8"] == ["0.600", "0.490", "0.750", "10.50", "0.020", "1260"]


def test_columns_are_aligned_and_fit_a_terminal():
    lines = results.table(METRICS, {"step_int8": 23168})
    assert max(map(len, lines)) <= 145
    ends = {line.index(word) + len(word) for line, word in (
        (lines[0], "vus_pr"), (lines[2], "0.620"), (lines[-1], "0.040"))}
    assert len(ends) == 1
    assert [line for line in lines if line.endswith("23,168")] == [
        line for line in lines if line.startswith("  step_int8")]


def test_an_int16x8_file_stands_among_the_models_with_its_bytes():
    metrics = dict(METRICS, step_int16x8=METRICS["step_int8"])
    lines = {line.split()[0]: line.split() for line in results.table(metrics, {"step_int16x8": 22848})}
    assert lines["step_int16x8"][-1] == "22,848"
    assert list(lines).index("step_int16x8") < list(lines).index("baselines")


def test_without_labels_the_table_shows_what_there_is():
    metrics = {"keras": {"alarms_per_day": 0.5, "score_median": 0.25}}
    assert [line.split() for line in results.table(metrics, {})] == [
        ["detector", "alarms_per_day", "score_median"], ["model", "files"],
        ["keras", "0.50", "0.25"]]


def test_the_script_prints_the_table_the_sizes_and_where_the_report_is(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "step_int8.tflite").write_bytes(b"x" * 1234)
    arguments = [str(tmp_path / "metrics.json"), "--convert", str(tmp_path)]
    results.main(arguments + ["--report", str(tmp_path / "none.html")])
    assert "report" not in capsys.readouterr().out
    (tmp_path / "report.html").write_text("")
    results.main(arguments + ["--report", str(tmp_path / "report.html")])
    printed = capsys.readouterr().out
    assert "1,234" in printed
    assert printed.endswith("more in %s\n" % (tmp_path / "report.html"))


def test_missing_metrics_are_named(tmp_path):
    with pytest.raises(UserError, match="none.json"):
        results.main([str(tmp_path / "none.json")])


def test_the_table_of_the_readme_is_that_of_the_metrics():
    """Sizes are those that dvc.lock names, since a clone without a cache has no files."""
    with open(os.path.join(ROOT, "README.md")) as file:
        text = file.read()
    with open(os.path.join(ROOT, "dvc.lock")) as file:
        stages = yaml.safe_load(file)["stages"]
    bytes_of = {os.path.basename(out["path"])[:-7]: out["size"] for spec in stages.values()
                for out in spec["outs"] if out["path"].endswith(".tflite")}
    metrics = read_json(os.path.join(ROOT, "reports", "evaluate", "metrics.json"))
    spread = read_json(os.path.join(ROOT, "reports", "seeds", "spread.json"))
    lines = results.table(metrics, bytes_of, results.ranges(spread, metrics))
    assert put_into(text, lines, "results") == text


def test_the_range_over_seeds_is_a_column():
    spread = {"detectors": {"keras": {"vus_pr": {"min": 0.5, "max": 0.75,
                                                 "values": [0.61249, 0.5, 0.75]}}}}
    lines = results.table(METRICS, {}, results.ranges(spread, METRICS))
    assert lines[0].split()[-1] == "vus_pr_over_seeds"
    cells = {line.split()[0]: line.split()[-1] for line in lines}
    assert cells["keras"] == "0.500-0.750" and cells["floor_all"] == "–"


def test_the_range_of_another_record_is_not_shown():
    spread = {"detectors": {"keras": {"vus_pr": {"min": 0.5, "max": 0.75, "values": [0.5, 0.75]}}}}
    for metrics in (METRICS, {"keras": {"alarms_per_day": 0.5}}):
        assert "vus_pr_over_seeds" not in results.table(
            metrics, {}, results.ranges(spread, metrics))[0]
