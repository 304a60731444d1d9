"""The network in C against the interpreter, in every kind of layer and number."""
import subprocess

import numpy as np
import pytest

import step_models
from kit.firmware import devices, graph, network, pieces, source
from kit.runtime.interpreter import Model
from machines import FACTS, GCC, NAME, WARNINGS, machine, needs, walk, write

KINDS = ["lstm", "lstm_per_unit", "lstm_odd", "gru", "rnn", "bare"]


@pytest.fixture(scope="module", params=["int8", "float32"])
def dtype(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_those_of_the_file(kind, dtype, tmp_path):
    """Integers equal to the bit, float32 to a millionth; on a walk that leaves the normal range."""
    needs("gcc")
    probe = machine(kind, dtype)
    probe.compiled(tmp_path, ["gcc", "-std=c99", "-O2"] + WARNINGS)
    values = np.nan_to_num(walk(400, probe.channels), nan=10.0).astype(np.float32)
    values[200:220] += 5.0
    _, _, forecasts, _ = probe.replayed(tmp_path, values)
    samples = np.clip(probe.scaler.standardise(values), -8, 8)
    expected = probe.model().stream(samples).reshape(len(values), -1)
    assert expected.std() > 1e-3  # a constant would prove nothing
    if dtype == "float32":
        assert np.abs(forecasts - expected).max() < 2e-6
    else:
        assert np.array_equal(forecasts, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "lstm_per_unit", "lstm_odd", "gru", "bare"])
def test_int8_forecasts_as_tensorflow_115_rounds_them(kind, tmp_path):
    """Products of few rows or columns are rounded in another way than the others."""
    needs("gcc")
    probe = machine(kind, "int8")
    sources = source.sources(probe.step, probe.scaler, probe.detector, FACTS, NAME, "tf115")
    devices.prepare(str(tmp_path), sources, NAME)
    devices.tool(GCC + WARNINGS + [NAME + ".c", "replay.c", "host.c", "-o", "replay"], str(tmp_path))
    values = np.nan_to_num(walk(2000, probe.channels), nan=10.0).astype(np.float32)
    _, _, forecasts, _ = probe.replayed(tmp_path, values)
    samples = np.clip(probe.scaler.standardise(values), -8, 8)
    expected = Model(probe.blob, "tensorflow").stream(samples).reshape(len(values), -1)
    assert np.array_equal(forecasts, expected)


MAIN = """
#include <stdio.h>
int main(void)
{
    static NAME_states states;
    int16_t sample[%d], forecast[%d];
    while (fread(sample, sizeof sample, 1, stdin) == 1) {
        NAME_network(sample, &states, forecast);
        fwrite(forecast, sizeof forecast, 1, stdout);
        fwrite(&states, sizeof states, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("kind", ["lstm", "lstm_per_unit", "gru", "rnn"])
def test_int16_forecasts_and_states_are_those_of_the_file(kind, tmp_path):
    needs("gcc")
    data = step_models.MODELS[kind]("int16")
    step = graph.read_step(data, kind)
    ends = [step.tensors[place] for place in step.inputs]
    outs = [step.tensors[place].size for place in step.outputs]
    made = network.network(step, "tflite")
    states = "typedef struct { %s } NAME_states;\n" % " ".join(
        "int16_t %s[%d];" % pair for pair in zip(network.state_names(step), outs[1:]))
    own = made.constants + "\n" + made.function
    text = "#include <stdint.h>\n#include <string.h>\n" + states + source.library(
        "int16", own) + "\n" + own + MAIN % (ends[0].size, outs[0])
    write(tmp_path, "network.c", pieces.named(text, "probe"))
    devices.tool(["gcc", "-std=c99", "-O2"] + WARNINGS + ["network.c", "-o", "network"],
                 str(tmp_path))
    rng = np.random.Generator(np.random.PCG64(8))
    samples = np.clip(rng.normal(0, 9000, (400, ends[0].size)), -32768, 32767).astype(np.int16)
    done = subprocess.run([str(tmp_path / "network")], input=samples.tobytes(), check=True,
                          stdout=subprocess.PIPE)
    found = np.frombuffer(done.stdout, np.int16).reshape(len(samples), -1)
    assert np.array_equal(found, streamed(data, samples)) and found.std() > 100


def streamed(data, samples):
    """Forecast and states (n, ...) after each sample, by tflite-runtime."""
    from tflite_runtime.interpreter import Interpreter

    run = Interpreter(model_content=data)
    run.allocate_tensors()
    ins, outs = [[item["index"] for item in found] for found in (
        run.get_input_details(), run.get_output_details())]
    held = [np.zeros(item["shape"], np.int16) for item in run.get_input_details()[1:]]
    rows = []
    for sample in samples:
        for index, value in zip(ins, [sample[None]] + held):
            run.set_tensor(index, value)
        run.invoke()
        made = [run.get_tensor(index) for index in outs]
        held = made[1:]
        rows.append(np.concatenate([value.ravel() for value in made]))
    return np.array(rows)
