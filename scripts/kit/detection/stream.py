"""A step model and its scorer over a log as it comes: state carried, memory bounded; numpy."""
import numpy as np

from kit.base.cli import UserError
from kit.detection.scores import Scorer
from kit.record.windows import held


class StreamDetector:
    """Scores each sample from the model's forecast of it, as evaluate does for the whole record.

    model : interpreter.Model of the step form
    detector : dict of one detector in detectors.json; its first `warm_up_samples` forecasts are
        not used
    """

    def __init__(self, model, scaler, detector):
        self.model, self.scaler = model, scaler
        self.threshold, self._warm_up = detector["threshold"], detector["warm_up_samples"]
        self._detector = detector
        self.begin()

    def begin(self):
        """A new session: nothing is known of what was before."""
        channels = len(self.scaler.channels)
        self.model.reset()
        self.scorer = Scorer(self._detector)
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
        outputs = np.concatenate([self._forecast, self.model.stream(filled)])
        forecasts = outputs[:-1].copy()
        forecasts[:max(self._warm_up - self._n, 0)] = np.nan
        self._held, self._forecast, self._n = filled[-1], outputs[-1:], self._n + len(values)
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
