"""1.15's converter, and what is made sure of in its files."""
import hashlib

import numpy as np
import pytest

import step_models
from kit.base.cli import UserError
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from keras_models import walk

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
    model = flatbuffer.read(step_models.gru("float32"))
    graph, = model["subgraphs"]
    size = len(toco.packed(flatbuffer.read(step_models.gru("float32")), step_models.signature("gru")))
    model["buffers"].append({"data": np.zeros(10000, np.uint8)})
    graph["tensors"].append({"name": "unused", "shape": np.int32([2500]), "type": 0,
                             "buffer": len(model["buffers"]) - 1})
    product = next(operator for operator, kind in zip(graph["operators"], operators(model))
                   if kind == "FULLY_CONNECTED")
    weights = graph["tensors"][int(product["inputs"][1])]
    graph["tensors"].append(dict(weights, name="twin", buffer=len(model["buffers"])))
    model["buffers"].append(dict(model["buffers"][weights["buffer"]]))
    product["inputs"] = np.int32([product["inputs"][0], len(graph["tensors"]) - 1, product["inputs"][2]])
    assert len(toco.packed(model, step_models.signature("gru"))) == size


def test_an_open_length_is_said_and_left_to_be_inferred(toco, graph):
    case = graph("fused")
    assert case.signature["any_length"]
    model = flatbuffer.read(toco.packed(toco.converted(case.path, case.signature), case.signature))
    source = next(tensor for tensor in model["subgraphs"][0]["tensors"] if tensor.get("name") == "sequence")
    assert (list(source["shape"]), list(source["shape_signature"])) == ([1, 6, 3], [1, -1, 3])
    fixed = dict(case.signature, any_length=False)
    model = flatbuffer.read(toco.packed(toco.converted(case.path, fixed), fixed))
    source = next(tensor for tensor in model["subgraphs"][0]["tensors"] if tensor.get("name") == "sequence")
    assert "shape_signature" not in source


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_fused_lstm_has_weights_of_one_type_and_the_inputs_that_its_kernel_wants(toco, tmp_path, dynamic):
    """Of 40 units the converter packs the recurrent matrices alone."""
    from kit.network.description import path_of
    from kit.network.forms import frozen
    from layer_graphs import C, lstm

    layer = lstm(40, activation="relu")
    layer.weights.update((name, 0.2 * array) for name, array in layer.weights.items())
    network = path_of([layer], (None, C))
    made = frozen(network, "fused", 6)
    (tmp_path / "m.pb").write_bytes(made.bytes)
    (tmp_path / "m.h5").write_bytes(b"")
    signature = made.signature(str(tmp_path / "m.h5"))
    model = toco.whole_fused_ops(toco.converted(str(tmp_path / "m.pb"), signature, dynamic), signature)
    inner, = model["subgraphs"]
    fused, = [operator for operator, kind in zip(inner["operators"], operators(model))
              if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    types = {inner["tensors"][place].get("type", 0) for place in fused["inputs"][1:9]}
    assert types == {flatbuffer.INT8 if dynamic else flatbuffer.FLOAT32}
    assert len(fused["inputs"]) == (20 if dynamic else 24), "micro takes 24, and has no hybrid kernel"
    assert not fused["options"].get("time_major") and fused["options"]["activation"] == 1, "relu"
    assert "DEQUANTIZE" not in operators(model)
    found = Model(toco.packed(model, signature), "tensorflow").predict(walk(6)[None])
    expected = frozen(network, "window", 6).predict(walk(6)[None])
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.std() if dynamic else 1e-6)


def test_facts_of_a_file(toco):
    data = step_models.lstm("int8")
    facts = toco.facts(data, "step", "int8", step_models.signature("lstm"))
    assert facts["sha256"] == hashlib.sha256(data).hexdigest() and facts["size_bytes"] == len(data)
    assert facts["inputs"][0] == {"name": "sample", "number": 0, "index": 0, "shape": [1, 3], "type": "int8",
                                  "role": "data", "scale": 0.0500000007, "zero_point": 7}
    assert facts["outputs"][2]["role"] == "state" and facts["states_keep_their_scale"]
    counts = {item["operator"]: (item["version"], item["count"]) for item in facts["operators"]}
    assert counts["FULLY_CONNECTED"] == (4, 2) and counts["MUL"] == (2, 6)
    assert list(counts) == sorted(counts)
    bare = toco.facts(step_models.bare("int8"), "step", "int8", step_models.signature("bare"))
    assert not bare["states_keep_their_scale"], "tanh has a scale of its own"


def test_a_tensor_of_another_type_is_refused(toco):
    model = flatbuffer.read(step_models.gru("int8"))
    toco.check_types(model, "int8")
    model["subgraphs"][0]["tensors"][4]["type"] = flatbuffer.FLOAT32
    with pytest.raises(UserError, match="tensor 4 of the int8 model is float32"):
        toco.check_types(model, "int8")
