"""The bench: its tables say what was measured. The slow test needs the environments of `make bench`."""
import json
import os
import shutil

import numpy as np
import pytest

from conftest import ROOT
import bench
from kit.base.cli import UserError
from kit.bench import contenders
from kit.runtime.files import tflite_files

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler cc")
MISSING = [venv for venv in (".venv-litert", ".venv-tflm", ".venv-peers")
           if not os.path.exists(os.path.join(ROOT, venv, "bin", "python"))]


def test_without_a_compiler_it_says_so(tmp_path, monkeypatch):
    weights = str(tmp_path / "weights.npz")
    np.savez(weights, kernel=np.ones((1, 4)), recurrent=np.ones((1, 4)), dense_bias=np.ones(1))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs a C compiler named cc"):
        bench.compiled(bench.Bench(weights, 6, None, None, str(tmp_path)))


def test_the_error_is_a_part_of_the_outputs_deviation():
    expected = np.array([[1.0], [-1.0]])
    assert bench.error(expected + 0.25, expected) == 0.25


def test_ratios_are_taken_round_by_round():
    results = {"a": {"times_us": [1.0, 9.0]}, "b": {"times_us": [2.0, 3.0]}}
    assert bench.ratio(results, "a", "b") == [0.5, 3.0]


def test_the_tables_hold_every_contender_and_every_target():
    times = {"step_float32, litert": 3, "C loop, step called from Python": 2, "C loop, step": 1,
             "window_float32, litert": 100, "window_int8, litert": 60, "onnxruntime float32": 120,
             "TF 2 Keras 2 float32, litert": 200, "loop_float32, litert": 90, "peak": 0.002,
             "stream step, float32": 5,
             "stream window, float32": 100, "live step, float32": 10, "live window, float32": 100,
             "stream step by calls, float32": 10, "stream in pieces step, float32": 4,
             "stream step by calls, int8": 4, "stream in pieces step, int8": 3}
    results = {name: {"times_us": [time, time]} for name, time in times.items()}
    results["window_int8, tflm"] = {"refused": "no such op"}
    text = bench.table(results)
    assert all(name in text for name in results) and "refused: no such op" in text
    facts = {"multiply_adds": 10000 * contenders.PEAK, "parameters": 1000, "step_int8_bytes": 1100,
             "window_int8_bytes": 2200}
    rows = [[cell.strip() for cell in line.split("|")] for line in
            bench.targets(results, facts).splitlines()[2:]]
    assert [float(row[2]) for row in rows] == [
        1.5, 3, 0.5, 0.45, 0.5, 3, 0.05, 0.1, 0.5, 0.4, 0.75, 1.1, 2]
    assert "window_int8" in rows[4][1]
    results["fused_int8, tflite"] = dict(results["step_float32, litert"], error=0.01)
    results["TF 2 Keras 2 int8, tflite"] = dict(results["step_float32, litert"], error=0.02)
    assert "| error of fused_int8, tflite : of TF 2 Keras 2 int8, tflite | 0.5 |" in bench.targets(
        results, facts)


@pytest.mark.slow
@needs_cc
@pytest.mark.skipif(bool(MISSING), reason="no %s: run `make bench`" % ", ".join(MISSING))
@pytest.mark.skipif(not tflite_files(os.path.join(ROOT, "models", "convert")),
                    reason="no models/convert")
def test_one_round_of_everything_and_all_compute_the_same(tmp_path, capsys):
    def path(*parts):
        return os.path.join(ROOT, *parts)

    bench.main([path("models", "convert"), "--keras", path("models", "train", "keras_model.h5"),
                "--record", path("data", "generate", "validation.csv"),
                "--calibration", path("data", "generate", "train.csv"), "--rounds", "1",
                "--scaler", path("models", "train", "scaler.json"), "--out", str(tmp_path / "b")])
    with open(str(tmp_path / "b.json")) as file:
        results = json.load(file)["results"]
    ran = {name: entry for name, entry in results.items() if "error" in entry}
    assert {name for name in results if name.startswith(("TF 2", "onnx"))} <= set(ran)
    assert {"step_int16x8, tflm", "stream in pieces step, int16x8"} <= set(ran)
    assert len(ran) > 35 and "| ratio |" in capsys.readouterr().out
    for name, entry in ran.items():
        assert entry["times_us"][0] > 0
        exact = not any(word in name for word in ("int8", "int16x8", "dynamic"))
        assert entry["error"] < (1e-5 if exact else 0.1), name
