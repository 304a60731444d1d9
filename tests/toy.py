"""A small record for the tests of scores and of their fit, and stand-ins for a model and its scorer."""
import numpy as np

from kit.detection import fitting
from kit.record.stretches import hold_last

OPTIONS = {"time_constants": [3, 8], "energy_time_constants": [3, 8], "fading": 0.9,
           "time_scales": [1, 4, 16, 64], "regimes": 1, "pca_variance": 0.9}
CHANNELS = 3
MIX = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 2.0]])  # 1 and 2 agree, 3 is alone
ONE_REGIME = np.zeros((1, CHANNELS))


def toy(n, seed, missing=0.0):
    """(samples, forecasts): a smooth signal, residuals of covariance MIX'MIX."""
    rng = np.random.default_rng(seed)
    forecasts = np.sin(np.arange(n)[:, None] / [20, 30, 50])
    samples = forecasts + 0.1 * rng.standard_normal((n, CHANNELS)) @ MIX
    samples[rng.random(samples.shape) < missing] = np.nan
    forecasts[:10] = np.nan
    return samples, forecasts


def normal_of(samples, **options):
    return fitting.fit_normal(samples, hold_last(samples), dict(OPTIONS, **options))


def fitted(samples, forecasts, rate=1 / 1000, aspects=fitting.ASPECTS, **options):
    """The detector of a record that is its own train part."""
    options = dict(OPTIONS, **options)
    return fitting.fit(samples, forecasts, normal_of(samples, **options), options, rate, aspects)[0]


# ---- stand-ins


class Persistence:
    """A step model that forecasts the sample before plus a tenth of the step to it."""

    form = "step"

    def __init__(self, source=None):
        self.reset()

    def reset(self):
        self.last = 0

    state = property(lambda self: [np.array(self.last)],
                     lambda self, values: setattr(self, "last", values[0]))

    def stream(self, samples):
        before = np.concatenate([np.zeros((1, samples.shape[1])) + self.last, samples[:-1]])
        self.last = samples[-1]
        return (samples + 0.1 * (samples - before)).astype(np.float32)


class LargestResidual:
    """A scorer without memory."""

    state = {}

    def __init__(self, detector):
        pass

    def begin(self):
        pass

    def update(self, samples, forecasts):
        return np.nan_to_num(np.abs(samples - forecasts)).max(axis=1)


FITTED = {"threshold": 2.5, "warm_up_samples": 3, "interval_s": 60.0}
