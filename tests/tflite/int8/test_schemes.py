"""What an integer precision asks of a file, what a file of int16x8 loses, and what makes it sound."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.verifier import checked
from kit.tflite.int8 import emit
from kit.tflite.int8.schemes import NUMPY, SCHEMES

OTHER = 1.001  # a scale this much larger is another one


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_fixed_scales_hold_what_comes_out_of_a_curve_and_the_candidate_every_step_of_it(scheme):
    """A sigmoid from 0 to 1 less a step, tanh from -1 on; 2 s and 2 s - 1 move no integer."""
    limits = np.iinfo(NUMPY[scheme.type])
    assert scheme.limit == limits.max
    sigmoid, zero = scheme.fixed["LOGISTIC"]
    assert sigmoid * (limits.max - zero) == pytest.approx(1, abs=sigmoid)
    assert sigmoid * (limits.min - zero) <= 0
    tanh, middle = scheme.fixed["TANH"]
    assert middle == 0 and tanh * limits.max == pytest.approx(1, abs=1.01 * tanh)
    steps = np.arange(max(limits.min, zero), limits.max + 1)
    s = sigmoid * (steps - zero)
    for (scale, offset), real in ((scheme.doubled, 2 * s), (scheme.candidate, 2 * s - 1)):
        whole = real / scale + offset
        np.testing.assert_array_equal(whole, np.rint(whole))
        assert whole.min() >= limits.min and whole.max() <= limits.max


def test_a_scheme_is_named_after_its_precision():
    from kit.runtime.precisions import PRECISIONS

    for name, scheme in SCHEMES.items():
        precision = PRECISIONS[name]
        assert scheme.name == name and precision.calibrated and precision.ends == scheme.type


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
