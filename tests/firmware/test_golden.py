"""A stretch of a record with what the pipeline decided of it, and the self-test in C that replays it."""
import zlib

import numpy as np
import pytest

import machines
from kit.detection.stream import StreamDetector
from kit.firmware import golden, pieces
from machines import GCC, NAME, WARM_UP, WARNINGS, machine, needs, record, run


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_self_test_says_0_and_names_the_row_of_a_change(dtype, tmp_path):
    needs("gcc")
    probe, values = machine("lstm", dtype), record(3)
    found = golden.golden(values, probe.model(), probe.scaler, probe.detector)
    assert found.alarms.any() and len(found.gaps) == 3
    text = golden.source(found, dtype != "float32", "A probe")

    def ended(change=None):
        scores = found.scores.copy()
        if change is not None:
            scores[change] += 0.01
        changed = golden.source(found._replace(scores=scores), dtype != "float32", "A probe")
        machines.write(tmp_path, "probe_test.c", pieces.named(changed, NAME))
        machines.write(tmp_path, "main.c", '#include "probe.h"\n#include <stdio.h>\n'
                       "static probe_state s;\nint main(void) { unsigned crc = 0; uint32_t c;"
                       ' printf("%ld", probe_test(&s, &c)); crc = c; return crc == 0; }\n')
        probe.compiled(tmp_path, GCC + WARNINGS, "test", ["probe.c", "probe_test.c", "main.c"])
        return int(run(tmp_path, "./test"))

    assert ended() == 0
    assert ended(7) == 8  # from 1
    assert text.count("},\n") > 100


def found_of(values):
    probe = machine("lstm", "float32")
    return probe, golden.golden(values, probe.model(), probe.scaler, probe.detector)


def test_the_stretch_holds_the_first_alarm_gaps_of_both_lengths_and_a_reset():
    probe, found = found_of(record(3))
    assert found.alarms.any() and not found.alarms[:golden.BEFORE].any()
    lost = [found.gaps[row] for row in sorted(found.gaps)]
    assert lost == [3, WARM_UP + 1, None], "one that is filled, one that begins a session, a reset"
    assert len(found.rows) <= golden.MOST_ROWS + 2 * WARM_UP + 3 * golden.AFTER
    assert np.isnan(found.rows).any() and found.rows.dtype == np.float32


def test_a_gap_is_missing_samples_and_a_long_one_or_a_reset_begins_anew():
    probe = machine("lstm", "float32")
    rows = record(3)[:60].astype(np.float32)
    gaps = {20: WARM_UP, 35: WARM_UP + 1, 48: None}
    found = golden.played(rows, gaps, probe.model(), probe.scaler, probe.detector)
    expected = []
    for part in (np.insert(rows[:35], [20] * WARM_UP, np.nan, 0), rows[35:48], rows[48:]):
        watch = StreamDetector(probe.model(), probe.scaler, probe.detector)
        expected.append(watch.update(part.astype(float)))
    expected[0] = np.delete(expected[0], 20 + np.arange(WARM_UP))
    np.testing.assert_array_equal(found.scores, np.concatenate(expected))
    np.testing.assert_array_equal(found.alarms, found.scores >= probe.detector["threshold"])
    assert found.forecasts.shape == rows.shape


def test_the_checksum_is_of_alarms_and_where_they_are_exact_of_forecasts():
    forecasts = np.float32([[1, 2], [3, 4]])
    found = golden.Golden(None, {}, None, np.array([True, False]), forecasts)
    assert golden.crc(found, False) == zlib.crc32(b"\1\0")
    assert golden.crc(found, True) == zlib.crc32(
        b"\1" + forecasts[0].tobytes() + b"\0" + forecasts[1].tobytes())


@pytest.mark.parametrize("value, text", [
    (np.nan, "NONE"), (1, "1.0f"), (-2.5, "-2.5f"), (1e-10, "1.00000001e-10f"), (0.1, "0.100000001f")])
def test_a_number_is_a_float_of_c(value, text):
    assert golden.number(value) == text
    assert text == "NONE" or np.float32(text[:-1]) == np.float32(value)
