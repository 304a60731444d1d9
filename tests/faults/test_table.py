"""Each row of docs/reliability.md is a test, and each test of a fault is a row."""
import os
import re

from conftest import ROOT
from faults import test_faults


def test_every_row_is_a_test_and_the_other_way_round():
    with open(os.path.join(ROOT, "docs", "reliability.md")) as file:
        rows = set(re.findall(r"`(test_\w+)`", file.read()))
    assert rows == {name for name in vars(test_faults) if name.startswith("test_")}
