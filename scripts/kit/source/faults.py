"""Sensor faults: each a pure function that gives the faulty stretch of one channel.

Every function takes the whole channel x (n,), the stretch [start, start + length), a strength of
its own meaning, and rng; it returns the faulty stretch (length,) and leaves x as it is.

Sources: [S] Sharma, Golubchik, Govindan: Sensor faults: detection methods and prevalence in
real-world datasets, TOSN 2010, doi 10.1145/1754414.1754419. [N] Ni et al.: Sensor network data
fault types, TOSN 2009, doi 10.1145/1525856.1525863. [G] Wenig, Schmidl, Papenbrock: TimeEval
(with its generator GutenTAG), PVLDB 15(12), 2022, doi 10.14778/3554821.3554873.
"""
import numpy as np


def spike(x, start, length, strength, rng):
    """x + s 2^-i with i = 0, 1, ...: a jump by s = strength (channel units) and its recovery.

    SHORT in [S], spike in [N]; the recovery is that of an input filter.
    """
    return x[start:start + length] + _sign(rng) * strength * 0.5 ** np.arange(length)


def stuck(x, start, length, strength, rng):
    """x[start - 1]: the last good value, held. Strength has no meaning here.

    CONSTANT in [S], stuck-at in [N].
    """
    return np.full(length, x[start - 1])


def bias(x, start, length, strength, rng):
    """x + s with s = strength (channel units), either sign. Offset in [N], mean in [G]."""
    return x[start:start + length] + _sign(rng) * strength


def drift(x, start, length, strength, rng):
    """x + s (i + 1) / length: a straight ramp up to s = strength (channel units), then reset.

    Calibration drift in [N], trend in [G].
    """
    return x[start:start + length] + _sign(rng) * strength * np.arange(1, length + 1) / length


def gain(x, start, length, strength, rng):
    """m + g (x - m), with m the stretch's mean and g = strength, without unit.

    Calibration gain in [N], amplitude in [G].
    """
    mean = x[start:start + length].mean()
    return mean + strength * (x[start:start + length] - mean)


def noise_burst(x, start, length, strength, rng):
    """x + s e with e ~ N(0, 1) and s = strength (channel units).

    NOISE in [S], high noise in [N], variance in [G].
    """
    return x[start:start + length] + strength * rng.standard_normal(length)


def dropout(x, start, length, strength, rng):
    """x with each sample missing (NaN) with probability strength; the first and last always are.

    Missing data as a consequence of connection faults in [N].
    """
    lost = rng.random(length) < strength
    lost[[0, -1]] = True
    return np.where(lost, np.nan, x[start:start + length])


def saturation(x, start, length, strength, rng):
    """min(x, c) with c = max(x) - s over the stretch, s = strength (channel units).

    Clipping: environment out of range in [N], platform in [G].
    """
    stretch = x[start:start + length]
    return np.minimum(stretch, stretch.max() - strength)


def delay(x, start, length, strength, rng):
    """x[i - d]: the channel reports what it saw d = strength samples before.

    A late clock or a blocked bus: pattern shift in [G].
    """
    return x[start - strength:start - strength + length].copy()


def decorrelation(x, start, length, strength, rng):
    """x[start + length - 1 - i]: the stretch run backwards.

    Its values, mean and spectrum stay; what is lost is its agreement with the other channels:
    mode correlation in [G]. Strength has no meaning here.
    """
    return x[start:start + length][::-1].copy()


def frequency_change(x, start, length, strength, rng):
    """x(start + f i), linear between samples: the stretch runs f = strength times as fast.

    Frequency in [G]. Past the end of the channel its last value is repeated.
    """
    return np.interp(start + strength * np.arange(length), np.arange(len(x)), x)


def degradation(x, start, length, strength, rng):
    """x + s ((i + 1) / length)^2: wear that grows ever faster, up to s = strength (channel units).

    The progressive course of a machine's own fault, seen by several of its sensors: unlike
    drift in [N], it only rises.
    """
    return x[start:start + length] + strength * (np.arange(1, length + 1) / length) ** 2


def _sign(rng):
    return rng.choice([-1.0, 1.0])


FAULTS = {
    fault.__name__: fault
    for fault in (spike, stuck, bias, drift, gain, noise_burst, dropout, saturation, delay,
                  decorrelation, frequency_change, degradation)
}
