"""detector_test.c: a stretch of a record with what the pipeline decided, to replay on a device."""
import zlib
from typing import NamedTuple

import numpy as np

from kit.detection.stream import StreamDetector
from kit.firmware import pieces
from kit.record.stretches import runs

MOST_ROWS = 250
BEFORE, AFTER = 20, 15  # rows round the alarm that is shown
MISSING_EVERY = 41  # cells


class Heard:
    """A model that remembers its last forecast."""

    def __init__(self, model):
        self._model, self.forecast, self.reset = model, None, model.reset

    def stream(self, samples):
        outputs = self._model.stream(samples)
        self.forecast = outputs[-1]
        return outputs


class Golden(NamedTuple):
    """What is put in, and what must come out."""

    rows: np.ndarray  # (n, C) float32 in the channels' units, NaN where missing
    gaps: dict  # row -> samples lost before it; None is a reset
    scores: np.ndarray  # (n,) float64, decades
    alarms: np.ndarray  # (n,) bool
    forecasts: np.ndarray  # (n, C) float32: after each row, of the next


def golden(values, model, scaler, detector):
    """A Golden of the first alarm of a record (n, C) in its units: gaps and a reset after it."""
    window = detector["warm_up_samples"]
    scores = StreamDetector(model, scaler, detector).update(values)
    alarms = runs(scores >= detector["threshold"])
    begin, end = next(((a, b) for a, b in alarms if a > window + BEFORE), (window + BEFORE, 0))
    first = max(begin - window - BEFORE, 0)
    chosen = values[first:min(max(end, begin) + AFTER, first + MOST_ROWS)].astype(np.float32)
    chosen.reshape(-1)[MISSING_EVERY::MISSING_EVERY] = np.nan
    more = values[:2 * window + 3 * AFTER].astype(np.float32)
    n = len(chosen)
    gaps = {n: 3, n + AFTER: window + 1, n + AFTER + window + AFTER: None}
    return played(np.concatenate([chosen, more]), gaps, model, scaler, detector)


def played(rows, gaps, model, scaler, detector):
    """The Golden of rows: what StreamDetector says of them."""
    bounds = [0] + sorted(gaps) + [len(rows)]
    heard, watch, scores, forecasts = Heard(model), None, [], []
    for start, stop in zip(bounds, bounds[1:]):
        lost = gaps.get(start)
        if watch is None or lost is None or lost > detector["warm_up_samples"]:
            watch = StreamDetector(heard, scaler, detector)
        else:
            watch.update(np.full((lost, rows.shape[1]), np.nan))
        for row in rows[start:stop]:
            scores.append(watch.update(row[None].astype(float))[0])
            forecasts.append(heard.forecast.ravel())
    scores = np.array(scores)
    return Golden(rows, gaps, scores, scores >= detector["threshold"], np.array(forecasts))


def crc(found, exact):
    """CRC-32 of the alarms, one byte each, after each the forecast's bits where these are exact."""
    value = 0
    for alarm, forecast in zip(found.alarms, found.forecasts):
        value = zlib.crc32(bytes([alarm]), value)
        if exact:
            value = zlib.crc32(forecast.astype("<f4").tobytes(), value)
    return value


def source(found, exact, title):
    """The text of detector_test.c, with NAME_ for the detector's name."""
    events = ["    {%d, %s}," % (row, "NAME_RESET" if lost is None else "%du" % lost)
              for row, lost in sorted(found.gaps.items())]
    rows = ["    {{%s}, %s, %d}," % (", ".join(map(number, row)), number(score), alarm)
            for row, score, alarm in zip(found.rows, found.scores, found.alarms)]
    return (pieces.text("test.c").replace("@TITLE@", title).replace("@EVENTS@", "\n".join(events))
            .replace("@ROWS@", "\n".join(rows)).replace("@CRC@", "0x%08xu" % crc(found, exact))
            .replace("@EXACT@", str(int(exact))))


def number(value):
    """A float32 as C; a missing one is beyond what a sensor can say."""
    if np.isnan(value):
        return "NONE"
    text = "%.9g" % np.float32(value)
    return (text if "." in text or "e" in text else text + ".0") + "f"
