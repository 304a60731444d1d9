"""A pump skid, simulated: the clean record before any fault.

A speed-controlled centrifugal pump draws water through a slowly rotating drum strainer and feeds a
network whose demand nobody measures. Speed and demand fix the operating point (affinity laws and
a quadratic system curve); from it follow both pressures, the motor current and the vibration. The
bearing warms and cools with thermal lag, and a thermostat switches its fan. Two inputs stay hidden:
the demand and the fan.
"""
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from kit.record.timeline import DAY_S

MINUTE = 60.0
HOUR = 3600.0


class Channel(NamedTuple):
    """One sensor: its range is what the ADC spans; its noise is `floor + share * reading`."""

    name: str
    low: float
    span: float
    noise_floor: float
    noise_share: float


CHANNELS = [
    Channel("speed_rpm", 0.0, 3600.0, 12.0, 0.012),
    Channel("flow_m3h", 0.0, 100.0, 0.5, 0.045),
    Channel("suction_pressure_bar", -0.5, 2.5, 0.016, 0.006),
    Channel("discharge_pressure_bar", 0.0, 12.0, 0.03, 0.016),
    Channel("motor_current_a", 0.0, 40.0, 0.15, 0.018),
    Channel("bearing_temperature_c", 0.0, 100.0, 0.45, 0.0),
    Channel("vibration_mm_s", 0.0, 5.0, 0.02, 0.035),
]

class Mode(NamedTuple):
    """An operating mode: its speed, how often it is chosen, and how long the skid stays."""

    rpm: float
    share: float
    shortest_minutes: int
    longest_minutes: int


MODES = [
    Mode(0.0, 0.06, 20, 60),  # stopped
    Mode(1200.0, 0.20, 60, 240),  # circulation
    Mode(1750.0, 0.26, 90, 300),  # part load
    Mode(2350.0, 0.28, 90, 300),  # full load
    Mode(2800.0, 0.20, 60, 180),  # boost
]
FIRST_MODE = 2
NOMINAL_RPM = 3000.0
# Multiple of shaft speed, mm/s at nominal speed, multiple of nominal speed that resonates.
VIBRATION_ORDERS = [(1.0, 0.9, 0.66), (2.0, 0.35, 1.75), (5.0, 0.25, 4.1)]
DAMPING = 0.2


class Machine(NamedTuple):
    """A clean simulation: what a perfect sensor would show, and each sensor's own noise."""

    signal: np.ndarray  # (n, C) in the channels' units
    noise_sd: np.ndarray  # (n, C) in the channels' units
    noise: np.ndarray  # (n, C) in the channels' units


def simulate(rng, n_samples, interval_s):
    """Run the skid for n_samples after a day of warming up; returns a Machine."""
    warm_up = int(np.ceil(DAY_S / interval_s))
    signal = operate(rng, warm_up + n_samples, interval_s)[warm_up:]
    sd = noise_sd(signal)
    return Machine(signal, sd, sd * rng.standard_normal(signal.shape))


def operate(rng, n, interval_s):
    """The noise-free readings, array (n, C) in the order of CHANNELS."""
    time_s = interval_s * np.arange(n)
    wander = low_pass_noise(rng, n, 12 * MINUTE / interval_s)
    nu = mode_speed(rng, n, interval_s) / NOMINAL_RPM * (1 + 0.025 * wander)
    demand = demand_profile(rng, time_s, interval_s)
    strainer = strainer_clogging(nu, interval_s, rng.uniform(0, 2 * np.pi))
    ambient = 20 + 6 * np.sin(2 * np.pi * (time_s / DAY_S - 0.4))
    ambient += 2 * low_pass_noise(rng, n, 6 * HOUR / interval_s)
    supply = 1.1 + 0.03 * low_pass_noise(rng, n, 6 * HOUR / interval_s)

    flow, suction, discharge = hydraulics(nu, demand, strainer, supply)
    current = motor_current(nu, flow, interval_s)
    heat = 24 * nu**2 + 1.2 * discharge * nu
    bearing = bearing_temperature(heat, ambient, interval_s)
    vibration = vibration_velocity(nu, flow, strainer)
    return np.stack(
        [NOMINAL_RPM * nu, flow, suction, discharge, current, bearing, vibration], axis=1)


def low_pass_noise(rng, n, steps):
    """Smooth random wander of unit variance: white noise through two equal first-order lags.

    With pole a = exp(-1 / steps), the variance of 1 / (1 - a z^-1)^2 driven by unit white noise
    is (1 + a^2) / (1 - a^2)^3.
    """
    a = np.exp(-1 / steps)
    scale = np.sqrt((1 - a**2) ** 3 / (1 + a**2))
    return lfilter([scale], [1, -2 * a, a * a], rng.standard_normal(n))


def mode_speed(rng, n, interval_s):
    """Speed that the operating modes ask for, rpm, array (n,): dwells joined by S-shaped ramps.

    Two moving averages, of 20 and 12 minutes, turn each step into an S: a drive that spares the
    pipes from water hammer.
    """
    rpm = mode_steps(rng, n, interval_s)
    for minutes in (20, 12):
        width = max(1, int(round(minutes * MINUTE / interval_s)))
        rpm = lfilter(np.full(width, 1 / width), [1.0], rpm - rpm[0]) + rpm[0]
    return rpm


def mode_steps(rng, n, interval_s):
    """Speed of the mode in force, rpm, array (n,): a random walk over MODES."""
    shares = np.array([mode.share for mode in MODES])
    dwells, length, now = [], 0, FIRST_MODE
    while length < n:
        mode = MODES[now]
        minutes = rng.integers(mode.shortest_minutes, mode.longest_minutes + 1)
        dwells.append(np.full(max(1, int(minutes * MINUTE / interval_s)), mode.rpm))
        length += len(dwells[-1])
        others = np.where(np.arange(len(MODES)) == now, 0, shares)
        now = rng.choice(len(MODES), p=others / others.sum())
    return np.concatenate(dwells)[:n]


def demand_profile(rng, time_s, interval_s):
    """Hidden opening of the network's valves, 0 (shut) to 1 (open), array (n,)."""
    n = len(time_s)
    daily = 0.7 * np.sin(2 * np.pi * (time_s / DAY_S - 0.3))
    slow = 0.6 * low_pass_noise(rng, n, 90 * MINUTE / interval_s)
    fast = 0.45 * low_pass_noise(rng, n, 15 * MINUTE / interval_s)
    return 1 / (1 + np.exp(-(0.6 + daily + slow + fast)))


def strainer_clogging(nu, interval_s, phase):
    """Clogging of the drum sector in the flow, about -1 to 1, array (n,).

    The drum is geared to the shaft (one turn in 16 minutes at nominal speed), so that the
    fundamental and its harmonics follow speed.
    """
    theta = phase + 2 * np.pi * np.cumsum(nu) * interval_s / (16 * MINUTE)
    return 0.6 * np.sin(theta) + 0.3 * np.sin(2 * theta) + 0.15 * np.sin(3 * theta)


def hydraulics(nu, demand, strainer, supply):
    """Flow (m3/h), suction and discharge pressure (bar) where pump and system curves meet.

    Pump: head = 8 nu^2 - b Q^2 (affinity law). System: head = 0.5 + (k + r) Q^2, with an
    equal-percentage valve k(demand) and the strainer's r; below the static head nothing flows.
    """
    b = 6.9e-4
    valve = 6.4e-4 * np.exp(4.1 * (1 - demand))
    resistance = 1.4e-4 * (1 + 0.5 * strainer)
    excess = soft_positive(8 * nu**2 - 0.5) - soft_positive(-0.5)
    flow_squared = excess / (b + valve + resistance)
    suction = supply - resistance * flow_squared
    discharge = suction + 8 * nu**2 - b * flow_squared
    return np.sqrt(flow_squared), suction, discharge


def soft_positive(x, width=0.3):
    """max(x, 0) with its corner rounded over about `width` (the check valve opens gradually)."""
    return (x + np.sqrt(x**2 + width**2)) / 2


def motor_current(nu, flow, interval_s):
    """Motor current in A: magnetising and torque parts in quadrature, plus acceleration.

    Shaft power follows nu^3 (5 + 0.18 phi - 0.0009 phi^2) kW with phi = flow / nu.
    """
    phi = flow / np.maximum(nu, 0.05)
    torque = nu**2 * (5 + 0.18 * phi - 0.0009 * phi**2)  # power / nu
    acceleration = np.diff(nu, prepend=nu[0]) / interval_s * MINUTE
    torque = np.maximum(torque + 35 * acceleration, 0)
    magnetising = 6 * np.tanh(nu / 0.2)
    return np.sqrt(magnetising**2 + (1.6 * torque) ** 2)


def bearing_temperature(heat, ambient, interval_s):
    """Bearing temperature in deg C: a first-order lag whose fan a thermostat switches.

    The fan starts at 48 and stops at 42 deg C; it cuts the time constant from 35 to 14 minutes
    and the temperature rise in the same proportion.
    """
    decay = {on: np.exp(-interval_s / (tau * MINUTE)) for on, tau in ((False, 35), (True, 14))}
    rise = {False: 1.0, True: 14 / 35}
    temperature, fan = ambient[0] + 10.0, False
    result = np.empty(len(heat))
    for i, (warmth, air) in enumerate(zip(heat.tolist(), ambient.tolist())):
        fan = temperature > 42 if fan else temperature > 48
        goal = air + rise[fan] * warmth
        temperature = goal + (temperature - goal) * decay[fan]
        result[i] = temperature
    return result


def vibration_velocity(nu, flow, strainer):
    """Vibration velocity in mm/s RMS: harmonics of shaft speed through a resonance each.

    Each order adds amplitude * nu^2 / sqrt((1 - r^2)^2 + (2 d r)^2), r = order nu / resonance;
    running far from the best efficiency point and the drum's unbalance add to it.
    """
    power = 0
    for order, amplitude, resonance in VIBRATION_ORDERS:
        r = order * nu / resonance
        power = power + amplitude**2 * nu**4 / ((1 - r**2) ** 2 + (2 * DAMPING * r) ** 2)
    off_best = 0.8 * nu**2 * (flow / np.maximum(nu, 0.05) / 60 - 1) ** 2
    return np.sqrt(power) * (1 + 0.25 * strainer) + off_best


def noise_sd(signal):
    """Standard deviation of each sensor's noise, array (n, C): it grows with the reading."""
    floor = np.array([channel.noise_floor for channel in CHANNELS])
    share = np.array([channel.noise_share for channel in CHANNELS])
    return floor + share * np.abs(signal)


def within_range(values, columns=slice(None)):
    """values (n, k) of these columns, clipped to what their converters span; NaN stays."""
    low, span = _ranges()
    return np.clip(values, low[columns], (low + span)[columns])


def to_counts(values, bits):
    """Converter counts, int64 (n, C), of values in the channels' units; a missing sample is -1."""
    low, span = _ranges()
    missing = np.isnan(values)
    scaled = np.rint((np.where(missing, low, values) - low) / span * 2**bits)
    return np.where(missing, -1, np.clip(scaled, 0, 2**bits - 1)).astype(np.int64)


def from_counts(counts, bits):
    """Values of converter counts in the channels' units, NaN for -1.

    Each is a decimal with one digit more than a count resolves, so that its text is short and
    reads back exactly.
    """
    low, span = _ranges()
    lsb = span / 2**bits
    digits = np.maximum(0, 1 - np.floor(np.log10(lsb))).astype(int)
    columns = [np.round(column, digit) for column, digit in zip((low + counts * lsb).T, digits)]
    return np.where(counts < 0, np.nan, np.stack(columns, axis=1))


def _ranges():
    return (np.array([channel.low for channel in CHANNELS]),
            np.array([channel.span for channel in CHANNELS]))
