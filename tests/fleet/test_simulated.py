"""A simulated fleet: machines of their own, with faults where faults.csv says, the same again."""
import csv
import os

import numpy as np
import pytest

import fleets  # noqa: F401  skips where its environment is not
import fleet
from kit.fleet import sensors, simulated


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("made"))
    arguments = ["make", "--sensors", "6", "--samples", "12000", "--workers", "0", "--out"]
    fleet.main(arguments + [folder])
    return folder


def test_machines_differ_and_come_again(made):
    logs = sensors.find(os.path.join(made, "logs"))
    assert list(logs) == ["000%d" % number for number in range(6)]
    lengths, gains = set(), set()
    for number in range(6):
        time, values, _ = simulated.machine(12000, 7, number)
        again = simulated.machine(12000, 7, number)[1]
        assert values.tobytes() == again.tobytes()
        lengths.add(len(time))
        gains.add(round(float(np.nanmax(values[:, 0])), 2))
    assert len(lengths) == 6 and len(gains) == 6


def test_faults_are_where_the_table_says(made):
    with open(os.path.join(made, "faults.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and tuple(rows[0]) == simulated.FAULTS
    for row in rows:
        time, _, faults = simulated.machine(12000, 7, int(row["sensor"]))
        assert [row[name] for name in simulated.FAULTS[1:]] in faults
        assert str(time[0]) <= row["start_time"] <= row["end_time"]
