"""Labelled faults in a record of the simulated machine: which, how severe, and where they fit."""
import itertools

import numpy as np

from kit.source.faults import FAULTS
from kit.source.machine import CHANNELS, to_counts, within_range

NAMES = [channel.name for channel in CHANNELS]

LENGTH = {  # samples that one event alters
    "spike": 4, "dropout": 8, "bias": 12, "noise_burst": 14, "saturation": 14, "gain": 16,
    "delay": 18, "decorrelation": 18, "stuck": 22, "frequency_change": 22, "drift": 28,
    "degradation": 40,
}
GAP = 150  # least samples between events: three windows of 50, so that no echo meets the next

# How severe: the root mean square of what the fault alters, in standard deviations of the
# channel's own noise, which is what no forecaster can know. 3 is near it, 12 stands out.
DEPTH = {"plain": 12.0, "medium": 6.0, "hard": 3.0}
PEAK_OVER_RMS = {"spike": 3 ** 0.5, "drift": 3 ** 0.5, "degradation": 5 ** 0.5, "saturation": 1.4}
# These have a strength of another kind; their depth comes from the place they are put.
STRENGTH = {
    "gain": {"plain": 4.0, "medium": 2.5, "hard": 1.75},  # factor
    "delay": {"plain": 10, "medium": 6, "hard": 3},  # samples
    "frequency_change": {"plain": 3.0, "medium": 2.0, "hard": 1.5},  # factor
    "dropout": {"plain": 1.0, "medium": 0.7, "hard": 0.4},  # share of samples lost
}
PLACES = 60  # tried for each event

WORN = ["bearing_temperature_c", "vibration_mm_s"]  # what a worn bearing shows in
SLOW = "bearing_temperature_c"  # stands nearly still within an event
NEEDS_MOTION = ("stuck", "gain", "saturation", "delay", "decorrelation", "frequency_change")


def plan(n_samples, share):
    """The (kind, severity) of the events that fill this share of n_samples: all of them in turn.

    Plain ones come first and short ones before long ones, so that a small record gets some too.
    """
    pairs, left = [], round(share * n_samples)
    for severity, kind in itertools.cycle(itertools.product(DEPTH, LENGTH)):
        left -= LENGTH[kind]
        if left < 0:
            return pairs
        pairs.append((kind, severity))


def choose_columns(kind, rng):
    """The channels, as column numbers, that an event of this kind alters."""
    if kind == "degradation":
        return [NAMES.index(name) for name in WORN]
    candidates = [c for c, name in enumerate(NAMES) if kind not in NEEDS_MOTION or name != SLOW]
    return [int(rng.choice(candidates))]


def alter(analog, noise, start, columns, kind, severity, rng):
    """The faulty stretch (length, k) of these columns of analog (n, C), within their ranges."""
    stretches = []
    for column in columns:
        strength = DEPTH[severity] * noise[column] * PEAK_OVER_RMS.get(kind, 1.0)
        if kind in STRENGTH:
            strength = STRENGTH[kind][severity]
        stretches.append(FAULTS[kind](analog[:, column], start, LENGTH[kind], strength, rng))
    return within_range(np.stack(stretches, axis=1), columns)


def place(analog, noise, slot, kind, severity, rng):
    """(start, columns, faulty stretch) of the place in its slot where the depth fits best.

    analog : (n, C) before the converter; noise : (C,) standard deviations; slot : (first, end)
    """
    best, least_misfit = None, np.inf
    for _ in range(PLACES):
        columns = choose_columns(kind, rng)
        start = int(rng.integers(slot[0], slot[1] - LENGTH[kind] + 1))
        stretch = alter(analog, noise, start, columns, kind, severity, rng)
        change = (stretch - analog[start:start + LENGTH[kind], columns]) / noise[columns]
        if kind == "dropout":  # as severe anywhere
            return start, columns, stretch
        misfit = abs(np.log(np.sqrt(np.mean(change**2)) / DEPTH[severity] + 1e-9))
        if misfit < least_misfit:
            best, least_misfit = (start, columns, stretch), misfit
    return best


def inject(analog, clean, noise, bits, share, rng):
    """ADC counts (n, C) with faults, and [(start, end, kind, channels, severity), ...] of the events.

    analog : (n, C) before the converter; clean : (n, C) its counts, -1 where missing
    noise : (C,) standard deviation of each channel's noise

    Every event has a slot of its own. Its rows are those where the counts really differ.
    """
    pairs, counts, rows = plan(len(analog), share), clean.copy(), []
    edges = np.linspace(0, len(analog), len(pairs) + 1).astype(int)
    for number, index in enumerate(rng.permutation(len(pairs))):
        slot = (edges[number] + GAP // 2, edges[number + 1] - GAP // 2)
        start, columns, stretch = place(analog, noise, slot, *pairs[index], rng)
        faulty = analog[start:start + len(stretch)].copy()
        faulty[:, columns] = stretch
        was = clean[start:start + len(stretch)]
        now = np.where(was < 0, was, to_counts(faulty, bits))
        changed = np.flatnonzero((now != was).any(axis=1))
        counts[start:start + len(stretch)] = now
        rows.append((start + changed[0], start + changed[-1] + 1, pairs[index][0],
                     "+".join(NAMES[column] for column in columns), pairs[index][1]))
    return counts, rows
