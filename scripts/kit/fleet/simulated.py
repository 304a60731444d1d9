"""A fleet of simulated machines, each with a gain, a noise, a length and faults of its own."""
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kit.base.cli import atomic_path
from kit.record.timeline import iso
from kit.source.injection import NAMES, inject
from kit.source.machine import from_counts, simulate, to_counts, within_range

ROW_GROUP = 1 << 14  # rows: memory of a reader grows with it
FIRST_SAMPLE, INTERVAL_S, BITS = np.datetime64("2024-01-01T00:00:00", "us"), 60, 12
GAIN = 0.005  # standard deviation of a channel's gain from one machine to the next
NOISE = (0.9, 1.1)  # times that of the model's machine
SHORTEST = 0.7  # of the samples: some machines came later
HOLE_SHARE, HOLE = 0.1, (20, 2000)  # of the machines have one, samples
MISSING_SHARE, FAULTY_SHARE = 0.0002, 0.002  # of all cells, of the samples

FAULTS = ("sensor", "start_time", "end_time", "kind", "channels", "severity")


def machine(samples, seed, number):
    """(times (n,), values (n, C), rows of FAULTS without the sensor) of one machine."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number])))
    samples = int(samples * rng.uniform(SHORTEST, 1))
    clean = simulate(rng, samples, INTERVAL_S)
    gain = 1 + GAIN * rng.standard_normal(len(NAMES))
    noise = rng.uniform(*NOISE)
    analog = within_range(clean.signal * gain + noise * clean.noise)
    counts = to_counts(analog, BITS)
    counts[rng.random(counts.shape) < MISSING_SHARE] = -1
    faulty, faults = inject(analog, counts, noise * np.sqrt(np.mean(clean.noise_sd ** 2, axis=0)),
                            BITS, FAULTY_SHARE, rng)
    time = FIRST_SAMPLE + np.arange(samples) * np.timedelta64(INTERVAL_S, "s")
    kept = np.ones(samples, bool)
    if rng.random() < HOLE_SHARE:
        start = int(rng.integers(samples))
        kept[start:start + int(rng.integers(*HOLE))] = False
    ends = [iso(time[[start, end - 1]]).tolist() + [kind, channels, severity]
            for start, end, kind, channels, severity in faults]
    return time[kept], from_counts(faulty, BITS)[kept], ends


def run(task):
    """Write the logs of some machines; {"faults": rows of FAULTS}.

    task : dict of `folder`, `samples`, `seed`, `numbers`, `digits` of the sensors' names
    """
    found = []
    for number in task["numbers"]:
        name = "%0*d" % (task["digits"], number)
        time, values, faults = machine(task["samples"], task["seed"], number)
        table = pa.table([pa.array(time)] + [pa.array(column) for column in values.T],
                         names=["time"] + NAMES)
        with atomic_path(os.path.join(task["folder"], "sensor=" + name, "log.parquet")) as partial:
            pq.write_table(table, partial, row_group_size=ROW_GROUP, compression="zstd")
        found += [[name] + row for row in faults]
    return {"faults": found}
