"""The pump skid: its physics, its modes, its sensors and their converter."""
import numpy as np
import pytest

from kit.source import machine
from kit.source.machine import CHANNELS, MODES, from_counts, to_counts

MINUTE_S = 60
COLUMN = {channel.name: column for column, channel in enumerate(CHANNELS)}


@pytest.fixture(scope="module")
def week():
    """A week of noise-free readings, one a minute: {channel: (n,)}."""
    signal = machine.operate(np.random.default_rng(1), 7 * 1440, MINUTE_S)
    return {name: signal[:, column] for name, column in COLUMN.items()}


def test_same_generator_state_same_simulation():
    first, second, other = (machine.simulate(np.random.default_rng(seed), 300, MINUTE_S)
                            for seed in (3, 3, 4))
    assert np.array_equal(first.signal, second.signal)
    assert np.array_equal(first.noise, second.noise)
    assert not np.array_equal(first.signal, other.signal)


def test_a_week_stays_within_the_ranges_of_the_converters(week):
    for channel in CHANNELS:
        reading = week[channel.name]
        assert reading.min() >= channel.low and reading.max() < channel.low + channel.span
        assert np.ptp(reading) > 0.2 * channel.span  # and makes use of them


def test_the_operating_point_lies_on_pump_curve_and_system_curve():
    nu, demand, strainer = np.array([0.5, 0.8, 1.0]), np.array([0.3, 0.6, 0.9]), np.zeros(3)
    flow, suction, discharge = machine.hydraulics(nu, demand, strainer, np.full(3, 1.1))
    head = discharge - suction
    assert head == pytest.approx(8 * nu**2 - 6.9e-4 * flow**2)
    valve = 6.4e-4 * np.exp(4.1 * (1 - demand))
    lift = machine.soft_positive(8 * nu**2 - 0.5) - machine.soft_positive(-0.5)
    assert head - (8 * nu**2 - lift) == pytest.approx((valve + 1.4e-4) * flow**2)
    assert suction == pytest.approx(1.1 - 1.4e-4 * flow**2)


def test_affinity_laws_hold_far_above_the_static_head():
    """Flow follows speed, head its square, power its cube (torque its square)."""
    one, two = (machine.hydraulics(np.array([nu]), 0.7, 0.0, 1.1) for nu in (20.0, 40.0))
    assert two[0] / one[0] == pytest.approx(2, rel=1e-3)
    assert (two[2] - two[1]) / (one[2] - one[1]) == pytest.approx(4, rel=1e-3)
    steady = [machine.motor_current(np.full(2, nu), np.full(2, 40 * nu), MINUTE_S)[1]
              for nu in (20.0, 40.0)]
    assert steady[1] / steady[0] == pytest.approx(4, rel=1e-3)


def test_a_stopped_pump_is_silent():
    still = np.zeros(3)
    flow, suction, discharge = machine.hydraulics(still, 0.5, 0.3, 1.1)
    assert flow == pytest.approx(0, abs=1e-6) and discharge == pytest.approx(suction)
    assert machine.motor_current(still, flow, MINUTE_S) == pytest.approx(0)
    assert machine.vibration_velocity(still, flow, 0.3) == pytest.approx(0)


def test_more_demand_more_flow_less_pressure_more_current():
    shut, half, wide = (machine.hydraulics(np.full(2, 0.8), demand, 0.0, 1.1)
                        for demand in (0.2, 0.5, 0.8))
    for less, more in ((shut, half), (half, wide)):
        assert (more[0] > less[0]).all() and (more[2] < less[2]).all()
        assert machine.motor_current(np.full(2, 0.8), more[0], MINUTE_S)[0] > (
            machine.motor_current(np.full(2, 0.8), less[0], MINUTE_S)[0])


def test_channels_of_a_week_are_coupled_as_the_laws_say(week):
    nu = week["speed_rpm"] / 3000
    head = week["discharge_pressure_bar"] - week["suction_pressure_bar"]
    assert np.corrcoef(head + 6.9e-4 * week["flow_m3h"]**2, nu**2)[0, 1] > 0.9999
    assert np.corrcoef(week["motor_current_a"], nu**2)[0, 1] > 0.8
    assert np.corrcoef(week["suction_pressure_bar"], week["flow_m3h"]**2)[0, 1] < -0.6


def test_low_pass_noise_has_unit_variance_and_its_time_constant():
    wander = machine.low_pass_noise(np.random.default_rng(0), 400000, 10.0)
    assert wander.var() == pytest.approx(1, rel=0.05)
    # two equal lags: autocorrelation (1 + t / tau) exp(-t / tau)
    assert np.mean(wander[10:] * wander[:-10]) == pytest.approx(2 / np.e, abs=0.05)


@pytest.mark.parametrize("interval_s", [10, 60, 600])
def test_modes_dwell_and_ramp_in_minutes_whatever_the_interval(interval_s):
    n = 30 * 86400 // interval_s
    rpm = machine.mode_speed(np.random.default_rng(2), n, interval_s)
    dwelling = np.isin(np.round(rpm, 6), [mode.rpm for mode in MODES])
    assert {mode.rpm for mode in MODES} == set(np.round(rpm[dwelling], 6))
    assert 0.6 < dwelling.mean() < 0.95
    steepest = np.abs(np.diff(rpm)).max() / interval_s * 60  # rpm per minute
    assert steepest <= 2800 / 20 * 1.001


def test_the_drum_turns_with_the_shaft():
    def cycles(nu):
        clogging = machine.strainer_clogging(np.full(4096, nu), MINUTE_S, 0.0)
        return np.argmax(np.abs(np.fft.rfft(clogging))[1:]) + 1

    assert cycles(1.0) == 4096 / 16
    assert cycles(0.5) == 4096 / 32


def test_vibration_peaks_at_the_resonance():
    nu = np.linspace(0.4, 1.0, 121)
    flow = 60 * nu  # at the best efficiency point
    shaft = machine.vibration_velocity(nu, flow, 0.0) / nu**2
    assert 0.6 < nu[np.argmax(shaft)] < 0.7


def test_the_bearing_warms_with_its_time_constant_and_the_fan_holds_it():
    warm = machine.bearing_temperature(np.full(36, 20.0), np.full(36, 10.0), MINUTE_S)
    # from 20 towards 30 deg C, tau 35 minutes, after 35 of them; the first entry is one step in
    assert warm[34] == pytest.approx(30 - 10 / np.e)
    hot = machine.bearing_temperature(np.full(2000, 45.0), np.full(2000, 20.0), MINUTE_S)[200:]
    assert 48 < hot.max() < 49 and 41 < hot.min() < 42


def test_noise_grows_with_the_reading():
    low, high = machine.noise_sd(np.array([[1000.0] * 7, [2000.0] * 7]))
    assert low[0] == pytest.approx(12 + 0.012 * 1000) and high[0] == pytest.approx(36)
    assert high[COLUMN["bearing_temperature_c"]] == low[COLUMN["bearing_temperature_c"]] == 0.45


def test_simulated_noise_has_the_stated_deviation():
    run = machine.simulate(np.random.default_rng(5), 4000, MINUTE_S)
    assert (run.noise / run.noise_sd).std(axis=0) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("bits", [8, 12, 16, 24])
def test_counts_survive_the_way_to_values_and_back(bits):
    counts = np.random.default_rng(bits).integers(-1, 2**bits, (500, len(CHANNELS)))
    assert np.array_equal(to_counts(from_counts(counts, bits), bits), counts)


def test_conversion_by_hand():
    # speed: 3600 rpm in 4096 counts, 0.87890625 each; suction: from -0.5 bar, 2.5 bar in all
    rows = np.zeros((4, 7))
    rows[:, 0] = [0.0, 1000.0, 5000.0, np.nan]
    rows[:, 2] = [-0.5, 0.0, -9.0, 1.0]
    counts = to_counts(rows, 12)
    assert counts[:, 0].tolist() == [0, 1138, 4095, -1]
    assert counts[:, 2].tolist() == [0, 819, 0, 2458]
    values = from_counts(counts, 12)
    assert values[:3, 0].tolist() == [0.0, 1000.2, 3599.12]
    assert np.isnan(values[3, 0])
    assert values[:, 2].tolist() == [-0.5, -0.00012, -0.5, 1.00024]


def test_values_are_short_decimals():
    values = from_counts(np.arange(4096)[:, None].repeat(7, axis=1), 12)
    assert max(len(repr(value)) for value in values.ravel().tolist()) <= 8


def test_within_range_clips_and_keeps_what_is_missing():
    clipped = machine.within_range(np.array([[-5.0], [4000.0], [np.nan]]), [0])
    assert clipped[:2, 0].tolist() == [0.0, 3600.0] and np.isnan(clipped[2, 0])
