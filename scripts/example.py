"""Makes examples/ventilation.csv: a ventilation unit as a building's historian exports it.

    sh scripts/run example --out examples/ventilation.csv

Semicolons, decimal commas, local names, times without a zone, a sample every five minutes for
sixteen days, cells that are missing, two outages of the logger, and a column that is 1 while the
janitor's book says that something was wrong.
"""
import numpy as np

from kit.base.cli import parser, run, write_text

ROWS = 4608  # 16 days
STEP_MIN = 5
START = np.datetime64("2021-03-01T00:00", "m")  # a Monday
COLUMNS = ["zeit", "fan_speed_percent", "air_flow_m3h", "filter_pressure_pa", "motor_power_kw",
           "supply_temperature_c", "fault"]
DECIMALS = [1, 0, 1, 2, 2]
OUTAGES = [(1210, 1234), (3000, 3003)]  # rows that the logger did not write
FAULTS = [  # rows, and what happens in them
    (900, 930, "service"), (3340, 3364, "belt"), (3560, 3590, "stuck"), (3770, 3794, "offset"),
    (3990, 3994, "spike"), (4160, 4200, "belt"), (4400, 4424, "offset"),
]


def lagged(target, weight):
    """First-order lag of target (n,)."""
    found, value = np.empty(len(target)), target[0]
    for row, wanted in enumerate(target):
        value += weight * (wanted - value)
        found[row] = value
    return found


def unit(rng):
    """Readings (n, 5) of the healthy unit."""
    hour = np.arange(ROWS) * STEP_MIN / 60.0
    of_day, day = hour % 24, (hour // 24).astype(int)
    working = (of_day >= 6.5) & (of_day < 19) & (day % 7 < 5)
    demand = np.where(working, 74 + 8 * np.sin(2 * np.pi * (of_day - 10) / 12), 35)
    speed = lagged(demand + lagged(rng.normal(0, 9, ROWS), 0.1), 0.3)
    flow = 61 * speed + rng.normal(0, 25, ROWS)
    fouling = 1 + 0.2 * np.arange(ROWS) / ROWS
    pressure = 6.5e-6 * fouling * flow**2 + rng.normal(0, 0.6, ROWS)
    power = 0.35 + 9e-6 * speed**3 + rng.normal(0, 0.02, ROWS)
    outdoor = 6 + 5 * np.sin(2 * np.pi * (hour - 9) / 24) + lagged(rng.normal(0, 8, ROWS), 0.01)
    temperature = 19 + 0.06 * outdoor - 0.01 * (speed - 50) + lagged(rng.normal(0, 0.3, ROWS), 0.3)
    return np.stack([speed, flow, pressure, power, temperature], axis=1)


def with_faults(readings):
    """(readings with the faults in them, fault column (n,))."""
    faulty, marks = readings.copy(), np.zeros(ROWS, int)
    for start, end, kind in FAULTS:
        rows = slice(start, end)
        marks[rows] = 1
        if kind == "service":
            faulty[rows, 1:4] *= 0.1
        if kind == "belt":  # the motor turns, the fan less so
            faulty[rows, 1] *= 0.72
            faulty[rows, 2] *= 0.72**2
        if kind == "stuck":
            faulty[rows, 2] = faulty[start, 2]
        if kind == "offset":
            faulty[rows, 4] += 2.5
        if kind == "spike":
            faulty[rows, 3] += 4
    return faulty, marks


def text_of(readings, marks, rng):
    """The file's text."""
    written = np.ones(ROWS, bool)
    for start, end in OUTAGES:
        written[start:end] = False
    missing = rng.random(readings.shape) < 0.001
    lines = [";".join(COLUMNS)]
    for row in np.flatnonzero(written):
        time = str(START + row * np.timedelta64(STEP_MIN, "m")).replace("T", " ")
        cells = ["" if gone else ("%.*f" % (decimals, value)).replace(".", ",")
                 for value, decimals, gone in zip(readings[row], DECIMALS, missing[row])]
        lines.append(";".join([time] + cells + [str(marks[row])]))
    return "\n".join(lines) + "\n"


def main(argv):
    p = parser(__doc__)
    p.add_argument("--out", required=True, help="CSV file to write")
    p.add_argument("--seed", type=int, default=7, help="(default: %(default)s)")
    args = p.parse_args(argv)
    rng = np.random.Generator(np.random.PCG64(args.seed))
    readings, marks = with_faults(unit(rng))
    write_text(args.out, text_of(readings, marks, rng))


if __name__ == "__main__":
    run(main)
