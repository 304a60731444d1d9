"""The stage evaluate: its small functions by worked values, and a whole run on a tiny record."""
import json
import os
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import ROOT
import evaluate
from kit.base.cli import UserError
from kit.base.digest import sha256
from kit.detection import scores
from kit.record.records import Record, write_events, write_record

EVENTS = pd.DataFrame({"start": [10, 50], "end": [14, 60], "kind": ["spike", "drift"],
                       "channels": ["a", "b"], "severity": ["plain", "hard"]})


# ---- functions

@pytest.mark.parametrize("run, expected", [
    ((9, 11), "true"), ((13, 20), "true"), ((14, 20), "tail"), ((17, 18), "tail"),
    ((19, 25), "false"), ((5, 10), "false")])
def test_verdict(run, expected):
    assert evaluate.verdict(*run, EVENTS, 5) == expected
    assert evaluate.verdict(*run, None, 5) == "unknown"


def test_alarm_table_worked():
    found = np.zeros(100)
    found[[12, 13, 80]] = [4, 5, 6]
    time = np.arange(100).astype("datetime64[s]")
    table = evaluate.alarm_table({"x": (found, found > 3)}, time, EVENTS, 5)
    assert table.values.tolist() == [["x", 12, 14, "1970-01-01T00:00:12Z", 5, "true"],
                                     ["x", 80, 81, "1970-01-01T00:01:20Z", 6, "false"]]


def test_compare_worked():
    first = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1], bool)
    second = np.array([2.0, 4.0, 6.0, 8.0]), np.array([0, 1, 1, 1], bool)
    assert evaluate.compare(first, second) == {
        "score_correlation": pytest.approx(1), "decisions_changed": 0.25}


def test_parity_leaves_out_what_has_no_forecast():
    nan = np.nan
    outputs = {"keras": [np.array([[nan], [1.0]]), np.array([[nan], [3.0]])],
               "file": [np.array([[nan], [1.5]]), np.array([[nan], [2.9]])]}
    result = np.array([0.0, 1.0]), np.array([False, True])
    found = evaluate.parity(outputs, {"keras": result, "file": result}, "file")
    assert found["forecast_mean_abs_diff"] == pytest.approx(0.3)
    assert found["forecast_max_abs_diff"] == pytest.approx(0.5)
    assert found["output_std"] == pytest.approx(0.7)
    assert found["decisions_changed"] == 0


def test_quantization_costs_compare_with_the_float_file_of_the_form():
    result = np.array([0.0, 1.0]), np.array([False, True])
    names = ("keras", "step_float32", "step_int8", "window_int8", "my_own")
    table = {name: {"vus_pr": 0.5, "recall": None} for name in names}
    table["step_int8"] = {"vus_pr": 0.45, "recall": 1.0}
    costs = evaluate.quantization_costs({name: result for name in names}, table)
    assert list(costs) == ["step_int8"]
    assert costs["step_int8"]["reference"] == "step_float32"
    assert costs["step_int8"]["vus_pr_change"] == pytest.approx(-0.05)
    assert costs["step_int8"]["vus_pr_relative_change"] == pytest.approx(-0.1)
    assert "recall_change" not in costs["step_int8"]


def test_one_liners_take_the_best_column():
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((500, 2)) for _ in range(2)]
    marks = np.zeros(500, bool)
    marks[100:105] = True
    parts[1][100:105, 1] = -9
    detector, found = evaluate.one_liners(parts, ["a", "b"], marks, 0.001)["channel_threshold"]
    assert detector["column"] in ("b below", "b away")
    assert (found >= detector["threshold"])[100:105].all()


def test_plain_numbers():
    assert evaluate.plain({"a": np.float64(1 / 3), "b": np.nan, "c": {"d": 7, "e": "x"}}) == {
        "a": 0.333333, "b": None, "c": {"d": 7, "e": "x"}}


def test_model_paths_name_what_is_missing(tmp_path):
    keras = tmp_path / "model.h5"
    keras.write_text("")
    with pytest.raises(UserError, match="window.pb: no such file"):
        evaluate.model_paths(str(keras), str(tmp_path / "window.pb"), str(tmp_path))
    with pytest.raises(UserError, match="no .tflite file"):
        evaluate.model_paths(str(keras), str(keras), str(tmp_path))
    for name in ("b.tflite", "a.tflite", "a.json"):
        (tmp_path / name).write_text("")
    assert list(evaluate.model_paths(str(keras), str(keras), str(tmp_path))) == [
        "keras", "frozen", "a", "b"]


# ---- what detectors can be fitted on

def normal_part(values):
    return Record((60 * np.arange(len(values))).astype("datetime64[s]"), ["a", "b"], values)


def test_a_validation_part_that_is_too_short_is_refused():
    values = np.zeros((300, 2))
    values[250:] = np.nan
    evaluate.check_normal(normal_part(values), 50, "v.csv", 100)
    with pytest.raises(UserError, match="v.csv: 199 samples .* 200 are the least"):
        evaluate.check_normal(normal_part(values), 51, "v.csv", 100)


def test_a_short_validation_part_is_said_to_be_short(capsys):
    day = 1440  # samples of a minute
    evaluate.check_normal(normal_part(np.zeros((4 * day + 50, 2))), 50, "v.csv", 0.5)
    said = capsys.readouterr().err
    assert "v.csv has 4 days of normal operation" in said and "6 days would be enough" in said
    evaluate.check_normal(normal_part(np.zeros((6 * day + 50, 2))), 50, "v.csv", 0.5)
    assert capsys.readouterr().err == ""
    evaluate.check_normal(normal_part(np.zeros((1000, 2))), 50, "v.csv", 100)
    assert "15.8 hours of normal operation" in capsys.readouterr().err  # fewer than 1000 samples


@pytest.mark.parametrize("seconds, text", [
    (518400, "6 days"), (5400, "1.5 hours"), (67.5, "1.12 minutes"), (0.5, "0.5 seconds")])
def test_durations_in_the_largest_unit_that_they_fill(seconds, text):
    assert evaluate.duration(seconds) == text


def test_forecast_errors_worked():
    samples = np.array([[1.0], [2.0], [np.nan], [4.0], [4.0]])
    forecasts = np.array([[np.nan], [1.5], [9.0], [4.5], [np.nan]])
    assert evaluate.forecast_errors(samples, forecasts) == {
        "forecast_mean_abs_error": 0.5, "last_sample_mean_abs_error": 1.5}


def test_a_channel_without_a_number_in_the_validation_part_is_refused():
    values = np.zeros((2000, 2))
    values[:, 1] = np.nan
    with pytest.raises(UserError, match="v.csv: column b holds no number"):
        evaluate.check_normal(normal_part(values), 50, "v.csv", 0.5)


# ---- a whole run

class Case:
    """The stage's inputs in a folder: a short wave with three jumps, an untrained LSTM."""

    def __init__(self, folder):
        self.folder = str(folder)
        n, rng = 900, np.random.default_rng(1)
        angle = np.arange(n)[:, None] * [0.3, 0.2]
        values = np.sin(angle) + 0.05 * rng.standard_normal((n, 2))
        for start in (650, 740, 830):
            values[start:start + 6, 0] += 3
        record = Record((60 * np.arange(n)).astype("datetime64[s]"), ["a", "b"], values)
        for name, rows in (("train", slice(300)), ("validation", slice(300, 600)),
                           ("test", slice(600, 900))):
            write_record(self.path(name + ".csv"),
                         record._replace(time=record.time[rows], values=values[rows]))
        write_events(self.path("events.csv"), pd.DataFrame({
            "start": [50, 140, 230], "end": [56, 146, 236], "kind": "bias", "channels": "a",
            "severity": ["plain", "medium", "hard"]}))
        with open(self.path("scaler.json"), "w") as file:
            json.dump({"channels": ["a", "b"], "mean": [0, 0], "std": [0.7, 0.7]}, file)
        with open(self.path("history.csv"), "w") as file:
            file.write("epoch,mse\n1,0.5\n")
        with open(os.path.join(ROOT, "tests", "smoke.yaml")) as file:
            params = yaml.safe_load(file)
        with open(self.path("params.yaml"), "w") as file:
            yaml.safe_dump(params, file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def models(self):
        """An LSTM, its frozen window and one .tflite of the step form."""
        import convert
        import freeze
        from kit.tf.tf115 import tf

        tf.keras.backend.clear_session()
        tf.compat.v1.set_random_seed(1)
        model = tf.keras.Sequential([
            tf.keras.layers.LSTM(4, input_shape=(None, 2), recurrent_activation="sigmoid"),
            tf.keras.layers.Dense(2)])
        model.save(self.path("model.h5"), save_format="h5")
        freeze.main([self.path("model.h5"), "--form", "window", "--form", "step",
                     "--window-steps", "12", "--out", self.path("freeze")])
        os.makedirs(self.path("convert"), exist_ok=True)
        convert.main([self.path("freeze/step.pb"), "--form", "step", "--precision", "float32",
                      "--keras", self.path("model.h5"),
                      "-o", self.path("convert/step_float32.tflite")])

    def run(self, out, events=True):
        paths = [("--" + name, self.path(name + ".csv"))
                 for name in ("train", "validation", "test", "history")]
        paths += [("--events", self.path("events.csv"))] if events else []
        paths += [("--params", self.path("params.yaml")), ("--scaler", self.path("scaler.json")),
                  ("--keras", self.path("model.h5")), ("--frozen", self.path("freeze/window.pb")),
                  ("--tflite", self.path("convert")), ("--out", self.path(out))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluate.main([word for pair in paths for word in pair])
        return self.path(out)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    case = Case(tmp_path_factory.mktemp("evaluate"))
    case.models()
    return case


def read(folder, name):
    with open(os.path.join(folder, name)) as file:
        return json.load(file)


@pytest.mark.slow
def test_a_whole_run(case):
    out = case.run("out")
    table = read(out, "metrics.json")
    assert list(table)[:3] == ["keras", "frozen", "step_float32"]
    assert {"residual_alone", "plane_alone", "level_alone", "without_model", "linear_model",
            "linear_forecaster", "rolling_z_score", "global_max_z", "pca_residual",
            "isolation_forest", "channel_threshold", "difference_threshold", "floor_random",
            "floor_all", "floor_position"} == set(list(table)[3:])
    for values in table.values():
        assert {"vus_pr", "auc_pr", "event_recall", "false_alarms_per_day"} <= set(values)
    density = 18 / 300
    assert table["floor_all"]["auc_pr"] == pytest.approx(density)
    assert table["floor_all"]["event_recall"] == 1
    assert table["linear_forecaster"]["event_recall"] == 1
    assert table["linear_forecaster"]["vus_pr"] > 2 * table["floor_random"]["vus_pr"]
    parity = read(out, "parity.json")
    assert parity["frozen"]["forecast_max_abs_diff"] < 1e-5
    assert parity["frozen"]["decisions_changed"] == 0
    for name in ("roc", "pr", "score", "recall_by_kind", "recall_by_severity", "alarms"):
        assert "detector" in pd.read_csv(os.path.join(out, name + ".csv"))
    stretch = pd.read_csv(os.path.join(out, "score.csv"))
    assert list(stretch) == ["time", "detector", "score", "threshold", "label", "alarm"]
    assert stretch["label"].sum() == 18
    fitted = read(out, "detectors.json")
    detector = fitted["keras"]
    assert detector["fitted_with"]["model"] == sha256(case.path("model.h5"))
    assert "fitted_with" not in fitted["linear_forecaster"]
    assert scores.Scorer(detector).update(np.zeros((3, 2)), np.zeros((3, 2))).shape == (3,)


@pytest.mark.slow
def test_a_table_without_an_event_is_a_log_without_labels(case):
    labelled = case.run("labelled")
    events = case.path("events.csv")
    with open(events) as file:
        header, rest = file.readline(), file.read()
    try:
        with open(events, "w") as file:
            file.write(header)
        bare = case.run("bare")
    finally:
        with open(events, "w") as file:
            file.write(header + rest)
    assert sorted(os.listdir(bare)) == sorted(os.listdir(labelled)), "what the pipeline declares"
    assert "vus_pr" not in read(bare, "metrics.json")["keras"]
    for name in ("roc.csv", "pr.csv", "recall_by_kind.csv", "recall_by_severity.csv"):
        bare_table, table = (pd.read_csv(os.path.join(out, name)) for out in (bare, labelled))
        assert list(bare_table) == list(table) and not len(bare_table)


@pytest.mark.slow
def test_without_events_it_says_what_it_can_and_the_same_each_time(case):
    first, second = case.run("one", events=False), case.run("two", events=False)
    assert sorted(os.listdir(first)) == ["alarms.csv", "detectors.json", "headline.json",
                                         "history.csv", "metrics.json", "parity.json",
                                         "quantization.json", "score.csv"]
    assert "vus_pr" not in read(first, "metrics.json")["keras"]
    assert read(first, "metrics.json")["keras"]["alarms_per_day"] >= 0
    assert set(pd.read_csv(os.path.join(first, "alarms.csv"))["verdict"]) <= {"unknown"}
    for name in os.listdir(first):
        with open(os.path.join(first, name), "rb") as one, \
                open(os.path.join(second, name), "rb") as two:
            assert one.read() == two.read(), name


@pytest.mark.slow
def test_a_worker_that_dies_is_one_sentence_with_its_file(case, monkeypatch):
    monkeypatch.setenv("EMULATOR", "none")  # forked, with the fault below in it
    monkeypatch.setattr("kit.detection.forecasts.run_piece", killed_on_step)
    with pytest.raises(UserError, match="step_float32.tflite: the process .* ended .killed"):
        case.run("dead")
    assert not os.path.exists(case.path("dead"))


def killed_on_step(work):
    if work[0].form == "step":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_an_altered_file_is_one_sentence(case):
    path = case.path("convert/step_float32.tflite")
    with open(path, "rb") as file:
        data = file.read()
    try:
        with open(path, "wb") as file:
            file.write(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
        with pytest.raises(UserError, match="step_float32.tflite is not the file that"):
            case.run("altered")
    finally:
        with open(path, "wb") as file:
            file.write(data)
