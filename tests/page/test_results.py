"""Detectors in groups, best first, and how numbers are written."""
import pytest

from kit.page.results import group_of, grouped, written


def test_a_model_file_of_any_name_is_a_model():
    assert group_of("my_pump") == group_of("fused_dynamic") == "model files"
    assert [group for group, _ in grouped({"my_pump": {}})] == ["model files"]


@pytest.mark.parametrize("key, value, text", [
    ("vus_pr", 0.12345, "0.123"), ("median_delay_s", 60.0, "60"), ("bytes", 23168, "23,168"),
    ("other", 0.00012345, "0.000123"), ("other", 12345.6, "12,346"), ("other", None, "–"),
    ("other", "step_float32", "step_float32")])
def test_how_a_number_is_written(key, value, text):
    assert written(key, value) == text


def test_groups_come_in_order_and_the_best_first():
    metrics = {"floor_all": {"vus_pr": 0.9}, "keras": {"vus_pr": 0.5}, "step_int8": {"vus_pr": 0.6},
               "global_max_z": {"vus_pr": None}, "channel_threshold": {}}
    assert [(group, [name for name, _ in rows]) for group, rows in grouped(metrics)] == [
        ("model files", ["step_int8", "keras"]), ("baselines", ["global_max_z"]),
        ("one-liners (oracles)", ["channel_threshold"]), ("floors", ["floor_all"])]
