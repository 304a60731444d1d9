"""Keras' .keras files: what they hold, and what damaged and hostile ones cost: one sentence."""
import json
import os
import zipfile

import pytest

from kit.base.cli import UserError
from kit.network.files import archive
from keras_files import dense, lstm, write


def test_a_keras_file_is_its_description_its_version_and_its_weights(tmp_path):
    model = {"class_name": "Sequential", "config": {"layers": [lstm(), dense()]}}
    with open(write(tmp_path / "w.h5", [lstm(), dense()]), "rb") as file:
        weights = file.read()
    stored = archive.read(keras_zip(
        tmp_path / "m.keras", config__json=json.dumps(model), model__weights__h5=weights,
        metadata__json=json.dumps({"keras_version": "3.4.1"})))
    assert (stored.description, stored.version) == (model, "3.4.1")
    assert [len(arrays) for arrays in stored.flat.values()] == [2, 3], "dense, lstm"


def keras_zip(path, **members):
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return str(path)


@pytest.mark.parametrize("members, said", [
    ({}, "no config.json in this zip"),
    ({"config__json": "{", "metadata__json": "{}"}, "damaged"),
    ({"config__json": "[" * 100000, "metadata__json": "{}"}, "config.json is damaged"),
    ({"config__json": " " * (1 << 27)}, "config.json says that it is 134217728 bytes"),
    ({"config__json": "{}", "metadata__json": "{}", "model__weights__h5": b"\0" * (1 << 24)},
     "model.weights.h5 says that it is"),
    ({"config__json": "{}", "metadata__json": "{}"}, "no model.weights.h5.*save the model as .h5"),
    ({"config__json": "{}", "metadata__json": "{}", "model__weights__h5": os.urandom(999)},
     "model.weights.h5.: not a Keras .h5 file, or damaged"),
])
def test_hostile_keras_zip(tmp_path, members, said):
    with pytest.raises(UserError, match=said) as error:
        archive.read(keras_zip(tmp_path / "m.keras", **members))
    assert "\n" not in str(error.value)


def test_truncated_keras_zip(tmp_path):
    path = keras_zip(tmp_path / "m.keras", config__json="{}")
    (tmp_path / "cut.keras").write_bytes(open(path, "rb").read()[:60])
    with pytest.raises(UserError, match="cut.keras: damaged"):
        archive.read(str(tmp_path / "cut.keras"))
