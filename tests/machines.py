"""What the tests of firmware share: a detector fitted on a small walk, and C that is compiled."""
import os
import shutil
import subprocess

import numpy as np
import pytest

import step_models
from kit.base.cli import UserError
from kit.detection.fitting import fit, fit_normal
from kit.firmware import devices, graph, source
from kit.record.windows import Scaler, held
from kit.runtime.interpreter import Model

NAME, WARM_UP = "probe", 6
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
GCC = ["gcc", "-std=c99", "-O2"]
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "firmware")
FACTS = {"title": "A probe", "sources": ["nothing"]}
OPTIONS = {"time_constants": [3, 8], "energy_time_constants": [8], "time_scales": [1, 8],
           "fading": 0.9, "regimes": 2, "pca_variance": 0.9}


def needs(*tools):
    """Skip the test with a sentence where a program lacks."""
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip("%s is not installed" % tool)


def walk(n, channels, seed=5):
    """Values (n, C) round means of 10, 20, ... of unit spread, a cell missing now and then."""
    rng = np.random.Generator(np.random.PCG64(seed))
    steps = rng.normal(0, 1, (n, channels))
    for t in range(1, n):
        steps[t] = 0.9 * steps[t - 1] + 0.436 * steps[t]
    steps[rng.random(steps.shape) < 0.002] = np.nan
    return steps + 10 * np.arange(1, channels + 1)


def record(channels):
    """A walk with faults of several kinds, and stretches that are missing."""
    values = walk(700, channels)
    values[150:170, 0] += 4.0
    values[300, -1] -= 9.0
    values[400:405] = np.nan
    values[450:452, 0] = np.nan
    values[500:520] += 3.0
    return values.astype(np.float32).astype(float)  # as a device reads them


def write_record(path, values):
    """A record .csv of values (n, C), a row a minute, as `generate` writes it."""
    times = np.datetime64("2020-01-01T00:00:00") + 60 * np.arange(len(values)).astype("timedelta64[s]")
    with open(path, "w") as file:
        file.write("time,%s\n" % ",".join("c%d" % c for c in range(values.shape[1])))
        for when, row in zip(times, values):
            cells = ["" if np.isnan(value) else repr(value) for value in row]
            file.write("%sZ,%s\n" % (when, ",".join(cells)))


class Machine:
    """A step model with its scaler, its fitted detector, and its C source."""

    def __init__(self, kind, dtype):
        self.dtype = dtype
        self.blob = step_models.MODELS[kind](dtype)
        self.step = graph.read_step(self.blob, kind)
        self.channels = self.step.tensors[self.step.inputs[0]].size
        self.scaler = Scaler(["c%d" % c for c in range(self.channels)],
                             10.0 * np.arange(1, self.channels + 1), np.ones(self.channels))
        self.detector = self._fitted()
        self.sources = source.sources(self.step, self.scaler, self.detector, FACTS, NAME, "tflite")

    def model(self):
        return Model(self.blob, "tflite_runtime")

    def _fitted(self):
        samples = self.scaler.standardise(walk(600, self.channels, 6))
        filled = held(samples)
        forecasts = np.full(samples.shape, np.nan, np.float32)
        forecasts[1:] = self.model().stream(filled[:-1]).reshape(len(samples) - 1, -1)
        forecasts[:WARM_UP] = np.nan
        normal = fit_normal(samples, filled, OPTIONS)
        found, _ = fit(samples, forecasts, normal, OPTIONS, 0.01)
        return dict(found, warm_up_samples=WARM_UP, interval_s=60.0)

    def state_bytes(self):
        sizes = {"float32": 4, "int8": 1, "int16": 2}
        return sum(self.step.tensors[place].size * sizes[self.step.tensors[place].dtype]
                   for place in self.step.inputs[1:])

    def compiled(self, folder, command, program="replay", sources=("probe.c", "replay.c")):
        """Compile the detector and what calls it on this PC."""
        devices.prepare(str(folder), self.sources, NAME)
        return devices.tool(command + list(sources) + ["host.c", "-o", program, "-lm"], str(folder))

    def replayed(self, folder, samples, program="./replay"):
        return devices.replayed(lambda: devices.tool([program], str(folder)), str(folder), samples,
                                self.state_bytes())


_machines = {}


def machine(kind, dtype):
    """A Machine, made once."""
    if (kind, dtype) not in _machines:
        try:
            _machines[kind, dtype] = Machine(kind, dtype)
        except UserError as error:
            if dtype == "int16" and "int16, int8, int16" in str(error):
                pytest.skip("kit.runtime takes no int16 files here")
            raise
    return _machines[kind, dtype]


def run(folder, *command):
    done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def write(folder, name, text):
    with open(os.path.join(str(folder), name), "w") as file:
        file.write(text)
