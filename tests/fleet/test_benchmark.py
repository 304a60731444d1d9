"""The bench reads what a run of score says that it cost, and finds the alarms of detect in it."""
import os

import pytest

import fleets  # first: it skips where its environment is not
import fleet
from conftest import ROOT
from fleets import FILES, built
from kit.fleet import benchmark, sensors


def test_the_cost_of_a_run_is_read():
    found = benchmark.COST.search(fleet.COST % (1000, 2.0, 1.5, 3.25, 340)).groups()
    assert found == ("1000", "2.0", "1.5", "3.25", "340")


@built
@pytest.mark.slow
def test_a_table_with_the_sensors_that_have_other_lines(plant, tmp_path, monkeypatch):
    logs = dict(list(sensors.find(plant[0]).items())[:3])
    bench = benchmark.Bench(fleets.command(), str(tmp_path), logs, FILES)
    bench.detect(os.path.join(ROOT, "scripts"), {name: files[0] for name, files in logs.items()})
    assert bench.printed == {name: plant[1][name] for name in logs}
    bench.printed["000"] += "\n"
    assert bench.run("one", list(logs), "--workers", "0").split()[-1] == "1"
    assert bench.detect_line().split()[-5] == "3"
