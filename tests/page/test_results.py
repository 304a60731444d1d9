"""Detectors in groups, best first, and how numbers are written."""
import pytest

from kit.base.cli import UserError
from kit.page.results import group_of, grouped, poor_forecast, put_into, written
from kit.runtime.forms import FORMS
from kit.runtime.precisions import PRECISIONS


def test_a_model_file_of_any_name_is_a_model():
    assert group_of("my_pump") == group_of("fused_dynamic") == "model files"
    assert [group for group, _ in grouped({"my_pump": {}})] == ["model files"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_file_of_every_form_and_precision_is_a_model(precision):
    assert {group_of("%s_%s" % (form, precision)) for form in FORMS} == {"model files"}


@pytest.mark.parametrize("key, value, text", [
    ("vus_pr", 0.12345, "0.123"), ("median_delay_s", 60.0, "60"), ("bytes", 23168, "23,168"),
    ("other", 0.00012345, "0.000123"), ("other", 12345.6, "12,346"), ("other", None, "–"),
    ("other", "step_float32", "step_float32")])
def test_how_a_number_is_written(key, value, text):
    assert written(key, value) == text


@pytest.mark.parametrize("error, again, said", [(0.4, 0.3, True), (0.3, 0.4, False), (None, 0.3, False)])
def test_a_forecast_worse_than_the_last_sample_is_said(error, again, said):
    values = {"forecast_mean_abs_error": error, "last_sample_mean_abs_error": again}
    sentence = poor_forecast({"keras": values})
    assert bool(sentence) == said
    assert not said or "0.400 and 0.300 standard deviations" in sentence
    assert poor_forecast({}) is None


def test_evidence_alone_is_a_group_between_models_and_baselines():
    metrics = {name: {"vus_pr": 0.5} for name in ("keras", "plane_alone", "pca_residual")}
    assert [group for group, _ in grouped(metrics)] == ["model files", "evidence alone", "baselines"]


def test_the_table_takes_the_place_between_the_marks():
    page = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n"
    once = put_into(page, ["one  0.5"], "results")
    assert once == "a\n<!-- results -->\n\n```\none  0.5\n```\n\n<!-- /results -->\nb\n"
    assert put_into(once, ["one  0.5"], "results") == once
    with pytest.raises(UserError, match="no marks"):
        put_into("a\n", ["x"], "results")


def test_groups_come_in_order_and_the_best_first():
    metrics = {"floor_all": {"vus_pr": 0.9}, "keras": {"vus_pr": 0.5}, "step_int8": {"vus_pr": 0.6},
               "global_max_z": {"vus_pr": None}, "channel_threshold": {}}
    assert [(group, [name for name, _ in rows]) for group, rows in grouped(metrics)] == [
        ("model files", ["step_int8", "keras"]), ("baselines", ["global_max_z"]),
        ("one-liners (oracles)", ["channel_threshold"]), ("floors", ["floor_all"])]
