"""Whether two computations of one detector decide alike: alarms the same, gained and lost."""
import numpy as np

from kit.detection.scores import Scorer
from kit.record.stretches import runs


def scored(detector, samples, outputs):
    """Scores (n,) of samples (n, C) from the model's outputs; the first ones are its warm-up.

    outputs : (m, C) forecasts of the last m samples
    """
    forecasts = np.full((len(samples), outputs.shape[-1]), np.nan, np.float32)
    forecasts[len(samples) - len(outputs):] = outputs
    return Scorer(detector).update(samples, forecasts)


def changes(alarms, reference):
    """{"alarms_same", "alarms_gained", "alarms_lost"} of flags (n,) against reference flags (n,).

    An alarm is a run of flags. One of the reference is the same when a run overlaps it, else lost;
    a run that overlaps none is gained.
    """
    same = _overlapping(reference, alarms)
    return {"alarms_same": int(same.sum()),
            "alarms_gained": int((~_overlapping(alarms, reference)).sum()),
            "alarms_lost": int((~same).sum())}


def _overlapping(flags, others):
    """For each run of flags, whether any of the others is set in it."""
    before = np.concatenate([[0], np.cumsum(others)])
    return np.array([before[end] > before[start] for start, end in runs(flags)], bool)


def margin(scores, threshold):
    """The smallest distance of a score from the threshold; None without a score."""
    known = np.asarray(scores)[~np.isnan(scores)]
    return float(np.abs(known - threshold).min()) if known.size else None
