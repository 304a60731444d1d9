"""Each kind of fault: worked values, and what all of them share."""
import inspect

import numpy as np
import pytest

from kit.source import faults
from kit.source.faults import FAULTS

X = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0])


def rng(seed=0):
    return np.random.default_rng(seed)


def either_sign(actual, clean, change):
    change = np.asarray(change, float)
    return np.allclose(actual, clean + change) or np.allclose(actual, clean - change)


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_fault_is_pure_and_says_where_it_comes_from(kind):
    x = X.copy()
    one, two = (FAULTS[kind](x, 3, 5, 2, rng(1)) for _ in range(2))
    assert one.shape == (5,) and one.dtype == float
    assert np.array_equal(x, X)  # the channel is left as it is
    assert one.base is not x  # and nothing later reaches it
    np.testing.assert_array_equal(one, two)
    assert any(source in inspect.getdoc(FAULTS[kind]) for source in ("[S]", "[N]", "[G]"))


def test_there_are_twelve_kinds():
    assert set(FAULTS) == {
        "spike", "stuck", "bias", "drift", "gain", "noise_burst", "dropout", "saturation",
        "delay", "decorrelation", "frequency_change", "degradation"}


def test_spike_jumps_and_recovers_by_halves():
    assert either_sign(faults.spike(X, 2, 4, 8.0, rng()), X[2:6], [8, 4, 2, 1])


def test_stuck_holds_the_value_before_its_onset():
    assert faults.stuck(X, 5, 3, None, rng()).tolist() == [5.0, 5.0, 5.0]


def test_bias_shifts_by_its_strength():
    assert either_sign(faults.bias(X, 1, 3, 2.5, rng()), X[1:4], [2.5, 2.5, 2.5])


def test_drift_reaches_its_strength_at_the_last_sample():
    assert either_sign(faults.drift(X, 0, 4, 2.0, rng()), X[:4], [0.5, 1.0, 1.5, 2.0])


def test_bias_spike_and_drift_take_both_signs():
    for fault in (faults.bias, faults.spike, faults.drift):
        changes = {np.sign((fault(X, 2, 2, 3.0, rng(seed)) - X[2:4])[0]) for seed in range(20)}
        assert changes == {-1.0, 1.0}


def test_gain_stretches_about_the_mean_and_keeps_it():
    faulty = faults.gain(X, 2, 4, 3.0, rng())  # 4 1 5 9 has mean 4.75
    assert faulty.tolist() == [2.5, -6.5, 5.5, 17.5]
    assert faulty.mean() == X[2:6].mean()


def test_noise_burst_adds_white_noise_of_its_strength():
    added = faults.noise_burst(np.zeros(20000), 0, 20000, 2.0, rng())
    assert added.std() == pytest.approx(2, rel=0.03) and added.mean() == pytest.approx(0, abs=0.05)
    assert np.corrcoef(added[1:], added[:-1])[0, 1] == pytest.approx(0, abs=0.03)


def test_dropout_loses_its_share_and_always_both_ends():
    faulty = faults.dropout(np.arange(20000.0), 0, 20000, 0.4, rng())
    lost = np.isnan(faulty)
    assert lost.mean() == pytest.approx(0.4, abs=0.02) and lost[0] and lost[-1]
    assert np.array_equal(faulty[~lost], np.arange(20000.0)[~lost])
    assert np.isnan(faults.dropout(X, 2, 5, 1.0, rng())).all()


def test_saturation_cuts_what_is_above():
    # the stretch 4 1 5 9 peaks at 9; cut 3 below
    assert faults.saturation(X, 2, 4, 3.0, rng()).tolist() == [4.0, 1.0, 5.0, 6.0]


def test_delay_reports_what_was_seen_before():
    assert faults.delay(X, 3, 4, 2, rng()).tolist() == X[1:5].tolist()


def test_decorrelation_keeps_the_values_and_loses_the_agreement():
    chirp = np.sin((np.arange(200) / 20) ** 2)
    faulty = faults.decorrelation(chirp, 50, 100, None, rng())
    assert sorted(faulty) == sorted(chirp[50:150])
    assert abs(np.corrcoef(faulty, chirp[50:150])[0, 1]) < 0.3
    assert faults.decorrelation(X, 2, 4, None, rng()).tolist() == [9.0, 5.0, 1.0, 4.0]


def test_frequency_change_runs_faster_from_its_onset():
    assert faults.frequency_change(X, 1, 4, 2.0, rng()).tolist() == [1.0, 1.0, 9.0, 6.0]
    assert faults.frequency_change(X, 1, 3, 1.5, rng()).tolist() == [1.0, 2.5, 5.0]
    assert faults.frequency_change(X, 8, 2, 3.0, rng()).tolist() == [5.0, 3.0]  # past the end


def test_frequency_change_multiplies_the_frequency():
    wave = np.sin(2 * np.pi * np.arange(2000) / 100)
    faulty = faults.frequency_change(wave, 0, 600, 2.0, rng())
    assert np.argmax(np.abs(np.fft.rfft(faulty))) == 12  # 6 periods become 12


def test_degradation_grows_ever_faster_and_only_upwards():
    for seed in range(5):
        faulty = faults.degradation(X, 0, 4, 16.0, rng(seed))
        assert (faulty - X[:4]).tolist() == [1.0, 4.0, 9.0, 16.0]
