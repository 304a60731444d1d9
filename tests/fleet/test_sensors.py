"""Logs of a fleet are found, read in pieces, and read on from a place."""
import os

import numpy as np
import pytest

import fleets  # noqa: F401  skips where its environment is not
from kit.base.cli import UserError
from kit.fleet import sensors


def csv(path, values, mode="w", first=0):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), mode) as file:
        file.write("" if first else "time,a,b\n")
        for row, value in enumerate(values, first):
            file.write("2021-03-01T00:%02d:00Z,%g,0\n" % (row, value))
    return str(path)


def read(files, place=sensors.START, limit=4):
    found = list(sensors.pieces(files, place, ["a", "b"], [], limit))
    return np.concatenate([block.values[:, 0] for block, _, _ in found] or [[]]).tolist(), (
        found[-1][1] if found else place)


def test_folders_files_and_patterns(tmp_path):
    csv(tmp_path / "sensor=0007" / "b.csv", [1])
    csv(tmp_path / "sensor=0007" / "a.csv", [1])
    csv(tmp_path / "pump.csv.gz", [1])
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "note.md").write_text("")
    found = sensors.find(str(tmp_path))
    assert {name: [os.path.basename(path) for path in files] for name, files in found.items()} == {
        "0007": ["a.csv", "b.csv"], "pump": ["pump.csv.gz"]}
    assert list(sensors.find(str(tmp_path / "p*.gz"))) == ["pump"]
    with pytest.raises(UserError, match="no logs there"):
        sensors.find(str(tmp_path / "x*"))
    csv(tmp_path / "0007.csv", [1])
    with pytest.raises(UserError, match="two logs are of sensor 0007"):
        sensors.find(str(tmp_path))


def test_pieces_of_several_files_and_then_what_is_new(tmp_path):
    files = [csv(tmp_path / "a.csv", range(7)), csv(tmp_path / "b.csv", range(7, 10), first=0)]
    values, place = read(files[:1])
    assert values == list(range(7)) and (place["rows"], place["row"]) == (7, 7)
    assert sensors.fresh(files[:1], place) == []
    values, place = read(files, place)
    assert values == [7, 8, 9] and (place["rows"], place["row"]) == (10, 3)
    csv(files[1], range(10, 13), "a", 3)
    assert read(files, place)[0] == [10, 11, 12]


def test_a_place_within_a_file(tmp_path):
    files = [csv(tmp_path / "a.csv", range(7))]
    pieces = sensors.pieces(files, sensors.START, ["a", "b"], [], 2)
    place = [next(pieces)[1] for _ in range(2)][-1]
    assert place["bytes"] == 0 and read(files, place)[0] == [4, 5, 6]


@pytest.mark.parametrize("values, reason", [
    ([9, 1, 2, 3, 4], "its first row has changed"), ([0, 1], "has 2 rows, fewer than the 3"),
    ([], "holds no rows")])
def test_a_log_that_is_another_than_before_is_refused(tmp_path, values, reason):
    files = [csv(tmp_path / "a.csv", range(3))]
    place = read(files)[1]
    csv(files[0], values)
    with pytest.raises(UserError, match=reason):
        read(files, place)


def test_a_file_that_is_gone_is_refused(tmp_path):
    place = read([csv(tmp_path / "a.csv", range(3))])[1]
    with pytest.raises(UserError, match="a.csv was read before and is gone"):
        sensors.fresh([str(tmp_path / "b.csv")], place)
