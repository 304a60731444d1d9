"""The bench: its contenders compute the same, its clock counts right, its tables say what was
measured. The slow test needs the environments of `make bench`."""
import json
import os
import shutil

import numpy as np
import pytest

from conftest import ROOT
import bench
from kit.base.cli import UserError
from kit.bench import contenders
from kit.network.description import Layer, Network

STEPS, CHANNELS, UNITS, OUTPUTS = 6, 3, 16, 2
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler cc")
MISSING = [venv for venv in (".venv-litert", ".venv-tflm", ".venv-peers")
           if not os.path.exists(os.path.join(ROOT, venv, "bin", "python"))]


@pytest.fixture
def weights(tmp_path):
    rng = np.random.default_rng(5)
    shapes = {"kernel": (CHANNELS, 4 * UNITS), "recurrent": (UNITS, 4 * UNITS),
              "bias": (4 * UNITS,), "dense": (UNITS, OUTPUTS), "dense_bias": (OUTPUTS,)}
    path = str(tmp_path / "weights.npz")
    np.savez(path, **{name: rng.normal(0, 0.4, shape).astype(np.float32)
                      for name, shape in shapes.items()})
    return path


def windows(count=4):
    return np.random.default_rng(6).normal(0, 1, (count, STEPS, CHANNELS)).astype(np.float32)


def test_the_numpy_loop_on_a_worked_example(tmp_path):
    path = str(tmp_path / "w.npz")  # one unit, one channel, weights 1, no biases
    ones = np.ones((1, 4), np.float32)
    np.savez(path, kernel=ones, recurrent=ones, bias=np.zeros(4, np.float32),
             dense=np.ones((1, 1), np.float32), dense_bias=np.zeros(1, np.float32))
    found = contenders.Numpy(path).outputs(np.zeros((1, 1, 1), np.float32) + 1)
    s, g = 1 / (1 + np.exp(-1)), np.tanh(1)
    assert found[0, 0] == pytest.approx(s * np.tanh(s * g), abs=1e-6)


def test_the_numpy_loop_follows_a_stream_as_it_does_windows(weights):
    loop, stream = contenders.Numpy(weights), windows(1)[0]
    prefixes = [stream[:number + 1] for number in range(STEPS)]
    assert np.abs(loop.stream(stream) - loop.outputs(prefixes)).max() < 1e-6


@pytest.fixture
def library(weights, tmp_path):
    return bench.compiled(bench.Bench(weights, STEPS, None, None, str(tmp_path)))


@needs_cc
@pytest.mark.parametrize("form", ["step", "call"])
def test_the_c_loop_computes_what_the_numpy_loop_does(weights, library, form):
    by_numpy = contenders.Numpy(weights)
    by_c = contenders.C(library, weights, "window")
    assert np.abs(by_c.outputs(windows()) - by_numpy.outputs(windows())).max() < 1e-5
    stream = windows(1)[0]
    step = contenders.C(library, weights, form)
    assert np.abs(step.outputs(stream) - by_numpy.stream(stream)).max() < 1e-5


@needs_cc
def test_loading_the_c_loop_leaves_denormal_numbers_alone(weights, library):
    contenders.C(library, weights, "window")
    assert np.float64(2.0 ** -1070) * np.float64(0.5) > 0


@needs_cc
def test_the_peak_is_above_what_the_c_loop_reaches(weights, library):
    contenders._loaded.update(peak=contenders.Peak(library),
                              loop=contenders.C(library, weights, "window"))
    contenders._loaded["loop"].outputs(windows(1))
    per_us = contenders.PEAK / contenders.measure("peak", 0.02)
    done = STEPS * 4 * UNITS * (CHANNELS + UNITS) + UNITS * OUTPUTS
    assert per_us > done / contenders.measure("loop", 0.02)


def test_without_a_compiler_it_says_so(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs a C compiler named cc"):
        bench.compiled(bench.Bench(weights, STEPS, None, None, str(tmp_path)))


def test_the_clock_divides_by_the_number_of_calls(monkeypatch):
    clock = [0]

    class Thousand:
        """Each call takes 1000 ns, and each round of calls 50 ns more."""

        def calls(self, count):
            clock[0] += 1000 * count + 50

    monkeypatch.setattr(contenders.time, "process_time_ns", lambda: clock[0])
    monkeypatch.setitem(contenders._loaded, "thousand", Thousand())
    assert contenders.measure("thousand", 0.001) == pytest.approx(1.0, rel=1e-3)
    assert clock[0] < 20e6  # about what was asked for


class Calls:
    def __init__(self):
        self.sizes = []

    def __call__(self, items):
        self.sizes.append(len(items))


@pytest.mark.parametrize("at_once, sizes", [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (9, [5])])
def test_a_stream_is_given_in_pieces(at_once, sizes):
    live = contenders.Live.__new__(contenders.Live)
    live._at_once, live._call = at_once, Calls()
    live._items = np.zeros((9, 3))
    live.calls(5)
    assert live._call.sizes == sizes


def test_other_networks_are_refused_by_name():
    gru = Network(None, 3, [Layer("GRU", "a", {}, {}), Layer("Dense", "b", {}, {})])
    with pytest.raises(UserError, match="my.h5: .* not for GRU, Dense"):
        bench.one_lstm(gru, "my.h5")


def test_the_error_is_a_part_of_the_outputs_deviation():
    expected = np.array([[1.0], [-1.0]])
    assert bench.error(expected + 0.25, expected) == 0.25


def test_ratios_are_taken_round_by_round():
    results = {"a": {"times_us": [1.0, 9.0]}, "b": {"times_us": [2.0, 3.0]}}
    assert bench.ratio(results, "a", "b") == [0.5, 3.0]


def test_the_tables_hold_every_contender_and_every_target():
    times = {"step_float32, litert": 3, "C loop, step called from Python": 2, "C loop, step": 1,
             "window_float32, litert": 100, "window_int8, litert": 60, "onnxruntime float32": 120,
             "TF 2 Keras 2 float32, litert": 200, "peak": 0.002, "stream step, float32": 5,
             "stream window, float32": 100, "live step, float32": 10, "live window, float32": 100}
    results = {name: {"times_us": [time, time]} for name, time in times.items()}
    results["window_int8, tflm"] = {"refused": "no such op"}
    text = bench.table(results)
    assert all(name in text for name in results) and "refused: no such op" in text
    facts = {"multiply_adds": 10000 * contenders.PEAK, "parameters": 1000, "step_int8_bytes": 1100,
             "window_int8_bytes": 2200}
    rows = [[cell.strip() for cell in line.split("|")] for line in
            bench.targets(results, facts).splitlines()[2:]]
    assert [float(row[2]) for row in rows] == [1.5, 3, 0.5, 0.5, 3, 0.05, 0.1, 1.1, 2]
    assert "window_int8" in rows[3][1]


@pytest.mark.slow
@needs_cc
@pytest.mark.skipif(bool(MISSING), reason="no %s: run `make bench`" % ", ".join(MISSING))
@pytest.mark.skipif(not os.path.isdir(os.path.join(ROOT, "models", "convert")),
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
    assert len(ran) > 35 and "| ratio |" in capsys.readouterr().out
    for name, entry in ran.items():
        assert entry["times_us"][0] > 0
        exact = "int8" not in name and "dynamic" not in name
        assert entry["error"] < (1e-5 if exact else 0.1), name
