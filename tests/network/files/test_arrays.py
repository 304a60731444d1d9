"""Weights find the layers that they belong to, however a file keeps them."""
import h5py
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.files.arrays import Stored, by_leaf, count, layers_of, leaves, native
from kit.network.files.keras_file import read_keras
from keras_files import C, UNITS, architecture, dense, entry, layer, lstm, weights_file


def sequential(name, *layers):
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def numbered(first, count):
    """Arrays that are told apart by their one number."""
    return [np.float32([first + k]) for k in range(count)]


def test_leaves_are_the_layers_that_are_no_models_with_the_path_to_each():
    inner = sequential("inner", lstm(), layer("TimeDistributed", "each", layer=dense("d")))
    around = layer("TimeDistributed", "around", layer=sequential("nested", dense("e")))
    model = sequential("outer", inner, around, dense())
    assert [path for item in layers_of(model) for path, _ in leaves(item)] == [
        "inner/lstm", "inner/each", "around/nested/e", "dense"]
    old = {"class_name": "Sequential", "config": [lstm(), dense()]}  # before 2.2.3
    assert [path for path, _ in leaves(old)] == ["Sequential/lstm", "Sequential/dense"]


def test_a_nested_model_keeps_its_trainable_arrays_first():
    """BatchNormalization has gamma and beta, which are trained, and mean and variance."""
    norm = layer("BatchNormalization", "norm", scale=True, center=True)
    model = sequential("outer", sequential("inner", norm, dense("a", use_bias=True),
                                           dense("frozen", use_bias=True, trainable=False)))
    flat = {"inner": numbered(0, 8)}
    found = by_leaf("m.h5", model, model, Stored(model, "", flat, None))
    assert {path: [int(array) for array in arrays] for path, arrays in found.items()} == {
        "inner/norm": [0, 1, 4, 5], "inner/a": [2, 3], "inner/frozen": [6, 7]}
    flat["inner"].pop()
    with pytest.raises(UserError, match="m.h5: 7 arrays in model 'inner', whose layers have 8"):
        by_leaf("m.h5", model, model, Stored(model, "", flat, None))


def test_weights_of_another_number_of_layers_are_named():
    model = sequential("m", dense(use_bias=True))
    flat = {"lstm": numbered(0, 3), "drop": [], "dense": numbered(3, 2)}
    with pytest.raises(UserError, match=r"w.h5: weights of 2 layers \(lstm, dense\), where the "
                                        r"architecture has 1 layer with weights \(dense\)"):
        by_leaf("w.h5", model, model, Stored(None, "", flat, None))


def test_numbers_are_counted_without_overflow():
    assert count(np.array([1 << 40, 1 << 40])) == 1 << 80 and count(()) == 1


@pytest.mark.parametrize("names", [("lstm", "dense"), ("lstm_7", "dense_3")])
def test_weights_find_their_layers_by_name_or_in_order(tmp_path, names):
    weights, model = weights_file(tmp_path / "w.h5", names), architecture(tmp_path / "m.json")
    for file in (read_keras(weights, architecture=model), read_keras(model, weights=weights)):
        assert {name: [a.shape for a in arrays] for name, arrays in file.arrays.items()} == {
            "lstm": [(C, 16), (UNITS, 16), (16,)], "drop": [], "dense": [(UNITS, 2), (2,)]}


def test_weights_of_a_model_on_several_gpus_are_one_layer(tmp_path):
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        for name in ("lstm", "dense"):
            file.move(name, "sequential_1/" + name)
        file.attrs["layer_names"] = [b"lambda", b"sequential_1"]
        file.create_group("lambda")
        file["sequential_1"].attrs["weight_names"] = [b"lstm/w0", b"lstm/w1", b"lstm/w2",
                                                      b"dense/w0", b"dense/w1"]
    found = read_keras(path, architecture=architecture(tmp_path / "m.json")).arrays
    assert [len(arrays) for arrays in found.values()] == [3, 0, 2]


def keras_3_weights(path, top="layers", slash="/", numbers=(0, 1)):
    """.weights.h5 with branches called after classes: two LSTM cells with their place as values."""
    with h5py.File(str(path), "w") as file:
        for k, number in enumerate(numbers):
            branch = slash.join([top, "lstm" + "_%d" % number * bool(number), "cell"])
            for place, shape in enumerate([(C, 16), (UNITS, 16), (16,)]):
                file["%s/vars/%d" % (branch, place)] = np.full(shape, k, np.float32)
        file["optimizer/vars/0"] = np.zeros(3, np.float32)
    return str(path)


@pytest.mark.parametrize("options", [
    {}, {"slash": "\\"}, {"top": "_layer_checkpoint_dependencies"},
    {"top": "_layer_checkpoint_dependencies", "slash": "\\"}, {"numbers": (0, 2)},
    {"numbers": (2, 10)}])
def test_trees_of_weights_as_versions_and_systems_write_them(tmp_path, options):
    layers = [lstm("first", use_bias=True), layer("Dropout", "d"), lstm("second", use_bias=True)]
    found = read_keras(keras_3_weights(tmp_path / "m.weights.h5", **options),
                       architecture=architecture(tmp_path / "m.json", *layers)).arrays
    assert [[(array.shape, array.max()) for array in arrays] for arrays in found.values()] == [
        [((C, 16), 0), ((UNITS, 16), 0), ((16,), 0)], [],
        [((C, 16), 1), ((UNITS, 16), 1), ((16,), 1)]]


@pytest.mark.parametrize("kind, gates", [("LSTM", 4), ("GRU", 3)])
def test_cudnn_arrays_are_those_of_the_plain_layer(kind, gates):
    """One gate of one unit and two inputs, worked by hand; CuDNN sums two biases."""
    rng = np.random.Generator(np.random.PCG64(0))
    kernel, recurrent = rng.normal(0, 1, (2, 3 * gates)), rng.normal(0, 1, (3, 3 * gates))
    bias = rng.normal(0, 1, 6 * gates)
    item = entry(layer("CuDNN" + kind, units=3))
    assert item["class_name"] == kind and item["config"]["recurrent_activation"] == "sigmoid"
    found = native(item, [kernel, recurrent, bias])
    first = kernel[:, :3]  # (2, 3) holds the matrix (3, 2) of CuDNN row by row
    assert found[0][:, :3] == pytest.approx(first.ravel().reshape(3, 2).T)
    assert found[1][:, :3] == pytest.approx(recurrent[:, :3].T)
    halves = bias.reshape(2, -1)
    assert found[2] == pytest.approx(halves.sum(0) if kind == "LSTM" else halves)
