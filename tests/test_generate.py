"""The generate stage: what is in the record, where its faults are, and that it repeats."""
import os

import numpy as np
import pytest
import yaml
from sklearn.metrics import average_precision_score

from conftest import ROOT
import generate
from kit.base.cli import UserError
from kit.base.params import load_params
from kit.record.records import labels, read_events, read_record
from kit.source import injection
from kit.source.faults import FAULTS
from kit.source.machine import to_counts

SMOKE = os.path.join(ROOT, "tests", "smoke.yaml")


def section(path=None, **changes):
    return dict(load_params(path or os.path.join(ROOT, "params.yaml"))["generate"], **changes)


def same(a, b):
    return (a == b) | (np.isnan(a) & np.isnan(b))  # (n, C)


@pytest.fixture(scope="module")
def default():
    """(parts, events, clean values of the test part) on the default params."""
    return generate.generate(section())


CASES = {
    "default": section(),
    "smoke": section(SMOKE),
    "other seed": section(seed=11),
    "coarse converter": section(adc_bits=8),
}


@pytest.fixture(scope="module", params=sorted(CASES))
def record(request, default):
    """(parts, events, clean values of the test part, bits) of several records."""
    params = CASES[request.param]
    result = default if request.param == "default" else generate.generate(params)
    return result + (params["adc_bits"],)


def test_parts_follow_one_another(default):
    parts, _, _ = default
    assert [len(part.time) for part in parts] == [24000, 10000, 24000]
    time = np.concatenate([part.time for part in parts])
    assert str(time[0]) == "2020-01-06T00:00:00"
    assert (np.diff(time) == np.timedelta64(60, "s")).all()


def test_outside_the_labels_faulty_and_clean_are_identical(record):
    parts, events, clean, _ = record
    normal = ~labels(events, len(clean))
    assert same(parts[2].values, clean)[normal].all()


def test_every_event_starts_and_ends_on_an_altered_sample(record):
    parts, events, clean, _ = record
    altered = ~same(parts[2].values, clean)
    for event in events.itertuples():
        columns = [generate.NAMES.index(name) for name in event.channels.split("+")]
        for column in columns:
            assert altered[event.start:event.end, column].any()
        assert altered[[event.start, event.end - 1]].any(axis=1).all()
        others = np.delete(altered[event.start:event.end], columns, axis=1)
        assert not others.any()  # the table names every channel that is altered


def test_every_value_is_what_one_count_maps_to(record):
    parts, _, _, bits = record
    for part in parts:
        again = generate.from_counts(to_counts(part.values, bits), bits)
        assert same(again, part.values).all()


def test_events_keep_gaps_and_density(record):
    parts, events, _, _ = record
    share = labels(events, len(parts[2].time)).mean()
    assert 0.01 <= share <= 0.03
    assert len(events) >= 3
    assert (events["start"].values[1:] - events["end"].values[:-1] >= injection.GAP).all()


def test_default_record_has_every_kind_in_every_severity_once(default):
    _, events, _ = default
    pairs = set(zip(events["kind"], events["severity"]))
    assert len(events) == len(pairs) == 36
    assert set(events["kind"]) == set(FAULTS)
    assert set(events["severity"]) == {"hard", "medium", "plain"}


def test_events_are_spread_over_the_whole_test_part(default):
    _, events, _ = default
    middles = (events["start"] + events["end"]) / 2
    counts, _ = np.histogram(middles, bins=6, range=(0, 24000))
    assert counts.tolist() == [6, 6, 6, 6, 6, 6]
    for _, group in events.groupby("severity"):  # nor is a severity saved for the end
        assert 0.25 < group["start"].mean() / 24000 < 0.75


def test_every_channel_has_events(default):
    _, events, _ = default
    assert {name for names in events["channels"] for name in names.split("+")} == set(
        generate.NAMES)


def test_severity_is_depth_in_noise(default):
    """Plain alters about twice as much as medium, medium twice as much as hard."""
    parts, events, clean = default
    quiet = {}
    for name, column in zip(generate.NAMES, clean.T):  # a stand-in for the noise: second difference
        quiet[name] = 1.48 * np.nanmedian(np.abs(np.diff(column, 2))) / 6 ** 0.5
    depths = {"hard": [], "medium": [], "plain": []}
    for event in events.itertuples():
        if event.kind == "dropout":
            continue
        names = event.channels.split("+")
        columns = [generate.NAMES.index(name) for name in names]
        rows = slice(event.start, event.end)
        change = (parts[2].values - clean)[rows, columns] / [quiet[name] for name in names]
        depths[event.severity].append(np.sqrt(np.nanmean(change**2)))
    medians = [np.median(depths[severity]) for severity in ("hard", "medium", "plain")]
    assert 1.7 < medians[1] / medians[0] < 2.3 and 1.7 < medians[2] / medians[1] < 2.3
    assert 2 < medians[0] < 4.5


def test_normal_parts_have_isolated_missing_cells(default):
    parts, events, clean = default
    for values in (parts[0].values, parts[1].values, clean):
        missing = np.isnan(values)
        assert 0.0001 < missing.mean() < 0.0003
        assert not (missing[1:] & missing[:-1]).any()


def test_normal_operation_has_surprises(default):
    """Starts, stops and mode changes are as large as any fault, and have no label."""
    parts, _, _ = default
    for part in parts:
        speed = part.values[:, 0]
        stopped = speed < 100
        assert (np.diff(stopped.astype(int)) == -1).sum() >= 3  # starts
        assert np.nanmax(speed) > 2700


def test_no_threshold_on_one_channel_or_its_difference_comes_near_a_detector(default):
    parts, events, _ = default
    truth = labels(events, 24000)
    train = parts[0].values
    z = (parts[2].values - np.nanmean(train, axis=0)) / np.nanstd(train, axis=0)
    z = np.nan_to_num(z)
    steps = np.diff(z, axis=0, prepend=z[:1])
    for score in np.concatenate([z, -z, np.abs(z), steps, -steps, np.abs(steps)], axis=1).T:
        assert average_precision_score(truth, score) < 0.15  # a random score has 0.027


def run_main(folder, **changes):
    params = yaml.safe_load(open(SMOKE))
    params["generate"].update(changes)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    paths = {name: str(folder / (name + ".csv")) for name in generate.PARTS + ("events",)}
    generate.main(["--params", str(folder / "params.yaml")] + [
        word for name, path in paths.items() for word in ("--" + name, path)])
    return {name: open(path, "rb").read() for name, path in paths.items()}


def test_same_seed_same_bytes_another_seed_others(tmp_path):
    first, second, other = run_main(tmp_path), run_main(tmp_path), run_main(tmp_path, seed=8)
    assert first == second
    assert all(first[name] != other[name] for name in first)
    assert not [name for name in os.listdir(str(tmp_path)) if "partial" in name]


def test_written_files_read_back(tmp_path):
    run_main(tmp_path)
    parts, events, _ = generate.generate(section(SMOKE))
    for name, part in zip(generate.PARTS, parts):
        record = read_record(str(tmp_path / (name + ".csv")))
        assert record.channels == part.channels and (record.time == part.time).all()
        assert same(record.values, part.values).all()
    assert read_events(str(tmp_path / "events.csv")).equals(events)


@pytest.mark.parametrize("interval_s", [1, 10, 600])
def test_other_intervals(interval_s):
    parts, events, _ = generate.generate(section(SMOKE, sample_interval_s=interval_s))
    assert len(events) >= 3
    assert (np.diff(parts[0].time) == np.timedelta64(interval_s, "s")).all()


def test_tiny_record_has_a_few_plain_events():
    tiny = section(SMOKE, train_samples=600, validation_samples=300, test_samples=900)
    _, events, _ = generate.generate(tiny)
    assert len(events) == 3 and set(events["severity"]) == {"plain"}


def test_too_short_a_test_part_names_the_key_and_what_is_allowed():
    tiny = dict(train_samples=600, validation_samples=300, anomalous_share=0.01)
    with pytest.raises(UserError, match=r"generate.test_samples is 2000.*2400 or more"):
        generate.generate(section(SMOKE, test_samples=2000, **tiny))
    assert len(generate.generate(section(SMOKE, test_samples=2400, **tiny))[1]) == 3
