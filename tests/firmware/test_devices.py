"""The same bits on emulated boards as on this PC; every branch of the generated C is taken."""
import os
import re
import shutil

import numpy as np
import pytest

import machines
from kit.firmware import devices, source
from machines import GCC, HERE, NAME, machine, needs, record, run

pytestmark = pytest.mark.slow
BIG_ENDIAN = ["mips-linux-gnu-gcc", "-static", "-std=c99", "-O2"]


@pytest.fixture(scope="module", params=["int8", "int16", "float32"])
def probe(request):
    return machine("lstm", request.param)


def wanted(probe, folder, values):
    needs("gcc")
    probe.compiled(folder, GCC)
    return probe.replayed(folder, values)


@pytest.mark.parametrize("core", devices.CORES, ids=[core.name for core in devices.CORES])
def test_an_emulated_board_computes_the_same_bits(core, probe, tmp_path):
    if devices.lacking(core):
        pytest.skip(devices.lacking(core))
    values = record(probe.channels)
    expected = wanted(probe, tmp_path, values)
    devices.compile_for(core, str(tmp_path), [NAME + ".c", "replay.c"], core.name + ".elf")
    found = devices.replay(core, str(tmp_path), values, probe.state_bytes())
    for a, b in zip(expected, found):
        assert len(b) == len(values) and np.array_equal(a, b)


def test_a_big_endian_processor_computes_the_same_bits(probe, tmp_path):
    needs(BIG_ENDIAN[0], "qemu-mips")
    values = record(probe.channels)
    expected = wanted(probe, tmp_path, values)
    probe.compiled(tmp_path, BIG_ENDIAN)
    values.astype(">f4").tofile(str(tmp_path / "samples.bin"))
    run(tmp_path, "qemu-mips", "./replay")
    kind = {"float32": ">f4", "int16": ">i2", "int8": "u1"}[probe.dtype]
    row = np.dtype([("score", ">f8"), ("alarm", "u1"), ("forecast", ">f4", (probe.channels,)),
                    ("states", kind, (probe.state_bytes() // np.dtype(kind).itemsize,))])
    found = np.fromfile(str(tmp_path / "results.bin"), row)
    assert np.array_equal(found["score"], expected[0])
    assert np.array_equal(found["forecast"], expected[2])
    assert np.array_equal(found["states"].astype(kind.replace(">", "<")).view("u1"), expected[3])


@pytest.mark.parametrize("core", [core for core in devices.CORES if "M4F" in core.name],
                         ids=["Cortex-M4F"])
def test_instructions_and_stack_are_counted(core, tmp_path):
    """Twice the rows of a loop of known length: the count is exact to a few per cent."""
    if devices.lacking(core):
        pytest.skip(devices.lacking(core))
    probe = machine("lstm", "int8")
    devices.prepare(str(tmp_path), probe.sources, NAME)
    devices.compile_for(core, str(tmp_path), ["measure.c"], "measure.elf")
    np.nan_to_num(record(3), nan=10.0).astype("<f4")[:128].tofile(str(tmp_path / "samples.bin"))
    network, all_, stack = devices.measure(core, str(tmp_path))
    again = devices.measure(core, str(tmp_path))
    assert 300 < network < all_ < 20000 and 200 < stack < 3000
    assert np.allclose(again, [network, all_, stack], rtol=1e-3)


def branches(folder, source):
    """(lines never run, branches never taken) of a C file, as gcov tells them."""
    run(folder, "gcov", "-b", "-c", source)
    with open(str(folder / (source + ".gcov"))) as file:
        lines = file.read().splitlines()
    never, current = [], ""
    for line in lines:
        if re.match(r" *[0-9#=-]+\*?: *\d+:", line):
            current = line
            if line.strip().startswith("#####"):
                never.append(line.strip())
        elif re.match(r"branch +\d+ (never executed|taken 0)", line):
            never.append("%s in %s" % (line, current.strip()))
    return never


def odd_detector(detector):
    """A detector that leads into every branch: far scales, a nearer second regime, odd tails."""
    fitted = dict(detector["residual"])
    channels = detector["channels"]
    fitted["tails"] = [dict(tail, shape=0.1) for tail in fitted["tails"]]
    fitted["tails"][1]["scale"] = 1e12  # what is beyond is next to nothing
    fitted["tails"][2]["shape"] = 0.0
    fitted.update(log_scale=[100.0, -100.0, 0.0], inverse_covariances=[fitted["inverse_covariances"][0]] * 3,
                  centres=[[9.0] * channels, [0.0] * channels, [-9.0] * channels])
    gone = {"knots": [0.0, 1.0], "decades": [0.0, 1.0], "shape": 0.1, "scale": 1.0}
    return dict(detector, residual=fitted, missing={"tails": [gone]})


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_every_branch_of_the_generated_c_is_taken(dtype, tmp_path):
    needs("gcc", "gcov")
    probe = machine("lstm", dtype)
    values = record(probe.channels)
    sources = source.sources(probe.step, probe.scaler, odd_detector(probe.detector), machines.FACTS,
                             NAME, "tflite")
    values[600] = 1e9  # out of every range
    values[601] = -1e9
    shutil.copy(os.path.join(HERE, "probe.c"), str(tmp_path / "calls.c"))
    covered = ["gcc", "-std=c99", "-O0", "--coverage"]
    devices.prepare(str(tmp_path), sources, NAME)
    devices.tool(covered + ["-c", NAME + ".c"], str(tmp_path))
    for main, program in (("replay.c", "replay"), ("calls.c", "calls")):
        devices.tool(["gcc", "--coverage", NAME + ".o", main, "host.c", "-lm", "-o", program],
                     str(tmp_path))
    probe.replayed(tmp_path, values)
    run(tmp_path, "./calls")
    assert branches(tmp_path, NAME + ".c") == []
