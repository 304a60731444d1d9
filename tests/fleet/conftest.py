"""A fleet with what `detect` says of each of its sensors."""
import pytest


@pytest.fixture(scope="session")
def plant(tmp_path_factory):
    """(folder of logs, {sensor: what detect prints}, the tables of a run in one process)."""
    import fleets
    import fleet
    from kit.fleet import sensors

    base = tmp_path_factory.mktemp("plant")
    folder = fleets.logs(base / "logs", 12, 2600)
    assert fleet.main(fleets.score(folder, base / "out", "--workers", "0")) == 0
    printed = {name: fleets.detected(files[0]) for name, files in sensors.find(folder).items()}
    assert sum(text.count("\n") for text in printed.values()) > 8 * len(printed)
    return folder, printed, fleets.tables(base / "out")
