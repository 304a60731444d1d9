"""Keras' .h5 read as plain data; what damaged and hostile ones cost: one sentence."""
import os
import random

import h5py
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.files import hdf5
from kit.network.files.keras_file import read_keras
from keras_files import WEIGHTS, architecture, dense, lstm, weights_file, write


DAMAGES = (1, 2, 3, 4, 5, 27, 53)  # ways to spoil a file; the last two end HDF5 1.10 by a signal


def test_a_file_is_its_description_its_version_and_an_array_per_weight(tmp_path):
    path = write(tmp_path / "m.h5", [lstm(), dense()], version="2.11.0", fill=0.25)
    stored = hdf5.read(path)
    assert stored.version == "2.11.0" and stored.tree is None
    assert [item["class_name"] for item in stored.description["config"]["layers"]] == ["LSTM", "Dense"]
    assert {name: [array.shape for array in arrays] for name, arrays in stored.flat.items()} == WEIGHTS
    assert all((array == 0.25).all() for arrays in stored.flat.values() for array in arrays)
    with open(path, "rb") as file:
        again = hdf5.read("a name", file.read())
    assert again.description == stored.description


def test_every_kind_of_number_becomes_float32(tmp_path):
    path = write(tmp_path / "m.h5", [lstm(), dense()])
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense"]
        del group["dense/0:0"], group["dense/1:0"]
        group["dense/0:0"] = np.array([0x3FC0, 0xC000], np.uint16)  # upper halves of 1.5 and -2
        group["dense/0:0"].attrs["dtype"] = "bfloat16"
        group["dense/1:0"] = np.array([0.5, 1e300], np.float64)
    halves, doubles = hdf5.read(path).flat["dense"]
    assert halves.dtype == doubles.dtype == np.float32
    assert halves.tolist() == [1.5, -2] and doubles.tolist() == [0.5, np.inf]


@pytest.mark.parametrize("change, said", [
    (lambda file: file.attrs.modify("model_config", np.bytes_("{")), "description in the file is damaged"),
    (lambda file: file["model_weights"].pop("dense/dense/1:0"), "the weights 'dense/1:0' are missing"),
    (lambda file: (file.pop("model_weights/dense/dense/1:0"), file["model_weights/dense"].create_dataset(
        "dense/1:0", data=np.bytes_("text"))), "the weights 'dense/1:0' are no numbers"),
    (lambda file: file.pop("model_weights"), "no Keras model in this file"),
])
def test_what_is_not_whole_is_named(tmp_path, change, said):
    path = write(tmp_path / "m.h5", [lstm(), dense()])
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(UserError, match="m.h5: .*" + said):
        hdf5.read(path)


def damaged(whole, k):
    """The k-th way to spoil a file: some bytes changed, perhaps the end missing."""
    rng, data = random.Random(k), bytearray(whole)
    for _ in range(rng.choice([1, 4, 30])):
        data[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
    return bytes(data[:rng.choice([len(data)] * 3 + [rng.randrange(len(data))])])


def test_damaged_files_are_read_or_refused(tmp_path):
    """The HDF5 library dies on some of them; the reader's own process does not."""
    whole, died = open(write(tmp_path / "m.h5", [lstm(), dense()]), "rb").read(), 0
    for k in DAMAGES:
        (tmp_path / "x.h5").write_bytes(damaged(whole, k))
        try:
            read_keras(str(tmp_path / "x.h5"))
        except UserError as error:
            died += "the HDF5 library cannot read it" in str(error)
            assert str(tmp_path) in str(error) and "\n" not in str(error)
    assert died


def declared(path, shape, **options):
    """An .h5 whose one weight has this shape and holds nothing of it."""
    write(path, [lstm(), dense()])
    with h5py.File(str(path), "a") as file:
        del file["model_weights/dense/dense/0:0"]
        file["model_weights/dense"].create_dataset("dense/0:0", shape, "f4", **options)
    return str(path)


@pytest.mark.parametrize("shape, options", [
    ((1 << 40,), {}), ((1 << 20, 1 << 30), {}),
    ((1 << 36,), {"chunks": (1 << 20,), "compression": "gzip"}),
])
def test_sizes_are_checked_before_reading(tmp_path, shape, options):
    with pytest.raises(UserError, match="larger than what the file holds"):
        read_keras(declared(tmp_path / "m.h5", shape, **options))


def test_compressed_zeros_are_not_unpacked(tmp_path):
    path = declared(tmp_path / "m.h5", (1 << 24,), chunks=(1 << 20,), compression="gzip")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/dense/0:0"][:] = 0
    assert os.path.getsize(path) < 200000
    with pytest.raises(UserError, match="larger than what the file holds"):
        read_keras(path)


def test_weights_in_another_file_are_not_followed(tmp_path):
    path, other = declared(tmp_path / "m.h5", (1,)), write(tmp_path / "o.h5", [lstm()])
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/0:0"]
        file["model_weights/dense/dense/0:0"] = h5py.ExternalLink(other, "model_weights/lstm/lstm/0:0")
    with pytest.raises(UserError, match="'dense/0:0' are not in this file"):
        read_keras(path)


def test_lists_of_names_that_keras_cut_into_pieces(tmp_path):
    path = weights_file(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"lstm"], [b"dense"]
        names = file["lstm"].attrs["weight_names"]
        del file["lstm"].attrs["weight_names"]
        file["lstm"].attrs["weight_names0"] = names[:2]
        file["lstm"].attrs["weight_names1"] = names[2:]
    found = read_keras(path, architecture=architecture(tmp_path / "m.json")).arrays
    assert [len(arrays) for arrays in found.values()] == [3, 0, 2]
