"""Scores and alarms in C against those of the pipeline; what a caller may do wrong."""
import ctypes
import os
import shutil

import numpy as np
import pytest

import machines
from kit.base.cli import UserError
from kit.detection.stream import StreamDetector
from kit.firmware import devices, pieces, source
from machines import FACTS, GCC, HERE, NAME, WARNINGS, machine, needs, record, run


def expected(probe, values):
    return StreamDetector(probe.model(), probe.scaler, probe.detector).update(values)


@pytest.mark.parametrize("kind, dtype", [
    ("lstm", "int8"), ("lstm", "int16"), ("lstm", "float32"), ("gru", "int8")])
def test_float_scores_are_near_and_alarms_are_the_same_rows(kind, dtype, tmp_path):
    needs("gcc")
    probe, values = machine(kind, dtype), record(machine(kind, dtype).channels)
    probe.compiled(tmp_path, GCC + WARNINGS)
    scores, alarms, _, _ = probe.replayed(tmp_path, values)
    wanted = expected(probe, values)
    assert alarms.sum() > 20  # there are alarms to agree on
    assert np.array_equal(alarms, wanted >= probe.detector["threshold"])
    assert np.abs(scores - wanted).max() < 1e-4 * max(wanted.max(), 1)


def test_double_scores_are_equal_to_the_bit_where_no_channel_was_missing(tmp_path):
    """A missing channel is put in by elimination here and by LAPACK there."""
    needs("gcc")
    probe, values = machine("lstm", "int8"), record(3)
    values = np.nan_to_num(values, nan=10.0)
    probe.compiled(tmp_path, GCC + WARNINGS + ["-DPROBE_DOUBLE"])
    scores, alarms, _, _ = probe.replayed(tmp_path, values)
    wanted = expected(probe, values)
    assert np.array_equal(scores, wanted)
    assert np.array_equal(alarms, wanted >= probe.detector["threshold"])


def test_double_scores_with_missing_channels_are_near(tmp_path):
    needs("gcc")
    probe, values = machine("lstm", "int8"), record(3)
    probe.compiled(tmp_path, GCC + ["-DPROBE_DOUBLE"])
    scores, _, _, _ = probe.replayed(tmp_path, values)
    wanted = expected(probe, values)
    assert np.abs(scores / np.maximum(wanted, 1) - wanted / np.maximum(wanted, 1)).max() < 1e-9


def facts(folder, options=(), dtype="int8"):
    """What probe.c says, as {name: number}."""
    probe = machine("lstm", dtype)
    shutil.copy(os.path.join(HERE, "probe.c"), str(folder / "calls.c"))
    probe.compiled(folder, GCC + list(options), "calls", ["probe.c", "calls.c"])
    lines = run(folder, "./calls").splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines)}


@pytest.mark.parametrize("options, dtype", [
    ([], "int8"), (["-DPROBE_DOUBLE"], "int8"), ([], "float32"), ([], "int16")])
def test_bad_input_has_a_defined_score(options, dtype, tmp_path):
    needs("gcc")
    found = facts(tmp_path, options, dtype)
    assert 0 <= found["normal"] < found["nan"] < found["infinity"] < found["minus_infinity"] < 10
    assert 10 < found["far"] < 1e16 and 10 < found["farther_down"] < 1e16
    assert found["alarm_after_far"] == 0
    assert 0 <= found["wild_states"] < 20 and 0 <= found["lost"] < 20


def test_gaps_and_counters(tmp_path):
    needs("gcc")
    found = facts(tmp_path)
    assert found["no_gap"] == found["gap_is_missing_samples"] == found["long_gap_is_a_start"] == 1
    assert found["seen"] == machines.WARM_UP  # it stays there, so nothing wraps


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("compiler", [
    "gcc -O0", "gcc -O3 -march=haswell -std=gnu99", "gcc -m32 -msse2 -mfpmath=sse -O2", "clang -O2",
    "clang -O3 -march=haswell", "g++ -x c++ -std=c++11 -O2",
    "gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover"])
def test_every_compiler_makes_the_same_bits(compiler, dtype, tmp_path):
    """Also those that may fuse a product with a sum, and C++."""
    command = compiler.split()
    needs(command[0], "gcc")
    probe, values = machine("lstm", dtype), record(3)
    probe.compiled(tmp_path, GCC)
    wanted = probe.replayed(tmp_path, values)
    try:
        probe.compiled(tmp_path, command + WARNINGS, "other")
    except UserError as error:
        if "-m32" in command and "No such file" in str(error) + "skipping incompatible":
            pytest.skip("this gcc makes no 32-bit programs (gcc-multilib)")
        raise
    for a, b in zip(wanted, probe.replayed(tmp_path, values, "./other")):
        assert np.array_equal(a, b)


def test_fast_math_is_refused_by_the_compiler(tmp_path):
    needs("gcc")
    with pytest.raises(UserError, match="without -ffast-math"):
        machine("lstm", "int8").compiled(tmp_path, ["gcc", "-ffast-math"])


OWN_NETWORK = """
static void repeat(void *context, const float *sample, probe_states *states, float *forecast)
{
    (void)states;
    memcpy(forecast, sample, PROBE_CHANNELS * sizeof *sample);
    ++*(int *)context;
}

static void start(probe_state *s)
{
    static int calls;

    probe_init(s, repeat, &calls);
}

"""


def test_the_hook_runs_a_network_of_ones_own(tmp_path):
    """A network that repeats the sample: the forecast of each row is the row."""
    needs("gcc")
    probe, values = machine("lstm", "float32"), np.nan_to_num(record(3), nan=10.0)
    devices.prepare(str(tmp_path), probe.sources, NAME)
    replay = pieces.named(pieces.text("replay.c"), NAME).replace("probe_init(&state)", "start(&state)")
    machines.write(tmp_path, "own.c", replay.replace("int main(void)", OWN_NETWORK + "int main(void)"))
    devices.tool(GCC + WARNINGS + ["-DPROBE_HOOK", "probe.c", "own.c", "host.c", "-o", "replay"],
                 str(tmp_path))
    _, _, forecasts, _ = probe.replayed(tmp_path, values)
    samples = np.clip(probe.scaler.standardise(values.astype(np.float32)), -8, 8)
    assert np.array_equal(forecasts, samples)


THE_FILES_NETWORK = """
#include "probe.h"
#include "plain.c"

static void through(void *context, const %(type)s *sample, probe_states *states, %(type)s *forecast)
{
    plain_states own;

    (void)context;
    memcpy(&own, states, sizeof own);
    plain_network(sample, &own, forecast);
    memcpy(states, &own, sizeof own);
}

static void start(probe_state *s)
{
    probe_init(s, through, NULL);
}

"""


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_the_files_own_network_through_the_hook_decides_as_without_it(dtype, tmp_path):
    needs("gcc")
    probe, values = machine("lstm", dtype), record(3)
    probe.compiled(tmp_path, GCC)
    wanted = probe.replayed(tmp_path, values)
    plain = source.sources(probe.step, probe.scaler, probe.detector, FACTS, "plain", "tflite")
    for path, text in plain.items():
        machines.write(tmp_path, path, text)
    replay = pieces.named(pieces.text("replay.c"), NAME).replace("probe_init(&state)", "start(&state)")
    machines.write(tmp_path, "own.c", THE_FILES_NETWORK % {"type": source.TYPES[dtype]} + replay)
    devices.tool(GCC + WARNINGS + ["-DPROBE_HOOK", "probe.c", "own.c", "host.c", "-o", "replay"],
                 str(tmp_path))
    assert wanted[1].any()
    for a, b in zip(wanted, probe.replayed(tmp_path, values)):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_an_interpreter_in_the_hook_decides_as_detect(dtype, tmp_path):
    """The .tflite in tflite-runtime, called by the detector in C, sample by sample."""
    needs("gcc")
    from tflite_runtime.interpreter import Interpreter

    probe, values = machine("lstm", dtype), record(3)
    devices.prepare(str(tmp_path), probe.sources, NAME)
    devices.tool(GCC + WARNINGS + ["-DPROBE_HOOK", "-shared", "-fPIC", "probe.c", "-o", "probe.so"],
                 str(tmp_path))
    detector = ctypes.CDLL(str(tmp_path / "probe.so"))
    run_file = Interpreter(model_content=probe.blob)
    run_file.allocate_tensors()
    ins, outs = run_file.get_input_details(), run_file.get_output_details()

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    def network(_, sample, states, forecast):
        for item, address in zip(ins, addresses(ins, sample, states)):
            content = ctypes.string_at(address, run_file.get_tensor(item["index"]).nbytes)
            run_file.set_tensor(item["index"], np.frombuffer(content, item["dtype"])
                                .reshape(item["shape"]))
        run_file.invoke()
        for item, address in zip(outs, addresses(outs, forecast, states)):
            content = run_file.get_tensor(item["index"]).tobytes()
            ctypes.memmove(address, content, len(content))

    def addresses(ends, vector, states):
        """Where each end lies: the vector, and one state behind the other."""
        found = [vector]
        for item in ends[1:]:
            found.append(states)
            states += int(np.prod(item["shape"])) * np.dtype(item["dtype"]).itemsize
        return found

    state, score = ctypes.create_string_buffer(4096), ctypes.c_float()
    detector.probe_init(state, network, None)
    alarms, scores = [], []
    for row in values.astype(np.float32):
        alarms.append(detector.probe_step(state, row.ctypes.data_as(ctypes.c_void_p),
                                          ctypes.byref(score)))
        scores.append(score.value)
    wanted = expected(probe, values)
    assert sum(alarms) > 20
    assert np.array_equal(np.array(alarms) > 0, wanted >= probe.detector["threshold"])
    assert np.abs(np.array(scores) - wanted).max() < 1e-4 * wanted.max()


def test_what_does_not_belong_together_is_refused():
    probe = machine("lstm", "int8")
    for change, sentence in (
            (dict(name="Probe"), "--name Probe: take lower-case letters"),
            (dict(scaler=machine("gru", "int8").scaler), "takes 3 values; the scaler has 2"),
            (dict(detector={key: value for key, value in probe.detector.items()
                            if key != "residual"}), "has no residual or no distance")):
        given = dict(dict(step=probe.step, scaler=probe.scaler, detector=probe.detector,
                          facts=FACTS, name=NAME, rounding="tflite"), **change)
        with pytest.raises(UserError, match=sentence):
            source.sources(**given)


@pytest.mark.parametrize("value, text", [
    (0.25, "R(0.25)"), (3, "R(3.0)"), (-0.0, "R(0.0)"), (1e-12, "R(1e-12)"),
    (0.1, "R(0.1)"), (1 / 3, "R(0.33333333333333331)")])
def test_a_number_is_written_to_the_bit_and_no_longer_than_it_needs(value, text):
    assert source.real(value) == text
    assert float(text[2:-1]) == value


def test_fitted_numbers_are_nested_as_c_has_them():
    assert source.reals("NAME_x", [[1, 2], [3, 4]]) == (
        "static const NAME_real NAME_x[2][2] = {\n    {R(1.0), R(2.0)},\n    {R(3.0), R(4.0)}\n};")
    assert source.doubles("NAME_m", [0.1, 2]) == "static const double NAME_m[2] = {\n    0.1,\n    2.0\n};"


def test_the_text_is_tidy():
    assert source.tidy("\n a  \n\n\n\n b\t\nc\n\n") == " a\n\n b\nc\n"


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_states_before_the_first_sample_are_zero(dtype):
    probe = machine("lstm", dtype)
    text = source.run(probe.step)
    zeros = [source.zero(probe.step, place) for place in probe.step.inputs[1:]]
    assert all("memset(states->%s, %d," % pair in text for pair in zip(
        source.network.state_names(probe.step), zeros)) == (dtype == "int8")
    assert ("memset(states, 0, sizeof *states)" in text) == (dtype == "float32")


def test_a_detector_knows_its_distances_in_the_scorers_order():
    detector = {"level": {"matrix": []}, "plane": {"matrix": []}, "statistic": {}}
    assert source.ladders(detector) == ["plane", "level"]
