"""make records: which folders are records, what of their params counts, and the tables by worked values."""
import pytest
import yaml

import records
from kit.base.cli import UserError

NAMES = records.ENSEMBLES + records.ALONE + ("pca_residual", "global_max_z", "floor_random")


def result(vus_pr, false_alarms, asked=0.5, **others):
    """What is kept of a record on which every detector is alike, but for others."""
    metrics = {name: {"vus_pr": vus_pr, "false_alarms_per_day": false_alarms} for name in NAMES}
    metrics.update({name: {"vus_pr": value, "false_alarms_per_day": false_alarms}
                    for name, value in others.items()})
    return {"asked": asked, "metrics": metrics}


def folder(path, *files):
    path.mkdir()
    for name in files:
        (path / name).write_text("x")
    return path


def test_records_are_the_folders_with_params(tmp_path):
    folder(tmp_path / "b", "params.yaml", "log.csv")
    folder(tmp_path / "a", "params.yaml")
    folder(tmp_path / "notes", "log.csv")
    assert list(records.folders(str(tmp_path))) == ["a", "b"]
    with pytest.raises(UserError, match="no folder in it has a params.yaml"):
        records.folders(str(tmp_path / "notes"))


def test_the_log_of_a_record(tmp_path):
    named = folder(tmp_path / "a", "params.yaml", "log.csv", "notes.txt")
    only = folder(tmp_path / "b", "params.yaml", "plant.csv")
    none = folder(tmp_path / "c", "params.yaml", "one.csv", "two.csv")
    assert records.log_of(str(named)) == str(named / "log.csv")
    assert records.log_of(str(only)) == str(only / "plant.csv")
    with pytest.raises(UserError, match="log or log.csv; there is one.csv, two.csv"):
        records.log_of(str(none))


def test_a_record_changes_the_parameters_that_there_are(capsys):
    ours = {"generate": {"log": {"time": "auto", "sort": False}}, "train": {"epochs": 20},
            "evaluate": {"fading": 0.9}}
    theirs = yaml.safe_load("{generate: {log: {sort: true}}, train: {epochs: 5, optimizer: adam}}")
    assert records.changes(theirs, ours) == {
        "generate": {"log": {"time": "auto", "sort": True}}, "train": {"epochs": 5}, "evaluate": {}}
    assert "left out: train.optimizer" in capsys.readouterr().err


def test_tables_worked():
    lines = records.tables({"one": result(0.5, 1.5, step_int8=0.4, step_int16x8=0.5),
                            "two": result(0.7, 2.0)})
    assert lines[1].split() == ["one", "0.500", "0.500", "0.400", "0.500", "0.500", "0.500", "0.500",
                                "0.500", "0.500", "pca_residual", "0.500", "–"]
    assert lines[3].split()[:4] == ["mean", "0.600", "0.600", "0.550"]
    assert lines[6].split() == ["step_int8", "-20.0", "+0.0", "-10.0"]
    assert lines[7].split() == ["step_int16x8", "+0.0", "–", "+0.0"]
    assert lines[10].split() == ["one", "3.00", "3.00", "3.00", "3.00", "3.00", "0.5"]
    assert lines[12].split()[:7] == ["at", "most", "three", "times", "1", "of", "2"]


def test_error_ratio_worked():
    assert records.error_ratio({"forecast_mean_abs_error": 0.3, "last_sample_mean_abs_error": 0.2}
                               ) == pytest.approx(1.5)
    assert records.error_ratio({"vus_pr": 0.3}) is None


def test_what_is_kept_is_what_the_tables_show():
    metrics = {"keras": {"vus_pr": 0.5, "range_f1": 0.4, "forecast_mean_abs_error": 0.1}}
    assert records.kept(metrics) == {"keras": {"vus_pr": 0.5, "forecast_mean_abs_error": 0.1}}


def test_a_record_without_labels_has_no_row():
    bare = {"asked": 1, "metrics": {"keras": {"alarms_per_day": 2}}}
    assert not any(line.startswith("bare") for line in records.tables(
        {"bare": bare, "one": result(0.5, 1.5)}))


def test_either_a_folder_or_what_an_earlier_run_wrote(capsys):
    with pytest.raises(SystemExit):
        records.arguments([])
    assert "give a folder of records" in capsys.readouterr().err


def test_a_record_that_fails_takes_no_other_with_it(tmp_path, monkeypatch, capsys):
    for name in "abc":
        folder(tmp_path / name, "params.yaml", "log.csv")

    def metrics_of(place, base):
        if place.endswith("b"):
            raise UserError("no int8")
        return result(0.5, 1.5)

    monkeypatch.setattr(records, "metrics_of", metrics_of)
    with pytest.raises(UserError, match="no result of b; the tables are of the others"):
        records.main([str(tmp_path), "--out", str(tmp_path / "records.json")])
    out, errors = capsys.readouterr()
    assert "\na " in out and "\nc " in out and "b: no int8" in errors
    assert sorted(records.read_json(str(tmp_path / "records.json"))) == ["a", "c"]
