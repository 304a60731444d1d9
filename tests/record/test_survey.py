"""What a log's readings look like as they pass: missing shares, suspected sentinels."""
import numpy as np
import pytest

from kit.record.logs import Block
from kit.record.survey import Survey


def surveyed(channels, values, cut):
    """The Survey of values (n, C) that pass in blocks of `cut` rows."""
    survey = Survey(channels)
    blocks = [Block("plant.csv", at + 1, None, values[at:at + cut], None)
              for at in range(0, len(values), cut)]
    assert list(survey.watch(iter(blocks))) == blocks, "they are passed on"
    return survey


@pytest.mark.parametrize("cut", [1, 300, 1000])
def test_sentinels_are_suspected_where_they_are_far_from_all_else(cut):
    rng = np.random.Generator(np.random.PCG64(3))
    values = np.stack([rng.normal(20, 2, 1000), rng.normal(0, 5000, 1000), rng.normal(0, 1, 1000),
                       rng.normal(50, 1, 1000)], 1)
    values[[40, 41, 700], 0] = -9999
    values[5, 1] = -9999  # among readings as large
    values[7, 2] = 0
    values[300:305, 3] = 0
    values[9, 3] = np.nan
    survey = surveyed(["a", "b", "c", "d"], values, cut)
    assert survey.suspects() == [("a", -9999.0, 3, "plant.csv", 41), ("d", 0.0, 5, "plant.csv", 301)]
    assert survey.missing_shares() == {"d": pytest.approx(0.001)}
    said = survey.sentences()
    assert said[0] == "missing readings: d 0.1 %"
    assert "a is -9999 in 3 rows, first in row 41 of plant.csv" in said[1]
    assert said[1].endswith("set generate.log.missing: [-9999]")
    assert said[2].endswith("set generate.log.missing: [{d: 0}]")


@pytest.mark.parametrize("rows, share, suspected", [
    (1000, 0.4, True), (1000, 0.6, False),  # what is more frequent is the reading itself
    (99, 0.1, False), (100, 0.1, True)])  # a range can be spoken of
def test_a_sentinel_is_a_minority_in_a_range_that_is_known(rows, share, suspected):
    values = np.linspace(20, 30, rows)[:, None]
    values[:int(rows * share)] = -9999
    assert bool(surveyed(["a"], values, 1000).suspects()) == suspected


def test_a_log_without_anything_odd_leaves_nothing_to_say():
    assert surveyed(["a"], np.linspace(0, 1, 500)[:, None], 100).sentences() == []
