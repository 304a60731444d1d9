"""Make the synthetic record of a pump skid, and put labelled faults into its test part.

    sh scripts/run generate --params params.yaml --train train.csv --validation validation.csv \\
        --test test.csv --events events.csv

In: the section `generate` of params.yaml. Out: three consecutive parts of one simulation as CSV
(train and validation hold normal operation only) and the table of the test part's events.
"""
import numpy as np
import pandas as pd

from kit.cli import UserError, parser, run
from kit.faults import FAULTS
from kit.machine import CHANNELS, from_counts, simulate, to_counts
from kit.params import load_params
from kit.records import EVENT_COLUMNS, Record, write_events, write_record

FIRST_SAMPLE = np.datetime64("2020-01-06T00:00:00", "s")
GAP = 150  # samples between events: three windows of 50, so that one event's echo has died
SEVERITIES = ("plain", "medium", "hard")
# Root mean square of what a fault alters, in standard deviations of the sensors' noise.
DEPTH = {"plain": 10.0, "medium": 5.0, "hard": 2.5}
LENGTH = {  # samples altered by one event
    "spike": 4, "stuck": 20, "bias": 12, "drift": 26, "gain": 16, "noise_burst": 14, "dropout": 8,
    "saturation": 14, "delay": 18, "decorrelation": 18, "frequency_change": 22, "degradation": 40,
}
KINDS_SHORT_FIRST = sorted(FAULTS, key=lambda kind: (LENGTH[kind], kind))
LOST_SHARE = {"plain": 1.0, "medium": 0.7, "hard": 0.4}  # of a dropout's samples
DELAY_STEPS = {"plain": 10, "medium": 6, "hard": 3}
FREQUENCY_FACTOR = {"plain": 3.0, "medium": 2.0, "hard": 1.5}
PEAK_OVER_RMS = {"spike": 4 ** 0.5 * 0.867, "drift": 3 ** 0.5, "degradation": 5 ** 0.5}
SLOW = {"bearing_temperature_c"}  # hardly moves within an event
TRIES = 60  # places compared for one event
LEAST_EVENTS = 3


def plan(n_samples, fraction):
    """The (kind, severity) pairs whose lengths fill `fraction` of n_samples, plain ones first."""
    budget, pairs = fraction * n_samples, []
    while True:
        for severity in SEVERITIES:
            for kind in KINDS_SHORT_FIRST:
                budget -= LENGTH[kind]
                slot = n_samples // (len(pairs) + 1)
                if budget < 0 or slot < GAP + 2 * LENGTH[kind]:
                    return pairs
                pairs.append((kind, severity))


def channels_of(kind, rng):
    """Column numbers of the channels that an event of this kind alters."""
    names = [channel.name for channel in CHANNELS]
    if kind == "degradation":
        return [names.index("bearing_temperature_c"), names.index("vibration_mm_s")]
    moving = kind in ("stuck", "gain", "delay", "decorrelation", "frequency_change", "saturation")
    allowed = [c for c, name in enumerate(names) if not (moving and name in SLOW)]
    return [int(rng.choice(allowed))]


def strength_of(kind, severity, stretch, floor):
    """The strength that a fault function takes, for a severity, on a stretch of the channel."""
    depth = DEPTH[severity] * floor
    if kind == "gain":
        return 1 + depth / max(stretch.std(), floor)
    if kind == "dropout":
        return LOST_SHARE[severity]
    if kind == "delay":
        return DELAY_STEPS[severity]
    if kind == "frequency_change":
        return FREQUENCY_FACTOR[severity]
    return depth * PEAK_OVER_RMS.get(kind, 1.0)


def alter(analog, floor, start, kind, severity, columns, rng):
    """Copy of analog (n, C) with one fault in it."""
    length, faulty = LENGTH[kind], analog.copy()
    for column in columns:
        stretch = analog[start:start + length, column]
        strength = strength_of(kind, severity, stretch, floor[column])
        faulty[start:start + length, column] = FAULTS[kind](
            analog[:, column], start, length, strength, rng)
    return faulty


def depth_of(kind, start, columns, clean, faulty, floor):
    """Root mean square alteration of an event, in standard deviations of the noise."""
    rows = slice(start, start + LENGTH[kind])
    ratio = (faulty - clean)[rows, columns] / floor[columns]
    return np.sqrt(np.mean(ratio**2)) if np.isfinite(ratio).all() else np.inf


def place(analog, floor, kind, severity, slot, rng):
    """The fault in the place of its slot that fits the severity best: (faulty, columns)."""
    best, best_misfit = None, np.inf
    columns = channels_of(kind, rng)
    for _ in range(TRIES):
        start = int(rng.integers(slot[0], slot[1] - LENGTH[kind] + 1))
        faulty = alter(analog, floor, start, kind, severity, columns, rng)
        depth = depth_of(kind, start, columns, analog, faulty, floor)
        misfit = abs(np.log(max(depth, 1e-9) / DEPTH[severity]))
        if best is None or misfit < best_misfit:
            best, best_misfit = faulty, misfit
    return best, columns


def inject(analog, floor, clean_counts, bits, fraction, rng):
    """Faulty ADC counts (n, C) and the event table of a clean test part."""
    n = len(analog)
    pairs = plan(n, fraction)
    if len(pairs) < LEAST_EVENTS:
        raise UserError(
            "generate.test_samples is %d: room for %d events at %g of the samples; "
            "allowed: 900 or more" % (n, len(pairs), fraction))
    counts, rows = clean_counts.copy(), []
    for number, index in enumerate(rng.permutation(len(pairs))):
        kind, severity = pairs[index]
        slot = (number * n // len(pairs) + GAP // 2, (number + 1) * n // len(pairs) - GAP // 2)
        faulty, columns = place(analog, floor, kind, severity, slot, rng)
        recorded = np.where(clean_counts < 0, -1, to_counts(faulty, bits))
        changed = recorded != clean_counts
        altered = np.flatnonzero(changed.any(axis=1))
        counts[changed] = recorded[changed]
        names = "+".join(CHANNELS[column].name for column in columns)
        rows.append((altered[0], altered[-1] + 1, kind, names, severity))
    return counts, pd.DataFrame(rows, columns=EVENT_COLUMNS)


def generate(params):
    """The three parts as Records, and the events of the test part, from the section's values."""
    rng = np.random.Generator(np.random.PCG64(params["seed"]))
    bits = params["adc_bits"]
    lengths = [params[part + "_samples"] for part in ("train", "validation", "test")]
    machine = simulate(rng, sum(lengths), params["sample_interval_s"])
    analog = machine.signal + machine.noise
    floor = np.sqrt(np.mean(machine.noise_sd**2, axis=0))
    counts = to_counts(analog, bits)
    counts[rng.random(counts.shape) < params["missing_share"]] = -1
    test = slice(sum(lengths[:2]), None)
    counts[test], events = inject(
        analog[test], floor, counts[test], bits, params["anomalous_share"], rng)
    values = from_counts(counts, bits)
    time = FIRST_SAMPLE + np.arange(len(values)) * np.timedelta64(params["sample_interval_s"], "s")
    names = [channel.name for channel in CHANNELS]
    bounds = np.cumsum([0] + lengths)
    parts = [Record(time[a:b], names, values[a:b]) for a, b in zip(bounds, bounds[1:])]
    return parts, events


def main(argv):
    cli = parser(__doc__)
    cli.add_argument("--params", default="params.yaml")
    for name in ("train", "validation", "test", "events"):
        cli.add_argument("--" + name, required=True, help="CSV file to write")
    args = cli.parse_args(argv)
    parts, events = generate(load_params(args.params)["generate"])
    for path, part in zip((args.train, args.validation, args.test), parts):
        write_record(path, part)
    write_events(args.events, events)


if __name__ == "__main__":
    run(main)
