"""How good is a detector: threshold-free areas, scores at a threshold, events, false alarms.

Conventions of every function here:
- `labels` : bool array (n,), True on samples inside an event. `scores` : float array (n,), higher
  is more anomalous, finite. `alarms` : bool array (n,), the decision per sample.
- `events` : DataFrame with the columns start, end (row numbers, half open), kind, severity.
- A value that is undefined is NaN: a recall without events, a precision without alarms. Inside
  `summarize` it becomes None. An F1 is 0 when nothing is right, NaN without events and alarms.
- Tied scores share one threshold: no result depends on the order of equal scores.
- No function adjusts predictions to whole events ("point adjustment"), which lifts a random score
  to an F1 of .76 (Kim et al., AAAI 2022, arXiv 2109.05257).

Sources: Davis & Goadrich (ICML 2006), Paparrizos et al. (VLDB 2022, "Volume Under the Surface"),
Liu & Paparrizos (NeurIPS 2024, "TSB-AD"), Tatbul et al. (NeurIPS 2018), Huet et al. (KDD 2022).
"""
import numpy as np
from sklearn.metrics import (
    average_precision_score, precision_recall_curve, roc_auc_score, roc_curve,
)

from kit.base.cli import UserError
from kit.record.records import labels as event_labels
from kit.record.stretches import blocks, runs
from kit.record.timeline import DAY_S

SEVERITIES = ("hard", "medium", "plain")


def summarize(scores, alarms, events, sample_interval_s, max_buffer, tail=0, per_day=1.0):
    """Everything about one detector on one record, as a flat dict of numbers or None.

    scores : float (n,); alarms : bool (n,), the decisions at the detector's own threshold
    events : DataFrame of k events; sample_interval_s : seconds from one sample to the next
    max_buffer : samples, the L of `vus`; tail : samples, see `normal_time`
    per_day : false alarms a day at which detectors are compared, see `threshold_at_rate`

    None stands for what is undefined, such as a median delay when no event was detected. Two keys
    are oracles, which choose their threshold on the very labels they are judged by:
    best_f1_oracle and event_recall_at_<per_day>_per_day. They compare, they do not promise.
    """
    check_events(events, len(scores))
    labels, scores = _checked(event_labels(events, len(scores)), scores)
    alarms, normal = np.asarray(alarms, bool), normal_time(events, len(scores), tail)
    equal_rate = scores >= threshold_at_rate(scores, normal, sample_interval_s, per_day)
    vus_roc, vus_pr = vus(labels, scores, max_buffer)
    precision, recall = point_precision_recall(labels, alarms)
    range_precision, range_recall = range_precision_recall(labels, alarms)
    affiliation_precision, affiliation_recall = affiliation(labels, alarms)
    by_severity = recall_by(events, alarms, "severity")
    values = {
        "vus_pr": vus_pr,
        "vus_roc": vus_roc,
        "auc_pr": auc_pr(labels, scores),
        "auc_roc": auc_roc(labels, scores),
        "best_f1_oracle": best_f1_oracle(labels, scores),
        rate_key(per_day): event_recall(events, equal_rate),
        "precision": precision,
        "recall": recall,
        "f1": f1(precision, recall),
        "range_precision": range_precision,
        "range_recall": range_recall,
        "range_f1": f1(range_precision, range_recall),
        "affiliation_precision": affiliation_precision,
        "affiliation_recall": affiliation_recall,
        "affiliation_precision_floor": affiliation_precision_floor(labels),
        "event_recall": event_recall(events, alarms),
        **{"event_recall_" + name: by_severity.get(name) for name in SEVERITIES},
        "false_alarms_per_day": false_alarms_per_day(alarms, normal, sample_interval_s),
        "false_alarm_time_fraction": false_alarm_time_fraction(alarms, normal),
        "median_delay_s": median_delay_s(events, alarms, sample_interval_s),
    }
    return {key: _number(value) for key, value in values.items()}


def rate_key(per_day):
    """The name of event recall at a rate: rate_key(1.0) is event_recall_at_1_per_day."""
    return "event_recall_at_%s_per_day" % ("%g" % per_day).replace(".", "_")


def check_events(events, n):
    """UserError when an event lies outside a record of n samples or holds no sample."""
    for row, (start, end) in enumerate(zip(events["start"], events["end"]), 1):
        if not 0 <= start < end <= n:
            raise UserError("event %d covers rows %d to %d, which is not a part of the record's "
                            "%d rows: do the events belong to it?" % (row, start, end, n))


# ---- areas: no threshold -----------------------------------------------------------------------


def auc_pr(labels, scores):
    """Average precision, the step-wise area under precision over recall (Davis & Goadrich 2006).

    sum over thresholds of (recall_j - recall_(j-1)) * precision_j. A random score gets the density
    of the events, a perfect one 1. NaN without an event.

    Worked: labels 0 0 1 0 0, scores .1 .2 .5 .9 .3: the event is second, precision 1/2 -> 0.5.
    """
    labels, scores = _checked(labels, scores)
    return float(average_precision_score(labels, scores)) if labels.any() else np.nan


def auc_roc(labels, scores):
    """Chance that an event's sample outscores a normal one, ties counted half.

    NaN unless both kinds of samples exist. Worked: the example of `auc_pr`, 3 of 4 -> 0.75.
    """
    labels, scores = _checked(labels, scores)
    return float(roc_auc_score(labels, scores)) if _mixed(labels) else np.nan


def vus(labels, scores, max_buffer):
    """Volumes under the ROC and the PR surface -> (vus_roc, vus_pr).

    Paparrizos et al., VLDB 2022 (range-AUC and VUS), in the variant of the authors' packages `vus`
    and `TSB_AD` (version "opt"). For each buffer length b = 0 .. max_buffer (samples), labels get
    slopes of floor(b/2) samples on both sides of an event, sqrt(1 - d/b) at distance d, slopes of
    neighbours add up to at most 1. With soft labels y, P events' samples and alarms at a threshold:

        TP = sum of y over alarms          P_b = P + (TP - TP inside events) / 2
        recall = min(TP / P_b, 1) * (share of buffered events touched by an alarm)
        precision = TP / number of alarms  FPR = (number of alarms - TP) / (n - P_b)

    Area under PR by steps, under ROC by trapezes to (1, 1); the volumes are means over b. Buffered
    events that overlap count as one in the share ("existence reward").

    labels, scores : (n,); max_buffer : int >= 0, about the length of what the detector looks at.
    With max_buffer 0 and one event they are `auc_roc` and `auc_pr`; of more events, the existence
    reward asks that each is touched. NaN without an event; vus_roc also without a normal sample.

    Every distinct score is a threshold. The packages agree with this function when asked for n
    thresholds, but take 250 by rank unless told: at n = 10^5 and 2 % events, some five points then
    make the PR curve, and vus_pr was .027 lower (.515, not .542) on a noisy score.
    Time is O(n log n + max_buffer * (n + m)): only the m samples in an event or its widest slope
    move the curves, the n is the search for each event's peak.

    Worked: the example of `auc_pr`, max_buffer 2. b = 0, 1: PR .5, ROC .75. b = 2: slope .7071 on
    both neighbours. First alarm: TP .7071, P_b 1.3536, recall .5224, precision .7071. Two: TP
    1.7071, recall 1, precision .8536. PR .5224*.7071 + .4776*.8536 = .7770;
    vus_pr is the mean, .5923.
    """
    labels, scores = _checked(labels, scores)
    if not labels.any():
        return np.nan, np.nan
    n, inside, events = len(labels), labels.sum(), runs(labels)
    rows, near, distance = _zone(events, scores, max_buffer // 2)
    last = np.flatnonzero(np.append(np.diff(scores[rows]) != 0, True))  # (m,) end of each tie
    thresholds, ordered = scores[rows][last], np.sort(scores)
    above = n - np.searchsorted(ordered, thresholds, "right")  # (m,) alarms just before the tie
    alarms = n - np.searchsorted(ordered, thresholds, "left")  # (m,) and with it
    areas = []
    for buffer in range(max_buffer + 1):
        half = buffer // 2
        slope = np.sqrt(np.maximum(1 - distance / max(buffer, 1), 0)) * (distance <= half)
        soft = np.minimum(labels[rows] + np.bincount(near, slope, len(rows)), 1)
        hits = np.cumsum(soft)[last]  # TP
        positives = inside + (hits - np.cumsum(labels[rows])[last]) / 2  # P_b
        existence = _touched(events, scores, half, thresholds)
        recall = np.minimum(hits / positives, 1) * existence
        areas.append((_roc_area(recall, hits, inside, positives, above, alarms, n),
                      np.sum(np.diff(recall, prepend=0) * hits / alarms)))
    vus_roc, vus_pr = np.mean(areas, axis=0)
    return float(vus_roc), float(vus_pr)


def _zone(events, scores, half):
    """Rows in or near an event by falling score; where each slope's sample stands; its distance."""
    steps = np.arange(1, half + 1)
    near = np.concatenate([events[:, :1] - steps, events[:, 1:] - 1 + steps])  # (2k, half) rows
    inside = (near >= 0) & (near < len(scores))
    distance = np.broadcast_to(steps, near.shape)[inside]
    in_events = [np.arange(start, end) for start, end in events]
    rows = np.unique(np.concatenate(in_events + [near[inside]]))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    place = np.empty(len(scores), int)
    place[rows] = np.arange(len(rows))
    return rows, place[near[inside]], distance


def _touched(events, scores, half, thresholds):
    """Share of events, widened by `half` and merged, that reach each threshold: (m,)."""
    apart = events[1:, 0] - events[:-1, 1] >= 2 * half
    starts = events[np.append(True, apart), 0] - half
    ends = events[np.append(apart, True), 1] + half
    spans = np.clip(np.stack([starts, ends], axis=1), 0, len(scores))
    peaks = np.sort(_peaks(scores, spans))
    return 1 - np.searchsorted(peaks, thresholds, "left") / len(peaks)


def _roc_area(recall, hits, inside, positives, above, alarms, n):
    """Trapezes through the curve's corners: from one tie of the zone to the next recall rests."""
    if n == inside:
        return np.nan
    recall, hits = np.append(0, recall), np.append(0, hits)
    negatives = n - np.append(inside, positives)
    fpr_before = (above - hits[:-1]) / negatives[:-1]
    fpr_with = (alarms - hits[1:]) / negatives[1:]
    fpr = np.stack([fpr_before, fpr_with], axis=1).ravel()
    tpr = np.stack([recall[:-1], recall[1:]], axis=1).ravel()
    return np.trapz(np.append(tpr, 1), np.append(fpr, 1))


def best_f1_oracle(labels, scores):
    """The best point F1 over all thresholds: an oracle, chosen on the labels themselves.

    NaN without an event. Worked: the example of `auc_pr`: two alarms, one right: 2/3.
    """
    labels, scores = _checked(labels, scores)
    if not labels.any():
        return np.nan
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)))


# ---- samples and ranges at a threshold ---------------------------------------------------------


def f1(precision, recall):
    """Harmonic mean; 0 when either is 0 (the other may be undefined), NaN when both are NaN.

    Worked: f1(.5, 1) = 2/3; f1(nan, 0), no alarm although there are events, = 0.
    """
    if precision == 0 or recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def point_precision_recall(labels, alarms):
    """(share of alarms that are in an event, share of the events' samples that alarm).

    Worked: labels 0 1 1 0, alarms 0 0 1 1 -> (.5, .5).
    """
    labels, alarms = _pair(labels, alarms)
    hits = np.sum(labels & alarms)
    return _ratio(hits, alarms.sum()), _ratio(hits, labels.sum())


def range_precision_recall(labels, alarms, alpha=0.2):
    """Range-based precision and recall (Tatbul et al., NeurIPS 2018: Precision_T, Recall_T).

    Each range R, an event for recall or a run of alarms for precision, earns
        alpha * ExistenceReward + (1 - alpha) * OverlapReward
        ExistenceReward = 1 when R is touched, else 0
        OverlapReward = (share of R covered) / (number of the other ranges that touch R)
    and the score is the mean over R: flat positional bias, reciprocal cardinality. alpha is the
    weight of existence in recall; in precision it is 0, as in the paper. 0.2 is TSB-AD's value.

    Worked: labels 0 1 1 1 1 0, alarms 0 1 0 0 1 1: the event is half covered by two runs, recall
    .2 + .8 * .5 / 2 = .4; the runs are covered 1 and 1/2, precision .75.
    """
    labels, alarms = _pair(labels, alarms)
    return _range_score(alarms, labels, 0.0), _range_score(labels, alarms, alpha)


def _range_score(ranges, others, alpha):
    """Mean reward of the runs of `ranges` for being covered by those of `others`."""
    covered = np.append(0, np.cumsum(others))
    ranges, others = runs(ranges), runs(others)
    if not len(ranges):
        return np.nan
    starts, ends = ranges.T
    share = (covered[ends] - covered[starts]) / (ends - starts)
    touching = np.searchsorted(others[:, 0], ends) - np.searchsorted(others[:, 1], starts, "right")
    rewards = alpha * (touching > 0) + (1 - alpha) * share / np.maximum(touching, 1)
    return float(rewards.mean())


def affiliation(labels, alarms):
    """Affiliation precision and recall (Huet et al., KDD 2022, arXiv 2206.13167).

    Time is cut into one zone per event, at the middle of the gap to the next. Per zone:
    precision is the mean, over the alarmed time x, of the chance that a random moment of the zone
    lies at least as far from the event as x does (1 inside it); recall is the mean, over the
    event's time y, of the chance that a random moment lies at least as far from y as the nearest
    alarm of the zone does (0 without one). Precision averages the zones that hold an alarm.

    Row i is the time [i, i + 1). All that is integrated is piecewise linear with corners on
    quarter rows, so the middle of each quarter row gives the integrals exactly.

    (NaN, NaN) without an event, (NaN, 0) without an alarm. The values are generous: see
    `affiliation_precision_floor`.

    Worked: 10 rows, event [4, 6), one alarm [7, 8). One zone [0, 10). Precision: distance of x is
    x - 6, chance 2 (4 - (x - 6)) / 10, mean (at x = 7.5) .5. Recall: y is 7 - y away, chance of
    being below 2 y - 7 or above 7, ((2 y - 7) + 3) / 10, mean (at y = 5) .6.
    """
    labels, alarms = _pair(labels, alarms)
    if not labels.any():
        return np.nan, np.nan
    events, raised = runs(labels), runs(alarms)
    cuts = (events[:-1, 1] + events[1:, 0]) / 2
    low, high = np.append(0, cuts), np.append(cuts, len(labels))  # (k,) the zones
    return (_affiliation_precision(events, np.flatnonzero(alarms), low, high, cuts),
            _affiliation_recall(raised, np.flatnonzero(labels), low, high, cuts))


def _affiliation_precision(events, alarm_rows, low, high, cuts):
    def chances(time):
        zone = np.searchsorted(cuts, time)
        start, end = events[zone].T
        away = np.maximum(np.maximum(start - time, time - end), 0)
        farther = np.maximum(start - away - low[zone], 0) + np.maximum(high[zone] - end - away, 0)
        return zone, np.where(away > 0, farther / (high - low)[zone], 1)

    return _mean_of_zones(chances, alarm_rows, len(low))


def _affiliation_recall(raised, event_rows, low, high, cuts):
    def chances(time):
        zone = np.searchsorted(cuts, time)
        index = np.searchsorted(raised[:, 0], time)  # raised[index - 1] begins before, [index] after
        left = np.append(-np.inf, raised[:, 1])[index]
        right = np.append(raised[:, 0], np.inf)[index]
        to_left = np.where(left > low[zone], np.maximum(time - left, 0), np.inf)
        to_right = np.where(right < high[zone], right - time, np.inf)
        away = np.minimum(to_left, to_right)
        farther = np.maximum(time - away - low[zone], 0) + np.maximum(high[zone] - time - away, 0)
        return zone, farther / (high - low)[zone]

    return _mean_of_zones(chances, event_rows, len(low))


def _quarters(rows):
    """The middles of the four quarters of each row: (4 * len(rows),)."""
    return (rows[:, None] + (np.arange(4) + 0.5) / 4).ravel()


def _mean_of_zones(chances, rows, zones):
    """Mean over the zones that occur of the mean of their chances; NaN when there is none.

    chances : function from times (m,) to (zone, chance), called for some rows at a time
    """
    counts, sums = np.zeros(zones, int), np.zeros(zones)
    for block in blocks(0, len(rows)):
        zone, chance = chances(_quarters(rows[block]))
        counts += np.bincount(zone, minlength=zones)
        # what was before goes first, so that sums are those of all rows in their order
        sums = np.bincount(np.append(np.arange(zones), zone), np.append(sums, chance))
    return float(np.mean(sums[counts > 0] / counts[counts > 0])) if len(rows) else np.nan


def affiliation_precision_floor(labels):
    """Affiliation precision of alarming always, with recall 1; a random alarm expects the same.

    About .5 for short events far apart: a precision is worth what it is above this. NaN without an
    event. Worked: the record of `affiliation`: (2 + 2 * (integral of (8 - 2 u) / 10 over
    u = 0 .. 4)) / 10 = (2 + 2 * 1.6) / 10 = .52.
    """
    return affiliation(labels, np.ones(len(labels), bool))[0]


# ---- events ------------------------------------------------------------------------------------


def delays(events, alarms):
    """Samples from each event's start to the first alarm inside it: float (k,), NaN if missed.

    An alarm that stands already when the event begins has delay 0. Only samples of the event
    count: an alarm in the tail is no detection. Worked: event [2, 5), alarm on row 4: 2.
    """
    starts, ends = events["start"].values.astype(int), events["end"].values.astype(int)
    rows = np.flatnonzero(alarms)
    first = np.append(rows, np.iinfo(int).max)[np.searchsorted(rows, starts)]
    return np.where(first < ends, first - starts, np.nan)


def event_recall(events, alarms):
    """Share of events with at least one alarm inside; NaN without events. Worked: 1 of 2: .5."""
    found = ~np.isnan(delays(events, alarms))
    return _ratio(found.sum(), len(found))


def recall_by(events, alarms, key):
    """Event recall per value of a column: {value: recall}, sorted by value.

    Worked: recall_by(events, alarms, "kind") -> {"drift": 0.5, "spike": 1.0}.
    """
    groups = events.groupby(key, sort=True)
    return {value: event_recall(group, alarms) for value, group in groups}


def median_delay_s(events, alarms, sample_interval_s):
    """Median over the detected events of their delay, in seconds; NaN when none is detected.

    Worked: delays of 0, 2 and 10 samples and a miss, sampled each 60 s: 120. Read it beside event
    recall: the missed events have no say.
    """
    found = delays(events, alarms)
    found = found[~np.isnan(found)]
    return float(np.median(found)) * sample_interval_s if len(found) else np.nan


# ---- false alarms ------------------------------------------------------------------------------


def normal_time(events, n, tail=0):
    """Bool array (n,): the samples outside every [start, end + tail).

    tail is how many samples a right alarm may linger: smoothing and a window of past samples keep
    a score up after the fault has gone, and an alarm that flickers there is not the operator's
    wasted walk. It must be the length of that memory and no more, as it is also taken out of the
    time by which false alarms are divided. 0 forgives nothing. There is no such grace before an
    event, where a causal score knows nothing.
    """
    return ~event_labels({"start": events["start"], "end": events["end"] + tail}, n)


def false_alarm_runs(alarms, normal):
    """The runs of alarms that lie wholly in normal time: int array (k, 2), half open.

    A run that overlaps an event (or its tail) is one alarm with a cause, and not false, however
    long it stands: `false_alarm_time_fraction` is what tells a detector that alarms always.

    Worked: event [3, 5), alarms 1 0 1 1 0 1: the run [2, 4) has a cause, [0, 1) and [5, 6) are
    false; with tail 1, [5, 6) is not.
    """
    raised = runs(alarms)
    excused = np.append(0, np.cumsum(~normal))
    return raised[excused[raised[:, 1]] == excused[raised[:, 0]]]


def false_alarms_per_day(alarms, normal, sample_interval_s):
    """Number of `false_alarm_runs` per day of normal time; NaN without normal time.

    Worked: 2 runs, 43200 normal samples each second: 2 / 0.5 days = 4.
    """
    return _ratio(len(false_alarm_runs(alarms, normal)), normal.sum() * sample_interval_s / DAY_S)


def false_alarm_time_fraction(alarms, normal):
    """Share of normal time spent in alarm, with a cause or without; NaN without normal time."""
    return _ratio(np.sum(alarms & normal), normal.sum())


def threshold_at_rate(scores, normal, sample_interval_s, per_day, false_alarm_s=3600.0):
    """The lowest threshold within a budget of false alarms, for alarms = scores >= threshold.

    scores : float (n,); normal : bool (n,), see `normal_time`
    per_day : the budget: at most so many false alarms per day of normal time, and at most
        per_day * false_alarm_s seconds of each such day in alarm
    Returns a score that occurs, or infinity when even the highest breaks the budget.

    The number of false alarms falls again when a low threshold lets them run together, until one
    that stands always touches an event and counts for nothing. So the search walks down from the
    highest score and stops where the budget breaks first; the bound on time holds back a score
    that rises in one long run (a clock, a constant).

    Worked: a row each 17280 s, scores 5 0 9 0 7 0, event [2, 3), so one day of normal time.
    per_day 2, false_alarm_s 17280: 9 gives no false alarm, 7 one, 5 two, 0 stands too long -> 5.
    """
    days = normal.sum() * sample_interval_s / DAY_S
    thresholds = np.unique(scores)[::-1]  # (m,) falling
    counts, alarmed = _false_alarm_curve(scores, normal, thresholds)
    within = counts <= per_day * days
    within &= alarmed * sample_interval_s <= per_day * days * false_alarm_s
    allowed = len(within) if within.all() else int(np.argmin(within))
    return float(thresholds[allowed - 1]) if allowed else np.inf


def _false_alarm_curve(scores, normal, thresholds):
    """Per threshold: how many runs of alarms lie in normal time, how many normal samples alarm.

    Runs = samples - links: a stretch of normal time holds as many runs as it has alarmed samples
    minus alarmed pairs of neighbours. A pair across the stretch's edge takes away the run that
    leads into an event; a stretch alarmed from edge to edge would lose its one run twice.
    """
    links = np.minimum(scores[1:], scores[:-1])[normal[1:] | normal[:-1]]
    stretches = runs(normal)
    inner = stretches[(stretches[:, 0] > 0) & (stretches[:, 1] < len(scores))]
    bridges = -_peaks(-scores, inner + [-1, 1])  # the threshold at which two events are joined
    samples, links, bridges = (_reaching(levels, thresholds)
                               for levels in (scores[normal], links, bridges))
    return samples - links + bridges, samples


def _reaching(levels, thresholds):
    """How many of the levels reach each threshold."""
    return len(levels) - np.searchsorted(np.sort(levels), thresholds, "left")


# ---- curves for plots --------------------------------------------------------------------------


def roc_points(labels, scores, k):
    """At most k points (false positive rate, recall) from (0, 0) to (1, 1): (m, 2).

    Undefined, and empty, unless events and normal samples exist.
    """
    labels, scores = _checked(labels, scores)
    if not _mixed(labels):
        return np.empty((0, 2))
    fpr, tpr, _ = roc_curve(labels, scores)
    return thin(np.stack([fpr, tpr], axis=1), k)


def pr_points(labels, scores, k):
    """At most k points (recall, precision) from (0, 1), by convention, to recall 1: (m, 2).

    Empty without an event.
    """
    labels, scores = _checked(labels, scores)
    if not labels.any():
        return np.empty((0, 2))
    precision, recall, _ = precision_recall_curve(labels, scores)
    return thin(np.stack([recall, precision], axis=1)[::-1], k)


def thin(points, k):
    """At most k >= 2 of the points (m, 2), evenly along the curve's length, both ends kept.

    Length is measured by |dx| + |dy|. Worked: (0, 0) (.1, 0) (.5, 0) (1, 0), k = 3: the first,
    the third and the last.
    """
    if len(points) <= k:
        return points
    length = np.append(0, np.cumsum(np.abs(np.diff(points, axis=0)).sum(axis=1)))
    chosen = np.searchsorted(length, np.linspace(0, length[-1], k))
    chosen[-1] = len(points) - 1
    return points[np.unique(chosen)]


# ---- small parts -------------------------------------------------------------------------------


def _peaks(scores, spans):
    """Highest score in each of the half-open, not empty spans: (k,)."""
    if not len(spans):
        return np.empty(0)
    return np.maximum.reduceat(np.append(scores, -np.inf), spans.ravel())[::2]


def _checked(labels, scores):
    """labels as bool, scores as float64; ValueError for a shape or a score that is no number."""
    labels, scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
    _same_length(labels, scores)
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        raise ValueError("%d of %d scores are NaN or infinite, the first on row %d: score every "
                         "sample, the missing ones too" % (len(wrong), len(scores), wrong[0]))
    return labels, scores


def _pair(labels, alarms):
    labels, alarms = np.asarray(labels, bool), np.asarray(alarms, bool)
    _same_length(labels, alarms)
    return labels, alarms


def _same_length(labels, others):
    if labels.ndim != 1 or labels.shape != others.shape:
        raise ValueError("labels and scores or alarms must both have shape (n,), not %s and %s"
                         % (labels.shape, others.shape))


def _mixed(labels):
    return labels.any() and not labels.all()


def _ratio(part, whole):
    return float(part / whole) if whole else np.nan


def _number(value):
    return None if value is None or np.isnan(value) else float(value)
