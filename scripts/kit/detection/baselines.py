"""Simple detectors that a model must beat, and floors that any detector must.

Each takes standardised samples (n, C), NaN where missing, and gives a forecast (n, C) or a statistic
(n, 1) for `scores.Scorer`, which then smooths and thresholds it as it does for a model. What is
fitted is fitted on normal data. Missing samples hold the last value.
"""
import functools
from typing import NamedTuple

import numpy as np

from kit.record.stretches import blocks, hold_last
from kit.record.windows import windows_and_next

MOST_FITTED = 1 << 16  # windows that the linear forecaster is fitted on


def rolling_z(samples, window):
    """Largest |z| of each sample against the `window` samples before it, (n, 1)."""
    found = np.full((len(samples), 1), np.nan)
    before = np.zeros((2, 1, samples.shape[1]))  # sums and squares up to the rows before a block
    filled = hold_last(samples)
    for rows in blocks(0, len(filled)):
        block = filled[rows]
        # in float64: float32 loses the variance among the squares of a long record
        sums, squares = (np.concatenate([known[:-1], np.cumsum(
            np.concatenate([known[-1:], values]), axis=0, dtype=float)])
            for known, values in zip(before, (block, block ** 2)))
        before = np.stack([sums[-window - 1:], squares[-window - 1:]])
        mean = (sums[window:-1] - sums[:-window - 1]) / window  # of samples t - window .. t - 1
        variance = (squares[window:-1] - squares[:-window - 1]) / window - mean ** 2
        # a flat stretch has no variance of its own: a hundredth of the channel's is the least
        z = (block[len(block) - len(mean):] - mean) / np.sqrt(np.maximum(variance, 1e-4))
        found[rows.stop - len(mean):rows.stop] = np.abs(z).max(axis=1, keepdims=True)
    return found


def global_max_z(samples):
    """Largest |z| of each sample against the train part, (n, 1)."""
    return np.abs(hold_last(samples)).max(axis=1, keepdims=True)


def fit_pca(train, kept_variance):
    """Principal axes (C, k) that hold this share of the variance of `train`, one less than C.

    All axes would leave no residual, and channels that do not correlate may need all.
    """
    from sklearn.decomposition import PCA

    filled = hold_last(train)
    axes = PCA(n_components=kept_variance, svd_solver="full").fit(filled).components_.T
    return axes[:, :filled.shape[1] - 1]


def pca_residual(samples, axes):
    """Squared distance of each sample to the principal plane, (n, 1)."""
    filled = hold_last(samples)
    return in_blocks(lambda rows: np.square(filled[rows] - filled[rows] @ axes @ axes.T).sum(
        axis=1, keepdims=True), len(filled))


def fit_linear_forecaster(train, window, penalty, bounds=None):
    """Ridge regression from a flattened window to the sample after it, on evenly spread windows.

    bounds : half-open row ranges of the sessions
    """
    from sklearn.linear_model import Ridge

    filled = hold_last(train)
    windows, after = windows_and_next(filled, window, bounds=bounds)
    stride = -(-len(windows) // MOST_FITTED)
    windows, after = windows[::stride], after[::stride]
    return Ridge(alpha=penalty).fit(windows.reshape(len(windows), -1), after)


def linear_forecasts(model, samples, window):
    """Forecast of each sample from the window before it, (n, C), NaN in the first `window`."""
    forecasts = np.full(samples.shape, np.nan)
    if len(samples) <= window:
        return forecasts
    windows, _ = windows_and_next(hold_last(samples), window)
    after = forecasts[window:]
    for rows in blocks(0, len(windows)):
        block = windows[rows]
        after[rows] = model.predict(block.reshape(len(block), -1))
    return forecasts


def in_blocks(function, n):
    """function(rows) of blocks of n rows, as one array."""
    found = None
    for rows in blocks(0, n) or [slice(0, 0)]:
        block = function(rows)
        if found is None:
            found = np.empty((n,) + block.shape[1:], block.dtype)
        found[rows] = block
    return found


def changes(filled, rows):
    """Samples without gaps (n, C) and their first differences, (m, 2 C) of m rows."""
    before = filled[max(rows.start - 1, 0):][:1]
    return np.concatenate([filled[rows], np.diff(filled[rows], axis=0, prepend=before)], axis=1)


def fit_isolation_forest(train, trees, seed):
    """Isolation forest (Liu 2008) on samples and their changes."""
    from sklearn.ensemble import IsolationForest

    filled = hold_last(train)
    known = in_blocks(lambda rows: changes(filled, rows), len(filled))
    return IsolationForest(n_estimators=trees, random_state=seed).fit(known)


def isolation(forest, samples):
    """The forest's anomaly score of each sample, (n, 1)."""
    filled = hold_last(samples)
    return in_blocks(lambda rows: -forest.score_samples(changes(filled, rows))[:, None], len(filled))


def one_liners(samples):
    """Every score that one threshold on one channel can make, as {name: function of a number}.

    value: above, below, away from the mean; `difference`: the same of the first difference. Of C
    channels there are 3 C scores (n,): C above, C below, C away.
    """
    filled = hold_last(samples)
    steps = np.diff(filled, axis=0, prepend=filled[:1])
    return {"channel_threshold": functools.partial(signed, filled),
            "difference_threshold": functools.partial(signed, steps)}


def signed(values, number):
    """Column `number` of values (n, C) above, below and away from zero: (n,)."""
    side, channel = divmod(number, values.shape[1])
    return (np.array, np.negative, np.abs)[side](values[:, channel])


def floors(n_samples, rng):
    """Scores that know nothing about the data, as {name: (n,)}."""
    return {"floor_random": rng.random(n_samples),
            "floor_all": np.ones(n_samples),
            "floor_position": np.arange(n_samples) / n_samples}


class Baseline(NamedTuple):
    """A simple detector: how it is fitted, and what it gives for a part of a record."""

    fit: object  # (train, window, parameters of evaluate, bounds of sessions) -> for `output`
    output: object  # (fitted, part, window) -> forecasts (n, C), or a statistic (n, 1)
    aspects: tuple = ("statistic",)  # of evidence


BASELINES = {
    "linear_forecaster": Baseline(
        lambda train, window, params, bounds: fit_linear_forecaster(
            train, window, params["ridge_penalty"], bounds),
        linear_forecasts, ("residual",)),
    "rolling_z_score": Baseline(
        lambda train, window, params, bounds: None, lambda _, part, window: rolling_z(part, window)),
    "global_max_z": Baseline(
        lambda train, window, params, bounds: None, lambda _, part, window: global_max_z(part)),
    "pca_residual": Baseline(
        lambda train, window, params, bounds: fit_pca(train, params["pca_variance"]),
        lambda axes, part, window: pca_residual(part, axes)),
    "isolation_forest": Baseline(
        lambda train, window, params, bounds: fit_isolation_forest(
            train, params["forest_trees"], params["seed"]),
        lambda forest, part, window: isolation(forest, part)),
}
# In the results each of these is a group of its own; every other detector is a model file.
GROUPS = {"evidence alone": ("residual_alone", "plane_alone", "level_alone", "without_model",
                             "linear_model"),
          "baselines": tuple(BASELINES),
          "one-liners (oracles)": ("channel_threshold", "difference_threshold"),
          "floors": ("floor_random", "floor_all", "floor_position")}
