"""Residual -> score -> threshold -> alarms: the detector, which knows neither model nor file.

A score is a surprise in decades: a sample of score s looks at least as odd as one normal sample
in 10**s. What a detector does with a forecast of a sample, from first to last:

1. residual = sample - forecast, per channel, standardised: its spread follows the state of the
   machine (`fit_spread`), because noise grows with a reading and a start-up is hard to forecast;
2. Mahalanobis distance with a shrunk covariance for each operating regime, and each channel's
   residual given those of the others (`fit_regimes`): a fault of one sensor shows there, a change
   that all sensors agree on does not;
3. causal exponential means at several time scales, fast for spikes, slow for drifts, in units
   that keep a channel of rare large residuals, such as a switch, from outshouting the others;
4. each statistic mapped to how rare it is on normal data (`fit_tail`), the rarest one counts, and
   the score fades slowly;
5. a threshold for a wanted rate of false alarms (`fit_threshold`).

Missing samples take no part in 1 to 3, and how many are missing is a statistic of its own in 4.
Scoring needs numpy alone, and a record that is fed in pieces gets the very scores of the whole
record: sums run in a fixed order. Fitting imports scikit-learn where it is used.
"""
import numpy as np

from kit.record.stretches import hold_last, runs

TAIL_SHARE = 0.02  # of the normal samples; beyond it a generalised Pareto tail is fitted
FOLDS = 5  # of the validation part, to see residuals that the fit did not see
COUNT_FADING = 0.875  # per sample, of the count of missing samples
RIDGE = 10.0  # penalty of the spread's weights, in samples
SPREAD_ROUNDS = 3
TINY = 1e-12
EXTREME = 0.001  # share of samples beyond which a feature or a residual is clipped
LIGHT = 4.0  # standard deviations: EXTREME of a light tail stay below, of a Gaussian beyond 3.3
FLOOR = 0.001  # least standard deviation of a residual, in that of its channel: a converter's step
LONGEST_FADE = 10.0  # decades: where a higher score begins to fade, once its cause has gone


# ---- scoring: numpy alone ----------------------------------------------------------------------

class Scorer:
    """Scores samples as they come, any number at a time, with what `fit` learned.

    detector : dict as `fit` returns it or as JSON gives it back
    """

    def __init__(self, detector):
        self.detector = as_arrays(detector)
        self.smoothed = np.zeros(self.detector["norms"].shape)  # (J, C)
        self.missing, self.last, self.score = 0.0, None, 0.0

    def update(self, samples, outputs):
        """Scores (n,) in decades of the next n samples.

        samples : (n, C) in standard deviations, NaN where missing
        outputs : (n, C) forecast of each sample, made before it came; or (n, 1) the statistic of a
        detector that does not forecast, higher is odder. NaN where there is none yet.
        """
        if not len(samples):
            return np.empty(0)
        residual, state, self.last = observe(samples, outputs, self.last, self.detector["forecast"])
        statistics = self.statistics(*standardise(self.detector, residual, state))
        counts, self.missing = missing_counts(np.isnan(samples), self.missing)
        return self.combine(np.concatenate([statistics, counts], axis=1))

    def statistics(self, z, distance):
        """(n, S): the largest of the channels at each time scale, and the distance.

        The channels are compared in units of their own (`channel_units`).

        z : (n, C) residual of each channel given the others; distance : (n,) Mahalanobis, squared
        """
        clipped = np.clip(z, -self.detector["clip"], self.detector["clip"])
        powers = [clipped ** power for power in self.detector["powers"]]  # J of (n, C)
        smooth = self._smooth(np.stack(powers, axis=1)) / self.detector["norms"]
        if not self.detector["forecast"]:
            return np.concatenate([z, smooth[:, :, 0]], axis=1)
        units = channel_units(self.detector["clip"])
        largest = np.abs(smooth / units).max(axis=2)  # (n, J)
        now = np.abs(z / units).max(axis=1)
        return np.concatenate([now[:, None], largest, distance[:, None]], axis=1)

    def _smooth(self, inputs):
        """Exponential means of inputs (n, J, C), each with its own weight; keeps the state."""
        smooth, weights = np.empty(inputs.shape), self.detector["weights"][:, None]
        before = self.smoothed
        for now, fresh in zip(smooth, inputs):
            np.subtract(fresh, before, out=now)
            now *= weights
            now += before
            before = now
        self.smoothed = before.copy()
        return smooth

    def combine(self, statistics):
        """The rarest of the statistics (n, S), fading: (n,)."""
        decades = [surprise(s, tail) for s, tail in zip(statistics.T, self.detector["tails"])]
        rarest, faded = np.max(decades, axis=0), np.empty(len(statistics))
        for t, value in enumerate(rarest):
            self.score = max(value, self.detector["fading"] * min(self.score, LONGEST_FADE))
            faded[t] = self.score
        return faded


def channel_units(extremes):
    """What one unit of each channel is when they are compared: (C,), 1 for a light tail.

    extremes : (C,) standard deviations that a share of EXTREME of the normal residuals exceeds.
    The residuals of a switch are nearly nothing for days and 20 deviations now and then, and the
    largest of all channels would tell of switches alone. Such a channel counts in units of which
    its own extremes are LIGHT.
    """
    return np.maximum(extremes / LIGHT, 1)


def as_arrays(detector):
    """A copy with every list as an array, as JSON knows lists alone."""
    return {key: np.array(value, float) if isinstance(value, list) and key != "tails" else value
            for key, value in detector.items()}


def observe(samples, outputs, last, forecast):
    """What is known of n samples before any fitting: residual, state, and the last held sample.

    Returns the residual (n, C) or the statistic (n, 1), NaN where there is none; the state (n, p)
    of the machine: the forecast, its square and its step, or a zero; and the sample to hold (C,).
    """
    held = hold_last(samples, last)
    if not forecast:
        return np.asarray(outputs, float), np.zeros((len(samples), 1)), held[-1]
    before = np.concatenate([held[:1] if last is None else [last], held[:-1]])
    expected = np.nan_to_num(outputs).astype(float)
    state = [expected, expected ** 2, np.abs(expected - before)]
    residual = np.asarray(samples, float) - outputs
    return residual, np.concatenate(state, axis=1), held[-1]


def standardise(detector, residual, state):
    """Residual of each channel given the others (n, C) with variance 1, squared distance (n,)."""
    scale = np.exp(detector["log_scale"] + product(
        np.clip(state, detector["state_low"], detector["state_high"]), detector["state_weights"]))
    z = (residual - detector["location"]) / scale
    regime = nearest(state[:, :z.shape[1]], detector["centres"])
    z = impute(z, detector["precisions"], regime)
    pulled = sum(z[:, c, None] * detector["precisions"][regime, c] for c in range(z.shape[1]))
    alone = pulled / np.sqrt(np.diagonal(detector["precisions"], axis1=1, axis2=2))[regime]
    return alone, sum((z * pulled).T)


def product(rows, matrix):
    """rows (n, p) times matrix (p, C), summed in the order of p whatever n is."""
    return sum(rows[:, i, None] * matrix[i] for i in range(len(matrix)))


def nearest(points, centres):
    """Index (n,) of the centre (K, C) nearest to each of the points (n, C)."""
    if len(centres) == 1:
        return np.zeros(len(points), int)
    distances = [sum(np.square(points - centre).T) for centre in centres]
    return np.argmin(distances, axis=0)


def impute(z, precisions, regime):
    """Put the expected value given the others where z (n, C) is NaN.

    The squared distance of the filled sample is then that of its observed part alone.
    """
    filled = z.copy()
    for row in np.flatnonzero(np.isnan(z).any(axis=1)):
        gone, precision = np.isnan(z[row]), precisions[regime[row]]
        pull = precision[np.ix_(gone, ~gone)] @ z[row, ~gone]
        filled[row, gone] = -np.linalg.solve(precision[np.ix_(gone, gone)], pull)
    return filled


def missing_counts(missing, before):
    """Recently missing samples (n, 1) of the channel that misses most, and the state.

    missing : (n, C) bool; before : (C,) the state. A run of k counts about k at first, and so does
    a stretch that loses a sample now and then; what is past fades by an eighth per sample. Counted
    in whole eighths, so that one missing sample is one, whatever was long ago.
    """
    counts = np.empty(missing.shape)
    for t, row in enumerate(missing):
        before = before * COUNT_FADING + row
        counts[t] = before
    return np.floor(8 * counts.max(axis=1))[:, None] / 8, before


# ---- tails -------------------------------------------------------------------------------------

def surprise(statistic, tail):
    """Map a statistic (n,) to decades of surprise (n,), continuous and non-decreasing."""
    body = np.interp(statistic, tail["knots"], tail["decades"])
    excess = np.maximum(statistic - tail["knots"][-1], 0)
    return body + pareto_surprise(excess, tail["shape"], tail["scale"])


def fit_tail(statistic):
    """What `surprise` needs to know about a statistic on normal data (n,): a plain dict.

    The body is the empirical survival function at a few knots, the tail a generalised Pareto.
    """
    survival = np.logspace(0, np.log10(TAIL_SHARE), 9)
    knots = np.quantile(statistic, 1 - survival)
    shape, scale = fit_pareto(statistic[statistic > knots[-1]] - knots[-1])
    return {"knots": list(knots), "decades": list(-np.log10(survival)),
            "shape": shape, "scale": scale}


def fit_count_tail(counts):
    """The tail of a count (n,): empirical up to the largest normal one, then linear.

    One more than the largest that n normal samples saw is as rare as 1 in n + 1.
    """
    n, largest = len(counts), counts.max()
    knots = np.unique(np.quantile(counts, 1 - np.logspace(0, -np.log10(n), 9)))
    reached = np.array([np.sum(counts >= knot) for knot in knots])
    rarest = np.log10(n + 1.0)
    return {"knots": list(knots) + [largest + 1],
            "decades": list(rarest - np.log10(reached + 1.0)) + [rarest],
            "shape": 0.0, "scale": (largest + 1) / np.log(n + 1.0)}


def fit_pareto(excesses):
    """Generalised Pareto (shape, scale) of excesses (m,) by probability-weighted moments.

    Hosking & Wallis, Technometrics 1987, section 3. The shape is kept within 0 and 0.5: a bounded
    tail would call everything beyond its end impossible, alike. The mean excess is kept.
    """
    ordered = np.sort(np.asarray(excesses, float))
    if not len(ordered) or ordered.mean() <= 0:
        return 0.0, 1e-9
    ranks = (np.arange(1, len(ordered) + 1) - 0.35) / len(ordered)
    mean, weighted = ordered.mean(), np.mean(ordered * (1 - ranks))
    spread = mean - 2 * weighted
    shape = min(max(2 - mean / spread, 0.0), 0.5) if spread > 0 else 0.0
    return shape, mean * (1 - shape)


def pareto_surprise(excess, shape, scale):
    """-log10 of the probability that a generalised Pareto variable exceeds `excess`."""
    reduced = excess / scale
    return (np.log1p(shape * reduced) / shape if shape > 1e-6 else reduced) / np.log(10)


def pareto_level(probability, shape, scale):
    """The excess that a generalised Pareto variable exceeds with this probability."""
    natural = -np.log(probability)
    return scale * (np.expm1(shape * natural) / shape if shape > 1e-6 else natural)


def fit_threshold(scores, rate):
    """The score that normal data reach in `rate` alarms per sample, an alarm being a run.

    Peaks over threshold with declustering (Coles, Introduction to Statistical Modeling of Extreme
    Values, 2001, section 5.3): the peaks of the runs above a high quantile have a generalised
    Pareto tail, and come as often as there are runs.
    """
    base = np.quantile(scores, 1 - TAIL_SHARE)
    peaks = np.array([scores[start:end].max() for start, end in runs(scores > base)])
    if not len(peaks):
        return float(scores.max() + 1e-5 * max(abs(scores.max()), 1))  # survives `rounded`
    shape, scale = fit_pareto(peaks - base)
    probability = min(rate * len(scores) / len(peaks), 1.0)
    return float(base + pareto_level(probability, shape, scale))


# ---- fitting, on normal data -------------------------------------------------------------------

def fit(samples, outputs, centres, options, rate):
    """Learn a detector from a normal record: (detector for `Scorer`, scores of the record).

    samples, outputs : as of `Scorer.update`; rate : wanted false alarms per sample
    centres : (K, C) of `fit_centres`, or None for a statistic in place of forecasts
    options : {"time_constants": samples, "energy_time_constant": samples, "fading": per sample}

    Tails and threshold come from residuals standardised by what the other folds of the record
    taught, since residuals look smaller to a fit that has seen them.
    """
    forecast = centres is not None
    residual, state, _ = observe(samples, outputs, None, forecast)
    centres = centres if forecast else np.zeros((1, 1))
    known = ~np.isnan(residual).all(axis=1)
    z, distance = unseen(residual, state, centres, known)
    detector = dict(fit_residuals(residual[known], state[known], centres), forecast=forecast)
    detector.update(fit_bank(z[known], options, forecast))
    statistics = Scorer(detector).statistics(z, distance)
    counts, _ = missing_counts(np.isnan(samples), 0.0)
    detector["tails"] = [fit_tail(column) for column in statistics[known].T]
    detector["tails"].append(fit_count_tail(counts))
    detector = rounded(detector)
    scores = Scorer(detector).combine(np.concatenate([statistics, counts], axis=1))
    detector["threshold"] = rounded(fit_threshold(scores[known], rate))
    return detector, scores


def unseen(residual, state, centres, known):
    """`standardise` for each fold of the record by a fit to the others."""
    z, distance = np.zeros(residual.shape), np.zeros(len(residual))
    folds = np.arange(len(residual)) * FOLDS // len(residual)
    for fold in range(FOLDS):
        others, rows = known & (folds != fold), folds == fold
        fitted = fit_residuals(residual[others], state[others], centres)
        z[rows], distance[rows] = standardise(fitted, residual[rows], state[rows])
    return z, distance


def fit_residuals(residual, state, centres):
    """The part of a detector that `standardise` needs.

    A regime with too few samples of its own takes the covariance of all regimes.
    """
    fitted = dict(fit_spread(residual, state), centres=centres)
    channels = residual.shape[1]
    scale = np.exp(fitted["log_scale"] + product(
        np.clip(state, fitted["state_low"], fitted["state_high"]), fitted["state_weights"]))
    z = np.nan_to_num((residual - fitted["location"]) / scale)
    floor = np.nan_to_num(np.square(FLOOR / scale), nan=1.0)  # (n, C), of z's variance not in z
    regime = nearest(state[:, :channels], centres)
    own = [regime == k for k in range(len(centres))]
    rows = [mask if mask.sum() >= 10 * channels else slice(None) for mask in own]
    fitted["precisions"] = np.stack([
        shrunk_precision(z[chosen], floor[chosen].mean(axis=0)) for chosen in rows])
    return fitted


def fit_spread(residual, state):
    """Location (C,), and log scale linear in the state: log s = a + state W, by least squares.

    Harvey, Econometrica 1976: regression of log squared residuals, repeated on what it left; the
    level is then set so that the standardised residuals have variance 1. The square of FLOOR is
    part of it: a channel that stood still on normal data may yet move by that much.
    """
    location = np.nanmean(residual, axis=0)
    squares = np.square(residual - location) + np.square(FLOOR)
    low, high = np.quantile(state, [EXTREME, 1 - EXTREME], axis=0)
    clipped = np.clip(state, low, high)
    weights = np.zeros((state.shape[1], residual.shape[1]))
    for _ in range(SPREAD_ROUNDS):
        weights += log_slopes(clipped, squares * np.exp(-2 * product(clipped, weights)))
    left = np.nanmean(squares * np.exp(-2 * product(clipped, weights)), axis=0)
    return {"location": location, "log_scale": 0.5 * np.log(left), "state_weights": weights,
            "state_low": low, "state_high": high}


def log_slopes(state, squares):
    """Ridge weights (p, C) of half the log of squares (n, C) on the state (n, p).

    A hundredth of the mean is added to the squares: the log of one near zero says nothing.
    """
    mean, spread = state.mean(axis=0), state.std(axis=0) + TINY
    features = (state - mean) / spread
    target = 0.5 * np.log(squares + 0.01 * np.nanmean(squares, axis=0) + TINY)
    target = np.nan_to_num(target - np.nanmean(target, axis=0))
    gram = features.T @ features + RIDGE * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ target) / spread[:, None]


def fit_centres(samples, regimes):
    """Centres (K, C) of the operating regimes: k-means of the samples (n, C) without gaps.

    One set for every detector: the regimes are the machine's, not the model's.
    """
    from sklearn.cluster import KMeans

    return KMeans(regimes, n_init=4, random_state=0).fit(samples).cluster_centers_


def shrunk_precision(z, floor):
    """Inverse of the covariance of z (n, C), shrunk (Ledoit & Wolf 2004), plus variances (C,)."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(z)
    return np.linalg.inv(covariance + np.diag(floor))


def fit_bank(z, options, forecast):
    """The part of a detector that smooths: J exponential means of z or z**2, and their scales."""
    slow = options["time_constants"]
    constants = slow + [options["energy_time_constant"]] * forecast
    detector = {
        "forecast": forecast, "fading": options["fading"],
        "powers": np.array([1.0] * len(slow) + [2.0] * forecast),
        "weights": 2 / (np.array(constants, float) + 1),
        "clip": np.quantile(np.abs(z), 1 - EXTREME, axis=0),
        "norms": np.ones((len(constants), z.shape[1])),
    }
    smooth = Scorer(detector)._smooth(np.stack(
        [np.clip(z, -detector["clip"], detector["clip"]) ** p for p in detector["powers"]], axis=1))
    detector["norms"] = np.maximum(np.sqrt(np.mean(np.square(smooth), axis=0)), FLOOR)
    return detector


def rounded(value, digits=7):
    """Arrays and floats as lists and floats of so many significant digits, ready for JSON."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [rounded(item, digits) for item in value]
    if isinstance(value, (float, np.floating)):
        return float("%.*g" % (digits, value))
    return value
