"""From a record to windows: scaling, held gaps, the sample after a window."""
import json

import numpy as np
import pytest

from kit.base.cli import UserError, write_json
from kit.record.records import Record
from kit.record.windows import (
    Scaler, fit_scaler, held, model_input, read_scaler, scaler_to_json, windows_and_next)


def record(values):
    values = np.array(values, float)
    return Record(np.arange(len(values)).astype("datetime64[s]"), ["a", "b"], values)


NORMAL = record([[1, 10], [3, np.nan], [np.nan, 30], [5, 20]])


def test_the_scaler_leaves_missing_samples_out():
    scaler = fit_scaler(NORMAL)
    np.testing.assert_allclose(scaler.mean, [3, 20])
    np.testing.assert_allclose(scaler.std, [np.sqrt(8 / 3), np.sqrt(200 / 3)])


def test_a_gap_is_filled_with_the_last_value_and_a_first_gap_with_the_mean():
    samples = model_input(NORMAL, fit_scaler(NORMAL))
    assert samples.dtype == np.float32
    assert samples[2, 0] == samples[1, 0] and samples[1, 1] == samples[0, 1]
    start = model_input(record([[np.nan, 10]]), fit_scaler(NORMAL))
    assert start[0, 0] == 0


def test_a_model_sees_no_sample_beyond_the_limit():
    scaler = Scaler(["a", "b"], np.zeros(2), np.ones(2))
    samples = model_input(record([[50, -50], [np.nan, -7.5], [7.5, 1]]), scaler)
    assert samples.tolist() == [[8, -8], [8, -7.5], [7.5, 1]]
    pieces = [held(np.float32([[50, -50]])), held(np.float32([[np.nan, -7.5]]), samples[0])]
    assert np.concatenate(pieces).tolist() == samples[:2].tolist()


def test_a_scaler_reads_back_to_the_bit(tmp_path):
    path = str(tmp_path / "scaler.json")
    scaler = fit_scaler(NORMAL)
    write_json(path, scaler_to_json(scaler))
    back = read_scaler(path)
    assert back.channels == scaler.channels
    np.testing.assert_array_equal(back.mean, scaler.mean)
    np.testing.assert_array_equal(back.std, scaler.std)


def test_a_constant_channel_and_foreign_channels_are_named():
    with pytest.raises(UserError, match="channel b is constant"):
        fit_scaler(record([[1, 2], [3, 2]]))
    other = Record(NORMAL.time, ["a", "c"], NORMAL.values)
    with pytest.raises(UserError, match="log.csv has the channels a, c, but .* trained on a, b"):
        model_input(other, fit_scaler(NORMAL), "log.csv")


def test_windows_and_the_sample_after_each():
    samples = np.arange(12, dtype=np.float32).reshape(6, 2)
    windows, following = windows_and_next(samples, 3)
    assert windows.shape == (3, 3, 2)
    np.testing.assert_array_equal(windows[1], samples[1:4])
    np.testing.assert_array_equal(following, samples[3:])
    every_second, following = windows_and_next(samples, 3, stride=2)
    np.testing.assert_array_equal(every_second, windows[::2])
    np.testing.assert_array_equal(following, samples[[3, 5]])


def test_too_short_a_record_is_named():
    with pytest.raises(UserError, match="3 samples are too few for a window of 3"):
        windows_and_next(np.zeros((3, 2), np.float32), 3)


def test_a_record_longer_than_a_block_is_held_across_its_blocks(monkeypatch):
    rng = np.random.Generator(np.random.PCG64(0))
    values = rng.normal(size=(20, 2))
    values[rng.random(values.shape) < 0.5] = np.nan
    long = Record(np.arange(20).astype("datetime64[s]"), ["a", "b"], values)
    scaler = Scaler(["a", "b"], np.array([0.1, 0.2]), np.array([2.0, 0.5]))
    whole = model_input(long, scaler)
    for block in (1, 3, 19):
        monkeypatch.setattr("kit.record.stretches.BLOCK", block)
        np.testing.assert_array_equal(model_input(long, scaler), whole)


@pytest.mark.parametrize("content, sentence", [
    ({"channels": ["a"], "mean": [float("nan")], "std": [1]}, r"mean\[0\] is NaN"),
    ({"channels": ["a"], "mean": [float("inf")], "std": [1]}, r"mean\[0\] is Infinity"),
    ({"channels": ["a"], "mean": [1], "std": [0]}, r"std\[0\] is 0; a finite number above 0"),
    ({"channels": ["a"], "mean": [1], "std": [1e308]}, r"std\[0\] is 1e\+308"),
    ({"channels": [[]], "mean": [1], "std": [1]}, r"channels\[0\] is \[\]; text"),
    ({"channels": ["a", "b"], "mean": [1], "std": [1, 1]}, "it has 2 channels, 1 mean, 2 std"),
    ({"channels": ["a", "a"], "mean": [1, 2], "std": [1, 1]}, "each channel once"),
    ({"channels": ["a"], "mean": [1]}, "the key std is missing"),
])
def test_a_damaged_scaler_is_refused_by_key(tmp_path, content, sentence):
    (tmp_path / "scaler.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="scaler.json: .*" + sentence):
        read_scaler(str(tmp_path / "scaler.json"))


def test_no_window_spans_two_sessions_and_each_is_held_by_itself():
    values = np.array([[1.0], [np.nan], [3], [4], [np.nan], [6], [7], [8]])
    record = Record(np.arange(8), ["a"], values, np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    samples = model_input(record, Scaler(["a"], np.zeros(1), np.ones(1)))
    assert samples[:, 0].tolist() == [1, 1, 3, 4, 0, 6, 7, 8], "nothing is held across"
    windows, after = windows_and_next(samples, 2, bounds=record.bounds + [(8, 9)])
    assert windows[:, :, 0].tolist() == [[1, 1], [1, 3], [0, 6], [6, 7]]
    assert after[:, 0].tolist() == [3, 4, 7, 8]
    with pytest.raises(UserError, match="no session is longer than a window of 4"):
        windows_and_next(samples, 4, bounds=record.bounds)
