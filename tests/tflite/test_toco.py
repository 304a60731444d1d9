"""1.15's converter, and what is made sure of in its files."""
import hashlib

import numpy as np
import pytest

import step_models
from kit.base.cli import UserError
from kit.network.description import path_of
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from keras_models import walk
from layer_graphs import C, SEQ, dense, lstm

pytestmark = pytest.mark.slow


@pytest.fixture
def toco():
    from kit.tflite import toco

    return toco


def operators(model):
    """Names in the order of the graph."""
    return [flatbuffer.op_name(model["operator_codes"][operator.get("opcode_index", 0)].get(
        "builtin_code", 0)) for operator in model["subgraphs"][0]["operators"]]


@pytest.mark.parametrize("form", ["window", "step", "fused"])
def test_a_file_computes_what_its_graph_does(toco, graph, form):
    case = graph(form)
    model = Model(toco.packed(toco.converted(case.path, case.signature), case.signature), "tensorflow")
    assert model.form == form
    samples = walk(6)
    if form == "step":
        np.testing.assert_allclose(model.stream(samples), case.frozen.stream(samples), atol=1e-6)
    else:
        expected = graph("window").frozen.predict(samples[None])
        np.testing.assert_allclose(model.predict(samples[None]), expected, atol=1e-6)


def test_converter_that_aborts_costs_one_sentence(toco, tmp_path):
    """toco ends the process on a failed check; here a product whose sides do not fit."""
    from kit.tf.tf115 import tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (1, 28), name="x")
        moved = tf.reshape(tf.nn.relu(x), (7, 4)) * tf.constant([1.0, 2, 3, 4])
        tf.identity(moved, name="y")
    path = tmp_path / "odd.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UserError, match="converter refuses this graph: Check failed"):
        toco.converted(str(path), {"inputs": [{"name": "x", "shape": [1, 28]}],
                                   "outputs": [{"name": "y"}]})


def test_a_graph_that_is_none_and_ends_that_are_others_are_named(toco, graph, tmp_path):
    case = graph("step")
    (tmp_path / "odd.pb").write_bytes(b"no graph")
    with pytest.raises(UserError, match="odd.pb: no frozen graph of its .json's inputs and outputs"):
        toco.converted(str(tmp_path / "odd.pb"), case.signature)
    with pytest.raises(UserError, match="step.pb: no frozen graph of its .json's inputs and outputs"):
        toco.converted(case.path, graph("window").signature)


def test_1_15s_converter_is_patched_for_a_conversion_alone(toco):
    before = toco._toco.toco_convert_protos
    with toco._forking():
        assert toco._toco.toco_convert_protos is not before
    assert toco._toco.toco_convert_protos is before


def test_the_converters_graph_optimizer_has_no_deadline(toco, graph, monkeypatch):
    from tensorflow.lite.python import util

    configs, optimize = [], util.tf_optimizer.OptimizeGraph
    monkeypatch.setattr(util.tf_optimizer, "OptimizeGraph",
                        lambda config, *rest: configs.append(config) or optimize(config, *rest))
    case = graph("step")
    toco.converted(case.path, case.signature)
    options, = [config.graph_options.rewrite_options for config in configs]
    assert options.meta_optimizer_timeout_ms == -1
    assert list(options.optimizers) == ["constfold"]


# --- the file ---------------------------------------------------------------------------------


def test_ends_stand_in_the_signatures_order_and_alone_keep_their_names(toco):
    model = flatbuffer.read(step_models.lstm("int8"))
    graph, = model["subgraphs"]
    graph["inputs"], graph["outputs"] = graph["inputs"][::-1], graph["outputs"][::-1]
    data = toco.packed(model, step_models.signature("lstm"))
    run = Model(data, "tflite_runtime")
    assert [item.plain for item in run.inputs] == step_models.ENDS["lstm"][0]
    assert [item.plain for item in run.outputs] == step_models.ENDS["lstm"][1]
    names = [tensor.get("name") for tensor in flatbuffer.read(data)["subgraphs"][0]["tensors"]]
    assert sorted(filter(None, names)) == sorted(sum(step_models.ENDS["lstm"], []))
    plain = Model(step_models.lstm("int8"), "tflite_runtime")
    np.testing.assert_array_equal(run.stream(walk(30)), plain.stream(walk(30)))


def test_a_lost_tensor_is_named(toco):
    signature = step_models.signature("gru")
    signature["outputs"][1]["name"] = "next_state_9_h"
    with pytest.raises(UserError, match="the converter lost the tensor next_state_9_h"):
        toco.packed(flatbuffer.read(step_models.gru("float32")), signature)


def test_nothing_unused_and_nothing_twice(toco):
    plain = toco.packed(flatbuffer.read(step_models.gru("int8")), step_models.signature("gru"))
    model = flatbuffer.read(step_models.gru("int8"))
    graph, = model["subgraphs"]
    first = next(operator for operator, kind in zip(graph["operators"], operators(model))
                 if kind == "FULLY_CONNECTED")
    weights = graph["tensors"][int(first["inputs"][1])]

    def twin():
        """The place of another tensor of the weights' values."""
        graph["tensors"].append(dict(weights, name="twin", buffer=len(model["buffers"])))
        model["buffers"].append(dict(model["buffers"][weights["buffer"]]))
        return len(graph["tensors"]) - 1

    twin()  # unused
    first["inputs"] = np.int32([first["inputs"][0], twin(), first["inputs"][2]])
    assert len(toco.packed(model, step_models.signature("gru"))) == len(plain)


def test_constants_of_other_scales_share_their_bytes(toco):
    b = step_models.Builder("int8", 0)
    x, h = b.vector(3, 0.05, 0, "sample"), b.vector(3, 0.05, 0, "state_0_h")
    ends = []
    for scale, source, name in ((0.5, x, "output"), (0.25, h, "next_state_0_h")):
        weights = b.tensor((3, 3), scale, data=np.int8(np.arange(9).reshape(3, 3)))
        ends.append(b.op("FULLY_CONNECTED", [source, weights, -1], b.vector(3, 0.05, 0, name)))
    packed = toco.packed(flatbuffer.read(b.save([x, h], ends)), step_models.signature("gru"))
    model = flatbuffer.read(packed)
    graph, = model["subgraphs"]
    matrices = [graph["tensors"][int(operator["inputs"][1])] for operator in graph["operators"]]
    assert matrices[0]["buffer"] == matrices[1]["buffer"] and len(model["buffers"]) == 2
    assert [float(matrix["quantization"]["scale"][0]) for matrix in matrices] == [0.5, 0.25]


def made(network, form, folder):
    """(path of the frozen graph, signature) of a network."""
    from kit.network.forms import frozen

    found = frozen(network, form, 6)
    (folder / "m.pb").write_bytes(found.bytes)
    (folder / "m.h5").write_bytes(b"")
    return str(folder / "m.pb"), found.signature(str(folder / "m.h5"))


def expected_of(network, window):
    from kit.network.forms import frozen

    return frozen(network, "window", window.shape[1]).predict(window)


def test_an_open_length_is_said_and_right_at_every_length(toco, tmp_path):
    network = path_of([lstm(**SEQ), dense(4)], (None, C))
    path, signature = made(network, "fused", tmp_path)
    data = toco.packed(toco.converted(path, signature), signature)
    source = next(tensor for tensor in flatbuffer.read(data)["subgraphs"][0]["tensors"]
                  if tensor.get("name") == "sequence")
    assert (list(source["shape"]), list(source["shape_signature"])) == ([1, 6, 3], [1, -1, 3])
    model = Model(data, "tflite_runtime")
    for steps in (6, 9, 2):
        window = walk(steps)[None]
        np.testing.assert_allclose(model.predict(window), expected_of(network, window), atol=1e-6)


def test_a_fixed_length_is_not_said_to_be_open(toco, graph):
    case = graph("fused")
    fixed = dict(case.signature, any_length=False)
    data = toco.packed(toco.converted(case.path, fixed), fixed)
    assert not any("shape_signature" in tensor for tensor in flatbuffer.read(data)["subgraphs"][0]["tensors"])


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_fused_lstm_has_weights_of_one_type_and_the_inputs_that_its_kernel_wants(toco, tmp_path, dynamic):
    """Of 40 units the converter packs the recurrent matrices alone."""
    layer = lstm(40, activation="relu")
    layer.weights.update((name, 0.2 * array) for name, array in layer.weights.items())
    network = path_of([layer], (None, C))
    path, signature = made(network, "fused", tmp_path)
    model = toco.whole_fused_ops(toco.converted(path, signature, dynamic), signature)
    inner, = model["subgraphs"]
    fused, = [operator for operator, kind in zip(inner["operators"], operators(model))
              if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    types = {inner["tensors"][place].get("type", 0) for place in fused["inputs"][1:9]}
    assert types == {flatbuffer.INT8 if dynamic else flatbuffer.FLOAT32}
    assert len(fused["inputs"]) == (20 if dynamic else 24), "micro takes 24, and has no hybrid kernel"
    assert not fused["options"].get("time_major") and fused["options"]["activation"] == 1, "relu"
    assert "DEQUANTIZE" not in operators(model)
    found = Model(toco.packed(model, signature), "tensorflow").predict(walk(6)[None])
    expected = expected_of(network, walk(6)[None])
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.std() if dynamic else 1e-6)


def test_facts_of_a_file(toco):
    data = step_models.lstm("int8")
    description = toco.description(data, "step", "int8", step_models.signature("lstm"))
    assert description["sha256"] == hashlib.sha256(data).hexdigest()
    assert description["size_bytes"] == len(data)
    assert description["inputs"][0] == {
        "name": "sample", "number": 0, "index": 0, "shape": [1, 3], "type": "int8", "role": "data",
        "scale": 0.0500000007, "zero_point": 7}
    assert description["outputs"][2]["role"] == "state" and description["states_keep_their_scale"]
    counts = {item["operator"]: (item["version"], item["count"]) for item in description["operators"]}
    assert counts["FULLY_CONNECTED"] == (4, 2) and counts["MUL"] == (2, 6)
    assert list(counts) == sorted(counts)
    bare = toco.description(step_models.bare("int8"), "step", "int8", step_models.signature("bare"))
    assert not bare["states_keep_their_scale"], "tanh has a scale of its own"


def test_a_tensor_of_another_type_is_refused(toco):
    model = flatbuffer.read(step_models.gru("int8"))
    toco.check_types(model, "int8")
    model["subgraphs"][0]["tensors"][4]["type"] = flatbuffer.FLOAT32
    with pytest.raises(UserError, match="tensor 4 of the int8 model is float32"):
        toco.check_types(model, "int8")
