"""The contenders compute the same, and their clock counts right."""
import shutil

import numpy as np
import pytest

import bench
from kit.bench import contenders

STEPS, CHANNELS, UNITS, OUTPUTS = 6, 3, 16, 2  # the fixture's
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler cc")


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
