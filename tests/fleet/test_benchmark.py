"""The bench reads what a run of score says that it cost."""
import fleets  # noqa: F401  first: it skips where its environment is not
import fleet
from kit.fleet import benchmark


def test_the_cost_of_a_run_is_read_and_shown():
    found = benchmark.COST.search(fleet.COST % (1000, 2.0, 3.25, 340)).groups()
    assert found == ("1000", "2.0", "3.25", "340")
    assert benchmark.row("one", 7, tuple(map(float, found))).split() == ["one", "7", "500", "3.25", "340"]
