"""Sample and forecast -> score: what runs for each sample, on a device too. numpy alone.

A score is a surprise in decades: a sample of score s looks at least as odd as one normal sample
in 10**s. Evidence of several aspects goes into it, each a stream of statistics:

residual : what the model did not forecast. Residuals are standardised by a spread that follows the
    state of the machine, and per operating regime each is seen given the others. Statistics are
    the largest of the channels now and in causal exponential means, in units that keep a channel
    of rare large residuals, such as a switch, from outshouting the others, and the Mahalanobis
    distance.
plane, level : how far the sample is from the principal plane, and from where normal samples lie
    (Mahalanobis): a lasting shift shows there, when the forecaster has long followed it. Statistics
    are exponential means of the distance's logarithm over a ladder of time scales.
statistic : of a simple detector that has one number per sample, over the same ladder.
missing : how many samples were lost recently.

Each statistic is mapped to how rare it is on normal data (`surprise`), MOST decades at most. The
rarest of the residual's, without what it has been lately (`news`), and the mean of those over
ladders are two pieces of evidence, which `joined` makes one; the rarer of that and of what is
missing counts, and fades slowly.

`fitting` learns the numbers. A record that is fed in pieces gets the very scores of the whole, as
sums run in a fixed order.
"""
import functools

import numpy as np

from kit.record.stretches import hold_last

LADDERS = ("plane", "level", "statistic")  # aspects that are one number per sample
COUNT_FADING = 0.875  # per sample, of the count of missing samples
FORGOTTEN = 1e-30  # a count below counts nothing: it would end as a number that CPUs are slow with
FADED = 600  # samples after which any count is forgotten
LEAST_DISTANCE = 0.01  # of the mean normal distance: nearer than this is alike
LIGHT = 4.0  # standard deviations: a thousandth of a light tail, a Gaussian's is beyond 3.3
MOST = 10.0  # decades that one statistic may say: what is beyond any record is odd, no more
SHARED = 2.0  # decades of an aspect beyond which it adds to the others


class Scorer:
    """Scores samples as they come, any number at a time, with what `fitting.fit` learned.

    detector : dict as `fitting.fit` returns it or as JSON gives it back
    state : dict of arrays, all that is remembered from one sample to the next; a copy of it in
        place of it goes on from there
    """

    def __init__(self, detector):
        self.detector = as_arrays(detector)
        self.begin()

    def begin(self):
        """A new session: nothing is known of what was before."""
        self.state = first_state(self.detector)

    def update(self, samples, outputs=None):
        """Scores (n,) in decades of the next n samples.

        samples : (n, C) in standard deviations, NaN where missing
        outputs : (n, C) forecast of each sample, made before it came; or (n, 1) the statistic of a
        detector that does not forecast, higher is odder. NaN where there is none yet. None where
        no aspect needs it.
        """
        if not len(samples):
            return np.empty(0)
        statistics, state = observe(self.detector, samples, outputs, self.state)
        scores, self.state = fused(self.detector, evidence(self.detector, statistics), state)
        return scores


def as_arrays(detector):
    """A copy with every list of numbers as an array, as JSON knows lists alone."""
    if isinstance(detector, dict):
        return {key: as_arrays(value) for key, value in detector.items()}
    if isinstance(detector, list) and any(isinstance(item, dict) for item in detector):
        return [as_arrays(item) for item in detector]
    if isinstance(detector, int) and abs(detector) >= 1 << 63:  # no whole number of numpy's
        return float(detector)
    return np.array(detector, float) if isinstance(detector, list) else detector


def first_state(detector):
    """What is known before the first sample: dict of arrays."""
    channels = int(detector["channels"])
    state = {"last": np.full(channels, np.nan), "missing": np.zeros(channels), "score": np.zeros(())}
    if "residual" in detector:
        state["residual"] = np.zeros(detector["residual"]["norms"].shape)  # (J, C)
        state["lately"] = np.array(detector["residual"]["usual"], float)  # ()
    for aspect in LADDERS:
        if aspect in detector:
            state[aspect] = np.full(detector["weights"].shape, detector[aspect]["usual"])  # (S,)
    return state


def observe(detector, samples, outputs, state):
    """({aspect: statistics (n, S) of n samples}, the state after them), for `Scorer.update`'s data."""
    held = hold_last(samples, np.nan_to_num(state["last"])).astype(float)
    found, after, smoothed = {}, dict(state, last=held[-1]), {}
    if "residual" in detector:
        fitted = detector["residual"]
        residual, machine = residuals(samples, outputs, held, state["last"])
        z, distance = standardise(fitted, residual, machine)
        smoothed["residual"] = powers(fitted, z), fitted["weights"][:, None]
    for aspect in LADDERS:
        if aspect in detector:
            numbers = (usual_where_missing(outputs[:, 0], detector[aspect]["usual"])
                       if aspect == "statistic" else log_distance(held, detector[aspect]["matrix"]))
            smoothed[aspect] = numbers[:, None], detector["weights"]
    for aspect, smooth in means_together(smoothed, state).items():
        found[aspect], after[aspect] = smooth, smooth[-1]
    if "residual" in detector:
        found["residual"] = largest(fitted, z, distance, found["residual"])
    found["missing"], after["missing"] = missing_counts(np.isnan(samples), state["missing"])
    return found, after


def evidence(detector, statistics):
    """{"residual", "places", "missing"}: decades (n,) that the statistics {aspect: (n, S)} say.

    Those of them that there are statistics for.
    """
    decades = {aspect: [np.minimum(surprise(column, tail), MOST)
                      for column, tail in zip(found.T, detector[aspect]["tails"])]
               for aspect, found in statistics.items()}
    found = {"missing": decades["missing"][0]} if "missing" in decades else {}
    places = [column for aspect in LADDERS for column in decades.get(aspect, [])]
    if places:
        found["places"] = sum(places) / len(places)
    if "residual" in decades:
        found["residual"] = np.max(decades["residual"], axis=0)
    return found


def fused(detector, found, state):
    """(scores (n,), the state after them) of what `evidence` found."""
    after = dict(state)
    if "residual" in found:
        fitted = detector["residual"]
        found = dict(found)
        found["residual"], after["lately"] = news(
            found["residual"], fitted["usual"], fitted["lately_weight"], state["lately"])
    pieces = [found[key] for key in ("residual", "places") if key in found]
    scores, after["score"] = faded(
        np.maximum(joined(pieces), found["missing"]), detector["fading"], state["score"])
    return scores, after


def news(decades, usual, weight, before):
    """Decades (n,) less what they have been lately above the usual; their exponential mean.

    A residual that stays odd is a machine that is no longer the one of the train part: it counts
    the less, the longer it lasts, and what lasts shows in plane and level.

    Worked: decades 4 4, usually 1, weight 1/2 and a mean of 1 before: 4 and 4 - 1.5.
    """
    lately, mean = [], float(before)
    for fresh in decades.tolist():
        mean = (fresh - mean) * weight + mean
        lately.append(mean)
    lately = np.array(lately)
    known = np.concatenate([np.reshape(before, 1), lately[:-1]])
    return np.maximum(decades - np.maximum(known - usual, 0), 0), np.array(lately[-1])


def joined(evidence):
    """Decades (n,) of several pieces of evidence, a list of (n,): the rarest, and what others add.

    What each says beyond SHARED decades adds up, as in Fisher's method (Statistical Methods for
    Research Workers, 1932, section 21.1), where all of it would: the noise of one would drown
    another.

    Worked: 1 and .5 make 1; 5 and 1 make 5; 5 and 3 make 2 + 3 + 1 = 6.
    """
    return np.minimum(np.max(evidence, axis=0), SHARED) + sum(
        np.maximum(decades - SHARED, 0) for decades in evidence)


def faded(decades, fading, before):
    """The score (n,): decades (n,) that fade by a share per sample, MOST at the most; the last."""
    scores, before = [], float(before)
    for value in decades.tolist():  # plain floats: four times as fast as numpy's
        kept = fading * (before if before < MOST else MOST)
        before = kept if kept > value else value
        scores.append(before)
    return np.array(scores), np.array(before)


# ---- residuals ---------------------------------------------------------------------------------

def residuals(samples, outputs, held, last):
    """Residual (n, C), NaN where there is none, and the state (n, 3 C) of the machine.

    The state is the forecast, its square and its step from the sample before.

    held : (n, C) samples with the last value where one is missing; last : (C,) that before them,
    NaN at the beginning of a session
    """
    before = np.concatenate([np.where(np.isnan(last), held[0], last)[None], held[:-1]])
    expected = np.nan_to_num(outputs).astype(float)
    state = [expected, expected ** 2, np.abs(expected - before)]
    return np.asarray(samples, float) - outputs, np.concatenate(state, axis=1)


def standardise(detector, residual, state):
    """Residual of each channel given the others (n, C) with variance 1, squared distance (n,)."""
    scale = np.exp(detector["log_scale"] + product(
        np.clip(state, detector["state_low"], detector["state_high"]), detector["state_weights"]))
    z = (residual - detector["location"]) / scale
    regime = nearest(state[:, :z.shape[1]], detector["centres"])
    z = impute(z, detector["inverse_covariances"], regime)
    inverse, columns = detector["inverse_covariances"], np.ascontiguousarray(z.T)
    pulled = sum(column * inverse[:, c].T[:, regime] for c, column in enumerate(columns))  # (C, n)
    spread = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))
    return np.ascontiguousarray((pulled / spread.T[:, regime]).T), sum(columns * pulled)


def product(rows, matrix):
    """rows (n, p) times matrix (p, C), summed in the order of p whatever n is."""
    total = np.zeros((matrix.shape[1], len(rows)))  # numpy's loops over n are faster than those over C
    term = np.empty(total.shape)
    for column, weights in zip(np.ascontiguousarray(rows.T), matrix):
        total += np.multiply(column, weights[:, None], out=term)
    return np.ascontiguousarray(total.T)


def nearest(points, centres):
    """Index (n,) of the centre (K, C) nearest to each of the points (n, C)."""
    if len(centres) == 1:
        return np.zeros(len(points), int)
    columns = np.ascontiguousarray(points.T)
    distances = [sum(np.square(columns - centre[:, None])) for centre in centres]
    return np.argmin(distances, axis=0)


def impute(z, inverse_covariances, regime):
    """Put the expected value given the others where z (n, C) is NaN.

    The squared distance of the filled sample is then that of its observed part alone.
    """
    filled, missing = z.copy(), np.isnan(z)
    rows = np.unique(np.nonzero(missing)[0])
    whole = missing[rows].all(axis=1)
    filled[rows[whole]] = 0
    for row in rows[~whole]:
        inverse = inverse_covariances[regime[row]]
        gone, seen = np.flatnonzero(missing[row]), np.flatnonzero(~missing[row])
        pull, own = inverse[gone[:, None], seen] @ z[row, seen], inverse[gone[:, None], gone]
        # LAPACK's solution of one equation is the quotient, which takes a fifth of its time.
        filled[row, gone] = -(pull / own[0] if len(gone) == 1 else np.linalg.solve(own, pull))
    return filled


def bank(fitted, z, distance, before):
    """(statistics as `largest` has them, the means after) of residuals from the means `before` on."""
    smooth = exponential_means(powers(fitted, z), fitted["weights"][:, None], before)
    return largest(fitted, z, distance, smooth), smooth[-1]


def largest(fitted, z, distance, smooth):
    """Statistics (n, J + 2) of residuals: the largest of the channels now and in J means; distance.

    z : (n, C) residual of each channel given the others; distance : (n,) Mahalanobis, squared
    smooth : (n, J, C) the means
    """
    units = channel_units(fitted["clip"])
    means = np.abs(smooth / fitted["norms"] / units)
    means = functools.reduce(np.maximum, np.moveaxis(means, 2, 0))  # (n, J); faster than max(axis=2)
    now = np.abs(z / units).max(axis=1)
    return np.concatenate([now[:, None], means, distance[:, None]], axis=1)


def powers(fitted, z):
    """What is smoothed of z (n, C): (n, J, C), clipped, as it is or squared."""
    clipped = np.clip(z, -fitted["clip"], fitted["clip"])
    return np.stack([clipped ** power for power in fitted["powers"]], axis=1)


def channel_units(extremes):
    """What one unit of each channel is when they are compared: (C,), 1 for a light tail.

    extremes : (C,) standard deviations that a share of EXTREME of the normal residuals exceeds.
    The residuals of a switch are nearly nothing for days and 20 deviations now and then, and the
    largest of all channels would tell of switches alone. Such a channel counts in units of which
    its own extremes are LIGHT.
    """
    return np.maximum(extremes / LIGHT, 1)


def exponential_means(inputs, weights, before):
    """Exponential means (n, ...) of inputs (n, ...), each with its own weight, from `before` on."""
    flat = np.ascontiguousarray(inputs, float).reshape(len(inputs), -1)
    smooth = np.empty(flat.shape)
    weights = np.broadcast_to(weights, inputs.shape[1:]).ravel()
    before, step = np.ravel(before).astype(float), np.empty(smooth.shape[1])
    for fresh, after in zip(flat, smooth):  # in place: half of the time was new arrays
        np.subtract(fresh, before, step)
        np.multiply(step, weights, step)
        before = np.add(step, before, after)
    return smooth.reshape(inputs.shape)


def means_together(parts, before):
    """{aspect: exponential means (n, ...)} of {aspect: (inputs, weights)}, from before[aspect] on.

    One loop over the samples for all of them: what it costs is hardly the numbers in it.
    """
    if not parts:
        return {}
    shapes = {aspect: before[aspect].shape for aspect in parts}
    flat = [np.broadcast_to(inputs, inputs.shape[:1] + shapes[aspect]).reshape(len(inputs), -1)
            for aspect, (inputs, _) in parts.items()]
    weights = [np.broadcast_to(weights, shapes[aspect]).ravel() for aspect, (_, weights) in parts.items()]
    smooth = exponential_means(np.concatenate(flat, axis=1), np.concatenate(weights),
                               np.concatenate([np.ravel(before[aspect]) for aspect in parts]))
    edges = np.cumsum([values.shape[1] for values in flat])[:-1]
    return {aspect: part.reshape((len(smooth),) + shapes[aspect])
            for aspect, part in zip(parts, np.split(smooth, edges, axis=1))}


# ---- one number per sample ---------------------------------------------------------------------

def log_distance(samples, matrix):
    """Logarithm (n,) of the squared distance of samples (n, C) by a matrix (C, C).

    The matrix makes the mean of normal distances 1.
    """
    squared = sum((samples * product(samples, matrix)).T)
    return np.log(LEAST_DISTANCE + np.maximum(squared, 0))


def usual_where_missing(numbers, usual):
    return np.where(np.isnan(numbers), usual, numbers)


# ---- missing samples ---------------------------------------------------------------------------

def missing_counts(missing, before):
    """Recently missing samples (n, 1) of the channel that misses most, and the state.

    missing : (n, C) bool; before : (C,) the state. A run of k counts about k at first, and so does
    a stretch that loses a sample now and then; what is past fades by an eighth per sample. Counted
    in whole eighths, so that one missing sample is one, whatever was long ago.
    """
    counts = np.full(missing.shape, COUNT_FADING)
    edges = np.flatnonzero(missing.any(axis=1)).tolist() + [len(missing)]
    if edges[0]:
        edges.insert(0, 0)
    for start, stop in zip(edges, edges[1:]):  # between two that are missing, it only fades
        counts[start] = before * COUNT_FADING + missing[start]
        end = min(stop, start + FADED)
        np.multiply.accumulate(counts[start:end], out=counts[start:end])
        counts[end:stop] = 0
        before = counts[stop - 1]
    counts[counts < FORGOTTEN] = 0
    return np.floor(8 * counts.max(axis=1))[:, None] / 8, np.array(counts[-1])


# ---- tails -------------------------------------------------------------------------------------

def surprise(statistic, tail):
    """Map a statistic (n,) to decades of surprise (n,), continuous and non-decreasing."""
    found = np.interp(statistic, tail["knots"], tail["decades"])
    beyond = np.flatnonzero(statistic > tail["knots"][-1])
    found[beyond] += pareto_surprise(
        statistic[beyond] - tail["knots"][-1], tail["shape"], tail["scale"])
    return found


def pareto_surprise(excess, shape, scale):
    """-log10 of the probability that a generalised Pareto variable exceeds `excess`."""
    reduced = excess / scale
    return (np.log1p(shape * reduced) / shape if shape > 1e-6 else reduced) / np.log(10)
