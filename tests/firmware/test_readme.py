"""The README beside the C files: sizes that the compiler confirms, and no gap left in it."""
import re
import subprocess

import numpy as np
import pytest

from kit.firmware import devices, golden, readme
from machines import FACTS, GCC, NAME, machine, needs, write


@pytest.mark.parametrize("dtype, weights, states", [
    ("float32", 4 * (8 * 20 + 20 + 5 * 3 + 3), 4 * 10),
    ("int8", 8 * 20 + 5 * 3 + 4 * (20 + 3), 10)])
def test_bytes_of_an_lstm_of_5_units_and_3_channels(dtype, weights, states):
    """A matrix (3 + 5, 4 5) and its bias, then (5, 3) and its bias; h and c."""
    step = machine("lstm", dtype).step
    assert readme.weight_bytes(step) == weights and readme.state_bytes(step) == states


@pytest.mark.parametrize("kind, dtype", [("lstm", "float32"), ("lstm", "int8"), ("gru", "int8"),
                                         ("lstm_odd", "int8")])
def test_the_state_is_as_large_as_the_compiler_makes_it(kind, dtype, tmp_path):
    """With a pointer of 64 bits as of 32: without a hook there is none in it."""
    needs("gcc")
    probe = machine(kind, dtype)
    devices.prepare(str(tmp_path), probe.sources, NAME)
    write(tmp_path, "size.c", '#include "probe.h"\n#include <stdio.h>\n'
          'int main(void) { printf("%d", (int)sizeof(probe_state)); return 0; }\n')
    devices.tool(GCC + ["size.c", "-o", "size"], str(tmp_path))
    said = subprocess.check_output([str(tmp_path / "size")])
    assert readme.struct_bytes(probe.step, probe.detector) == int(said)


def test_the_text_says_what_was_asked():
    probe = machine("lstm", "float32")
    found = golden.Golden(np.zeros((123, 3)), {}, None, None, None)
    text = readme.readme(probe.step, probe.scaler, dict(probe.detector, threshold=2.25, interval_s=60.0),
                         FACTS, found, NAME)
    assert not re.search("@[A-Z]+@|NAME_|CAPS_", text)
    for words in ("A probe", "- nothing", "c0, c1, c2", "123", "2.25", "60", "792"):
        assert words in text, words
