"""What `scores` needs to know, learned from normal data: spreads, covariances, tails, a threshold.

What is normal (`fit_normal`) comes from the train part, all else from the validation part, tails and
threshold from statistics that the fit of the rest has not seen. Imports scikit-learn where it is
used.
"""
import numpy as np

from kit.detection.baselines import fit_pca
from kit.detection.scores import (
    LADDERS, as_arrays, bank, evidence, exponential_means, first_state, fused, log_distance, nearest,
    observe, powers, product, residuals, standardise,
)
from kit.record.stretches import blocks, hold_last, runs

ASPECTS = ("residual", "plane", "level")
TAIL_SHARE = 0.02  # of the normal samples; beyond it a generalised Pareto tail is fitted
FOLDS = 5  # of the validation part, to see residuals that the fit did not see
RIDGE = 10.0  # penalty of the spread's weights, in samples
SPREAD_ROUNDS = 3
TINY = 1e-12
EXTREME = 0.001  # share of samples beyond which a feature or a residual is clipped
NEAR = 0.01  # standard deviations: so near a plane that holds all of the train part is normal
LATELY = 1024  # samples: a residual that has been odd for so long is how the machine is now
STILL = 0.25  # scale of the tail of a log distance that never varied on normal data
FLOOR = 0.001  # least standard deviation of a residual, in that of its channel: a converter's step
SPANS = 10  # of a time scale are the least that its tail is fitted on
AT_MOST = 1 << 16  # samples of the train part that planes are fitted on
AT_MOST_KNOWN = 1 << 18  # of the validation part, for regimes, spreads and covariances
DRAWS, CONFIDENCE, SEED = 200, 0.9, 0  # of the bootstrap of a threshold


def fit_normal(train, validation, options):
    """What is normal for the machine, whatever the model: dict of arrays.

    train : (n, C) standardised samples of normal operation, NaN where missing; validation : (m, C)
    as a model sees them, without gaps; options : {"regimes": number, "pca_variance": share kept}
    Returns the centres (K, C) of the validation part's operating regimes, and matrices (C, C) of
    squared distances whose mean on the train part is 1: from the principal plane (where there are
    two channels), and from the mean of all samples (Mahalanobis).
    """
    filled = thinned(hold_last(train), AT_MOST).astype(float)
    normal = {"centres": fit_centres(thinned(validation, AT_MOST_KNOWN), options["regimes"]),
              "level": shrunk_inverse(filled, np.full(filled.shape[1], FLOOR ** 2))}
    if filled.shape[1] > 1:
        axes = fit_pca(filled, options["pca_variance"])
        normal["plane"] = np.eye(len(axes)) - axes @ axes.T
    for aspect in ("plane", "level"):
        if aspect in normal:
            mean = np.mean(np.sum(filled * (filled @ normal[aspect]), axis=1))
            normal[aspect] = normal[aspect] / (mean + filled.shape[1] * NEAR ** 2)
    return normal


def fit(samples, outputs, normal, options, rate, aspects=ASPECTS, starts=(0,)):
    """Learn a detector from a normal record: (detector for `Scorer`, scores of the record).

    samples, outputs : as of `Scorer.update`; rate : wanted false alarms per sample
    normal : as of `fit_normal`; None for the aspect "statistic", a number in place of forecasts
    options : {"time_constants": samples, "energy_time_constants": samples, "time_scales": samples,
        "fading": per sample}
    aspects : of evidence; a plane where there is none is left out
    starts : rows where a session begins, the first of them 0

    Tails and threshold come from residuals standardised by what the other folds of the record
    taught, since residuals look smaller to a fit that has seen them. Regimes, planes, spreads and
    covariances of a long record are fitted on AT_MOST_KNOWN of its samples, tails on all.
    """
    known = ~np.isnan(samples if outputs is None else samples + outputs).all(axis=1)
    sessions = [slice(a, b) for a, b in zip(starts, list(starts[1:]) + [len(samples)])]
    scales = np.array([scale for scale in options["time_scales"]
                       if scale * SPANS <= known.sum() or scale == min(options["time_scales"])])
    detector = {"channels": samples.shape[1], "fading": options["fading"],
                "weights": 2 / (scales + 1.0)}
    for aspect in LADDERS:
        if aspect in aspects and (aspect == "statistic" or aspect in normal):
            detector[aspect] = fit_ladder(aspect, samples, outputs, normal, known)
    found, said = observed(detector, samples, outputs, sessions), {}
    if "residual" in aspects:
        detector["residual"] = None  # its place among the keys; for memory's sake it comes last
    detector["missing"] = {"tails": [fit_count_tail(found["missing"][:, 0])]}
    said.update(told(detector, found, known))
    del found
    if "residual" in aspects:
        detector["residual"], statistics = fit_residual(
            samples, outputs, normal["centres"], options, known, sessions)
        said.update(told(detector, {"residual": statistics}, known))
        detector["residual"].update(usual=said["residual"][known].mean(),
                                    lately_weight=2 / (LATELY + 1.0))
    detector = rounded(detector)
    scores = scored(as_arrays(detector), said, sessions)
    detector["threshold"] = rounded(bounded_threshold(scores[known], rate))
    return detector, scores


def observed(detector, samples, outputs, sessions):
    """{aspect: statistics (n, S)} of a record by a detector whose residual is not fitted yet."""
    found = {}
    for session in sessions:
        state = first_state(detector)
        for rows in blocks(session.start, session.stop):
            some, state = observe(detector, samples[rows], given(outputs, rows), state)
            for aspect, statistics in some.items():
                if aspect not in found:
                    found[aspect] = np.empty((len(samples),) + statistics.shape[1:])
                found[aspect][rows] = statistics
    return found


def told(detector, found, known):
    """What `evidence` says of statistics {aspect: (n, S)}; their tails come into the detector."""
    for aspect in set(found) - {"missing"}:
        still = {"still": STILL} if aspect in ("plane", "level") else {}
        detector[aspect]["tails"] = [fit_tail(column[known], **still) for column in found[aspect].T]
    fitted = as_arrays(rounded({aspect: detector[aspect] for aspect in found}))
    return together([evidence(fitted, {aspect: statistics[rows] for aspect, statistics in found.items()})
                     for rows in blocks(0, len(known))])


def scored(detector, said, sessions):
    """Scores (n,) of what `told` gave."""
    scores = []
    for session in sessions:
        state = first_state(detector)
        for rows in blocks(session.start, session.stop):
            some, state = fused(detector, {key: column[rows] for key, column in said.items()}, state)
            scores.append(some)
    return np.concatenate(scores)


def thinned(rows, most):
    """At most so many of the rows, evenly spread."""
    return rows[::-(-len(rows) // most)]


def given(outputs, part):
    return None if outputs is None else outputs[part]


def together(found):
    """One {aspect: array} of those of each block."""
    return {aspect: np.concatenate([each[aspect] for each in found]) for aspect in found[0]}


def fit_ladder(aspect, samples, outputs, normal, known):
    """The part of a detector for an aspect of evidence that is one number per sample, without tails."""
    if aspect == "statistic":
        return {"usual": float(np.mean(outputs[known]))}
    held, matrix = hold_last(samples), normal[aspect]
    numbers = np.concatenate([log_distance(held[rows].astype(float), matrix)
                              for rows in blocks(0, len(held))])
    return {"matrix": matrix, "usual": float(np.mean(numbers[known]))}


def fit_residual(samples, outputs, centres, options, known, sessions):
    """The part of a detector for residuals, without tails; their statistics (n, J + 2)."""
    chosen = thinned(np.flatnonzero(known), AT_MOST_KNOWN)
    pieces = []
    for rows, residual, state in residual_blocks(samples, outputs, sessions):
        first, end = np.searchsorted(chosen, [rows.start, rows.stop])
        here = chosen[first:end] - rows.start
        pieces.append((residual[here], state[here]))
    residual, state = map(np.concatenate, zip(*pieces))
    z, distance = unseen(samples, outputs, sessions, centres, residual, state, chosen)
    fitted = fit_residuals(residual, state, centres)
    fitted.update(fit_bank(z, known, options))
    found = np.empty((len(samples), len(fitted["powers"]) + 2))
    for session in sessions:
        before = np.zeros(fitted["norms"].shape)
        for part in blocks(session.start, session.stop):
            found[part], before = bank(fitted, z[part], distance[part], before)
    return fitted, found


def residual_blocks(samples, outputs, sessions):
    """(rows, residual, state of the machine) block by block, as `residuals` has them."""
    for session in sessions:
        last = np.full(samples.shape[1], np.nan)
        for rows in blocks(session.start, session.stop):
            held = hold_last(samples[rows], np.nan_to_num(last)).astype(float)
            yield (rows,) + residuals(samples[rows], outputs[rows], held, last)
            last = held[-1]


def unseen(samples, outputs, sessions, centres, residual, state, chosen):
    """`standardise` for each fold of the record by a fit to the others.

    residual, state : of the rows `chosen`, on which is fitted
    """
    n = len(samples)
    fitted = [fit_residuals(residual[others], state[others], centres)
              for others in (chosen * FOLDS // n != fold for fold in range(FOLDS))]
    z, distance = np.zeros((n, samples.shape[1])), np.zeros(n)
    for rows, residual, state in residual_blocks(samples, outputs, sessions):
        folds = np.arange(rows.start, rows.stop) * FOLDS // n
        for fold in np.unique(folds):
            some = folds == fold
            z[rows][some], distance[rows][some] = standardise(fitted[fold], residual[some], state[some])
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
    fitted["inverse_covariances"] = np.stack([
        shrunk_inverse(z[chosen], floor[chosen].mean(axis=0)) for chosen in rows])
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


def shrunk_inverse(z, floor):
    """Inverse of the covariance of z (n, C), shrunk (Ledoit & Wolf 2004), plus variances (C,)."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(z)
    return np.linalg.inv(covariance + np.diag(floor))


def fit_bank(z, known, options):
    """The part of a detector that smooths: J exponential means of z or z**2, and their scales.

    z : (n, C) residual of each channel given the others; known : (n,) of which rows
    """
    slow, energies = options["time_constants"], options["energy_time_constants"]
    constants = slow + energies
    fitted = {
        "powers": np.array([1.0] * len(slow) + [2.0] * len(energies)),
        "weights": 2 / (np.array(constants, float) + 1),
        "clip": np.array([np.quantile(np.abs(column[known]), 1 - EXTREME) for column in z.T]),
    }
    before = squares = np.zeros((len(constants), z.shape[1]))
    for rows in blocks(0, len(z)):
        inputs = powers(fitted, z[rows][known[rows]])
        if len(inputs):
            smooth = exponential_means(inputs, fitted["weights"][:, None], before)
            before = smooth[-1]
            squares = np.concatenate([squares[None], np.square(smooth)]).sum(axis=0)
    fitted["norms"] = np.maximum(np.sqrt(squares / known.sum()), FLOOR)
    return fitted


def fit_centres(samples, regimes):
    """Centres (K, C) of the operating regimes: k-means of the samples (n, C) without gaps.

    One set for every detector: the regimes are the machine's, not the model's.
    """
    from sklearn.cluster import KMeans

    return KMeans(regimes, n_init=4, random_state=0).fit(samples).cluster_centers_


def fit_tail(statistic, still=1e-9):
    """What `surprise` needs to know about a statistic on normal data (n,): a plain dict.

    The body is the empirical survival function at a few knots, the tail a generalised Pareto.

    still : scale of the tail where the statistic never varied
    """
    survival = np.logspace(0, np.log10(TAIL_SHARE), 9)
    knots = np.quantile(statistic, 1 - survival)
    shape, scale = fit_pareto(statistic[statistic > knots[-1]] - knots[-1])
    return {"knots": list(knots), "decades": list(-np.log10(survival)),
            "shape": shape, "scale": scale or still}


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
        return 0.0, 0.0
    ranks = (np.arange(1, len(ordered) + 1) - 0.35) / len(ordered)
    mean, weighted = ordered.mean(), np.mean(ordered * (1 - ranks))
    spread = mean - 2 * weighted
    shape = min(max(2 - mean / spread, 0.0), 0.5) if spread > 0 else 0.0
    return shape, mean * (1 - shape)


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
    base, peaks = peaks_over(scores)
    if not len(peaks):
        return float(scores.max() + 1e-5 * max(abs(scores.max()), 1))  # survives `rounded`
    return peak_level(base, peaks, rate * len(scores))


def peaks_over(scores):
    """A high quantile of scores (n,), and the peaks (m,) of the runs above it."""
    base = np.quantile(scores, 1 - TAIL_SHARE)
    return base, np.array([scores[start:end].max() for start, end in runs(scores > base)])


def peak_level(base, peaks, wanted):
    """The level that as many of the peaks (m,) over base reach as are wanted, maybe less than one."""
    shape, scale = fit_pareto(peaks - base)
    return float(base + pareto_level(min(wanted / len(peaks), 1.0), shape, scale))


def bounded_threshold(scores, rate):
    """An upper bound of `fit_threshold`: what CONFIDENCE of bootstrapped records stay below.

    A short record tells little about its rare peaks. Runs are drawn with replacement, their number
    from a Poisson distribution, as they come one by one (Efron & Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13).
    """
    base, peaks = peaks_over(scores)
    if not len(peaks):
        return fit_threshold(scores, rate)
    rng = np.random.Generator(np.random.PCG64(SEED))
    drawn = [rng.choice(peaks, max(rng.poisson(len(peaks)), 1)) for _ in range(DRAWS)]
    return float(np.quantile([peak_level(base, some, rate * len(scores)) for some in drawn],
                             CONFIDENCE))


def rounded(value, digits=7):
    """Arrays and floats as lists and floats of so many significant digits, ready for JSON."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [rounded(item, digits) for item in value]
    if isinstance(value, (float, np.floating)):
        return float("%.*g" % (digits, value))
    return value
