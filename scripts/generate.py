"""Makes the record of a pump skid, and puts labelled faults into its test part; or cuts your log.

    sh scripts/run generate --params params.yaml --train data/generate/train.csv \\
        --validation data/generate/validation.csv --test data/generate/test.csv \\
        --events data/generate/events.csv

In:  the section `generate` of params.yaml. Out: three consecutive parts of one simulation (train
and validation hold normal operation alone), and the table of the test part's events. When
`generate.source` is a CSV or a folder of CSVs, the parts are cut from it (docs/your-own-data.md).
"""
import numpy as np
import pandas as pd

from kit.base.cli import UserError, parser, run
from kit.base.params import is_simulation, load_params
from kit.record.records import EVENT_COLUMNS, Record, write_events, write_record
from kit.source.injection import LENGTH, NAMES, inject, plan
from kit.source.machine import from_counts, simulate, to_counts, within_range
from kit.source.parts import PARTS, split

LEAST_EVENTS = 3
FIRST_SAMPLE = np.datetime64("2020-01-06T00:00:00", "s")  # a Monday


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
    check_length(params)
    counts[edges[2]:], rows = inject(
        analog[edges[2]:], clean, np.sqrt(np.mean(machine.noise_sd**2, axis=0)), bits,
        params["anomalous_share"], rng)
    time = FIRST_SAMPLE + np.arange(edges[-1]) * np.timedelta64(interval_s, "s")
    values = from_counts(counts, bits)
    parts = [Record(time[a:b], NAMES, values[a:b]) for a, b in zip(edges, edges[1:])]
    return parts, pd.DataFrame(rows, columns=EVENT_COLUMNS), from_counts(clean, bits)


def check_length(params):
    """UserError where the test part is too short for a few events."""
    samples, share = params["test_samples"], params["anomalous_share"]
    if len(plan(samples, share)) < LEAST_EVENTS:
        least = -(-sum(sorted(LENGTH.values())[:LEAST_EVENTS]) // share)
        raise UserError(
            "generate.test_samples is %d, too short for %d events with generate.anomalous_share "
            "%g; allowed: %d or more" % (samples, LEAST_EVENTS, share, least))


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
