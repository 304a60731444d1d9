"""Stretches of a record: runs of what is marked, gaps of what is missing. numpy alone."""
import numpy as np

BLOCK = 1 << 16  # rows in memory at once, of a long record


def blocks(start, stop):
    """Slices of at most BLOCK rows of those from start to stop."""
    return [slice(first, min(first + BLOCK, stop)) for first in range(start, stop, BLOCK)]


def runs(mask):
    """The runs of True as half-open row ranges: int array (k, 2).

    Worked: runs([0, 1, 1, 0, 1]) -> [[1, 3], [4, 5]].
    """
    padded = np.concatenate([[0], np.asarray(mask, bool), [0]]).astype(np.int8)
    return np.flatnonzero(np.diff(padded)).reshape(-1, 2)


def hold_last(samples, before=None):
    """Replace each missing sample by the last one seen in its channel (causal).

    samples : (n, C), NaN where missing; before : (C,) last values seen earlier, default 0, which
    is the mean of a standardised channel. Returns a filled copy (n, C).
    """
    samples = np.asarray(samples)
    if not np.isnan(samples).any():
        return samples.copy()
    filled = np.empty_like(samples, order="C")
    last = np.zeros(samples.shape[1]) if before is None else before
    for rows in blocks(0, len(samples)):
        padded = np.concatenate([[last], samples[rows]]).astype(samples.dtype)  # (1 + n, C)
        seen = np.where(np.isnan(padded), 0, np.arange(len(padded))[:, None])
        filled[rows] = np.take_along_axis(padded, np.maximum.accumulate(seen, axis=0), axis=0)[1:]
        last = filled[rows][-1]
    return filled
