"""Alarms of the C detector on logs of another machine, against those that `detect` prints."""
import csv
import io
import os

import pytest

import detect
import example
import fit_detector
import step_models
from conftest import ROOT
from kit.detection.fitted import read_detector
from kit.firmware import devices, fixed, graph, readme, source
from kit.record.records import session_bounds
from kit.record.stretches import runs
from kit.record.windows import read_scaler
from kit.runtime.interpreter import Model
from machines import FACTS, GCC, NAME, WARNINGS, needs

WINDOW_STEPS = 12


@pytest.fixture(scope="module", params=["int8", "int16", "float32"])
def unit(request, tmp_path_factory):
    """A folder with a step model of the ventilation unit, its scaler, and a detector fitted on a log
    of it; its type of numbers."""
    folder, dtype = tmp_path_factory.mktemp("unit"), request.param
    (folder / "step.tflite").write_bytes(step_models.lstm(dtype, channels=5, units=8))
    (folder / "log.yaml").write_text("label_column: fault\n")
    log(folder, 7)
    fit_detector.main([
        str(folder / "step.tflite"), "--log", str(folder / "7.csv"), "--window-steps",
        str(WINDOW_STEPS), "--params", os.path.join(ROOT, "tests", "smoke.yaml"), "--settings",
        str(folder / "log.yaml"), "--out", str(folder)])
    return folder, dtype


def log(folder, seed):
    example.main(["--seed", str(seed), "--out", str(folder / ("%d.csv" % seed))])
    return str(folder / ("%d.csv" % seed))


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_alarms_are_those_of_detect(seed, unit, tmp_path, capsys):
    """The logs have missing cells, a short outage, and one that begins a session."""
    needs("gcc")
    folder, dtype = unit
    path = log(folder, seed)
    capsys.readouterr()
    detect.main(["--log", path, "--model", str(folder / "step.tflite"), "--detector",
                 str(folder / "detectors.json"), "--scaler", str(folder / "scaler.json"),
                 "--settings", str(folder / "log.yaml")])
    wanted = [(int(row["start"]), int(row["end"])) for row in
              csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["event"] != "begin"]

    scaler = read_scaler(str(folder / "scaler.json"))
    fitted = read_detector(str(folder / "detectors.json"), "step", len(scaler.channels))
    step = graph.read_step((folder / "step.tflite").read_bytes(), "step")
    rounding = fixed.rounding_of(Model(str(folder / "step.tflite")).runtime)  # detect's
    devices.prepare(str(tmp_path), source.sources(step, scaler, fitted, FACTS, NAME, rounding), NAME)
    devices.tool(GCC + WARNINGS + [NAME + ".c", "replay.c", "host.c", "-o", "replay"], str(tmp_path))
    record, _ = fit_detector.read_normal(path, {}, WINDOW_STEPS)
    values = record.values[:, [record.channels.index(name) for name in scaler.channels]]
    bounds = session_bounds(record.session, len(values))
    found = []
    for start, stop in bounds:
        _, alarms, _, _ = devices.replayed(
            lambda: devices.tool(["./replay"], str(tmp_path)), str(tmp_path), values[start:stop],
            readme.state_bytes(step))
        found += [(start + begin, start + end) for begin, end in runs(alarms)]
    assert len(bounds) == 2 and len(wanted) > 3
    assert found == wanted
