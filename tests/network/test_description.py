"""Reading Keras' .h5: what is understood, and one sentence for what is not. No TensorFlow."""
import h5py
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.description import read_network, shapes, step_shapes
from keras_files import C, UNITS, WEIGHTS, dense, functional, graph, layer, lstm, tensor, write


def test_forecaster_is_read_in_order(tmp_path):
    network = read_network(write(tmp_path / "m.h5", [lstm(), dense()]))
    assert network.steps is None and network.inputs[0].shape == (None, C)
    assert [item.class_name for item in network.layers] == ["LSTM", "Dense"]
    assert network.layers[0].weights["kernel"].shape == (C, 4 * UNITS)
    assert shapes(network, 7) == [(7, C), (UNITS,), (2,)]
    assert step_shapes(network) == [(C,), (UNITS,), (2,)]


@pytest.mark.parametrize("odd, said", [
    (layer("Lambda"), "layer 'odd' is a Lambda layer.*--replace-lambda odd="),
    (layer("MyLayer"), "layer 'odd' is MyLayer.*supported are LSTM, GRU"),
    (layer("Conv1D"), "layer 'odd' is Conv1D.*has no 'padding'"),
    (layer("Activation", activation="my_own"), "layer 'odd' has the activation my_own"),
    (layer("TimeDistributed", layer=layer("Mine")), "layer 'odd' is TimeDistributed of Mine"),
    (layer("Bidirectional", layer=lstm(), merge_mode="max"), "layer 'odd' is Bidirectional"),
    (layer("RNN", cell=layer("MyCell")), "layer 'odd' is RNN of MyCell"),
    (lstm("odd", time_major=True), "layer 'odd' has time_major=True, and 'lstm' beside it, LSTM"),
    (lstm("odd"), "layer 'odd' is LSTM and gets .4,. per item; it takes .steps, channels."),
    (layer("Conv2D", data_format="channels_first"), "layer 'odd' has its channels first"),
])
def test_refusal_is_one_sentence_that_names_the_layer(tmp_path, odd, said):
    path = write(tmp_path / "m.h5", [lstm(), odd])
    with pytest.raises(UserError, match=said) as error:
        read_network(path)
    assert path in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("axis", [1, [1]])
def test_normalisation_along_the_steps_is_named(tmp_path, axis):
    odd = layer("BatchNormalization", axis=axis, epsilon=0.001, scale=False, center=False)
    weights = dict(WEIGHTS, odd=[(5,), (5,)])
    path = write(tmp_path / "m.h5", [dict(odd, config=dict(
        odd["config"], batch_input_shape=[None, 5, C])), lstm()], weights=weights)
    with pytest.raises(UserError, match="layer 'odd' normalises axis 1; the last axis"):
        read_network(path)


@pytest.mark.parametrize("kind, shape", [
    ("MyLayer", [None, 5]), ("Another", [None, 5, 8, 8, 1])])
def test_first_layer_that_cannot_be_is_named_before_its_input(tmp_path, kind, shape):
    path = write(tmp_path / "m.h5", [layer(kind, batch_input_shape=shape), lstm()])
    with pytest.raises(UserError, match="layer 'odd' is " + kind):
        read_network(path)


@pytest.mark.parametrize("config", [
    [1, 2], {"class_name": "Sequential"},
    {"class_name": "Sequential", "config": {"layers": [{"class_name": "LSTM"}]}},
    {"class_name": "Sequential", "config": {"layers": [{"config": {}}]}},
])
def test_damaged_description_costs_one_sentence(tmp_path, config):
    path = write(tmp_path / "m.h5", None, config=config)
    with pytest.raises(UserError, match="m.h5: .*damaged, or not as Keras writes it"):
        read_network(path)


@pytest.mark.parametrize("layers, said", [
    ([], "a model without layers"),
    ([layer("LSTM", activation="tanh")], "the shape of input 'odd_input' is not declared"),
    ([lstm(batch_input_shape=[None, 5, None])], "input 'lstm_input' is .*may be open"),
])
def test_model_without_an_input_is_named(tmp_path, layers, said):
    path = write(tmp_path / "m.h5", None, config={
        "class_name": "Sequential", "config": {"layers": layers}})
    with pytest.raises(UserError, match=said):
        read_network(path)


def test_missing_damaged_and_foreign_files(tmp_path):
    with pytest.raises(UserError, match="none.h5: No such file"):
        read_network(str(tmp_path / "none.h5"))
    with pytest.raises(UserError, match="Is a directory"):
        read_network(str(tmp_path))
    (tmp_path / "text.h5").write_text("not hdf5")
    with pytest.raises(UserError, match="not a Keras file, or damaged"):
        read_network(str(tmp_path / "text.h5"))
    whole = open(write(tmp_path / "m.h5", [lstm(), dense()]), "rb").read()
    (tmp_path / "cut.h5").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(UserError, match="damaged"):
        read_network(str(tmp_path / "cut.h5"))
    with h5py.File(str(tmp_path / "weights.h5"), "w") as file:
        file.attrs["layer_names"] = [b"lstm"]
        file.create_group("lstm")
    with pytest.raises(UserError, match="weights alone.*--architecture"):
        read_network(str(tmp_path / "weights.h5"))


def test_model_without_recurrence_is_sent_to_the_plain_converter(tmp_path):
    path = write(tmp_path / "m.h5", [dense(batch_input_shape=[None, 5, UNITS])])
    with pytest.raises(UserError, match="no recurrent layer.*from_keras_model_file"):
        read_network(path)


def test_diverged_weights_are_refused(tmp_path):
    path = write(tmp_path / "m.h5", [lstm(), dense()], fill=np.nan)
    with pytest.raises(UserError, match="layer 'lstm' are not all finite"):
        read_network(path)


@pytest.mark.parametrize("name, shapes_in_file", [
    ("lstm", [(C, 9), (UNITS, 9), (9,)]),
    ("lstm", [(C + 1, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]),
    ("lstm", [(C, 4 * UNITS), (UNITS - 1, 4 * UNITS), (4 * UNITS,)]),
    ("lstm", [(4 * UNITS,)] * 3),
    ("lstm", []),
    ("dense", [(UNITS + 1, 2), (2,)]),
    ("dense", [(UNITS, 2), (3,)]),
    ("dense", []),
])
def test_weights_of_another_shape_are_refused(tmp_path, name, shapes_in_file):
    weights = dict(WEIGHTS, **{name: shapes_in_file})
    with pytest.raises(UserError, match="layer '%s' do not have the shapes" % name):
        read_network(write(tmp_path / "m.h5", [lstm(), dense()], weights=weights))


def test_functional_path_is_followed_from_the_output(tmp_path):
    config = functional([[["in", 0, 0, {}]]])
    config["config"]["layers"].reverse()  # the order in the file does not matter
    network = read_network(write(tmp_path / "m.h5", None, config=config))
    assert [item.name for item in network.layers] == ["lstm", "dense"]
    assert network.steps == 5


def read(tmp_path, *arguments, **options):
    return read_network(write(tmp_path / "m.h5", None, config=functional(*arguments, **options)))


def test_layer_used_twice_is_two_nodes_of_one_layer(tmp_path):
    config = functional([[["in", 0, 0, {}]], [["in", 0, 0, {}]]], outputs=(
        ("lstm", 0, 0), ("lstm", 1, 0), ("dense", 0, 0)))
    network = read_network(write(tmp_path / "m.h5", None, config=config))
    first, second, _ = network.nodes
    assert first.layer is second.layer and first.outputs != second.outputs
    assert network.outputs == [("lstm", 1), ("lstm_1", 2), ("dense", 3)]


def test_second_input_of_a_layer_is_an_initial_state_or_named(tmp_path):
    with pytest.raises(UserError, match="layer 'lstm' gets 1 tensors beside its sequence"):
        read(tmp_path, [[["in", 0, 0, {}], ["in", 0, 0, {}]]])


def test_roles_of_inputs(tmp_path):
    """A sequence, two states that nothing else reads, and numbers without steps."""
    config = functional([[["in", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]], inputs=[
        (name, 0, 0) for name in ("in", "h", "c")])
    config["config"]["layers"] += [
        dict(layer("InputLayer", name, batch_input_shape=[None, UNITS]), name=name,
             inbound_nodes=[]) for name in ("h", "c")]
    network = read_network(write(tmp_path / "m.h5", None, config=config))
    assert [(item.name, item.timed, item.state_of) for item in network.inputs] == [
        ("in", True, None), ("h", False, "lstm"), ("c", False, "lstm")]


def test_step_shapes_are_those_of_one_step(tmp_path):
    network = read_network(write(tmp_path / "m.h5", [lstm(return_sequences=True), dense()]))
    assert step_shapes(network) == [(C,), (UNITS,), (2,)]
    assert shapes(network, 7) == [(7, C), (7, UNITS), (7, 2)]


def test_a_circle_is_refused(tmp_path):
    with pytest.raises(UserError, match="waits for"):
        read(tmp_path, [[["dense", 0, 0, {}]]])


@pytest.mark.parametrize("mask, said", [(True, None), (False, "takes no mask in the file and one in 1.15")])
def test_a_mask_that_1_15_would_hand_on_otherwise_is_named(tmp_path, mask, said):
    """As Keras 3 writes it: the mask of Masking, and whether the LSTM behind it takes it."""
    config = graph(
        ("in", "InputLayer", {"batch_shape": [None, 5, C]}, []),
        ("masking", "Masking", {"mask_value": 0.0}, call("in")), ("differs", "NotEqual", {}, call("in", 0.0)),
        ("any", "Any", {}, call("differs")),
        ("held", "LeakyReLU", {"alpha": 0.5}, call("masking")),
        ("norm", "LSTM", lstm()["config"], call("masking", mask="any")),
        ("lstm", "LSTM", lstm()["config"], call("held", mask="any" if mask else None)),
        ("dense", "Dense", dense()["config"], call("lstm")), inputs="in", outputs="dense")
    for item in config["config"]["layers"][2:4]:
        item["module"] = "keras.src.ops.numpy"
    config["config"]["output_layers"].append(["norm", 0, 0])
    path = write(tmp_path / "m.h5", None, "3.1.0", dict(WEIGHTS, norm=WEIGHTS["lstm"]), config)
    if said:
        with pytest.raises(UserError, match="layer 'lstm' " + said):
            read_network(path)
    else:
        assert [layer.class_name for layer in read_network(path).layers] == [
            "Masking", "LeakyReLU", "LSTM", "Dense", "LSTM"]


def call(source, *more, **given):
    """One call in the words of Keras 3."""
    return [{"args": [tensor(source), *more], "kwargs": {
        key: value and tensor(value) for key, value in given.items()}}]
