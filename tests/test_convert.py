"""The convert script: what it writes, what it refuses, and that its claims are true of the file."""
import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
import convert
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from keras_models import CHANNELS, STEPS, UNITS, save_forecaster, walk

pytestmark = pytest.mark.slow
SCRIPTS = os.path.join(ROOT, "scripts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert")
    np.save(str(folder / "stream.npy"), walk(10000))
    np.save(str(folder / "windows.npy"), walk(200 * STEPS).reshape(200, STEPS, CHANNELS))
    save_forecaster(folder / "model.h5")
    return folder


@pytest.fixture(scope="module")
def table(folder):
    """Every cell of the table, as `--form all` writes it: (folder, what it printed)."""
    import contextlib
    import io

    out, said = folder / "all", io.StringIO()
    with contextlib.redirect_stdout(said):
        convert.main([str(folder / "model.h5"), "--form", "all", "-o", str(out), "--window-steps",
                      str(STEPS), "--calibration", str(folder / "stream.npy")])
    return out, said.getvalue()


def facts(table, name):
    return json.loads((table[0] / (name + ".json")).read_text())


def run(folder, out, *more):
    return convert.main([str(folder / "model.h5"), "-o", str(out)] + list(more))


REFUSED = [("fused", "int16x8")]


def test_table_holds_every_cell_and_a_sentence_for_the_one_that_cannot_be(table):
    written = sorted(path.stem for path in table[0].glob("*.tflite"))
    assert written == sorted("%s_%s" % (form, precision) for form in convert.FORMS
                             for precision in convert.PRECISIONS if (form, precision) not in REFUSED)
    for form, precision in REFUSED:
        line, = [line for line in table[1].splitlines() if line.split()[:2] == [form, precision]]
        assert "no %s fused form" % precision in line and "use the loop form" in line


@pytest.mark.parametrize("form", convert.FORMS)
def test_float_forms_are_keras_to_a_hundred_thousandth(table, form):
    parity = facts(table, form + "_float32")["parity"]
    assert parity["max_abs_diff"] <= 1e-5 and parity["count"] >= 100


@pytest.mark.parametrize("precision", convert.PRECISIONS)
def test_difference_does_not_grow_over_ten_thousand_steps(table, precision):
    parity = facts(table, "step_" + precision)["parity"]
    assert parity["count"] == 10000
    assert parity["last_tenth_mean_abs_diff"] < 2 * parity["first_tenth_mean_abs_diff"]


@pytest.mark.parametrize("form, precision, part", [
    ("window", "int8", 0.02), ("step", "int8", 0.02), ("fused", "int8", 0.015),
    ("window", "int16x8", 0.004), ("step", "int16x8", 0.004)])
def test_error_is_a_small_part_of_the_outputs_spread(table, form, precision, part):
    parity = facts(table, form + "_" + precision)["parity"]
    assert parity["mean_abs_diff"] < part * parity["output_std"]


def test_file_that_115_refuses_is_proven_in_tflite_runtime(table):
    for name in ("step_int16x8", "fused_int8"):
        assert facts(table, name)["parity"]["runtime"] == "tflite_runtime"
    assert "runtime" not in facts(table, "step_int8")["parity"]


@pytest.mark.parametrize("form", ["window", "step"])
@pytest.mark.parametrize("precision, types", [
    ("int8", {flatbuffer.INT8, flatbuffer.INT32}),  # int32: biases, and the axis of a split
    ("int16x8", {flatbuffer.INT16, flatbuffer.INT8, flatbuffer.INT64, flatbuffer.INT32})])
def test_integer_files_hold_nothing_but_integers(table, form, precision, types):
    described = facts(table, form + "_" + precision)
    for item in described["inputs"] + described["outputs"]:
        assert item["type"] == precision.partition("x")[0] and 1e-6 < item["scale"] < 1
    model = flatbuffer.read((table[0] / (form + "_%s.tflite" % precision)).read_bytes())
    tensors = model["subgraphs"][0]["tensors"]
    assert {tensor["type"] for tensor in tensors} == types
    for tensor in tensors:
        if "quantization" in tensor:
            assert tensor["quantization"]["scale"][0] > 1e-12


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_state_keeps_its_scale_from_output_to_input(table, precision):
    described = facts(table, "step_" + precision)
    assert described["states_keep_their_scale"] is True
    for before, after in zip(described["inputs"][1:], described["outputs"][1:]):
        assert after["name"] == "next_" + before["name"]
        assert (before["scale"], before["zero_point"]) == (after["scale"], after["zero_point"])


@pytest.mark.parametrize("precision", convert.PRECISIONS)
def test_sample_and_output_come_first_and_states_in_order(table, precision):
    described = facts(table, "step_" + precision)
    assert [item["name"] for item in described["inputs"]] == ["sample", "state_0_h", "state_0_c"]
    assert [item["name"] for item in described["outputs"]] == [
        "output", "next_state_0_h", "next_state_0_c"]


def test_facts_are_those_of_the_file(table):
    data, described = (table[0] / "step_int8.tflite").read_bytes(), facts(table, "step_int8")
    assert described["sha256"] == hashlib.sha256(data).hexdigest()
    assert described["size_bytes"] == len(data)
    model = flatbuffer.read(data)
    assert sum(item["count"] for item in described["operators"]) == len(
        model["subgraphs"][0]["operators"])


def test_biases_of_all_steps_agree_with_their_products(table):
    """An int32 bias has the scale of its input times its weights, or newer runtimes go wrong."""
    model = flatbuffer.read((table[0] / "window_int8.tflite").read_bytes())
    graph, = model["subgraphs"]
    products = [operator for operator in graph["operators"] if model["operator_codes"][
        operator.get("opcode_index", 0)].get("builtin_code") == 9]
    assert len(products) == STEPS + 1  # one for all gates of a step
    for operator in products:
        source, weights, bias = (float(graph["tensors"][place]["quantization"]["scale"][0])
                                 for place in operator["inputs"])
        assert bias == pytest.approx(source * weights, rel=1e-6)
    assert len({int(operator["inputs"][2]) for operator in products}) == 2  # shared by the steps


@pytest.mark.parametrize("form", ["window", "step"])
def test_the_candidate_of_an_int8_file_loses_nothing_to_rounding(table, form):
    """2 s - 1 of a sigmoid s in steps of 1/256: constants and scales that keep every step."""
    model = flatbuffer.read((table[0] / (form + "_int8.tflite")).read_bytes())
    graph, = model["subgraphs"]

    def constant(place):
        data = model["buffers"][graph["tensors"][place].get("buffer", 0)].get("data", b"")
        return np.frombuffer(bytes(data), np.int8)

    def scale(place):
        described = graph["tensors"][place]["quantization"]
        return float(described["scale"][0]), int(described["zero_point"][0])

    pairs = [operator for operator in graph["operators"] if len(operator["inputs"]) == 2]
    makers = {int(operator["outputs"][0]): operator for operator in pairs}
    candidates = [operator for operator in pairs if len(constant(operator["inputs"][1])) == UNITS
                  and constant(operator["inputs"][1]).max() < 0]
    assert len(candidates) == (STEPS if form == "window" else 1)
    for candidate in candidates:
        doubled, offset = candidate["inputs"]
        two = makers[int(doubled)]["inputs"][1]
        assert (constant(two) == -constant(offset)).all() and constant(two).max() == 127
        assert scale(two)[0] == pytest.approx(2 * scale(offset)[0])
        top = 127 * scale(offset)[0]  # the largest factor of a unit's cell state
        assert 1 <= top <= 2.0001
        assert scale(doubled) == (pytest.approx(top / 128), -128)
        assert scale(candidate["outputs"][0]) == (pytest.approx(top / 128), 0)


def test_fused_op_has_the_inputs_that_tflite_micro_wants(table):
    model = flatbuffer.read((table[0] / "fused_float32.tflite").read_bytes())
    fused, = [operator for operator in model["subgraphs"][0]["operators"]
              if len(operator["inputs"]) > 5]
    assert len(fused["inputs"]) == 24 and list(fused["inputs"][20:]) == [-1] * 4
    assert not fused["options"].get("time_major")


def test_files_are_little_more_than_their_weights(tmp_path):
    """The sizes of the default model: 64 units, windows of 50."""
    path, size = save_forecaster(tmp_path / "big.h5", 64, 7), {}
    np.save(str(tmp_path / "stream.npy"), walk(2000, 7))
    for form in ("step", "window"):
        out = tmp_path / (form + "_int8.tflite")
        convert.main([path, "-o", str(out), "--window-steps", "50",
                      "--calibration", str(tmp_path / "stream.npy")])
        size[form] = out.stat().st_size
    weights = (7 + 64) * 4 * 64 + 64 * 7 + 4 * (4 * 64 + 7)
    assert size["step"] <= 1.2 * weights
    assert size["window"] <= 3 * size["step"]


def test_outside_the_bound_leaves_no_file(folder, tmp_path):
    with pytest.raises(UserError, match="differs from Keras.*above the bound of .*no file"):
        run(folder, tmp_path / "step_int8.tflite", "--bound-factor", "1e-5",
            "--calibration", str(folder / "stream.npy"))
    assert list(tmp_path.iterdir()) == []


def test_bound_of_zero_is_a_bound(folder, tmp_path):
    with pytest.raises(UserError, match="above the bound of 0"):
        run(folder, tmp_path / "step_int8.tflite", "--bound-factor", "0",
            "--calibration", str(folder / "stream.npy"))


def test_outside_the_bound_an_older_file_stays(folder, tmp_path):
    for name in ("step_int8.tflite", "step_int8.json", "model.h"):
        (tmp_path / name).write_text("older")
    with pytest.raises(UserError, match="above the bound"):
        run(folder, tmp_path / "step_int8.tflite", "--bound-factor", "1e-5", "--c-array",
            str(tmp_path / "model.h"), "--calibration", str(folder / "stream.npy"))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"older"}


def test_table_with_a_cell_outside_the_bound_is_an_error(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "FORMS", {"step": convert.FORMS["step"]})
    refused = ", ".join("step " + name for name in convert.PRECISIONS if name != convert.EXACT)
    with pytest.raises(UserError, match="bound, and not written: " + refused):
        run(folder, tmp_path, "--form", "all", "--bound-factor", "1e-8",
            "--calibration", str(folder / "stream.npy"))
    assert sorted(os.listdir(str(tmp_path))) == [
        "step_float32.golden.json", "step_float32.json", "step_float32.tflite"]


def test_place_that_cannot_be_written_costs_one_sentence(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="step_float32.tflite and .* cannot be written: "):
        run(folder, tmp_path / "file" / "step_float32.tflite")


def test_lost_weights_are_noticed(folder, tmp_path, monkeypatch):
    from kit.network import forms

    def lost(network, *rest):
        nodes = [node._replace(layer=node.layer._replace(weights={
            key: a[..., ::-1] for key, a in node.layer.weights.items()})) for node in network.nodes]
        return frozen(network._replace(nodes=nodes), *rest)

    frozen = forms.frozen
    monkeypatch.setattr(forms, "frozen", lost)
    with pytest.raises(UserError, match="the float32 model differs from Keras: max_abs_diff"):
        run(folder, tmp_path / "step_float32.tflite")


@pytest.mark.parametrize("name, more, said", [
    ("model.tflite", [], "does not say which form to make; add --form"),
    ("step.tflite", [], "does not say which precision"),
    ("step_int8.tflite", [], "int8 needs --calibration"),
    ("fused_int16x8.tflite", ["--calibration", "windows.npy"], "no int16x8 fused form"),
    ("window_float32.tflite", [], "time axis is undefined.*--window-steps"),
    ("window_int8.tflite", ["--calibration", "none.npy"], "none.npy: No such file"),
    ("window_int8.tflite", ["--calibration", "model.h5"], "needs the scaler|model.h5"),
    ("window_float32.tflite", ["--c-array", "x.h", "--window-steps", "6"], "writes the step form"),
    ("all", ["--form", "all", "--c-array", "x.h"], "--c-array writes one step file"),
    ("step_float32.h5", [], "must end in .tflite"),
    ("step_float32.tflite", ["--c-golden"], "goes into the header that --c-array"),
])
def test_mistakes_get_one_sentence(folder, tmp_path, monkeypatch, name, more, said):
    monkeypatch.chdir(str(folder))
    with pytest.raises(UserError, match=said) as error:
        convert.main(["model.h5", "-o", str(tmp_path / name)] + more)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_model_of_several_heads_is_written_without_a_golden_stream(tmp_path, precision):
    from tensorflow import keras

    x = keras.Input((STEPS, CHANNELS))
    h = keras.layers.LSTM(UNITS)(x)
    heads = [keras.layers.Dense(width)(h) for width in (1, 1, 2)]
    keras.Model(x, heads).save(str(tmp_path / "heads.h5"))
    np.save(str(tmp_path / "stream.npy"), walk(300))
    source = [str(tmp_path / "heads.h5"), "--calibration", str(tmp_path / "stream.npy")]
    for form in ("window", "step"):
        path = str(tmp_path / ("%s_%s.tflite" % (form, precision)))
        convert.main(source + ["-o", path])
        assert [item.shape for item in Model(path).outputs][:3] == [(1, 1), (1, 1), (1, 2)]
        assert not os.path.exists(path.replace(".tflite", ".golden.json"))
    with pytest.raises(UserError, match="no golden stream: the model has 1 inputs and 3 outputs"):
        convert.main(source + ["-o", path, "--c-array", str(tmp_path / "m.h"), "--c-golden"])


def test_calibration_of_another_width_is_refused(folder, tmp_path):
    np.save(str(tmp_path / "wide.npy"), walk(100, CHANNELS + 1))
    with pytest.raises(UserError, match=r"wide.npy holds \(100, 4\).*\(n, 3\)"):
        run(folder, tmp_path / "step_int8.tflite", "--calibration", str(tmp_path / "wide.npy"))


@pytest.mark.parametrize("values, said", [
    (np.full((100, CHANNELS), 1e300), "finite number of float32"),
    (np.full((100, CHANNELS), np.nan, np.float32), "finite number of float32"),
    (np.ones((100, CHANNELS), np.complex64), "holds complex64; real numbers"),
])
def test_calibration_that_float32_cannot_hold_is_refused(folder, tmp_path, values, said):
    np.save(str(tmp_path / "odd.npy"), values)
    with pytest.raises(UserError, match="odd.npy: .*" + said):
        run(folder, tmp_path / "step_int8.tflite", "--calibration", str(tmp_path / "odd.npy"))


def test_calibration_of_zeros_is_calibration(folder, tmp_path):
    """The states still move, by the biases."""
    np.save(str(tmp_path / "zeros.npy"), np.zeros((500, CHANNELS)))
    run(folder, tmp_path / "step_int8.tflite", "--calibration", str(tmp_path / "zeros.npy"))


def test_windows_say_how_long_a_window_is(folder, tmp_path):
    run(folder, tmp_path / "window_int8.tflite", "--calibration", str(folder / "windows.npy"))
    described = json.loads((tmp_path / "window_int8.json").read_text())
    assert described["inputs"][0]["shape"] == [1, STEPS, CHANNELS]


@pytest.mark.parametrize("bytes_of, described, said", [
    (lambda whole: whole[:500], None, "step.pb: no frozen graph of its .json's"),
    (lambda whole: b"hello", None, "step.pb: no frozen graph of its .json's"),
    (lambda whole: whole, "{}", "step.json: the key form is missing"),
])
def test_damaged_graph_costs_one_sentence(folder, tmp_path, bytes_of, described, said):
    from kit.network.description import read_network
    from kit.network.forms import frozen

    source = str(folder / "model.h5")
    graph = frozen(read_network(source), "step", None)
    (tmp_path / "step.pb").write_bytes(bytes_of(graph.bytes))
    (tmp_path / "step.json").write_text(described or json.dumps(graph.signature(source)))
    with pytest.raises(UserError, match=said) as error:
        convert.main([str(tmp_path / "step.pb"), "--keras", source,
                      "-o", str(tmp_path / "step_float32.tflite")])
    assert "\n" not in str(error.value)


def test_a_folder_of_graphs_serves_each_form_with_its_own_and_says_the_length(folder, tmp_path):
    import freeze

    source, graphs = str(folder / "model.h5"), str(tmp_path / "freeze")
    freeze.main([source, "--form", "window", "--form", "step", "--window-steps", str(STEPS),
                 "--out", graphs])
    for form, graph in (("window", "window"), ("loop", "step"), ("step", "step")):
        for place in (graphs, os.path.join(graphs, graph + ".pb")):
            convert.main([place, "--keras", source, "--window-steps", str(STEPS),
                          "-o", str(tmp_path / form / os.path.basename(place)
                                    / (form + "_float32.tflite"))])
        one, other = sorted((tmp_path / form).glob("*/*.tflite"))
        assert one.read_bytes() == other.read_bytes()
        assert json.loads(one.with_suffix(".json").read_text())["source"] == graph + ".pb"
    convert.main([graphs, "--keras", source, "-o", str(tmp_path / "loop_float32.tflite")])
    assert (tmp_path / "loop_float32.tflite").read_bytes() == next(
        (tmp_path / "loop").glob("*/*.tflite")).read_bytes()
    with pytest.raises(UserError, match="fused.pb and its .json are not both there; freeze --form"):
        convert.main([graphs, "--keras", source, "-o", str(tmp_path / "fused_float32.tflite")])


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_header_compiles_and_holds_the_file(folder, tmp_path):
    out, header = tmp_path / "step_int8.tflite", tmp_path / "my-model.h"
    run(folder, out, "--calibration", str(folder / "stream.npy"), "--c-array", str(header))
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "my-model.h"\nint main(void) {\n'
        '  fwrite(my_model_data, 1, MY_MODEL_SIZE, stdout);\n'
        '  return !(MY_MODEL_INPUT_0_ELEMENTS == 3 && MY_MODEL_INPUT_1_SCALE > 0.0f\n'
        '           && MY_MODEL_OUTPUT_2_ZERO_POINT == MY_MODEL_INPUT_2_ZERO_POINT);\n}\n')
    subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", "main.c", "-o", "main"],
                   cwd=str(tmp_path), check=True)
    said = subprocess.run([str(tmp_path / "main")], stdout=subprocess.PIPE, check=True).stdout
    assert said == out.read_bytes()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
@pytest.mark.parametrize("precision", ["int8", "int16x8", "float32"])
def test_the_headers_golden_stream_proves_an_interpreter_in_one_call(folder, tmp_path, precision):

    out = tmp_path / ("step_%s.tflite" % precision)
    run(folder, out, "--calibration", str(folder / "stream.npy"), "--c-golden",
        "--c-array", str(tmp_path / "m.h"))
    golden = json.loads((tmp_path / ("step_%s.golden.json" % precision)).read_text())
    (tmp_path / "m.c").write_text(
        '#include "m.h"\nuint32_t wanted(void) { return M_GOLDEN_CRC32; }\nuint32_t run(void '
        '(*step)(const T *, T *), void (*reset)(void), const T *(*state)(int)) '
        '{ return m_golden_crc32(step, reset, state); }\n')
    subprocess.run(["cc", "-std=c99", "-shared", "-fPIC", "m.c", "-o", "m.so", "-DT=%s" % {
        "float32": "float"}.get(golden["type"], golden["type"] + "_t")], cwd=str(tmp_path), check=True)
    library, model = ctypes.CDLL(str(tmp_path / "m.so")), Model(str(out))
    library.run.restype = library.wanted.restype = ctypes.c_uint32
    assert library.wanted() == golden["crc32"] == in_c(library, model, golden["type"])
    keep, model.reset = model.reset, lambda: None  # one that does not forget at a reset
    assert in_c(library, model, golden["type"]) != golden["crc32"]
    model.reset = keep


def in_c(library, model, dtype):
    """What the function of the header makes of a Model that it calls sample by sample."""
    pointer = ctypes.POINTER(np.ctypeslib.as_ctypes_type(np.dtype(dtype)))

    def step(sample, output):
        given = np.ctypeslib.as_array(sample, (CHANNELS,))[None]
        found = model.stream(model.inputs[0].dequantized(given))
        np.ctypeslib.as_array(output, (CHANNELS,))[:] = model.outputs[0].quantized(found)[0]

    def state(number):
        held[:] = [np.ascontiguousarray(value) for value in model.state]
        return held[number].ctypes.data

    held = []
    return library.run(
        ctypes.CFUNCTYPE(None, pointer, pointer)(step), ctypes.CFUNCTYPE(None)(
            lambda: model.reset()), ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(state))


def test_same_bytes_from_processes_that_hash_differently(folder, tmp_path):
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, os.path.join(SCRIPTS, "convert.py"), str(folder / "model.h5"),
             "-o", str(tmp_path / seed / "step_int8.tflite"),
             "--calibration", str(folder / "stream.npy")],
            env=dict(os.environ, PYTHONHASHSEED=seed), check=True, stderr=subprocess.PIPE)
    for name in ("step_int8.tflite", "step_int8.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
