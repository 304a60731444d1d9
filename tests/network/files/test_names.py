"""Names that TensorFlow 1.15's graphs do not take are replaced by plain ones that are free."""
import pytest
from hypothesis import given, strategies

from kit.network.files.keras_file import read_keras
from kit.network.files.names import PLAIN, with_plain_names
from keras_files import architecture, dense, layer, lstm, weights_file


def test_names_that_1_15_does_not_allow_are_replaced(tmp_path):
    layers = (lstm("my layer", use_bias=True), dense("_out", use_bias=True),
              layer("Dropout", "layer_out"))
    file = read_keras(weights_file(tmp_path / "w.h5", ("my layer", "_out")),
                      architecture=architecture(tmp_path / "m.json", *layers))
    assert list(file.arrays) == ["my_layer", "layer_out_", "layer_out"]
    assert [item["config"]["name"] for item in file.description["config"]["layers"]] == list(
        file.arrays)


NAMES = strategies.lists(strategies.text("ab_- \u00e9.0", max_size=4), min_size=1, max_size=6,
                         unique=True)


@given(NAMES)
def test_every_name_becomes_a_plain_one_of_its_own(names):
    model = {"class_name": "Sequential", "config": {
        "name": "model", "layers": [dense(name) for name in names]}}
    arrays = {name: number for number, name in enumerate(names)}
    found, renamed = with_plain_names(model, arrays)
    new = [item["config"]["name"] for item in found["config"]["layers"]]
    assert all(PLAIN.match(name) for name in new) and len(set(new)) == len(names)
    assert renamed == {name: number for number, name in enumerate(new)}
    assert all(before == after for before, after in zip(names, new) if PLAIN.match(before))


def test_connections_and_paths_follow_the_new_names():
    inner = {"class_name": "Model", "name": "a net", "config": {
        "name": "a net", "layers": [dense("in/out"), layer("TimeDistributed", "t", layer=dense("_d"))],
        "output_layers": [["in/out", 0, 0]]}}
    found, arrays = with_plain_names(
        {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}},
        {"a net/t": 1, "in/out": 2})
    inner = found["config"]["layers"][0]
    assert inner["name"] == inner["config"]["name"] == "a_net"
    assert inner["config"]["output_layers"] == [["in_out", 0, 0]]
    assert inner["config"]["layers"][1]["config"]["layer"]["config"]["name"] == "layer_d"
    assert arrays == {"a_net/t": 1, "in_out": 2}


def test_a_model_of_plain_names_stays_as_it_is():
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [dense("a-1.b_2")]}}
    assert with_plain_names(model, {"a-1.b_2": []})[0] is model


@pytest.mark.parametrize("name, plain", [("lstm", True), ("0", True), (".x", True), ("_x", False),
                                         ("-x", False), ("a b", False), ("", False), ("a/b", False)])
def test_what_is_a_plain_name(name, plain):
    assert bool(PLAIN.match(name)) == plain
