"""Partitions appear whole and once; those of a sensor follow one another."""
import os
import subprocess

import numpy as np
import pytest

import fleets  # noqa: F401  skips where its environment is not
from kit.base.cli import UserError
from kit.fleet import store


class Sensor:
    """A sensor with so many rows in this partition."""

    class watch:
        finish = staticmethod(lambda: None)

    def __init__(self, name, first, rows, event=None):
        self.name, self._first, self._rows = name, first, rows
        self.events = [event] if event else []
        self.state = {"rows": np.array(rows)}

    def row(self):
        return {"sensor": self.name, "first_row": self._first, "rows": self._rows, "file": "a",
                "bytes": 1, "samples": 1, "missing": 0, "drift": None, "last_sample": 1,
                "peaks": [1.0]}


class Common:
    fitted = {"interval_s": 60.0, "threshold": 3.0}

    class scaler:
        channels = ["a"]


def write(folder, name, *sensors):
    store.write(str(folder), name, {sensor.name: sensor for sensor in sensors}, "of", Common)


def parts(folder, sensor="a", of="of"):
    return [row["part"] for row in store.chains(str(folder), {sensor: of}).get(sensor, [])]


def test_partitions_of_a_sensor_follow_one_another(tmp_path):
    write(tmp_path, "1", Sensor("a", 0, 10), Sensor("b", 0, 7))
    write(tmp_path, "2", Sensor("b", 7, 9))
    write(tmp_path, "3", Sensor("a", 10, 12))
    assert parts(tmp_path) == ["1", "3"] and parts(tmp_path, "b") == ["1", "2"]
    assert parts(tmp_path, of="other") == []
    rows = store.chains(str(tmp_path), {"b": "of"})["b"]
    places = {"b": (rows[-1]["part"], rows[-1]["line"])}
    assert store.states(str(tmp_path), places)["b"]["rows"] == 9


def test_what_was_computed_twice_counts_once(tmp_path):
    write(tmp_path, "1", Sensor("a", 0, 10))
    write(tmp_path, "2", Sensor("a", 0, 20))
    write(tmp_path, "3", Sensor("a", 10, 20))
    assert parts(tmp_path) == ["2"]


def test_a_partition_that_is_there_stays(tmp_path):
    write(tmp_path, "1", Sensor("a", 0, 10))
    write(tmp_path, "1", Sensor("a", 0, 99))
    assert store.chains(str(tmp_path), {"a": "of"})["a"][0]["rows"] == 10


@pytest.mark.parametrize("function", ["flush", "os.rename", "pq.write_table"])
def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, monkeypatch, function):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kit.fleet.store." + function, full)
    with pytest.raises(UserError, match="1 cannot be written: No space left on device"):
        write(tmp_path, "1", Sensor("a", 0, 10))
    assert os.listdir(str(tmp_path)) == []


@pytest.fixture
def tiny(tmp_path):
    """A file system of its own, of 64 kB."""
    place = str(tmp_path / "tiny")
    os.mkdir(place)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place],
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full_leaves_nothing_and_takes_what_fits(tiny):
    large = Sensor("a", 0, 10)
    large.state = {"rows": np.zeros(100000)}
    with pytest.raises(UserError, match="1 cannot be written: No space left on device"):
        write(tiny, "1", large)
    assert os.listdir(tiny) == []
    write(tiny, "1", Sensor("a", 0, 10))
    assert parts(tiny) == ["1"]


def test_what_a_killed_run_left_counts_as_nothing_and_is_swept(tmp_path):
    write(tmp_path, "1", Sensor("a", 0, 10))
    os.rename(str(tmp_path / "1"), str(tmp_path / (".1.x" + store.PARTIAL)))
    assert parts(tmp_path) == []
    store.sweep(str(tmp_path))
    assert os.listdir(str(tmp_path)) == []
