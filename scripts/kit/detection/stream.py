"""A step model and its scorer over a log as it comes: state carried, memory bounded; numpy."""
import os

import numpy as np

from kit.base.cli import UserError
from kit.detection.scores import Scorer
from kit.record.logs import SESSION
from kit.record.timeline import iso
from kit.record.windows import held
from kit.runtime.interpreter import Model

FIELDS = ["event", "start", "end", "time", "peak_score"]


class StreamDetector:
    """Scores each sample from the model's forecast of it, as evaluate does for the whole record.

    model : interpreter.Model of the step form
    detector : dict of one detector in detectors.json; its first `warm_up_samples` forecasts are
        not used
    scorer : what scores with it, by default kit.detection.scores.Scorer
    """

    def __init__(self, model, scaler, detector, scorer=None):
        self.model, self.scaler = model, scaler
        self.threshold, self._warm_up = detector["threshold"], detector["warm_up_samples"]
        self.scorer = scorer or Scorer(detector)
        self.begin()

    def begin(self):
        """A new session: nothing is known of what was before."""
        channels = len(self.scaler.channels)
        self.model.reset()
        self.scorer.begin()
        self._held = np.zeros(channels, np.float32)
        self._forecast = np.full((1, channels), np.nan, np.float32)  # of the next sample
        self._n = 0  # samples of the session

    @property
    def state(self):
        """All that is remembered from one sample to the next, as plain values and arrays."""
        return {"model": self.model.state, "scorer": dict(self.scorer.state), "held": self._held,
                "forecast": self._forecast, "n": self._n}

    @state.setter
    def state(self, state):
        self.model.state, self.scorer.state = state["model"], state["scorer"]
        self._held, self._forecast = state["held"], state["forecast"]
        self._n = int(state["n"])

    def update(self, values):
        """Scores (n,) in decades of the next n samples (n, C) in their units, NaN where missing."""
        samples = self.scaler.standardise(values)
        filled = held(samples, self._held)
        return self.scored(samples, filled, self.model.stream(filled))

    def scored(self, samples, filled, outputs):
        """Scores (n,) of the next n samples.

        samples : (n, C) in standard deviations, NaN where missing; filled : what the model sees of
        them; outputs : what it forecasts after each
        """
        outputs = np.concatenate([self._forecast, outputs])
        forecasts = outputs[:-1].copy()
        forecasts[:max(self._warm_up - self._n, 0)] = np.nan
        self._held, self._forecast, self._n = filled[-1], outputs[-1:], self._n + len(samples)
        scores = self.scorer.update(samples, forecasts)
        if np.isnan(scores).any():  # which would never be an alarm
            raise UserError("the detector gives no score to sample %d: its numbers are damaged"
                            % (self._n - len(scores) + int(np.isnan(scores).argmax())))
        return scores


class Alarms:
    """Turns flags as they come into alarms that begin and end."""

    def __init__(self):
        self.rows = []  # [start, end or None, peak score]

    def update(self, first, scores, threshold):
        """Yield (event, position in scores, alarm) for each alarm that begins or ends.

        first : row of the first score
        """
        flags = scores >= threshold
        was = self.open is not None
        edges = np.flatnonzero(np.diff(np.concatenate([[was], flags]).astype(np.int8)))
        bounds = np.concatenate([edges, [len(flags)]])
        if was:
            self._raise_peak(scores[:bounds[0]])
        for edge, after in zip(edges, bounds[1:]):
            if flags[edge]:
                self.rows.append([first + int(edge), None, float(scores[edge])])
                yield "begin", edge, list(self.rows[-1])
                self._raise_peak(scores[edge:after])
            else:
                self.rows[-1][1] = first + int(edge)
                yield "end", edge, list(self.rows[-1])

    @property
    def open(self):
        """The alarm that lasts, or None."""
        return self.rows[-1] if self.rows and self.rows[-1][1] is None else None

    def close(self, end):
        """End an alarm that lasts, at sample `end`: [alarm], or none."""
        if self.open is None:
            return []
        self.rows[-1][1] = end
        return [list(self.rows[-1])]

    def _raise_peak(self, scores):
        self.rows[-1][2] = float(np.max(scores, initial=self.rows[-1][2]))


class Watch:
    """Scores samples as they come and writes every change of an alarm.

    detector : StreamDetector; timed : whether the log has times
    envelope : Envelope of channels, score and time in seconds, or None
    """

    def __init__(self, detector, write, timed, envelope):
        self.detector, self.alarms, self.timed = detector, Alarms(), timed
        self.spans = []  # [start, end or None] of every alarm on the axis of the picture
        self._write, self._envelope = write, envelope
        self._n, self._session, self._last = 0, 0, None
        self.changed = False  # since the state was saved

    @property
    def state(self):
        """What is remembered beside the detector."""
        return {"n": self._n, "session": self._session, "alarm": self.alarms.open,
                "last": None if self._last is None else self._last.astype("datetime64[us]")
                .astype(np.int64)}

    @state.setter
    def state(self, state):
        self._n, self._session = int(state["n"]), int(state["session"])
        self._last = None if state["last"] is None else state["last"].astype("datetime64[us]")
        self.alarms = Alarms()
        if state["alarm"] is not None:
            start, end, peak = state["alarm"]
            self.alarms.rows, self.spans = [[int(start), None, float(peak)]], [[None, None]]

    def take(self, block):
        """Score a Block of equally spaced samples."""
        self.enter(block)
        self.judge(block, self.detector.update(block.values))

    def enter(self, block):
        """End what lasts where a Block begins a session."""
        if block.session != self._session:
            self._session = block.session
            for row in self.alarms.close(self._n):
                self._say("end", self._last, row)
            self.detector.begin()

    def judge(self, block, scores):
        """Write every change of an alarm in the scores of a Block."""
        self._n, self._last = block.row + len(scores), block.time[-1:]
        if self._envelope:
            self._envelope.add(block.row, np.column_stack([
                block.values, scores, block.time.astype("datetime64[ms]").astype(float)]))
        for event, at, row in self.alarms.update(block.row, scores, self.detector.threshold):
            self._say(event, block.time[at:at + 1], row)

    def finish(self):
        """Write an alarm that lasts as open."""
        if self.alarms.open:
            start, _, peak = self.alarms.open
            self._say("open", self._last, [start, self._n, peak])

    def _say(self, event, when, row):
        start, end, peak = row
        place = when[0].astype("datetime64[ms]") if self.timed else end if event != "begin" else start
        if event == "begin":
            self.spans.append([place, None])
        else:
            self.spans[-1] = [place if self.spans[-1][0] is None else self.spans[-1][0], place]
        if not self._envelope:  # only a picture needs them all
            del self.alarms.rows[:-1], self.spans[:-1]
        self.changed = True
        self._write([event, start, end, iso(when)[0] if self.timed else None,
                     float("%.6g" % peak)])


class Envelope:
    """Lowest and highest value of each column in stretches of equal length, for a picture.

    However many rows come, LIMIT stretches are kept: they grow by a factor of two.
    """

    LIMIT = 2048

    def __init__(self, columns):
        self.size = 1  # rows in a stretch
        self.low = np.full((self.LIMIT, columns), np.nan)
        self.high = self.low.copy()

    def add(self, first, values):
        """Take values (n, columns) of the rows from `first` on."""
        rows = first + np.arange(len(values))
        while rows[-1] >= self.size * self.LIMIT:
            self.low = self._halved(self.low, np.fmin)
            self.high = self._halved(self.high, np.fmax)
            self.size *= 2
        stretches = rows // self.size
        starts = np.flatnonzero(np.diff(stretches, prepend=-1))
        for kept, take in ((self.low, np.fmin), (self.high, np.fmax)):
            kept[stretches[starts]] = take(
                kept[stretches[starts]], take.reduceat(values, starts, axis=0))

    def _halved(self, kept, take):
        halves = np.full_like(kept, np.nan)
        halves[:self.LIMIT // 2] = take(kept[::2], kept[1::2])
        return halves


def step_model(path):
    """The Model of a step file; UserError with the file's name for any other."""
    try:
        model = Model(path)
    except UserError as error:
        raise UserError(str(error) if path in str(error) else "%s: %s" % (path, error))
    if model.form != "step":
        raise UserError("%s is of the %s form; a stream needs the step form" % (path, model.form))
    return model


def stem(path):
    """models/convert/step_int8.tflite is step_int8, the name of its detector."""
    return os.path.splitext(os.path.basename(path))[0]


def check_channels(log, channels, ignored):
    """UserError naming where a log's channels are not the model's."""
    if log.form.tag_column:
        return
    if log.header[0] in channels and log.form.time == "auto" and not log.form.time_column:
        log.form = log.form._replace(time="none")
    if SESSION in log.header and SESSION not in channels:  # a record as `generate` writes it
        log.form = log.form._replace(sessions=SESSION)
    there = log.channels(ignored)
    lacking = [name for name in channels if name not in there]
    unknown = [name for name in there if name not in channels]
    if lacking or unknown:
        raise UserError("%s does not have the channels that the model was trained on%s%s" % (
            log.name, "; it lacks " + ", ".join(lacking) if lacking else "",
            "; the model does not know %s (--ignore leaves a column out)" % ", ".join(unknown)
            if unknown else ""))
