"""Makes the record of a pump skid, and puts labelled faults into its test part; or cuts your log.

    sh scripts/run generate --params params.yaml --train data/generate/train.csv \\
        --validation data/generate/validation.csv --test data/generate/test.csv \\
        --events data/generate/events.csv

In:  the section `generate` of params.yaml. Out: three consecutive parts of one simulation (train
and validation hold normal operation alone), and the table of the test part's events. When
`generate.source` is a CSV or a folder of CSVs, the parts are cut from it (docs/your-own-data.md).
"""
import itertools

import numpy as np
import pandas as pd

from kit.base.cli import UserError, parser, run
from kit.base.params import is_simulation, load_params
from kit.record.records import EVENT_COLUMNS, Record, write_events, write_record
from kit.source.faults import FAULTS
from kit.source.machine import CHANNELS, from_counts, simulate, to_counts, within_range
from kit.source.parts import PARTS, split

FIRST_SAMPLE = np.datetime64("2020-01-06T00:00:00", "s")  # a Monday
NAMES = [channel.name for channel in CHANNELS]

LENGTH = {  # samples that one event alters
    "spike": 4, "dropout": 8, "bias": 12, "noise_burst": 14, "saturation": 14, "gain": 16,
    "delay": 18, "decorrelation": 18, "stuck": 22, "frequency_change": 22, "drift": 28,
    "degradation": 40,
}
GAP = 150  # least samples between events: three windows of 50, so that no echo meets the next
LEAST_EVENTS = 3

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
    """ADC counts (n, C) with faults, and the table of events.

    analog : (n, C) before the converter; clean : (n, C) its counts, -1 where missing
    noise : (C,) standard deviation of each channel's noise

    Every event has a slot of its own. Its rows are those where the counts really differ.
    """
    pairs, counts, rows = plan(len(analog), share), clean.copy(), []
    if len(pairs) < LEAST_EVENTS:
        least = -(-sum(sorted(LENGTH.values())[:LEAST_EVENTS]) // share)
        raise UserError(
            "generate.test_samples is %d, too short for %d events with generate.anomalous_share "
            "%g; allowed: %d or more" % (len(analog), LEAST_EVENTS, share, least))
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
    return counts, pd.DataFrame(rows, columns=EVENT_COLUMNS)


def generate(params):
    """Records of the three parts, the table of events, and the clean values of the test part."""
    rng = np.random.Generator(np.random.PCG64(params["seed"]))
    bits, interval_s = params["adc_bits"], params["sample_interval_s"]
    edges = np.cumsum([0] + [params[part + "_samples"] for part in PARTS])
    machine = simulate(rng, edges[-1], interval_s)
    analog = within_range(machine.signal + machine.noise)
    counts = to_counts(analog, bits)
    counts[rng.random(counts.shape) < params["missing_share"]] = -1
    clean = counts[edges[2]:].copy()
    counts[edges[2]:], events = inject(
        analog[edges[2]:], clean, np.sqrt(np.mean(machine.noise_sd**2, axis=0)), bits,
        params["anomalous_share"], rng)
    time = FIRST_SAMPLE + np.arange(edges[-1]) * np.timedelta64(interval_s, "s")
    values = from_counts(counts, bits)
    parts = [Record(time[a:b], NAMES, values[a:b]) for a, b in zip(edges, edges[1:])]
    return parts, events, from_counts(clean, bits)


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    for part in PARTS:
        p.add_argument("--" + part, required=True, help="%s part to write (CSV)" % part)
    p.add_argument("--events", required=True, help="table of events to write (CSV)")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    params = load_params(args.params)
    section = params["generate"]
    if not is_simulation(section["source"]):
        paths = {name: getattr(args, name) for name in PARTS + ("events",)}
        return print("\n".join(
            split(section["source"], section["log"], params["train"]["window_steps"], paths)))
    parts, events, _ = generate(section)
    for path, part in zip((args.train, args.validation, args.test), parts):
        write_record(path, part)
    write_events(args.events, events)
    print("%d channels, %s samples, %d events in the test part"
          % (len(NAMES), " + ".join(str(len(part.time)) for part in parts), len(events)))


if __name__ == "__main__":
    run(main)
