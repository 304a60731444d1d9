"""A fleet has the alarms that `detect` has of each sensor; bad ones are named."""
import gc
import os
import re
import shutil

import numpy as np
import pytest

import fleets  # noqa: F401  first: it skips where its environment is not
import fleet
import pyarrow.parquet as pq
from fleets import FILES, built, detected, found, record, score, split, tables, write
from kit.fleet.engine import Sensor

pytestmark = [built, pytest.mark.slow]


@pytest.mark.parametrize("batch", ["1", "5", "64"])
def test_the_alarms_are_those_of_detect(plant, tmp_path, batch):
    folder, printed, whole = plant
    assert fleet.main(score(folder, tmp_path, "--workers", "0", "--batch", batch)) == 0
    assert found(folder, tmp_path / "state") == printed
    assert tables(tmp_path) == whole
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")


def test_a_task_leaves_no_sensor_in_memory(plant, tmp_path):
    """They refer to themselves, and Python alone would let hundreds of megabytes of them wait."""
    gc.disable()
    try:
        assert fleet.main(score(plant[0], tmp_path, "--workers", "0", "--batch", "3")) == 0
        assert not [item for item in gc.get_objects() if isinstance(item, Sensor)]
    finally:
        gc.enable()


def test_rows_that_come_later_cost_what_is_new_and_give_the_same(plant, tmp_path, capsys):
    folder, printed, whole = plant
    today = str(tmp_path / "logs")
    shutil.copytree(folder, today)
    for number, name in enumerate(sorted(printed)):
        split(today, name, 700 + 100 * number)
        os.rename(os.path.join(today, "sensor=" + name, "b.parquet"), str(tmp_path / name))
    run = score(today, tmp_path / "out", "--workers", "0", "--state", str(tmp_path / "state"),
                "--partition-rows", "1024")
    assert fleet.main(run) == 0
    for name in printed:
        os.rename(str(tmp_path / name), os.path.join(today, "sensor=" + name, "b.parquet"))
    assert fleet.main(run) == 0
    assert found(today, tmp_path / "state") == printed
    assert pq.read_table(str(tmp_path / "out" / "alarms.parquet")).to_pylist() == pq.read_table(
        os.path.join(folder, "..", "out", "alarms.parquet")).to_pylist()
    before = sorted(os.listdir(str(tmp_path / "state")))
    capsys.readouterr()
    assert fleet.main(run) == 0
    assert "12 sensors, 0 with new rows" in capsys.readouterr().err
    assert sorted(os.listdir(str(tmp_path / "state"))) == before


def test_bad_sensors_are_named_and_the_others_go_on(plant, tmp_path, capsys):
    folder, printed, _ = plant
    today = str(tmp_path / "logs")
    shutil.copytree(folder, today)
    names, values = record()
    steady = np.datetime64("2024-01-01", "us") + np.arange(50) * np.timedelta64(60, "s")
    write(os.path.join(today, "sensor=channels", "a.parquet"), ["x"] + names[1:], steady, values[:50])
    write(os.path.join(today, "sensor=twice", "a.parquet"), names, steady[np.arange(50) // 2],
          values[:50])
    for name in ("empty", "nothing", "corrupt", "text"):
        os.makedirs(os.path.join(today, "sensor=" + name))
    open(os.path.join(today, "sensor=empty", "a.parquet"), "w").close()
    with open(os.path.join(today, "sensor=text", "a.csv"), "w") as file:
        file.write("time,%s\n2021-03-01T00:00:00Z%s\n" % (",".join(names), ",oops" * len(names)))
    path = os.path.join(today, "sensor=000", "a.parquet")
    data = bytearray(open(path, "rb").read())
    data[300:3000] = bytes(2700)
    open(os.path.join(today, "sensor=corrupt", "a.parquet"), "wb").write(data)
    with open(str(tmp_path / "models.csv"), "w") as file:
        file.write("sensor,model,detector,scaler\n")
        for name in list(printed)[1:] + ["channels", "twice", "empty", "nothing", "corrupt", "text"]:
            file.write(",".join((name,) + FILES) + "\n")
        file.write("000,gone.tflite,,\n")
    assert fleet.main(score(today, tmp_path / "out", "--workers", "0",
                            "--models", str(tmp_path / "models.csv"))) == 1
    del printed["000"]
    try:
        assert found(today, tmp_path / "out" / "state") == printed
    finally:
        printed["000"] = detected(path)
    failures = (tmp_path / "out" / "failures.csv").read_text()
    for name, reason in (
            ("000", "gone.tflite: No such file"), ("channels", "it lacks speed_rpm"),
            ("empty", "is empty"), ("nothing", "no log in the folder"), ("corrupt", "damaged Parquet"),
            ("text", "column speed_rpm: 'oops' is not a number"), ("twice", "has the same time")):
        assert re.search("^%s,.*%s" % (name, reason), failures, re.M), (name, failures)
    assert failures.count("\n") == 8
