"""A fused LSTM in int8: its states, what it loses, and the traps that runtimes say nothing about."""
import os

import numpy as np
import pytest

from conftest import ROOT
from kit.base.cli import UserError
from kit.bench.worker import Worker
from kit.runtime import flatbuffer
from kit.runtime.runtimes import RUNTIMES
from kit.runtime.verifier import checked
from kit.tflite.int8.fused import C, COARSEST, H, OPERATOR, cell_scale, cells

HAVE_IT = ["tflite_runtime", "ai_edge_litert", "tflite_micro"]


def test_the_cell_state_is_that_of_a_loop_over_the_steps():
    rng = np.random.default_rng(4)
    kernels, recurrents, biases = (rng.normal(size=(4, 3) + shape) for shape in ((2,), (3,), ()))
    x, h, c, held = rng.normal(size=(1, 6, 2)), np.zeros(3), np.zeros(3), []
    before = [h]
    for row in x[0]:
        i, f, g, o = kernels @ row + recurrents @ h + biases
        i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        held.append(c)
        before.append(h)
    found = cells(x, np.array(before[:-1])[None], kernels, recurrents, biases)
    assert np.allclose(found[0], held)


@pytest.mark.parametrize("top, scale", [
    (3.9, 2.0 ** -12), (4.1, 2.0 ** -11), (0.5, 2.0 ** -15), (1000.0, COARSEST)])
def test_the_scale_of_the_cell_state_is_a_power_of_two_with_a_bit_to_spare(top, scale):
    assert cell_scale(top) == scale


@pytest.fixture(scope="module")
def fused(trained):
    return trained["fused"]


@pytest.mark.slow
def test_a_cell_state_of_16_bits_loses_less_than_one_of_8(fused, trained):
    error, int8 = (np.abs(model.differences(model.quantized())).mean()
                   for model in (fused, trained["window"]))
    assert error < 0.8 * int8 and error < 0.012


@pytest.mark.slow
@pytest.mark.parametrize("runtime", HAVE_IT)
def test_every_runtime_that_has_it_computes_it(fused, tmp_path, runtime):
    venv = RUNTIMES[runtime].venv
    if not os.path.exists(os.path.join(ROOT, venv, "bin", "python")):
        pytest.skip("no %s: run `make runtimes`" % venv)
    files = {name: str(tmp_path / name) for name in ("fused_int8.tflite", "in.npy", "out.npy")}
    with open(files["fused_int8.tflite"], "wb") as file:
        file.write(fused.quantized())
    np.save(files["in.npy"], fused.inputs[:100])
    with Worker(venv, "kit.bench.contenders") as worker:
        worker.ask("run", runtime=runtime, model=files["fused_int8.tflite"],
                   samples=files["in.npy"], output=files["out.npy"])
    error = np.abs(np.load(files["out.npy"]) - fused.outputs[:100]).mean()
    assert error < 0.012 * fused.outputs.std()


def parts(data):
    """(Model dict, its fused operator, its tensors)."""
    model = flatbuffer.read(data)
    graph, = model["subgraphs"]
    operator, = [operator for operator in graph["operators"] if operator.get("intermediates") is not None
                 and len(operator["intermediates"])]
    return model, operator, graph["tensors"]


@pytest.mark.slow
def test_a_reset_to_zero_bytes_is_the_zero_state(fused):
    _, operator, tensors = parts(fused.quantized())
    for place in (H, C):
        quantization = tensors[int(operator["inputs"][place])]["quantization"]
        assert list(quantization["zero_point"]) == [0]


def rescaled(number, factor):
    def change(operator, tensors):
        quantization = tensors[int(number(operator))]["quantization"]
        quantization["scale"] = quantization["scale"] * np.float32(factor)
    return change


def relu(operator, tensors):
    operator["options"]["activation"] = 1


def offset(operator, tensors):
    tensors[int(operator["inputs"][6])]["quantization"]["zero_point"] = np.array([1])


def narrow(operator, tensors):
    tensors[int(operator["inputs"][C])]["type"] = flatbuffer.INT8


@pytest.mark.slow
@pytest.mark.parametrize("change, says", [
    (rescaled(lambda operator: operator["inputs"][C], 1.1), "a power of two up to 2.-9 is needed"),
    (rescaled(lambda operator: operator["inputs"][C], 2.0 ** 10), "a power of two up to 2.-9"),
    (rescaled(lambda operator: operator["inputs"][H], 1.1), "its output, its state and its fifth"),
    (rescaled(lambda operator: operator["intermediates"][4], 1.1), "its output, its state and its"),
    (rescaled(lambda operator: operator["inputs"][12], 1.1), "its bias has the scale"),
    (relu, "activation is RELU, and the int8 kernel computes TANH"),
    (offset, "its weights have a zero point"), (narrow, "cell state: int16 is needed")])
def test_what_runtimes_compute_wrong_without_a_word_is_checked(fused, change, says):
    model, operator, tensors = parts(fused.quantized())
    change(operator, tensors)
    with pytest.raises(UserError, match=OPERATOR + ".*" + says):
        checked(flatbuffer.write(model))
