"""The train stage: it learns, it repeats to the byte, and it stamps no time."""
import os
import time
import types

import numpy as np
import pytest
import yaml

from conftest import ROOT
import train
from kit.record.records import Record, write_record

TRAIN = {"seed": 1, "window_steps": 8, "units": 6, "window_stride": 2, "batch_size": 16,
         "epochs": 3, "learning_rate": 0.02, "deterministic": True}


def test_history_has_one_row_per_epoch_with_fixed_digits():
    losses = {"loss": [0.123456789, 2e-8], "mean_absolute_error": [1, 2],
              "val_loss": [3, 4], "val_mean_absolute_error": [5, 6]}
    assert train.history_csv(losses) == (
        "epoch,mse,mae,validation_mse,validation_mae\n1,0.123457,1,3,5\n2,2e-08,2,4,6\n")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two trainings on the same waves, in one process, a second apart."""
    folder = tmp_path_factory.mktemp("train")
    angle = np.arange(600)[:, None] * [0.3, 0.2]
    record = Record(np.arange(600).astype("datetime64[s]"), ["a", "b"], np.sin(angle))
    write_record(str(folder / "train.csv"), record._replace(
        time=record.time[:400], values=record.values[:400]))
    write_record(str(folder / "validation.csv"), record._replace(
        time=record.time[400:], values=record.values[400:]))
    with open(os.path.join(ROOT, "tests", "smoke.yaml")) as file:
        params = yaml.safe_load(file)
    params["train"] = TRAIN
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("one", "two"):
        out = folder / name
        out.mkdir()
        train.main(["--params", str(folder / "params.yaml"),
                    "--train", str(folder / "train.csv"),
                    "--validation", str(folder / "validation.csv"),
                    "--model", str(out / "keras_model.h5"), "--scaler", str(out / "scaler.json"),
                    "--history", str(out / "history.csv")])
        time.sleep(1.1)  # HDF5 stamps whole seconds
    return folder


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(runs):
    for name in ("keras_model.h5", "scaler.json", "history.csv"):
        assert (runs / "one" / name).read_bytes() == (runs / "two" / name).read_bytes(), name


@pytest.mark.slow
def test_the_loss_falls_and_the_files_say_what_they_are(runs):
    lines = (runs / "one" / "history.csv").read_text().splitlines()
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert len(losses) == 3 and losses[-1] < losses[0] / 2


@pytest.mark.slow
def test_the_model_takes_any_length_and_holds_no_optimizer(runs):
    import h5py

    from kit.tf.tf115 import load_keras

    model = load_keras(str(runs / "one" / "keras_model.h5"))
    assert model.input_shape == (None, None, 2) and model.output_shape == (None, 2)
    assert model.predict(np.zeros((1, 3, 2))).shape == model.predict(np.zeros((1, 9, 2))).shape
    with h5py.File(str(runs / "one" / "keras_model.h5"), "r") as file:
        assert "optimizer_weights" not in file


def test_errors_are_of_every_window(monkeypatch):
    """Every other sample of an alternating record would be forecast without an error, or with all."""
    monkeypatch.setattr(train, "PREDICTED", 3)
    samples = np.tile([[1.0], [3.0]], (6, 1))
    ones = types.SimpleNamespace(predict=lambda windows: np.ones((len(windows), 1)))
    windows, wanted = train.windows_and_next(samples, 4)
    assert train.errors(ones, windows, wanted) == (1.0, 2.0)
    assert train.errors(ones, windows[::2], wanted[::2]) == (0.0, 2.0)


def test_a_model_worse_than_its_last_sample_is_said(capsys):
    train.say_error(0.3, 0.4)
    assert capsys.readouterr().err == ""
    train.say_error(0.4, 0.3)
    assert "worse than the last sample again" in capsys.readouterr().err
