"""Int16 activations over int8 weights: what a file of them loses, and what makes it sound."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.verifier import checked
from kit.tflite.int8 import emit
from kit.tflite.int8.scales import HEADROOM, power_of_two, widened

OTHER = 1.001  # a scale this much larger is another one


def test_range_is_twice_what_was_seen():
    scale, zero_point = widened(np.array([-3.0, 1.0]))
    assert zero_point == 0 and scale * 32767 == pytest.approx(HEADROOM * 3)
    assert widened(np.zeros(3)) == (1 / 32768, 0)


@pytest.mark.parametrize("value", [1.0, 2.0, 0.5, -1.0])
def test_powers_of_two_are_exact(value):
    scale, _ = power_of_two(abs(value))
    assert value / scale == round(value / scale) and abs(value / scale) <= 32767


@pytest.mark.slow
@pytest.mark.parametrize("form", ["step", "window"])
def test_a_tenth_of_the_error_of_int8_remains(trained, form):
    model = trained[form]
    errors = {scheme: np.abs(model.differences(model.quantized(scheme))).mean()
              for scheme in ("int8", "int16x8")}
    assert errors["int16x8"] < 0.2 * errors["int8"] and errors["int16x8"] < 0.003, errors


@pytest.mark.slow
def test_weights_rounded_by_correlation_are_most_of_what_is_gained(trained, monkeypatch):
    model = trained["window"]
    error = np.abs(model.differences(model.quantized("int16x8"))).mean()
    monkeypatch.setattr(emit, "round_weights", lambda weights, step, rows: np.clip(
        np.rint(weights / step), -127, 127).astype(np.int8))
    assert np.abs(model.differences(model.quantized("int16x8"))).mean() > 1.4 * error


@pytest.mark.slow
@pytest.mark.parametrize("kind, says", [
    (2, "CONCATENATION.*several scales"), (49, "SPLIT.*several scales"),
    (14, "LOGISTIC.*3.05176e-05 and 0 are needed"), (28, "TANH.*3.05176e-05 and 0 are needed")])
def test_scales_that_runtimes_do_not_check_are_checked(trained, kind, says):
    """Unequal ones at these operators compute something else, and nothing says so."""
    model = flatbuffer.read(trained["step"].quantized("int16x8"))
    graph, = model["subgraphs"]
    codes = [code.get("builtin_code", 0) for code in model["operator_codes"]]
    operator = next(o for o in graph["operators"] if codes[o.get("opcode_index", 0)] == kind)
    quantization = graph["tensors"][int(operator["outputs"][0])]["quantization"]
    quantization["scale"] = quantization["scale"] * np.float32(OTHER)
    with pytest.raises(UserError, match=says):
        checked(flatbuffer.write(model))


@pytest.mark.slow
def test_int16_has_no_zero_point_and_its_bias_64_bits(trained):
    model = flatbuffer.read(trained["step"].quantized("int16x8"))
    tensors = model["subgraphs"][0]["tensors"]
    state = next(t for t in tensors if t["type"] == flatbuffer.INT16)
    state["quantization"]["zero_point"] = np.array([1])
    with pytest.raises(UserError, match="int16 with a zero point"):
        checked(flatbuffer.write(model))
    state["quantization"]["zero_point"] = np.array([0])
    bias = next(t for t in tensors if t["type"] == flatbuffer.INT64)
    whole = model["buffers"][bias["buffer"]]["data"].view(np.int64).astype(np.int32)
    model["buffers"].append({"data": whole.view(np.uint8)})
    bias.update(type=flatbuffer.INT32, buffer=len(model["buffers"]) - 1)
    with pytest.raises(UserError, match="bias is int32"):
        checked(flatbuffer.write(model))
