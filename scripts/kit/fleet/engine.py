"""A group of sensors through one model in lock step: what a worker does in one task.

The state of a sensor is one value, a dict of plain values and arrays (kit.detection.memory writes
it): what the model carried, the scorer, the time axis, an alarm that lasts, and the place in the
log. `Sensor.take` and `Sensor.judge` turn rows into events with it and know nothing of files or of
Dask, so that an operator of a streaming engine can hold it, too.
"""
import contextlib
import functools

import numpy as np

from kit.base.cli import UserError
from kit.detection.fitted import fitted_with, read_detector
from kit.detection.scores import as_arrays
from kit.detection.stream import StreamDetector, Watch, stem
from kit.fleet import kernels, sensors
from kit.fleet.batch import Batch, Slot
from kit.record.timeline import Timeline
from kit.record.windows import read_scaler

ROWS = 1024  # of each sensor in a round: what is at hand stays in the cache
PEAK_SAMPLES = 64  # of which the highest score is kept for a picture


class Shared:
    """What the sensors of one model share in a process."""

    def __init__(self, model, detector, scaler):
        self.batch = Batch(model)
        self.scaler = read_scaler(scaler)
        self.fitted = as_arrays(read_detector(
            detector, stem(model), len(self.scaler.channels), fitted_with(model, self.scaler)))
        scorer, rng = kernels.scorer_of(self.fitted), np.random.Generator(np.random.PCG64(0))
        self.compiled = isinstance(scorer, kernels.CompiledScorer) and kernels.check(
            scorer, self.scaler, rng)  # else, on this CPU, the slow one

    def scorer(self):
        return kernels.scorer_of(self.fitted) if self.compiled else kernels.Scorer(self.fitted)

    def prepared(self, values, before):
        """Samples of values (n, C) in standard deviations, and what the model is to see of them."""
        if self.compiled:
            return kernels.prepared(values, self.scaler.mean, self.scaler.std, before)
        return kernels.plainly(self.scaler, values, before)


@functools.lru_cache(maxsize=4)
def shared(*files):
    """The Shared of (model, detector, scaler): an interpreter is made once per process."""
    return Shared(*files)


class Sensor:
    """One sensor of a group.

    state : as `state` gave it, None at the beginning
    events : [[event, start, end, time, peak score, evidence], ...] since the start of the process
    """

    def __init__(self, name, common, state=None):
        self.name, self._common = name, common
        self.slot, self._scorer = Slot(common.batch), common.scorer()
        self.detector = StreamDetector(self.slot, common.scaler, common.fitted, self._scorer)
        self.timeline = Timeline(common.fitted["interval_s"], common.fitted["warm_up_samples"])
        self.watch = Watch(self.detector, self._note, True, None)
        self.place, self._block = sensors.START, None
        if state is not None:
            self.state = state
        self.begin()

    def begin(self):
        """A new partition: what is counted is counted anew."""
        self.events, self.peaks, self.first_row = [], [], self.place["rows"]
        self.samples = self.missing = 0

    @property
    def state(self):
        return {"detector": self.detector.state, "timeline": self.timeline.state,
                "watch": self.watch.state, "place": self.place}

    @state.setter
    def state(self, state):
        for name in ("detector", "timeline", "watch"):
            getattr(self, name).state = state[name]
        self.place = dict(state["place"])

    @property
    def drift(self):
        """Decades that the residuals of lately lie above those of normal days."""
        lately = self._scorer.state.get("lately")
        return None if lately is None else float(lately - self._common.fitted["residual"]["usual"])

    def take(self, block):
        """(what the model is to see of a Block of rows (n, C), rows on which a session begins)."""
        last, nothing = self.detector.state["held"], np.zeros(block.values.shape[1], np.float32)
        session, self._stretches, begins, n = self.watch.state["session"], [], [], 0
        for stretch in self.timeline.spaced(block):
            if stretch.session != session:
                session, last = stretch.session, nothing
                begins.append(n)
            samples, filled = self._common.prepared(stretch.values, last)
            last = filled[-1]
            self._stretches.append((stretch, samples, filled))
            n += len(filled)
        return np.concatenate([filled for _, _, filled in self._stretches]), begins

    def judge(self, outputs):
        """Score what `take` took; outputs (n, C) : what the model forecasts after each sample."""
        start = 0
        for stretch, samples, filled in self._stretches:
            self._block = stretch
            self.watch.enter(stretch)
            scores = self.detector.scored(samples, filled, outputs[start:start + len(filled)])
            self.watch.judge(stretch, scores)
            self.peaks.append(np.maximum.reduceat(scores, np.arange(0, len(scores), PEAK_SAMPLES)))
            self.samples += len(scores)
            self.missing += int(np.isnan(samples).sum())
            start += len(filled)

    def _note(self, values):
        """Keep an event; the evidence is what said most when the alarm began."""
        at = values[1] - self._block.row
        known = values[0] == "begin" and hasattr(self._scorer, "evidence")
        self.events.append(values + [kernels.ASPECTS[self._scorer.evidence[at]] if known else None])

    def row(self):
        """What is known of the partition, as a dict."""
        return {"sensor": self.name, "first_row": self.first_row, "rows": self.place["rows"],
                "file": self.place["file"], "bytes": self.place["bytes"], "samples": self.samples,
                "missing": self.missing, "drift": self.drift, "last_sample": self.watch.state["n"],
                "peaks": np.concatenate(self.peaks).astype(np.float32) if self.peaks else []}


def score(group, common, ignored, failures, limit=None):
    """Yield {name: Sensor} of those that got rows, at the end of each partition.

    group : [(name, files, state or None), ...]: as wide is the model
    failures : dict to put {name: why} of each sensor that cannot go on into
    limit : rows of a sensor in a partition, a multiple of ROWS; None for all
    """
    active, grown, taken = [], {}, 0
    for name, files, state in group:
        with noted(name, failures):
            sensor = Sensor(name, common, state)
            if not files:
                raise UserError("no log in the folder of the sensor")
            active.append((sensor, sensors.pieces(
                files, sensor.place, common.scaler.channels, ignored, ROWS)))
    while active:
        here = []
        for sensor, rows in active:
            with noted(sensor.name, failures):
                piece = next(rows, None)
                if piece is not None:
                    block, place, sensor.watch.timed = piece
                    here.append((sensor, rows, place) + sensor.take(block))
        active = []
        if here:
            outputs = common.batch.step(
                [filled for *_, filled, _ in here], [sensor.slot for sensor, *_ in here],
                [begins for *_, begins in here])
            for (sensor, rows, place, _, _), found in zip(here, outputs):
                with noted(sensor.name, failures):
                    sensor.judge(found)
                    sensor.place = place
                    grown[sensor.name] = sensor
                    active.append((sensor, rows))
        taken += ROWS
        if grown and (not active or limit and taken % limit == 0):
            yield {name: sensor for name, sensor in grown.items() if name not in failures}
            for sensor in grown.values():
                sensor.begin()
            grown = {}


@contextlib.contextmanager
def noted(name, failures):
    """A UserError is why this sensor fails, and the others go on."""
    try:
        yield
    except UserError as error:
        failures[name] = str(error)
